"""Invertible functions with the logarithm of their volume's change: what `TransformedDistribution`
is made with.

https://docs.pytorch.org/docs/stable/distributions.html (transforms)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.distributions import constraints
from tensorgrad.distributions.parameters import sum_rightmost
from tensorgrad.distributions.transform import (
    ComposeTransform,
    IndependentTransform,
    Transform,
    identity_transform,
)
from tensorgrad.distributions.vector_transforms import (
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    SoftmaxTransform,
    StickBreakingTransform,
)
from tensorgrad.graph import TensorCore
from tensorgrad.ops.activation import softplus
from tensorgrad.ops.joining import broadcast_shapes

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "ComposeTransform",
    "ExpTransform",
    "IndependentTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StickBreakingTransform",
    "TanhTransform",
    "Transform",
    "identity_transform",
]


class ExpTransform(Transform):
    """y = exp(x)."""

    bijective = True
    codomain = constraints.positive

    def _call(self, x: Any) -> Any:
        return x.exp()

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        return x


class PowerTransform(Transform):
    """y = x^exponent for x > 0."""

    bijective = True
    domain = constraints.positive
    codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = exponent

    @property
    def sign(self) -> Any:
        return _sign(self.exponent)

    def _same(self, other: Any) -> bool:
        return _equal(self.exponent, other.exponent)

    def _call(self, x: Any) -> Any:
        return x**self.exponent

    def _inverse(self, y: Any) -> Any:
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        return (self.exponent * y / x).abs().log()


class SigmoidTransform(Transform):
    """y = 1 / (1 + exp(-x)), kept off 0 and 1 by the rounding of the dtype."""

    bijective = True
    codomain = constraints.unit_interval

    def _call(self, x: Any) -> Any:
        return _inside(x.sigmoid())

    def _inverse(self, y: Any) -> Any:
        inside = _inside(y)
        return inside.log() - (-inside).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        return -softplus(-x) - softplus(x)


def _inside(y: Any) -> Any:
    limits = dtypes.finfo(y.dtype)
    return y.clamp(float(limits.tiny), 1 - float(limits.eps))


class SoftplusTransform(Transform):
    """y = log(1 + exp(x))."""

    bijective = True
    codomain = constraints.positive

    def _call(self, x: Any) -> Any:
        return softplus(x)

    def _inverse(self, y: Any) -> Any:
        return (-(-y).expm1()).log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        return -softplus(-x)


class TanhTransform(Transform):
    """y = tanh(x)."""

    bijective = True
    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Any) -> Any:
        return x.tanh()

    def _inverse(self, y: Any) -> Any:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        """log(1 - tanh(x)^2), by a form that does not cancel."""
        return 2 * (math.log(2) - x - softplus(-2 * x))


class AbsTransform(Transform):
    """y = |x|; of the two inverses the positive one."""

    codomain = constraints.positive

    def _call(self, x: Any) -> Any:
        return x.abs()

    def _inverse(self, y: Any) -> Any:
        return y


class AffineTransform(Transform):
    """y = loc + scale x; `event_dim` dimensions are one event."""

    bijective = True

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc = loc
        self.scale = scale
        self._event_dim = event_dim
        region = constraints.independent(constraints.real, event_dim) if event_dim else None
        self._region = region or constraints.real

    @property
    def domain(self) -> Any:
        return self._region

    @property
    def codomain(self) -> Any:
        return self._region

    @property
    def sign(self) -> Any:
        return _sign(self.scale)

    def with_cache(self, cache_size: int = 1) -> Any:
        if self._cache_size == cache_size:
            return self
        return AffineTransform(self.loc, self.scale, self._event_dim, cache_size)

    def _same(self, other: Any) -> bool:
        return _equal(self.loc, other.loc) and _equal(self.scale, other.scale)

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        if isinstance(self.scale, TensorCore):
            change = self.scale.abs().log() + x * 0  # type: ignore[attr-defined]
        else:
            change = x * 0 + math.log(abs(self.scale))
        return sum_rightmost(change, self._event_dim)

    def _broadcast(self, shape: Any) -> Any:
        sides = [getattr(side, "shape", ()) for side in (self.loc, self.scale)]
        return broadcast_shapes(shape, *sides)

    def forward_shape(self, shape: Any) -> Any:
        return self._broadcast(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._broadcast(shape)


def _sign(factor: Any) -> Any:
    if isinstance(factor, TensorCore):
        return factor.sign()  # type: ignore[attr-defined]
    return (factor > 0) - (factor < 0)


def _equal(first: Any, second: Any) -> bool:
    if first is second:
        return True
    same = first == second
    return bool(same.all()) if isinstance(same, TensorCore) else bool(same)  # type: ignore[attr-defined]
