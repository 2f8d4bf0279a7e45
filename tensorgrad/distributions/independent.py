"""Distributions made of others: batch dimensions taken for events, and mixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.distributions import constraints
from tensorgrad.distributions.categorical import Categorical
from tensorgrad.distributions.distribution import Distribution
from tensorgrad.distributions.parameters import normalized, sum_rightmost
from tensorgrad.errors import ShapeError
from tensorgrad.modes import no_grad
from tensorgrad.ops.softmaxes import logsumexp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorgrad._tensor import Tensor

__all__ = ["Independent", "MixtureSameFamily"]


class Independent(Distribution):
    """A distribution whose last `reinterpreted_batch_ndims` batch dimensions are part of the event:
    log_prob is summed over them.
    """

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(base_distribution, Distribution):
            raise TypeError(
                f"Independent: expected a distribution, got {type(base_distribution).__name__}"
            )
        batch = base_distribution.batch_shape
        if not 0 <= reinterpreted_batch_ndims <= len(batch):
            raise ShapeError(
                f"Independent: expected reinterpreted_batch_ndims from 0 to {len(batch)}, the "
                f"batch dimensions, got {reinterpreted_batch_ndims}"
            )
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        cut = len(batch) - reinterpreted_batch_ndims
        event = (*batch[cut:], *base_distribution.event_shape)
        super().__init__(batch[:cut], event, validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = self._with_batch(batch_shape, _instance)
        inner = self._event_shape[: self.reinterpreted_batch_ndims]
        new.base_dist = self.base_dist.expand((*batch_shape, *inner))
        return new

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        return not self.reinterpreted_batch_ndims and self.base_dist.has_enumerate_support

    @constraints.dependent_property
    def support(self) -> Any:
        inner = self.base_dist.support
        count = self.reinterpreted_batch_ndims
        return constraints.independent(inner, count) if count else inner

    @property
    def mean(self) -> Any:
        return self.base_dist.mean

    @property
    def mode(self) -> Any:
        return self.base_dist.mode

    @property
    def variance(self) -> Any:
        return self.base_dist.variance

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Any:
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Any:
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def enumerate_support(self, expand: bool = True) -> Any:
        if self.reinterpreted_batch_ndims:
            raise NotImplementedError(
                "Independent: expected no batch dimension in the event to enumerate, got "
                f"{self.reinterpreted_batch_ndims}"
            )
        return self.base_dist.enumerate_support(expand)

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


class _AnyComponent(constraints.Constraint):
    """What every component of a mixture supports."""

    def __init__(self, support: Any) -> None:
        self.support = support

    @property
    def is_discrete(self) -> Any:
        return self.support.is_discrete

    @property
    def event_dim(self) -> Any:
        return self.support.event_dim

    def check(self, value: Tensor) -> Any:
        return self.support.check(value.unsqueeze(-1 - self.event_dim)).all(-1)


class MixtureSameFamily(Distribution):
    """A mixture: with the probabilities of `mixture_distribution`, a `Categorical`, one of the
    components that lie along the last batch dimension of `component_distribution`.
    """

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        for given, kind in (
            (mixture_distribution, Categorical),
            (component_distribution, Distribution),
        ):
            if not isinstance(given, kind):
                found = type(given).__name__
                raise ValueError(f"MixtureSameFamily: expected a {kind.__name__}, got {found}")
        weights, batch = mixture_distribution.param_shape, component_distribution.batch_shape
        fits = len(weights) <= len(batch) and weights[-1:] == batch[-1:]
        fits = fits and all(
            1 in pair or pair[0] == pair[1] for pair in zip(reversed(weights), reversed(batch))
        )
        if not fits:
            raise ShapeError(
                "MixtureSameFamily: expected mixture probabilities that broadcast with the "
                f"components' batch, got shapes {list(weights)} and {list(batch)}"
            )
        self._mixture = mixture_distribution
        self._component = component_distribution
        super().__init__(batch[:-1], component_distribution.event_shape, validate_args)

    @property
    def mixture_distribution(self) -> Categorical:
        return self._mixture

    @property
    def component_distribution(self) -> Distribution:
        return self._component

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = self._with_batch(batch_shape, _instance)
        new._mixture = self._mixture.expand(batch_shape)
        new._component = self._component.expand((*batch_shape, self._component.batch_shape[-1]))
        return new

    @constraints.dependent_property
    def support(self) -> Any:
        return _AnyComponent(self._component.support)

    def _mixed(self, values: Any) -> Any:
        """The mean over the components of values (..., components, *event)."""
        weights = self._mixture.probs
        weights = weights.reshape((*weights.shape, *(1,) * len(self._event_shape)))
        return (weights * values).sum(self._dim)

    @property
    def _dim(self) -> int:
        return -1 - len(self._event_shape)

    @property
    def mean(self) -> Any:
        return self._mixed(self._component.mean)

    @property
    def variance(self) -> Any:
        """The mean of the variances and the variance of the means."""
        apart = self._component.mean - self.mean.unsqueeze(self._dim)
        return self._mixed(self._component.variance) + self._mixed(apart * apart)

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        with no_grad():
            place = len(sample_shape) + len(self._batch_shape)
            chosen = self._mixture.expand(self._batch_shape).sample(sample_shape)
            chosen = chosen.reshape((*chosen.shape, *(1,) * (1 + len(self._event_shape))))
            chosen = chosen.expand((*chosen.shape[:place], 1, *self._event_shape))
            return self._component.sample(sample_shape).gather(place, chosen).squeeze(place)

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        each = self._component.log_prob(value.unsqueeze(self._dim))
        return logsumexp(each + normalized(self._mixture.logits), -1)

    def cdf(self, value: Tensor) -> Any:
        self._validate_sample(value)
        return (self._component.cdf(value.unsqueeze(self._dim)) * self._mixture.probs).sum(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamily(\n  {self._mixture},\n  {self._component})"
