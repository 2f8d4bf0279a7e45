"""The gamma law and those made of gamma numbers: chi squared, beta, Dirichlet, Student's t.

Samples are differentiable by implicit reparameterization (see `tensorgrad.ops.rejection`). Beta and
Dirichlet numbers are made from logarithms of gamma numbers, which do not vanish where the
concentrations are tiny.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.distributions import constraints
from tensorgrad.distributions.distribution import Distribution
from tensorgrad.distributions.parameters import broadcast_all
from tensorgrad.errors import ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.ops.choice import where
from tensorgrad.ops.embedding import one_hot
from tensorgrad.ops.joining import stack
from tensorgrad.ops.rejection import log_gamma
from tensorgrad.ops.sampling import randn
from tensorgrad.ops.softmaxes import softmax
from tensorgrad.ops.special import igamma, lgamma, xlog1py, xlogy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorgrad._tensor import Tensor

__all__ = ["Beta", "Chi2", "Dirichlet", "Gamma", "StudentT"]


class Gamma(Distribution):
    """The density rate^a x^(a - 1) exp(-rate x) / Gamma(a), where a is the `concentration`."""

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(
        self,
        concentration: Tensor | float,
        rate: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        name = type(self).__name__
        self.concentration, self.rate = broadcast_all(name, concentration, rate)
        super().__init__(self.concentration.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        return ((self.concentration - 1) / self.rate).clamp(0)

    @property
    def variance(self) -> Any:
        return self.concentration / self.rate**2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        numbers = log_gamma(self.concentration.expand(shape)).exp() / self.rate
        dtype = self.concentration.dtype
        return numbers.to(dtype).clamp(float(dtypes.finfo(dtype).tiny))

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        powers = xlogy(self.concentration, self.rate) + xlogy(self.concentration - 1, value)
        return powers - self.rate * value - lgamma(self.concentration)

    def cdf(self, value: Tensor) -> Any:
        """The share below the value; it has no gradient for the concentration."""
        self._validate_sample(value)
        return igamma(self.concentration, self.rate * value)

    def entropy(self) -> Any:
        a = self.concentration
        return a - self.rate.log() + lgamma(a) + (1 - a) * a.digamma()


class Chi2(Gamma):
    """The law of the sum of `df` squares of standard normal numbers."""

    arg_constraints = {"df": constraints.positive}

    def __init__(self, df: Tensor | float, validate_args: bool | None = None) -> None:
        (half,) = broadcast_all("Chi2", df)
        super().__init__(half / 2, 0.5, validate_args)

    @property
    def df(self) -> Any:
        return self.concentration * 2

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = self._with_batch(batch_shape, _instance)
        new.concentration = self.concentration.expand(batch_shape)
        new.rate = self.rate.expand(batch_shape)
        return new


class Beta(Distribution):
    """The density x^(a - 1) (1 - x)^(b - 1) / B(a, b) in [0, 1], where a is `concentration1` and b
    `concentration0`.
    """

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        concentration1: Tensor | float,
        concentration0: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        self.concentration1, self.concentration0 = broadcast_all(
            "Beta", concentration1, concentration0
        )
        super().__init__(self.concentration1.shape, (), validate_args)

    @property
    def _total(self) -> Any:
        return self.concentration1 + self.concentration0

    @property
    def mean(self) -> Any:
        return self.concentration1 / self._total

    @property
    def mode(self) -> Any:
        both = stack((self.concentration1, self.concentration0), -1)
        return Dirichlet(both, validate_args=False).mode[..., 0]

    @property
    def variance(self) -> Any:
        total = self._total
        return self.concentration1 * self.concentration0 / (total**2 * (total + 1))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        first = log_gamma(self.concentration1.expand(shape))
        second = log_gamma(self.concentration0.expand(shape))
        return (first - second).sigmoid().to(self.concentration1.dtype)

    def _log_beta(self) -> Any:
        return lgamma(self.concentration1) + lgamma(self.concentration0) - lgamma(self._total)

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        powers = xlogy(self.concentration1 - 1, value)
        return powers + xlog1py(self.concentration0 - 1, -value) - self._log_beta()

    def entropy(self) -> Any:
        a, b, total = self.concentration1, self.concentration0, self._total
        parts = (total - 2) * total.digamma() - (a - 1) * a.digamma() - (b - 1) * b.digamma()
        return self._log_beta() + parts


class Dirichlet(Distribution):
    """Probabilities of k classes, of density proportional to the product of x_i^(a_i - 1); a is the
    `concentration` (..., k).
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex
    has_rsample = True

    def __init__(self, concentration: Tensor, validate_args: bool | None = None) -> None:
        if not isinstance(concentration, TensorCore):
            kind = type(concentration).__name__
            raise TypeError(f"Dirichlet: expected a tensor as concentration, got {kind}")
        if concentration.ndim < 1:
            raise ShapeError("Dirichlet: expected a concentration of 1 dimension at least, got 0")
        self.concentration: Any = concentration
        shape = concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self) -> Any:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Any:
        above = (self.concentration - 1).clamp(0)
        inside = above / above.sum(-1, keepdim=True)
        corner = one_hot(self.concentration.argmax(-1), above.shape[-1]).to(above.dtype)
        return where((self.concentration < 1).all(-1, keepdim=True), corner, inside)

    @property
    def variance(self) -> Any:
        total = self.concentration.sum(-1, keepdim=True)
        mean = self.concentration / total
        return mean * (1 - mean) / (total + 1)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        numbers = softmax(log_gamma(self.concentration.expand(shape)), -1)
        return numbers.to(self.concentration.dtype)

    def _log_beta(self) -> Any:
        return lgamma(self.concentration).sum(-1) - lgamma(self.concentration.sum(-1))

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        return xlogy(self.concentration - 1, value).sum(-1) - self._log_beta()

    def entropy(self) -> Any:
        a, total = self.concentration, self.concentration.sum(-1)
        parts = (total - a.shape[-1]) * total.digamma() - ((a - 1) * a.digamma()).sum(-1)
        return self._log_beta() + parts


class StudentT(Distribution):
    """The law of loc + scale * z / sqrt(c / df), where z is standard normal and c chi squared of
    `df` degrees of freedom.
    """

    arg_constraints = {
        "df": constraints.positive,
        "loc": constraints.real,
        "scale": constraints.positive,
    }
    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        df: Tensor | float,
        loc: Tensor | float = 0.0,
        scale: Tensor | float = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        self.df, self.loc, self.scale = broadcast_all("StudentT", df, loc, scale)
        super().__init__(self.df.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return where(self.df > 1, self.loc, math.nan)

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        finite = self.df > 2
        df = where(finite, self.df, 3.0)
        value = self.scale**2 * (df / (df - 2))
        return where(finite, value, where(self.df > 1, math.inf, math.nan))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        drawn = randn(shape, dtype=self.df.dtype, device=self.df.device)
        half = self.df / 2
        spread = ((half.log() - log_gamma(half.expand(shape))) / 2).exp()
        return self.loc + self.scale * (drawn * spread.to(self.df.dtype))

    def _log_beta(self) -> Any:
        return lgamma(self.df / 2) + math.lgamma(0.5) - lgamma((self.df + 1) / 2)

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        distance = (value - self.loc) / self.scale
        powers = (self.df + 1) / 2 * (distance * distance / self.df).log1p()
        return -powers - self.scale.log() - self.df.log() / 2 - self._log_beta()

    def entropy(self) -> Any:
        half = (self.df + 1) / 2
        slope = half * (half.digamma() - (self.df / 2).digamma())
        return slope + self.df.log() / 2 + self._log_beta() + self.scale.log()
