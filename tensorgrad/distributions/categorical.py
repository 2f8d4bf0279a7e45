"""Laws of one class among k, as a number, as a one-hot vector, and of counts of the classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.distributions import constraints
from tensorgrad.distributions.counts import Binomial
from tensorgrad.distributions.distribution import Distribution
from tensorgrad.distributions.parameters import (
    lazy_property,
    logits_to_probs,
    normalized,
    one_of,
    probs_to_logits,
)
from tensorgrad.errors import ShapeError
from tensorgrad.formats import Size
from tensorgrad.modes import no_grad
from tensorgrad.ops.choice import where
from tensorgrad.ops.creation import arange
from tensorgrad.ops.embedding import one_hot
from tensorgrad.ops.joining import broadcast_tensors
from tensorgrad.ops.sampling import multinomial
from tensorgrad.ops.sequences import eye
from tensorgrad.ops.special import lgamma

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorgrad._tensor import Tensor

__all__ = ["Categorical", "Multinomial", "OneHotCategorical", "OneHotCategoricalStraightThrough"]


class Categorical(Distribution):
    """The number of a class (int64), with the probabilities `probs` (..., k), made to sum to 1, or
    the unnormalized log-probabilities `logits`.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        one_of("Categorical", probs, logits)
        given: Any = probs if probs is not None else logits
        if given.ndim < 1:
            name = "probs" if probs is not None else "logits"
            raise ShapeError(f"Categorical: expected {name} of 1 dimension at least, got 0")
        if probs is not None:
            self.probs = given / given.sum(-1, keepdim=True)
        else:
            self.logits = normalized(given)
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], (), validate_args)

    @lazy_property
    def logits(self) -> Any:
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Any:
        return logits_to_probs(self.logits)

    @property
    def _param(self) -> Any:
        return self.__dict__["probs" if "probs" in self.__dict__ else "logits"]

    @property
    def param_shape(self) -> Size:
        """The shape of `probs` and `logits`."""
        return Size(self._param.shape)

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Any:
        return self._nowhere()

    @property
    def mode(self) -> Any:
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Any:
        return self._nowhere()

    def _nowhere(self) -> Any:
        return self._param.detach()[..., 0] * math.nan

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        count = math.prod(sample_shape)
        with no_grad():
            if not math.prod(shape):
                return self._param.new_zeros(shape, dtype=dtypes.int64)
            rows = self.probs.reshape(-1, self._num_events)
            return multinomial(rows, count, True).T.reshape(shape)

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        index = value.long().unsqueeze(-1)
        batch = broadcast_tensors(index, self.logits[..., :1])[0].shape[:-1]
        logits = self.logits.expand((*batch, self._num_events))
        return logits.gather(-1, index.expand((*batch, 1))).squeeze(-1)

    def entropy(self) -> Any:
        least = float(dtypes.finfo(self.logits.dtype).min)
        return -(self.logits.clamp(least) * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        values = arange(self._num_events, dtype=dtypes.int64, device=self._param.device)
        return self._enumerated(values, expand)


class _OfCategories(Distribution):
    """Vectors over the classes of a `Categorical`, of whose parameters they are made."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    _categorical: Categorical

    @property
    def probs(self) -> Any:
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        return self._categorical.logits

    @property
    def param_shape(self) -> Size:
        """The shape of `probs` and `logits`."""
        return self._categorical.param_shape

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = self._with_batch(batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new


class OneHotCategorical(_OfCategories):
    """As `Categorical`, with a vector that has 1 at the class and 0 elsewhere."""

    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        return self._vectors(self.probs.argmax(-1))

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        return self._vectors(self._categorical.sample(sample_shape))

    def _vectors(self, index: Any) -> Any:
        return one_hot(index, self._event_shape[0]).to(self._categorical._param.dtype)

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Any:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Any:
        size, like = self._event_shape[0], self._categorical._param
        values = eye(size, dtype=like.dtype, device=like.device)
        values = values.reshape((size,) + (1,) * len(self._batch_shape) + (size,))
        return values.expand((size, *self._batch_shape, size)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """A `OneHotCategorical` whose samples pass their gradients on to the probabilities: Bengio,
    Leonard, Courville, "Estimating or propagating gradients through stochastic neurons", 2013.
    """

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Multinomial(_OfCategories):
    """How often each class comes among `total_count` draws."""

    total_count: int

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            kind = type(total_count).__name__
            raise NotImplementedError(f"Multinomial: expected an int as total_count, got {kind}")
        self.total_count = total_count
        self._categorical = Categorical(probs, logits, validate_args)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Any:
        return self.probs * self.total_count

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        drawn = self._categorical.sample((self.total_count, *sample_shape)).movedim(0, -1)
        with no_grad():
            counts = self.probs.new_zeros(self._extended_shape(sample_shape))
            ones = counts.new_ones(()).expand(drawn.shape)
            return counts.scatter_add_(-1, drawn, ones)

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        logits = where((value == 0) & (self.logits == -math.inf), 0.0, self.logits)
        ways = lgamma(value.sum(-1) + 1) - lgamma(value + 1).sum(-1)
        return ways + (logits * value).sum(-1)

    def entropy(self) -> Any:
        """n H(class) - log n! + the sum over classes of the mean of log(count!)."""
        each = Binomial(self.total_count, probs=self.probs, validate_args=False)
        counts = each.enumerate_support(False)[1:]
        shares = each.log_prob(counts).exp() * lgamma(counts + 1)
        ways = math.lgamma(self.total_count + 1)
        return self.total_count * self._categorical.entropy() - ways + shares.sum(0).sum(-1)
