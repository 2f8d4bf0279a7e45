"""Cholesky factors of matrices, and what is solved with them.

https://docs.pytorch.org/docs/stable/linalg.html#matrix-decompositions
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad import dtypes
from tensorgrad.errors import LinAlgError
from tensorgrad.fused import fused
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import zeros_of
from tensorgrad.ops.diagonals import lower as lower_part
from tensorgrad.ops.linalg import matmul, swap_last
from tensorgrad.ops.matrices import (
    check_same_dtype,
    check_square,
    identity,
    in_one_batch,
)
from tensorgrad.ops.shape import reshape
from tensorgrad.ops.solving import (
    check_sides,
    triangular,
)
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "cholesky",
    "cholesky_inverse",
    "cholesky_solve",
]


class FactorInfo(NamedTuple):
    """What `cholesky_ex` returns."""

    L: Any
    info: Any


# ---- Cholesky: the gradient by Murray, "Differentiation of the Cholesky decomposition", 2016


def _cholesky_rule(g: Any, y: Any) -> Any:
    turned = swap_last(y)
    half = lower_part(matmul(turned, g), 0)
    middle = (half + swap_last(lower_part(half, -1))) / 2
    left = triangular(turned, middle, True, False)
    return triangular(turned, swap_last(left), True, False)


lower_factor: TensorFunction = primitive("cholesky", "input", input=_cholesky_rule)
first_bad_minor = primitive("indefinite_minor", "input")


@takes_out
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """Lower triangular L with L @ L^T = input, which must be positive definite; or upper U with
    U^T @ U = input. Only that triangle of the input is read.
    """
    check_square("linalg.cholesky", input)
    return swap_last(lower_factor(swap_last(input))) if upper else lower_factor(input)


@takes_out
def cholesky_ex(input: Tensor, *, upper: bool = False, check_errors: bool = False) -> FactorInfo:
    """(the factor, info): info is 0, or the order of the first leading minor that is not positive;
    the factor is NaN there.
    """
    check_square("linalg.cholesky_ex", input)
    source = swap_last(input) if upper else input
    try:
        factor = lower_factor(source)
        info = no_fault(source)
    except LinAlgError:
        if check_errors:
            raise
        info = first_bad_minor(source)
        factor = where_right(source, info, lower_factor)
    return FactorInfo(swap_last(factor) if upper else factor, info)


def no_fault(A: Any) -> Any:
    return cast(zeros_of(A, tuple(A.shape[:-2])), dtypes.int32)


def where_right(A: Any, info: Any, function: Any) -> Any:
    """The result for the matrices without fault; NaN for the others."""
    bad = reshape(info != 0, *info.shape, 1, 1)
    return where(bad, math.nan, function(where(bad, identity(A), A)))


# The gradient of a factor is that of a full matrix, as PyTorch's.


def _along_factor(slope: Any, L: Any, upper: bool) -> Any:
    both = -(slope + swap_last(slope))
    return matmul(L, both) if upper else matmul(both, L)


@fused(
    name="cholesky_inverse",
    L=lambda g, y, L, upper: _along_factor(matmul(y, matmul(g, y)), L, upper),
)
def inverse_by_factor(L: Tensor, upper: bool) -> Tensor:
    """M^T @ M, where M is the inverse of the lower triangular factor."""
    factor, one = in_one_batch("cholesky_inverse", swap_last(L) if upper else L, identity(L))
    half = triangular(factor, one, False, False)
    return matmul(swap_last(half), half)


def _solution_rule(g: Any, L: Any, upper: bool) -> Any:
    return solution_by_factor(g, L, upper)


def _solution_factor_rule(g: Any, y: Any, L: Any, upper: bool) -> Any:
    slope = matmul(solution_by_factor(g, L, upper), swap_last(y))
    return _along_factor(slope, L, upper)


@fused(name="cholesky_solve", B=_solution_rule, L=_solution_factor_rule)
def solution_by_factor(B: Tensor, L: Tensor, upper: bool) -> Tensor:
    """By the lower triangular factor, then by its transpose."""
    factor = swap_last(L) if upper else L
    half = triangular(factor, B, False, False)
    return triangular(swap_last(factor), half, True, False)


@takes_out
def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of L @ L^T (or U^T @ U) from its factor."""
    check_square("cholesky_inverse", L)
    return inverse_by_factor(L, upper)


@takes_out
def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X of L @ L^T @ X = B (or U^T @ U @ X = B) from the factor."""
    check_square("cholesky_solve", L)
    check_same_dtype("cholesky_solve", L, B)
    check_sides("cholesky_solve", L, B, True)
    L, B = in_one_batch("cholesky_solve", L, B)
    return solution_by_factor(B, L, upper)
