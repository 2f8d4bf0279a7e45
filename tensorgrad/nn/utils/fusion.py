"""A layer and the batch norm behind it, as one layer for evaluation."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeVar

from tensorgrad.nn.batchnorm import _BatchNorm
from tensorgrad.nn.conv import _ConvNd
from tensorgrad.nn.linear import Linear
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.creation import zeros_like
from tensorgrad.ops.pointwise import rsqrt

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

C = TypeVar("C", bound=_ConvNd)
L = TypeVar("L", bound=Linear)


def _evaluated(op: str, layer: Any, bn: Any) -> Any:
    """A copy of the layer, to be changed."""
    if layer.training or bn.training:
        raise RuntimeError(f"{op}: expected both modules in evaluation mode, got one in training")
    if bn.running_mean is None or bn.running_var is None:
        raise RuntimeError(f"{op}: expected a batch norm with running statistics, got none")
    return copy.deepcopy(layer)


def fuse_conv_bn_eval(conv: C, bn: _BatchNorm, transpose: bool = False) -> C:
    """A convolution that computes bn(conv(input)) of two modules in evaluation mode."""
    fused = _evaluated("fuse_conv_bn_eval", conv, bn)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight,
        fused.bias,
        bn.running_mean,  # type: ignore[arg-type]
        bn.running_var,  # type: ignore[arg-type]
        bn.eps,
        bn.weight,
        bn.bias,
        transpose,
    )
    return fused  # type: ignore[no-any-return]


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """(weight, bias) of the fused convolution: weight * s and (bias - mean) * s + bn_b, s = bn_w /
    sqrt(var + eps) by output channel.
    """
    scale, shift = _line(conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    ones = (1,) * (conv_w.ndim - 2)
    by_channel = scale.reshape((1, -1, *ones) if transpose else (-1, 1, *ones))
    weight = (conv_w.detach() * by_channel).to(conv_w.dtype)
    bias = shift.to(conv_w.dtype if conv_b is None else conv_b.dtype)
    grad = conv_w.requires_grad
    return Parameter(weight, grad), Parameter(
        bias, conv_b.requires_grad if conv_b is not None else grad
    )


def fuse_linear_bn_eval(linear: L, bn: _BatchNorm) -> L:
    """A Linear that computes bn(linear(input)) of two modules in evaluation mode."""
    fused = _evaluated("fuse_linear_bn_eval", linear, bn)
    if bn.num_features not in (1, linear.out_features):
        raise ValueError(
            f"fuse_linear_bn_eval: expected a batch norm of {linear.out_features} features, got "
            f"{bn.num_features}"
        )
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight,
        fused.bias,
        bn.running_mean,  # type: ignore[arg-type]
        bn.running_var,  # type: ignore[arg-type]
        bn.eps,
        bn.weight,
        bn.bias,
    )
    return fused  # type: ignore[no-any-return]


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """(weight, bias) of the fused Linear; see `fuse_conv_bn_weights`."""
    return fuse_conv_bn_weights(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)


def _line(
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    eps: float,
    weight: Tensor | None,
    shift: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """The batch norm as scale * x + shift, the layer's bias included."""
    scale = rsqrt(var + eps)
    if weight is not None:
        scale = scale * weight.detach()
    offset = zeros_like(mean) if bias is None else bias.detach()
    moved = (offset - mean) * scale
    return scale, moved if shift is None else moved + shift.detach()
