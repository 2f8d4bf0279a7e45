"""Elementwise primitives for a NumPy-like array module: a function of one number, of two, a choice.

Dtypes are promoted before; of two arguments one may be a Python number. A body that calls the
array module's function of the same arguments and nothing else is only the name's translation, and
NumpyBackend puts the function itself in its place.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from tensorgrad import dtypes

Array: TypeAlias = Any


class PointwisePrimitives:
    """Part of ArrayBackend."""

    xp: Any

    # ---- one argument

    def neg(self, input: Array) -> Array:
        return self.xp.negative(input)

    def abs(self, input: Array) -> Array:
        return self.xp.absolute(input)

    def exp(self, input: Array) -> Array:
        return self.xp.exp(input)

    def exp2(self, input: Array) -> Array:
        return self.xp.exp2(input)

    def expm1(self, input: Array) -> Array:
        return self.xp.expm1(input)

    def log(self, input: Array) -> Array:
        return self.xp.log(input)

    def log2(self, input: Array) -> Array:
        return self.xp.log2(input)

    def log10(self, input: Array) -> Array:
        return self.xp.log10(input)

    def log1p(self, input: Array) -> Array:
        return self.xp.log1p(input)

    def sqrt(self, input: Array) -> Array:
        return self.xp.sqrt(input)

    def sin(self, input: Array) -> Array:
        return self.xp.sin(input)

    def cos(self, input: Array) -> Array:
        return self.xp.cos(input)

    def tan(self, input: Array) -> Array:
        return self.xp.tan(input)

    def asin(self, input: Array) -> Array:
        return self.xp.arcsin(input)

    def acos(self, input: Array) -> Array:
        return self.xp.arccos(input)

    def atan(self, input: Array) -> Array:
        return self.xp.arctan(input)

    def sinh(self, input: Array) -> Array:
        return self.xp.sinh(input)

    def cosh(self, input: Array) -> Array:
        return self.xp.cosh(input)

    def tanh(self, input: Array) -> Array:
        return self.xp.tanh(input)

    def asinh(self, input: Array) -> Array:
        return self.xp.arcsinh(input)

    def acosh(self, input: Array) -> Array:
        return self.xp.arccosh(input)

    def atanh(self, input: Array) -> Array:
        return self.xp.arctanh(input)

    def reciprocal(self, input: Array) -> Array:
        return self.xp.reciprocal(input)

    def floor(self, input: Array) -> Array:
        return self.xp.floor(input)

    def ceil(self, input: Array) -> Array:
        return self.xp.ceil(input)

    def trunc(self, input: Array) -> Array:
        return self.xp.trunc(input)

    def isnan(self, input: Array) -> Array:
        return self.xp.isnan(input)

    def isinf(self, input: Array) -> Array:
        return self.xp.isinf(input)

    def isfinite(self, input: Array) -> Array:
        return self.xp.isfinite(input)

    def signbit(self, input: Array) -> Array:
        return self.xp.signbit(input)

    def logical_not(self, input: Array) -> Array:
        return self.xp.logical_not(input)

    def bitwise_not(self, input: Array) -> Array:
        return self.xp.invert(input)

    def sign(self, input: Array) -> Array:
        return input.copy() if input.dtype.kind == "b" else self.xp.sign(input)

    def round(self, input: Array) -> Array:
        return input.copy() if input.dtype.kind in "biu" else self.xp.rint(input)

    def rsqrt(self, input: Array) -> Array:
        return self.xp.reciprocal(self.xp.sqrt(input))

    def square(self, input: Array) -> Array:
        return self.xp.square(input.astype("int64") if input.dtype.kind == "b" else input)

    def mantissa(self, input: Array) -> Array:
        """input / 2^exponent: in [0.5, 1) but for the sign, or 0."""
        return self.xp.frexp(input)[0]

    def exponent(self, input: Array) -> Array:
        return self.xp.frexp(input)[1]

    # ---- two arguments; one may be a Python number

    def add(self, input: Array, other: Array) -> Array:
        return self.xp.add(input, other)

    def sub(self, input: Array, other: Array) -> Array:
        return self.xp.subtract(input, other)

    def mul(self, input: Array, other: Array) -> Array:
        return self.xp.multiply(input, other)

    def div(self, input: Array, other: Array) -> Array:
        return self.xp.true_divide(input, other)

    def atan2(self, input: Array, other: Array) -> Array:
        return self.xp.arctan2(input, other)

    def hypot(self, input: Array, other: Array) -> Array:
        return self.xp.hypot(input, other)

    def logaddexp(self, input: Array, other: Array) -> Array:
        return self.xp.logaddexp(input, other)

    def logaddexp2(self, input: Array, other: Array) -> Array:
        return self.xp.logaddexp2(input, other)

    def copysign(self, input: Array, other: Array) -> Array:
        return self.xp.copysign(input, other)

    def nextafter(self, input: Array, other: Array) -> Array:
        return self.xp.nextafter(input, other)

    def gcd(self, input: Array, other: Array) -> Array:
        return self.xp.gcd(input, other)

    def lcm(self, input: Array, other: Array) -> Array:
        return self.xp.lcm(input, other)

    def maximum(self, input: Array, other: Array) -> Array:
        return self.xp.maximum(input, other)

    def minimum(self, input: Array, other: Array) -> Array:
        return self.xp.minimum(input, other)

    def fmax(self, input: Array, other: Array) -> Array:
        return self.xp.fmax(input, other)

    def fmin(self, input: Array, other: Array) -> Array:
        return self.xp.fmin(input, other)

    def eq(self, input: Array, other: Array) -> Array:
        return self.xp.equal(input, other)

    def ne(self, input: Array, other: Array) -> Array:
        return self.xp.not_equal(input, other)

    def lt(self, input: Array, other: Array) -> Array:
        return self.xp.less(input, other)

    def le(self, input: Array, other: Array) -> Array:
        return self.xp.less_equal(input, other)

    def gt(self, input: Array, other: Array) -> Array:
        return self.xp.greater(input, other)

    def ge(self, input: Array, other: Array) -> Array:
        return self.xp.greater_equal(input, other)

    def logical_and(self, input: Array, other: Array) -> Array:
        return self.xp.logical_and(input, other)

    def logical_or(self, input: Array, other: Array) -> Array:
        return self.xp.logical_or(input, other)

    def logical_xor(self, input: Array, other: Array) -> Array:
        return self.xp.logical_xor(input, other)

    def bitwise_and(self, input: Array, other: Array) -> Array:
        return self.xp.bitwise_and(input, other)

    def bitwise_or(self, input: Array, other: Array) -> Array:
        return self.xp.bitwise_or(input, other)

    def bitwise_xor(self, input: Array, other: Array) -> Array:
        return self.xp.bitwise_xor(input, other)

    def bitwise_left_shift(self, input: Array, other: Array) -> Array:
        return self.xp.left_shift(input, other)

    def bitwise_right_shift(self, input: Array, other: Array) -> Array:
        return self.xp.right_shift(input, other)

    def pow(self, input: Array, exponent: Array) -> Array:
        kind = (input if hasattr(input, "dtype") else exponent).dtype.kind
        if kind in "iu":
            return self._integer_power(input, exponent)
        if kind == "b":
            raise TypeError("bools have no powers")
        if isinstance(exponent, int | float) and exponent in (2, 3, 4) and input.dtype.itemsize > 2:
            square = input * input  # three to ten times as fast, more where the input is negative
            return square if exponent == 2 else square * (input if exponent == 3 else square)
        return self.xp.power(input, exponent)

    def _integer_power(self, input: Array, exponent: Array) -> Array:
        """Of negative exponents the integer part: 0, but for powers of 1 and -1."""
        if not hasattr(exponent, "dtype"):
            if exponent < 0:
                raise ValueError("integers to negative integer powers are not allowed")
            return self.xp.power(input, exponent)
        negative = exponent < 0
        power = self.xp.power(input, self.xp.where(negative, -exponent, exponent))
        return self.xp.where(negative & (abs(power) != 1), 0, power)

    def floor_divide(self, input: Array, other: Array) -> Array:
        self._check_divisor("floor_divide", input, other)
        return self.xp.floor_divide(input, other)

    def trunc_divide(self, input: Array, other: Array) -> Array:
        """The quotient without its fraction; integers divided exactly."""
        self._check_divisor("div", input, other)
        xp = self.xp
        if not self._integral(input, other):
            return xp.trunc(xp.true_divide(input, other))
        quotient = xp.floor_divide(input, other)
        return quotient + ((quotient < 0) & (xp.remainder(input, other) != 0))

    def remainder(self, input: Array, other: Array) -> Array:
        self._check_divisor("remainder", input, other)
        return self.xp.remainder(input, other)

    def fmod(self, input: Array, other: Array) -> Array:
        self._check_divisor("fmod", input, other)
        return self.xp.fmod(input, other)

    def _integral(self, input: Array, other: Array) -> bool:
        return bool((input if hasattr(input, "dtype") else other).dtype.kind in "biu")

    def _check_divisor(self, op: str, input: Array, other: Array) -> None:
        """Floats have inf and NaN for it; integers have nothing, and NumPy gives 0."""
        if not self._integral(input, other):
            return
        if self.xp.any(other == 0) if hasattr(other, "dtype") else other == 0:
            raise RuntimeError(
                f"{op}: expected integer divisors other than 0, got 0 (ZeroDivisionError)"
            )

    # ---- choices

    def where(self, condition: Array, input: Array, other: Array) -> Array:
        return self.xp.where(condition, input, other)

    def clamp_to(self, input: Array, min: Any, max: Any) -> Array:
        """Limits are Python numbers, or None."""
        if min is not None:
            input = self.xp.maximum(input, _like(min, input))
        return input if max is None else self.xp.minimum(input, _like(max, input))


def _like(number: Any, array: Array) -> Any:
    """Beside a Python number NumPy would compute bfloat16 in float32."""
    return array.dtype.type(number) if array.dtype == dtypes.bfloat16 else number
