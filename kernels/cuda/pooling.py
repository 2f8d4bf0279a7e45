"""The largest element and the sum of windows: what `pooling.cu` is given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.geometry import (
    Array,
    Sizes,
    Windows,
    even_windows,
    numbered,
    positions_along,
    windows_of,
)
from tensorgrad.kernels.cuda.loader import kernel, served, served_in_full

BLOCK = 256  # as in pooling.cu


def launch(name: str, count: int, windows: Any, *arrays: Array) -> None:
    """A kernel with a thread for each of so many; the first array has the elements' dtype."""
    given = *arrays, np.int32(count), windows
    kernel("pooling.cu", name, arrays[0].dtype.char)((-(-count // BLOCK),), (BLOCK,), given)


def geometry(
    size: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> Windows | None:
    """The windows over the last dimensions of a size; none where they do not fit."""
    plane = size[len(size) - len(kernel) :]
    numbers = zip(plane, kernel, stride, padding, dilation)
    grid = tuple([positions_along(*along, ceil_mode=ceil_mode) for along in numbers])
    if len(kernel) > 3 or min(grid) < 1:
        return None
    windows = windows_of(plane, grid, kernel, stride, padding, dilation)
    planes = math.prod(size[: len(size) - len(kernel)])
    return windows if numbered(planes * windows.places, planes * windows.positions) else None


def max_windows(input: Array, *how: Any) -> Any:
    """(the largest element of each window, its place in the plane as int32; -1: padding)."""
    import cupy

    windows = geometry(input.shape, *how) if served([input]) else None
    if windows is None:
        return NotImplemented
    shape = *input.shape[: input.ndim - len(windows.plane)], *windows.grid
    out, places = cupy.empty(shape, input.dtype), cupy.empty(shape, np.int32)
    launch("largest", out.size, windows.given, cupy.ascontiguousarray(input), out, places)
    return out, places


def largest_in_windows(input: Array, *how: Any) -> Any:
    """The place in the plane of each window's largest element, as int64."""
    import cupy

    windows = geometry(input.shape, *how) if served([input]) else None
    if windows is None:
        return NotImplemented
    shape = *input.shape[: input.ndim - len(windows.plane)], *windows.grid
    places = cupy.empty(shape, np.int64)
    launch("places_of_largest", places.size, windows.given, cupy.ascontiguousarray(input), places)
    return places


def max_windows_vjp(g: Array, input_shape: Sizes, places: Array, *how: Any) -> Any:
    """Zeros of input_shape with g added at the place of each window's largest element."""
    import cupy

    windows = geometry(input_shape, *how)
    if windows is None:
        return NotImplemented
    out = cupy.empty(input_shape, g.dtype)
    launch("largest_vjp", out.size, windows.given, cupy.ascontiguousarray(g), places, out)
    return out


def max_of_target(input: Array, target: Sizes) -> Any:
    """(the largest element of each of `target` windows that cover the last dimensions, its place
    in the plane).
    """
    import cupy

    lead, plane = _apart(input.shape, target)
    shape = *lead, *target
    if not served([input]) or not numbered(input.size, math.prod(shape)):
        return NotImplemented
    out, places = cupy.empty(shape, input.dtype), cupy.empty(shape, np.int32)
    ready = cupy.ascontiguousarray(input)
    launch("largest_of_target", out.size, even_windows(plane, target), ready, out, places)
    return out, places


def max_of_target_vjp(g: Array, input_shape: Sizes, target: Sizes, places: Array) -> Array:
    import cupy

    out = cupy.empty(input_shape, g.dtype)
    windows = even_windows(_apart(input_shape, target)[1], target)
    launch("largest_of_target_vjp", out.size, windows, cupy.ascontiguousarray(g), places, out)
    return out


def _apart(size: Sizes, target: Sizes) -> tuple[Sizes, Sizes]:
    """The sizes of the planes' numbers, and of a plane."""
    return size[: len(size) - len(target)], size[len(size) - len(target) :]


def sum_geometry(
    size: Sizes, kernel: Sizes, stride: Sizes, before: Sizes, after: Sizes
) -> Windows | None:
    """Windows over planes that are widened by zeros before and after."""
    plane = size[len(size) - len(kernel) :]
    numbers = zip(plane, kernel, stride, before, after)
    grid = tuple([(n + b + a - k) // s + 1 for n, k, s, b, a in numbers])
    if len(kernel) > 3 or min(grid) < 1:
        return None
    windows = windows_of(plane, grid, kernel, stride, before, (1,) * len(kernel))
    planes = math.prod(size[: len(size) - len(kernel)])
    return windows if numbered(planes * windows.places, planes * windows.positions) else None


def window_sum(input: Array, *how: Sizes) -> Any:
    """The sum of each window of the input, widened by zeros before and after."""
    import cupy

    windows = sum_geometry(input.shape, *how) if served_in_full([input]) else None
    if windows is None:
        return NotImplemented
    shape = *input.shape[: input.ndim - len(windows.plane)], *windows.grid
    out = cupy.empty(shape, input.dtype)
    launch("sums", out.size, windows.given, cupy.ascontiguousarray(input), out)
    return out


def window_sum_vjp(g: Array, input_shape: Sizes, *how: Sizes) -> Any:
    """What comes to each place from the windows over it."""
    import cupy

    windows = sum_geometry(input_shape, *how) if served_in_full([g]) else None
    if windows is None:
        return NotImplemented
    out = cupy.empty(input_shape, g.dtype)
    launch("sums_vjp", out.size, windows.given, cupy.ascontiguousarray(g), out)
    return out
