"""Convolution with 3 x 3 windows by Winograd's minimal filtering, F(4 x 4, 3 x 3). Knows tiles.

A tile of 6 x 6 inputs gives 4 x 4 outputs with 36 products in place of 144: input and window are
transformed, multiplied place by place, and the products transformed back (`winograd_transforms`).
Over channels the products are 36 matrix products, which `microkernel.tile` does. The gradient of
the weights takes the same input tiles, and that of the input is a convolution with the window
turned round. Lanes are channels: rows of a sample are transposed to (x, channel) in the cache, a
few lines of tiles at a time stay there through all steps, and results are transposed back, so that
arrays keep PyTorch's order of dimensions. On two cores with AVX-512, 64 to 256 channels, forward
and both gradients: 1.5 to 2.2 times PyTorch's speed, 1.8 to 2.5 times that of `gathered`.

The transforms lose digits: results carry 3 to 5 times the rounding error of a plain sum in float32
(2.5 to 4 times PyTorch's). float64 is left to plain sums: who asks for it asks for digits.
"""

import numpy as np

from tensorgrad.kernels.numba.microkernel import ROWS, columns, lanes, tile, transpose_square
from tensorgrad.kernels.numba.tasks import Tasks, part
from tensorgrad.kernels.numba.winograd_transforms import (
    transform_gradient,
    transform_input,
    transform_output,
    transform_window,
    transform_window_gradient,
)

LANES = lanes(np.float32)
WIDTH = columns(np.float32)
TILES = 32  # tiles a block at least: rows enough for the products, few enough for the cache
CHANNELS = 64  # channels summed at a time: sums of sums round less
GATHERED = 1_000_000  # numbers of transformed tiles that a weight gradient keeps at a time


# ------------------------------------------------------------------------- between the two layouts
@part
def _stage(x, plane, size, top, left, channels, pitch, staged, rows, columns):
    """staged (rows, columns, pitch) from planes of x (channels, height, width) from (top, left) on;
    what lies outside is 0.
    """
    height, width = size
    first, last = max(0, -left), min(columns, width - left)
    for i in range(rows):
        y, line = top + i, i * columns * pitch
        if y < 0 or y >= height:
            for j in range(columns * pitch):
                staged[line + j] = 0
            continue
        for j in range(first * pitch):
            staged[line + j] = 0
        for j in range(last * pitch, columns * pitch):
            staged[line + j] = 0
        for channel in range(0, pitch, LANES):
            source = plane + (channel * height + y) * width + left
            target = line + channel
            if channel + LANES <= channels:
                j = first
                while j + LANES <= last:
                    transpose_square(
                        x, source + j, height * width, staged, target + j * pitch, pitch
                    )
                    j += LANES
                for k in range(LANES):
                    for i_column in range(j, last):
                        staged[target + i_column * pitch + k] = x[
                            source + k * height * width + i_column
                        ]
            else:
                for k in range(LANES):
                    inside = channel + k < channels
                    for i_column in range(first, last):
                        staged[target + i_column * pitch + k] = (
                            x[source + k * height * width + i_column] if inside else 0
                        )


@part
def _unstage(staged, rows, columns, pitch, bias, out, plane, size, top, channels):
    """Planes of out (channels, height, width), lines from `top` on, from staged (rows, columns,
    pitch) plus bias.
    """
    height, width = size
    for i in range(min(rows, height - top)):
        line = i * columns * pitch
        for channel in range(0, channels, LANES):
            target = plane + (channel * height + top + i) * width
            source = line + channel
            some = min(LANES, channels - channel)
            j = 0
            if some == LANES:
                while j + LANES <= width:
                    transpose_square(
                        staged, source + j * pitch, pitch, out, target + j, height * width
                    )
                    j += LANES
            for k in range(some):
                row = out[target + k * height * width : target + k * height * width + width]
                for i_column in range(j, width):
                    row[i_column] = staged[source + i_column * pitch + k]
                added = bias[channel + k]
                for i_column in range(width):
                    row[i_column] += added


# ---------------------------------------------------------------------------------------- products
@Tasks
def _pack_windows(panel, weight, channels, outputs, turned, packed):
    """One panel of packed (36, panels, channels, WIDTH) from weight (outputs, channels, 3, 3).

    turned: weight is (channels, outputs, 3, 3) and its windows are turned round.
    """
    window = np.zeros(9 * WIDTH, weight.dtype)
    step, panels = channels * WIDTH, packed.size // (36 * channels * WIDTH)
    for channel in range(channels):
        for j in range(min(WIDTH, outputs - panel * WIDTH)):
            output = panel * WIDTH + j
            at = (channel * outputs + output if turned else output * channels + channel) * 9
            for k in range(9):
                window[k * WIDTH + j] = weight[at + 8 - k] if turned else weight[at + k]
        for half in range(0, WIDTH, LANES):
            at = (panel * channels + channel) * WIDTH + half
            transform_window(
                window, half, 3 * WIDTH, WIDTH, packed, at, 6 * panels * step, panels * step
            )


