"""Pooling by windows: the largest element, the mean, the p-norm.

https://docs.pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.op import primitive
from tensorgrad.ops.arithmetic import div
from tensorgrad.ops.choice import clamp_to, where
from tensorgrad.ops.conversion import widened
from tensorgrad.ops.creation import tensor
from tensorgrad.ops.indexing import gather_along
from tensorgrad.ops.pointwise import abs, relu, sign
from tensorgrad.ops.shape import reshape
from tensorgrad.ops.windows import (
    Sizes,
    Tuple,
    at_least,
    each,
    positions_along,
    window_sum,
)
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
]

largest_in_windows = primitive(
    "largest_in_windows",
    "input",
    "kernel, stride, padding, dilation, ceil_mode",
    "Where in the flattened plane of its last dimensions each window's largest element lies.",
)


def at_places(input: Any, places: Any, spatial: int) -> Any:
    """The elements at places in the flattened plane of the last `spatial` dimensions; -inf for
    place -1.
    """
    lead = tuple(input.shape[: input.ndim - spatial])
    flat = reshape(input, *lead, math.prod(input.shape[input.ndim - spatial :]))
    line = reshape(places, *lead, math.prod(places.shape[places.ndim - spatial :]))
    found = where(line < 0, lowest(input.dtype), gather_along(flat, clamp_to(line, 0, None), -1))
    return reshape(found, *places.shape)


def lowest(dtype: Any) -> float:
    """The number below all others of a dtype."""
    if dtypes.is_floating_point(dtype):
        return -math.inf
    return -(2 ** (8 * dtype.itemsize - 1)) if dtype.kind == "i" else 0


@fused()
def max_windows(
    input: Tensor,
    kernel: Tuple,
    stride: Tuple,
    padding: Tuple,
    dilation: Tuple,
    ceil_mode: bool = False,
) -> Tensor:
    """The largest element of each window; the gradient goes to the first of several."""
    places = largest_in_windows(input, kernel, stride, padding, dilation, ceil_mode)
    return at_places(input, places, len(kernel))  # type: ignore[no-any-return]


def geometry(
    op: str,
    spatial: int,
    input: Any,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
) -> tuple[Tuple, Tuple, Tuple, Tuple]:
    """A pooling op's numbers, one each spatial dimension, or ShapeError: kernel, stride, padding,
    dilation.
    """
    size = tuple(input.shape)
    if len(size) not in (spatial + 1, spatial + 2) or 0 in size[-spatial - 1 :]:
        raise ShapeError(
            f"{op}: expected input of {spatial + 2} dimensions (N, C, *size), or without N, and "
            f"none but N empty, got shape {list(size)}"
        )
    kernel = at_least(op, "kernel_size", each(op, "kernel_size", kernel_size, spatial), 1)
    steps = kernel
    if stride is not None and stride != ():
        steps = at_least(op, "stride", each(op, "stride", stride, spatial), 1)
    widths = at_least(op, "padding", each(op, "padding", padding, spatial), 0)
    gaps = at_least(op, "dilation", each(op, "dilation", dilation, spatial), 1)
    if any(p > (d * (k - 1) + 1) // 2 for p, k, d in zip(widths, kernel, gaps)):
        raise ShapeError(
            f"{op}: expected padding of at most half the kernel, got padding "
            f"{list(widths)} for kernel {list(kernel)} with dilation {list(gaps)}"
        )
    for n, k, s, p, d in zip(size[-spatial:], kernel, steps, widths, gaps):
        if positions_along(n, k, s, p, d, ceil_mode) < 1:
            raise ShapeError(
                f"{op}: expected a kernel no larger than the padded input, got kernel "
                f"{list(kernel)} for {list(size)}"
            )
    return kernel, steps, widths, gaps


# ---- the largest


def _largest(
    spatial: int,
    input: Any,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes,
    ceil_mode: bool,
    return_indices: bool | int,
) -> Any:
    op = f"max_pool{spatial}d"
    how = geometry(op, spatial, input, kernel_size, stride, padding, dilation, ceil_mode)
    if input.dtype == dtypes.bool_:
        raise DTypeError(f"{op}: expected numbers, got bool")
    if not return_indices:
        return max_windows(input, *how, ceil_mode)
    places = largest_in_windows(input, *how, ceil_mode)
    return at_places(input, places, spatial), places


def max_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool | int = False,
) -> Any:
    """The largest element of each window of (N, C, L) or (C, L); see `max_pool2d`."""
    return _largest(1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool | int = False,
) -> Any:
    """The largest element of each window of (N, C, H, W) or (C, H, W); stride is the kernel's size
    unless told.

    Padding counts as -inf. NaN is larger than every number. ceil_mode: windows that reach past the
    border count too. return_indices: also the places (int64) in the flattened plane (H W).
    """
    return _largest(2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool | int = False,
) -> Any:
    """The largest element of each window of (N, C, D, H, W) or (C, D, H, W); see `max_pool2d`."""
    return _largest(3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


# ---- the mean


def _counts(n: int, k: int, s: int, p: int, count: int, padded: bool) -> list[int]:
    """How many elements each window along a dimension has: of the input, or of its padding too."""
    starts = [i * s - p for i in range(count)]
    if padded:
        return [min(start + k, n + p) - start for start in starts]
    return [min(start + k, n) - max(start, 0) for start in starts]


def _divisor(counts: list[list[int]], like: Any) -> Any:
    """The product of the counts along each dimension: a number where all windows are alike."""
    if all(len(set(along)) == 1 for along in counts):
        return math.prod([along[0] for along in counts])
    product: Any = 1
    for d, along in enumerate(counts):
        line = tensor(along, dtype=like.dtype, device=like.device)
        product = reshape(line, -1, *(1,) * (len(counts) - d - 1)) * product
    return product


@widened
def _mean(
    input: Any,
    spatial: int,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
) -> Any:
    op = f"avg_pool{spatial}d"
    kernel, steps, widths, _ = geometry(
        op, spatial, input, kernel_size, stride, padding, 1, ceil_mode
    )
    if divisor_override == 0:
        raise ShapeError(f"{op}: expected a divisor that is not 0, got 0")
    if input.dtype == dtypes.bool_:
        raise DTypeError(f"{op}: expected numbers, got bool")
    numbers = list(zip(input.shape[-spatial:], kernel, steps, widths))
    counts = [positions_along(n, k, s, p, 1, ceil_mode) for n, k, s, p in numbers]
    after = [max(0, (c - 1) * s + k - n - p) for c, (n, k, s, p) in zip(counts, numbers)]
    sums = window_sum(input, kernel, steps, widths, tuple(after))
    divisor: Any = divisor_override
    if divisor is None:
        padded = count_include_pad
        each_window = [_counts(*given, c, padded) for c, given in zip(counts, numbers)]
        divisor = _divisor(each_window, input)
    whole = not dtypes.is_differentiable(input.dtype)
    return div(sums, divisor, rounding_mode="trunc") if whole else sums / divisor


def avg_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of (N, C, L) or (C, L); see `avg_pool2d`."""
    return _mean(  # type: ignore[no-any-return]
        input, 1, kernel_size, stride, padding, ceil_mode, count_include_pad, None
    )


