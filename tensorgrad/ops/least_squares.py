"""What singular values decide: pseudo-inverses, ranks, least squares; and functions of matrices.

https://docs.pytorch.org/docs/stable/linalg.html; the gradient of the pseudo-inverse is by Golub and
Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose
variables separate", 1973.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad.dtypes import complex64, float32, int64, is_differentiable
from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import unwrap
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.arithmetic import pow
from tensorgrad.ops.choice import clamp, where
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.creation import arange, zeros_of
from tensorgrad.ops.decompositions import eigen, singular, singular_values
from tensorgrad.ops.joining import cat
from tensorgrad.ops.linalg import matmul, swap_last
from tensorgrad.ops.matrices import (
    check_matrix,
    check_same_dtype,
    check_square,
    identity,
    in_one_batch,
)
from tensorgrad.ops.pointwise import abs
from tensorgrad.ops.rearranging import flip
from tensorgrad.ops.reduction import largest, total
from tensorgrad.ops.shape import broadcast, clone, movedim, reshape, take_slice, unsqueeze
from tensorgrad.ops.solving import as_columns, inverse_of, solve
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "matrix_exp",
    "matrix_power",
    "pinverse",
    "vander",
]


class LeastSquares(NamedTuple):
    """What `lstsq` returns."""

    solution: Any
    residuals: Any
    rank: Any
    singular_values: Any


# ---- what counts as 0


def _rounding(dtype: Any) -> float:
    return 2.0**-23 if dtype in (float32, complex64) else 2.0**-52


def _tolerance(value: Any, like: Any) -> Any:
    """A number, or one for each matrix in the shape of `like`'s values."""
    return cast(unsqueeze(value, -1), like.dtype) if hasattr(value, "dtype") else value


def _cutoff(values: Any, shape: Any, atol: Any, rtol: Any) -> Any:
    """The larger of atol and rtol times the largest singular value. Without rtol that is the
    rounding of the dtype, or 0 beside a positive atol.
    """
    atol = 0.0 if atol is None else _tolerance(atol, values)
    if rtol is None:
        rtol = max(shape) * _rounding(values.dtype)
        if hasattr(atol, "dtype"):
            rtol = where(atol > 0, 0.0, cast(atol * 0 + rtol, values.dtype))
        elif atol > 0:
            rtol = 0.0
    else:
        rtol = _tolerance(rtol, values)
    return clamp(largest(values, -1, True) * rtol, atol)


def _pinv_rule(g: Any, y: Any, A: Any) -> Any:
    turned = swap_last(y)
    g_turned = swap_last(g)
    slope = -matmul(matmul(turned, g), turned)
    left = matmul(matmul(g_turned, y), turned)
    slope = slope + left - matmul(A, matmul(y, left))
    right = matmul(matmul(turned, y), g_turned)
    return slope + right - matmul(matmul(right, y), A)


@fused(name="pinv", A=_pinv_rule)
def pinv_of(A: Tensor, atol: Any, rtol: Any, hermitian: bool) -> Tensor:
    """V @ diag(1 / S) @ U^T over the singular values S that count."""
    if hermitian:
        values, vectors = eigen(A, True)
        size, left, right = abs(values), vectors, swap_last(vectors)
    else:
        U, values, Vh = singular(A, False)
        size, left, right = values, swap_last(Vh), swap_last(U)
    counts = size > _cutoff(size, A.shape[-2:], atol, rtol)
    weights = where(counts, 1 / where(counts, values, 1), 0)
    return matmul(left * unsqueeze(weights, -2), right)


@takes_out
def pinv(
    A: Tensor,
    rcond: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
) -> Tensor:
    """The Moore-Penrose inverse. Singular values up to max(atol, rtol * the largest) count as 0;
    `rcond` is rtol's old name.
    """
    check_matrix("linalg.pinv", A)
    if hermitian:
        check_square("linalg.pinv", A)
    if 0 in A.shape:
        return clone(swap_last(A))
    rtol = rcond if rtol is None else rtol
    return pinv_of(A, unwrap(atol), unwrap(rtol), hermitian)


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """As `linalg.pinv` with rtol = rcond."""
    return pinv(input, rcond)


@takes_out
def matrix_rank(
    A: Tensor,
    tol: Any = None,
    hermitian: bool = False,
    *,
    atol: Any = None,
    rtol: Any = None,
) -> Tensor:
    """How many singular values exceed max(atol, rtol * the largest); `tol` is atol's old name."""
    check_matrix("linalg.matrix_rank", A)
    if hermitian:
        check_square("linalg.matrix_rank", A)
    A = A.detach()
    if 0 in A.shape[-2:]:
        return cast(zeros_of(A, tuple(A.shape[:-2])), int64)
    values = abs(eigen(A, True)[0]) if hermitian else singular_values(A)
    if tol is not None:
        atol, rtol = tol, 0.0
    counts = values > _cutoff(values, A.shape[-2:], atol, rtol)
    return total(cast(counts, int64), -1, False)


