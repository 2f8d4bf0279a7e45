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

Groups of one or two channels fill no tile: their positions are lines of vectors, and their weights'
gradients dot products of lines, as are those of few terms. 3 x 3 by channel, all three products on
two threads: 128 channels of 28 x 28 5.8 ms by passes over a line for each term, 2.0 so.
"""

import numpy as np

from tensorgrad.kernels.numba.lines import (
    DOTS,
    LINES,
    add_to_every_second,
    add_to_line,
    copy_every_second,
    copy_line,
    dots_of_lines,
    dots_of_one,
)
from tensorgrad.kernels.numba.microkernel import (
    LINE,
    ROWS,
    VECTORS,
    gathering_line,
    gathering_tile,
    tile,
    transpose_square,
)
from tensorgrad.kernels.numba.tasks import Tasks, part

FEW = 2  # channels of a group up to which single lines beat a tile most of which is idle
FEW_TERMS = 160  # terms up to which a weight gradient's dot products beat tiles and their packing
TERMS = 256  # terms summed at a time: sums of sums round less
HELD = 1  # numbers of small groups that are held at a time, within the first-level cache
POSITIONS = 256  # positions a block of a weight gradient's sum: 32 kB of a panel


@part
def _cells(planes):
    """Numbers that `_fill` fills."""
    return planes[0] * planes[5] * planes[6] * planes[7] * planes[8]


@part
def _fill(source, buffer, planes):
    """Planes into the buffer: `planes` has how many, their height and width, which place of theirs
    comes first, the stride that parts them into phases, and the rows and columns of a phase. What
    lies outside a plane is left as it is, which is 0.
    """
    count, height, width, top, left_edge, step_down, step, rows, columns = planes
    at = 0
    for plane in range(count):
        for phase_down in range(step_down):
            y = phase_down + top
            first = max(0, -(y // step_down))
            last = min(rows, (height - 1 - y) // step_down + 1)
            for phase_across in range(step):
                shift = phase_across + left_edge
                left = max(0, -(shift // step))
                some = min(columns, (width - 1 - shift) // step + 1) - left
                for i in range(first, last if some > 0 else first):
                    row = (plane * height + i * step_down + y) * width + left * step + shift
                    target = at + i * columns + left
                    if step == 1:
                        copy_line(source, row, buffer, target, some)
                    elif step == 2:
                        copy_every_second(source, row, buffer, target, some)
                    else:
                        for j in range(some):
                            buffer[target + j] = source[row + j * step]
                at += rows * columns


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
    """`count` planes of positions into rows of the flat `wide`, as far apart as in the buffer; what
    lies between them is left as it is, which is 0.
    """
    rows, columns, row_size = grid
    length = wide.size // max(1, count)
    for r in range(count):
        for i in range(rows):
            source = start + (r * rows + i) * columns
            copy_line(planes, source, wide, r * length + i * row_size, columns)


@part
def _tiles(buffer, weights, steps, count, width, zero, rows, wide_rows, wide):
    """Rows of `wide`: a tile's height of channels, all positions."""
    length = wide.size // ROWS
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
def _into_place(wide, length, count, bias, least, channel, grid, place, out):
    """The positions of `count` channels, bias added, `least` for what is below, to their places in
    the flat planes `out`.
    """
    rows, columns, row_size = grid
    height, width, first_down, step_down, first_across, step_across = place
    for r in range(count):
        added = bias[channel + r]
        plane = (channel + r) * height
        for i in range(rows):
            source = r * length + i * row_size
            target = (plane + first_down + i * step_down) * width + first_across
            if step_across == 1:
                add_to_line(wide, source, added, least, out, target, columns)
            elif step_across == 2:
                add_to_every_second(wide, source, added, least, out, target, columns)
            else:
                for j in range(columns):
                    value = wide[source + j] + added
                    out[target + j * step_across] = least if value <= least else value


