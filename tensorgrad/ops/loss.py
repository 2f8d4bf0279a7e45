"""Losses of numbers against numbers, element by element.

What is written of one element here is what `tensorgrad.formula` makes a text of. `reduction` is
"mean", "sum" or "none"; `size_average` and `reduce` are PyTorch's older words for it.
https://docs.pytorch.org/docs/stable/nn.functional.html#loss-functions
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import TensorCore
from tensorgrad.ops.activation import _softplus
from tensorgrad.ops.choice import clamp, where
from tensorgrad.ops.conversion import all_widened
from tensorgrad.ops.distance import floored
from tensorgrad.ops.expecting import expect_all
from tensorgrad.ops.over_elements import reduced_of, way
from tensorgrad.ops.pointwise import abs, exp, log
from tensorgrad.ops.reduction import some, sum
from tensorgrad.ops.shape import expand, unsqueeze
from tensorgrad.ops.special import xlogy

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "gaussian_nll_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "poisson_nll_loss",
    "smooth_l1_loss",
]


def _same_size(op: str, input: Tensor, target: Tensor) -> None:
    if tuple(input.shape) != tuple(target.shape):
        warnings.warn(
            f"{op}: expected a target of the input's size {list(input.shape)}, got "
            f"{list(target.shape)}; "
            "broadcasting is likely to give wrong results",
            stacklevel=4,
        )


def _check_weight(op: str, input: Tensor, weight: Tensor | None) -> None:
    if weight is not None and tuple(weight.shape) != tuple(input.shape):
        raise ShapeError(
            f"{op}: expected a weight of the input's size {list(input.shape)}, got "
            f"{list(weight.shape)}"
        )


def _times(loss: Any, weight: Any) -> Any:
    return loss if weight is None else loss * weight


def _weighted(
    op: str, function: Any, input: Tensor, target: Tensor, weight: Tensor | None, reduction: str
) -> Tensor:
    """The mean is by weight, where there are weights."""
    _same_size(op, input, target)
    _check_weight(op, input, weight)
    if weight is None or reduction != "mean":
        return reduced_of(reduction, function, input, target, weight)
    return reduced_of("sum", function, input, target, weight) / sum(weight)


def _square(input: Any, target: Any, weight: Any = None) -> Any:
    difference = input - target
    return _times(difference * difference, weight)


@all_widened
def mse_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """(input - target)^2, times weight (then the mean divides by the sum of the weights)."""
    dtypes.refuse("mse_loss", input.dtype, "complex")
    reduction = way("mse_loss", reduction, size_average, reduce)
    return _weighted("mse_loss", _square, input, target, weight, reduction)


def _distance(input: Any, target: Any, weight: Any = None) -> Any:
    return _times(abs(input - target), weight)


@all_widened
def l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """|input - target|, times weight (then the mean divides by the sum of the weights)."""
    reduction = way("l1_loss", reduction, size_average, reduce)
    return _weighted("l1_loss", _distance, input, target, weight, reduction)


def _smooth_distance(input: Any, target: Any, beta: float) -> Any:
    d = abs(input - target)
    small = where(d < beta, d, 0)  # the slope of an infinite square, not taken, would be nan
    return where(d < beta, small * small * (0.5 / beta), d - beta / 2)


@all_widened
def smooth_l1_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """d^2 / (2 beta) where d = |input - target| < beta, d - beta / 2 elsewhere."""
    dtypes.refuse("smooth_l1_loss", input.dtype, "complex")
    reduction = way("smooth_l1_loss", reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: expected beta >= 0, got {beta}")
    _same_size("smooth_l1_loss", input, target)
    if beta == 0:
        return reduced_of(reduction, _distance, input, target)
    return reduced_of(reduction, _smooth_distance, input, target, beta=beta)


def _bounded_distance(input: Any, target: Any, weight: Any = None, *, delta: float) -> Any:
    d = abs(input - target)
    small = where(d <= delta, d, 0)
    return _times(where(d <= delta, small * small * 0.5, (d - 0.5 * delta) * delta), weight)


@all_widened
def huber_loss(
    input: Tensor,
    target: Tensor,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """d^2 / 2 where d = |input - target| <= delta, delta (d - delta / 2) elsewhere; times
    weight.
    """
    dtypes.refuse("huber_loss", input.dtype, "complex")
    reduction = way("huber_loss", reduction, None, None)
    if delta <= 0:
        raise RuntimeError(f"huber_loss: expected delta > 0, got {delta}")
    _same_size("huber_loss", input, target)
    _check_weight("huber_loss", input, weight)
    return reduced_of(reduction, _bounded_distance, input, target, weight, delta=delta)


# ---- of probabilities


def _log_odds(g: Any, input: Any, target: Any) -> Any:
    spread = input * (1 - input)
    return g * (input - target) / where(spread < 1e-12, 1e-12, spread)


def _log_ratio(g: Any, input: Any) -> Any:
    return g * (clamp(log(1 - input), min=-100.0) - clamp(log(input), min=-100.0))


@fused(input=_log_odds, target=_log_ratio)
def surprise(input: Tensor, target: Tensor) -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)), with a finite gradient at 0 and 1."""
    certain = clamp(log(input), min=-100.0)
    return -(target * certain + (1 - target) * clamp(log(1 - input), min=-100.0))


def _weighted_surprise(input: Any, target: Any, weight: Any) -> Any:
    return surprise(input, target) * weight


