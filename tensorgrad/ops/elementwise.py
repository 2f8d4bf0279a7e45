"""Elementwise ops: arithmetic, functions of one number, comparisons, choices.

Shapes broadcast, dtypes meet by PyTorch's promotion table, gradients at the awkward points (ties,
zeros) are PyTorch's. Names and arguments: https://docs.pytorch.org/docs/stable/torch.html#math-
operations
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import TensorCore, unwrap
from tensorgrad.op import TensorFunction, number_of, primitive

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

Number = int | float
_float = partial(primitive, kind="float")
_number = partial(primitive, kind="number")

# ---- dtype

cast: TensorFunction = primitive(
    "cast",
    "input",
    "dtype",
    "input in another dtype.",
    input=lambda g, input_dtype: cast(g, input_dtype),
)

# ---- arithmetic; the binary ones also serve the operators

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


# ---- functions of one number

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


def round(input: Tensor) -> Tensor:
    """Nearest integer, ties to even; integers as they are."""
    return nearest(input) if dtypes.is_differentiable(input.dtype) else plus(input, 0)


def square(input: Tensor) -> Tensor:
    """input ** 2."""
    return mul(input, input)


def rsqrt(input: Tensor) -> Tensor:
    """1 / sqrt(input)."""
    return 1 / sqrt(input)


def reciprocal(input: Tensor) -> Tensor:
    """1 / input."""
    return true_divide(1, input)


@fused(input=lambda g, y: where(y <= 0, 0, g))
def relu(input: Tensor) -> Tensor:
    """max(input, 0); gradient 0 at 0."""
    return maximum(input, 0)


@fused(input=lambda g, y: g * (y * (1 - y)))
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input)), without overflow on either side."""
    small = exp(abs(input) * -1.0)  # a product, for bools have no negative
    return where(input >= 0, 1.0, small) / (1 + small)


# ---- two numbers: the larger, the smaller, comparisons, logic

maximum = _number(
    "maximum",
    "input other",
    "",
    "The larger of two; NaN if either is. At a tie each gets half the gradient.",
    input=lambda g, input, other: where(input < other, 0, where(input == other, g / 2, g)),
    other=lambda g, input, other: where(other < input, 0, where(input == other, g / 2, g)),
)
minimum = _number(
    "minimum",
    "input other",
    "",
    "The smaller of two; NaN if either is. At a tie each gets half the gradient.",
    input=lambda g, input, other: where(input > other, 0, where(input == other, g / 2, g)),
    other=lambda g, input, other: where(other > input, 0, where(input == other, g / 2, g)),
)
eq = _number("eq", "input other", "", "input == other, as bool.")
ne = _number("ne", "input other", "", "input != other, as bool.")
lt = _number("lt", "input other", "", "input < other, as bool.")
le = _number("le", "input other", "", "input <= other, as bool.")
gt = _number("gt", "input other", "", "input > other, as bool.")
ge = _number("ge", "input other", "", "input >= other, as bool.")
logical_and = primitive("logical_and", "input other", "", "Both are not 0, as bool.")
logical_or = primitive("logical_or", "input other", "", "One is not 0, as bool.")
logical_xor = primitive("logical_xor", "input other", "", "Just one is not 0, as bool.")
logical_not = primitive("logical_not", "input", "", "input is 0, as bool.")
bitwise_and = _number("bitwise_and", "input other", "", "input & other, of integers or bools.")
bitwise_or = _number("bitwise_or", "input other", "", "input | other, of integers or bools.")
bitwise_xor = _number("bitwise_xor", "input other", "", "input ^ other, of integers or bools.")
bitwise_not = primitive("bitwise_not", "input", "", "~input, of integers or bools.")
isnan = primitive("isnan", "input", "", "input is NaN, as bool.")
isinf = primitive("isinf", "input", "", "input is infinite, as bool.")
isfinite = primitive("isfinite", "input", "", "input is neither NaN nor infinite, as bool.")

choose = primitive(
    "where",
    "condition input other",
    "",
    "input where condition holds, other elsewhere, of one dtype.",
    input=lambda g, condition: where(condition, g, 0),
    other=lambda g, condition: where(condition, 0, g),
)


def where(condition: Tensor, input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input where condition (bool) holds, else other. No gradient, not even NaN, reaches the one
    not taken.
    """
    if isinstance(input, TensorCore) or isinstance(other, TensorCore):
        dtype = dtypes.result_type(unwrap(input), unwrap(other))
        input, other = _in(input, dtype), _in(other, dtype)
    elif isinstance(condition, TensorCore):
        dtype = dtypes.result_type(input, other)
        return cast(choose(condition, input, other), dtype)
    return choose(condition, input, other)


def _in(value: Any, dtype: dtypes.DType) -> Any:
    if isinstance(value, TensorCore):
        return value if value._array.dtype == dtype else cast(value, dtype)
    return number_of(value, dtype) if isinstance(value, Number) else value


def _within(g: Any, input: Any, min: Any, max: Any) -> Any:
    if min is None or max is None:
        inside = input <= max if min is None else input >= min
    else:
        inside = (input >= min) & (input <= max)
    return where(inside, g, 0)


@fused(input=_within)
def clamp_to(input: Tensor, min: Any, max: Any) -> Tensor:
    """input limited by two numbers."""
    if min is not None:
        input = maximum(input, min)
    return input if max is None else minimum(input, max)


def clamp(
    input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None
) -> Tensor:
    """input limited to [min, max]; either may be None. The gradient passes where min <= input <=
    max.
    """
    if min is None and max is None:
        raise ValueError("clamp: expected min or max, got neither")
    if not isinstance(min, TensorCore) and not isinstance(max, TensorCore):
        return clamp_to(input, min, max)
    result = input
    if min is not None:
        result = where(result < min, min, result)
    if max is not None:
        result = where(result > max, max, result)
    return result


def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """value (a number or a 0-d tensor) where mask (bool) holds, input elsewhere, in input's
    dtype.
    """
    shape = getattr(value, "shape", ())
    if shape:
        raise ShapeError(f"masked_fill: expected a 0-d value, got shape {list(shape)}")
    if isinstance(value, Number):
        kind = dtypes.category(input.dtype)
        if kind == dtypes.INTEGRAL and not math.isfinite(value):
            raise DTypeError(f"masked_fill: expected a value for {input.dtype}, got {value}")
        value = bool(value) if kind == dtypes.BOOL else value
    return where(mask, _in(value, input.dtype), input)
