"""Convolution as a product whose second operand is gathered where it lies. Knows planes, terms and
tiles; which convolution they make is for `convolution` to say.

A sample is copied into a buffer of planes with the padding around them, and with the rows and
columns of each phase of the stride side by side: (channels, phases down, phases across, rows,
columns). There every position of the output reads, for a term of the sum (a channel and an element
of the window), the number that lies `step` after its own place, whatever stride and dilation are.
So a vector of positions is one load, and the tile of `microkernel` runs over the buffer itself: no
columns are ever written. Positions run through whole rows of the buffer; those at a row's end that
belong to no output are computed and dropped, (columns - positions) / columns of the work.

Memory traffic of a sample, in bytes of it: forward reads input once and writes output once, all the
rest stays in the first two levels of cache. The gradient of the weights multiplies the same buffer
with the output's gradient, transposed into panels; each task sums a fixed share of the samples, so
no result depends on the number of threads.
"""

import numpy as np

from tensorgrad.kernels.numba.microkernel import ROWS, gathering_tile, tile, transpose_square
from tensorgrad.kernels.numba.tasks import Tasks, part

FEW = 2  # channels of a group up to which a pass a term beats a tile most of which is idle
TERMS = 256  # terms summed at a time: sums of sums round less
POSITIONS = 256  # positions a block of a weight gradient's sum: 32 kB of a panel


