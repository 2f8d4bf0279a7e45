"""What the decompositions and solutions share: checks of matrices, common batches."""

from __future__ import annotations

from typing import Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.ops.creation import zeros_of
from tensorgrad.ops.diagonals import diag_embed
from tensorgrad.ops.shape import broadcast

__all__ = []

REAL = (dtypes.float32, dtypes.float64)
COMPLEX = (dtypes.complex64, dtypes.complex128)


def check_matrix(op: str, input: Any, complex_too: bool = False) -> None:
    """Refuse what is no stack of matrices of single or double precision."""
    if input.ndim < 2:
        raise ShapeError(f"{op}: expected at least 2 dimensions, got shape {list(input.shape)}")
    if input.dtype not in REAL and not (complex_too and input.dtype in COMPLEX):
        kinds = "float32, float64 or complex numbers" if complex_too else "float32 or float64"
        raise DTypeError(f"{op}: expected {kinds}, got {input.dtype}")


def check_square(op: str, input: Any, complex_too: bool = False) -> None:
    """Refuse what is no stack of square matrices."""
    check_matrix(op, input, complex_too)
    if input.shape[-2] != input.shape[-1]:
        raise ShapeError(f"{op}: expected square matrices, got shape {list(input.shape)}")


def check_same_dtype(op: str, input: Any, other: Any) -> None:
    if input.dtype != other.dtype:
        raise DTypeError(
            f"{op}: expected tensors of one dtype, got {input.dtype} and {other.dtype}"
        )


def identity(like: Any) -> Any:
    """The identity of the size of the larger side of `like`'s matrices, in its dtype."""
    return diag_embed(zeros_of(like, (max(like.shape[-2:]),)) + 1)


def in_one_batch(op: str, *matrices: Any) -> tuple[Any, ...]:
    """The stacks of matrices with batch sizes broadcast to common ones."""
    batch: list[int] = []
    for x in matrices:
        sizes = list(x.shape[:-2])
        rank = max(len(batch), len(sizes))
        pairs = zip([1] * (rank - len(batch)) + batch, [1] * (rank - len(sizes)) + sizes)
        batch = []
        for n, m in pairs:
            if n != m and 1 not in (n, m):
                shapes = " and ".join([str(list(x.shape)) for x in matrices])
                raise ShapeError(f"{op}: expected batch sizes that broadcast, got shapes {shapes}")
            batch.append(m if n == 1 else n)
    common = tuple(batch)
    return tuple(
        [
            x if tuple(x.shape[:-2]) == common else broadcast(x, (*common, *x.shape[-2:]))
            for x in matrices
        ]
    )
