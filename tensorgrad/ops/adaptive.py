"""Pooling to a given size, and the way back from the largest elements.

https://docs.pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.ops.choice import minimum
from tensorgrad.ops.conversion import widened
from tensorgrad.ops.creation import tensor
from tensorgrad.ops.pooling import at_places, largest_in_windows, max_windows
from tensorgrad.ops.reduction import average
from tensorgrad.ops.shape import clone_of, reshape, to_order
from tensorgrad.ops.taps import Taps, combine
from tensorgrad.ops.windows import Sizes, Tuple, window_sum

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]

OutputSize = int | Sequence[int | None]


def _target(op: str, spatial: int, input: Any, output_size: OutputSize) -> Tuple:
    """The sizes to pool to; None keeps one."""
    size = tuple(input.shape)
    if len(size) not in (spatial + 1, spatial + 2) or 0 in size[-spatial:]:
        raise ShapeError(
            f"{op}: expected input of {spatial + 2} dimensions (N, C, *size), or without N, and "
            f"no empty size, got shape {list(size)}"
        )
    if not dtypes.is_differentiable(input.dtype):
        raise DTypeError(f"{op}: expected a floating point dtype, got {input.dtype}")
    given = (output_size,) * spatial if isinstance(output_size, int) else tuple(output_size)
    if len(given) != spatial:
        raise ShapeError(f"{op}: expected output_size of {spatial} numbers, got {output_size}")
    target = tuple([n if m is None else int(m) for n, m in zip(size[-spatial:], given)])
    if min(target) < 0:
        raise ShapeError(f"{op}: expected output_size of at least 0, got {output_size}")
    return target


def _bounds(size: int, count: int) -> list[tuple[int, int]]:
    """Start and end of each of `count` windows that cover a line, as even as can be."""
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


# ---- the mean


@functools.lru_cache(256)
def _means(size: int, count: int) -> Taps:
    windows = _bounds(size, count)
    return Taps(
        [[(i, 1 / (end - start)) for i in range(start, end)] for start, end in windows], size
    )


@widened
def adaptive_mean(input: Any, target: Tuple) -> Any:
    """The mean of each of `target` windows along the last dimensions, one after the other where
    windows differ in length.
    """
    size = tuple(input.shape[input.ndim - len(target) :])
    if size == target:
        return clone_of(input)
    if 0 in target or any(n % m for n, m in zip(size, target)):
        for number, count in enumerate(target):
            dim = input.ndim - len(target) + number
            if input.shape[dim] != count:
                input = combine(input, dim, _means(input.shape[dim], count))
        return input
    if max(target) == 1:
        return average(input, tuple(range(-len(target), 0)), True)
    kernel, none = tuple([n // m for n, m in zip(size, target)]), (0,) * len(target)
    return window_sum(input, kernel, kernel, none, none) / math.prod(kernel)


def _adaptive_mean(spatial: int, input: Any, output_size: OutputSize) -> Any:
    op = f"adaptive_avg_pool{spatial}d"
    return adaptive_mean(input, _target(op, spatial, input, output_size))


def adaptive_avg_pool1d(input: Tensor, output_size: Sizes) -> Tensor:
    """The means of output_size windows over (N, C, L) or (C, L)."""
    return _adaptive_mean(1, input, output_size)  # type: ignore[no-any-return]


def adaptive_avg_pool2d(input: Tensor, output_size: OutputSize) -> Tensor:
    """The means of output_size windows over (N, C, H, W) or (C, H, W): window i of m along n places
    is floor(i n / m) to ceil((i + 1) n / m). None keeps a size.
    """
    return _adaptive_mean(2, input, output_size)  # type: ignore[no-any-return]


def adaptive_avg_pool3d(input: Tensor, output_size: OutputSize) -> Tensor:
    """The means of output_size windows over (N, C, D, H, W) or (C, D, H, W)."""
    return _adaptive_mean(3, input, output_size)  # type: ignore[no-any-return]


# ---- the largest


@functools.lru_cache(256)
def _padded_windows(size: int, count: int) -> tuple[Taps, int]:
    """Each window's places, its last repeated up to the length of the longest, which is told."""
    windows = _bounds(size, count)
    longest = max([end - start for start, end in windows])
    rows = [
        [(min(place, end - 1), 1.0)]
        for start, end in windows
        for place in range(start, start + longest)
    ]
    return Taps(rows, size), longest


