"""Sorting, and what sorting finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad.op import primitive
from tensorgrad.ops.indexing import gather
from tensorgrad.ops.reduction import ValuesIndices, index_of_largest
from tensorgrad.ops.shape import one_dim, reshape

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "argsort",
    "sort",
    "topk",
]

order = primitive("argsort", "input", "dim=-1, descending=False")


def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = True
) -> Tensor:
    """Indices that sort along `dim`. Always stable."""
    axis = one_dim("argsort", dim, input.ndim)
    return order(input, axis, descending) if input.ndim else index_of_largest(input, None, False)


def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = True
) -> ValuesIndices:
    """(values, indices) sorted along `dim`. Always stable."""
    axis = one_dim("sort", dim, input.ndim)
    if not input.ndim:
        return ValuesIndices(reshape(input, ()), index_of_largest(input, None, False))
    indices = order(input, axis, descending)
    return ValuesIndices(gather(input, axis, indices), indices)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True) -> ValuesIndices:
    """(values, indices) of the k largest (or smallest) along `dim`, in order."""
    axis = one_dim("topk", dim, input.ndim)
    size = input.shape[axis] if input.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError(f"topk: expected k in [0, {size}], got {k}")
    if not input.ndim:
        return sort(input)
    sorted_indices = order(input, axis, largest)
    indices = sorted_indices[(slice(None),) * axis + (slice(k),)]
    return ValuesIndices(gather(input, dim, indices), indices)
