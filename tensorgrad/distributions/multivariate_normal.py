"""The normal law of vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad.distributions import constraints
from tensorgrad.distributions.distribution import Distribution
from tensorgrad.distributions.parameters import lazy_property
from tensorgrad.errors import ShapeError
from tensorgrad.linalg import cholesky, solve_triangular
from tensorgrad.ops.factors import cholesky_inverse
from tensorgrad.ops.joining import broadcast_shapes
from tensorgrad.ops.sampling import randn
from tensorgrad.ops.sequences import eye

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorgrad._tensor import Tensor

__all__ = ["MultivariateNormal"]


class MultivariateNormal(Distribution):
    """Vectors of the mean `loc` (..., n) and a covariance, given by one of `covariance_matrix`, its
    inverse `precision_matrix` and its lower Cholesky factor `scale_tril` (..., n, n). The factor
    is what is computed with.
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        matrices: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        if len(matrices) != 1:
            raise ValueError(
                "MultivariateNormal: expected one of covariance_matrix, precision_matrix and "
                f"scale_tril, got {' and '.join(matrices) or 'none'}"
            )
        ((name, matrix),) = matrices.items()
        if loc.ndim < 1 or matrix.ndim < 2:
            raise ShapeError(
                f"MultivariateNormal: expected a loc of shape (..., n) and a {name} of shape "
                f"(..., n, n), got {list(loc.shape)} and {list(matrix.shape)}"
            )
        batch = broadcast_shapes(matrix.shape[:-2], loc.shape[:-1])
        self.loc: Any = loc.expand((*batch, -1))
        self.__dict__[name] = matrix.expand((*batch, -1, -1))
        super().__init__(batch, self.loc.shape[-1:], validate_args)
        if name == "scale_tril":
            self._factor = matrix
        elif name == "covariance_matrix":
            self._factor = cholesky(matrix)
        else:
            # With the order of rows and columns turned, P = U U^T has U upper triangular, and the
            # covariance's factor is the inverse of U^T, which is lower triangular.
            turned = cholesky(matrix.flip(-2, -1)).flip(-2, -1).mT
            unit = eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
            self._factor = solve_triangular(turned, unit, upper=False)

    def _full(self, matrix: Any) -> Any:
        return matrix.expand((*self._batch_shape, *self._event_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self) -> Any:
        return self._full(self._factor)

    @lazy_property
    def covariance_matrix(self) -> Any:
        return self._full(self._factor @ self._factor.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        return self._full(cholesky_inverse(self._factor))

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        return (self._factor**2).sum(-1).expand((*self._batch_shape, *self._event_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        drawn = randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        if self._factor.ndim == 2:
            return self.loc + drawn @ self._factor.mT
        return self.loc + (self._factor @ drawn.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Any:
        self._validate_sample(value)
        squares = squared_distance(self._factor, value - self.loc)
        constant = self._event_shape[0] * math.log(2 * math.pi)
        return -(constant + squares) / 2 - half_log_determinant(self._factor)

    def entropy(self) -> Any:
        constant = self._event_shape[0] * (1 + math.log(2 * math.pi)) / 2
        return (constant + half_log_determinant(self._factor)).expand(self._batch_shape)


def half_log_determinant(factor: Any) -> Any:
    """Half of the logarithm of the determinant of L L^T."""
    return factor.diagonal(0, -2, -1).log().sum(-1)


def squared_distance(factor: Any, difference: Any) -> Any:
    """d^T (L L^T)^-1 d, of one factor L for all d or of one for each."""
    if factor.ndim > 2:
        solved = solve_triangular(factor, difference.unsqueeze(-1), upper=False).squeeze(-1)
    else:
        columns = difference.reshape(-1, difference.shape[-1]).mT
        solved = solve_triangular(factor, columns, upper=False).mT.reshape(difference.shape)
    return (solved * solved).sum(-1)
