"""Transforms of whole vectors and matrices: to shares of 1 and to positive definite matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.distributions import constraints
from tensorgrad.distributions.transform import Transform
from tensorgrad.errors import ShapeError
from tensorgrad.linalg import cholesky
from tensorgrad.ops.activation import logsigmoid
from tensorgrad.ops.creation import arange
from tensorgrad.ops.padding import pad
from tensorgrad.ops.softmaxes import softmax

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "SoftmaxTransform",
    "StickBreakingTransform",
]


class SoftmaxTransform(Transform):
    """y = softmax(x) over the last dimension; of its many inverses, log(y)."""

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Any) -> Any:
        return softmax(x, -1)

    def _inverse(self, y: Any) -> Any:
        return y.log()


class StickBreakingTransform(Transform):
    """From n numbers to n + 1 shares of a stick: each takes sigmoid(x - log(k)) of what is left,
    where k shares follow; the last takes the rest. x = 0 gives equal shares.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex
    bijective = True

    def _call(self, x: Any) -> Any:
        shares = _centred(x, -1).sigmoid().clamp(*_limits(x))
        rest = (1 - shares).cumprod(-1)
        return pad(shares, (0, 1), value=1) * pad(rest, (1, 0), value=1)

    def _inverse(self, y: Any) -> Any:
        shares = y[..., :-1]
        rest = (1 - shares.cumsum(-1)).clamp(min=_limits(y)[0])
        return _centred(shares.log() - rest.log(), 1)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Any:
        x = _centred(x, -1)
        return (logsigmoid(x) - x + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        return _lengthened("forward_shape", shape, 1)

    def inverse_shape(self, shape: Any) -> Any:
        return _lengthened("inverse_shape", shape, -1)


def _centred(x: Any, sign: int) -> Any:
    """x + sign * log(k), where k elements follow and one stands for the rest."""
    count = x.shape[-1]
    return x + sign * arange(count, 0, -1, dtype=x.dtype, device=x.device).log()


def _limits(x: Any) -> tuple[float, float]:
    """What the dtype has next to 0 and to 1."""
    limits = dtypes.finfo(x.dtype)
    return float(limits.tiny), 1 - float(limits.eps)


def _lengthened(op: str, shape: Any, by: int) -> Any:
    if not shape:
        raise ShapeError(f"{op}: expected at least one dimension, got shape {list(shape)}")
    return (*shape[:-1], shape[-1] + by)


class LowerCholeskyTransform(Transform):
    """Below the diagonal y = x, on it y = exp(x), above it 0."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Any) -> Any:
        return x.tril(-1) + x.diagonal(0, -2, -1).exp().diag_embed()

    def _inverse(self, y: Any) -> Any:
        return y.tril(-1) + y.diagonal(0, -2, -1).log().diag_embed()


class PositiveDefiniteTransform(Transform):
    """y = L L^T, where L is the lower triangle that `LowerCholeskyTransform` makes of x."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x: Any) -> Any:
        lower = LowerCholeskyTransform()(x)
        return lower @ lower.mT

    def _inverse(self, y: Any) -> Any:
        return LowerCholeskyTransform().inv(cholesky(y))
