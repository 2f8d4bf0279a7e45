"""Activation functions, under the names and arguments of `torch.nn.functional`.

https://docs.pytorch.org/docs/stable/nn.functional.html#non-linear-activation-functions
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from tensorgrad.fused import fused
from tensorgrad.inplace import inplace as inplace_of
from tensorgrad.ops import pointwise, softmaxes
from tensorgrad.ops.choice import maximum, where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.pointwise import abs, erf, exp, expm1, log1p, sigmoid, tanh

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "elu",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "relu",
    "silu",
    "softmax",
    "softmin",
    "softplus",
]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0)."""
    return input.relu_() if inplace else pointwise.relu(input)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where positive, negative_slope * input elsewhere."""
    if inplace:
        return leaky_relu_(input, negative_slope)  # type: ignore[no-any-return]
    return where(input > 0, input, input * negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input where positive, alpha * (exp(input) - 1) elsewhere."""
    if inplace:
        return elu_(input, alpha)  # type: ignore[no-any-return]
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


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """input * sigmoid(input)."""
    if inplace:
        return silu_(input)  # type: ignore[no-any-return]
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


leaky_relu_ = inplace_of(leaky_relu)
elu_ = inplace_of(elu)
silu_ = inplace_of(silu)


# ---- along a dimension


def _implicit_dim(op: str, rank: int) -> int:
    warnings.warn(f"{op}: expected dim, got None; 0 or 1 is chosen by the rank", stacklevel=3)
    return 0 if rank in (0, 1, 3) else 1


def softmax(input: Tensor, dim: int | None = None, *, dtype: DType | None = None) -> Tensor:
    """exp(input) / sum(exp(input)) along `dim`; `dtype` converts first."""
    dim = _implicit_dim("softmax", input.ndim) if dim is None else dim
    return softmaxes.softmax(input if dtype is None else cast(input, dtype), dim)


def softmin(input: Tensor, dim: int | None = None, *, dtype: DType | None = None) -> Tensor:
    """softmax(-input)."""
    dim = _implicit_dim("softmin", input.ndim) if dim is None else dim
    return softmax(-input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int | None = None, *, dtype: DType | None = None) -> Tensor:
    """input - log(sum(exp(input))) along `dim`; `dtype` converts first."""
    dim = _implicit_dim("log_softmax", input.ndim) if dim is None else dim
    return softmaxes.log_softmax(input if dtype is None else cast(input, dtype), dim)
