"""Distributions of transformed numbers: any, log-normal, and relaxed ones of classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad.distributions import constraints
from tensorgrad.distributions.categorical import Categorical
from tensorgrad.distributions.counts import Odds
from tensorgrad.distributions.distribution import Distribution
from tensorgrad.distributions.elementary import exponential, uniform
from tensorgrad.distributions.independent import Independent
from tensorgrad.distributions.normal import Normal
from tensorgrad.distributions.parameters import (
    broadcast_all,
    clamp_probs,
    one_of,
    sum_rightmost,
)
from tensorgrad.distributions.transforms import (
    ComposeTransform,
    ExpTransform,
    SigmoidTransform,
    Transform,
)
from tensorgrad.errors import ShapeError
from tensorgrad.modes import no_grad
from tensorgrad.ops.activation import softplus
from tensorgrad.ops.softmaxes import log_softmax, logsumexp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorgrad._tensor import Tensor

__all__ = [
    "LogNormal",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "TransformedDistribution",
]


class TransformedDistribution(Distribution):
    """The law of t(x), x of `base_distribution` and t one transform or several in a list:
    log p(y) = log p(x) - log |dy/dx|.
    """

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | list[Transform],
        validate_args: bool | None = None,
    ) -> None:
        parts = [transforms] if isinstance(transforms, Transform) else transforms
        if not isinstance(parts, list) or not all(isinstance(t, Transform) for t in parts):
            raise ValueError(
                f"TransformedDistribution: expected a Transform or a list of them, got {parts!r}"
            )
        self.transforms = parts
        whole = ComposeTransform(parts)
        base_event = len(base_distribution.event_shape)
        base_shape = (*base_distribution.batch_shape, *base_distribution.event_shape)
        if len(base_shape) < whole.domain.event_dim:
            raise ShapeError(
                f"TransformedDistribution: expected a base of {whole.domain.event_dim} dimensions "
                f"at least, got shape {list(base_shape)}"
            )
        shape = tuple(whole.forward_shape(base_shape))
        inner = tuple(whole.inverse_shape(shape))
        if inner != base_shape:
            base_distribution = base_distribution.expand(inner[: len(inner) - base_event])
        more = whole.domain.event_dim - base_event
        if more > 0:
            base_distribution = Independent(base_distribution, more)
        self.base_dist = base_distribution
        change = whole.codomain.event_dim - whole.domain.event_dim
        cut = len(shape) - max(whole.codomain.event_dim, base_event + change)
        super().__init__(shape[:cut], shape[cut:], validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = self._with_batch(batch_shape, _instance)
        shape = ComposeTransform(self.transforms).inverse_shape((*batch_shape, *self._event_shape))
        new.base_dist = self.base_dist.expand(shape[: len(shape) - len(self.base_dist.event_shape)])
        return new

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    @constraints.dependent_property
    def support(self) -> Any:
        region = self.transforms[-1].codomain if self.transforms else self.base_dist.support
        more = len(self._event_shape) - region.event_dim
        return constraints.independent(region, more) if more > 0 else region

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        return self._forward(self.base_dist.rsample(sample_shape))

    def _forward(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        dims = len(self._event_shape)
        y: Any = value
        total: Any = 0
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            dims += transform.domain.event_dim - transform.codomain.event_dim
            change = transform.log_abs_det_jacobian(x, y)
            total = total - sum_rightmost(change, dims - transform.domain.event_dim)
            y = x
        inner = self.base_dist.log_prob(y)
        return total + sum_rightmost(inner, dims - len(self.base_dist.event_shape))

    def _turned(self, share: Any) -> Any:
        """1 - share where the transform falls."""
        sign = ComposeTransform(self.transforms).sign
        return share if isinstance(sign, int) and sign == 1 else sign * (share - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Any:
        self._validate_sample(value)
        x: Any = value
        for transform in reversed(self.transforms):
            x = transform.inv(x)
        return self._turned(self.base_dist.cdf(x))

    def icdf(self, value: Tensor) -> Any:
        return self._forward(self.base_dist.icdf(self._turned(value)))


class LogNormal(TransformedDistribution):
    """exp of a normal number of mean `loc` and standard deviation `scale`."""

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.positive
    base_dist: Any

    def __init__(
        self, loc: Tensor | float, scale: Tensor | float, validate_args: bool | None = None
    ) -> None:
        normal = Normal(loc, scale, validate_args)
        super().__init__(normal, ExpTransform(), validate_args)

    @property
    def loc(self) -> Any:
        return self.base_dist.loc

    @property
    def scale(self) -> Any:
        return self.base_dist.scale

    @property
    def mean(self) -> Any:
        return (self.loc + self.scale**2 / 2).exp()

    @property
    def mode(self) -> Any:
        return (self.loc - self.scale**2).exp()

    @property
    def variance(self) -> Any:
        square = self.scale**2
        return square.expm1() * (2 * self.loc + square).exp()

    def entropy(self) -> Any:
        return self.base_dist.entropy() + self.loc


class LogitRelaxedBernoulli(Odds):
    """The log-odds of a `RelaxedBernoulli` number: (logits + logistic noise) / temperature."""

    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        one_of("RelaxedBernoulli", probs, logits)
        self.temperature: Any = temperature
        if probs is not None:
            (self.probs,) = broadcast_all("RelaxedBernoulli", probs)
        else:
            (self.logits,) = broadcast_all("RelaxedBernoulli", logits)
        super().__init__(self._param.shape, (), validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        drawn = clamp_probs(uniform(self._extended_shape(sample_shape), self._param))
        noise = drawn.log() - (-drawn).log1p()
        return (self.logits + noise) / self.temperature

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        difference = self.logits - value * self.temperature
        return self._log_temperature + difference - 2 * softplus(difference)

    @property
    def _log_temperature(self) -> Any:
        (temperature,) = broadcast_all("RelaxedBernoulli", self.temperature)
        return temperature.log()


class RelaxedBernoulli(TransformedDistribution):
    """Numbers in (0, 1), near 0 and 1 for a low `temperature`, that are differentiable in the
    parameters: Maddison, Mnih, Teh, "The concrete distribution", ICLR 2017.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval
    base_dist: Any

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | float | None = None,
        logits: Tensor | float | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits, validate_args)
        super().__init__(base, SigmoidTransform(), validate_args)

    @property
    def temperature(self) -> Any:
        return self.base_dist.temperature

    @property
    def probs(self) -> Any:
        return self.base_dist.probs

    @property
    def logits(self) -> Any:
        return self.base_dist.logits


