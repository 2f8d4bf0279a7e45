"""Arithmetic of two numbers; the binary primitives also serve the operators.

Shapes broadcast, dtypes meet by PyTorch's promotion table. Names and
arguments: https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import builtins
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError
from tensorgrad.graph import unwrap
from tensorgrad.op import Number, TensorFunction, number_of, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.complex_parts import real
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.pointwise import abs, level, log
from tensorgrad.out import into, takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "add",
    "addcdiv",
    "addcmul",
    "arctan2",
    "atan2",
    "div",
    "divide",
    "float_power",
    "floor_divide",
    "fmod",
    "lerp",
    "mul",
    "multiply",
    "neg",
    "negative",
    "pow",
    "remainder",
    "rsub",
    "sub",
    "subtract",
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
floor_divide = _number(
    "floor_divide", "input other", "", "floor(input / other).", input=level, other=level
)
trunc_divide = _number(
    "trunc_divide", "input other", "", "trunc(input / other).", input=level, other=level
)
remainder = _number(
    "remainder",
    "input other",
    "",
    "input - other * floor(input / other): the sign is that of `other`.",
    input=lambda g: g,
    other=lambda g, input, other: -g * floor_divide(input, other),
)
fmod = _number(
    "fmod",
    "input other",
    "",
    "input - other * trunc(input / other): the sign is that of `input`.",
    only_tensors="input",
    input=lambda g: g,
    other=lambda g, input, other: -g * trunc_divide(input, other),
)
neg = negative = _number("neg", "input", "", "-input.", input=lambda g: -g)
multiply = mul


def _pow_input(g: Any, input: Any, exponent: Any) -> Any:
    if isinstance(exponent, Number):
        slope = exponent * (input if exponent == 2 else input ** (exponent - 1))
        return g * slope if exponent != 0 else level(g)
    slope = exponent * input ** (exponent - 1)
    return where(exponent == 0, 0.0, g * slope)  # 0 ** -1 times 0 would be NaN


def _pow_exponent(g: Any, input: Any, exponent: Any) -> Any:
    # The power anew: a saved result could not be written in place, of number exponents neither.
    y = input**exponent
    # d/de 0**e is 0 for e >= 0, though log(0) is not finite
    grows = real(exponent) >= 0
    if not isinstance(input, Number):
        return where((input == 0) & grows, 0.0, g * (y * log(input)))
    if input == 0:
        return where(grows, 0.0, g * (y * -math.inf))
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


atan2 = arctan2 = _float(
    "atan2",
    "input other",
    "",
    "Angle of the point (other, input), in radians; gradient 0 at the origin.",
    only_tensors="input other",
    input=lambda g, input, other: g * other / _square_distance(input, other),
    other=lambda g, input, other: -g * input / _square_distance(input, other),
)

# ---- by their names and reflected


def add(
    input: Tensor, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None
) -> Tensor:
    """input + alpha * other."""
    if out is not None:
        return into(out, "add", add, (input, other), {"alpha": alpha})  # type: ignore[no-any-return]
    return plus(
        input, other if alpha == 1 and alpha is not True else _scaled("add", input, other, alpha)
    )


def sub(
    input: Tensor, other: Tensor | Number, *, alpha: Number = 1, out: Tensor | None = None
) -> Tensor:
    """input - alpha * other. Boolean tensors are refused, as in PyTorch."""
    if out is not None:
        return into(out, "sub", sub, (input, other), {"alpha": alpha})  # type: ignore[no-any-return]
    return minus(
        input, other if alpha == 1 and alpha is not True else _scaled("sub", input, other, alpha)
    )


def rsub(input: Tensor, other: Tensor | Number, *, alpha: Number = 1) -> Tensor:
    """other - alpha * input."""
    if isinstance(input, Number):
        raise TypeError(f"rsub: expected input to be a tensor, got {type(input).__name__}")
    return minus(
        other, input if alpha == 1 and alpha is not True else _scaled("rsub", other, input, alpha)
    )


def _scaled(op: str, input: Any, other: Any, alpha: Number) -> Any:
    """alpha * other, in the dtype of the sum."""
    dtype = dtypes.result_type(unwrap(input), unwrap(other))
    if isinstance(alpha, bool) and dtype != dtypes.bool_:
        raise DTypeError(f"{op}: expected a bool as alpha for bools only, got {alpha} for {dtype}")
    if not isinstance(alpha, int) and not dtypes.is_differentiable(dtype):
        raise DTypeError(f"{op}: expected an integer as alpha for {dtype}, got {alpha}")
    if isinstance(other, Number):
        return other * alpha
    scaled = other if other.dtype == dtype else cast(other, dtype)
    return mul(scaled, bool(alpha) if dtype == dtypes.bool_ else alpha)


def div(
    input: Tensor,
    other: Tensor | Number,
    *,
    rounding_mode: str | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """input / other; rounding_mode "trunc" or "floor" rounds the quotient and keeps
    integer dtypes, and the gradient is 0.
    """
    if rounding_mode is None:
        return true_divide(input, other, out=out)
    if rounding_mode == "floor":
        return floor_divide(input, other, out=out)
    if rounding_mode == "trunc":
        return trunc_divide(input, other, out=out)
    raise RuntimeError(
        f"div: expected rounding_mode to be None, 'trunc' or 'floor', got {rounding_mode!r}"
    )


subtract, divide = sub, div


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


@takes_out
def float_power(input: Tensor | Number, exponent: Tensor | Number) -> Tensor:
    """input ** exponent in double precision."""
    common = dtypes.result_type(unwrap(input), unwrap(exponent))
    wide = dtypes.promote_types(common, dtypes.float64)
    return pow(
        input if isinstance(input, Number) else cast(input, wide),
        exponent if isinstance(exponent, Number) else cast(exponent, wide),
    )


# ---- of three


@takes_out
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 * tensor2."""
    dtype = dtypes.result_type(unwrap(input), unwrap(tensor1), unwrap(tensor2))
    product: Any = tensor1 * tensor2
    result: Tensor = input + product * number_of(value, dtype)
    return result


@takes_out
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Number = 1) -> Tensor:
    """input + value * tensor1 / tensor2, of floats."""
    if not dtypes.is_differentiable(dtypes.result_type(unwrap(tensor1), unwrap(tensor2))):
        raise DTypeError(
            f"addcdiv: expected floats to divide, got {tensor1.dtype} and {tensor2.dtype}"
        )
    quotient: Any = tensor1 / tensor2
    result: Tensor = input + quotient * value
    return result


@takes_out
def lerp(input: Tensor, end: Tensor, weight: Tensor | Number) -> Tensor:
    """input + weight * (end - input), exact at both ends. Dtypes must be equal."""
    if input.dtype != end.dtype or not dtypes.is_differentiable(input.dtype):
        raise DTypeError(f"lerp: expected floats of one dtype, got {input.dtype} and {end.dtype}")
    way = end - input
    if isinstance(weight, int | float | complex):
        near = builtins.abs(weight) < 0.5
        return input + weight * way if near else end - way * (1 - weight)
    if weight.dtype != input.dtype and weight.ndim:
        raise DTypeError(f"lerp: expected a weight of {input.dtype}, got {weight.dtype}")
    return where(abs(weight) < 0.5, input + weight * way, end - way * (1 - weight))
