"""Covariances and correlations of variables, each a row of observations.

https://docs.pytorch.org/docs/stable/generated/torch.cov.html
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.ops.choice import clamp
from tensorgrad.ops.complex_parts import complex, conj, imag, is_complex, real
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.diagonals import diagonal
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.ops.reduction import smallest, sum
from tensorgrad.ops.shape import reshape, transpose, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "corrcoef",
    "cov",
]


def _check_weights(name: str, weights: Any, count: int, kind: int, what: str) -> None:
    if weights.ndim > 1:
        raise ShapeError(f"cov: expected {name} of 1 dimension, got {list(weights.shape)}")
    if dtypes.category(weights.dtype) != kind:
        raise DTypeError(f"cov: expected {name} of {what} dtype, got {weights.dtype}")
    if weights.numel() != count:
        raise ShapeError(f"cov: expected {count} {name}, got {weights.numel()}")
    if count and bool(smallest(weights) < 0):
        raise RuntimeError(f"cov: expected {name} >= 0, got {weights}")


def cov(
    input: Tensor,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """Covariance of the rows (variables) of an input of at most two dimensions; 0-d for one.

    The sum of the products of the distances from the means, over (n - correction).
    fweights: how often each observation is counted; aweights: how much it weighs.
    """
    if input.ndim > 2:
        raise ShapeError(f"cov: expected at most 2 dimensions, got {list(input.shape)}")
    if input.dtype == dtypes.bool_:
        raise DTypeError("cov: expected numbers, got bool")
    rows = input if input.ndim == 2 else reshape(input, (1, -1))
    count = rows.shape[1]
    weights: Any = None
    if fweights is not None:
        _check_weights("fweights", fweights, count, dtypes.INTEGRAL, "an integral")
        weights = fweights
    if aweights is not None:
        _check_weights("aweights", aweights, count, dtypes.FLOATING, "a floating point")
        weights = aweights if weights is None else weights * aweights

    dtype = dtypes.result_type(rows, 1.0 if weights is None else weights, 1.0)
    if dtype.itemsize == 2 or (weights is not None and dtype == dtypes.float32):
        rows = cast(rows, dtypes.float64)  # the gradients of weights are small differences
        weights = None if weights is None else cast(weights, dtypes.float64)

    # The sum of the weights, and by what the products are divided.
    known: Any = count
    if weights is not None:
        weights = reshape(weights, (-1,))
        known = sum(weights)
        if count and known.item() == 0:
            raise RuntimeError("cov: expected weights whose sum is not 0, got such")
    degrees: Any = known - correction
    if aweights is not None and correction:
        degrees = known - correction * sum(weights * aweights) / known
    if isinstance(degrees, int):
        degrees = builtins.max(degrees, 0)
    elif degrees.item() <= 0:
        degrees = degrees * 0
    centre = sum(rows if weights is None else rows * weights, 1, True) / known
    centred = rows - centre
    weighted = centred if weights is None else centred * weights
    result = matmul(centred, conj(transpose(weighted, 0, 1))) / degrees
    result = result if result.dtype == dtype else cast(result, dtype)
    return result if result.shape[0] != 1 else reshape(result, ())


def corrcoef(input: Tensor) -> Tensor:
    """Covariances of the rows over the products of their standard deviations, within [-1, 1]."""
    covariance = cov(input)
    if not covariance.ndim:
        return covariance / covariance
    deviations = sqrt(real(diagonal(covariance)))
    scaled = covariance / unsqueeze(deviations, 1) / unsqueeze(deviations, 0)
    if is_complex(scaled):
        return complex(clamp(real(scaled), -1, 1), clamp(imag(scaled), -1, 1))
    return clamp(scaled, -1, 1)
