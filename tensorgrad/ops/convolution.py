"""Convolution and its adjoint over any number of spatial dimensions, written with sliding
windows.

https://docs.pytorch.org/docs/stable/nn.functional.html#convolution-functions
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import unwrap
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.pointwise import relu
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shape import clone_of, pad_constant, reshape, take_slice, to_order, unsqueeze
from tensorgrad.ops.windows import (
    Sizes,
    Tuple,
    around,
    at_least,
    each,
    fold_windows,
    windows,
)

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
]


def _swapped(x: Any) -> Any:
    """The transpose of each matrix in a stack; a view."""
    return to_order(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _within(x: Any, padding: Tuple) -> Any:
    """x without `padding` on both sides of its last dimensions."""
    if not any(padding):
        return x
    sizes = x.shape[x.ndim - len(padding) :]
    return take_slice(x, (Ellipsis, *(slice(p, n - p) for p, n in zip(padding, sizes))))


def _columns(
    x: Any, kernel: Tuple, stride: Tuple, dilation: Tuple, groups: int
) -> tuple[Any, Tuple]:
    """(N, C, *size), padded -> (N, groups, C / groups * kernel elements, positions), and the sizes
    of positions.
    """
    spatial = len(kernel)
    w = windows(x, kernel, stride, dilation)  # (N, C, *positions, *kernel)
    positions = tuple(w.shape[2 : 2 + spatial])
    order = (0, 1, *range(2 + spatial, 2 + 2 * spatial), *range(2, 2 + spatial))
    depth = x.shape[1] // groups * math.prod(kernel)
    columns = reshape(to_order(w, order), x.shape[0], groups, depth, math.prod(positions))
    return columns, positions


def _grouped(g: Any, groups: int) -> Any:
    """(N, O, *positions) -> (N, groups, O / groups, positions)."""
    positions = math.prod(g.shape[2:])
    return reshape(g, g.shape[0], groups, g.shape[1] // groups, positions)


def _input_gradient(
    g: Any,
    input_shape: Tuple,
    weight: Any,
    stride: Tuple,
    padding: Tuple,
    dilation: Tuple,
    groups: int,
) -> Any:
    size = tuple(input_shape[2:])
    return transposed_convolution(g, weight, None, stride, padding, dilation, groups, size)


def _weight_gradient(
    g: Any,
    input: Any,
    weight_shape: Tuple,
    stride: Tuple,
    padding: Tuple,
    dilation: Tuple,
    groups: int,
) -> Any:
    kernel = tuple(weight_shape[2:])
    columns, _ = _columns(around(input, padding, padding), kernel, stride, dilation, groups)
    each_sample = matmul(_grouped(g, groups), _swapped(columns))
    return reshape(total(each_sample, 0, False), *weight_shape)


def with_bias(out: Any, bias: Any) -> Any:
    return out if bias is None else out + reshape(bias, -1, *(1,) * (out.ndim - 2))


def _sum_by_channel(g: Any) -> Any:
    return total(g, (0, *range(2, g.ndim)), False)


def _check(
    input: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> None:
    spatial = weight.ndim - 2
    name = f"conv{spatial}d"
    if input.ndim != weight.ndim:
        raise ShapeError(
            f"{name}: expected input of {weight.ndim} dimensions (N, C, *size) for weight "
            f"{list(weight.shape)}, "
            f"got shape {list(input.shape)}"
        )
    if weight.shape[0] % groups or input.shape[1] != weight.shape[1] * groups:
        raise ShapeError(
            f"{name}: expected input with {weight.shape[1] * groups} channels for weight "
            f"{list(weight.shape)} in "
            f"{groups} groups, got shape {list(input.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        raise ShapeError(
            f"{name}: expected bias of shape [{weight.shape[0]}], got {list(bias.shape)}"
        )
    for n, k, p, d in zip(input.shape[2:], weight.shape[2:], padding, dilation):
        if n + 2 * p < d * (k - 1) + 1:
            raise ShapeError(
                f"{name}: expected a kernel no larger than the padded input, got kernel "
                f"{list(weight.shape[2:])} with "
                f"dilation {list(dilation)} for input {list(input.shape)} with padding "
                f"{list(padding)}"
            )


@fused(
    check=_check,
    input=_input_gradient,
    weight=_weight_gradient,
    bias=_sum_by_channel,
)
def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Tuple,
    padding: Tuple,
    dilation: Tuple,
    groups: int,
) -> Tensor:
    """Cross-correlation of (N, C, *size) with (O, C / groups, *kernel) to (N, O, *positions)."""
    _check(input, weight, bias, stride, padding, dilation, groups)
    kernel = tuple(weight.shape[2:])
    columns, positions = _columns(around(input, padding, padding), kernel, stride, dilation, groups)
    flat = reshape(weight, groups, weight.shape[0] // groups, -1)
    out = reshape(matmul(flat, columns), input.shape[0], weight.shape[0], *positions)
    return with_bias(out, bias)  # type: ignore[no-any-return]


def _passed(g: Any, y: Any) -> Any:
    """The gradient where a rectified result is above 0."""
    return where(y <= 0, 0, g)


@fused(
    check=_check,
    input=lambda g, y, input_shape, weight, stride, padding, dilation, groups: _input_gradient(
        _passed(g, y), input_shape, weight, stride, padding, dilation, groups
    ),
    weight=lambda g, y, input, weight_shape, stride, padding, dilation, groups: _weight_gradient(
        _passed(g, y), input, weight_shape, stride, padding, dilation, groups
    ),
    bias=lambda g, y: _sum_by_channel(_passed(g, y)),
)
def rectified_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Tuple,
    padding: Tuple,
    dilation: Tuple,
    groups: int,
) -> Tensor:
    """max(convolution, 0): what a layer of each in a row compute, in one pass over the result."""
    return relu(convolution(input, weight, bias, stride, padding, dilation, groups))


@fused(
    input=lambda g, weight, stride, padding, dilation, groups: convolution(
        g, weight, None, stride, padding, dilation, groups
    ),
    weight=lambda g, input, weight_shape, stride, padding, dilation, groups: _weight_gradient(
        input, g, weight_shape, stride, padding, dilation, groups
    ),
    bias=_sum_by_channel,
)
def transposed_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Tuple,
    padding: Tuple,
    dilation: Tuple,
    groups: int,
    size: Tuple,
) -> Tensor:
    """The adjoint of `convolution` in its input: (N, O, *positions) with (O, C / groups, *kernel)
    to (N, C, *size), where `size` is one that has these positions.
    """
    kernel, positions = tuple(weight.shape[2:]), tuple(input.shape[2:])
    spatial = len(kernel)
    channels = weight.shape[1] * groups
    flat = reshape(weight, groups, weight.shape[0] // groups, -1)
    columns = matmul(_swapped(flat), _grouped(input, groups))  # (N, groups, depth, positions)
    apart = reshape(columns, input.shape[0], channels, *kernel, *positions)
    order = (0, 1, *range(2 + spatial, 2 + 2 * spatial), *range(2, 2 + spatial))
    whole = tuple([n + 2 * p for n, p in zip(size, padding)])
    folded = fold_windows(to_order(apart, order), whole, kernel, stride, dilation)
    out = _within(folded, padding)
    return clone_of(out) if bias is None else with_bias(out, bias)


def check_arguments(op: str, spatial: int, input: Any, weight: Any, bias: Any, groups: int) -> None:
    if weight.ndim != spatial + 2 or input.ndim not in (spatial + 1, spatial + 2):
        raise ShapeError(
            f"{op}: expected input of {spatial + 2} dimensions (N, C, *size), or without N, and "
            f"weight of {spatial + 2}, got shapes {list(input.shape)} and {list(weight.shape)}"
        )
    if input.dtype != weight.dtype or (bias is not None and bias.dtype != input.dtype):
        kinds = [str(unwrap(x).dtype) for x in (input, weight, bias) if x is not None]
        raise DTypeError(
            f"{op}: expected input, weight and bias of one dtype, got {' and '.join(kinds)}"
        )
    if groups < 1:
        raise ShapeError(f"{op}: expected groups of at least 1, got {groups}")


def narrow(input: Any) -> bool:
    """A 16-bit float: its sums are computed in float32."""
    return input.dtype.itemsize == 2 and dtypes.is_floating_point(input.dtype)


def wide(x: Any) -> Any:
    return x if x is None else cast(x, dtypes.float32)


def conv_nd(
    spatial: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
    convolve: Any = convolution,
) -> Tensor:
    """What conv1d, conv2d and conv3d share: arguments in one form, and an input without a batch
    dimension. convolve: `convolution` or `rectified_convolution`.
    """
    op = f"conv{spatial}d"
    check_arguments(op, spatial, input, weight, bias, groups)
    steps = at_least(op, "stride", each(op, "stride", stride, spatial), 1)
    gaps = at_least(op, "dilation", each(op, "dilation", dilation, spatial), 1)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError(f"{op}: expected padding 'same' or 'valid', got {padding!r}")
        input, padding = _same(op, input, weight, steps, gaps, padding)
    widths = at_least(op, "padding", each(op, "padding", padding, spatial), 0)
    rest = steps, widths, gaps, groups
    batch = unsqueeze(input, 0) if input.ndim == spatial + 1 else input
    if narrow(input):
        out = cast(convolve(wide(batch), wide(weight), wide(bias), *rest), input.dtype)
    else:
        out = convolve(batch, weight, bias, *rest)
    return out if batch is input else reshape(out, tuple(out.shape[1:]))


def _same(
    op: str, input: Tensor, weight: Tensor, stride: Tuple, dilation: Tuple, padding: str
) -> tuple[Tensor, Sizes]:
    """padding="same": as much as keeps the size; where that is odd the extra column stands at the
    end.
    """
    if padding == "valid":
        return input, 0
    if any(s != 1 for s in stride):
        raise RuntimeError(f"{op}: expected stride 1 with padding='same', got {stride}")
    whole = tuple(d * (k - 1) for k, d in zip(weight.shape[2:], dilation))
    odd = tuple(w % 2 for w in whole)
    if any(odd):
        none = ((0, 0),) * (input.ndim - len(odd))
        input = pad_constant(input, none + tuple((0, o) for o in odd), 0)
    return input, tuple(w // 2 for w in whole)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, L) with (O, C / groups, K)."""
    return conv_nd(1, input, weight, bias, stride, padding, dilation, groups)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, H, W) with (O, C / groups, KH, KW).

    Output size: (n + 2 padding - dilation (k - 1) - 1) // stride + 1 along each spatial dimension.
    """
    return conv_nd(2, input, weight, bias, stride, padding, dilation, groups)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, D, H, W) with (O, C / groups, KD, KH, KW)."""
    return conv_nd(3, input, weight, bias, stride, padding, dilation, groups)
