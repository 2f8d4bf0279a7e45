"""Laws of whole numbers: Bernoulli, geometric, binomial, Poisson."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad.distributions import constraints
from tensorgrad.distributions.distribution import Distribution
from tensorgrad.distributions.elementary import uniform
from tensorgrad.distributions.parameters import (
    broadcast_all,
    lazy_property,
    logits_to_probs,
    one_of,
    probs_to_logits,
)
from tensorgrad.modes import no_grad
from tensorgrad.ops.choice import where
from tensorgrad.ops.creation import arange
from tensorgrad.ops.loss import binary_cross_entropy_with_logits
from tensorgrad.ops.rejection import binomial, poisson
from tensorgrad.ops.special import lgamma, xlogy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorgrad._tensor import Tensor

__all__ = ["Bernoulli", "Binomial", "Geometric", "Poisson"]


class Odds(Distribution):
    """Trials that succeed with probability `probs`, or with log-odds `logits`."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}

    @lazy_property
    def logits(self) -> Any:
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Any:
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> Any:
        """The shape of `probs` and `logits`."""
        return self._param.size()

    @property
    def _param(self) -> Any:
        return self.__dict__["probs" if "probs" in self.__dict__ else "logits"]


class Bernoulli(Odds):
    """1 with probability p, else 0."""

    support = constraints.boolean
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        one_of("Bernoulli", probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all("Bernoulli", probs)
        else:
            (self.logits,) = broadcast_all("Bernoulli", logits)
        super().__init__(self._param.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        """1 or 0, and nan where both are as likely."""
        likely = (self.probs >= 0.5).to(self.probs.dtype)
        return where(self.probs == 0.5, math.nan, likely)

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        with no_grad():
            probs = self.probs
            return (uniform(self._extended_shape(sample_shape), probs) < probs).to(probs.dtype)

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        logits, value = broadcast_all("Bernoulli", self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value.to(logits.dtype), reduction="none")

    def entropy(self) -> Any:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Any:
        values = arange(2, dtype=self._param.dtype, device=self._param.device)
        return self._enumerated(values, expand)


class Geometric(Odds):
    """The number k of failures before the first success: (1 - p)^k p."""

    support = constraints.nonnegative_integer

    def __init__(
        self,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        one_of("Geometric", probs, logits)
        if probs is not None:
            (self.probs,) = broadcast_all("Geometric", probs)
        else:
            (self.logits,) = broadcast_all("Geometric", logits)
        super().__init__(self._param.shape, (), validate_args)
        if self._validate_args and probs is not None and not bool((self.probs > 0).all()):
            raise ValueError(f"Geometric: expected probs > 0, got {self.probs}")

    @property
    def mean(self) -> Any:
        return 1 / self.probs - 1

    @property
    def mode(self) -> Any:
        return self.probs * 0

    @property
    def variance(self) -> Any:
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        with no_grad():
            drawn = uniform(self._extended_shape(sample_shape), self.probs)
            return ((-drawn).log1p() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        certain = (self.probs == 1) & (value == 0)
        failures = value * (-where(certain, 0.0, self.probs)).log1p()
        return failures + self.probs.log()

    def entropy(self) -> Any:
        trial = binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")
        return trial / self.probs


class Binomial(Odds):
    """How many of `total_count` trials succeed."""

    arg_constraints = {"total_count": constraints.nonnegative_integer, **Odds.arg_constraints}
    has_enumerate_support = True

    def __init__(
        self,
        total_count: Tensor | int = 1,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        one_of("Binomial", probs, logits)
        if probs is not None:
            self.total_count, self.probs = broadcast_all("Binomial", total_count, probs)
        else:
            self.total_count, self.logits = broadcast_all("Binomial", total_count, logits)
        self.total_count = self.total_count.to(self._param.dtype)
        super().__init__(self._param.shape, (), validate_args)

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Any:
        return self.total_count * self.probs

    @property
    def mode(self) -> Any:
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            return binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        n, logits = self.total_count, self.logits
        ways = lgamma(n + 1) - lgamma(value + 1) - lgamma(n - value + 1)
        # n log(1 + exp(logits)), without overflow
        total = n * (logits.clamp(0) + (-logits.abs()).exp().log1p())
        return ways + value * logits - total

    def entropy(self) -> Any:
        values = self.enumerate_support(False)
        chances = self.log_prob(values)
        return -(chances.exp() * chances).sum(0)

    def enumerate_support(self, expand: bool = True) -> Any:
        most = int(self.total_count.max())
        if not bool((self.total_count == most).all()):
            raise NotImplementedError(
                f"Binomial: expected one total_count to enumerate, got {self.total_count}"
            )
        values = arange(most + 1, dtype=self._param.dtype, device=self._param.device)
        return self._enumerated(values, expand)


class Poisson(Distribution):
    """The count k with probability rate^k exp(-rate) / k!."""

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate: Tensor | float, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all("Poisson", rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.rate

    @property
    def mode(self) -> Any:
        return self.rate.floor()

    @property
    def variance(self) -> Any:
        return self.rate

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        with no_grad():
            return poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        return xlogy(value, self.rate) - self.rate - lgamma(value + 1)
