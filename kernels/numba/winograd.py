"""Convolution by Winograd's minimal filtering. Knows tiles.

A tile of n x n inputs gives m x m outputs of a window of r x r with n * n products in place of m *
m * r * r: input and window are transformed, multiplied place by place, and the products transformed
back (`winograd_transforms`). Windows of 3 x 3 take F(4 x 4, 3 x 3), a quarter of the products, 5 x
5 take F(2 x 2, 5 x 5), 36 %, 2 x 2 take F(4 x 4, 2 x 2), 39 %. A stride of 2 parts input and window
into four phases, even and odd rows and columns: channels more, whose windows have half the side and
stride 1.

Over channels the products are n * n matrix products, which `microkernel.tile` does. The gradient of
the weights takes the same input tiles, and that of the input is a convolution with the window
turned round, whose output the stride parts. Lanes are channels: rows of a sample are transposed to
(x, channel) in the cache (`staging`), a few lines of tiles at a time stay there through all steps,
and results are transposed back, so that arrays keep PyTorch's order of dimensions. The n * n places
of a tile lie some line of the cache off a power of two: else all would share one set of the
first-level cache, which took a quarter of the time.

On two cores with AVX-512, forward and both gradients: 64 to 256 channels and 3 x 3 1.5 to 2.2 times
PyTorch's speed, 1.8 to 2.5 times that of `gathered`; 32 to 64 channels of 16 x 16 by 5 x 5 7.7 ms
(`gathered` 15.0, PyTorch 19.0), 64 to 128 channels by 4 x 4 with stride 2 6.1 ms (15.8, 17.1).
F(4 x 4, 5 x 5) would take half the products of F(2 x 2, 5 x 5), with 3.7 times its rounding error.
Of these 6.1 ms 2.7 are products at the micro-kernel's peak and 0.9 the windows' transforms, which
as small an image as 8 x 8 has to bear each step. Neither blocks of 16 tiles, which would fit the
second-level cache, nor windows packed channel by channel instead of phase by phase changed that.

The transforms lose digits: results carry 2 to 5 times the rounding error of a plain sum in float32
(1.4 to 4 times PyTorch's). float64 is left to plain sums: who asks for it asks for digits.
"""

import numpy as np

from tensorgrad.kernels.numba.microkernel import ROWS, columns, tile
from tensorgrad.kernels.numba.staging import LANES, stage, unstage
from tensorgrad.kernels.numba.tasks import Tasks, part
from tensorgrad.kernels.numba.winograd_transforms import (
    FORMS,
    transform_gradient,
    transform_input,
    transform_output,
    transform_window,
    transform_window_gradient,
)

WIDTH = columns(np.float32)
TILES = 32  # tiles a block at least: rows enough for the products, few enough for the cache
CHANNELS = 64  # channels summed at a time: sums of sums round less
GATHERED = 1_000_000  # numbers of transformed tiles that a weight gradient keeps at a time


