"""Indexing, gathering, scattering."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
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


FOLDS = {
    "sum": np.add, "add": np.add, "prod": np.multiply, "multiply": np.multiply,
    "amax": np.maximum, "amin": np.minimum,
}


def scattered(
    x: np.ndarray, dim: int, index: np.ndarray, src: Any, reduce: str = "",
    include_self: bool = True,
) -> np.ndarray:
    """src[place] at index[place] along dim, one element after the other."""
    out, count = x.copy(), np.full(x.shape, float(include_self))
    for place in np.ndindex(*index.shape):
        target = list(place)
        target[dim] = index[place]
        at = tuple(target)
        value = src if np.isscalar(src) else src[place]
        if not reduce or not count[at]:
            out[at] = value
        else:
            out[at] = FOLDS.get(reduce, np.add)(out[at], value)
        count[at] += 1
    return out / np.maximum(count, 1) if reduce == "mean" else out


def indexed(
    x: np.ndarray, dim: int, index: np.ndarray, source: Any, reduce: str = "", **how: Any
) -> np.ndarray:
    """As `scattered`, where index[i] is the place of all of source's i-th along dim."""
    shape = list(x.shape)
    shape[dim] = len(index)
    along = [len(index) if d == dim % x.ndim else 1 for d in range(x.ndim)]
    return scattered(x, dim, np.broadcast_to(index.reshape(along), shape), source, reduce, **how)


SPREAD = np.array([[0, 3, 1], [2, 1, 0]])  # no place twice
DOUBLED = np.array([[0, 3, 1], [0, 1, 1], [2, 1, 1]])
case("scatter", tg.scatter, normal(4, 3), 0, SPREAD, normal(2, 3), ref=scattered, dtypes=EVERY)
case("scatter last", tg.scatter, normal(2, 4), -1, np.array([[1, 0], [3, 2]]), normal(2, 2),
     ref=scattered)
case("scatter value", tg.scatter, normal(4, 3), 0, DOUBLED, 2.5, ref=scattered, dtypes=NARROW)
case("scatter add", tg.scatter, normal(4, 3), 0, DOUBLED, normal(3, 3), reduce="add", torch="",
     ref=scattered)
case("scatter multiply", tg.scatter, normal(4, 3), 0, DOUBLED, nonzero(3, 3), reduce="multiply",
     ref=scattered, torch="")
case("scatter 0-d", tg.scatter, normal(), 0, np.array(0), normal(),
     ref=lambda x, d, i, src: src)
case("scatter_add", tg.scatter_add, normal(4, 3), 0, integers(0, 4, 5, 3), normal(5, 3),
     ref=lambda *a: scattered(*a, "add"), dtypes=NUMERIC)
case("scatter_add part", tg.scatter_add, normal(3, 4), 1, integers(0, 4, 2, 2), normal(3, 3),
     ref=lambda *a: scattered(*a, "add"), torch="")
case("scatter_along", OPS["scatter"].call, normal(4, 3), SPREAD, normal(2, 3), 0, torch="",
     ref=lambda x, i, src, d: scattered(x, d, i, src))
for reduce in ("sum", "prod", "mean", "amax", "amin"):
    for include_self in (True, False):
        case(f"scatter_reduce {reduce}{'' if include_self else ' without self'}",
             tg.scatter_reduce, normal(4, 3), 0, DOUBLED, normal(3, 3), reduce,
             include_self=include_self, ref=scattered, dtypes=INT if reduce != "mean" else "")
        if reduce != "sum":
            case(f"index_reduce {reduce}{'' if include_self else ' without self'}",
                 tg.index_reduce, normal(2, 4), 1, np.array([0, 3, 0]), normal(2, 3), reduce,
                 include_self=include_self, ref=indexed, torch="")
case("scatter_reduce ties", tg.scatter_reduce, given([1.0, 2.0, 0.0]), 0,
     np.array([0, 0, 1, 2, 2]), given([1.0, 1.0, 1.0, 0.0, 0.0]), "amax", ref=scattered, grad=False)
case("scatter_reduce 16 bit", tg.scatter_reduce, positive(4, 3), 0, DOUBLED, positive(3, 3), "prod",
     ref=scattered, dtypes=NARROW)