@Tasks
def convolve(task, x, packed, steps, bias, planes, grid, place, tile_width, out, split):
    """A share of a convolution's items, each a part of one sample's channels in one group.

    x (samples, groups, numbers), packed (groups, blocks, terms, ROWS), out (samples, groups,
    numbers); planes: what `_fill` needs. Channels of a group are bias.shape[1]. split: parts of a
    sample's channels, items a task, items in all; and whether 0 stands for what is below.
    """
    parts, each, items, rectified = split
    least = x.dtype.type(0 if rectified else -np.inf)
    first, last = task * each, min(items, (task + 1) * each)
    groups, blocks = packed.shape[:2]
    channels = bias.shape[1]
    positions = (grid[0] - 1) * grid[2] + grid[1]
    length = -(-positions // tile_width) * tile_width
    # The last tile reads past the last position.
    buffer = np.zeros(_cells(planes) + length - positions + tile_width, x.dtype)
    wide = np.empty(ROWS * length, x.dtype)
    zero = np.zeros(tile_width, x.dtype)
    rows = np.arange(ROWS)
    wide_rows = rows * length
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
            _tiles(buffer, weights, steps, there, tile_width, zero, rows, wide_rows, wide)
            _into_place(
                wide, length, there, bias[group], least, channel, grid, place, out[sample, group]
            )


@Tasks
def convolve_few(task, x, packed, steps, bias, planes, grid, place, tile_width, out, split):
    """`convolve` where a group has too few channels to fill a tile: positions of one channel are a
    line. A task has split[1] of all groups of all samples, of split[2].

    Several are copied, then summed, then written: a vector that is read right after its parts were
    written waits until they have left the processor, which takes longer than all sums of 7 x 7.
    """
    first, last = task * split[1], min(split[2], (task + 1) * split[1])
    least = x.dtype.type(0 if split[3] else -np.inf)
    groups, channels = bias.shape
    lanes = tile_width // VECTORS
    step = LINE * lanes
    positions = (grid[0] - 1) * grid[2] + grid[1]
    length = -(-positions // step) * step
    size = _cells(planes) + length - positions + step
    held = max(1, HELD // size)
    buffer = np.zeros(held * size, x.dtype)
    wide = np.empty(held * FEW * length, x.dtype)
    zero = np.zeros(step, x.dtype)
    rows = np.zeros(1, np.intp)
    flat = packed.reshape(-1)
    for begin in range(first, last, held):
        some = min(held, last - begin)
        for i in range(some):
            sample, group = (begin + i) // groups, (begin + i) % groups
            _fill(x[sample, group], buffer[i * size : (i + 1) * size], planes)
        for i in range(some):
            weights = (begin + i) % groups * steps.size * ROWS
            for r in range(channels):
                to = (i * FEW + r) * length
                for at in range(0, length, step):
                    for k in range(0, steps.size, TERMS):
                        before, before_at, by_row = (wide, to + at, 1) if k else (zero, 0, 0)
                        gathering_line(
                            flat, weights + k * ROWS + r, rows, 0, ROWS,
                            buffer, i * size + at, steps, k,
                            min(TERMS, steps.size - k),
                            before, before_at, by_row,
                            wide, to + at, rows, 0,
                            1, step,
                        )  # fmt: skip
        for i in range(some):
            sample, group = (begin + i) // groups, (begin + i) % groups
            lines = wide[i * FEW * length :]
            _into_place(
                lines, length, channels, bias[group], least, 0, grid, place, out[sample, group]
            )


@Tasks
def few_weights(task, g, x, channels, steps, planes, grid, width, each, sums):
    """`weights` by dot products of what is gathered with lines of the gradient, which need
    no packing. A task has `each` panels, so that it reads groups that lie side by side.
    """
    panels, chunks = sums.shape[1:3]
    first = task // chunks * each
    last, chunk = min(sums.shape[0] * panels, first + each), task % chunks
    positions = (grid[0] - 1) * grid[2] + grid[1]
    length = -(-positions // width) * width
    size = _cells(planes) + length - positions + width
    held = HELD // size if 4 * size <= HELD else 1
    buffer = np.zeros(held * size, x.dtype)
    wide = np.zeros(held * LINES * length, x.dtype)
    plane = grid[0] * grid[1]
    for number in range(first, last):
        sums[number // panels, number % panels, chunk, :] = 0
    samples = x.shape[0]
    for sample in range(samples * chunk // chunks, samples * (chunk + 1) // chunks):
        for begin in range(first, last, held):
            some = min(held, last - begin)
            for i in range(some):
                group = (begin + i) // panels
                _fill(x[sample, group], buffer[i * size : (i + 1) * size], planes)
            for r in range(0, min(width, channels), LINES):
                for i in range(some):
                    group, channel = (begin + i) // panels, (begin + i) % panels * width + r
                    count = max(0, min(LINES, channels - channel))
                    lines = wide[i * LINES * length : (i * LINES + count) * length]
                    _rows_apart(g[sample, group], channel * plane, count, grid, lines)
                for i in range(some):
                    group, panel = (begin + i) // panels, (begin + i) % panels
                    there = min(LINES, channels - panel * width - r)
                    at, read = i * LINES * length, i * size
                    into = sums[group, panel, chunk]
                    for k in range(0, steps.size, DOTS):
                        terms, to = min(DOTS, steps.size - k), k * width + r
                        if there == LINES:
                            dots_of_lines(
                                wide, at, length, buffer, read, steps, k, terms, length,
                                into, to, width,
                            )  # fmt: skip
                            continue
                        for line in range(there):
                            dots_of_one(
                                wide, at + line * length, length, buffer, read, steps, k,
                                terms, length, into, to + line, width,
                            )  # fmt: skip


@part
def _weights(g, x, channels, steps, planes, grid, width, group, panel, samples, sums):
    """Adds to sums (terms, width) the weight gradient of one panel of channels over samples."""
    positions = (grid[0] - 1) * grid[2] + grid[1]
    length = -(-positions // width) * width
    buffer = np.zeros(_cells(planes) + length - positions + width, x.dtype)
    side = width // 2
    wide = np.zeros(side * length, x.dtype)
    packed = np.zeros(length * width, x.dtype)
    sum_rows = np.arange(steps.size) * width
    plane = grid[0] * grid[1]
    for sample in range(samples[0], samples[1]):
        _fill(x[sample, group], buffer, planes)
        gradient = g[sample, group]
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
