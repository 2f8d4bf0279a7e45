"""Transposed convolution: the adjoint of convolution as an op of its own.

https://docs.pytorch.org/docs/stable/nn.functional.html#convolution-functions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.convolution import (
    check_arguments,
    narrow,
    transposed_convolution,
    wide,
    with_bias,
)
from tensorgrad.ops.shape import reshape, take_slice, unsqueeze
from tensorgrad.ops.windows import Sizes, around, at_least, each

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
]


def conv_transpose_nd(
    spatial: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    output_padding: Sizes,
    groups: int,
    dilation: Sizes,
) -> Tensor:
    """What conv_transpose1d, 2d and 3d share."""
    op = f"conv_transpose{spatial}d"
    check_arguments(op, spatial, input, weight, bias, groups)
    steps = at_least(op, "stride", each(op, "stride", stride, spatial), 1)
    gaps = at_least(op, "dilation", each(op, "dilation", dilation, spatial), 1)
    widths = at_least(op, "padding", each(op, "padding", padding, spatial), 0)
    more = at_least(op, "output_padding", each(op, "output_padding", output_padding, spatial), 0)
    if any(m >= max(s, d) for m, s, d in zip(more, steps, gaps)):
        raise ShapeError(
            f"{op}: expected output_padding smaller than stride or dilation, got {list(more)}"
        )
    batch = unsqueeze(input, 0) if input.ndim == spatial + 1 else input
    _check_channels(op, batch, weight, bias, groups)
    geometry = zip(batch.shape[2:], weight.shape[2:], steps, gaps)
    whole = tuple([(n - 1) * s + d * (k - 1) + 1 for n, k, s, d in geometry])
    size = tuple([n - 2 * p + m for n, p, m in zip(whole, widths, more)])
    if min(size) < 1:
        raise ShapeError(
            f"{op}: expected sizes of at least 1, got {list(size)} for input {list(input.shape)} "
            f"with padding {list(widths)}"
        )
    parts = (batch, weight, bias)
    if narrow(input):
        parts = (wide(batch), wide(weight), wide(bias))
    if all(m < s for m, s in zip(more, steps)):
        out = transposed_convolution(*parts, steps, widths, gaps, groups, size)
    else:  # `size` would have more positions than the input: cut it out of the whole
        none = (0,) * spatial
        out = transposed_convolution(*parts[:2], None, steps, none, gaps, groups, whole)
        out = around(out, none, tuple([max(m - p, 0) for m, p in zip(more, widths)]))
        cut = [slice(p, p + n) for p, n in zip(widths, size)]
        out = with_bias(take_slice(out, (Ellipsis, *cut)), parts[2])
    out = cast(out, input.dtype) if narrow(input) else out
    return out if batch is input else reshape(out, tuple(out.shape[1:]))


def _check_channels(op: str, input: Any, weight: Any, bias: Any, groups: int) -> None:
    channels = weight.shape[1] * groups
    if weight.shape[0] % groups or input.shape[1] != weight.shape[0]:
        raise ShapeError(
            f"{op}: expected input with {weight.shape[0]} channels for weight "
            f"{list(weight.shape)} in {groups} groups, got shape {list(input.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (channels,):
        raise ShapeError(f"{op}: expected bias of shape [{channels}], got {list(bias.shape)}")


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The gradient of conv1d in its input, as an op: (N, C, L) with (C, O / groups, K)."""
    return conv_transpose_nd(
        1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The gradient of conv2d in its input, as an op: (N, C, H, W) with (C, O / groups, KH, KW).

    Output size: (n - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1 along each
    spatial dimension.
    """
    return conv_transpose_nd(
        2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """The gradient of conv3d in its input, as an op: (N, C, D, H, W) with
    (C, O / groups, KD, KH, KW).
    """
    return conv_transpose_nd(
        3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )
