"""Normalisation over a batch or over features.

https://docs.pytorch.org/docs/stable/nn.functional.html#normalization-functions
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.modes import no_grad
from tensorgrad.ops.arithmetic import div, pow
from tensorgrad.ops.choice import clamp
from tensorgrad.ops.conversion import widened
from tensorgrad.ops.cutting import narrow
from tensorgrad.ops.indexing import copy_
from tensorgrad.ops.norms import p_norm, unit_vectors
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shape import one_dim, pad_constant, reshape
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
]


@fused(outputs=3)
def standardize(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, dim: tuple[int, ...], eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """((input - mean) / sqrt(var + eps) * weight + bias, mean, var): mean and (biased) variance
    over `dim`, which they keep with size 1.
    """
    count = math.prod(input.shape[d] for d in dim)
    mean = total(input, dim, True) / count
    centred = input - mean
    variance = total(centred * centred, dim, True) / count
    out = centred / sqrt(variance + eps)
    out = out if weight is None else out * weight
    return out if bias is None else out + bias, mean, variance


@fused()
def scale_by_root_mean_square(
    input: Tensor, weight: Tensor | None, dim: tuple[int, ...], eps: float
) -> Tensor:
    """input / sqrt(mean(input^2) + eps) * weight, the mean over `dim`."""
    count = math.prod(input.shape[d] for d in dim)
    out = input * (1 / sqrt(total(input * input, dim, True) / count + eps))
    return out if weight is None else out * weight


@fused()
def shift_and_scale(input: Tensor, mean: Tensor, gain: Tensor, bias: Tensor | None) -> Tensor:
    """(input - mean) * gain + bias."""
    out = (input - mean) * gain
    return out if bias is None else out + bias


def _features(op: str, input: Tensor, normalized_shape: Sequence[int], **affine: Any) -> Any:
    """The dimensions that `normalized_shape` stands for: the last ones."""
    dtypes.refuse(op, input.dtype, "bool integers complex")
    shape = tuple(normalized_shape)
    if not shape or tuple(input.shape[-len(shape) :]) != shape:
        raise ShapeError(
            f"{op}: expected input of shape (*, {', '.join(map(str, shape))}), got "
            f"{list(input.shape)}"
        )
    for name, value in affine.items():
        if value is not None and tuple(value.shape) != shape:
            raise ShapeError(
                f"{op}: expected {name} of shape {list(shape)}, got {list(value.shape)}"
            )
        _check_dtype(op, input, name, value)
    return tuple(range(-len(shape), 0))


def _check_dtype(op: str, input: Any, name: str, value: Any) -> None:
    """Weights are of the input's dtype; 16-bit floats, computed in float32, may meet float32."""
    if value is None or value.dtype == input.dtype:
        return
    if not dtypes.is_floating_point(value.dtype) or 2 not in (
        value.dtype.itemsize,
        input.dtype.itemsize,
    ):
        raise DTypeError(f"{op}: expected {name} of dtype {input.dtype}, got {value.dtype}")


@widened
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each sample standardised over its last dimensions, which are `normalized_shape`; then *
    weight + bias. Ba et al. 2016.
    """
    dim = _features("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    return standardize(input, weight, bias, dim, eps)[0]


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """input / sqrt(mean(input^2) + eps) * weight, the mean over the last dimensions, which are
    `normalized_shape`; eps is the dtype's own unless told. Zhang and Sennrich 2019.
    """
    dtypes.refuse("rms_norm", input.dtype, "bool integers")
    dim = _features("rms_norm", input, normalized_shape, weight=weight)
    eps = dtypes.finfo(input.dtype).eps if eps is None else eps
    return widened(scale_by_root_mean_square)(input, weight, dim, eps)


# ---- over the places of a channel


def _check_channels(op: str, input: Tensor, **of_channels: Tensor | None) -> None:
    if input.ndim < 2:
        raise ShapeError(
            f"{op}: expected at least 2 dimensions (N, C, ...), got shape {list(input.shape)}"
        )
    dtypes.refuse(op, input.dtype, "bool integers complex")
    for name, value in of_channels.items():
        if value is not None and tuple(value.shape) != (input.shape[1],):
            raise ShapeError(
                f"{op}: expected {name} of shape [{input.shape[1]}] for input "
                f"{list(input.shape)}, got {list(value.shape)}"
            )
    for name in ("weight", "bias"):
        _check_dtype(op, input, name, of_channels[name])


def _refuse_one(op: str, input: Tensor, count: int) -> None:
    """One number's variance is 0 and says nothing."""
    if count == 1:
        raise ValueError(
            f"{op}: expected more than 1 value per channel when training, got input size "
            f"{list(input.shape)}"
        )


def _of_channels(value: Any, rank: int) -> Any:
    """One number a channel in a shape that broadcasts."""
    return None if value is None else reshape(value, (1, -1) + (1,) * (rank - 2))


