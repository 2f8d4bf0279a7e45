"""The normal law on the line and on its half."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad.distributions import constraints
from tensorgrad.distributions.distribution import Distribution
from tensorgrad.distributions.parameters import broadcast_all
from tensorgrad.ops.choice import where
from tensorgrad.ops.sampling import randn
from tensorgrad.ops.special import erf, erfinv

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorgrad._tensor import Tensor

__all__ = ["HalfNormal", "Normal"]

LOG_ROOT = math.log(2 * math.pi) / 2


class Normal(Distribution):
    """The density exp(-((x - loc) / scale)^2 / 2) / (scale sqrt(2 pi)); `scale` is the standard
    deviation.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real
    has_rsample = True

    def __init__(
        self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale = broadcast_all("Normal", loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def stddev(self) -> Any:
        return self.scale

    @property
    def variance(self) -> Any:
        return self.scale**2

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        drawn = randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + drawn * self.scale

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        distance = (value - self.loc) / self.scale
        return -(distance * distance) / 2 - self.scale.log() - LOG_ROOT

    def cdf(self, value: Tensor) -> Any:
        self._validate_sample(value)
        return (1 + erf((value - self.loc) / (self.scale * math.sqrt(2)))) / 2

    def icdf(self, value: Tensor) -> Any:
        return self.loc + self.scale * erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Any:
        return 0.5 + LOG_ROOT + self.scale.log()


class HalfNormal(Distribution):
    """The absolute value of a normal number of mean 0 and standard deviation `scale`."""

    arg_constraints = {"scale": constraints.positive}
    support = constraints.nonnegative
    has_rsample = True

    def __init__(self, scale: Tensor | float, validate_args: bool | None = None) -> None:
        (self.scale,) = broadcast_all("HalfNormal", scale)
        super().__init__(self.scale.shape, (), validate_args)

    @property
    def mean(self) -> Any:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def mode(self) -> Any:
        return self.scale * 0

    @property
    def variance(self) -> Any:
        return self.scale**2 * (1 - 2 / math.pi)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        return randn(shape, dtype=self.scale.dtype, device=self.scale.device).abs() * self.scale

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        distance = value / self.scale
        inside = math.log(2) - distance * distance / 2 - self.scale.log() - LOG_ROOT
        return where(value >= 0, inside, -math.inf)

    def cdf(self, value: Tensor) -> Any:
        self._validate_sample(value)
        return erf(value / (self.scale * math.sqrt(2)))

    def icdf(self, value: Tensor) -> Any:
        return self.scale * erfinv(value) * math.sqrt(2)

    def entropy(self) -> Any:
        return 0.5 + LOG_ROOT - math.log(2) + self.scale.log()
