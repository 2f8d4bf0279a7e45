"""Sums, means and largest numbers of bags of rows of a table.

https://docs.pytorch.org/docs/stable/nn.functional.html#embedding-bag
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import IndexRangeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import Leaf, TensorCore, unwrap, wrap
from tensorgrad.modes import current
from tensorgrad.ops.choice import clamp, where
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.creation import arange, zeros_of
from tensorgrad.ops.cutting import narrow
from tensorgrad.ops.embedding import add_rows, embedding, lookup, renormalize
from tensorgrad.ops.indexing import scatter_add_along
from tensorgrad.ops.reduction import amax, some
from tensorgrad.ops.reduction import max as largest
from tensorgrad.ops.scan import cumsum
from tensorgrad.ops.shape import reshape, unsqueeze
from tensorgrad.sparse_rows import SparseRows

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = ["embedding_bag"]


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The "sum", "mean" or "max" of the rows of `weight` (V, D) that each bag names: (bags, D).

    input: (bags, n), or one dimension with `offsets`, where each bag begins (and, with
    include_last_offset, where the last one ends). Rows `padding_idx` are left out; a bag without
    rows gives zeros. per_sample_weights, shaped as input, multiply the rows of a sum. The others
    as in `embedding`.
    """
    _check_bags(input, weight, offsets, mode, per_sample_weights, scale_grad_by_freq or sparse)
    if padding_idx is not None:
        if not -weight.shape[0] <= padding_idx < weight.shape[0]:
            raise IndexRangeError(
                f"embedding_bag: expected padding_idx in [{-weight.shape[0]}, "
                f"{weight.shape[0]}), got {padding_idx}"
            )
        padding_idx %= weight.shape[0]
    flat = reshape(input, -1)
    if offsets is None:
        offsets = _even_offsets(flat, *input.shape)
    else:
        if include_last_offset:
            flat = _until(flat, offsets)
            if per_sample_weights is not None:
                per_sample_weights = _until(per_sample_weights, offsets)
            offsets = narrow(offsets, 0, 0, offsets.shape[0] - 1)
        _check_offsets(offsets, flat.shape[0])
    offsets = cast(offsets, dtypes.int64)
    if mode == "max" or scale_grad_by_freq or per_sample_weights is not None:
        how = max_norm, norm_type, scale_grad_by_freq, sparse
        rows = embedding(flat, weight, padding_idx, *how)
        if per_sample_weights is not None:
            rows = rows * unsqueeze(reshape(per_sample_weights, -1), 1)
        return _gathered(rows, flat, offsets, padding_idx, mode)
    if max_norm is not None:
        renormalize(weight, flat, max_norm, norm_type)
    sparse = sparse and weight._node.__class__ is Leaf
    return embedding_bags(flat, weight, offsets, padding_idx, mode == "mean", sparse)


def _even_offsets(like: Tensor, bags: int, size: int) -> Tensor:
    """Where bags of one size begin."""
    if not size:
        return zeros_of(like, (bags,))  # type: ignore[no-any-return]
    array = unwrap(like)
    backend = current().backends[array.__class__]
    return wrap(backend.arange(0, size, bags, dtypes.int64, backend.device_of(array)))


def _until(x: Tensor, offsets: Tensor) -> Tensor:
    """What stands before the last offset."""
    if not offsets.numel():
        raise ShapeError("embedding_bag: expected an offset at least, got none")
    return narrow(x, 0, 0, min(int(offsets[-1].item()), x.shape[0]))


def _bag_of_each(offsets: Any, count: int) -> Any:
    """The number of the bag that each of `count` rows is in."""
    begins = cast(offsets == offsets, dtypes.int64)
    marks = scatter_add_along(zeros_of(offsets, (count + 1,)), offsets, begins, 0)
    return narrow(cumsum(marks, 0), 0, 0, count) - 1


def _kept_in_each(input: Any, bag: Any, like: Any, bags: int, padding_idx: int | None) -> Any:
    """(bags, 1): how many rows each bag has without padding, but 1 at least."""
    kept = cast(bag >= 0 if padding_idx is None else input != padding_idx, like.dtype)
    sizes = scatter_add_along(zeros_of(like, (bags,)), bag, kept, 0)
    return unsqueeze(clamp(sizes, min=1), 1)


@widened
def _gathered(
    rows: Tensor, input: Tensor, offsets: Tensor, padding_idx: int | None, mode: str
) -> Tensor:
    bags = offsets.shape[0]
    bag = _bag_of_each(offsets, rows.shape[0])
    kept = None if padding_idx is None else input != padding_idx
    if mode == "max":
        return _largest_rows(rows, offsets, bag, kept)
    if kept is not None:
        rows = rows * cast(unsqueeze(kept, 1), rows.dtype)
    summed = add_rows(rows, bag, None, bags)
    return summed if mode == "sum" else summed / _kept_in_each(input, bag, rows, bags, padding_idx)


