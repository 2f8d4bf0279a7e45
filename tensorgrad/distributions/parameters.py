"""What parameters of distributions have in common: one shape, probabilities or their logits, and
values that are made when they are first asked for.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.graph import TensorCore
from tensorgrad.modes import enable_grad
from tensorgrad.ops.creation import full
from tensorgrad.ops.joining import broadcast_tensors
from tensorgrad.ops.softmaxes import logsumexp, softmax

if TYPE_CHECKING:
    from collections.abc import Callable

    from tensorgrad._tensor import Tensor

EULER = 0.57721566490153286060  # the constant of Euler and Mascheroni


class lazy_property:
    """An attribute that a method makes at the first look, recorded even where nothing else is."""

    def __init__(self, make: Callable[[Any], Tensor]) -> None:
        self.make = make
        functools.update_wrapper(self, make)  # type: ignore[arg-type]

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():
            value = self.make(instance)
        instance.__dict__[self.make.__name__] = value
        return value


def broadcast_all(name: str, *values: Any) -> tuple[Any, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the tensors' dtype and device."""
    first: Any = next((value for value in values if isinstance(value, TensorCore)), None)
    tensors = []
    for value in values:
        if not isinstance(value, TensorCore):
            if not isinstance(value, int | float):
                kind = type(value).__name__
                raise ValueError(f"{name}: expected numbers or tensors, got {kind}")
            place: dict[str, Any] = (
                {} if first is None else {"dtype": first.dtype, "device": first.device}
            )
            if first is None or not dtypes.is_floating_point(first.dtype):
                place["dtype"] = dtypes.get_default_dtype()
            value = full((), float(value), **place)
        tensors.append(value)
    return broadcast_tensors(*tensors)


def sum_rightmost(value: Any, count: int) -> Any:
    """The sum over the last `count` dimensions."""
    return value.sum(tuple(range(-count, 0))) if count else value


def one_of(name: str, probs: Any, logits: Any) -> None:
    if (probs is None) == (logits is None):
        given = "both" if probs is not None else "neither"
        raise ValueError(f"{name}: expected either probs or logits, got {given}")


def clamp_probs(probs: Any) -> Any:
    """Probabilities kept away from 0 and 1, so that their logarithms are finite."""
    least = float(dtypes.finfo(probs.dtype).eps)
    return probs.clamp(least, 1 - least)


def probs_to_logits(probs: Any, is_binary: bool = False) -> Any:
    """log(p / (1 - p)) of a binary probability, else log(p); of probabilities kept off the ends."""
    kept = clamp_probs(probs)
    return kept.log() - (-kept).log1p() if is_binary else kept.log()


def logits_to_probs(logits: Any, is_binary: bool = False) -> Any:
    return logits.sigmoid() if is_binary else softmax(logits, -1)


def normalized(logits: Any) -> Any:
    return logits - logsumexp(logits, -1, keepdim=True)
