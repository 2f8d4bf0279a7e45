"""Comparisons, logic, bits and tests of single numbers: ops whose result has no gradient."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from tensorgrad import dtypes
from tensorgrad.op import Number, primitive
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "bitwise_and",
    "bitwise_left_shift",
    "bitwise_not",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "eq",
    "gcd",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "lcm",
    "le",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
    "not_equal",
    "signbit",
]

_number = partial(primitive, kind="number")

# ---- comparisons: a number may stand on the right

_compare = partial(primitive, kind="number", only_tensors="input")
_rank = partial(_compare, refuses="complex")
eq = _compare("eq", "input other", "", "input == other, as bool.")
ne = not_equal = _compare("ne", "input other", "", "input != other, as bool.")
lt = less = _rank("lt", "input other", "", "input < other, as bool.")
le = less_equal = _rank("le", "input other", "", "input <= other, as bool.")
gt = greater = _rank("gt", "input other", "", "input > other, as bool.")
ge = greater_equal = _rank("ge", "input other", "", "input >= other, as bool.")

# ---- logic: any dtype, not 0 is true

_combine = partial(primitive, kind="number", only_tensors="input other")
logical_and = _combine("logical_and", "input other", "", "Both are not 0, as bool.")
logical_or = _combine("logical_or", "input other", "", "One is not 0, as bool.")
logical_xor = _combine("logical_xor", "input other", "", "Just one is not 0, as bool.")
logical_not = primitive("logical_not", "input", "", "input is 0, as bool.")

# ---- bits and integers

bitwise_and = _number("bitwise_and", "input other", "", "input & other, of integers or bools.")
bitwise_or = _number("bitwise_or", "input other", "", "input | other, of integers or bools.")
bitwise_xor = _number("bitwise_xor", "input other", "", "input ^ other, of integers or bools.")
bitwise_not = primitive("bitwise_not", "input", "", "~input, of integers or bools.")
bitwise_left_shift = _number(
    "bitwise_left_shift", "input other", "", "input * 2^other, of integers; high bits are lost."
)
bitwise_right_shift = _number(
    "bitwise_right_shift", "input other", "", "floor(input / 2^other), of integers."
)
gcd = _combine("gcd", "input other", "", "Greatest common divisor of integers, >= 0.")
lcm = _combine("lcm", "input other", "", "Least common multiple of integers, >= 0.")


def rlshift(input: Tensor, other: Tensor | Number) -> Tensor:
    """other << input."""
    return bitwise_left_shift(other, input)


def rrshift(input: Tensor, other: Tensor | Number) -> Tensor:
    """other >> input."""
    return bitwise_right_shift(other, input)


# ---- tests of single numbers

isnan = primitive("isnan", "input", "", "input is NaN, as bool.")
isinf = primitive("isinf", "input", "", "input is infinite, as bool.")
isfinite = primitive("isfinite", "input", "", "input is neither NaN nor infinite, as bool.")
signbit = primitive(
    "signbit", "input", "", "The sign is negative, that of -0.0 too, as bool.", refuses="complex"
)


@takes_out
def isposinf(input: Tensor) -> Tensor:
    """input is inf, as bool."""
    dtypes.refuse("isposinf", input.dtype, "complex")
    return eq(input, math.inf) if dtypes.is_differentiable(input.dtype) else isinf(input)


@takes_out
def isneginf(input: Tensor) -> Tensor:
    """input is -inf, as bool."""
    dtypes.refuse("isneginf", input.dtype, "complex")
    return eq(input, -math.inf) if dtypes.is_differentiable(input.dtype) else isinf(input)