def _target_of_size(op: str, input: Tensor, target: Tensor) -> None:
    if tuple(input.shape) != tuple(target.shape):
        raise ShapeError(
            f"{op}: expected a target of the input's size {list(input.shape)}, got "
            f"{list(target.shape)}"
        )


@all_widened
def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)), logarithms no lower than -100; input in
    [0, 1].
    """
    reduction = way("binary_cross_entropy", reduction, size_average, reduce)
    _target_of_size("binary_cross_entropy", input, target)
    dtypes.refuse("binary_cross_entropy", input.dtype, "bool integers complex")
    dtypes.refuse_mixed("binary_cross_entropy", input.dtype, target.dtype)
    expect_all(
        (input >= 0) & (input <= 1),
        "binary_cross_entropy: expected probabilities in [0, 1] as input, got others (all "
        "elements of input should be between 0 and 1)",
    )
    if weight is None:
        return reduced_of(reduction, surprise, input, target)
    weight = expand(weight, input.shape)
    return reduced_of(reduction, _weighted_surprise, input, target, weight)


def _logistic(input: Any, target: Any, weight: Any = None) -> Any:
    return _times((1 - target) * input + _softplus(-input), weight)


def _skewed_logistic(input: Any, target: Any, pos_weight: Any, weight: Any = None) -> Any:
    positive = (1 + (pos_weight - 1) * target) * _softplus(-input)
    return _times((1 - target) * input + positive, weight)


@all_widened
def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of sigmoid(input), without overflow; pos_weight scales the positive
    part.
    """
    reduction = way("binary_cross_entropy_with_logits", reduction, size_average, reduce)
    _target_of_size("binary_cross_entropy_with_logits", input, target)
    dtypes.refuse("binary_cross_entropy_with_logits", input.dtype, "bool integers complex")
    if pos_weight is None:
        return reduced_of(reduction, _logistic, input, target, weight)
    return reduced_of(reduction, _skewed_logistic, input, target, pos_weight, weight)


def _divergence(input: Any, target: Any) -> Any:
    return xlogy(target, target) - target * input


def _divergence_of_logs(input: Any, target: Any) -> Any:
    return exp(target) * (target - input)


@all_widened
def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """target (log target - input), with input a logarithm, and target one if log_target;
    "batchmean" divides the sum by the first size.
    """
    dtypes.refuse("kl_div", input.dtype, "bool integers")
    by_batch = reduction == "batchmean" and size_average is None and reduce is None
    reduction = way("kl_div", "sum" if by_batch else reduction, size_average, reduce)
    function = _divergence_of_logs if log_target else _divergence
    result = reduced_of(reduction, function, input, target)
    return result / input.shape[0] if by_batch and input.ndim else result


# ---- of counts and measurements


def _of_counts(input: Any, target: Any, log_input: bool, full: bool, eps: float) -> Any:
    loss = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        many = where(target > 1, target, 1)
        stirling = many * log(many) - many + log(many * (2 * math.pi)) * 0.5
        loss = loss + where(target > 1, stirling, 0)
    return loss


@all_widened
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """exp(input) - target * input, input being the logarithm of a rate; input - target *
    log(input + eps) if it is the rate. full adds Stirling's log(target!) for targets above 1.
    """
    reduction = way("poisson_nll_loss", reduction, size_average, reduce)
    flags: dict[str, Any] = {"log_input": bool(log_input), "full": bool(full)}
    return reduced_of(reduction, _of_counts, input, target, eps=eps, **flags)


def _variance(input: Tensor, var: Tensor | float) -> Tensor | float:
    """The variance in a shape that broadcasts, or a number."""
    if not isinstance(var, TensorCore):
        if var < 0:
            raise ValueError(f"gaussian_nll_loss: expected var >= 0, got {var}")
        return var
    if bool(some(var < 0, None, False)):
        raise ValueError("gaussian_nll_loss: expected var >= 0, got negative entries")
    sizes, own = tuple(input.shape), tuple(var.shape)
    if own == sizes:
        return var
    if own == sizes[:-1]:
        return unsqueeze(var, -1)
    different = [n for n, m in zip(own, sizes) if n != m]
    if len(own) == len(sizes) and different == [1]:
        return var
    raise ShapeError(
        f"gaussian_nll_loss: expected var of the input's size {list(sizes)}, or of 1 in one "
        f"dimension, got {list(own)}"
    )


def _of_measured(input: Any, target: Any, var: Any, eps: float, constant: float) -> Any:
    difference, spread = input - target, floored(var, eps)
    return (log(spread) + difference * difference / spread) * 0.5 + constant


def _of_alike(input: Any, target: Any, var: float, constant: float) -> Any:
    difference = input - target
    return (difference * difference / var + math.log(var)) * 0.5 + constant


@all_widened
def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool | int = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(log(v) + (input - target)^2 / v) / 2 with v = max(var, eps), whose gradient is that of var;
    full adds log(2 pi) / 2. Nix and Weigend 1994.
    """
    spread = _variance(input, var)
    reduction = way("gaussian_nll_loss", reduction, None, None)
    constant = 0.5 * math.log(2 * math.pi) if full else 0.0
    if isinstance(spread, TensorCore):
        return reduced_of(
            reduction, _of_measured, input, target, spread, eps=eps, constant=constant
        )
    known = max(spread, eps)
    return reduced_of(reduction, _of_alike, input, target, var=known, constant=constant)
