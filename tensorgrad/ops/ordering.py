"""Sorting, and what sorting finds: the largest few, the k-th, the most frequent.

Equal elements stay in their order; NaN counts as the largest of all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import IndexRangeError
from tensorgrad.op import primitive
from tensorgrad.ops.creation import arange
from tensorgrad.ops.indexing import gather
from tensorgrad.ops.joining import cat
from tensorgrad.ops.reduction import ValuesIndices, check_choice, chosen_along, index_of_largest
from tensorgrad.ops.scan import part_along, place_of_largest
from tensorgrad.ops.shape import clone_of, one_dim, reshape
from tensorgrad.out import takes_out, takes_out_apart

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "argsort",
    "kthvalue",
    "mode",
    "msort",
    "sort",
    "topk",
]

order = primitive("argsort", "input", "dim=-1, descending=False")
first_in_order = primitive(
    "first_in_order",
    "input",
    "dim, count, descending",
    "The first `count` places of `argsort` along `dim`.",
)


def _only_one(input: Any) -> ValuesIndices:
    """The answer for a 0-d tensor."""
    return ValuesIndices(clone_of(input), index_of_largest(input, None, False))


@takes_out
def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = False
) -> Tensor:
    """Indices that sort along `dim`. Always stable."""
    dtypes.refuse("argsort", input.dtype, "complex")
    axis = one_dim("argsort", dim, input.ndim)
    return order(input, axis, descending) if input.ndim else index_of_largest(input, None, False)


@takes_out
def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool | None = False
) -> ValuesIndices:
    """(values, indices) sorted along `dim`. Always stable."""
    dtypes.refuse("sort", input.dtype, "complex")
    axis = one_dim("sort", dim, input.ndim)
    if not input.ndim:
        return _only_one(input)
    indices = order(input, axis, descending)
    return ValuesIndices(gather(input, axis, indices), indices)


@takes_out
def msort(input: Tensor) -> Tensor:
    """The values sorted along the first dimension."""
    return sort(input, 0).values  # type: ignore[no-any-return]


@takes_out
def topk(
    input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> ValuesIndices:
    """(values, indices) of the k largest (or smallest) along `dim`, always in order."""
    axis = one_dim("topk", dim, input.ndim)
    size = input.shape[axis] if input.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError(f"topk: expected k in [0, {size}], got {k}")
    dtypes.refuse("topk", input.dtype, "bool complex")
    if not input.ndim:
        return _only_one(input)
    indices = first_in_order(input, axis, k, largest)
    return ValuesIndices(gather(input, axis, indices), indices)


@takes_out_apart
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """(values, indices) of the k-th smallest along `dim`, counted from 1."""
    axis = one_dim("kthvalue", dim, input.ndim)
    size = input.shape[axis] if input.ndim else 1
    if not size:
        raise IndexRangeError(f"kthvalue: expected elements, got shape {list(input.shape)}")
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue: expected k in [1, {size}], got {k}")
    dtypes.refuse("kthvalue", input.dtype, "bool complex")
    if not input.ndim:
        return _only_one(input)
    indices = clone_of(part_along(first_in_order(input, axis, k, False), axis, k - 1, k))
    return chosen_along(input, axis, indices, keepdim)


@takes_out
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> ValuesIndices:
    """(values, indices) of the most frequent value along `dim`, the smallest of equally frequent
    ones, and where it stands last.
    """
    check_choice("mode", input, dim)
    if not input.ndim:
        return _only_one(input)
    axis = dim % input.ndim
    indices = order(input, axis, False)
    values, size = gather(input, axis, indices), input.shape[axis]
    head = part_along(indices, axis, None, 1)
    changes = part_along(values, axis, 1, None) != part_along(values, axis, None, size - 1)
    starts = place_of_largest(cat((head == head, changes), axis), axis)
    # Where the run of equal values is longest up to there, it ends.
    place = reshape(arange(size, device=input.device), (size, *(1,) * (input.ndim - 1 - axis)))
    last = index_of_largest(place - starts, axis, True)
    return chosen_along(input, axis, gather(indices, axis, last), keepdim)
