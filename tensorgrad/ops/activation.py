"""Smooth activation functions, and those along a dimension, under the names and arguments of
`torch.nn.functional`.

https://docs.pytorch.org/docs/stable/nn.functional.html#non-linear-activation-functions
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.inplace import inplace as inplace_of
from tensorgrad.op import TensorFunction
from tensorgrad.ops import softmaxes
from tensorgrad.ops.choice import clamp_to, where
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.cutting import narrow
from tensorgrad.ops.indexing import scatter_add_along
from tensorgrad.ops.pointwise import abs, exp, expm1, log, log1p, sigmoid, tanh
from tensorgrad.ops.reduction import index_of_largest
from tensorgrad.ops.sampling import rand
from tensorgrad.ops.shape import one_dim
from tensorgrad.ops.special import erf
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "celu",
    "celu_",
    "elu",
    "elu_",
    "gelu",
    "glu",
    "gumbel_softmax",
    "log_softmax",
    "logsigmoid",
    "mish",
    "selu",
    "selu_",
    "silu",
    "softmax",
    "softmin",
    "softplus",
    "softsign",
    "tanhshrink",
]


# ---- exponentials below zero


def _along_elu(g: Any, input: Any, alpha: float, scale: float, input_scale: float) -> Any:
    steepness = alpha * scale * input_scale
    curve = exp(where(input < 0, input, 0) * input_scale)
    return where(input < 0, g * curve * steepness, where(input == 0, g * steepness, g * scale))


@widened
@fused(name="elu", refuses="bool integers complex", input=_along_elu)
def _exponential(input: Tensor, alpha: float, scale: float, input_scale: float) -> Tensor:
    below = where(input > 0, 0, input) * input_scale
    return where(input > 0, input * scale, expm1(below) * (alpha * scale))


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input where positive, alpha * (exp(input) - 1) elsewhere."""
    return elu_(input, alpha) if inplace else _exponential(input, alpha, 1.0, 1.0)


elu_: TensorFunction = inplace_of(elu)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """input where positive, alpha * (exp(input / alpha) - 1) elsewhere. Barron 2017."""
    if alpha == 0:
        raise RuntimeError("celu: expected alpha other than 0, got 0")
    return celu_(input, alpha) if inplace else _exponential(input, alpha, 1.0, 1 / alpha)


celu_: TensorFunction = inplace_of(celu)

# The fixed point of mean 0 and variance 1: Klambauer et al. 2017, equation 14.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """scale * input where positive, scale * alpha * (exp(input) - 1) elsewhere, with the alpha and
    scale that keep mean 0 and variance 1. Klambauer et al. 2017.
    """
    return selu_(input) if inplace else _exponential(input, SELU_ALPHA, SELU_SCALE, 1.0)


selu_: TensorFunction = inplace_of(selu)


# ---- gates of the input by itself


def _normal_below(input: Any) -> Any:
    """The probability that a standard normal number is smaller."""
    return (erf(input * math.sqrt(0.5)) + 1) * 0.5


def _along_gelu(g: Any, input: Any) -> Any:
    density = exp(input * input * -0.5) * (1 / math.sqrt(2 * math.pi))
    return g * (_normal_below(input) + input * density)


@widened
@fused(name="gelu", refuses="bool integers complex", input=_along_gelu)
def _normal_gate(input: Tensor) -> Tensor:
    below: Tensor = _normal_below(input)
    return input * below


def _tanh_gate(input: Any) -> Any:
    return tanh((input + input * input * input * 0.044715) * math.sqrt(2 / math.pi))


def _along_gelu_tanh(g: Any, input: Any) -> Any:
    gate = _tanh_gate(input)
    slope = (input * input * (3 * 0.044715) + 1) * math.sqrt(2 / math.pi)
    return g * ((gate + 1) * 0.5 + input * (1 - gate * gate) * slope * 0.5)


@widened
@fused(name="gelu_tanh", refuses="bool integers complex", input=_along_gelu_tanh)
def _fast_normal_gate(input: Tensor) -> Tensor:
    gate: Tensor = _tanh_gate(input)
    return input * 0.5 * (gate + 1)


@takes_out
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """input * Phi(input), Phi the normal distribution function; approximate="tanh" for 0.5 * input
    * (1 + tanh(sqrt(2 / pi) * (input + 0.044715 * input^3))). Hendrycks and Gimpel 2016.
    """
    if approximate == "none":
        return _normal_gate(input)
    if approximate == "tanh":
        return _fast_normal_gate(input)
    raise RuntimeError(f"gelu: expected approximate to be 'none' or 'tanh', got {approximate!r}")


def _along_silu(g: Any, input: Any) -> Any:
    gate: Any = sigmoid(input)
    return g * gate * (input * (1 - gate) + 1)


@widened
@fused(name="silu", refuses="bool integers", input=_along_silu)
def _sigmoid_gate(input: Tensor) -> Tensor:
    return input * sigmoid(input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """input * sigmoid(input)."""
    return silu_(input) if inplace else _sigmoid_gate(input)


silu_: TensorFunction = inplace_of(silu)


def _along_mish(g: Any, input: Any) -> Any:
    gate: Any = tanh(_softplus(input))
    return g * (gate + input * sigmoid(input) * (1 - gate * gate))


@widened
@fused(name="mish", refuses="bool integers complex", input=_along_mish)
def _softplus_gate(input: Tensor) -> Tensor:
    return input * tanh(_softplus(input))


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """input * tanh(log(1 + exp(input))). Misra 2019."""
    return mish_(input) if inplace else _softplus_gate(input)


mish_: TensorFunction = inplace_of(mish)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a * sigmoid(b), a and b the halves of input along `dim`. Dauphin et al. 2017."""
    dtypes.refuse("glu", input.dtype, "bool integers complex")
    if not input.ndim:
        raise ShapeError("glu: expected at least 1 dimension, got a tensor without")
    size = input.shape[one_dim("glu", dim, input.ndim)]
    if size % 2:
        raise ShapeError(f"glu: expected an even size along dimension {dim}, got {size}")
    half = size // 2
    return narrow(input, dim, 0, half) * sigmoid(narrow(input, dim, half, half))


