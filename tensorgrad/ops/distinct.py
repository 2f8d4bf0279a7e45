"""Distinct elements, or rows: sorted, or as neighbours come.

Nothing here has a gradient: the work is done on arrays by the backend's primitives.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, modes
from tensorgrad.errors import ShapeError
from tensorgrad.graph import unwrap, wrap
from tensorgrad.ops.shape import one_dim

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "unique",
    "unique_consecutive",
]


def _first_of_runs(backend: Any, rows: Any) -> Any:
    """(n, m) -> (n,) bool: where a row is not equal to the one before it."""
    count = rows.shape[0]
    before = backend.getitem(rows, (slice(None, max(count - 1, 0)),))
    changes = backend.any(backend.ne(backend.getitem(rows, (slice(1, None),)), before), 1, False)
    head = backend.full((min(count, 1),), True, dtypes.bool_, backend.device_of(rows))
    return backend.cat([head, changes], 0)


def _distinct(
    rows: Any, order: Any, return_inverse: bool, return_counts: bool
) -> tuple[Any, Any, Any]:
    """Of rows (n, m), taken in `order` or as they come: which to keep, the number of each row
    among the kept ones, and how often each stands there.
    """
    backend = modes.current().backends[rows.__class__]
    device, count = backend.device_of(rows), rows.shape[0]
    if order is not None:
        rows = backend.index(rows, (order,))
    first = _first_of_runs(backend, rows)
    starts = backend.getitem(backend.nonzero(first), (slice(None), 0))
    inverse = counts = None
    if return_inverse:
        inverse = backend.cumsum(backend.cast(first, dtypes.int64), 0) - 1
        if order is not None:
            empty = backend.full((count,), 0, dtypes.int64, device)
            inverse = backend.scatter_add(empty, order, inverse, 0)
    if return_counts:
        end = backend.full((1,), count, dtypes.int64, device)
        following = backend.getitem(backend.cat([starts, end], 0), (slice(1, None),))
        counts = backend.sub(following, starts)
    kept = starts if order is None else backend.index(order, (starts,))
    return kept, inverse, counts


def _unique(
    op: str, input: Any, ordered: bool, return_inverse: bool, return_counts: bool, dim: int | None
) -> Any:
    array = unwrap(input)
    backend = modes.current().backends[array.__class__]
    shape = tuple(array.shape)
    if dim is None:
        table = backend.reshape(array, (math.prod(shape), 1))
        found_along: tuple[Any, ...] = ()
    else:
        axis = one_dim(op, dim, len(shape))
        if 0 in shape[:axis] + shape[axis + 1 :]:
            raise ShapeError(
                f"{op}: expected no empty dimension beside {dim}, got shape {list(shape)}"
            )
        array = backend.reshape(array, shape or (1,))
        found_along = (slice(None),) * axis
        others = tuple([d for d in range(array.ndim) if d != axis])
        table = backend.permute(array, (axis, *others))
        table = backend.reshape(table, (array.shape[axis], array.size // max(array.shape[axis], 1)))
    order = None
    if ordered and table.shape[1] == 1:
        order = backend.argsort(backend.reshape(table, (table.shape[0],)), 0, False)
    elif ordered and table.shape[1]:
        order = backend.lexsort(table)
    kept, inverse, counts = _distinct(table, order, return_inverse, return_counts)
    if dim is None:
        values = backend.index(backend.reshape(table, (table.shape[0],)), (kept,))
        inverse = None if inverse is None else backend.reshape(inverse, shape)
    else:
        values = backend.index(array, (*found_along, kept))
    results = [wrap(part) for part in (values, inverse, counts) if part is not None]
    return results[0] if len(results) == 1 else tuple(results)


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The distinct elements, always sorted, or along `dim` the distinct slices.

    return_inverse: and for each element (or slice) the index of its value, int64.
    return_counts: and how often each value stands in the input, int64.
    NaN is equal to nothing, not even to NaN.
    """
    return _unique("unique", input, True, return_inverse, return_counts, dim)


def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """The elements, or the slices along `dim`, without those that repeat the one before; further
    results as of `unique`.
    """
    return _unique("unique_consecutive", input, False, return_inverse, return_counts, dim)
