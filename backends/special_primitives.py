"""Special functions for a NumPy-like array module: errors of the normal law, Bessel functions.

How they are computed is said in `gamma_primitives`.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from tensorgrad.backends.gamma_primitives import GammaPrimitives, polynomial, ratio

Array: TypeAlias = Any

# fmt: off
ERF_TOP = (  # erf(x) / x in x^2, 0 <= x <= 1
    8.625602445726376e-08, 0.00019709588069752516, 0.0018829155471563983, 0.0455033341653278,
    0.14365581715028763, 1.1283791670955126,
)
ERF_BOTTOM = (  # its denominator
    2.0866484101019162e-05, 0.0006937362332349159, 0.010705251871973175, 0.0938746087651241,
    0.46064498648983654, 1.0,
)
ERFCX_TOP = (  # erfcx(x) * (x + 2) in 1 / (x + 2), x >= 0
    254.85298669469714, 445.3576264261688, 484.74398945990265, 352.458575022859,
    265.8506105301525, 100.90715306975953, 75.27507033788025, 11.090985733952117,
    10.734891333053309, 0.3102814659863352, 0.5641895835477562,
)
ERFCX_BOTTOM = (  # its denominator
    29.36693515147285, -13.52938141267494, 167.80216313081124, -59.35633128011716,
    226.21153896901907, -57.30875666241048, 105.66857746849736, -17.120958810701673,
    18.427180323908136, -1.4500404207482214, 1.0,
)
I0_TOP = (  # I0(x) in x^2, 0 <= x <= 8
    3.992747660275807e-19, 5.328692396841175e-16, 3.358823170676929e-13, 1.24411235339916e-10,
    2.8526258075194866e-08, 4.009858403004053e-06, 0.0003271289129578297, 0.01384356740046725,
    0.2427785590567784, 1.0,
)
I0_BOTTOM = (  # its denominator
    -2.6344439567984857e-14, 5.081106694600495e-11, -4.5759150523520434e-08,
    2.3927636273059918e-05, -0.007221440943221896, 1.0,
)
I1_TOP = (  # I1(x) / x in x^2, 0 <= x <= 8
    1.64910303547562e-20, 2.4974005218844213e-17, 1.8049163462675417e-14, 7.784150618748392e-12,
    2.1222668085982465e-09, 3.651659776209547e-07, 3.803009913201458e-05, 0.0021946117380480883,
    0.05914103582233187, 0.5,
)
I1_BOTTOM = (  # its denominator
    -1.770626270710879e-14, 3.722786050868061e-11, -3.643439386677213e-08, 2.063118717989388e-05,
    -0.006717928355336267, 1.0,
)
I0_FAR = (  # I0(x) * exp(-x) * sqrt(x) in 16 / x - 1, x >= 8
    1.0881994785468934e-10, 3.525321019700796e-11, -7.473844621887592e-10, -2.748111637276033e-10,
    2.3981927228949238e-09, 1.0924527246468664e-09, -4.8482509221176966e-09,
    -3.11851456121224e-09, 6.789790403895736e-09, 7.323310735122893e-09, -5.162517880939013e-09,
    -1.331979859201994e-08, -6.805980075129678e-09, 7.532386417555123e-09, 2.155681110989874e-08,
    3.932926571091252e-08, 8.872154618944625e-08, 2.9735956581528157e-07, 1.4838475863096976e-06,
    1.1143033802583682e-05, 0.00013621607439187193, 0.0033605519836677235, 0.4021765094450081,
)
I1_FAR = (  # I1(x) * exp(-x) * sqrt(x) in 16 / x - 1, x >= 8
    -1.13288885034257e-10, -3.2677656089803323e-11, 7.79067217908059e-10, 2.582169443152386e-10,
    -2.5062162405593894e-09, -1.0476127785270019e-09, 5.094016301574338e-09,
    3.0717395650769477e-09, -7.222524178953976e-09, -7.432535335623792e-09, 5.722677527454156e-09,
    1.3952625102162603e-08, 6.795073490187386e-09, -8.407326839577817e-09,
    -2.3382691353601083e-08, -4.31323156237458e-08, -1.0001220638799958e-07,
    -3.483853071371078e-07, -1.8349101539664522e-06, -1.503854721127423e-05,
    -0.000219235763833829, -0.009749577193235609, 0.38939845902587233,
)
# fmt: on

TWO_BY_ROOT_PI = 2 / math.sqrt(math.pi)


class SpecialPrimitives(GammaPrimitives):
    """Part of ArrayBackend."""

    def erf(self, input: Array) -> Array:
        return self._in_float64(self._erf, input)

    def erfc(self, input: Array) -> Array:
        """1 - erf(x), exact where that is tiny."""
        return self._in_float64(self._erfc, input)

    def erfcx(self, input: Array) -> Array:
        """exp(x^2) * erfc(x)."""
        return self._in_float64(self._erfcx, input)

    def erfinv(self, input: Array) -> Array:
        return self._in_float64(self._erfinv, input)

    def ndtri(self, input: Array) -> Array:
        return self._in_float64(self._ndtri, input)

    def log_ndtr(self, input: Array) -> Array:
        return self._in_float64(self._log_ndtr, input)

    def i0(self, input: Array) -> Array:
        return self._in_float64(lambda x: self.xp.exp(abs(x)) * self._i0e(x), input)

    def i0e(self, input: Array) -> Array:
        return self._in_float64(self._i0e, input)

    def i1(self, input: Array) -> Array:
        return self._in_float64(lambda x: self.xp.exp(abs(x)) * self._i1e(x), input)

    def i1e(self, input: Array) -> Array:
        return self._in_float64(self._i1e, input)

    def xlogy(self, input: Array, other: Array) -> Array:
        input, other = self._arrays(input, other)
        product = input * self.xp.log(other)
        return self.xp.where((input == 0) & ~self.xp.isnan(other), 0, product)

    def xlog1py(self, input: Array, other: Array) -> Array:
        input, other = self._arrays(input, other)
        product = input * self.xp.log1p(other)
        return self.xp.where((input == 0) & ~self.xp.isnan(other), 0, product)

    def _arrays(self, input: Array, other: Array) -> tuple[Array, Array]:
        """Both as arrays: one may be a Python number."""
        if not hasattr(other, "dtype"):
            return input, self.xp.asarray(other, input.dtype)
        return (input if hasattr(input, "dtype") else self.xp.asarray(input, other.dtype)), other

    # ---- error functions

    def _erf(self, x: Array) -> Array:
        xp = self.xp
        size = abs(x)
        near = xp.minimum(size, 1)
        near = size * ratio(near * near, ERF_TOP, ERF_BOTTOM)
        far = 1 - self._exp_square(size, -1) * _scaled_erfc(size)
        return xp.copysign(xp.where(size < 1, near, far), x)

    def _erfc(self, x: Array) -> Array:
        size = abs(x)
        tail = self._exp_square(size, -1) * _scaled_erfc(size)
        return self.xp.where(size < 0.5, 1 - self._erf(x), self.xp.where(x < 0, 2 - tail, tail))

    def _erfcx(self, x: Array) -> Array:
        size = abs(x)
        right = _scaled_erfc(size)
        return self.xp.where(x < 0, 2 * self._exp_square(size, 1) - right, right)

    def _exp_square(self, size: Array, sign: int) -> Array:
        """exp(sign * size^2), size split into a number whose square is exact and a rest: the
        rounding of a square would be multiplied by it.
        """
        xp = self.xp
        size = xp.minimum(size, 40)
        head = xp.rint(size * 256) * (1 / 256)
        rest = (size - head) * (size + head)
        return xp.exp(sign * head * head) * xp.exp(sign * rest)

    def _erfinv(self, y: Array) -> Array:
        xp = self.xp
        size = abs(y)
        x = self._erfc_inverse(1 - size, size)
        return xp.copysign(xp.where(size == 1, math.inf, xp.where(size > 1, math.nan, x)), y)

    def _erfc_inverse(self, q: Array, p: Array) -> Array:
        """The x >= 0 with erfc(x) = q and erf(x) = p = 1 - q, from both for the sake of digits:
        two steps of Halley's method, on erf in the middle and on log(erfc) in the tail.
        """
        xp = self.xp
        logarithm = xp.log(q) + xp.log1p(p)
        middle = 2 / (math.pi * 0.147) + logarithm / 2  # erf(x)^2 is about 1 - exp(-4/pi x^2 ...)
        x = xp.sqrt(xp.sqrt(middle * middle - logarithm / 0.147) - middle)
        for _ in range(2):
            step = (self._erf(x) - p) * self._exp_square(x, 1) / TWO_BY_ROOT_PI
            near = x - step / (1 + x * step)
            scaled = _scaled_erfc(x)
            error = xp.log(scaled) - x * x - xp.log(q)
            slope = TWO_BY_ROOT_PI / scaled
            far = x + 2 * error / (2 * slope - error * (2 * x - slope))
            x = xp.where(p < 0.5, near, far)
        return x

    def _ndtri(self, p: Array) -> Array:
        xp = self.xp
        lower = p < 0.5
        q = 2 * xp.where(lower, p, 1 - p)
        x = xp.where(q == 0, math.inf, self._erfc_inverse(q, 1 - q))
        x = xp.where((p < 0) | (p > 1), math.nan, x * math.sqrt(2))
        return xp.where(lower, -x, x)

    def _log_ndtr(self, x: Array) -> Array:
        xp = self.xp
        scaled = x * math.sqrt(0.5)
        left = xp.log(_scaled_erfc(abs(scaled)) / 2) - scaled * scaled
        return xp.where(x < -1, left, xp.log1p(-self._erfc(scaled) / 2))

    # ---- modified Bessel functions, times exp(-|x|)

    def _i0e(self, x: Array) -> Array:
        xp = self.xp
        near, far = xp.minimum(abs(x), 8), xp.maximum(abs(x), 8)
        inner = xp.exp(-near) * ratio(near * near, I0_TOP, I0_BOTTOM)
        outer = polynomial(16 / far - 1, I0_FAR) / xp.sqrt(far)
        return xp.where(abs(x) < 8, inner, outer)

    def _i1e(self, x: Array) -> Array:
        xp = self.xp
        near, far = xp.minimum(abs(x), 8), xp.maximum(abs(x), 8)
        inner = near * xp.exp(-near) * ratio(near * near, I1_TOP, I1_BOTTOM)
        outer = polynomial(16 / far - 1, I1_FAR) / xp.sqrt(far)
        return xp.copysign(xp.where(abs(x) < 8, inner, outer), x)


def _scaled_erfc(x: Array) -> Array:
    """exp(x^2) * erfc(x) for x >= 0."""
    inverse = 1 / (x + 2)
    return inverse * ratio(inverse, ERFCX_TOP, ERFCX_BOTTOM)