def _by_running(
    op: str,
    input: Tensor,
    mean: Tensor | None,
    var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> Tensor:
    if mean is None or var is None:
        raise RuntimeError(
            f"{op}: expected running_mean and running_var where the input's own statistics are not "
            "used, got None"
        )
    rank = input.ndim
    spread = 1 / sqrt(_of_channels(var, rank).detach() + eps)
    gain = spread if weight is None else _of_channels(weight, rank) * spread
    return shift_and_scale(input, _of_channels(mean, rank).detach(), gain, _of_channels(bias, rank))


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
    training; then * weight + bias. Ioffe and Szegedy 2015.

    Training moves the running mean and (unbiased) variance by `momentum` towards the batch's.
    """
    if not input.numel():
        scaled = input * 1 if weight is None else input * weight.sum()
        return scaled if bias is None else scaled + bias.sum()
    dim = (0, *range(2, input.ndim))
    if training and eps <= 0:
        raise ValueError(f"batch_norm: expected eps > 0 in training, got {eps}")
    if training and input.ndim > 1:
        _refuse_one("batch_norm", input, math.prod(input.shape[d] for d in dim))
    _check_channels(
        "batch_norm",
        input,
        running_mean=running_mean,
        running_var=running_var,
        weight=weight,
        bias=bias,
    )
    if not training:
        return _by_running("batch_norm", input, running_mean, running_var, weight, bias, eps)
    return _by_own(input, running_mean, running_var, weight, bias, dim, momentum, eps)


def _by_own(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    dim: tuple[int, ...],
    momentum: float,
    eps: float,
) -> Tensor:
    """Standardised by the statistics over `dim`, towards which the running ones move."""
    rank = input.ndim
    affine = _of_channels(weight, rank), _of_channels(bias, rank)
    out, mean, var = standardize(input, *affine, dim, eps)
    count = math.prod(input.shape[d] for d in dim)
    if running_mean is not None:
        _move(running_mean, mean, momentum)
    if running_var is not None:
        _move(running_var, var * (count / (count - 1)), momentum)
    return out


@no_grad()
def _move(running: Tensor, own: Tensor, momentum: float) -> None:
    """A step of `momentum` towards a statistic, averaged over what is not a channel."""
    by_channel = total(own, 0, False) / own.shape[0]
    copy_(running, running * (1 - momentum) + reshape(by_channel, -1) * momentum)


@widened
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Each channel of each sample standardised by itself, or by the running statistics if not
    use_input_stats; then * weight + bias. Ulyanov et al. 2016.

    The running statistics move by `momentum` towards the mean over the samples.
    """
    _check_channels(
        "instance_norm",
        input,
        running_mean=running_mean,
        running_var=running_var,
        weight=weight,
        bias=bias,
    )
    if not use_input_stats:
        return _by_running("instance_norm", input, running_mean, running_var, weight, bias, eps)
    dim = tuple(range(2, input.ndim))
    _refuse_one("instance_norm", input, math.prod(input.shape[2:]))
    return _by_own(input, running_mean, running_var, weight, bias, dim, momentum, eps)


@widened
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Each sample standardised within groups of neighbouring channels; then * weight + bias, one
    number a channel. Wu and He 2018.
    """
    _check_channels("group_norm", input, weight=weight, bias=bias)
    samples, channels = input.shape[:2]
    if num_groups <= 0 or channels % num_groups:
        raise ShapeError(
            f"group_norm: expected a number of groups that divides {channels} channels, got "
            f"{num_groups}"
        )
    _refuse_one("group_norm", input, samples * channels // num_groups * math.prod(input.shape[2:]))
    split = 1, num_groups, channels // num_groups, 1
    groups = reshape(input, (samples, *split[1:3], math.prod(input.shape[2:])))
    weight = None if weight is None else reshape(weight, split)
    bias = None if bias is None else reshape(bias, split)
    return reshape(standardize(groups, weight, bias, (2, 3), eps)[0], input.shape)


@widened
def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """input / (k + alpha * s)^beta, s the mean of the squares of the `size` channels around each.
    Krizhevsky et al. 2012.
    """
    if input.ndim < 3:
        raise ShapeError(
            f"local_response_norm: expected at least 3 dimensions, got shape {list(input.shape)}"
        )
    if not input.numel():
        return input
    around = ((0, 0), (size // 2, (size - 1) // 2)) + ((0, 0),) * (input.ndim - 2)
    squares = pad_constant(input * input, around, 0)
    channels = input.shape[1]
    summed = narrow(squares, 1, 0, channels)
    for place in range(1, size):
        summed = summed + narrow(squares, 1, place, channels)
    whole = None if dtypes.is_differentiable(input.dtype) else "trunc"
    return input / pow(div(summed, size, rounding_mode=whole) * alpha + k, beta)


@takes_out
@widened
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """input / max(norm(input, p), eps) along `dim`."""
    if p == 2 and isinstance(dim, int) and input.ndim and dtypes.is_floating_point(input.dtype):
        return unit_vectors(input, one_dim("norm", dim, input.ndim), eps)
    return input / clamp(p_norm(input, p, dim, True), min=eps)
