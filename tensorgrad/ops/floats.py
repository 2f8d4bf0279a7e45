"""Floats by their parts (sign, exponent, neighbour), and sums taken in logarithms and squares."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError
from tensorgrad.graph import unwrap
from tensorgrad.op import Number, TensorFunction, primitive
from tensorgrad.ops.arithmetic import mul, pow
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.pointwise import LOG_2, exp2, level, sigmoid
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "copysign",
    "frexp",
    "hypot",
    "ldexp",
    "logaddexp",
    "logaddexp2",
    "nextafter",
]

_float = partial(primitive, kind="float", only_tensors="input other")

hypot = _float(
    "hypot",
    "input other",
    "",
    "sqrt(input^2 + other^2), without overflow on the way.",
    input=lambda g, input, y: g * (input / y),
    other=lambda g, other, y: g * (other / y),
)
logaddexp = _float(
    "logaddexp",
    "input other",
    "",
    "log(exp(input) + exp(other)), without overflow on the way.",
    input=lambda g, input, other: g * sigmoid(input - other),
    other=lambda g, input, other: g * sigmoid(other - input),
)
logaddexp2 = _float(
    "logaddexp2",
    "input other",
    "",
    "log2(2^input + 2^other), without overflow on the way.",
    input=lambda g, input, other: g * sigmoid((input - other) * LOG_2),
    other=lambda g, input, other: g * sigmoid((other - input) * LOG_2),
)
nextafter = _float(
    "nextafter",
    "input other",
    "",
    "The next number after input in the direction of other.",
    input=lambda g, input, other: where(input == other, 0, g),
    other=level,
)


def _copysign_input(g: Any, input: Any, y: Any) -> Any:
    nowhere = input == 0
    return where(nowhere, 0, g * (y / where(nowhere, 1, input)))


copysign = primitive(
    "copysign",
    "input other",
    "",
    "|input| with the sign of other; gradient 0 at 0.",
    kind="float",
    only_tensors="input",
    input=_copysign_input,
    other=level,
)


@takes_out
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2^other."""
    if isinstance(input, Number) or isinstance(other, Number):
        raise TypeError("ldexp: expected two tensors, got a number")
    dtype = dtypes.result_type(unwrap(input), unwrap(other))
    product = mul(input, pow(2.0, other))
    wider = dtypes.is_differentiable(dtype) and product.dtype != dtype
    return cast(product, dtype) if wider else product


class MantissaExponent(NamedTuple):
    """What frexp returns."""

    mantissa: Tensor
    exponent: Tensor


exponent_of: TensorFunction = primitive("exponent", "input", "", "The exponent of frexp, int32.")


def _mantissa_input(g: Any, input: Any) -> Any:
    exponent: Any = exponent_of(input)
    return g * exp2(exponent * -1.0)


mantissa_of = primitive("mantissa", "input", "", "The mantissa of frexp.", input=_mantissa_input)


@takes_out
def frexp(input: Tensor) -> MantissaExponent:
    """mantissa, exponent: input = mantissa * 2^exponent, with 0.5 <= |mantissa| < 1, or 0."""
    if not dtypes.is_floating_point(input.dtype):
        raise DTypeError(f"frexp: expected floats, got {input.dtype}")
    return MantissaExponent(mantissa_of(input), exponent_of(input))
