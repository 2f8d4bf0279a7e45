"""Softmax, its logarithm, and the logarithm of a sum of exponentials, without overflow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad.fused import fused
from tensorgrad.ops.arithmetic import minus
from tensorgrad.ops.choice import where
from tensorgrad.ops.logic import isfinite
from tensorgrad.ops.pointwise import exp, log
from tensorgrad.ops.reduction import largest, restore, total

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "log_softmax",
    "logsumexp",
    "softmax",
]


def _finite_largest(input: Any, dim: Any) -> Any:
    """The largest along `dim`, or 0 where that is infinite: what may be subtracted before exp."""
    top = largest(input, dim, True)
    return where(isfinite(top), top, 0)


def _softmax_of_input(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    level = restore(y, input.shape, dim, keepdim)
    safe = where(level == -math.inf, 0, level)  # nothing but -inf there: gradient 0
    return restore(g, input.shape, dim, keepdim) * exp(input - safe)


@fused(input=_softmax_of_input)
def logsumexp(input: Tensor, dim: int | tuple[int, ...], keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) over `dim`, without overflow."""
    if 0 in input.shape:
        return log(total(exp(input), dim, keepdim))
    top = _finite_largest(input, dim)
    summed = log(total(exp(input - top), dim, True)) + top
    return summed if keepdim else total(summed, dim, False)


def _through_softmax(g: Any, y: Any, dim: int) -> Any:
    return y * (g - total(g * y, dim, True))


@fused(input=_through_softmax)
def softmax(input: Tensor, dim: int) -> Tensor:
    """exp(input) / sum(exp(input)) along `dim`, without overflow."""
    if 0 in input.shape:
        return exp(input)
    e = exp(minus(input, largest(input, dim, True)))
    return e / total(e, dim, True)


def _through_log_softmax(g: Any, y: Any, dim: int) -> Any:
    probabilities: Any = exp(y)
    return g - probabilities * total(g, dim, True)


@fused(input=_through_log_softmax)
def log_softmax(input: Tensor, dim: int) -> Tensor:
    """input - log(sum(exp(input))) along `dim`, without overflow."""
    if 0 in input.shape:
        return exp(input)
    centred = minus(input, largest(input, dim, True))
    return centred - log(total(exp(centred), dim, True))
