"""Numbers that are drawn by rejection: gamma numbers with a gradient for their shape, counts.

How they are drawn is the backends' matter (backends/rejection_primitives.py).
https://docs.pytorch.org/docs/stable/torch.html#random-sampling
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.backend import backend_for
from tensorgrad.errors import DTypeError, GraphError
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import finish
from tensorgrad.ops.joining import broadcast_tensors
from tensorgrad.ops.sampling import stream

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.random import Generator

__all__ = ["binomial", "poisson"]

WORDS = 4  # of the stream, that an element owns: one block

_float = partial(primitive, kind="float")


def _refuse(g: Any) -> Any:
    raise GraphError("log_gamma: expected one derivative of a gamma number at most, got a second")


log_gamma_slope: TensorFunction = _float(
    "log_gamma_slope",
    "input sample",
    "",
    "d sample / d input along a fixed quantile, where sample is the logarithm of a gamma number of "
    "shape input.",
    input=_refuse,
    sample=_refuse,
)
standard_log_gamma = _float(
    "standard_log_gamma",
    "input",
    "key, offset",
    "Logarithms of gamma numbers of shape input and rate 1, from the blocks of the stream `key` "
    "that begin at `offset`. The gradient is that of implicit reparameterization.",
    input=lambda g, input, y: g * log_gamma_slope(input, y),
)


def log_gamma(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Logarithms (float64) of gamma numbers of shape `input` and rate 1."""
    wide = cast(input, dtypes.float64)
    return standard_log_gamma(wide, *stream(generator).draw(WORDS * wide.numel()))


def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Counts of mean `input`, in its dtype."""
    if not dtypes.is_floating_point(input.dtype):
        raise DTypeError(f"poisson: expected a floating point tensor, got {input.dtype}")
    if not bool((input.isfinite() & (input >= 0)).all()):
        raise RuntimeError("poisson: expected finite means >= 0, got others")
    backend, _ = backend_for(input.device)
    key, offset = stream(generator).draw(WORDS * input.numel())
    return finish(backend.poisson(input._array, key, offset), False)


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of `count` trials succeed with probability `prob`, in the dtype of `count`."""
    if not dtypes.is_floating_point(count.dtype) or prob.dtype != count.dtype:
        raise DTypeError(
            "binomial: expected tensors of one floating point dtype, got "
            f"{count.dtype} and {prob.dtype}"
        )
    count, prob = broadcast_tensors(count, prob)
    if not bool((count.isfinite() & (count >= 0)).all()):
        raise RuntimeError("binomial: expected finite counts >= 0, got others")
    if not bool(((prob >= 0) & (prob <= 1)).all()):
        raise RuntimeError("binomial: expected probabilities in [0, 1], got others")
    backend, _ = backend_for(count.device)
    key, offset = stream(generator).draw(WORDS * count.numel())
    return finish(backend.binomial(count._array, prob._array, key, offset), False)
