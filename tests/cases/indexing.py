"""Indexing, gathering, scattering."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.op import OPS
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- indexing

ROWS, COLUMNS = np.array([2, 0, 2]), np.array([1, 1, 0])
case("getitem", OPS["getitem"].call, normal(4, 5), (slice(1, 4, 2), 3), torch="",
     ref=operator.getitem)
for label, index in {
    "number": -1,
    "slice": slice(1, None),
    "step": (slice(None), slice(0, 5, 2)),
    "None and Ellipsis": (None, ..., 1),
    "empty": (slice(2, 2),),
    "list": ([2, 0, 2],),
    "array": (slice(None), ROWS),
    "arrays": (ROWS, COLUMNS),
    "arrays broadcast": (ROWS[:, None], COLUMNS),
    "array after number": (1, ROWS),
    "arrays apart": (ROWS, slice(None, 2)),
    "mask": np.array([True, False, True, True]),
    "mask of all": np.arange(20).reshape(4, 5) % 3 == 0,
}.items():
    case(f"index {label}", operator.getitem, normal(4, 5), index, ref=operator.getitem)
case("index apart", operator.getitem, normal(3, 4, 5), (ROWS, slice(None), COLUMNS),
     ref=operator.getitem)
case("index primitive", OPS["index"].call, normal(4, 5), (ROWS, COLUMNS), torch="",
     ref=operator.getitem)


def embedded(x: np.ndarray, index: Any, size: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(size)
    np.add.at(out, index, x)
    return out


case("embed", OPS["embed"].call, normal(2, 3), (slice(1, 3),), (4, 3), torch="", ref=embedded)
case("embed arrays", OPS["embed"].call, normal(3), (ROWS, COLUMNS), (4, 3), torch="", ref=embedded)
case("gather", tg.gather, normal(4, 3), 0, integers(0, 4, 2, 3), dtypes=INT,
     ref=lambda x, d, i: np.take_along_axis(x, i, d))
case("gather last", tg.gather, normal(2, 3), -1, integers(0, 3, 2, 5),
     ref=lambda x, d, i: np.take_along_axis(x, i, d))
case("gather smaller", tg.gather, normal(4, 5), 0, integers(0, 4, 2, 3),
     ref=lambda x, d, i: np.take_along_axis(x[:, :3], i, d))


def scattered(x: np.ndarray, dim: int, index: np.ndarray, src: np.ndarray) -> np.ndarray:
    out = x.copy()
    for place in np.ndindex(*index.shape):
        target = list(place)
        target[dim] = index[place]
        out[tuple(target)] += src[place]
    return out


case("scatter_add", tg.scatter_add, normal(4, 3), 0, integers(0, 4, 5, 3), normal(5, 3),
     ref=scattered)
case("scatter_add part", tg.scatter_add, normal(3, 4), 1, integers(0, 4, 2, 2), normal(3, 3),
     ref=scattered, torch="")
case("index_select", tg.index_select, normal(4, 3), 0, integers(0, 4, 5),
     ref=lambda x, d, i: x.take(i, d))
case("index_select last", tg.index_select, normal(2, 5), -1, integers(0, 5, 3), dtypes=INT,
     ref=lambda x, d, i: x.take(i, d))
case("nonzero", tg.nonzero, given([0.0, 1.0], [2.0, 0.0]), ref=np.argwhere, grad=False,
     dtypes=EVERY)
case("masked_select", tg.masked_select, normal(3, 4), bools(3, 4), ref=operator.getitem)
case("masked_select broadcast", tg.masked_select, normal(3, 4), bools(4),
     ref=lambda x, m: x[np.broadcast_to(m, x.shape)])
case("embedding", tg.embedding, integers(0, 5, 2, 3), normal(5, 4), ref=lambda i, w: w[i],
     dtypes=NARROW)
case("embedding padding", tg.embedding, integers(1, 5, 7), normal(5, 4), padding_idx=0, torch="",
     ref=lambda i, w, padding_idx: w[i])
case("embedding_add", OPS["embedding_add"].call, normal(2, 3, 4), integers(0, 5, 2, 3), None, 5,
     torch="", ref=lambda x, i, p, rows: embedded(x, (i,), (5, 4)))
