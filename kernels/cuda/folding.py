"""Elements of windows added where they came from: what `folded` of `convolution.cu` is given."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.geometry import Array, Sizes, Windows, divisor, numbered, windows_of
from tensorgrad.kernels.cuda.loader import kernel, served, structure, wide

BLOCK = 256  # as in groups.cuh


def fold(elements: Array, steps: Sizes, windows: Windows, bias: Array | None, out: Array) -> None:
    """Fills out (N, C, *size); of an element of a window, its position, channel and sample, what
    comes next is these steps away. Where out has 16 bits the elements are float32.
    """
    channels = structure(divisor(out.shape[1]), "u4")
    given = np.int32(bias is not None), structure(steps, "i8"), channels, np.int32(out.size)
    arrays = elements, out if bias is None else bias, out
    folded = kernel("convolution.cu", "folded", out.dtype.char)
    folded((-(-out.size // BLOCK),), (BLOCK,), (*arrays, *given, windows.given))


def fold_windows(input: Array, size: Sizes, window: Sizes, stride: Sizes, dilation: Sizes) -> Any:
    """(..., *positions, *window) -> (..., *size): each element added where it came from."""
    import cupy

    first, last = input.ndim - 2 * len(window), input.ndim - len(window)
    lead, grid = input.shape[:first], input.shape[first:last]
    planes = math.prod(lead)
    if not served([input]) or len(window) > 3:
        return NotImplemented
    if not numbered(input.size, planes * math.prod(size)):
        return NotImplemented
    windows = windows_of(size, grid, window, stride, (0,) * len(window), dilation)
    elements = input.astype(wide(input.dtype), copy=False)
    steps = [_step(elements, *ends) for ends in ((last, input.ndim), (first, last), (0, first))]
    if min(steps) < 0:
        elements = cupy.ascontiguousarray(elements)
        steps = [1, windows.elements, windows.elements * windows.positions]
    out = cupy.empty((*lead, *size), input.dtype)
    fold(elements, (*steps, 0), windows, None, out.reshape(1, planes, *size))
    return out


def _step(array: Array, first: int, last: int) -> int:
    """How many elements apart those are that follow each other in these dimensions; -1 where that
    is not one number.
    """
    every = zip(array.shape[first:last], array.strides[first:last])
    dims = [(size, step) for size, step in every if size > 1]
    if any(step != size * after for (_, step), (size, after) in pairwise(dims)):
        return -1
    return dims[-1][1] // array.dtype.itemsize if dims else 0
