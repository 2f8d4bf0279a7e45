"""The way back from the largest elements of windows.

https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool2d.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.ops.creation import zeros_of
from tensorgrad.ops.scattering import scatter_along
from tensorgrad.ops.shape import reshape
from tensorgrad.ops.windows import Sizes, Tuple, each

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


def _target(
    op: str, size: Tuple, kernel: Tuple, stride: Tuple, padding: Tuple, wanted: Any
) -> Tuple:
    numbers = zip(size, kernel, stride, padding)
    default = tuple([(n - 1) * s + k - 2 * p for n, k, s, p in numbers])
    if wanted is None:
        return default
    given = tuple(map(int, wanted))
    if len(given) == len(size) + 2:
        given = given[2:]
    fits = len(given) == len(size)
    if not fits or any(abs(m - n) >= s for m, n, s in zip(given, default, stride)):
        raise ValueError(
            f"{op}: expected output_size within {list(stride)} of {list(default)}, got {wanted}"
        )
    return given


def _unpool(
    spatial: int,
    input: Any,
    indices: Any,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sequence[int] | None,
) -> Any:
    op = f"max_unpool{spatial}d"
    if indices.dtype != dtypes.int64:
        raise DTypeError(f"{op}: expected indices of dtype int64, got {indices.dtype}")
    shape = tuple(input.shape)
    if len(shape) not in (spatial + 1, spatial + 2) or tuple(indices.shape) != shape:
        raise ShapeError(
            f"{op}: expected input of {spatial + 2} dimensions (N, C, *size), or without N, and "
            f"indices of its shape, got shapes {list(shape)} and {list(indices.shape)}"
        )
    kernel = each(op, "kernel_size", kernel_size, spatial)
    steps = kernel if stride is None else each(op, "stride", stride, spatial)
    widths = each(op, "padding", padding, spatial)
    size = _target(op, shape[-spatial:], kernel, steps, widths, output_size)
    lead = shape[: len(shape) - spatial]
    line = (*lead, math.prod(shape[len(lead) :]))
    try:
        nothing = zeros_of(input, (*lead, math.prod(size)))
        flat = scatter_along(nothing, reshape(indices, line), reshape(input, line), -1)
    except IndexRangeError as error:  # an IndexError; of PyTorch's it is none
        raise ShapeError(str(error).replace("scatter", op)) from error
    return reshape(flat, *lead, *size)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros (N, C, L) with the largest elements that max_pool1d found put back at `indices`."""
    return _unpool(  # type: ignore[no-any-return]
        1, input, indices, kernel_size, stride, padding, output_size
    )


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros (N, C, H, W) with the largest elements that max_pool2d found put back at `indices`.

    output_size: the pooled tensor's size, where another than (n - 1) stride - 2 padding + kernel.
    """
    return _unpool(  # type: ignore[no-any-return]
        2, input, indices, kernel_size, stride, padding, output_size
    )


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Zeros (N, C, D, H, W) with the largest elements that max_pool3d found put back at
    `indices`.
    """
    return _unpool(  # type: ignore[no-any-return]
        3, input, indices, kernel_size, stride, padding, output_size
    )
