"""Arithmetic of two numbers; the binary primitives also serve the operators.

Shapes broadcast, dtypes meet by PyTorch's promotion table. Names and
arguments: https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.graph import unwrap
from tensorgrad.op import Number, TensorFunction, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.pointwise import floor, log, sqrt, trunc

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "add",
    "atan2",
    "div",
    "floor_divide",
    "fmod",
    "mul",
    "neg",
    "pow",
    "reciprocal",
    "remainder",
    "rsqrt",
    "rsub",
    "square",
    "sub",
    "true_divide",
]

_float = partial(primitive, kind="float")
_number = partial(primitive, kind="number")

# ---- primitives

plus: TensorFunction = _number(
    "add", "input other", "", "input + other.", input=lambda g: g, other=lambda g: g
)
minus: TensorFunction = primitive(
    "sub",
    "input other",
    "",
    "input - other.",
    kind="signed",
    input=lambda g: g,
    other=lambda g: -g,
)
mul: TensorFunction = _number(
    "mul",
    "input other",
    "",
    "input * other.",
    input=lambda g, other: g * other,
    other=lambda g, input: g * input,
)
true_divide = _float(
    "div",
    "input other",
    "",
    "input / other; integers give floats.",
    input=lambda g, other: g / other,
    other=lambda g, input, other: -g * input / (other * other),
)
floor_divide = _number("floor_divide", "input other", "", "floor(input / other).")
remainder = _number(
    "remainder",
    "input other",
    "",
    "input - other * floor(input / other): the sign is that of `other`.",
    input=lambda g: g,
    other=lambda g, input, other: -g * floor(input / other),
)
fmod = _number(
    "fmod",
    "input other",
    "",
    "input - other * trunc(input / other): the sign is that of `input`.",
    input=lambda g: g,
    other=lambda g, input, other: -g * trunc(input / other),
)
neg = _number("neg", "input", "", "-input.", input=lambda g: -g)


def _pow_input(g: Any, input: Any, exponent: Any) -> Any:
    slope = exponent * input ** (exponent - 1)
    if isinstance(exponent, Number):
        return g * slope if exponent != 0 else g * 0
    return g * where(exponent == 0, 0.0, slope)  # 0 ** -1 times 0 would be NaN


def _pow_exponent(g: Any, y: Any, input: Any, exponent: Any) -> Any:
    # d/de 0**e is 0 for e >= 0, though log(0) is not finite
    if not isinstance(input, Number):
        return g * where((input == 0) & (exponent >= 0), 0.0, y * log(input))
    if input == 0:
        return g * where(exponent >= 0, 0.0, y * -math.inf)
    return g * (y * (math.log(input) if input > 0 else math.nan))


pow = _number(
    "pow",
    "input exponent",
    "",
    "input ** exponent.",
    input=_pow_input,
    exponent=_pow_exponent,
)


def _square_distance(input: Any, other: Any) -> Any:
    square = input * input + other * other
    return where(square == 0, 1, square)  # so that the gradient at the origin is 0


atan2 = _float(
    "atan2",
    "input other",
    "",
    "Angle of the point (other, input), in radians; gradient 0 at the origin.",
    input=lambda g, input, other: g * other / _square_distance(input, other),
    other=lambda g, input, other: -g * input / _square_distance(input, other),
)

# ---- by their names and reflected


def add(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """input + alpha * other."""
    return plus(input, other if alpha == 1 else mul(other, alpha))


def sub(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """input - alpha * other. Boolean tensors are refused, as in PyTorch."""
    return minus(input, other if alpha == 1 else mul(other, alpha))


def rsub(input: Tensor, other: Tensor | Number) -> Tensor:
    """other - input."""
    return minus(other, input)


def div(input: Tensor, other: Tensor | Number, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; rounding_mode "trunc" or "floor" rounds the quotient and keeps
    integer dtypes.
    """
    if rounding_mode is None:
        return true_divide(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode == "trunc":
        quotient = trunc(true_divide(input, other))
        dtype = dtypes.result_type(unwrap(input), unwrap(other))
        return quotient if quotient.dtype == dtype else cast(quotient, dtype)
    raise RuntimeError(
        f"div: expected rounding_mode to be None, 'trunc' or 'floor', got {rounding_mode!r}"
    )


def rdiv(input: Tensor, other: Tensor | Number) -> Tensor:
    """other / input."""
    return true_divide(other, input)


def rfloordiv(input: Tensor, other: Tensor | Number) -> Tensor:
    """other // input."""
    return floor_divide(other, input)


def rmod(input: Tensor, other: Tensor | Number) -> Tensor:
    """other % input."""
    return remainder(other, input)


def rpow(input: Tensor, other: Tensor | Number) -> Tensor:
    """other ** input."""
    return pow(other, input)


def square(input: Tensor) -> Tensor:
    """input ** 2."""
    return mul(input, input)


def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(input)."""
    return 1 / sqrt(input)


def reciprocal(input: Tensor) -> Tensor:
    """1 / input."""
    return true_divide(1, input)
