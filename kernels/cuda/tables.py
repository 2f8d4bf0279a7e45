"""Rows of tables, summed by bag and added where they are named: what `tables.cu` is given.

Names are put in order first, by CuPy's sort, which keeps equals as they were: so sums are the same
to the bit every time, as atomic additions are not. Rows that are not there are reported where they
are read, and left out where they are added.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.lines import ready
from tensorgrad.kernels.cuda.loader import kernel, served_in_full

Array = Any

BLOCK, RUN = 256, 32  # as in tables.cu
NOTHING = -1  # the name of no row


def launch(name: str, items: int, arrays: list[Array], of: Array, *numbers: Any) -> None:
    """A kernel for items as wide as the rows of `of`, which sees for itself whether they have
    vectors: there are threads for single elements too.
    """
    threads = items * of.shape[1]
    run = kernel("tables.cu", name, of.dtype.char)
    run((-(-threads // BLOCK),), (BLOCK,), (*arrays, *numbers))


def _name(padding: int | None) -> Any:
    return np.int64(NOTHING if padding is None else padding)


def take_rows(weight: Array, index: Array, report: Any) -> Any:
    """Rows of `weight` (V, D) named by `index`: (*index.shape, D)."""
    import cupy

    if not served_in_full([weight]) or not isinstance(index, cupy.ndarray):
        return NotImplemented
    rows, width = weight.shape
    out = cupy.empty((index.size, width), weight.dtype)
    arrays = ready([weight, index.astype(np.int64, copy=False)])
    if out.size:
        sizes = np.int64(index.size), np.int64(rows), np.int32(width)
        launch("take_rows", index.size, [*arrays, out], out, *sizes, report)
    return out.reshape(*index.shape, width)


def sum_bags(
    weight: Array, index: Array, offsets: Array, padding: int | None, mean: bool, report: Any
) -> Any:
    """(bags, D): sums or means of the rows that each bag names."""
    import cupy

    if not served_in_full([weight]) or weight.ndim != 2:
        return NotImplemented
    bags, width = offsets.size, weight.shape[1]
    out = cupy.empty((bags, width), weight.dtype)
    weight, index, offsets = ready([weight, index.astype(np.int64, copy=False), offsets])
    if out.size:
        sizes = *map(np.int64, (bags, index.size, len(weight))), np.int32(width)
        how = *sizes, _name(padding), np.bool_(mean), report
        launch("sum_bags", bags, [weight, index, offsets, out], out, *how)
    return out


def add_bags(
    values: Array, index: Array, offsets: Array, padding: int | None, mean: bool, rows: int
) -> Any:
    """Zeros (rows, D) with each bag's values, or shares of them, added at its rows."""
    import cupy

    if not served_in_full([values]):
        return NotImplemented
    table = cupy.zeros((rows, values.shape[1]), values.dtype)
    if not table.size or not index.size:
        return table
    values, index, offsets = ready([values, index.astype(np.int64, copy=False), offsets])
    if mean:
        shares = cupy.empty(values.shape, values.dtype)
        sizes = np.int64(offsets.size), np.int64(index.size), np.int32(values.shape[1])
        arrays = [values, index, offsets, shares]
        launch("share_bags", offsets.size, arrays, values, *sizes, _name(padding))
        values = shares
    bag = cupy.searchsorted(offsets, cupy.arange(index.size), side="right") - 1
    add_rows(table, index, values, bag, padding)
    return table


def embedding_add(values: Array, index: Array, padding: int | None, rows: int) -> Any:
    """Zeros (rows, D) with values[i] added at row index[i], but for the row `padding`."""
    import cupy

    if not served_in_full([values]):
        return NotImplemented
    table = cupy.zeros((rows, values.shape[1]), values.dtype)
    add_rows(table, index, values, None, padding)
    return table


def add_rows(
    table: Array, index: Array, values: Array, source: Array | None, padding: int | None
) -> None:
    """table[index[i]] += values[i], or values[source[i]], but for the row `padding`. The table is
    dense in memory.
    """
    import cupy

    count, width = index.size, table.shape[1]
    if not count or not width:
        return
    index, values = ready([index.astype(np.int64, copy=False), values])
    order = cupy.argsort(index)
    keys = cupy.take(index, order)
    chunks = -(-count // RUN)
    edges = cupy.empty((chunks, 2 * width), table.dtype)
    given = [keys, order, order if source is None else source, values, table, edges]
    sizes = np.int64(count), np.int64(len(table)), np.int32(width), _name(padding)
    launch("add_runs", chunks, given, table, *sizes, np.bool_(source is not None))
    if chunks > 1:
        launch("join_runs", chunks, [keys, table, edges], table, *sizes)


def add_at(target: Array, index: Any, value: Array) -> bool:
    """target[index] += value, one after another where a place is named twice; False, and nothing
    is written, for an index that is not of whole numbers for the first dimension or for all.
    """
    import cupy

    parts = index if isinstance(index, tuple) else (index,)
    if not served_in_full([target]) or not target.flags.c_contiguous or 0 in target.shape:
        return False
    if any(getattr(part, "dtype", np.dtype(bool)).kind != "i" for part in parts):
        return False
    if len(parts) not in (1, target.ndim):
        return False
    shape = np.broadcast_shapes(*[part.shape for part in parts])
    lead, rest = target.shape[: len(parts)], target.shape[len(parts) :]
    places = parts[0] % lead[0]
    for part, size in zip(parts[1:], lead[1:]):
        places = places * size + part % size
    values = cupy.broadcast_to(value, shape + rest).astype(target.dtype, copy=False)
    table = target.reshape(math.prod(lead), math.prod(rest))
    add_rows(
        table, places.reshape(-1), values.reshape(math.prod(shape), table.shape[1]), None, None
    )
    return True