@takes_out
def avg_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of (N, C, H, W) or (C, H, W); stride is the kernel's size unless
    told.

    count_include_pad: whether the zeros of the padding are counted. divisor_override: a number to
    divide every window's sum by. ceil_mode: windows that reach past the border count too.
    """
    return _mean(  # type: ignore[no-any-return]
        input, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@takes_out
def avg_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of (N, C, D, H, W) or (C, D, H, W); see `avg_pool2d`."""
    return _mean(  # type: ignore[no-any-return]
        input, 3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


# ---- the p-norm


@widened
def _norm(
    input: Any, spatial: int, p: float, kernel_size: Sizes, stride: Sizes | None, ceil_mode: bool
) -> Any:
    means = _mean(input**p, spatial, kernel_size, stride, 0, ceil_mode, True, None)
    count = math.prod(each(f"lp_pool{spatial}d", "kernel_size", kernel_size, spatial))
    return (sign(means) * relu(abs(means)) * count) ** (1 / p)


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(sum of input ** p) ** (1 / p) over each window of (N, C, L) or (C, L), p = norm_type."""
    return _norm(  # type: ignore[no-any-return]
        input, 1, norm_type, kernel_size, stride, ceil_mode
    )


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(sum of input ** p) ** (1 / p) over each window of (N, C, H, W) or (C, H, W)."""
    return _norm(  # type: ignore[no-any-return]
        input, 2, norm_type, kernel_size, stride, ceil_mode
    )


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    ceil_mode: bool = False,
) -> Tensor:
    """(sum of input ** p) ** (1 / p) over each window of (N, C, D, H, W) or (C, D, H, W)."""
    return _norm(  # type: ignore[no-any-return]
        input, 3, norm_type, kernel_size, stride, ceil_mode
    )