@part
def _fill(source, buffer, planes):
    """Planes into the buffer: `planes` has how many, their height and width, which place of theirs
    comes first, the stride that parts them into phases, and the rows and columns of a phase. What
    lies outside a plane is 0.
    """
    count, height, width, top, left_edge, step_down, step, rows, columns = planes
    at = 0
    for plane in range(count):
        for phase_down in range(step_down):
            for phase_across in range(step):
                shift = phase_across + left_edge
                left = min(columns, max(0, (step - 1 - shift) // step))
                right = max(left, min(columns, (width + step - 1 - shift) // step))
                for i in range(rows):
                    target = buffer[at : at + columns]
                    at += columns
                    y = i * step_down + phase_down + top
                    if 0 <= y < height:
                        for j in range(left):
                            target[j] = 0
                        for j in range(right, columns):
                            target[j] = 0
                        row = source[(plane * height + y) * width :]
                        if step == 1:
                            row = row[left + shift :]
                            target = target[left:right]
                            for j in range(target.size):
                                target[j] = row[j]
                        else:
                            for j in range(left, right):
                                target[j] = row[j * step + shift]
                    else:
                        for j in range(columns):
                            target[j] = 0
    for j in range(at, buffer.size):
        buffer[j] = 0


@Tasks
def pack_weights(task, weight, places, row_step, count, packed):
    """packed (groups, blocks, terms, ROWS) from weight[group, row * row_step + places[term]], and 0
    past `count` rows.
    """
    blocks = packed.shape[1]
    group, block = task // blocks, task % blocks
    source, target = weight[group], packed[group, block]
    for r in range(ROWS):
        row = block * ROWS + r
        for k in range(places.size):
            target[k, r] = source[row * row_step + places[k]] if row < count else 0


@part
def _rows_apart(planes, start, count, grid, wide):
    """`count` planes of positions into rows of the flat `wide`, as far apart as in the buffer."""
    rows, columns, row_size = grid
    length = wide.size // max(1, count)
    for r in range(count):
        for i in range(rows):
            source = planes[start + (r * rows + i) * columns :]
            target = wide[r * length + i * row_size : r * length + (i + 1) * row_size]
            for j in range(columns):
                target[j] = source[j]
            for j in range(columns, target.size):
                target[j] = 0


@part
def _few_channels(buffer, weights, steps, count, wide):
    """Rows of `wide` for channels too few to fill a tile: a pass over the positions a term."""
    length = wide.size // ROWS
    for r in range(count):
        sums = wide[r * length : (r + 1) * length]
        for j in range(length):
            sums[j] = 0
        for k in range(steps.size):
            weight, values = weights[k, r], buffer[steps[k] :]
            for j in range(length):
                sums[j] += weight * values[j]


@part
def _tiles(buffer, weights, steps, count, width, wide):
    """Rows of `wide`: a tile's height of channels, all positions."""
    length = wide.size // ROWS
    rows = np.arange(ROWS)
    wide_rows = rows * length
    zero = np.zeros(width, buffer.dtype)
    flat = weights.reshape(-1)
    for at in range(0, length, width):
        for k in range(0, steps.size, TERMS):
            first, first_at, by_row = (wide, at, 1) if k else (zero, 0, 0)
            gathering_tile(
                flat, k * ROWS, rows, 0, ROWS,
                buffer, at, steps, k,
                min(TERMS, steps.size - k),
                first, first_at, by_row,
                wide, at, wide_rows, 0,
                count, width,
            )  # fmt: skip


@part
def _into_place(wide, count, bias, channel, grid, place, out):
    """The positions of `count` channels, bias added, to their places in the flat planes `out`."""
    rows, columns, row_size = grid
    height, width, first_down, step_down, first_across, step_across = place
    length = wide.size // ROWS
    for r in range(count):
        added = bias[channel + r]
        plane = (channel + r) * height
        for i in range(rows):
            source = wide[r * length + i * row_size :]
            target = out[(plane + first_down + i * step_down) * width + first_across :]
            if step_across == 1:
                for j in range(columns):
                    target[j] = source[j] + added
            else:
                for j in range(columns):
                    target[j * step_across] = source[j] + added


@Tasks
def convolve(task, x, packed, steps, bias, planes, grid, place, tile_width, out, split):
    """A share of a convolution's items, each a part of one sample's channels in one group.

    x (samples, groups, numbers), packed (groups, blocks, terms, ROWS), out (samples, groups,
    numbers); planes: what `_fill` needs. Channels of a group are bias.shape[1]. split: parts of a
    sample's channels, items a task, items in all.
    """
    parts, each, items = split
    first, last = task * each, min(items, (task + 1) * each)
    groups, blocks = packed.shape[:2]
    channels = bias.shape[1]
    positions = (grid[0] - 1) * grid[2] + grid[1]
    length = -(-positions // tile_width) * tile_width
    cells = planes[0] * planes[5] * planes[6] * planes[7] * planes[8]
    # The last tile reads past the last position.
    buffer = np.empty(cells + length - positions + tile_width, x.dtype)
    wide = np.empty(ROWS * length, x.dtype)
    filled = -1
    for item in range(first, last):
        sample, group = item // parts // groups, item // parts % groups
        if filled != item // parts:
            _fill(x[sample, group], buffer, planes)
            filled = item // parts
        part = item % parts
        for block in range(blocks * part // parts, blocks * (part + 1) // parts):
            channel = block * ROWS
            there = min(ROWS, channels - channel)
            weights = packed[group, block]
            if channels <= FEW:
                _few_channels(buffer, weights, steps, there, wide)
            else:
                _tiles(buffer, weights, steps, there, tile_width, wide)
            _into_place(wide, there, bias[group], channel, grid, place, out[sample, group])


@part
def _few_weights(buffer, wide, count, steps, sums, width):
    """Adds to sums (terms, width) the products of `count` channels' gradients with the buffer."""
    length = wide.size // ROWS
    for r in range(count):
        values = wide[r * length : (r + 1) * length]
        for k in range(steps.size):
            total, read = values.dtype.type(0), buffer[steps[k] :]
            for j in range(length):
                total += values[j] * read[j]
            sums[k * width + r] += total


@part
def _weights(g, x, channels, steps, planes, grid, width, group, panel, samples, sums):
    """Adds to sums (terms, width) the weight gradient of one panel of channels over samples."""
    positions = (grid[0] - 1) * grid[2] + grid[1]
    length = -(-positions // width) * width
    cells = planes[0] * planes[5] * planes[6] * planes[7] * planes[8]
    buffer = np.empty(cells + length - positions + width, x.dtype)
    side = width // 2
    few = channels <= FEW
    wide = np.zeros((ROWS if few else side) * length, x.dtype)
    packed = np.zeros(0 if few else length * width, x.dtype)
    sum_rows = np.arange(steps.size) * width
    plane = grid[0] * grid[1]
    for sample in range(samples[0], samples[1]):
        _fill(x[sample, group], buffer, planes)
        gradient = g[sample, group]
        if few:
            for r in range(channels):
                _rows_apart(gradient, r * plane, 1, grid, wide[r * length : (r + 1) * length])
            _few_weights(buffer, wide, channels, steps, sums, width)
            continue
        for half in range(2):
            channel = panel * width + half * side
            there = min(side, channels - channel)
            if there <= 0:
                break
            for r in range(there):
                at = wide[r * length : (r + 1) * length]
                _rows_apart(gradient, (channel + r) * plane, 1, grid, at)
            for j in range(0, length, side):
                transpose_square(wide, j, length, packed, j * width + half * side, width)
        for j in range(0, length, POSITIONS):
            some = min(POSITIONS, length - j)
            for k in range(0, steps.size, ROWS):
                tile(
                    buffer, j, steps, k, 1,
                    packed, j * width,
                    some,
                    sums, 0, 1,
                    sums, 0, sum_rows, k,
                    min(ROWS, steps.size - k), width,
                )  # fmt: skip


@Tasks
def weights(task, g, x, channels, steps, planes, grid, width, sums):
    """sums (groups, panels, chunks, terms * width): the weight gradient of one panel of channels,
    summed over one chunk of the samples.
    """
    panels, chunks = sums.shape[1:3]
    samples = x.shape[0]
    group, panel, chunk = task // (panels * chunks), task // chunks % panels, task % chunks
    part = samples * chunk // chunks, samples * (chunk + 1) // chunks
    into = sums[group, panel, chunk]
    for j in range(into.size):
        into[j] = 0
    _weights(g, x, channels, steps, planes, grid, width, group, panel, part, into)


@Tasks
def gathered_weights(task, sums, width, weight):
    """One panel of weight (groups, channels, terms) from sums (groups, panels, chunks, terms *
    width).
    """
    panels, chunks = sums.shape[1:3]
    channels, terms = weight.shape[1:]
    group, panel = task // panels, task % panels
    total = sums[group, panel, 0]
    for chunk in range(1, chunks):
        more = sums[group, panel, chunk]
        for j in range(total.size):
            total[j] += more[j]
    for r in range(min(width, channels - panel * width)):
        target = weight[group, panel * width + r]
        for k in range(terms):
            target[k] = total[k * width + r]


@Tasks
def sum_planes(channel, g, sums):
    """sums[channel] of g (samples, channels, positions): a sum of the sums of planes."""
    total = 0.0
    for sample in range(g.shape[0]):
        plane, part = g[sample, channel], g.dtype.type(0)
        for j in range(plane.size):
            part += plane[j]
        total += part
    sums[channel] = total