case("index_add", tg.index_add, normal(4, 3), 0, np.array([0, 3, 0]), normal(3, 3), dtypes=NARROW,
     ref=lambda *a: indexed(*a, reduce="add"))
case("index_add alpha", tg.index_add, normal(2, 4), -1, np.array([1, 1]), normal(2, 2), alpha=3,
     ref=lambda x, d, i, s, alpha: indexed(x, d, i, alpha * s, reduce="add"), dtypes=INT)
case("index_copy", tg.index_copy, normal(4, 3), 0, np.array([3, 0]), normal(2, 3), ref=indexed,
     dtypes=EVERY)
case("index_fill", tg.index_fill, normal(4, 3), 1, np.array([2, 0]), 1.5, ref=indexed,
     dtypes=NARROW)
case("index_fill tensor", tg.index_fill, normal(4, 3), 0, np.array([1, 1]), normal(),
     ref=lambda x, d, i, v: indexed(x, d, i, float(v)))


def put_at(x: np.ndarray, index: Any, values: Any, accumulate: bool = False) -> np.ndarray:
    out = x.copy()
    if accumulate:
        np.add.at(out, index, values)
    else:
        out[index] = values
    return out


case("index_put", tg.index_put, normal(4, 5), (ROWS[:2], COLUMNS[:2]), normal(2), ref=put_at,
     dtypes=EVERY)
case("index_put accumulate", tg.index_put, normal(4, 5), (ROWS,), normal(5), accumulate=True,
     ref=put_at, dtypes=NARROW)
case("index_put mask", tg.index_put, normal(4, 5), (np.array([True, False, True, False]),),
     normal(2, 5), ref=put_at)
case("index_put primitive", OPS["index_put"].call, normal(4, 5), normal(3), (ROWS, COLUMNS), True,
     torch="", ref=lambda x, v, i, a: put_at(x, i, v, a))


def put(x: np.ndarray, index: np.ndarray, source: np.ndarray, accumulate: bool) -> np.ndarray:
    return put_at(x.reshape(-1), index.reshape(-1), source.reshape(-1), accumulate).reshape(x.shape)


case("put", tg.put, normal(3, 4), np.array([[0, -1], [5, 2]]), normal(2, 2), False, ref=put)
case("put accumulate", tg.put, normal(3, 4), np.array([7, 7, 0]), normal(3), True, ref=put,
     dtypes=INT)
case("masked_scatter", tg.masked_scatter, normal(3, 4), bools(3, 4), normal(20),
     ref=lambda x, m, s: put_at(x, m, s[: m.sum()]), dtypes=EVERY)
case("masked_scatter broadcast", tg.masked_scatter, normal(2, 1, 3), bools(2, 3), normal(3, 5),
     ref=lambda x, m, s: put_at(np.broadcast_to(x, (2, 2, 3)), np.broadcast_to(m, (2, 2, 3)),
                                s.reshape(-1)[: 2 * m.sum()]))
case("take", tg.take, normal(3, 4), np.array([[0, -1], [5, 5]]), ref=lambda x, i: x.take(i),
     dtypes=EVERY)
case("take_along_dim", tg.take_along_dim, normal(3, 4), integers(-4, 4, 1, 5), 1,
     ref=lambda x, i, d: np.take_along_axis(x, np.broadcast_to(i % 4, (3, 5)), d))
case("take_along_dim flat", tg.take_along_dim, normal(3, 4), integers(0, 12, 2, 2),
     ref=lambda x, i: x.reshape(-1)[i.reshape(-1)])
case("isin", tg.isin, integers(0, 9, 3, 4), integers(0, 9, 5), ref=np.isin, grad=False)
case("isin invert", tg.isin, given([1.0, 2.0, 3.5]), given([2.0, 4.0]), invert=True, ref=np.isin,
     grad=False)
case("isin number", tg.isin, integers(0, 4, 3, 4), 2, ref=np.isin, grad=False)
case("argwhere", tg.argwhere, given([0.0, 1.0], [2.0, 0.0]), ref=np.argwhere, grad=False)
case("nonzero tuple", tg.nonzero, given([0.0, 1.0], [2.0, 0.0]), as_tuple=True, grad=False,
     ref=lambda x, as_tuple: np.nonzero(x))
