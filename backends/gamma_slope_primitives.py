"""How a gamma number moves with the shape of its law, for a NumPy-like array module."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from tensorgrad.backends.gamma_primitives import ROUNDING, TERMS, GammaPrimitives

Array: TypeAlias = Any

NORMAL_FROM = 1e5  # a gamma law of such a shape is near a normal one
STILL = 1e-14  # convergents nearer than that have converged: from there on roundings add up
ROUNDS = 6  # of a fixed-point iteration that gains two digits a round


class GammaSlopePrimitives(GammaPrimitives):
    """Part of ArrayBackend."""

    def log_gamma_slope(self, input: Array, sample: Array) -> Array:
        """d log z / d shape along a fixed quantile, at z = exp(sample): minus the derivative of the
        distribution function for the shape, over the density of log z.

        M. Figurnov, S. Mohamed, A. Mnih, "Implicit reparameterization gradients", NeurIPS 2018. The
        series and the continued fraction of the incomplete gamma function are differentiated term
        by term, as in R. J. Moore, "Algorithm AS 187", Applied Statistics 31 (1982); both have the
        density for a factor, which cancels. Far out the quantiles' expansion about the normal law
        is differentiated.
        """
        return self._in_float64(self._log_gamma_slope, input, sample)

    def _log_gamma_slope(self, shape: Array, logarithm: Array) -> Array:
        xp = self.xp
        usual = xp.isfinite(logarithm) & (shape > 0) & xp.isfinite(shape)
        near = usual & (shape < NORMAL_FROM)
        a = xp.where(near, shape, 1)
        x = xp.exp(xp.where(near, logarithm, 0))
        below = x < a + 1
        distance = xp.where(near, logarithm, 0) - self._digamma(a + 1)
        total, slope = self._lower_series_slope(a, xp.where(below, x, 0))
        lower = -(distance * total + slope) / a
        total, slope = self._upper_fraction_slope(a, xp.where(below, a + 2, x))
        upper = (distance + 1 / a) * total + slope
        far = self._slope_by_expansion(xp.where(near | ~usual, NORMAL_FROM, shape), logarithm)
        result = xp.where(near, xp.where(below, lower, upper), far)
        return xp.where(usual, result, math.nan)

    def _lower_series_slope(self, a: Array, x: Array) -> tuple[Array, Array]:
        """The sum of x^k / ((a + 1) ... (a + k)) over k >= 0, and its derivative for a."""
        term = total = self.xp.ones_like(a)
        slope = total_slope = self.xp.zeros_like(a)
        for k in range(1, TERMS):
            factor = x / (a + k)
            term = term * factor
            slope = slope * factor - term / (a + k)
            total = total + term
            total_slope = total_slope + slope
            if not self.xp.any((term > ROUNDING * total) | (-slope > ROUNDING * -total_slope)):
                break
        return total, total_slope

    def _upper_fraction_slope(self, a: Array, x: Array) -> tuple[Array, Array]:
        """The continued fraction of `_upper_fraction`, by its convergents, with its derivative for
        a; each round divides by the last denominator, so that nothing overflows.
        """
        xp = self.xp
        zero = xp.zeros_like(a)
        base = x + 1 - a
        top, top_slope, bottom, bottom_slope = zero + 1, zero, base, zero - 1
        before, before_slope, under, under_slope = zero, zero, zero + 1, zero
        value, value_slope = 1 / base, 1 / (base * base)
        moving = base == base
        for k in range(1, TERMS):
            base = base + 2
            factor = k * (a - k)
            following = base * top + factor * before
            following_slope = base * top_slope - top + factor * before_slope + k * before
            below = base * bottom + factor * under
            below_slope = base * bottom_slope - bottom + factor * under_slope + k * under
            before, before_slope, under, under_slope = (
                half / below for half in (top, top_slope, bottom, bottom_slope)
            )
            top, top_slope, bottom_slope = (
                half / below for half in (following, following_slope, below_slope)
            )
            bottom = zero + 1
            change = top_slope - top * bottom_slope - value_slope
            moved = abs(top - value) + abs(change) > STILL * (abs(top) + abs(value_slope))
            moving = moving & moved
            if not xp.any(moving):
                break
            value = xp.where(moving, top, value)
            value_slope = xp.where(moving, value_slope + change, value_slope)
        return value, value_slope

    def _slope_by_expansion(self, a: Array, logarithm: Array) -> Array:
        """From z = a + n sqrt(a) + (n^2 - 1) / 3 + (n^3 - 7 n) / (36 sqrt(a)) + ..., the Cornish
        and Fisher expansion of the quantile at the normal quantile n.
        """
        xp = self.xp
        root = xp.sqrt(a)
        ratio = xp.expm1(logarithm - xp.log(a))
        normal = start = ratio * root
        for _ in range(ROUNDS):
            square = normal * normal
            bend = (square - 1) / 3 + normal * (square - 7) / (36 * root)
            normal = start - bend / root
        square = normal * normal
        slope = 1 + normal / (2 * root) - normal * (square - 7) / (72 * a * root)
        return slope / (a * (1 + ratio))
