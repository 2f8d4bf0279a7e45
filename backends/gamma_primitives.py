"""The gamma function and its kin for a NumPy-like array module.

Everything is computed in float64 and rounded once, so narrower dtypes lose nothing. The tables are
rational interpolants at Chebyshev nodes of the functions that they name, computed with 60 digits;
the relative error of each is below 1e-15. Where one formula does not serve the whole line, both are
computed and one is chosen: a branch an element would cost more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

Array: TypeAlias = Any
Table: TypeAlias = tuple[float, ...]

BLOCK = 8192  # elements at once: what a formula makes on its way stays in the cache
TERMS, ROUNDING = 10000, 2.0**-53  # at most so many terms of a series, and when it has converged

# fmt: off
LGAMMA_TOP = (  # lgamma(x) / (x - 1) / (x - 2) in x, 1 <= x <= 3
    0.0003763030767621948, 0.24812235865228638, 9.521192014260487, 98.76854848906923,
    370.7635544966088, 549.16827677231, 313.57315666043877, 60.2298936094213, 2.50122248695468,
)
LGAMMA_BOTTOM = (  # its denominator
    0.06011709372541955, 3.769213152091008, 59.8836218193972, 346.64342975774167,
    827.2289568244494, 828.8036415341969, 324.965145313868, 41.35380831542683, 1.0,
)
# fmt: on

# B(2k) / (2k): Stirling's series, and that of digamma
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
SHIFT = 10  # so far digamma and polygamma move to the right before their series serves


class GammaPrimitives:
    """Part of ArrayBackend."""

    xp: Any

    def lgamma(self, input: Array) -> Array:
        return self._in_float64(self._lgamma, input)

    def digamma(self, input: Array) -> Array:
        return self._in_float64(self._digamma, input)

    def polygamma(self, input: Array, n: int) -> Array:
        """The n-th derivative of digamma, n >= 1."""
        return self._in_float64(lambda x: self._polygamma(x, n), input)

    def igamma(self, input: Array, other: Array) -> Array:
        return self._in_float64(lambda a, x: self._incomplete(a, x)[0], input, other)

    def igammac(self, input: Array, other: Array) -> Array:
        return self._in_float64(lambda a, x: self._incomplete(a, x)[1], input, other)

    def _in_float64(self, function: Callable[..., Array], *inputs: Array) -> Array:
        dtype = inputs[0].dtype
        inputs = self.xp.broadcast_arrays(*inputs)
        flats = [input.reshape(-1) for input in inputs]
        result = self.xp.empty(flats[0].shape, dtype)
        for start in range(0, flats[0].size, BLOCK):
            part = slice(start, start + BLOCK)
            result[part] = function(*[flat[part].astype("float64") for flat in flats])
        return result.reshape(inputs[0].shape)

    def _lgamma(self, x: Array) -> Array:
        xp = self.xp
        size = abs(x)
        small = size < 1
        near = xp.minimum(size, 3)
        roots = xp.where(small, size * (size - 1), (near - 1) * (near - 2))
        near = roots * ratio(xp.where(small, size + 1, near), LGAMMA_TOP, LGAMMA_BOTTOM)
        near = near - xp.log(xp.where(small, size, 1))
        shifted = size < 8
        far = self._stirling(xp.where(shifted, size + 5, size))
        passed = size * (size + 1) * (size + 2) * (size + 3) * (size + 4)
        far = far - xp.log(xp.where(shifted, passed, 1))
        right = xp.where(size < 3, near, xp.where(xp.isinf(size), math.inf, far))
        sine = xp.sin(math.pi * (size - xp.rint(size)))
        left = math.log(math.pi) - xp.log(size) - xp.log(abs(sine)) - right
        return xp.where((x < 0) & xp.isfinite(x), left, right)

    def _stirling(self, x: Array) -> Array:
        inverse = 1 / x
        terms = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI, 1)]
        series = inverse * polynomial(inverse * inverse, tuple(reversed(terms)))
        return (x - 0.5) * self.xp.log(x) - x + math.log(2 * math.pi) / 2 + series

    def _digamma(self, x: Array) -> Array:
        xp = self.xp
        left = x <= 0
        right = xp.where(left, 1 - x, x)
        shifted = right < SHIFT
        passed = sum(1 / (right + k) for k in range(SHIFT))
        far = xp.where(shifted, right + SHIFT, right)
        inverse = 1 / (far * far)
        terms = [-b / (2 * k) for k, b in enumerate(BERNOULLI, 1)]
        series = inverse * polynomial(inverse, tuple(reversed(terms)))
        result = xp.log(far) - 0.5 / far + series - xp.where(shifted, passed, 0)
        result = xp.where(left, result - math.pi * self._cotangent(x), result)
        pole = xp.where(x == 0, xp.copysign(math.inf, -x), math.nan)
        return xp.where(left & (x == xp.floor(x)), pole, result)

    def _cotangent(self, x: Array) -> Array:
        """cot(pi x), reduced first: far out pi x has no digits behind the point."""
        return 1 / self.xp.tan(math.pi * (x - self.xp.rint(x)))

    def _polygamma(self, x: Array, n: int) -> Array:
        xp = self.xp
        left = x <= 0
        sign = (-1.0) ** (n + 1) * math.factorial(n)
        result = sign * self._hurwitz(n + 1, xp.where(left, 1 - x, x))
        # the reflection formula: the n-th derivative of cot is a polynomial in cot
        powers = [0.0, 1.0]  # lowest first
        for _ in range(n):
            slope = [k * c for k, c in enumerate(powers)][1:]
            powers = [-a - b for a, b in zip([*slope, 0.0, 0.0], [0.0, 0.0, *slope])]
        turned = polynomial(self._cotangent(x), tuple(reversed(powers)))
        mirrored = (-1.0) ** n * result - math.pi ** (n + 1) * turned
        pole = left & (x == xp.floor(x))
        return xp.where(pole, sign * math.inf, xp.where(left, mirrored, result))

    def _hurwitz(self, s: int, q: Array) -> Array:
        """The sum of (q + k)^-s over k >= 0 for q > 0, by Euler and Maclaurin."""
        start = SHIFT + s
        total = sum((q + k) ** -s for k in range(start))
        far = q + start
        term = far**-s
        total = total + far ** (1 - s) / (s - 1) + term / 2
        for k, bernoulli in enumerate(BERNOULLI, 1):
            factor = math.prod(range(s, s + 2 * k - 1)) / math.factorial(2 * k)
            term = term / far
            total = total + bernoulli * factor * term
            term = term / far
        return total

    def _incomplete(self, a: Array, x: Array) -> tuple[Array, Array]:
        """The shares of the integral of t^(a-1) exp(-t) below and above x: from the series of the
        one where x < a + 1, from the continued fraction of the other elsewhere.
        """
        xp = self.xp
        usual = (a > 0) & (x > 0) & xp.isfinite(a) & xp.isfinite(x)
        first = xp.where(usual, a, 1)
        second = xp.where(usual, x, 1)
        scale = xp.exp(first * xp.log(second) - second - self._lgamma(first))
        by_series = second < first + 1
        series = scale * self._lower_series(first, xp.where(by_series, second, 0))
        fraction = scale * self._upper_fraction(first, xp.where(by_series, first + 2, second))
        lower = xp.where(by_series, series, 1 - fraction)
        upper = xp.where(by_series, 1 - series, fraction)
        far_a, far_x = xp.isinf(a), xp.isinf(x)
        whole = ((a == 0) & (x > 0)) | (far_x & ~far_a)  # all of it below x
        nothing = (a != 0) & ((x == 0) | (far_a & ~far_x))
        edge = xp.where(whole, 1.0, xp.where(nothing, 0.0, math.nan))
        edge = xp.where((a < 0) | (x < 0), math.nan, edge)
        return xp.where(usual, lower, edge), xp.where(usual, upper, 1 - edge)

    def _lower_series(self, a: Array, x: Array) -> Array:
        term = 1 / a
        total = term
        for k in range(1, TERMS):
            term = term * x / (a + k)
            total = total + term
            if not self.xp.any(term > ROUNDING * total):
                break
        return total

    def _upper_fraction(self, a: Array, x: Array) -> Array:
        """By Lentz's method; x > a + 1, so no denominator is 0."""
        denominator = x + 1 - a
        inverse = 1 / denominator
        ahead = 1e300  # the first numerator over it is to vanish
        result = inverse
        for k in range(1, TERMS):
            numerator = k * (a - k)
            denominator = denominator + 2
            inverse = 1 / (numerator * inverse + denominator)
            ahead = denominator + numerator / ahead
            result = result * (inverse * ahead)
            if not self.xp.any(abs(inverse * ahead - 1) > ROUNDING):
                break
        return result


def polynomial(x: Array, coefficients: Table) -> Array:
    """Horner's scheme; the highest coefficient comes first."""
    result = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        result *= x
        result += coefficient
    return result


def ratio(x: Array, top: Table, bottom: Table) -> Array:
    return polynomial(x, top) / polynomial(x, bottom)
