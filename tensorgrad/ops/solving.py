"""Inverses, determinants and solutions of linear systems.

https://docs.pytorch.org/docs/stable/linalg.html; the gradients are those of Giles, "Collected
matrix derivative results for forward and reverse mode algorithmic differentiation", 2008.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad.errors import ShapeError
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.diagonals import lower as lower_part
from tensorgrad.ops.diagonals import upper as upper_part
from tensorgrad.ops.linalg import matmul, swap_last
from tensorgrad.ops.matrices import check_same_dtype, check_square, in_one_batch
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shape import clone, reshape, unsqueeze
from tensorgrad.out import takes_out
from tensorgrad.several import primitive_of_several

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "det",
    "inverse",
    "logdet",
    "slogdet",
    "triangular_solve",
]


class SignLog(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


class TriangularSolution(NamedTuple):
    """What `triangular_solve` returns."""

    solution: Any
    cloned_coefficient: Any


def each(x: Any) -> Any:
    """Numbers of a batch in the shape that multiplies its matrices."""
    return reshape(x, *x.shape, 1, 1)


# ---- the inverse


def _inverse_rule(g: Any, y: Any) -> Any:
    turned = swap_last(y)
    return -matmul(matmul(turned, g), turned)


inverse_of: TensorFunction = primitive("inv", "input", input=_inverse_rule)


@takes_out
def inv(A: Tensor) -> Tensor:
    """The inverse of each square matrix; LinAlgError where there is none."""
    check_square("linalg.inv", A, True)
    return inverse_of(A)


inverse = inv


# ---- solutions: the gradient of A solves with the transpose what that of B solved


def _solution_other(g: Any, input: Any) -> Any:
    return solution(swap_last(input), g)


def _solution_input(g: Any, y: Any, input: Any) -> Any:
    return -matmul(solution(swap_last(input), g), swap_last(y))


solution: TensorFunction = primitive(
    "solve",
    "input other",
    kind="same",
    input=_solution_input,
    other=_solution_other,
)


def as_columns(op: str, A: Any, B: Any, left: bool) -> tuple[Any, bool]:
    """B as matrices, and whether it was vectors."""
    if B.ndim == 1 or (A.ndim - 1 == B.ndim and tuple(B.shape) == tuple(A.shape[:-1])):
        if not left:
            raise ShapeError(f"{op}: expected matrices on the left, got shape {list(B.shape)}")
        return unsqueeze(B, -1), True
    return B, False


def check_sides(op: str, A: Any, B: Any, left: bool) -> None:
    if B.ndim < 2 or B.shape[-2 if left else -1] != A.shape[-1]:
        raise ShapeError(
            f"{op}: expected sizes that fit, got shapes {list(A.shape)} and {list(B.shape)}"
        )


@takes_out
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X of A @ X = B, or of X @ A = B; B holds matrices, or a vector for each A."""
    check_square("linalg.solve", A, True)
    check_same_dtype("linalg.solve", A, B)
    columns, was_vector = as_columns("linalg.solve", A, B, left)
    check_sides("linalg.solve", A, columns, left)
    A, columns = in_one_batch("linalg.solve", A, columns)
    if left:
        X = solution(A, columns)
    else:
        X = swap_last(solution(swap_last(A), swap_last(columns)))
    return reshape(X, *X.shape[:-1]) if was_vector else X


def _triangular_other(g: Any, input: Any, upper: bool, unitriangular: bool) -> Any:
    return triangular(swap_last(input), g, not upper, unitriangular)


def _triangular_input(g: Any, y: Any, input: Any, upper: bool, unitriangular: bool) -> Any:
    slope = -matmul(_triangular_other(g, input, upper, unitriangular), swap_last(y))
    edge = 1 if unitriangular else 0
    return upper_part(slope, edge) if upper else lower_part(slope, -edge)


triangular: TensorFunction = primitive(
    "solve_triangular",
    "input other",
    "upper, unitriangular",
    kind="same",
    input=_triangular_input,
    other=_triangular_other,
)


@takes_out
def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """X of A @ X = B, or of X @ A = B, for triangular A, of which the rest is not read."""
    check_square("linalg.solve_triangular", A, True)
    check_same_dtype("linalg.solve_triangular", A, B)
    check_sides("linalg.solve_triangular", A, B, left)
    A, B = in_one_batch("linalg.solve_triangular", A, B)
    if left:
        return triangular(A, B, upper, unitriangular)
    return swap_last(triangular(swap_last(A), swap_last(B), not upper, unitriangular))  # type: ignore[no-any-return]


@takes_out
def triangular_solve(
    b: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
) -> TriangularSolution:
    """(X of A @ X = b, a copy of A) for triangular A; `transpose` solves with its transpose."""
    check_square("triangular_solve", A, True)
    check_same_dtype("triangular_solve", A, b)
    check_sides("triangular_solve", A, b, True)
    A, b = in_one_batch("triangular_solve", A, b)
    if transpose:
        X = triangular(swap_last(A), b, not upper, unitriangular)
    else:
        X = triangular(A, b, upper, unitriangular)
    return TriangularSolution(X, clone(A))


# ---- determinants


def _cofactors_rule(g: Any, y: Any, input: Any) -> Any:
    turned = swap_last(inverse_of(input))
    along = total(g * y, (-2, -1), True)
    return turned * along - matmul(matmul(turned, swap_last(g)), y)


cofactors = primitive("cofactors", "input", input=_cofactors_rule)
determinant = primitive("det", "input", input=lambda g, input: each(g) * cofactors(input))


def _slogdet_rule(g: Any, input: Any) -> Any:
    return None if g[1] is None else each(g[1]) * swap_last(inverse_of(input))


sign_and_log = primitive_of_several("slogdet", "input", outputs=2, input=_slogdet_rule)


@takes_out
def det(A: Tensor) -> Tensor:
    """The determinant of each square matrix."""
    check_square("linalg.det", A)
    return determinant(A)


@takes_out
def slogdet(A: Tensor) -> SignLog:
    """(sign, logarithm of the absolute value) of the determinant of each square matrix."""
    check_square("linalg.slogdet", A)
    return SignLog(*sign_and_log(A))


def logdet(input: Tensor) -> Tensor:
    """Logarithm of the determinant: NaN where that is negative."""
    check_square("logdet", input)
    sign, logarithm = sign_and_log(input)
    return where(sign < 0, math.nan, logarithm)