@part
def _inputs(x, size, padding, channels, lines, first, grid, staged, count, tiles):
    """The lines of tiles `lines`, counted through all samples, of tiles (36, count, pitch), whose
    first tile belongs to line `first`.
    """
    height, width = size
    tiles_down, tiles_across = grid[:2]
    pitch = -(-channels // LANES) * LANES
    wide = 4 * tiles_across + 2
    for line in range(lines[0], lines[1]):
        sample, down = line // tiles_down, line % tiles_down
        plane = sample * channels * height * width
        top = 4 * down - padding[0]
        _stage(x, plane, (height, width), top, -padding[1], channels, pitch, staged, 6, wide)
        for across in range(tiles_across):
            at = ((line - first) * tiles_across + across) * pitch
            for c in range(0, pitch, LANES):
                transform_input(
                    staged, 4 * across * pitch + c, wide * pitch, pitch,
                    tiles, at + c, 6 * count * pitch, count * pitch,
                )  # fmt: skip


@Tasks
def _convolve_lines(
    task, x, size, padding, channels, packed, bias, outputs, lines, grid, out, spoiled
):
    """A share of the output's lines of tiles: `lines` are all and as many as a task has. grid:
    tiles down and across a sample's output, and its height and width. spoiled[task] tells whether
    some result is not finite.
    """
    tiles_down, tiles_across, out_height, out_width = grid
    lines = task * lines[1], min(lines[0], (task + 1) * lines[1])
    count = (lines[1] - lines[0]) * tiles_across
    pitch = -(-channels // LANES) * LANES
    panels = -(-outputs // WIDTH)
    out_pitch = panels * WIDTH
    wide = 4 * tiles_across
    tiles = np.empty(36 * count * pitch, x.dtype)
    products = np.empty(36 * count * out_pitch, x.dtype)
    staged = np.empty(max(6 * (wide + 2) * pitch, 4 * wide * out_pitch), x.dtype)
    _inputs(x, size, padding, channels, lines, lines[0], grid, staged, count, tiles)
    rows = np.arange(count)
    a_rows, c_rows = rows * pitch, rows * out_pitch
    zero = np.zeros(WIDTH, x.dtype)
    for place in range(36):
        for panel in range(panels):
            at = place * count * out_pitch + panel * WIDTH
            for channel in range(0, channels, CHANNELS):
                first, first_at, by_row = (products, at, 1) if channel else (zero, 0, 0)
                for row in range(0, count, ROWS):
                    tile(
                        tiles, place * count * pitch + channel, a_rows, row, 1,
                        packed, ((place * panels + panel) * channels + channel) * WIDTH,
                        min(CHANNELS, channels - channel),
                        first, first_at, by_row,
                        products, at, c_rows, row,
                        min(ROWS, count - row), WIDTH,
                    )  # fmt: skip
    spoil = False
    for line in range(lines[0], lines[1]):
        for across in range(tiles_across):
            at = ((line - lines[0]) * tiles_across + across) * out_pitch
            for k in range(0, out_pitch, LANES):
                transform_output(
                    products, at + k, 6 * count * out_pitch, count * out_pitch,
                    staged, 4 * across * out_pitch + k, wide * out_pitch, out_pitch,
                )  # fmt: skip
        sample, down = line // tiles_down, line % tiles_down
        plane = sample * outputs * out_height * out_width
        _unstage(
            staged, 4, wide, out_pitch, bias, out, plane, (out_height, out_width), 4 * down, outputs
        )
        for j in range(4 * wide * out_pitch):
            spoil |= not abs(staged[j]) < np.inf
    spoiled[task] = spoil


def convolve(x, weight, turned, bias, padding, out):
    """Fills out (N, O, H', W') from x (N, C, H, W) and weight (O, C, 3, 3), stride 1; turned:
    weight is (C, O, 3, 3) and its windows are turned round. Returns whether all is finite: nan and
    infinities spoil the tiles that they are in.
    """
    samples, channels = x.shape[:2]
    outputs, height, width = out.shape[1:]
    grid = -(-height // 4), -(-width // 4), height, width
    panels = -(-outputs // WIDTH)
    packed = np.empty(36 * panels * channels * WIDTH, x.dtype)
    _pack_windows(panels, weight.reshape(-1), channels, outputs, turned, packed)
    each = max(1, TILES // grid[1])
    lines = samples * grid[0]
    tasks = -(-lines // each)
    spoiled = np.empty(tasks, np.int64)
    _convolve_lines(
        tasks, x.reshape(-1), x.shape[2:], padding, channels, packed, bias, outputs, (lines, each),
        grid, out.reshape(-1), spoiled,
    )  # fmt: skip
    return not spoiled.any()


# ------------------------------------------------------------------------ gradient of the weights
@part
def _gradients(g, channels, line, first, grid, staged, count, tiles):
    """One line of tiles of g (N, channels, H', W') into tiles (36, panels, count, WIDTH)."""
    tiles_down, tiles_across, height, width = grid
    panels = -(-channels // WIDTH)
    pitch, wide = panels * WIDTH, 4 * tiles_across
    step = panels * count * WIDTH
    sample, down = line // tiles_down, line % tiles_down
    plane = sample * channels * height * width
    _stage(g, plane, (height, width), 4 * down, 0, channels, pitch, staged, 4, wide)
    for across in range(tiles_across):
        number = (line - first) * tiles_across + across
        for k in range(0, pitch, LANES):
            at = (k // WIDTH * count + number) * WIDTH + k % WIDTH
            transform_gradient(
                staged, 4 * across * pitch + k, wide * pitch, pitch, tiles, at, 6 * step, step
            )


@Tasks
def _gather(task, x, size, padding, channels, g, outputs, lines, grid, inputs, gradients):
    """The transformed tiles of a line: inputs (36, tile, pitch), gradients (36, panels, tile,
    WIDTH), where tiles are those of `lines`.
    """
    count = (lines[1] - lines[0]) * grid[1]
    pitch = -(-channels // LANES) * LANES
    g_pitch = -(-outputs // WIDTH) * WIDTH
    staged = np.empty(max(6 * (4 * grid[1] + 2) * pitch, 16 * grid[1] * g_pitch), x.dtype)
    line = lines[0] + task
    part = line, line + 1
    _inputs(x, size, padding, channels, part, lines[0], grid, staged, count, inputs)
    _gradients(g, outputs, line, lines[0], grid, staged, count, gradients)


@Tasks
def _multiply(task, inputs, gradients, count, channels, panels, sums):
    """Adds to sums (36, panels, channels, WIDTH), for one place and panel, the products of `count`
    tiles.
    """
    pitch = -(-channels // LANES) * LANES
    rows = np.arange(channels)
    out_rows = rows * WIDTH
    at = task * channels * WIDTH
    for start in range(0, count, CHANNELS):
        some = min(CHANNELS, count - start)
        for channel in range(0, channels, ROWS):
            tile(
                inputs, (task // panels * count + start) * pitch, rows, channel, pitch,
                gradients, (task * count + start) * WIDTH,
                some,
                sums, at, 1,
                sums, at, out_rows, channel,
                min(ROWS, channels - channel), WIDTH,
            )  # fmt: skip


@Tasks
def _windows(panel, sums, channels, outputs, weight):
    """One panel of weight (outputs, channels, 3, 3) from sums (36, panels, channels, WIDTH)."""
    step = -(-outputs // WIDTH) * channels * WIDTH
    window = np.empty(9 * WIDTH, sums.dtype)
    for channel in range(channels):
        for half in range(0, WIDTH, LANES):
            at = (panel * channels + channel) * WIDTH + half
            transform_window_gradient(sums, at, 6 * step, step, window, half, 3 * WIDTH, WIDTH)
        for j in range(min(WIDTH, outputs - panel * WIDTH)):
            target = weight[((panel * WIDTH + j) * channels + channel) * 9 :]
            for k in range(9):
                target[k] = window[k * WIDTH + j]


def weight_gradient(g, x, padding, weight):
    """Fills weight (O, C, 3, 3) from g (N, O, H', W') and x (N, C, H, W), stride 1."""
    samples, channels = x.shape[:2]
    outputs, height, width = g.shape[1:]
    grid = -(-height // 4), -(-width // 4), height, width
    panels = -(-outputs // WIDTH)
    pitch = -(-channels // LANES) * LANES
    of_line = 36 * grid[1] * (pitch + panels * WIDTH)
    lines = samples * grid[0]
    each = max(1, min(lines, GATHERED // of_line))
    inputs = np.empty(each * 36 * grid[1] * pitch, x.dtype)
    gradients = np.empty(each * 36 * grid[1] * panels * WIDTH, x.dtype)
    sums = np.zeros(36 * panels * channels * WIDTH, x.dtype)
    flat, of = x.reshape(-1), g.reshape(-1)
    for first in range(0, lines, each):
        part = first, min(lines, first + each)
        _gather(
            part[1] - first, flat, x.shape[2:], padding, channels, of, outputs, part, grid, inputs,
            gradients,
        )  # fmt: skip
        count = (part[1] - first) * grid[1]
        _multiply(36 * panels, inputs, gradients, count, channels, panels, sums)
    _windows(panels, sums, channels, outputs, weight.reshape(-1))
