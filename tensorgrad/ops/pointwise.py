"""Functions of one number, applied to every element. Gradients at the awkward points are PyTorch's.

Names and
arguments: https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from tensorgrad import dtypes
from tensorgrad.fused import fused
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import maximum, where
from tensorgrad.ops.shape import clone_of

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "abs",
    "ceil",
    "cos",
    "erf",
    "exp",
    "expm1",
    "floor",
    "log",
    "log1p",
    "relu",
    "round",
    "sigmoid",
    "sign",
    "sin",
    "sqrt",
    "tanh",
    "trunc",
]

_float = partial(primitive, kind="float")
_number = partial(primitive, kind="number")
abs = _number(
    "abs", "input", "", "|input|; gradient 0 at 0.", input=lambda g, input: g * sign(input)
)
sign: TensorFunction = _number("sign", "input", "", "-1, 0 or 1.", input=lambda g: g * 0)
exp: TensorFunction = _float("exp", "input", "", "e ** input.", input=lambda g, y: g * y)
expm1 = _float(
    "expm1", "input", "", "e ** input - 1, exact near 0.", input=lambda g, y: g * (y + 1)
)
log = _float("log", "input", "", "Natural logarithm.", input=lambda g, input: g / input)
log1p = _float(
    "log1p", "input", "", "log(1 + input), exact near 0.", input=lambda g, input: g / (input + 1)
)
sqrt = _float("sqrt", "input", "", "Square root.", input=lambda g, y: g / (2 * y))
sin = _float("sin", "input", "", "Sine of radians.", input=lambda g, input: g * cos(input))
cos: TensorFunction = _float(
    "cos", "input", "", "Cosine of radians.", input=lambda g, input: -g * sin(input)
)
tanh = _float("tanh", "input", "", "Hyperbolic tangent.", input=lambda g, y: g * (1 - y * y))
erf = _float(
    "erf",
    "input",
    "",
    "2 / sqrt(pi) * integral of exp(-t^2) from 0 to input.",
    input=lambda g, input: g * (2 / math.sqrt(math.pi)) * exp(-(input * input)),
)
floor: TensorFunction = _number(
    "floor", "input", "", "Largest integer <= input.", input=lambda g: g * 0
)
ceil = _number("ceil", "input", "", "Smallest integer >= input.", input=lambda g: g * 0)
nearest = _number("round", "input", "", "Nearest integer, ties to even.", input=lambda g: g * 0)
trunc: TensorFunction = _number("trunc", "input", "", "Integer part.", input=lambda g: g * 0)


def round(input: Tensor) -> Tensor:
    """Nearest integer, ties to even; integers as they are."""
    return nearest(input) if dtypes.is_differentiable(input.dtype) else clone_of(input)


@fused(input=lambda g, y: where(y <= 0, 0, g))
def relu(input: Tensor) -> Tensor:
    """max(input, 0); gradient 0 at 0."""
    return maximum(input, 0)


@fused(input=lambda g, y: g * (y * (1 - y)))
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input)), without overflow on either side."""
    small = exp(abs(input) * -1.0)  # a product, for bools have no negative
    return where(input >= 0, 1.0, small) / (1 + small)
