"""Comparisons, logic, bits and tests of single numbers: ops whose result has no gradient."""

from __future__ import annotations

from functools import partial

from tensorgrad.op import primitive

__all__ = [
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "eq",
    "ge",
    "gt",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "lt",
    "ne",
]

_number = partial(primitive, kind="number")
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
