"""Gamma, Poisson and binomial numbers for a NumPy-like array module, drawn by rejection.

Whoever rejects needs an unknown number of random words. Element i of a draw owns block offset + i
of the stream (tensorgrad/random.py): its attempt t takes the eight words of the counters (block
low, block high, 2t, 0) and (block low, block high, 2t + 1, 0). So a number depends on its own
parameters and place alone, and on no neighbour. Everything is computed in float64 and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from tensorgrad.backends.gamma_primitives import BLOCK, ROUNDING, GammaPrimitives
from tensorgrad.backends.random_primitives import RandomPrimitives

Array: TypeAlias = Any
Proposal: TypeAlias = Callable[..., tuple[Array, Array]]

FEW = 10  # up to this mean counts are found by going up from 0, beyond it by rejection


class RejectionPrimitives(GammaPrimitives, RandomPrimitives):
    """Part of ArrayBackend."""

    def standard_log_gamma(self, input: Array, key: int, offset: int) -> Array:
        """Logarithms of gamma numbers of shape `input` and rate 1: a number itself may be too small
        for its dtype.

        G. Marsaglia, W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26
        (2000). Below shape 1 a number of shape + 1 is multiplied by u^(1 / shape).
        """
        xp = self.xp

        def draw(places: Array, shape: Array) -> Array:
            usual = xp.isfinite(shape) & (shape > 0)
            safe = xp.where(usual, shape, 1)
            found = self._until_accepted(self._gamma_proposal, places, key, offset, safe)
            edge = xp.where(shape == 0, -math.inf, xp.where(shape > 0, math.inf, math.nan))
            return xp.where(usual, found, edge)

        return self._drawn_in_blocks(draw, input.dtype, offset, input)

    def poisson(self, input: Array, key: int, offset: int) -> Array:
        """Counts of mean `input`, in its dtype."""

        def draw(places: Array, rate: Array) -> Array:
            xp = self.xp
            few = rate < FEW
            uniform = self._uniforms(key, offset, places, 0)[0]
            low = xp.where(few, rate, 0)
            counts = self._climb(uniform, xp.exp(-low), lambda k, share: share * low / (k + 1))
            many = xp.nonzero(~few)[0]
            counts[many] = self._until_accepted(
                self._poisson_proposal, places[many], key, offset, rate[many]
            )
            return counts

        return self._drawn_in_blocks(draw, input.dtype, offset, input)

    def binomial(self, count: Array, prob: Array, key: int, offset: int) -> Array:
        """How many of `count` trials succeed with probability `prob`, in the dtype of `count`."""

        def draw(places: Array, trials: Array, success: Array) -> Array:
            xp = self.xp
            rarer = xp.minimum(success, 1 - success)
            few = trials * rarer < FEW
            uniform = self._uniforms(key, offset, places, 0)[0]
            n, p = xp.where(few, trials, 0), xp.where(few, rarer, 0)
            odds = p / (1 - p)
            counts = self._climb(
                uniform,
                xp.exp(n * xp.log1p(-p)),
                lambda k, share: share * odds * (n - k) / (k + 1),
            )
            many = xp.nonzero(~few)[0]
            counts[many] = self._until_accepted(
                self._binomial_proposal, places[many], key, offset, trials[many], rarer[many]
            )
            counts = xp.minimum(counts, trials)
            return xp.where(success > 0.5, trials - counts, counts)

        return self._drawn_in_blocks(draw, count.dtype, offset, count, prob)

    # ---- draws

    def _drawn_in_blocks(
        self, draw: Callable[..., Array], dtype: Any, offset: int, *parameters: Array
    ) -> Array:
        xp = self.xp
        flats = [parameter.reshape(-1) for parameter in parameters]
        result = xp.empty(flats[0].shape, dtype)
        for start in range(0, flats[0].size, BLOCK):
            part = slice(start, start + BLOCK)
            parts = [flat[part].astype("float64") for flat in flats]
            places = xp.arange(parts[0].size, dtype="uint64") + xp.uint64(start)
            result[part] = draw(places, *parts)
        return result.reshape(parameters[0].shape)

    def _uniforms(self, key: int, offset: int, places: Array, attempt: int) -> list[Array]:
        """Four numbers in [0, 1) of 53 bits for each place."""
        xp = self.xp
        blocks = places + xp.uint64(offset)
        words: list[Array] = []
        for half in (2 * attempt, 2 * attempt + 1):
            third = xp.zeros_like(blocks) + xp.uint64(half)
            counter = (
                blocks & xp.uint64(0xFFFFFFFF), blocks >> xp.uint64(32), third,
                xp.zeros_like(blocks),
            )  # fmt: skip
            words += self._philox(counter, key)
        pairs = zip(words[0::2], words[1::2])
        return [
            ((high << xp.uint64(32) | low) >> xp.uint64(11)).astype("float64") * 2.0**-53
            for high, low in pairs
        ]

    def _until_accepted(
        self, propose: Proposal, places: Array, key: int, offset: int, *parameters: Array
    ) -> Array:
        """For each place the first proposal that is accepted."""
        xp = self.xp
        result = xp.zeros(places.shape, "float64")
        pending = xp.arange(places.size)
        attempt = 0
        while pending.size:
            uniforms = self._uniforms(key, offset, places[pending], attempt)
            proposed, accepted = propose(uniforms, *[known[pending] for known in parameters])
            done = xp.nonzero(accepted)[0]
            result[pending[done]] = proposed[done]
            pending = pending[xp.nonzero(~accepted)[0]]
            attempt += 1
        return result

    def _gamma_proposal(self, uniforms: list[Array], shape: Array) -> tuple[Array, Array]:
        xp = self.xp
        radius, angle, judge, boost = uniforms
        normal = xp.sqrt(-2 * xp.log1p(-radius)) * xp.cos(2 * math.pi * angle)
        small = shape < 1
        d = xp.where(small, shape + 1, shape) - 1 / 3
        root = 1 + normal / xp.sqrt(9 * d)
        positive = root > 0
        logarithm = 3 * xp.log(xp.where(positive, root, 1))
        bound = normal * normal / 2 + d * (1 - root**3 + logarithm)
        lifted = xp.where(small, xp.log1p(-boost) / shape, 0)
        return xp.log(d) + logarithm + lifted, positive & (xp.log1p(-judge) < bound)

    def _climb(self, uniform: Array, share: Array, following: Callable[..., Array]) -> Array:
        """The counts whose shares, from that of 0 on, first add up to more than `uniform`."""
        xp = self.xp
        counts = xp.zeros(uniform.shape, "float64")
        total, k = share, 0
        beyond = uniform >= total
        while xp.any(beyond):
            counts = counts + beyond
            share = following(k, share)
            total, k = total + share, k + 1
            # where rounding keeps the sum below 1, what is left of it is no count's share
            beyond = beyond & (uniform >= total) & (share > ROUNDING * ROUNDING)
        return counts

    def _poisson_proposal(self, uniforms: list[Array], rate: Array) -> tuple[Array, Array]:
        """W. Hoermann, "The transformed rejection method for generating Poisson random variables",
        Insurance: Mathematics and Economics 12 (1993), algorithm PTRS.
        """
        xp = self.xp
        b = 0.931 + 2.53 * xp.sqrt(rate)
        a = -0.059 + 0.02483 * b
        inside, counts, height = self._hat(uniforms, a, b, rate + 0.43)
        safe = xp.where(counts < 0, 0, counts)
        density = safe * xp.log(rate) - rate - self._lgamma(safe + 1)
        scale = 1.1239 + 1.1328 / (b - 3.4)
        return safe, inside & (counts >= 0) & (xp.log(height * scale) <= density)

    def _binomial_proposal(
        self, uniforms: list[Array], trials: Array, prob: Array
    ) -> tuple[Array, Array]:
        """W. Hoermann, "The generation of binomial random variates", Journal of Statistical
        Computation and Simulation 46 (1993), algorithm BTRS.
        """
        xp = self.xp
        spread = xp.sqrt(trials * prob * (1 - prob))
        b = 1.15 + 2.53 * spread
        a = -0.0873 + 0.0248 * b + 0.01 * prob
        inside, counts, height = self._hat(uniforms, a, b, trials * prob + 0.5)
        possible = inside & (counts >= 0) & (counts <= trials)
        safe = xp.where(possible, counts, 0)
        mode = xp.floor((trials + 1) * prob)
        density = (safe - mode) * (xp.log(prob) - xp.log1p(-prob))
        density = density + self._lgamma(mode + 1) + self._lgamma(trials - mode + 1)
        density = density - self._lgamma(safe + 1) - self._lgamma(trials - safe + 1)
        scale = (2.83 + 5.1 / b) * spread
        return safe, possible & (xp.log(height * scale) <= density)

    def _hat(
        self, uniforms: list[Array], a: Array, b: Array, center: Array
    ) -> tuple[Array, Array, Array]:
        """Where a proposal lies under the transformed rejection's hat: whether it has a place, the
        count, and the height there.
        """
        xp = self.xp
        side = uniforms[0] - 0.5
        room = 0.5 - abs(side)
        inside = room > 0
        room = xp.where(inside, room, 0.5)
        counts = xp.floor((2 * a / room + b) * side + center)
        return inside, counts, (1 - uniforms[1]) / (a / (room * room) + b)
