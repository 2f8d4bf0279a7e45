"""The class of all distributions: shapes, validation, expansion, and what follows from the rest."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

from tensorgrad.distributions.constraints import is_dependent
from tensorgrad.distributions.parameters import lazy_property
from tensorgrad.errors import ShapeError
from tensorgrad.formats import Size
from tensorgrad.graph import TensorCore
from tensorgrad.modes import no_grad

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorgrad._tensor import Tensor

__all__ = ["Distribution"]


class Distribution:
    """Base of the probability distributions.

    A sample has the shape `sample_shape + batch_shape + event_shape`: as many independent draws as
    asked for, of each member of a batch of parameters, of events that are scalars, vectors or
    matrices.

    validate_args: whether parameters and values are checked (they are, but under `python -O`).

    Raises ValueError for a parameter or value outside its constraint or of another shape, and
    NotImplementedError for a quantity that a distribution does not have.
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: Any = {}
    _validate_args: ClassVar[bool] = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions that are not told otherwise check parameters and values."""
        if value not in (True, False):
            raise ValueError(f"set_default_validate_args: expected a bool, got {value!r}")
        Distribution._validate_args = value

    def __init__(
        self,
        batch_shape: Sequence[int] = (),
        event_shape: Sequence[int] = (),
        validate_args: bool | None = None,
    ) -> None:
        self._batch_shape = Size(batch_shape)
        self._event_shape = Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args  # type: ignore[misc]
        if self._validate_args:
            self._check_parameters()

    def _check_parameters(self) -> None:
        for name, constraint in self.arg_constraints.items():
            lazy = name not in self.__dict__ and isinstance(
                getattr(type(self), name, None), lazy_property
            )
            if lazy or is_dependent(constraint):
                continue
            value = getattr(self, name)
            if not bool(constraint.check(value).all()):
                raise ValueError(
                    f"{type(self).__name__}: expected {name} to satisfy {constraint!r}, got {value}"
                )

    # ---- shapes

    @property
    def batch_shape(self) -> Size:
        """The shape of the batch of parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one event of one member of the batch."""
        return self._event_shape

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """The distribution with its parameters expanded to another batch shape; nothing is
        copied. A subclass with fields of its own expands those, and gives them in `_instance`,
        which `_get_checked_instance` made.
        """
        new = self._with_batch(batch_shape, _instance)
        for name, constraint in self.arg_constraints.items():
            value = self.__dict__.get(name)
            if isinstance(value, TensorCore):
                event = value._array.shape[value._array.ndim - constraint.event_dim :]
                new.__dict__[name] = value.expand(new._batch_shape + event)  # type: ignore[attr-defined]
        return new

    def _get_checked_instance(self, cls: type, _instance: Any = None) -> Any:
        """The instance that a subclass has begun, or a new one without fields. `cls` is the class
        whose `expand` asks: a subclass with a constructor of its own must have its own.
        """
        if _instance is not None:
            return _instance
        if type(self).__init__ is not cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(
                f"expand: expected {type(self).__name__}, which has an __init__ of its own, to "
                "have an expand as well"
            )
        return object.__new__(type(self))

    def _with_batch(self, batch_shape: Sequence[int], _instance: Any) -> Any:
        if _instance is None:
            new = copy.copy(self)
        else:
            new = _instance
            new.__dict__.update({**vars(self), **vars(new)})
        new._batch_shape = Size(batch_shape)
        return new

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> Size:
        return Size((*sample_shape, *self._batch_shape, *self._event_shape))

    # ---- what each distribution has

    @property
    def support(self) -> Any:
        """The constraint that samples fulfil."""
        raise self._lacking("support")

    @property
    def mean(self) -> Any:
        raise self._lacking("mean")

    @property
    def mode(self) -> Any:
        raise self._lacking("mode")

    @property
    def variance(self) -> Any:
        raise self._lacking("variance")

    @property
    def stddev(self) -> Any:
        """The root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draws, without gradients."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Draws as differentiable functions of the parameters, where `has_rsample`."""
        raise self._lacking("rsample")

    def sample_n(self, n: int) -> Any:
        """n draws."""
        return self.sample((n,))

    def log_prob(self, value: Tensor) -> Any:
        """The logarithm of the density or probability at the value."""
        raise self._lacking("log_prob")

    def cdf(self, value: Tensor) -> Any:
        """The probability of what is at most the value."""
        raise self._lacking("cdf")

    def icdf(self, value: Tensor) -> Any:
        """The number whose cdf is the value."""
        raise self._lacking("icdf")

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values of a discrete distribution along a new first dimension; expanded over the
        batch, or with ones in its place.
        """
        raise self._lacking("enumerate_support")

    def entropy(self) -> Any:
        """Minus the mean of log_prob, in nats."""
        raise self._lacking("entropy")

    def perplexity(self) -> Any:
        """exp(entropy)."""
        return self.entropy().exp()

    def _lacking(self, what: str) -> NotImplementedError:
        return NotImplementedError(
            f"{type(self).__name__}: expected a distribution with {what}, got one without"
        )

    # ---- help for them

    def _validate_sample(self, value: Any) -> None:
        """Raise ValueError for a value that is no tensor, has a shape that does not fit, or lies
        outside the support.
        """
        if not self._validate_args:
            return
        name = type(self).__name__
        if not isinstance(value, TensorCore):
            raise ValueError(f"{name}: expected a tensor as value, got {type(value).__name__}")
        found, wanted = value._array.shape, self._extended_shape()
        event = len(self._event_shape)
        fits = found[len(found) - event :] == tuple(self._event_shape) and all(
            1 in pair or pair[0] == pair[1] for pair in zip(reversed(found), reversed(wanted))
        )
        if not fits:
            raise ShapeError(
                f"{name}: expected a value that broadcasts with batch shape "
                f"{list(self._batch_shape)} and ends in event shape {list(self._event_shape)}, "
                f"got shape {list(found)}"
            )
        if not bool(self.support.check(value).all()):
            raise ValueError(f"{name}: expected a value within {self.support!r}, got {value}")

    def _enumerated(self, values: Any, expand: bool) -> Any:
        """Values (n,) of a scalar event as `enumerate_support` gives them."""
        values = values.reshape((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1, *self._batch_shape)) if expand else values

    def __repr__(self) -> str:
        parts = []
        for name in self.arg_constraints:
            known = name in self.__dict__ or type(getattr(type(self), name, None)) is property
            if known:
                value = getattr(self, name)
                said = value.shape if value.numel() != 1 else value.item()
                parts.append(f"{name}: {said if value.numel() == 1 else Size(said)}")
        return f"{type(self).__name__}({', '.join(parts)})"
