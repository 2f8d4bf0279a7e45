"""Activation functions and dropout beyond those in ops/elementwise.py.

https://docs.pytorch.org/docs/stable/nn.functional.html#non-linear-activation-functions
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tensorgrad.fused import fused
from tensorgrad.ops.choice import maximum, where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.pointwise import abs, erf, exp, expm1, log1p, sigmoid, tanh
from tensorgrad.ops.sampling import rand

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.random import Generator

__all__ = [
    "dropout",
]


def leaky_relu(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """input where positive, negative_slope * input elsewhere."""
    return where(input > 0, input, input * negative_slope)


def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """input where positive, alpha * (exp(input) - 1) elsewhere."""
    return where(input > 0, input, alpha * expm1(where(input > 0, 0, input)))


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """input * Phi(input), Phi the normal distribution function; approximate="tanh" for the older
    formula.
    """
    if approximate == "none":
        return input * 0.5 * (1 + erf(input * math.sqrt(0.5)))
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (input + 0.044715 * (input * input * input))
        return 0.5 * input * (1 + tanh(inner))
    raise RuntimeError(f"gelu: expected approximate to be 'none' or 'tanh', got {approximate!r}")


def silu(input: Tensor) -> Tensor:
    """input * sigmoid(input)."""
    return input * sigmoid(input)


@fused(input=lambda g, input: g * sigmoid(input))
def _softplus(input: Tensor) -> Tensor:
    return maximum(input, 0) + log1p(exp(-abs(input)))


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * input)) / beta; the identity where beta * input > threshold."""
    return where(input * beta > threshold, input, _softplus(input * beta) / beta)


def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(input)), without overflow."""
    return -_softplus(-input)


def dropout(
    input: Tensor, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Tensor:
    """Zero each element with probability p and scale the others by 1 / (1 - p); the identity when
    not training.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: expected a probability in [0, 1], got {p}")
    if not training or p == 0:
        return input
    if p == 1:
        return input * 0
    drawn = rand(tuple(input.shape), generator=generator, device=input.device)
    kept = cast(drawn >= p, input.dtype)
    return input * (kept * (1 / (1 - p)))
