"""Lengths of vectors, and what is measured by them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.ops.arithmetic import minus, pow
from tensorgrad.ops.choice import clamp_to, where
from tensorgrad.ops.complex_parts import is_complex
from tensorgrad.ops.conversion import widened
from tensorgrad.ops.pointwise import abs, sign, sqrt
from tensorgrad.ops.reduction import Dim, largest, reduced_dims, restore, smallest, total
from tensorgrad.ops.shape import one_dim, unsqueeze
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "dist",
    "renorm",
]


@widened
def p_norm(input: Tensor, p: float = 2, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """(sum |input|^p)^(1/p) over `dim`; p may be infinite, or 0, which counts what is not 0.
    Gradient 0 at 0 for p = 2.
    """
    if not dtypes.is_differentiable(input.dtype):
        raise DTypeError(f"norm: expected a floating point dtype, got {input.dtype}")
    if is_complex(input):
        input = abs(input)
    dim = reduced_dims(input, dim)
    for d in (dim,) if isinstance(dim, int) else dim or ():
        one_dim("norm", d, input.ndim)
    if p == 2:
        return root_of_squares(input, dim, keepdim)
    if p == math.inf:
        return largest(abs(input), dim, keepdim)
    if p == -math.inf:
        return smallest(abs(input), dim, keepdim)
    if p == 1:
        return total(abs(input), dim, keepdim)
    if p == 0:
        return total(where(input != 0, 1, input * 0), dim, keepdim)
    return root_of_powers(input, float(p), dim, keepdim)


def _of_farthest(g: Any, input: Any, y: Any) -> Any:
    chosen = abs(input) == unsqueeze(y, -1)
    return unsqueeze(g, -1) * sign(input) * chosen


@fused(name="cdist", input=_of_farthest)
def farthest(input: Tensor) -> Tensor:
    """The largest |input| along the last dimension; each of equal ones has the whole gradient."""
    return largest(abs(input), -1, False)


def row_lengths(input: Tensor, p: float) -> Tensor:
    """The p-norm along the last dimension, as `cdist` and `pdist` differentiate it."""
    return farthest(input) if p == math.inf else p_norm(input, p, -1)


@takes_out
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other, over all elements."""
    return p_norm(minus(input, other), p)


@takes_out
@widened
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """The input with each slice at one place of `dim` scaled to the p-norm `maxnorm` where its own
    is larger.
    """
    if input.ndim < 2:
        raise ShapeError(f"renorm: expected at least 2 dimensions, got {list(input.shape)}")
    if p <= 0 or maxnorm < 0:
        raise RuntimeError(f"renorm: expected p > 0 and maxnorm >= 0, got {p} and {maxnorm}")
    place = one_dim("renorm", dim, input.ndim)
    lengths = p_norm(input, p, tuple([d for d in range(input.ndim) if d != place]), True)
    return input * where(lengths > maxnorm, maxnorm / (lengths + 1e-7), 1)


def _along_powers(g: Any, input: Any, y: Any, p: float, dim: Any, keepdim: bool) -> Any:
    length = restore(y, input.shape, dim, keepdim)
    flat = (input == 0) | (length == 0)
    share = pow(where(flat, 1, abs(input)) / where(flat, 1, length), p - 1)
    return restore(g, input.shape, dim, keepdim) * where(flat, 0, sign(input) * share)


@fused(input=_along_powers)
def root_of_powers(input: Tensor, p: float, dim: Any, keepdim: bool) -> Tensor:
    """(sum |input|^p)^(1/p) over `dim`; its gradient at 0 is 0."""
    return pow(total(pow(abs(input), p), dim, keepdim), 1 / p)


def _along_input(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    length = restore(y, input.shape, dim, keepdim)
    return restore(g, input.shape, dim, keepdim) * where(
        length == 0, 0, input / where(length == 0, 1, length)
    )


@fused(input=_along_input)
def root_of_squares(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """sqrt(sum(input^2)) over `dim`; its gradient at 0 is 0."""
    return sqrt(total(input * input, dim, keepdim))


@fused()
def unit_vectors(input: Tensor, dim: int, eps: float) -> Tensor:
    """input / max(its lengths along `dim`, eps)."""
    return input / clamp_to(root_of_squares(input, dim, True), eps, None)