def form_of(side, stride):
    """The form for windows of `side` elements, every stride-th of them in one phase; or None."""
    return FORMS.get(-(-side // stride))


@part
def apart(size):
    """How far apart the places of a tile lie that `size` numbers of each lie together: not a power
    of two, as all would then share one set of the first-level cache.
    """
    return size + LANES


# ---------------------------------------------------------------------------------------- products
@Tasks
def _pack_windows(task, weight, channels, outputs, of, turned, padding, packed):
    """One panel of packed (stride ** 2 places of the output if turned, n * n, panels, channels of
    all phases, WIDTH) from weight (outputs, channels, *kernel), or (channels, outputs, *kernel) and
    its windows turned round. of: outputs and window of the form, stride, the kernel's side.
    """
    m, r, stride, side = of
    places = (m + r - 1) * (m + r - 1)
    panels = -(-outputs // WIDTH)
    panel, offset = task % panels, task // panels
    phases = 1 if turned else stride * stride
    window = np.zeros(r * r * WIDTH, weight.dtype)
    step = apart(panels * phases * channels * WIDTH)
    for phase in range(phases):
        down, across = phase // stride, phase % stride
        if turned:
            down = (offset // stride + padding[0]) % stride
            across = (offset % stride + padding[1]) % stride
        for channel in range(channels):
            for j in range(min(WIDTH, outputs - panel * WIDTH)):
                output = panel * WIDTH + j
                at = channel * outputs + output if turned else output * channels + channel
                for u in range(r):
                    y = stride * (r - 1 - u if turned else u) + down
                    for v in range(r):
                        x = stride * (r - 1 - v if turned else v) + across
                        inside = y < side and x < side
                        window[(u * r + v) * WIDTH + j] = (
                            weight[(at * side + y) * side + x] if inside else 0
                        )
            for half in range(0, WIDTH, LANES):
                at = offset * places * step + half
                at += ((panel * phases + phase) * channels + channel) * WIDTH
                transform_window(
                    r, window, half, r * WIDTH, WIDTH, packed, at, (m + r - 1) * step, step
                )


@part
def _inputs(x, size, corner, channels, lines, first, grid, of, staged, count, tiles):
    """The lines of tiles `lines`, counted through all samples, of tiles (n * n, count, pitch of all
    phases), whose first tile belongs to line `first`. corner: where in x the first tile begins.
    """
    height, width = size
    m, r, stride = of
    n = m + r - 1
    pitch = -(-channels // LANES) * LANES
    depth = stride * stride * pitch
    step = apart(count * depth)
    wide = stride * (m * grid[1] + r - 1)
    for line in range(lines[0], lines[1]):
        sample, down = line // grid[0], line % grid[0]
        plane = sample * channels * height * width
        top = stride * m * down + corner[0]
        stage(x, plane, size, top, corner[1], channels, pitch, staged, stride * n, wide)
        for across in range(grid[1]):
            at = ((line - first) * grid[1] + across) * depth
            for phase in range(stride * stride):
                source = phase // stride * wide + phase % stride + stride * m * across
                for c in range(0, pitch, LANES):
                    transform_input(
                        r, staged, source * pitch + c, stride * wide * pitch, stride * pitch,
                        tiles, at + phase * pitch + c, n * step, step,
                    )  # fmt: skip


@Tasks
def _convolve_lines(
    task,
    x,
    size,
    padding,
    channels,
    packed,
    bias,
    outputs,
    lines,
    grid,
    of,
    turned,
    rectified,
    out,
    spoiled,
):
    """A share of the output's lines of tiles: `lines` are all and as many as a task has. grid:
    tiles down and across a sample's output, and its height and width. of: outputs and window of the
    form, stride. rectified: 0 in place of results below. spoiled[task] tells whether some result is
    not finite.

    The stride parts the input into phases, which are channels more; turned, it parts the output.
    """
    tiles_down, tiles_across, out_height, out_width = grid
    m, r, stride = of
    n = m + r - 1
    read_step, write_step = (1, stride) if turned else (stride, 1)
    phases = read_step * read_step
    first_line, end = task * lines[1], min(lines[0], (task + 1) * lines[1])
    count = (end - first_line) * tiles_across
    pitch = -(-channels // LANES) * LANES
    depth = phases * pitch
    panels = -(-outputs // WIDTH)
    out_pitch = panels * WIDTH
    wide = write_step * m * tiles_across
    of_line = write_step * m * wide * out_pitch
    step, out_step = apart(count * depth), apart(count * out_pitch)
    weight_step = apart(panels * phases * channels * WIDTH)
    tiles = np.empty(n * n * step, x.dtype)
    products = np.empty(n * n * out_step, x.dtype)
    staged = np.empty(read_step * n * read_step * (m * tiles_across + r - 1) * pitch, x.dtype)
    # Lines wait for all their phases.
    held = 1 if write_step == 1 else end - first_line
    results = np.empty(held * of_line, x.dtype)
    rows = np.arange(count)
    a_rows, c_rows = rows * depth, rows * out_pitch
    zero = np.zeros(WIDTH, x.dtype)
    spoil = False
    least = x.dtype.type(0 if rectified else -np.inf)
    for offset in range(write_step * write_step):
        to_down, to_across = offset // write_step, offset % write_step
        corner = -padding[0], -padding[1]
        if turned:
            corner = (
                (to_down + padding[0]) // stride - r + 1,
                (to_across + padding[1]) // stride - r + 1,
            )
        _inputs(
            x, size, corner, channels, (first_line, end), first_line, grid, (m, r, read_step),
            staged, count, tiles,
        )  # fmt: skip
        for place in range(n * n):
            for panel in range(panels):
                at = place * out_step + panel * WIDTH
                weights = (offset * n * n + place) * weight_step
                weights += panel * phases * channels * WIDTH
                for phase in range(phases):
                    for channel in range(0, channels, CHANNELS):
                        begun = phase or channel
                        first, first_at, by_row = (products, at, 1) if begun else (zero, 0, 0)
                        for row in range(0, count, ROWS):
                            tile(
                                tiles, place * step + phase * pitch + channel,
                                a_rows, row, 1,
                                packed, weights + (phase * channels + channel) * WIDTH,
                                min(CHANNELS, channels - channel),
                                first, first_at, by_row,
                                products, at, c_rows, row,
                                min(ROWS, count - row), WIDTH,
                            )  # fmt: skip
        for line in range(first_line, end):
            start = (line - first_line) % held * of_line
            for across in range(tiles_across):
                at = ((line - first_line) * tiles_across + across) * out_pitch
                target = to_down * wide + to_across + write_step * m * across
                for k in range(0, out_pitch, LANES):
                    transform_output(
                        r, products, at + k, n * out_step, out_step,
                        results, start + target * out_pitch + k, write_step * wide * out_pitch,
                        write_step * out_pitch,
                    )  # fmt: skip
            if offset + 1 < write_step * write_step:
                continue
            sample, down = line // tiles_down, line % tiles_down
            plane, result = sample * outputs * out_height * out_width, results[start:]
            size_out, top = (out_height, out_width), write_step * m * down
            for j in range(0, of_line, out_pitch):
                numbers = result[j : j + out_pitch]
                for k in range(out_pitch):
                    value = numbers[k] + bias[k]
                    spoil |= not abs(value) < np.inf
                    numbers[k] = least if value <= least else value
            unstage(result, write_step * m, wide, out_pitch, out, plane, size_out, top, outputs)
    spoiled[task] = spoil


def convolve(x, weight, turned, bias, stride, padding, rectified, out):
    """Fills out (N, O, H', W') from x (N, C, H, W) and weight (O, C, K, K); turned: the adjoint,
    weight is (C, O, K, K). rectified: 0 in place of what is below. Returns whether all is finite:
    nan and infinities spoil the tiles that they are in.
    """
    samples, channels = x.shape[:2]
    outputs, height, width = out.shape[1:]
    form = form_of(weight.shape[2], stride)
    across = form.outputs * stride if turned else form.outputs
    grid = -(-height // across), -(-width // across), height, width
    panels, of = -(-outputs // WIDTH), (form.outputs, form.window, stride)
    step = apart(panels * channels * WIDTH * (1 if turned else stride**2))
    packed = np.empty(form.size**2 * step * (stride**2 if turned else 1), x.dtype)
    added = np.zeros(panels * WIDTH, x.dtype)
    added[:outputs] = bias
    _pack_windows(
        panels * (stride**2 if turned else 1), weight.reshape(-1), channels, outputs,
        (*of, weight.shape[2]), turned, padding, packed,
    )  # fmt: skip
    each = max(1, TILES // grid[1])
    lines = samples * grid[0]
    tasks = -(-lines // each)
    spoiled = np.empty(tasks, np.int64)
    _convolve_lines(
        tasks, x.reshape(-1), x.shape[2:], padding, channels, packed, added, outputs, (lines, each),
        grid, of, turned, int(rectified), out.reshape(-1), spoiled,
    )  # fmt: skip
    return not spoiled.any()


# ------------------------------------------------------------------------ gradient of the weights
@part
def _gradients(g, channels, line, first, grid, of, staged, count, tiles):
    """One line of tiles of g (N, channels, H', W') into tiles (n * n, panels, count, WIDTH)."""
    tiles_down, tiles_across, height, width = grid
    m, r = of[0], of[1]
    panels = -(-channels // WIDTH)
    pitch, wide = panels * WIDTH, m * tiles_across
    step = apart(panels * count * WIDTH)
    sample, down = line // tiles_down, line % tiles_down
    plane = sample * channels * height * width
    stage(g, plane, (height, width), m * down, 0, channels, pitch, staged, m, wide)
    for across in range(tiles_across):
        number = (line - first) * tiles_across + across
        for k in range(0, pitch, LANES):
            at = (k // WIDTH * count + number) * WIDTH + k % WIDTH
            transform_gradient(
                r, staged, m * across * pitch + k, wide * pitch, pitch,
                tiles, at, (m + r - 1) * step, step,
            )  # fmt: skip


@Tasks
def _gather(task, x, size, padding, channels, g, outputs, lines, grid, of, inputs, gradients):
    """The transformed tiles of a line: inputs (n * n, tile, pitch of all phases), gradients (n * n,
    panels, tile, WIDTH), where tiles are those of `lines`.
    """
    m, r, stride = of
    n = m + r - 1
    count = (lines[1] - lines[0]) * grid[1]
    pitch = -(-channels // LANES) * LANES
    g_pitch = -(-outputs // WIDTH) * WIDTH
    of_inputs = stride * n * stride * (m * grid[1] + r - 1) * pitch
    staged = np.empty(max(of_inputs, m * m * grid[1] * g_pitch), x.dtype)
    line = lines[0] + task
    part = line, line + 1
    corner = -padding[0], -padding[1]
    _inputs(x, size, corner, channels, part, lines[0], grid, of, staged, count, inputs)
    _gradients(g, outputs, line, lines[0], grid, of, staged, count, gradients)


@Tasks
def _multiply(task, inputs, gradients, count, channels, phases, panels, begun, sums):
    """Adds to sums (n * n, panels, phases * channels, WIDTH), for one place and panel, the products
    of `count` tiles; they start from 0 if no others have begun them.
    """
    zero = np.zeros(WIDTH, inputs.dtype)
    pitch = -(-channels // LANES) * LANES
    rows = np.arange(channels)
    out_rows = rows * WIDTH
    depth = phases * pitch
    place, panel = task // panels, task % panels
    step, g_step = apart(count * depth), apart(panels * count * WIDTH)
    sums_step = apart(panels * phases * channels * WIDTH)
    for phase in range(phases):
        at = place * sums_step + (panel * phases + phase) * channels * WIDTH
        for start in range(0, count, CHANNELS):
            some = min(CHANNELS, count - start)
            first, first_at, by_row = (sums, at, 1) if begun or start else (zero, 0, 0)
            for channel in range(0, channels, ROWS):
                tile(
                    inputs, place * step + start * depth + phase * pitch,
                    rows, channel, depth,
                    gradients, place * g_step + (panel * count + start) * WIDTH,
                    some,
                    first, first_at, by_row,
                    sums, at, out_rows, channel,
                    min(ROWS, channels - channel), WIDTH,
                )  # fmt: skip


@Tasks
def _windows(panel, sums, channels, outputs, of, weight):
    """One panel of weight (outputs, channels, *kernel) from sums (n * n, panels, channels of all
    phases, WIDTH). of: outputs and window of the form, stride, the kernel's side.
    """
    m, r, stride, side = of
    phases = stride * stride
    step = apart(-(-outputs // WIDTH) * phases * channels * WIDTH)
    window = np.empty(r * r * WIDTH, sums.dtype)
    for phase in range(phases):
        for channel in range(channels):
            for half in range(0, WIDTH, LANES):
                at = ((panel * phases + phase) * channels + channel) * WIDTH + half
                transform_window_gradient(
                    r, sums, at, (m + r - 1) * step, step, window, half, r * WIDTH, WIDTH
                )
            for j in range(min(WIDTH, outputs - panel * WIDTH)):
                target = weight[((panel * WIDTH + j) * channels + channel) * side * side :]
                for u in range(r):
                    y = stride * u + phase // stride
                    for v in range(r):
                        x = stride * v + phase % stride
                        if y < side and x < side:
                            target[y * side + x] = window[(u * r + v) * WIDTH + j]


def weight_gradient(g, x, stride, padding, weight):
    """Fills weight (O, C, K, K) from g (N, O, H', W') and x (N, C, H, W)."""
    samples, channels = x.shape[:2]
    outputs, height, width = g.shape[1:]
    form, phases = form_of(weight.shape[2], stride), stride**2
    grid = -(-height // form.outputs), -(-width // form.outputs), height, width
    of = form.outputs, form.window, stride
    panels = -(-outputs // WIDTH)
    places, pitch = form.size**2, phases * -(-channels // LANES) * LANES
    lines = samples * grid[0]
    parts = -(-lines * places * grid[1] * (pitch + panels * WIDTH) // GATHERED)
    each = -(-lines // parts)
    inputs = np.empty(places * apart(each * grid[1] * pitch), x.dtype)
    gradients = np.empty(places * apart(each * grid[1] * panels * WIDTH), x.dtype)
    sums = np.empty(places * apart(panels * phases * channels * WIDTH), x.dtype)
    flat, of_g = x.reshape(-1), g.reshape(-1)
    for first in range(0, lines, each):
        part = first, min(lines, first + each)
        _gather(
            part[1] - first, flat, x.shape[2:], padding, channels, of_g, outputs, part, grid, of,
            inputs, gradients,
        )  # fmt: skip
        count = (part[1] - first) * grid[1]
        given = inputs, gradients, count, channels, phases, panels, int(first > 0)
        _multiply(places * panels, *given, sums)
    _windows(panels, sums, channels, outputs, (*of, weight.shape[2]), weight.reshape(-1))