def _bags_gradient(
    g: Any,
    input: Any,
    weight_shape: tuple[int, ...],
    offsets: Any,
    padding_idx: int | None,
    mean: bool,
    sparse: bool,
) -> Any:
    if not sparse or isinstance(g, TensorCore):  # a graph of the backward is dense
        return add_bags(g, input, offsets, padding_idx, mean, weight_shape[0])
    if padding_idx is not None:
        g, bag = _shares(g, input, offsets, padding_idx, mean)
        return SparseRows.at(input, lookup(bag, g, None), weight_shape[0], padding_idx)
    backend = current().backends[g.__class__]
    rows, places = backend.distinct_rows(input, weight_shape[0])
    values = add_bags(g, places, offsets, None, mean, rows.shape[0])
    return SparseRows(rows, values, weight_shape, True)


def _shares(
    values: Any, index: Any, offsets: Any, padding_idx: int | None, mean: bool
) -> tuple[Any, Any]:
    """What each row of a bag gets of the bag's values, and the bag that each is in."""
    bag = _bag_of_each(offsets, index.shape[0])
    if mean:
        values = values / _kept_in_each(index, bag, values, offsets.shape[0], padding_idx)
    return values, bag


@fused(weight=_bags_gradient)
def embedding_bags(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor,
    padding_idx: int | None,
    mean: bool,
    sparse: bool,
) -> Tensor:
    """Sums or means of the rows of `weight` that `input` (n) names, bags beginning at `offsets`:
    (bags, D). `sparse` concerns the gradient alone.
    """
    rows = lookup(input, weight, padding_idx)
    return _gathered(rows, input, offsets, padding_idx, "mean" if mean else "sum")


@fused(
    name="embedding_bags_add",
    values=lambda g, index, offsets, padding_idx, mean: embedding_bags(
        index, g, offsets, padding_idx, mean, False
    ),
)
def add_bags(
    values: Tensor,
    index: Tensor,
    offsets: Tensor,
    padding_idx: int | None,
    mean: bool,
    rows: int,
) -> Tensor:
    """Zeros (rows, D) with the values (bags, D) of each bag, or their share of a mean, added at its
    rows: the adjoint of `embedding_bags`.
    """
    shares, bag = _shares(values, index, offsets, padding_idx, mean)
    return add_rows(lookup(bag, shares, None), index, padding_idx, rows)


def _largest_rows(rows: Tensor, offsets: Tensor, bag: Tensor, kept: Tensor | None) -> Tensor:
    """The largest of each bag's rows, place by place, from a table (bags, largest size, D)."""
    bags, count = offsets.shape[0], rows.shape[0]
    sizes = scatter_add_along(zeros_of(offsets, (bags,)), bag, cast(bag >= 0, dtypes.int64), 0)
    widest = int(amax(sizes).item()) if bags else 0
    if not widest:
        return zeros_of(rows, (bags, rows.shape[1]))  # type: ignore[no-any-return]
    places = arange(widest, device=rows.device)
    inside = unsqueeze(places, 0) < unsqueeze(sizes, 1)
    index = clamp(unsqueeze(offsets, 1) + places, max=count - 1)
    if kept is not None:
        inside = inside & kept[index]
    named = where(unsqueeze(inside, 2), lookup(index, rows, None), -math.inf)
    values = largest(named, 1).values
    return where(unsqueeze(some(inside, 1, False), 1), values, 0)


def _check_bags(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None,
    mode: str,
    per_sample_weights: Tensor | None,
    scaled: bool,
) -> None:
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ShapeError(
            f"embedding_bag: expected per_sample_weights of shape {list(input.shape)}, got "
            f"{list(per_sample_weights.shape)}"
        )
    if weight.ndim != 2:
        raise ShapeError(
            f"embedding_bag: expected a weight of 2 dimensions, got shape {list(weight.shape)}"
        )
    if input.ndim not in (1, 2):
        raise ShapeError(
            f"embedding_bag: expected input of 1 or 2 dimensions, got shape {list(input.shape)}"
        )
    if (offsets is None) != (input.ndim == 2) or (offsets is not None and offsets.ndim != 1):
        got = "none" if offsets is None else f"shape {list(offsets.shape)}"
        raise ShapeError(
            "embedding_bag: expected offsets of one dimension for input of one dimension, and none "
            f"for input of two, got {got} for input {list(input.shape)}"
        )
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"embedding_bag: expected mode 'sum', 'mean' or 'max', got {mode!r}")
    if mode == "max" and scaled:
        raise ValueError(
            "embedding_bag: expected neither scale_grad_by_freq nor sparse for mode 'max', got one"
        )
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            f"embedding_bag: expected mode 'sum' beside per_sample_weights, got {mode!r}"
        )


def _check_offsets(offsets: Tensor, count: int) -> None:
    if not offsets.numel():
        return
    first, last = int(offsets[0].item()), int(offsets[-1].item())
    if first != 0 or last > count:
        raise ShapeError(
            f"embedding_bag: expected offsets from 0 to {count} at most, got {first} to {last}"
        )