case("nonzero_static", tg.nonzero_static, given([0.0, 1.0], [2.0, 0.0]), size=3, grad=False,
     ref=lambda x, size: np.concatenate([np.argwhere(x), [[-1, -1]]]))
case("fill", tg.fill, normal(3, 4), 2.5, ref=np.full_like, dtypes=NARROW)
case("fill tensor", tg.fill, normal(3, 4), normal(), ref=lambda x, v: np.full_like(x, v))
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


# ---- questions, whose answers are Python's

for name, answer in {"is_tensor": True, "is_floating_point": True, "numel": 12}.items():
    case(name, lambda x, name=name: tg.tensor(getattr(tg, name)(x)), normal(3, 4), grad=False,
         ref=lambda x, answer=answer: np.array(answer), torch="")
case("is_nonzero", lambda x: tg.tensor(tg.is_nonzero(x)), given([2.5]), grad=False, torch="",
     ref=lambda x: np.array(True))
case("is_signed", lambda x: tg.tensor(tg.is_signed(x)), given([2.5]), grad=False, torch="",
     ref=lambda x: np.array(True))
case("get_device", lambda x: tg.tensor(tg.get_device(x) == (0 if x.is_cuda else -1)), given([2.5]),
     grad=False, torch="", ref=lambda x: np.array(True))
case("is_same_size", lambda x, y: tg.tensor([tg.is_same_size(x, y), tg.is_same_size(x, x)]),
     normal(3, 4), normal(4, 3), grad=False, torch="", ref=lambda x, y: np.array([False, True]))

# ---- calls that must fail

PLACES = ints([0, 2])
bad("scatter dtype", lambda m, x, i, s: m.scatter(x, 0, i, s), X, PLACES, floats(1, 2).astype(F64),
    error=DTypeError, words="scatter: expected src of dtype float32, got float64")
bad("scatter src", lambda m, x, i, s: m.scatter(x, 0, i, s), X, PLACES, floats(1, 1),
    error=ShapeError, words="scatter: expected an index no larger than src")
bad("scatter index", lambda m, x, i: m.scatter(x, 0, i, 1.0), X, LONG, error=ShapeError,
    words="scatter: expected an index with 2 dimensions, got shape [3]")
bad("scatter range", lambda m, x, i: m.scatter(x, 0, i, 1.0), X, ints([0, 3]),
    error=IndexRangeError, words="scatter: expected indices in [0, 3), got 3")
bad("scatter_ range", lambda m, x, i: x.scatter_(0, i, 1.0), X, ints([0, -1]),
    error=IndexRangeError, words="scatter: expected indices in [0, 3), got -1")
bad("scatter reduce", lambda m, x, i, s: m.scatter(x, 0, i, s, reduce="mean"), X, PLACES,
    floats(1, 2), error=RuntimeError, words="scatter: expected reduce to be 'add' or 'multiply'")
bad("scatter nothing", lambda m, x, i: m.scatter(x, 0, i), X, PLACES, error=TypeError,
    words="scatter: expected src or value, got neither")
bad("scatter_reduce", lambda m, x, i, s: m.scatter_reduce(x, 0, i, s, "median"), X, PLACES,
    floats(1, 2), error=RuntimeError, words="scatter_reduce: expected reduce in")
bad("index_reduce", lambda m, x, i, s: m.index_reduce(x, 0, i, s, "sum"), X, LONG, X,
    error=RuntimeError, words="index_reduce: expected reduce in")
bad("index_add shape", lambda m, x, i, s: m.index_add(x, 0, i, s), X, LONG, floats(3, 5),
    error=ShapeError, words="index_add: expected a source of shape [3, 4], got [3, 5]")
bad("index_add dtype", lambda m, x, i, s: m.index_add(x, 0, i, s), X, LONG, X.astype(F64),
    error=DTypeError, words="index_add: expected a source of dtype float32, got float64")
bad("index_add range", lambda m, x, i, s: m.index_add(x, 0, i, s), X, ints(0, 3, 1), X,
    error=IndexRangeError, words="index_add: expected indices in [0, 3), got 3")
bad("index_copy rank", lambda m, x, i, s: m.index_copy(x, 0, i, s), X, ints([0, 1], [1, 2]), X,
    error=IndexRangeError, words="index_copy: expected an index of one dimension")
