"""Norms of vectors and of matrices, condition numbers.

https://docs.pytorch.org/docs/stable/linalg.html#matrix-properties
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.decompositions import singular_values
from tensorgrad.ops.lu import inv_ex
from tensorgrad.ops.matrices import check_matrix, check_square
from tensorgrad.ops.norms import p_norm
from tensorgrad.ops.pointwise import abs
from tensorgrad.ops.reduction import largest, smallest, total
from tensorgrad.ops.shape import one_dim, to_order, unsqueeze
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = []

Order = float | str | None


def _in(op: str, x: Any, dtype: DType | None) -> Any:
    if not dtypes.is_differentiable(x.dtype):
        raise DTypeError(f"{op}: expected floating point numbers, got {x.dtype}")
    return x if dtype is None or dtype == x.dtype else cast(x, dtype)


@takes_out
def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """(sum |x|^ord)^(1/ord) over `dim`, or over all elements; ord may be infinite, or 0, which
    counts the elements that are not 0.
    """
    x = _in("linalg.vector_norm", x, dtype)
    dims = (dim,) if isinstance(dim, int) else tuple(dim or range(x.ndim))
    places = tuple([one_dim("linalg.vector_norm", d, x.ndim) for d in dims])
    if ord < 0 or ord == math.inf:
        sizes = [x.shape[d] for d in places] if x.ndim else [1]
        if 0 in sizes and (dim is None or 0 in sizes):
            raise ShapeError(
                f"linalg.vector_norm: expected elements for order {ord}, got {list(x.shape)}"
            )
    return p_norm(x, ord, places or None, keepdim)


def _last_two(op: str, A: Any, dim: Sequence[int]) -> tuple[Any, tuple[int, int]]:
    """A with the dimensions `dim` last, and their places."""
    if len(dim) != 2:
        raise ShapeError(f"{op}: expected two dimensions, got {tuple(dim)}")
    first, second = (one_dim(op, d, A.ndim) for d in dim)
    if first == second:
        raise ShapeError(f"{op}: expected two dimensions, got {tuple(dim)}")
    rest = [d for d in range(A.ndim) if d not in (first, second)]
    return to_order(A, (*rest, first, second)), (first, second)


@takes_out
def matrix_norm(
    A: Tensor,
    ord: Order = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """Norm of the matrices in the dimensions `dim`: "fro" the root of the sum of squares, "nuc" the
    sum of the singular values, 2 and -2 their largest and smallest, inf and -inf of the rows'
    sums of absolute values, 1 and -1 of the columns'.
    """
    op = "linalg.matrix_norm"
    A = _in(op, A, dtype)
    if A.ndim < 2:
        raise ShapeError(f"{op}: expected at least 2 dimensions, got shape {list(A.shape)}")
    dim = (dim,) if isinstance(dim, int) else dim
    matrices, places = _last_two(op, A, dim)
    if ord == "fro":
        found = p_norm(matrices, 2, (-2, -1), False)
    elif ord in ("nuc", 2, -2):
        check_matrix(op, matrices)
        values = singular_values(matrices)
        if ord == "nuc":
            found = total(values, -1, False)
        else:
            found = _extreme(op, values, float(ord))
    elif ord in (math.inf, -math.inf, 1, -1):
        axis = -1 if math.isinf(float(ord)) else -2
        found = _extreme(op, total(abs(matrices), axis, False), float(ord))
    else:
        raise ShapeError(
            f"{op}: expected order 'fro', 'nuc', 1, 2, inf or their negatives, got {ord!r}"
        )
    if keepdim:
        for place in sorted(places):
            found = unsqueeze(found, place)
    return found


def _extreme(op: str, values: Any, ord: float) -> Any:
    if not values.shape[-1] and ord > 0:
        return total(values, -1, False)
    if not values.shape[-1]:
        raise ShapeError(f"{op}: expected elements for order {ord}, got none")
    return largest(values, -1, False) if ord > 0 else smallest(values, -1, False)


@takes_out
def norm(
    A: Tensor,
    ord: Order = None,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """The vector norm of all elements or of one dimension, the matrix norm of two; with `ord` and
    no `dim` the tensor itself must be a vector or a matrix.
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    dims = (dim,) if isinstance(dim, int) else None if dim is None else tuple(dim)
    if dims is None and A.ndim not in (1, 2):
        raise ShapeError(
            f"linalg.norm: expected a vector or a matrix where dim is None, got {list(A.shape)}"
        )
    if dims is not None and len(dims) not in (1, 2):
        raise ShapeError(f"linalg.norm: expected one or two dimensions, got {dims}")
    if (A.ndim if dims is None else len(dims)) == 2:
        return matrix_norm(A, ord, dims or (-2, -1), keepdim, dtype=dtype)
    if isinstance(ord, str):
        raise ShapeError(f"linalg.norm: expected a number as order of vectors, got {ord!r}")
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)


@takes_out
def cond(A: Tensor, p: Order = None) -> Tensor:
    """The norm of each matrix times that of its inverse; p as `ord` of `matrix_norm`, 2 unless
    told. Infinite for singular matrices.
    """
    check_matrix("linalg.cond", A)
    if p in (None, 2, -2):
        values = singular_values(A)
        if not values.shape[-1]:
            return total(values, -1, False)
        top, bottom = values[..., 0], values[..., -1]
        return bottom / top if p == -2 else top / bottom
    check_square("linalg.cond", A)
    if not A.shape[-1]:
        return matrix_norm(A) * 0
    inverse, info = inv_ex(A)
    found = matrix_norm(A, p) * matrix_norm(inverse, p)
    return where(info != 0, math.inf, found)