@takes_out
def lstsq(A: Tensor, B: Tensor, rcond: Any = None, *, driver: str | None = None) -> LeastSquares:
    """The X of least |A @ X - B|, of least norm where there are several.

    All drivers compute by singular values here; which of the other results are given and which are
    empty follows PyTorch's `driver`, "gelsy" unless told: with "gels", "gelsd" and "gelss" the sums
    of squares `residuals`, where A has full rank and more rows than columns; with all but "gels"
    `rank`; with "gelsd" and "gelss" `singular_values`.
    """
    check_matrix("linalg.lstsq", A)
    check_same_dtype("linalg.lstsq", A, B)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise ShapeError(f"linalg.lstsq: expected a driver of LAPACK's, got {driver!r}")
    columns, was_vector = as_columns("linalg.lstsq", A, B, True)
    if columns.ndim < 2 or columns.shape[-2] != A.shape[-2]:
        raise ShapeError(
            f"linalg.lstsq: expected as many rows, got shapes {list(A.shape)} and {list(B.shape)}"
        )
    m, n = A.shape[-2:]
    A, columns = in_one_batch("linalg.lstsq", A, columns)
    X = matmul(pinv(A, rtol=rcond), columns)
    residuals = reshape(X[..., :0], 0)
    singular = zeros_of(A, (0,))
    known = A.detach()
    if driver == "gels":
        rank = cast(singular, int64)
        full = True
    else:
        rank = matrix_rank(known, rtol=rcond)
        full = bool((rank == n).all())
    if driver in ("gelsd", "gelss"):
        singular = singular_values(known)
    if m > n and full and driver not in (None, "gelsy"):
        apart = matmul(A, X) - columns
        residuals = total(apart * apart, -2, False)
    if was_vector:
        X = reshape(X, *X.shape[:-1])
    return LeastSquares(X, residuals, rank, singular)


# ---- functions of matrices


def _exp_rule(g: Any, input: Any) -> Any:
    """The upper right block of exp([[A^T, g], [0, A^T]]): Najfeld and Havel, "Derivatives of the
    matrix exponential and their computation", 1995.
    """
    n = input.shape[-1]
    turned = swap_last(input)
    upper = cat([turned, g], -1)
    lower = cat([zeros_of(g, tuple(g.shape)), turned], -1)
    whole = exponential(cat([upper, lower], -2))
    return take_slice(whole, (Ellipsis, slice(0, n), slice(n, 2 * n)))


exponential: TensorFunction = primitive("matrix_exp", "input", input=_exp_rule)


@widened
def matrix_exp(input: Tensor) -> Tensor:
    """The sum of input^k / k! over all k, of each square matrix."""
    check_square("linalg.matrix_exp", input, True)
    return exponential(input)


@takes_out
def matrix_power(input: Tensor, n: int) -> Tensor:
    """The n-th power of each square matrix, by repeated squaring; of its inverse for n < 0."""
    if input.ndim < 2 or input.shape[-2] != input.shape[-1]:
        raise ShapeError(
            f"linalg.matrix_power: expected square matrices, got shape {list(input.shape)}"
        )
    if n == 0:
        one = broadcast(identity(input), tuple(input.shape))
        return where(one == one, one, input)  # which keeps its history
    if n < 0:
        check_square("linalg.matrix_power", input, True)
        input, n = inverse_of(input), -n
    result: Any = None
    while True:
        if n & 1:
            result = input if result is None else matmul(result, input)
        n >>= 1
        if not n:
            return clone(result)
        input = matmul(input, input)


# ---- systems of tensors


@takes_out
def tensorinv(A: Tensor, ind: int = 2) -> Tensor:
    """The inverse of A as a map from its last dimensions to its first `ind`."""
    if ind <= 0:
        raise ShapeError(f"linalg.tensorinv: expected ind > 0, got {ind}")
    rows, columns = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if math.prod(rows) != math.prod(columns):
        raise ShapeError(
            f"linalg.tensorinv: expected as many elements before dimension {ind} as from it on, "
            f"got shape {list(A.shape)}"
        )
    size = math.prod(rows)
    matrix = reshape(A, size, size)
    check_square("linalg.tensorinv", matrix, True)
    return reshape(inverse_of(matrix), *columns, *rows)


@takes_out
def tensorsolve(A: Tensor, B: Tensor, dims: Sequence[int] | None = None) -> Tensor:
    """X of tensordot(A, X, X.ndim) = B; the dimensions `dims` of A are moved to its end first."""
    if dims is not None:
        A = movedim(A, tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    columns = tuple(A.shape[B.ndim :])
    size = math.prod(B.shape)
    if math.prod(columns) != size or math.prod(A.shape) != size * size:
        raise ShapeError(
            f"linalg.tensorsolve: expected a square system, got shapes {list(A.shape)} and "
            f"{list(B.shape)}"
        )
    X = solve(reshape(A, size, size), reshape(B, size))
    return reshape(X, columns)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """(n,) to (n, N): the powers of each element, from N - 1 down to 0 or, `increasing`, upward; N
    is n unless told. Bools and narrow ints become int64.
    """
    if x.ndim != 1:
        raise ShapeError(f"vander: expected one dimension, got shape {list(x.shape)}")
    count = x.shape[0] if N is None else N
    if count < 0:
        raise ShapeError(f"vander: expected N >= 0, got {N}")
    if not is_differentiable(x.dtype):
        x = cast(x, int64)
    powers = pow(unsqueeze(x, -1), arange(count, dtype=x.dtype, device=x.device))
    return powers if increasing else flip(powers, 1)