bad("index_fill value", lambda m, x, i, v: m.index_fill(x, 0, i, v), X, LONG, floats(2),
    error=ShapeError, words="index_fill: expected a 0-d value, got shape [2]")
bad("index_select rank", lambda m, x, i: m.index_select(x, 0, i), X, PLACES, error=IndexRangeError,
    words="index_select: expected an index of one dimension, got shape [1, 2]")
bad("index_select negative", lambda m, x, i: m.index_select(x, 0, i), X, ints(-1, 0),
    error=IndexRangeError, words="index_select: expected indices in [0, 3), got -1")
bad("index_select dtype", lambda m, x, i: m.index_select(x, 0, i), X, floats(2), error=DTypeError,
    words="index_select: expected an index of dtype int64, got float32")
bad("index_put dtype", lambda m, x, i, v: m.index_put(x, (i,), v), X, LONG, X.astype(F64),
    error=DTypeError, words="index_put: expected values of dtype float32, got float64")
bad("index_put many", lambda m, x, i, v: m.index_put(x, (i, i, i), v), X, LONG, floats(3),
    error=IndexRangeError, words="index_put: expected at most 2 indices")
bad("index_put shape", lambda m, x, i, v: m.index_put(x, (i,), v), X, LONG, floats(3),
    error=ShapeError, words="index_put: expected values that broadcast")
bad("put count", lambda m, x, i, s: m.put(x, i, s), X, LONG, floats(2), error=IndexRangeError,
    words="put: expected a source with an element for each of 3 places, got shape [2]")
bad("put range", lambda m, x, i, s: m.put(x, i, s), X, ints(12), floats(1), error=IndexRangeError,
    words="put: expected indices in [-12, 12), got 12")
bad("take range", lambda m, x, i: m.take(x, i), X, ints(-13), error=IndexRangeError,
    words="take: expected indices in [-12, 12), got -13")
bad("take nothing", lambda m, x, i: m.take(x, i), floats(0), ints(0), error=IndexRangeError,
    words="take: expected elements to take from")
bad("take_along_dim", lambda m, x, i: m.take_along_dim(x, i, 0), X, LONG, error=ShapeError,
    words="take_along_dim: expected an index with 2 dimensions")
bad("masked_scatter", lambda m, x, i, s: m.masked_scatter(x, i, s), X, X > -9, floats(3),
    error=ShapeError, words="masked_scatter: expected a source of at least 12 elements")
bad("masked_scatter mask", lambda m, x, i: m.masked_scatter(x, i, x), X, X, error=DTypeError,
    words="masked_scatter: expected a mask of dtype bool, got float32")
bad("masked_select shapes", lambda m, x, i: m.masked_select(x, i), X, MASK, error=ShapeError,
    words="masked_select: expected shapes that broadcast, got [3, 4] and [2]")
bad("nonzero_static", lambda m, x: m.nonzero_static(x, size=-1), X, error=RuntimeError,
    words="nonzero_static: expected size >= 0, got -1")
bad("fill", lambda m, x, v: m.fill(x, v), X, floats(1), error=ShapeError,
    words="fill: expected a number or a 0-d tensor, got shape [1]")
bad("take out", lambda m, x, i: m.take(x, i, out=x[0, :3]), X, LONG, error=ShapeError,
    words="take: expected out to have memory of its own")
bad("gather out", lambda m, x, i: m.gather(x, 1, i, out=m.empty(1, 2, dtype=m.float64)), X, PLACES,
    error=DTypeError, words="gather: expected out of dtype float32, got float64")
bad("expanded out", lambda m, x: m.exp(x, out=m.zeros(1).expand(3, 4)), X, error=ShapeError,
    words="exp: expected out whose elements have memory of their own")
bad("short index", lambda m, x, i: x[i], X, LONG.astype("int16"), error=IndexRangeError,
    words="getitem: expected integer, bool or slice indices, got int16")
bad("text index", lambda m, x: x["a"], X, error=TypeError, words="getitem: expected integer, bool")
bad("set dtype", lambda m, x, i, v: x.__setitem__(i, v), X, LONG, X.astype(F64), error=DTypeError,
    words="setitem: expected a value of dtype float32 where tensors are the index, got float64")
bad("set complex", lambda m, x: x.__setitem__(0, 1j), X, error=DTypeError,
    words="setitem: expected a value for float32, got 1j")