def _largest(spatial: int, input: Any, output_size: OutputSize, return_indices: bool | int) -> Any:
    op = f"adaptive_max_pool{spatial}d"
    target = _target(op, spatial, input, output_size)
    lead, size = tuple(input.shape[: input.ndim - spatial]), tuple(input.shape[-spatial:])
    if 0 not in target and all(n % m == 0 for n, m in zip(size, target)):
        kernel = tuple([n // m for n, m in zip(size, target)])
        how = kernel, kernel, (0,) * spatial, (1,) * spatial, False
        if not return_indices:
            return max_windows(input, *how)
        places = largest_in_windows(input, *how)
        return at_places(input, places, spatial), places
    if 0 in target:
        empty = reshape(combine(input, -1, Taps([], size[-1])), *lead, *target)
        none = tensor([], dtype=dtypes.int64, device=input.device)
        return (empty, reshape(none, *lead, *target)) if return_indices else empty
    if not return_indices:
        return max_of_target(input, target)
    return _padded(input, lead, size, target, True)


@fused()
def max_of_target(input: Tensor, target: Tuple) -> Tensor:
    """The largest elements of `target` windows that cover the last dimensions unevenly."""
    first = input.ndim - len(target)
    shape = tuple(input.shape)
    return _padded(input, shape[:first], shape[first:], target, False)  # type: ignore[no-any-return]


def _padded(input: Any, lead: Tuple, size: Tuple, target: Tuple, return_indices: bool) -> Any:
    """By windows padded to one size with elements of their own."""
    found = [_padded_windows(n, m) for n, m in zip(size, target)]
    spatial, spread = len(target), input
    for number, (taps, _) in enumerate(found):
        spread = combine(spread, len(lead) + number, taps)
    longest = tuple([length for _, length in found])
    apart = reshape(spread, *lead, *[n for pair in zip(target, longest) for n in pair])
    first, last = len(lead), len(lead) + 2 * spatial
    order = (*range(first), *range(first, last, 2), *range(first + 1, last, 2))
    rows = reshape(to_order(apart, order), *lead, *target, math.prod(longest))
    one = (rows.shape[-1],), (1,), (0,), (1,), False  # a row is one window
    if not return_indices:
        return reshape(max_windows(rows, *one), *lead, *target)
    chosen = largest_in_windows(rows, *one)
    values = reshape(at_places(rows, chosen, 1), *lead, *target)
    return values, _in_plane(reshape(chosen, *lead, *target), size, target, longest)


def _in_plane(chosen: Any, size: Tuple, target: Tuple, longest: Tuple) -> Any:
    """From places within padded windows to places in the flattened plane."""
    place: Any = 0
    for d, (n, m) in enumerate(zip(size, target)):
        offset = chosen // math.prod(longest[d + 1 :]) % longest[d]
        column = (-1, *(1,) * (len(size) - d - 1))
        starts = tensor([start for start, _ in _bounds(n, m)], device=chosen.device)
        ends = tensor([end for _, end in _bounds(n, m)], device=chosen.device)
        along = minimum(reshape(starts, column) + offset, reshape(ends, column) - 1)
        place = place * n + along
    return place


def adaptive_max_pool1d(
    input: Tensor, output_size: Sizes, return_indices: bool | int = False
) -> Any:
    """The largest elements of output_size windows over (N, C, L) or (C, L)."""
    return _largest(1, input, output_size, return_indices)


def adaptive_max_pool2d(
    input: Tensor, output_size: OutputSize, return_indices: bool | int = False
) -> Any:
    """The largest elements of output_size windows over (N, C, H, W) or (C, H, W), windows as in
    `adaptive_avg_pool2d`. return_indices: also their places (int64) in the flattened plane.
    """
    return _largest(2, input, output_size, return_indices)


def adaptive_max_pool3d(
    input: Tensor, output_size: OutputSize, return_indices: bool | int = False
) -> Any:
    """The largest elements of output_size windows over (N, C, D, H, W) or (C, D, H, W)."""
    return _largest(3, input, output_size, return_indices)
