"""Convolution over one to three dimensions, transposed, and their gradients: who computes what.

One channel a group: `direct`, without matrices. Windows of 3 x 3 of many channels: `winograd`. A
kernel of one element over all positions: a product of matrices where the arrays lie. All else:
windows as columns of a matrix, one product for all samples and groups, and `convolution.cu` between
these and samples; so many samples at a time that matrices stay within SCRATCH elements. Numbers of
16 bits are multiplied as such, and their products added up in float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda import direct, winograd
from tensorgrad.kernels.cuda.folding import fold
from tensorgrad.kernels.cuda.geometry import (
    Array,
    Sizes,
    Windows,
    divisor,
    numbered,
    positions_along,
    windows_of,
)
from tensorgrad.kernels.cuda.loader import kernel, served, structure, wide
from tensorgrad.kernels.cuda.products import multiply

BLOCK = 256  # as in groups.cuh
SCRATCH = 2**27  # elements of the matrices of one round
ROWS = 65535  # that a launch can have along y


def launch(name: str, columns: int, rows: int, *arguments: Any) -> None:
    """A kernel with a thread for each column; the first argument has the elements' dtype."""
    grid = -(-columns // BLOCK), min(rows, ROWS)
    kernel("convolution.cu", name, arguments[0].dtype.char)(grid, (BLOCK,), arguments)


def geometry(arrays: list[Array], size: Sizes, weight: Array, *how: Any) -> Windows | None:
    """The windows of a weight over planes of a size; none where kernels do not serve."""
    stride, padding, dilation, groups = how
    kernel = weight.shape[2:]
    if not served([*arrays, weight]) or len(kernel) > 3 or len(size) != len(kernel):
        return None
    grid = tuple(map(positions_along, size, kernel, stride, padding, dilation))
    counts = [array.size for array in (*arrays, weight)]
    counts += [len(arrays[0]) * len(weight) * math.prod(grid)]
    counts += [len(arrays[0]) * weight.shape[1] * groups * math.prod(size)]
    if min(grid) < 1 or len(weight) % groups or not numbered(*counts):
        return None
    windows = windows_of(size, grid, kernel, stride, padding, dilation)
    depth = len(weight) + weight.shape[1] * groups * windows.elements
    return windows if numbered(depth * (windows.positions + 4)) else None


def pointwise(windows: Windows, stride: Sizes, padding: Sizes) -> bool:
    """Whether a window is a place, and every place has one."""
    return windows.elements == 1 and max(stride) == 1 and not any(padding)


class Matrices:
    """What lies between samples and products, for some samples of a convolution."""

    def __init__(self, windows: Windows, samples: int, like: Array) -> None:
        self.windows = windows
        self.samples = samples
        self.like = like
        self.count = samples * windows.positions
        self.vector = 16 // like.dtype.itemsize
        self.pitch = -(-self.count // self.vector) * self.vector

    def matrix(self, rows: int, dtype: Any = None) -> Array:
        import cupy

        return cupy.empty((rows, self.pitch), dtype or self.like.dtype)

    def grouped(self, matrix: Array, groups: int) -> Array:
        """(groups, rows, columns) without what is past the columns."""
        return matrix.reshape(groups, -1, self.pitch)[:, :, : self.count]

    def columns(self, input: Array) -> Array:
        channels = input.shape[1]
        out = self.matrix(channels * self.windows.elements)
        counts = [np.int32(number) for number in (channels, self.count, self.pitch)]
        given = input, out, *counts, self.windows.given
        launch("columns", self.pitch // self.vector, channels, *given)
        return out

    def folded(self, matrix: Array, bias: Array | None, out: Array) -> None:
        positions, elements = self.windows.positions, self.windows.elements
        steps = self.pitch, 1, elements * self.pitch, positions
        fold(matrix, steps, self.windows, bias, out)

    def by_channel(self, array: Array, y: Array | None) -> Array:
        channels = array.shape[1]
        out = self.matrix(channels)
        positions = structure(divisor(self.windows.positions), "u4")
        counts = np.int32(channels), positions, np.int32(self.count), np.int32(self.pitch)
        given = array, array if y is None else y, out, np.int32(y is not None), *counts
        launch("by_channel", self.pitch // self.vector, channels, *given)
        return out

    def by_sample(
        self, results: Array, steps: Sizes, bias: Array | None, rectified: bool, out: Array
    ) -> None:
        """Channels and samples of the results are these steps apart."""
        divisors = [
            structure(divisor(number), "u4") for number in (out.shape[1], self.windows.positions)
        ]
        numbers = [np.int32(number) for number in (*steps, out.size)]
        flags = np.int32(bias is not None), np.int32(rectified)
        arrays = results, results if bias is None else bias, out
        launch("by_sample", -(-out.size // self.vector), 1, *arrays, *flags, *divisors, *numbers)


def channel_sums(array: Array, y: Array | None) -> Array:
    """(C,) of (N, C, *size), where y is above 0 if there is one."""
    import cupy

    channels, positions = array.shape[1], math.prod(array.shape[2:])
    out = cupy.empty(channels, array.dtype)
    counts = structure(divisor(positions), "u4"), np.int32(len(array) * positions)
    given = array, array if y is None else y, out, np.int32(y is not None), *counts
    kernel("convolution.cu", "channel_sums", array.dtype.char)((channels,), (BLOCK,), given)
    return out


def rounds(
    windows: Windows, depth: int, first: Array, *others: Array | None
) -> Iterator[tuple[Any, ...]]:
    """Parts of arrays by samples, with the Matrices for each; depth: rows of all matrices."""
    some = max(1, SCRATCH // (depth * windows.positions))
    for start in range(0, len(first), some):
        part = slice(start, start + some)
        parts = [first[part], *[None if array is None else array[part] for array in others]]
        yield Matrices(windows, len(parts[0]), first), *parts


def flat(weight: Array, groups: int) -> Array:
    """(groups, outputs, depth)."""
    return weight.reshape(groups, len(weight) // groups, -1)


def adjoint(weight: Array, groups: int) -> Array:
    return flat(weight, groups).transpose(0, 2, 1)


def by_place(weight: Array, array: Array, out: Array) -> None:
    """out[n] = weight @ array[n] at every place: (1, m, k), (N, k, *size), (N, m, *size)."""
    import cupy

    samples = len(array)
    rows, depth = weight.shape[1:]
    every = cupy.broadcast_to(weight, (samples, rows, depth))
    multiply(every, array.reshape(samples, depth, -1), out.reshape(samples, rows, -1))


def convolution(
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    rectified: bool = False,
) -> Any:
    """(N, C, *size) with (O, C / groups, *kernel) to (N, O, *positions), plus bias by channel.
    rectified: 0 in place of what is below.
    """
    import cupy

    how = stride, padding, dilation, groups
    arrays = [input] if bias is None else [input, bias]
    windows = geometry(arrays, input.shape[2:], weight, *how)
    if windows is None or input.shape[1] != weight.shape[1] * groups:
        return NotImplemented
    input, weight = cupy.ascontiguousarray(input), cupy.ascontiguousarray(weight)
    bias = bias if bias is None else cupy.ascontiguousarray(bias)
    if weight.shape[1] == 1:
        return direct.correlate(input, weight, bias, windows, rectified)
    outputs, positions = len(weight), windows.positions
    out = cupy.empty((len(input), outputs, *windows.grid), input.dtype)
    if winograd.served(weight, windows, stride, padding, dilation, groups):
        winograd.correlate(input, None, weight, bias, out, padding, rectified=rectified)
        return out
    alone = groups == 1 and bias is None and not rectified
    if groups == 1 and pointwise(windows, stride, padding):
        by_place(flat(weight, 1), input, out)
        if not alone:
            steps = positions, outputs * positions
            Matrices(windows, len(input), input).by_sample(out, steps, bias, rectified, out)
        return out
    depth = input.shape[1] * windows.elements
    for between, some, result in rounds(windows, depth + outputs, input, out):
        matrix = between.columns(some)
        if alone:  # each sample's product goes where it belongs
            each = between.grouped(matrix, 1).reshape(depth, between.samples, positions)
            every = cupy.broadcast_to(flat(weight, 1), (between.samples, outputs, depth))
            to = result.reshape(between.samples, outputs, positions)
            multiply(every, each.transpose(1, 0, 2), to)
        else:
            results = between.matrix(outputs)
            products = between.grouped(results, groups)
            multiply(flat(weight, groups), between.grouped(matrix, groups), products)
            between.by_sample(results, (between.pitch, positions), bias, rectified, result)
    return out


def convolution_vjp(
    g: Array,
    y: Array | None,
    input: Array,
    weight: Array,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    needs: tuple[bool, ...],
) -> Any:
    """The gradients that are needed of input, weight and bias; y: a rectified result."""
    import cupy

    arrays = [input, g] if y is None else [input, g, y]
    windows = geometry(arrays, input.shape[2:], weight, stride, padding, dilation, groups)
    if windows is None:
        return NotImplemented
    g, input, weight = [cupy.ascontiguousarray(array) for array in (g, input, weight)]
    y = y if y is None else cupy.ascontiguousarray(y)
    if weight.shape[1] == 1:
        found: list[Array | None] = [None, None, None]
        if needs[0]:
            found[0] = direct.correlate_input(g, y, weight, None, groups, windows)
        if any(needs[1:]):
            found[1:] = direct.correlate_weight(g, y, input, weight.shape, windows)
        return tuple([part if need else None for part, need in zip(found, needs)])
    g_input = cupy.empty(input.shape, g.dtype) if needs[0] else None
    # Of several rounds too the sums are rounded once.
    g_weight = cupy.empty(weight.shape, wide(g.dtype)) if needs[1] else None
    g_bias = channel_sums(g, y) if needs[2] else None
    if winograd.served(weight, windows, stride, padding, dilation, groups):
        if g_input is not None:
            outside = tuple([2 - p for p in padding])
            winograd.correlate(g, y, weight, None, g_input, outside, turned=True)
        if g_weight is not None:
            winograd.correlate_weight(g, y, input, g_weight, padding)
        return g_input, g_weight, g_bias
    placed = groups == 1 and pointwise(windows, stride, padding)
    if placed and g_input is not None and y is None:
        by_place(adjoint(weight, 1), g, g_input)
    if g_weight is None and (g_input is None or (placed and y is None)):
        return g_input, g_weight, g_bias
    depth = input.shape[1] * windows.elements
    parts = rounds(windows, depth + len(weight), g, y, input, g_input)
    for number, (between, some_g, some_y, some, to) in enumerate(parts):
        matrix = between.by_channel(some_g, some_y)
        gradients = between.grouped(matrix, groups)
        if g_weight is not None:
            terms = between.by_channel(some, None) if placed else between.columns(some)
            turned = between.grouped(terms, groups).transpose(0, 2, 1)
            multiply(gradients, turned, flat(g_weight, groups), add=number > 0)
        if to is not None and not (placed and y is None):
            terms = between.matrix(depth, wide(g.dtype))
            multiply(adjoint(weight, groups), gradients, between.grouped(terms, groups))
            between.folded(terms, None, to)
    if g_weight is not None:
        g_weight = g_weight.astype(g.dtype, copy=False)
    return g_input, g_weight, g_bias


def transposed_convolution(
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    size: Sizes,
) -> Any:
    """The adjoint of `convolution` in its input: (N, O, *positions) to (N, C, *size), plus bias."""
    import cupy

    arrays = [input] if bias is None else [input, bias]
    windows = geometry(arrays, size, weight, stride, padding, dilation, groups)
    if windows is None or input.shape[1:] != (len(weight), *windows.grid):
        return NotImplemented
    input, weight = cupy.ascontiguousarray(input), cupy.ascontiguousarray(weight)
    bias = bias if bias is None else cupy.ascontiguousarray(bias)
    channels = weight.shape[1] * groups
    if weight.shape[1] == 1:
        return direct.correlate_input(input, None, weight, bias, groups, windows)
    out = cupy.empty((len(input), channels, *size), input.dtype)
    if groups == 1 and pointwise(windows, stride, padding):
        by_place(adjoint(weight, 1), input, out)
        if bias is not None:
            steps = windows.places, channels * windows.places
            Matrices(windows, len(input), input).by_sample(out, steps, bias, False, out)
        return out
    if winograd.served(weight, windows, stride, padding, dilation, groups):
        outside = tuple([2 - p for p in padding])
        winograd.correlate(input, None, weight, bias, out, outside, turned=True)
        return out
    depth = channels * windows.elements
    for between, some, to in rounds(windows, depth + len(weight), input, out):
        gradients = between.grouped(between.by_channel(some, None), groups)
        terms = between.matrix(depth, wide(input.dtype))
        multiply(adjoint(weight, groups), gradients, between.grouped(terms, groups))
        between.folded(terms, bias, to)
    return out


def transposed_convolution_vjp(
    g: Array,
    input: Array,
    weight: Array,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
    needs: tuple[bool, ...],
) -> Any:
    """The gradients that are needed of input, weight and bias."""
    import cupy

    how = stride, padding, dilation, groups
    g = cupy.ascontiguousarray(g)
    g_input = convolution(g, weight, None, *how) if needs[0] else None
    if g_input is NotImplemented:
        return NotImplemented
    # The weight's is that of the convolution that this is the adjoint of.
    found = convolution_vjp(input, None, g, weight, *how, (False, needs[1], False))
    if found is NotImplemented:
        return NotImplemented
    return g_input, found[1], channel_sums(g, None) if needs[2] else None
