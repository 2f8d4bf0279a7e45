"""Convolution of one channel a group: what `direct.cu` is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.geometry import Array, Windows, divisor
from tensorgrad.kernels.cuda.loader import kernel, structure, wide

BLOCK, TAPS = 256, 9  # as in groups.cuh and direct.cu
BLOCKS = 1024  # of a weight gradient, about: enough for any GPU


def launch(name: str, count: int, *arguments: Any) -> None:
    """A kernel with a thread for each of so many; the first argument has the elements' dtype."""
    kernel("direct.cu", name, arguments[0].dtype.char)((-(-count // BLOCK),), (BLOCK,), arguments)


def by(number: int) -> Any:
    return structure(divisor(number), "u4")


def correlate(
    input: Array, weight: Array, bias: Array | None, windows: Windows, rectified: bool
) -> Array:
    import cupy

    samples, groups, outputs = len(input), input.shape[1], len(weight)
    out = cupy.empty((samples, outputs, *windows.grid), input.dtype)
    parts = -(-windows.positions * input.dtype.itemsize // 16)
    count = samples * outputs * parts
    given = np.int32(bias is not None), np.int32(rectified), by(outputs), by(outputs // groups)
    arrays = input, weight, weight if bias is None else bias, out
    launch("correlate", count, *arrays, *given, by(parts), np.int32(count), windows.given)
    return out


def correlate_input(
    g: Array, y: Array | None, weight: Array, bias: Array | None, groups: int, windows: Windows
) -> Array:
    """The adjoint in the input, plus bias; y: a rectified result."""
    import cupy

    out = cupy.empty((len(g), groups, *windows.plane), g.dtype)
    arrays = g, g if y is None else y, weight, weight if bias is None else bias, out
    given = np.int32(bias is not None), np.int32(y is not None), by(groups)
    counts = np.int32(len(weight) // groups), np.int32(out.size)
    launch("correlate_input", out.size, *arrays, *given, *counts, windows.given)
    return out


def correlate_weight(
    g: Array, y: Array | None, input: Array, weight_shape: tuple[int, ...], windows: Windows
) -> tuple[Array, Array]:
    """The gradients of weight and bias."""
    import cupy

    samples, outputs, char = len(g), weight_shape[0], g.dtype.char
    taps = -(-windows.elements // TAPS)
    slices = min(samples, max(1, BLOCKS // (outputs * taps)), 65535)
    slice = -(-samples // slices)
    slices = -(-samples // slice)
    parts = cupy.empty((slices, outputs, windows.elements + 1), wide(g.dtype))
    each = outputs // input.shape[1]
    arrays = g, g if y is None else y, input, parts
    given = [np.int32(number) for number in (y is not None, each, samples, slice)]
    sums = kernel("direct.cu", "weight_parts", char)
    sums((outputs, taps, slices), (BLOCK,), (*arrays, *given, windows.given))
    weight, bias = cupy.empty(weight_shape, g.dtype), cupy.empty(outputs, g.dtype)
    count = outputs * (windows.elements + 1)
    how = np.int32(slices), by(windows.elements + 1), np.int32(count)
    total = kernel("direct.cu", "total", char)
    total((-(-count // BLOCK),), (BLOCK,), (parts, weight, bias, *how))
    return weight, bias
