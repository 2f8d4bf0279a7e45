"""Convolution and pooling over any number of spatial dimensions, written with sliding windows.

https://docs.pytorch.org/docs/stable/nn.functional.html#convolution-functions
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.indexing import gather_along
from tensorgrad.ops.linalg import matmul, swap_last
from tensorgrad.ops.reduction import index_of_largest, mean, total
from tensorgrad.ops.shape import pad_constant, reshape, take_slice, to_order, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "avg_pool2d",
    "conv1d",
    "conv2d",
    "max_pool2d",
]

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
    if isinstance(value, int):
        return (value,) * count
    values = tuple(int(v) for v in value)
    if len(values) == 1:
        return values * count
    if len(values) != count:
        raise ShapeError(f"{op}: expected {name} to be a number or {count} of them, got {value}")
    return values


def _around(x: Any, padding: Tuple, value: float = 0) -> Any:
    """x with `padding` on both sides of its last dimensions."""
    if not any(padding):
        return x
    none = ((0, 0),) * (x.ndim - len(padding))
    return pad_constant(x, none + tuple((p, p) for p in padding), value)


def _within(x: Any, padding: Tuple) -> Any:
    """x without what `_around` added."""
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
    kernel = tuple(weight.shape[2:])
    spatial = len(kernel)
    flat = reshape(weight, groups, weight.shape[0] // groups, -1)
    columns = matmul(swap_last(flat), _grouped(g, groups))  # (N, groups, depth, positions)
    apart = reshape(columns, *input_shape[:2], *kernel, *g.shape[2:])
    order = (0, 1, *range(2 + spatial, 2 + 2 * spatial), *range(2, 2 + spatial))
    size = tuple(n + 2 * p for n, p in zip(input_shape[2:], padding))
    return _within(fold_windows(to_order(apart, order), size, kernel, stride, dilation), padding)


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
    columns, _ = _columns(_around(input, padding), kernel, stride, dilation, groups)
    each_sample = matmul(_grouped(g, groups), swap_last(columns))
    return reshape(total(each_sample, 0, False), *weight_shape)


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
    bias=lambda g: total(g, (0, *range(2, g.ndim)), False),
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
    columns, positions = _columns(_around(input, padding), kernel, stride, dilation, groups)
    flat = reshape(weight, groups, weight.shape[0] // groups, -1)
    out = reshape(matmul(flat, columns), input.shape[0], weight.shape[0], *positions)
    return out if bias is None else out + reshape(bias, -1, *(1,) * len(kernel))


def conv_nd(
    spatial: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    """What conv1d, conv2d and conv3d share: arguments in one form, and an input without a batch
    dimension.
    """
    op = f"conv{spatial}d"
    if weight.ndim != spatial + 2:
        raise ShapeError(
            f"{op}: expected weight of {spatial + 2} dimensions, got shape {list(weight.shape)}"
        )
    steps, gaps = each(op, "stride", stride, spatial), each(op, "dilation", dilation, spatial)
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError(f"{op}: expected padding 'same' or 'valid', got {padding!r}")
        input, padding = _same(op, input, weight, steps, gaps, padding)
    widths = each(op, "padding", padding, spatial)
    if input.ndim == spatial + 1:
        batch = convolution(unsqueeze(input, 0), weight, bias, steps, widths, gaps, groups)
        return reshape(batch, tuple(batch.shape[1:]))
    return convolution(input, weight, bias, steps, widths, gaps, groups)


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


# ---- pooling


def _pool_arguments(
    op: str,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    dilation: Sizes = 1,
) -> tuple[Tuple, Tuple, Tuple, Tuple]:
    if input.ndim not in (3, 4):
        raise ShapeError(f"{op}: expected (N, C, H, W) or (C, H, W), got shape {list(input.shape)}")
    kernel = each(op, "kernel_size", kernel_size, 2)
    steps = kernel if stride is None else each(op, "stride", stride, 2)
    widths = each(op, "padding", padding, 2)
    if any(p > k // 2 for p, k in zip(widths, kernel)):
        raise ShapeError(
            f"{op}: expected padding of at most half the kernel, got padding "
            f"{list(widths)} for kernel {list(kernel)}"
        )
    gaps = each(op, "dilation", dilation, 2)
    for n, k, p, d in zip(input.shape[-2:], kernel, widths, gaps):
        if n + 2 * p < d * (k - 1) + 1:
            raise ShapeError(
                f"{op}: expected a kernel no larger than the padded input, got kernel "
                f"{list(kernel)} for {list(input.shape)}"
            )
    return kernel, steps, widths, gaps


@fused()
def max_windows(
    input: Tensor, kernel: Tuple, stride: Tuple, padding: Tuple, dilation: Tuple
) -> Tensor:
    """The largest element of each window; the gradient goes to the first one."""
    w = windows(_around(input, padding, -math.inf), kernel, stride, dilation)
    rows = reshape(w, *w.shape[: -len(kernel)], math.prod(kernel))
    best = index_of_largest(rows, -1, True)
    return reshape(gather_along(rows, best, -1), *w.shape[: -len(kernel)])


def max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
) -> Tensor:
    """The largest element of each window of (N, C, H, W); stride is the kernel's size
    unless told.
    """
    kernel, steps, widths, gaps = _pool_arguments(
        "max_pool2d", input, kernel_size, stride, padding, dilation
    )
    return max_windows(input, kernel, steps, widths, gaps)


def avg_pool2d(
    input: Tensor, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0
) -> Tensor:
    """The mean of each window of (N, C, H, W), padding counted as zeros."""
    kernel, steps, widths, _ = _pool_arguments("avg_pool2d", input, kernel_size, stride, padding)
    w = windows(_around(input, widths), kernel, steps, (1, 1))
    return mean(w, (-2, -1))