class ExpRelaxedCategorical(Distribution):
    """The logarithm of a `RelaxedOneHotCategorical` vector."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        self.temperature: Any = temperature
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = self._with_batch(batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new

    @property
    def probs(self) -> Any:
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        return self._categorical.logits

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        noise = -exponential(self._extended_shape(sample_shape), self._categorical._param).log()
        return log_softmax((self.logits + noise) / self.temperature, -1)

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        classes = self._event_shape[0]
        (temperature,) = broadcast_all("RelaxedOneHotCategorical", self.temperature)
        score = self.logits - value * self.temperature
        score = (score - logsumexp(score, -1, keepdim=True)).sum(-1)
        return score + math.lgamma(classes) + (classes - 1) * temperature.log()


class RelaxedOneHotCategorical(TransformedDistribution):
    """Probability vectors, near one-hot ones for a low `temperature`, that are differentiable in
    the parameters: Maddison, Mnih, Teh, 2017; Jang, Gu, Poole, "Categorical reparameterization with
    Gumbel-softmax", ICLR 2017.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex
    base_dist: Any

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args)
        super().__init__(base, ExpTransform(), validate_args)

    @property
    def temperature(self) -> Any:
        return self.base_dist.temperature

    @property
    def probs(self) -> Any:
        return self.base_dist.probs

    @property
    def logits(self) -> Any:
        return self.base_dist.logits
