"""Sliding windows: what convolution, pooling and unfolding have in common.

Works on the last dimensions of a tensor, as many as `kernel` has numbers; those before are batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.creation import whole_numbers
from tensorgrad.ops.shape import broadcast, pad_constant, reshape, take_slice

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

Sizes = int | Sequence[int]
Tuple = tuple[int, ...]

windows = primitive(
    "windows",
    "input",
    "kernel, stride, dilation",
    input=lambda g, input_shape, kernel, stride, dilation: fold_windows(
        g, tuple(input_shape[-len(kernel) :]), kernel, stride, dilation
    ),
)
fold_windows: TensorFunction = primitive(
    "fold_windows",
    "input",
    "size, kernel, stride, dilation",
    input=lambda g, kernel, stride, dilation: windows(g, kernel, stride, dilation),
)


def each(op: str, name: str, value: Sizes, count: int) -> Tuple:
    """One number for every spatial dimension, or one each."""
    if value.__class__ is int:
        return (value,) * count
    try:
        values = whole_numbers(op, (value,))
    except TypeError as error:
        raise TypeError(
            f"{op}: expected {name} to be a whole number or {count} of them, got {value!r}"
        ) from error
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise ShapeError(f"{op}: expected {name} to be a number or {count} of them, got {value}")
    return values


def at_least(op: str, name: str, values: Tuple, low: int) -> Tuple:
    """`values`, or ShapeError where one is below `low`."""
    if min(values) < low:
        raise ShapeError(f"{op}: expected {name} of at least {low}, got {list(values)}")
    return values


def around(x: Any, before: Tuple, after: Tuple, value: float = 0) -> Any:
    """x with its last dimensions widened."""
    if not any(before) and not any(after):
        return x
    none = ((0, 0),) * (x.ndim - len(before))
    return pad_constant(x, none + tuple(zip(before, after)), value)


def positions_along(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False
) -> int:
    """How many windows fit along a dimension; ceil_mode counts one that reaches past the padding
    too, if it starts before.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def _spread(
    g: Any, input_shape: Tuple, kernel: Tuple, stride: Tuple, before: Tuple, after: Tuple
) -> Any:
    """The adjoint of `window_sum`, dimension by dimension."""
    spatial = len(kernel)
    ones = (1,) * spatial
    inside = []
    for d in range(spatial):
        size = tuple(g.shape[g.ndim - spatial :])
        length = input_shape[len(input_shape) - spatial + d]
        size = (*size[:d], before[d] + length + after[d], *size[d + 1 :])
        line = (*ones[:d], kernel[d], *ones[d + 1 :])
        step = (*ones[:d], stride[d], *ones[d + 1 :])
        wide = broadcast(reshape(g, *g.shape, *ones), (*g.shape, *line))
        g = fold_windows(wide, size, line, step, ones)
        inside.append(slice(before[d], before[d] + length))
    return take_slice(g, (*(slice(None),) * (g.ndim - spatial), *inside))


@fused(input=_spread)
def window_sum(input: Tensor, kernel: Tuple, stride: Tuple, before: Tuple, after: Tuple) -> Tensor:
    """The sum of each window of the input, widened by zeros before and after: as many shifted
    copies added as the kernel is long, along one dimension after the other.
    """
    input = around(input, before, after)
    for d in range(len(kernel)):
        dim = input.ndim - len(kernel) + d
        count = positions_along(input.shape[dim], kernel[d], stride[d], 0, 1)
        whole = (slice(None),) * dim
        parts = [
            take_slice(input, (*whole, slice(k, k + (count - 1) * stride[d] + 1, stride[d])))
            for k in range(kernel[d])
        ]
        input = parts[0]
        for part in parts[1:]:
            input = input + part
    return input
