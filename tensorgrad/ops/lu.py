"""LU factors with row exchanges, and what is solved with them; inverses with `info`.

https://docs.pytorch.org/docs/stable/linalg.html#matrix-decompositions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, LinAlgError, ShapeError
from tensorgrad.op import primitive
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import zeros_of
from tensorgrad.ops.diagonals import diagonal
from tensorgrad.ops.diagonals import lower as lower_part
from tensorgrad.ops.diagonals import upper as upper_part
from tensorgrad.ops.factors import no_fault, where_right
from tensorgrad.ops.joining import cat
from tensorgrad.ops.linalg import matmul, swap_last
from tensorgrad.ops.matrices import (
    check_matrix,
    check_same_dtype,
    check_square,
    identity,
    in_one_batch,
)
from tensorgrad.ops.reduction import index_of_largest, largest
from tensorgrad.ops.shape import take_slice, unsqueeze
from tensorgrad.ops.solving import check_sides, inverse_of, solve, triangular
from tensorgrad.out import takes_out
from tensorgrad.several import primitive_of_several

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "lu",
    "lu_solve",
    "lu_unpack",
]


class InverseInfo(NamedTuple):
    """What `inv_ex` returns."""

    inverse: Any
    info: Any


class ResultInfo(NamedTuple):
    """What `solve_ex` returns."""

    result: Any
    info: Any


class Packed(NamedTuple):
    """What `lu_factor` returns."""

    LU: Any
    pivots: Any


class PackedInfo(NamedTuple):
    """What `lu_factor_ex` returns."""

    LU: Any
    pivots: Any
    info: Any


class Unpacked(NamedTuple):
    """What `lu` and `lu_unpack` return."""

    P: Any
    L: Any
    U: Any


def _lu_rule(g: Any, y: Any, input: Any) -> Any:
    """With P A = L U, and L2 below the square part of L, U2 beside that of U."""
    if g[0] is None:
        return None
    LU, pivots = y
    m, n = LU.shape[-2:]
    k = min(m, n)
    low, high = lower_part(_part(g[0], m, k), -1), upper_part(_part(g[0], k, n), 0)
    L, U = _lower_unit(LU), upper_part(_part(LU, k, n), 0)
    L1, U1 = _part(L, k, k), _part(U, k, k)
    middle_low = matmul(swap_last(L1), _part(low, k, k))
    middle_high = matmul(_part(high, k, k), swap_last(U1))
    beside, below = high[..., k:], low[..., k:, :]
    if n > k:
        middle_low = middle_low - matmul(beside, swap_last(U[..., k:]))
    if m > k:
        middle_high = middle_high - matmul(swap_last(L[..., k:, :]), below)
    middle = lower_part(middle_low, -1) + upper_part(middle_high, 0)
    # Towards L from the left by its transpose, towards U from the right.
    slope = triangular(swap_last(L1), middle, True, True)
    slope = swap_last(triangular(U1, swap_last(slope), True, False))
    if n > k:
        slope = cat([slope, triangular(swap_last(L1), beside, True, True)], -1)
    if m > k:
        slope = cat([slope, swap_last(triangular(U1, swap_last(below), True, False))], -2)
    return matmul(_permutation(pivots, m, slope), slope)


packed_factors = primitive_of_several("lu_factor", "input", "pivot", outputs=2, input=_lu_rule)
row_order = primitive("pivots_to_order", "input", "size")


def _part(x: Any, n: int, m: int) -> Any:
    return take_slice(x, (Ellipsis, slice(0, n), slice(0, m)))


def _lower_unit(LU: Any) -> Any:
    m, n = LU.shape[-2:]
    k = min(m, n)
    return lower_part(_part(LU, m, k), -1) + _part(identity(LU), m, k)


def _permutation(pivots: Any, size: int, like: Any) -> Any:
    """P of A = P @ L @ U: in column i a one at the row that was brought to place i."""
    order = row_order(pivots, size)
    places = row_order(take_slice(pivots, (Ellipsis, slice(0, 0))), size)
    return cast(unsqueeze(order, -2) == unsqueeze(places, -1), like.dtype)


def _check_pivots(op: str, LU: Any, pivots: Any) -> None:
    if pivots.dtype != dtypes.int32:
        raise DTypeError(f"{op}: expected int32 pivots, got {pivots.dtype}")
    count = min(LU.shape[-2:])
    if not pivots.ndim or pivots.shape[-1] != count:
        raise ShapeError(f"{op}: expected {count} pivots, got shape {list(pivots.shape)}")


def _packed(op: str, A: Any, pivot: bool) -> PackedInfo:
    check_matrix(op, A, True)
    LU, pivots = packed_factors(A, pivot)
    return PackedInfo(LU, pivots, _first_zero(LU))


def _first_zero(LU: Any) -> Any:
    """The first step (from 1) that found no pivot, or 0; int32."""
    zero = cast(diagonal(LU, 0, -2, -1) == 0, dtypes.int32)
    if not zero.shape[-1]:
        return no_fault(LU)
    return cast(index_of_largest(zero, -1, False) + 1, dtypes.int32) * largest(zero, -1, False)


@takes_out
def lu_factor(A: Tensor, *, pivot: bool = True) -> Packed:
    """(L and U of A = P @ L @ U in one matrix, the rows exchanged at each step, counted from 1)."""
    found = _packed("linalg.lu_factor", A, pivot)
    return Packed(found.LU, found.pivots)


@takes_out
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> PackedInfo:
    """As `lu_factor`, and info: 0, or the first step that found no pivot."""
    found = _packed("linalg.lu_factor_ex", A, pivot)
    if check_errors and bool((found.info != 0).any()):
        raise LinAlgError("linalg.lu_factor_ex: expected an invertible matrix, got a singular one")
    return found


def lu(A: Tensor, pivot: bool = True, get_infos: bool | int = False, out: Any = None) -> Any:
    """As `linalg.lu_factor`, with `get_infos` as `linalg.lu_factor_ex`."""
    return (
        lu_factor_ex(A, pivot=pivot, out=out) if get_infos else lu_factor(A, pivot=pivot, out=out)
    )


@takes_out
def lu_of(A: Tensor, *, pivot: bool = True) -> Unpacked:
    """(P, L, U) of A = P @ L @ U: a permutation, unit lower triangular, upper triangular. Without
    pivoting P is empty.
    """
    check_matrix("linalg.lu", A, True)
    LU, pivots = packed_factors(A, pivot)
    return lu_unpack(LU, pivots, unpack_pivots=pivot)


@takes_out
def lu_unpack(
    LU_data: Tensor, LU_pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True
) -> Unpacked:
    """(P, L, U) of what `lu_factor` returns; those not asked for are empty."""
    check_matrix("lu_unpack", LU_data, True)
    m, n = LU_data.shape[-2:]
    none = zeros_of(LU_data, (0,))
    P = L = U = none
    if unpack_pivots:
        _check_pivots("lu_unpack", LU_data, LU_pivots)
        P = _permutation(LU_pivots, m, LU_data)
    if unpack_data:
        L = _lower_unit(LU_data)
        U = upper_part(_part(LU_data, min(m, n), n), 0)
    return Unpacked(P, L, U)


def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Any = None) -> Tensor:
    """X of A @ X = b from what `lu_factor` returns for A."""
    return solve_by_lu(LU_data, LU_pivots, b, out=out)


@takes_out
def solve_by_lu(
    LU: Tensor, pivots: Tensor, B: Tensor, *, left: bool = True, adjoint: bool = False
) -> Tensor:
    """X of A @ X = B from what `lu_factor` returns for A; `left=False` solves X @ A = B, `adjoint`
    with the transpose of A.
    """
    check_square("linalg.lu_solve", LU, True)
    check_same_dtype("linalg.lu_solve", LU, B)
    _check_pivots("linalg.lu_solve", LU, pivots)
    check_sides("linalg.lu_solve", LU, B, left)
    P = _permutation(pivots, LU.shape[-1], LU)
    P, LU, B = in_one_batch("linalg.lu_solve", P, LU, B)
    if not left:
        B = swap_last(B)
    if adjoint == left:  # the transpose of A, from the left
        half = triangular(swap_last(LU), B, False, False)
        X = matmul(P, triangular(swap_last(LU), half, True, True))
    else:
        half = triangular(LU, matmul(swap_last(P), B), False, True)
        X = triangular(LU, half, True, False)
    return X if left else swap_last(X)


# ---- the inverse and the solution with `info` in place of an error


def _info(op: str, A: Any, check_errors: bool) -> Any:
    info = _first_zero(packed_factors(A, True)[0])
    if check_errors:
        raise LinAlgError(f"{op}: expected an invertible matrix, got a singular one")
    return info


@takes_out
def inv_ex(A: Tensor, *, check_errors: bool = False) -> InverseInfo:
    """(the inverse, info): info is 0, or the first step of elimination that found no pivot; the
    inverse is NaN there.
    """
    check_square("linalg.inv_ex", A, True)
    try:
        return InverseInfo(inverse_of(A), no_fault(A))
    except LinAlgError:
        info = _info("linalg.inv_ex", A, check_errors)
        return InverseInfo(where_right(A, info, inverse_of), info)


@takes_out
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> ResultInfo:
    """(the solution, info), as `inv_ex`."""
    check_square("linalg.solve_ex", A, True)
    try:
        return ResultInfo(solve(A, B, left=left), no_fault(A))
    except LinAlgError:
        info = _info("linalg.solve_ex", A, check_errors)
        return ResultInfo(where_right(A, info, lambda safe: solve(safe, B, left=left)), info)
