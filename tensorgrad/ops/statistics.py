"""Variance and what is computed from it."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from tensorgrad.fused import fused
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import widened
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.ops.reduction import Dim, _count, mean, reduced_dims, sum

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "std",
    "var",
]


@widened
def var(
    input: Tensor,
    dim: Dim = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Sum of squared distances from the mean, over (n - correction); correction 1 unless told."""
    if isinstance(dim, bool):  # PyTorch's var(unbiased)
        dim, unbiased = None, dim
    if correction is None:
        correction = 0 if unbiased is False else 1
    dim = reduced_dims(input, dim)
    centred = input - mean(input, dim, True)
    degrees = _count(input.shape, dim) - correction
    return sum(centred * centred, dim, keepdim) / builtins.max(degrees, 0)


def _through_root(g: Any, y: Any) -> Any:
    return where(y == 0, 0, g / where(y == 0, 1, 2 * y))


@fused(input=_through_root)
def root(input: Tensor) -> Tensor:
    """Square root with gradient 0 at 0."""
    return sqrt(input)


@widened
def std(
    input: Tensor,
    dim: Dim = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Square root of `var`; gradient 0 where that is 0."""
    return root(var(input, dim, unbiased, keepdim, correction=correction))
