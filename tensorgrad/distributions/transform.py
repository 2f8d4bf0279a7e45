"""What a transform is, its inverse, and transforms that are made of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.distributions import constraints
from tensorgrad.distributions.parameters import sum_rightmost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorgrad._tensor import Tensor

__all__ = ["ComposeTransform", "IndependentTransform", "Transform", "identity_transform"]


class Transform:
    """A function y = t(x), its inverse x = t.inv(y), and log |dy/dx|.

    domain, codomain: the constraints of x and y.
    bijective: whether t.inv(t(x)) is x.
    sign: 1 where y grows with x, -1 where it falls.
    cache_size: 1 keeps the last pair (x, y), so that the inverse of a y that was just made is the
        very x, without a loss of digits; 0 keeps none.
    """

    bijective: Any = False
    domain: Any = constraints.real
    codomain: Any = constraints.real
    sign: Any = 1

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError(f"cache_size: expected 0 or 1, got {cache_size}")
        self._cache_size = cache_size
        self._last: tuple[Any, Any] = (None, None)

    @property
    def event_dim(self) -> int:
        """How many of the last dimensions are transformed together."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueError(
                "event_dim: expected one for domain and codomain, got "
                f"{self.domain.event_dim} and {self.codomain.event_dim}"
            )
        return int(self.domain.event_dim)

    @property
    def inv(self) -> Transform:
        """The inverse; t.inv.inv is t."""
        return _InverseTransform(self)

    def with_cache(self, cache_size: int = 1) -> Any:
        """The same transform with the given cache."""
        if self._cache_size == cache_size:
            return self
        fields = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        return type(self)(**fields, cache_size=cache_size)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._same(other)

    def _same(self, other: Any) -> bool:
        return True

    __hash__ = object.__hash__

    def __call__(self, x: Any) -> Any:
        if self._cache_size and x is self._last[0]:
            return self._last[1]
        y = self._call(x)
        if self._cache_size:
            self._last = x, y
        return y

    def _inv_call(self, y: Any) -> Any:
        if self._cache_size and y is self._last[1]:
            return self._last[0]
        x = self._inverse(y)
        if self._cache_size:
            self._last = x, y
        return x

    def _call(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: expected a _call, got none")

    def _inverse(self, y: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: expected an _inverse, got none")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        """log |dy/dx| for each event."""
        name = type(self).__name__
        raise NotImplementedError(f"{name}: expected a log_abs_det_jacobian, got none")

    def forward_shape(self, shape: Any) -> Any:
        """The shape of y for that of x."""
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """The shape of x for that of y."""
        return shape

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _InverseTransform(Transform):
    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self.forward = transform
        self.domain = transform.codomain
        self.codomain = transform.domain
        self.bijective = transform.bijective

    @property
    def sign(self) -> Any:
        return self.forward.sign

    @property
    def inv(self) -> Transform:
        return self.forward

    def with_cache(self, cache_size: int = 1) -> Any:
        return self.forward.with_cache(cache_size).inv

    def _same(self, other: Any) -> bool:
        return bool(self.forward == other.forward)

    def __call__(self, x: Any) -> Any:
        return self.forward._inv_call(x)

    def _inv_call(self, y: Any) -> Any:
        return self.forward(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        return -self.forward.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Any:
        return self.forward.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self.forward.forward_shape(shape)

    def __repr__(self) -> str:
        return f"_InverseTransform({self.forward!r})"


class ComposeTransform(Transform):
    """Several transforms, one after the other."""

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [part.with_cache(1) for part in parts] if cache_size else list(parts)

    def _same(self, other: Any) -> bool:
        return bool(self.parts == other.parts)

    @constraints.dependent_property
    def domain(self) -> Any:
        if not self.parts:
            return constraints.real
        dims = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            dims += part.domain.event_dim - part.codomain.event_dim
            dims = max(dims, part.domain.event_dim)
        return _widened(self.parts[0].domain, dims)

    @constraints.dependent_property
    def codomain(self) -> Any:
        if not self.parts:
            return constraints.real
        dims = self.parts[0].domain.event_dim
        for part in self.parts:
            dims += part.codomain.event_dim - part.domain.event_dim
            dims = max(dims, part.codomain.event_dim)
        return _widened(self.parts[-1].codomain, dims)

    @property
    def bijective(self) -> Any:
        return all(part.bijective for part in self.parts)

    @property
    def sign(self) -> Any:
        sign = 1
        for part in self.parts:
            sign = sign * part.sign
        return sign

    @property
    def inv(self) -> Transform:
        return _InverseTransform(self)

    def __call__(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x

    def _inv_call(self, y: Any) -> Any:
        for part in reversed(self.parts):
            y = part.inv(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        between = [x]
        for part in self.parts[:-1]:
            between.append(part(between[-1]))
        between.append(y)
        total: Any = x * 0 if not self.parts else 0
        dims = self.domain.event_dim
        for part, before, after in zip(self.parts, between, between[1:]):
            change = part.log_abs_det_jacobian(before, after)
            total = total + sum_rightmost(change, dims - part.domain.event_dim)
            dims += part.codomain.event_dim - part.domain.event_dim
        return total

    def forward_shape(self, shape: Any) -> Any:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __repr__(self) -> str:
        return "ComposeTransform([" + ", ".join(map(repr, self.parts)) + "])"


def _widened(constraint: Any, dims: int) -> Any:
    more = dims - constraint.event_dim
    return constraints.independent(constraint, more) if more else constraint


class IndependentTransform(Transform):
    """A transform whose log |dy/dx| is summed over `reinterpreted_batch_ndims` further
    dimensions.
    """

    def __init__(
        self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @constraints.dependent_property
    def domain(self) -> Any:
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @constraints.dependent_property
    def codomain(self) -> Any:
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def bijective(self) -> Any:
        return self.base_transform.bijective

    @property
    def sign(self) -> Any:
        return self.base_transform.sign

    def _same(self, other: Any) -> bool:
        same = self.reinterpreted_batch_ndims == other.reinterpreted_batch_ndims
        return bool(same and self.base_transform == other.base_transform)

    def _call(self, x: Any) -> Any:
        return self.base_transform(x)

    def _inverse(self, y: Any) -> Any:
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        change = self.base_transform.log_abs_det_jacobian(x, y)
        return sum_rightmost(change, self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Any) -> Any:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


identity_transform = ComposeTransform([])
