"""Normalisation over a batch or over features.

https://docs.pytorch.org/docs/stable/nn.functional.html#normalization-functions
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.modes import no_grad
from tensorgrad.ops.conversion import widened
from tensorgrad.ops.indexing import copy_
from tensorgrad.ops.norms import norm
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shape import reshape

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "batch_norm",
    "layer_norm",
    "normalize",
]


@fused()
def standardize(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, dim: tuple[int, ...], eps: float
) -> Tensor:
    """(input - mean) / sqrt(var + eps) * weight + bias, mean and (biased) variance over `dim`."""
    count = math.prod(input.shape[d] for d in dim)
    centred = input - total(input, dim, True) / count
    variance = total(centred * centred, dim, True) / count
    out = centred / sqrt(variance + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


@widened
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each sample standardised over its last dimensions, which are `normalized_shape`; then *
    weight + bias.
    """
    shape = tuple(normalized_shape)
    if not shape or tuple(input.shape[-len(shape) :]) != shape:
        raise ShapeError(
            f"layer_norm: expected input of shape (*, {', '.join(map(str, shape))}), got "
            f"{list(input.shape)}"
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and tuple(value.shape) != shape:
            raise ShapeError(
                f"layer_norm: expected {name} of shape {list(shape)}, got {list(value.shape)}"
            )
    return standardize(input, weight, bias, tuple(range(-len(shape), 0)), eps)


@widened
def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel (dimension 1) standardised over the batch, or by the running statistics when not
    training.

    Training moves the running mean and (unbiased) variance by `momentum` towards the batch's.
    """
    if input.ndim < 2:
        raise ShapeError(
            f"batch_norm: expected at least 2 dimensions (N, C, ...), got shape {list(input.shape)}"
        )
    channels = input.shape[1]
    for name, value in (
        ("running_mean", running_mean),
        ("running_var", running_var),
        ("weight", weight),
        ("bias", bias),
    ):
        if value is not None and tuple(value.shape) != (channels,):
            raise ShapeError(
                f"batch_norm: expected {name} of shape [{channels}] for input "
                f"{list(input.shape)}, got {list(value.shape)}"
            )
    along = (1, channels) + (1,) * (input.ndim - 2)
    gain = None if weight is None else reshape(weight, along)
    shift = None if bias is None else reshape(bias, along)
    dim = (0, *range(2, input.ndim))
    count = math.prod(input.shape[d] for d in dim)
    if not training:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "batch_norm: expected running_mean and running_var when not training, got None"
            )
        out = (input - reshape(running_mean, along)) / sqrt(reshape(running_var, along) + eps)
        out = out if gain is None else out * gain
        return out if shift is None else out + shift
    if count <= 1:
        raise ValueError(
            "batch_norm: expected more than 1 value per channel when training, got input "
            f"size {list(input.shape)}"
        )
    if running_mean is not None and running_var is not None:
        _track(input, running_mean, running_var, dim, count, momentum)
    return standardize(input, gain, shift, dim, eps)


@no_grad()
def _track(input: Tensor, mean: Tensor, var: Tensor, dim: Any, count: int, momentum: float) -> None:
    batch_mean = total(input, dim, True) / count
    centred = input - batch_mean
    batch_var = total(centred * centred, dim, False) / (count - 1)
    copy_(mean, mean * (1 - momentum) + reshape(batch_mean, -1) * momentum)
    copy_(var, var * (1 - momentum) + batch_var * momentum)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """input / max(norm(input, p), eps) along `dim`."""
    return input / norm(input, p, dim, True).clamp(min=eps)
