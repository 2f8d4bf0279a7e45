"""Diagonals and triangles of matrices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, inplace
from tensorgrad.errors import IndexRangeError, ShapeError
from tensorgrad.formats import strided
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.creation import arange
from tensorgrad.ops.cutting import replaced
from tensorgrad.ops.shape import clone, one_dim, reshape, take_slice
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "diag",
    "diag_embed",
    "diagflat",
    "diagonal",
    "diagonal_scatter",
    "tril",
    "tril_indices",
    "triu",
    "triu_indices",
]

view_of_diagonal: TensorFunction = primitive(
    "diagonal",
    "input",
    "offset, dim1, dim2",
    view=True,
    input=lambda g, input_shape, offset, dim1, dim2: put_diagonal(
        g, input_shape, offset, dim1, dim2
    ),
)
put_diagonal: TensorFunction = primitive(
    "embed_diagonal",
    "input",
    "shape, offset, dim1, dim2",
    input=lambda g, offset, dim1, dim2: view_of_diagonal(g, offset, dim1, dim2),
)


def _two_dims(op: str, dim1: int, dim2: int, rank: int) -> tuple[int, int]:
    first, second = one_dim(op, dim1, rank), one_dim(op, dim2, rank)
    if first == second:
        raise ShapeError(f"{op}: expected two dimensions, got {dim1} and {dim2}")
    return first, second


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The elements [..., i, i + offset] of dimensions dim1 and dim2, in a new last one; a view."""
    return view_of_diagonal(input, offset, *_two_dims("diagonal", dim1, dim2, input.ndim))


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Zeros with the last dimension of input on the diagonal of dimensions dim1 and dim2."""
    if not input.ndim:
        raise IndexRangeError("diag_embed: expected a tensor with dimensions, got a 0-d tensor")
    first, second = _two_dims("diag_embed", dim1, dim2, input.ndim + 1)
    size = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for place in sorted((first, second)):
        shape.insert(place, size)
    return put_diagonal(input, tuple(shape), offset, first, second)


@takes_out
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Of a vector the matrix with it on the diagonal, of a matrix its diagonal as a copy."""
    if input.ndim not in (1, 2):
        raise ShapeError(f"diag: expected a vector or a matrix, got shape {list(input.shape)}")
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    return clone(view_of_diagonal(input, diagonal, 0, 1))


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements of input on the diagonal."""
    return diag_embed(reshape(input, (math.prod(input.shape),)), offset)


def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """A copy of input with `src` on the diagonal of dimensions dim1 and dim2."""
    return replaced("diagonal_scatter", input, src, lambda copy: diagonal(copy, offset, dim1, dim2))


def fill_diagonal_(input: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Write a number on the main diagonal, the elements [i, i, ...]; `wrap` starts it again below
    where it leaves a tall matrix, one row apart.
    """
    if input.ndim < 2 or (input.ndim > 2 and len(set(input.shape)) > 1):
        raise ShapeError(
            "fill_diagonal_: expected a matrix, or more dimensions of equal sizes, got shape "
            f"{list(input.shape)}"
        )
    rows, columns = input.shape[:2]
    starts = range(0, rows, columns + 1) if wrap and input.ndim == 2 else (0,)
    for start in starts:
        part = take_slice(input, (slice(start, None),))
        while part.ndim > 1:
            part = diagonal(part)
        inplace.set_item(part, (Ellipsis,), fill_value, "fill_diagonal_")
    return input


# ---- triangles

lower: TensorFunction = primitive(
    "tril", "input", "diagonal=0", input=lambda g, diagonal: lower(g, diagonal)
)
upper: TensorFunction = primitive(
    "triu", "input", "diagonal=0", input=lambda g, diagonal: upper(g, diagonal)
)


def _check_matrix(op: str, input: Any) -> None:
    if input.ndim < 2:
        raise ShapeError(f"{op}: expected at least 2 dimensions, got shape {list(input.shape)}")


@takes_out
def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The elements [..., i, j] with j <= i + diagonal, zeros elsewhere."""
    _check_matrix("tril", input)
    return lower(input, diagonal)


@takes_out
def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The elements [..., i, j] with j >= i + diagonal, zeros elsewhere."""
    _check_matrix("triu", input)
    return upper(input, diagonal)


def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = dtypes.int64,
    device: Any = None,
    layout: Any = strided,
) -> Tensor:
    """(2, count): rows and columns of the elements that `tril` keeps of a (row, col) matrix."""
    return _places("tril_indices", row, col, dtype, device, lambda i, j: j <= i + offset)


def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: Any = dtypes.int64,
    device: Any = None,
    layout: Any = strided,
) -> Tensor:
    """(2, count): rows and columns of the elements that `triu` keeps of a (row, col) matrix."""
    return _places("triu_indices", row, col, dtype, device, lambda i, j: j >= i + offset)


def _places(op: str, row: int, col: int, dtype: Any, device: Any, kept: Any) -> Tensor:
    if row < 0 or col < 0:
        raise ShapeError(f"{op}: expected sizes >= 0, got {row} and {col}")
    rows: Any = arange(row, device=device)
    columns: Any = arange(col, device=device)
    mask = kept(rows[:, None], columns[None, :])
    return mask.nonzero().t().contiguous().to(dtype)  # type: ignore[no-any-return]
