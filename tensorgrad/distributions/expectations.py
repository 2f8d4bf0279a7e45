"""Means of functions of a random number in closed form: what the mean of another law's log-density
is made of.
"""

from __future__ import annotations

import math
from functools import singledispatch
from typing import Any

from tensorgrad.distributions.elementary import Exponential, Gumbel, Uniform
from tensorgrad.distributions.gamma import Beta, Gamma
from tensorgrad.distributions.normal import Normal
from tensorgrad.distributions.parameters import EULER
from tensorgrad.ops.choice import where
from tensorgrad.ops.special import lgamma, xlogy

__all__ = ["mean_exponential", "mean_log", "mean_log_rest", "within"]


def _unknown(what: str, p: Any) -> NotImplementedError:
    return NotImplementedError(f"{what}: expected a law with a closed form, got {p}")


def within(p: Any, low: float, high: float, value: Any) -> Any:
    """The value, and infinity where a uniform p leaves [low, high]."""
    if not isinstance(p, Uniform):
        return value
    return where((p.low >= low) & (p.high <= high), value, math.inf)


# ---- of log x


@singledispatch
def mean_log(p: Any) -> Any:
    """The mean of log x."""
    raise _unknown("mean_log", p)


@mean_log.register
def _(p: Beta) -> Any:
    return p.concentration1.digamma() - p._total.digamma()


@mean_log.register
def _(p: Exponential) -> Any:
    return -EULER - p.rate.log()


@mean_log.register
def _(p: Uniform) -> Any:
    return _uniform_mean_log(p.low, p.high)


def _uniform_mean_log(low: Any, high: Any) -> Any:
    return (xlogy(high, high) - xlogy(low, low)) / (high - low) - 1


# ---- of log(1 - x)


@singledispatch
def mean_log_rest(p: Any) -> Any:
    """The mean of log(1 - x)."""
    raise _unknown("mean_log_rest", p)


@mean_log_rest.register
def _(p: Beta) -> Any:
    return p.concentration0.digamma() - p._total.digamma()


@mean_log_rest.register
def _(p: Uniform) -> Any:
    return _uniform_mean_log(1 - p.high, 1 - p.low)


# ---- of exp(-t x)


@singledispatch
def mean_exponential(p: Any, t: Any) -> Any:
    """The mean of exp(-t x), for t > 0."""
    raise _unknown("mean_exponential", p)


@mean_exponential.register
def _(p: Exponential, t: Any) -> Any:
    return p.rate / (p.rate + t)


@mean_exponential.register
def _(p: Gamma, t: Any) -> Any:
    return (-p.concentration * (t / p.rate).log1p()).exp()


@mean_exponential.register
def _(p: Gumbel, t: Any) -> Any:
    return (lgamma(1 + t * p.scale) - t * p.loc).exp()


@mean_exponential.register
def _(p: Normal, t: Any) -> Any:
    return ((t * p.scale) ** 2 / 2 - t * p.loc).exp()


@mean_exponential.register
def _(p: Uniform, t: Any) -> Any:
    return ((-t * p.low).exp() - (-t * p.high).exp()) / (t * (p.high - p.low))