# ---- softplus and its kin


@fused(refuses="bool integers complex", input=lambda g, input: g * sigmoid(input))
def _softplus(input: Tensor) -> Tensor:
    return clamp_to(input, 0, None) + log1p(exp(-abs(input)))


def _along_softplus(g: Any, input: Any, beta: float, threshold: float) -> Any:
    scaled = input * beta
    return where(scaled > threshold, g, g * sigmoid(scaled))


@widened
@fused(name="softplus", refuses="bool integers complex", input=_along_softplus)
def _straightened(input: Tensor, beta: float, threshold: float) -> Tensor:
    scaled = input * beta
    return where(scaled > threshold, input, _softplus(scaled) / beta)


@takes_out
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta * input)) / beta; the identity where beta * input > threshold."""
    return _straightened(input, beta, threshold)


@widened
@fused(
    name="logsigmoid", refuses="bool integers complex", input=lambda g, input: g * sigmoid(-input)
)
def _log_of_sigmoid(input: Tensor) -> Tensor:
    return -_softplus(-input)


@takes_out
def logsigmoid(input: Tensor) -> Tensor:
    """log(sigmoid(input)), without overflow."""
    return _log_of_sigmoid(input)


def softsign(input: Tensor) -> Tensor:
    """input / (1 + |input|)."""
    return input / (abs(input) + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """input - tanh(input)."""
    return input - tanh(input)


# ---- along a dimension


def _implicit_dim(op: str, rank: int) -> int:
    warnings.warn(f"{op}: expected dim, got None; 0 or 1 is chosen by the rank", stacklevel=3)
    return 0 if rank in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """exp(input) / sum(exp(input)) along `dim`; `dtype` converts first."""
    dim = _implicit_dim("softmax", input.ndim) if dim is None else dim
    return softmaxes.softmax(input if dtype is None else cast(input, dtype), dim)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """softmax(-input)."""
    dim = _implicit_dim("softmin", input.ndim) if dim is None else dim
    return softmax(-input, dim, dtype=dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """input - log(sum(exp(input))) along `dim`; `dtype` converts first."""
    dim = _implicit_dim("log_softmax", input.ndim) if dim is None else dim
    return softmaxes.log_softmax(input if dtype is None else cast(input, dtype), dim)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """softmax((logits + Gumbel noise) / tau) along `dim`: a draw from the classes, made soft.

    hard: the values are 0 and 1, the gradient still the soft one's. eps has no effect, as in
    PyTorch. Jang et al. 2016; Maddison et al. 2016.
    """
    drawn = rand(tuple(logits.shape), device=logits.device)
    noise = cast(-log(-log1p(-drawn)), logits.dtype)  # 1 - drawn: never 0, as drawn never is 1
    soft = softmaxes.softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    chosen = index_of_largest(soft, dim, True)
    return _one_at(soft, chosen, dim) - soft.detach() + soft


def _one_at(like: Tensor, index: Tensor, dim: int) -> Tensor:
    """Zeros with a one at each index along `dim`."""
    zeros = like.detach() * 0
    return scatter_add_along(zeros, index, cast(index >= 0, like.dtype), dim)
