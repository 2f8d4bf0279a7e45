"""Convolution by windows of 3 x 3 with stride 1 and many channels: what `winograd.cu` is given.

float32 alone: the transforms lose digits, and who asks for float64 asks for digits. Of 64 to 512
channels, summed 64 at a time, results carry 3.6 to 3.9 times the rounding error of PyTorch's on a
CPU, of 128 summed at once 5 times; gradients of weights 0.6 to 3.5 times.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.geometry import Array, Sizes, Windows, divisor, numbered
from tensorgrad.kernels.cuda.loader import kernel, structure
from tensorgrad.kernels.cuda.products import multiply

BLOCK, SIDE, OUTPUTS = 256, 6, 4  # as in winograd.cu
CHANNELS = 16  # from which products, not transforms, are most of the work
SUMMED = 64  # channels at a time: sums of sums round less
SCRATCH = 2**27  # numbers of the transformed arrays of one round
MOST_CHANNELS = 65535  # that a launch can have along y
VECTOR = 4


def tiles(size: Sizes) -> Sizes:
    return tuple([-(-n // OUTPUTS) for n in size])


def served(
    weight: Array, windows: Windows, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> bool:
    """Whether to convolve, and go back, by transforms; half of what tiles cover is wanted."""
    if weight.dtype.char != "f" or windows.kernel != (3, 3) or groups != 1:
        return False
    if max(stride) > 1 or max(dilation) > 1 or max(padding) > 2:
        return False
    down, across = tiles(windows.grid)
    few = down * across * OUTPUTS**2 > 2 * windows.positions
    most = SIDE**2 * sum(weight.shape[:2]) * math.prod(tiles(windows.plane))
    if not CHANNELS <= min(weight.shape[:2]) <= max(weight.shape[:2]) <= MOST_CHANNELS:
        return False
    return not few and numbered(most)


class Tiling:
    """Tiles of the outputs of some samples, and what kernels are told of them."""

    def __init__(self, size: Sizes, grid: Sizes, padding: Sizes, samples: int) -> None:
        down, across = tiles(grid)
        self.count = samples * down * across
        self.pitch = -(-self.count // VECTOR) * VECTOR
        numbers = *size, *grid, *padding, *divisor(down * across), *divisor(across)
        self.given = structure(numbers, "u4")

    def launch(self, name: str, rows: int, *arguments: Any) -> None:
        grid = -(-self.count // BLOCK), rows
        sizes = np.int32(self.count), np.int32(self.pitch), self.given
        kernel("winograd.cu", name, arguments[0].dtype.char)(grid, (BLOCK,), (*arguments, *sizes))

    def pictures(self, name: str, pictures: Array, y: Array | None) -> Array:
        """(36, channels, tiles) by a kernel of this name."""
        import cupy

        channels = pictures.shape[1]
        out = cupy.empty((SIDE**2, channels, self.pitch), pictures.dtype)
        given = pictures, pictures if y is None else y, out, np.int32(y is not None)
        self.launch(name, channels, *given, np.int32(channels))
        return out[:, :, : self.count]


def over_matrix(name: str, count: int, *arguments: Any) -> None:
    """A kernel with a thread for each window of a weight."""
    grid = (-(-count // BLOCK),)
    kernel("winograd.cu", name, arguments[0].dtype.char)(grid, (BLOCK,), arguments)


def rounds(samples: int, channels: int, grid: Sizes) -> Iterator[slice]:
    """Samples whose transformed arrays, of so many channels, stay within SCRATCH."""
    down, across = tiles(grid)
    some = max(1, SCRATCH // (SIDE**2 * channels * down * across))
    return (slice(start, min(start + some, samples)) for start in range(0, samples, some))


def correlate(
    pictures: Array,
    y: Array | None,
    weight: Array,
    bias: Array | None,
    out: Array,
    padding: Sizes,
    turned: bool = False,
    rectified: bool = False,
) -> None:
    """Fills out (N, rows, *grid) from pictures (N, depth, *size), where y is above 0 if there is
    one, and weight (rows, depth, 3, 3), or (depth, rows, 3, 3) turned round.
    """
    import cupy

    rows, depth = out.shape[1], pictures.shape[1]
    matrices = cupy.empty((SIDE**2, rows, depth), weight.dtype)
    by = structure(divisor(depth), "u4")
    how = np.int32(turned), np.int32(rows), by, np.int32(rows * depth)
    over_matrix("transform_windows", rows * depth, weight, matrices, *how)
    for part in rounds(len(pictures), rows + depth, out.shape[2:]):
        some, result = pictures[part], out[part]
        mask = None if y is None else y[part]
        tiling = Tiling(some.shape[2:], out.shape[2:], padding, len(some))
        terms = tiling.pictures("transform_tiles", some, mask)
        products = cupy.empty((SIDE**2, rows, tiling.pitch), weight.dtype)
        sums = products[:, :, : tiling.count]
        for first in range(0, depth, SUMMED):
            now = slice(first, first + SUMMED)
            multiply(matrices[:, :, now], terms[:, now], sums, add=first > 0)
        arrays = products, weight if bias is None else bias, some, some if y is None else mask
        numbers = bias is not None, rectified, y is not None, turned, rows, depth
        given = [np.int32(number) for number in numbers]
        tiling.launch("transform_products", rows, *arrays, weight, result, *given)


def correlate_weight(
    g: Array, y: Array | None, pictures: Array, out: Array, padding: Sizes
) -> None:
    """Fills out, the weight's gradient, where y is above 0 if there is one."""
    import cupy

    rows, depth = out.shape[:2]
    by = structure(divisor(depth), "u4")
    for part in rounds(len(g), rows + depth, g.shape[2:]):
        some_g, some = g[part], pictures[part]
        mask = None if y is None else y[part]
        tiling = Tiling(some.shape[2:], g.shape[2:], padding, len(some))
        terms = tiling.pictures("transform_tiles", some, None)
        of_outputs = Tiling(g.shape[2:], g.shape[2:], (0, 0), len(some))
        gradients = of_outputs.pictures("transform_gradient", some_g, mask)
        products = cupy.empty((SIDE**2, rows, depth), g.dtype)
        multiply(gradients, terms.transpose(0, 2, 1), products)
        arrays = products, some, some_g, some_g if y is None else mask, out
        numbers = y is not None, part.start > 0, len(some), rows
        given = *[np.int32(number) for number in numbers], by, np.int32(rows * depth)
        over_matrix("transform_window_products", rows * depth, *arrays, *given, tiling.given)
