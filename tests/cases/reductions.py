"""Reductions, sorting, running sums, counts, softmax, norms."""

from __future__ import annotations

import math

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.op import OPS
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- reductions


def running_places(x: np.ndarray) -> np.ndarray:
    """Where in (n, m) the largest of the elements up to each is, along the first dimension."""
    return np.stack([x[: row + 1].argmax(0) for row in range(len(x))])


for name, sample, kinds in (
    ("sum", normal, EVERY), ("mean", normal, NARROW),
    ("amax", distinct, NUMERIC), ("amin", distinct, NUMERIC),
):
    reduction, ref = getattr(tg, name), over(getattr(np, name))
    case(name, reduction, sample(3, 4), ref=ref, dtypes=kinds)
    case(f"{name} dim", reduction, sample(2, 3, 4), 1, ref=ref, dtypes=kinds)
    case(f"{name} last keepdim", reduction, sample(2, 3, 4), -1, True, ref=ref)
    case(f"{name} dims", reduction, sample(2, 3, 4), dim=(0, -1), ref=ref)
    case(f"{name} list keepdim", reduction, sample(2, 3, 4), dim=[0, 2], keepdim=True,
         ref=lambda x, dim, keepdim, ref=ref: ref(x, tuple(dim), keepdim))
    case(f"{name} 0-d", reduction, sample(), 0, ref=lambda x, dim: x)
case("mean of an array", OPS["mean"].call, normal(2, 3, 4), (0, 2), False, torch="mean",
     ref=over(np.mean))
case("sum empty", tg.sum, normal(0, 3), 0, ref=over(np.sum), dtypes=INT)
case("sum no elements", tg.sum, normal(2, 0, 3), ref=over(np.sum))
case("sum many rows", tg.sum, between(0, 1, 1031, 3), 0, ref=over(np.sum))
case("nansum", tg.nansum, given([1.0, math.nan, 2.0], [math.nan, math.nan, 3.0]), 1,
     ref=lambda x, dim: np.nansum(x, dim), dtypes=NARROW)
case("nanmean", tg.nanmean, given([1.0, math.nan, 2.5], [math.nan, 0.5, 3.0]), 1, True,
     ref=lambda x, dim, keepdim: np.nanmean(x, dim, keepdims=keepdim), dtypes=NARROW)
case("nanmean all", tg.nanmean, given(1.0, math.nan, 2.5), ref=np.nanmean)
case("count_nonzero", tg.count_nonzero, given([1.0, 0.0], [0.0, 0.0]), grad=False, dtypes=EVERY,
     ref=lambda x: np.asarray(np.count_nonzero(x)))
case("count_nonzero dims", tg.count_nonzero, bools(2, 3, 4), (0, -1), grad=False,
     ref=lambda x, dim: np.count_nonzero(x, dim))
case("sum dtype", tg.sum, normal(3, 4), dtype=np.dtype(F64), torch="", ref=lambda x, dtype: x.sum())
case("var", tg.var, normal(3, 4), ref=lambda x: x.var(ddof=1))
case("var dim", tg.var, normal(3, 4), 1, ref=lambda x, dim: x.var(dim, ddof=1))
case("var correction", tg.var, normal(3, 4), dim=(0, 1), correction=0, keepdim=True,
     ref=lambda x, dim, correction, keepdim: x.var(dim, ddof=0, keepdims=True))
case("var biased", tg.var, normal(3, 4), 0, False, ref=lambda x, dim, unbiased: x.var(dim))
case("std", tg.std, normal(3, 4), ref=lambda x: x.std(ddof=1))
case("std dim", tg.std, normal(3, 4), -1, keepdim=True,
     ref=lambda x, dim, keepdim: x.std(dim, ddof=1, keepdims=True))
case("var_mean", tg.var_mean, normal(3, 4), 1, keepdim=True, dtypes=NARROW,
     ref=lambda x, dim, keepdim: (x.var(1, ddof=1, keepdims=True), x.mean(1, keepdims=True)))
case("std_mean", tg.std_mean, normal(3, 4), correction=0,
     ref=lambda x, correction: (x.std(), x.mean()))
case("cov", tg.cov, normal(3, 5), ref=np.cov)
case("cov of one", tg.cov, normal(5), correction=0, ref=lambda x, correction: np.cov(x, ddof=0))
case("corrcoef", tg.corrcoef, normal(3, 5), ref=np.corrcoef)
case("root", OPS["root"].call, positive(3, 4), ref=np.sqrt, torch="sqrt")
case("prod", tg.prod, nonzero(3, 4), ref=over(np.prod), dtypes=INT)
case("prod dim", tg.prod, nonzero(2, 3, 4), 1, ref=over(np.prod))
case("prod keepdim", tg.prod, nonzero(2, 3), -1, True, ref=over(np.prod))
case("prod one zero", tg.prod, given(2.0, 0.0, 3.0), ref=over(np.prod))
case("prod two zeros", tg.prod, given([2.0, 0.0, 0.0], [0.0, 1.0, 3.0]), 1, ref=over(np.prod))
case("prod narrow", tg.prod, nonzero(3, 4), 1, ref=over(np.prod), dtypes=NARROW)
case("prod empty", tg.prod, normal(0, 2), 0, ref=over(np.prod))
case("max", tg.max, distinct(3, 4), ref=np.max, dtypes=NUMERIC)
case("max dim", tg.max, distinct(3, 4), 1, ref=lambda x, dim: (x.max(dim), x.argmax(dim)),
     dtypes=INT)
case("max keepdim", tg.max, distinct(3, 4), dim=-2, keepdim=True,
     ref=lambda x, dim, keepdim: (x.max(dim, keepdims=True), x.argmax(dim, keepdims=True)))
case("max other", tg.max, distinct(3, 4), between(-0.1, 0.1, 3, 4), ref=np.maximum)
case("min", tg.min, distinct(3, 4), ref=np.min, dtypes=NUMERIC)
case("min dim", tg.min, distinct(3, 4), 0, ref=lambda x, dim: (x.min(dim), x.argmin(dim)))
case("aminmax", tg.aminmax, distinct(3, 4), ref=lambda x: (x.min(), x.max()), dtypes=NUMERIC)
case("aminmax dim", tg.aminmax, distinct(3, 4), dim=0, keepdim=True,
     ref=lambda x, dim, keepdim: (x.min(0, keepdims=True), x.max(0, keepdims=True)))
case("max of an array", OPS["max"].call, distinct(3, 4), ref=np.max)
case("min of an array", OPS["min"].call, distinct(3, 4), ref=np.min)
case("min other", tg.min, distinct(3, 4), between(-0.1, 0.1, 3, 4), ref=np.minimum)
for name in ("argmax", "argmin"):
    case(name, getattr(tg, name), distinct(3, 4), ref=getattr(np, name), grad=False, dtypes=INT)
    case(f"{name} dim", getattr(tg, name), distinct(3, 4), 1, True, grad=False,
         ref=over(getattr(np, name)))
for name in ("any", "all"):
    case(name, getattr(tg, name), given(0.0, 1.0, 2.0), ref=getattr(np, name), grad=False,
         dtypes=EVERY)
    case(f"{name} dim", getattr(tg, name), bools(3, 4), -1, grad=False, ref=over(getattr(np, name)))
    case(f"{name} empty", getattr(tg, name), bools(0), grad=False, ref=getattr(np, name))
case("argsort", tg.argsort, distinct(3, 5), grad=False, ref=lambda x: np.argsort(x))
case("argsort descending", tg.argsort, distinct(3, 5), 0, True, grad=False,
     ref=lambda x, dim, descending: np.argsort(-x, dim))
case("first_in_order", OPS["first_in_order"].call, distinct(3, 5), 1, 2, True, torch="", grad=False,
     ref=lambda x, dim, count, descending: np.argsort(-x, dim)[:, :2])
case("sort", tg.sort, distinct(3, 5), ref=lambda x: (np.sort(x), np.argsort(x)), dtypes=NARROW)
case("sort descending", tg.sort, distinct(3, 5), dim=0, descending=True,
     ref=lambda x, dim, descending: (-np.sort(-x, dim), np.argsort(-x, dim)))
case("topk", tg.topk, distinct(3, 5), 2,
     ref=lambda x, k: (-np.sort(-x)[:, :2], np.argsort(-x)[:, :2]))
case("topk smallest", tg.topk, distinct(5, 3), 2, 0, largest=False,
     ref=lambda x, k, dim, largest: (np.sort(x, 0)[:2], np.argsort(x, 0)[:2]))
case("msort", tg.msort, distinct(4, 3), ref=lambda x: np.sort(x, 0), dtypes=NUMERIC)
case("kthvalue", tg.kthvalue, distinct(3, 5), 2, dtypes=NUMERIC,
     ref=lambda x, k: (np.sort(x)[:, 1], np.argsort(x)[:, 1]))
case("kthvalue keepdim", tg.kthvalue, distinct(5, 3), 5, 0, True,
     ref=lambda x, k, dim, keepdim: (np.sort(x, 0)[4:], np.argsort(x, 0)[4:]))
case("mode", tg.mode, given([3.0, 1.0, 1.0, 3.0, 2.0], [0.0, 5.0, 5.0, 5.0, 0.0]), dtypes=NUMERIC,
     ref=lambda x: (np.array([1.0, 5.0]) * (4 if x.dtype.kind == "i" else 1), np.array([2, 3])),
     second=False, grad=False)
case("mode keepdim", tg.mode, distinct(4, 3), 0, True,
     ref=lambda x, dim, keepdim: (np.sort(x, 0)[:1], np.argsort(x, 0)[:1]))
case("median", tg.median, distinct(3, 4), ref=lambda x: np.sort(x, None)[5], dtypes=NUMERIC)
case("median dim", tg.median, distinct(3, 4), 1, dtypes=NUMERIC,
     ref=lambda x, dim: (np.sort(x)[:, 1], np.argsort(x)[:, 1]))
case("median NaN", tg.median, given([1.0, math.nan, 2.0], [3.0, 1.0, 2.0]), -1, True, grad=False,
     ref=lambda x, dim, keepdim: (np.array([[math.nan], [2.0]]), np.array([[1], [2]])))
case("nanmedian", tg.nanmedian, given(1.0, math.nan, 2.5, 4.0), ref=lambda x: x[2])
case("nanmedian dim", tg.nanmedian, given([1.0, math.nan, 2.5], [3.0, 1.0, 2.0]), -1,
     ref=lambda x, dim: (x[[0, 1], [0, 2]], np.array([0, 2])), dtypes=NARROW)
case("median of an array", OPS["median"].call, distinct(3, 4), ref=lambda x: np.sort(x, None)[5])
case("nanmedian of an array", OPS["nanmedian"].call, distinct(3, 4),
     ref=lambda x: np.sort(x, None)[5])
for how in ("linear", "lower", "higher", "midpoint", "nearest"):
    case(f"quantile {how}", tg.quantile, distinct(3, 5), 0.6, 1, interpolation=how,
         ref=lambda x, q, dim, interpolation: np.quantile(x, q, axis=dim, method=interpolation))
case("quantile several", tg.quantile, distinct(3, 5), between(0.1, 0.9, 2), 0, True,
     ref=lambda x, q, dim, keepdim: np.quantile(x, q, axis=dim, keepdims=keepdim))
case("nanquantile", tg.nanquantile, given([1.0, math.nan, 2.5, 4.0], [3.0, 1.0, 2.0, 0.0]), 0.3, 1,
     ref=lambda x, q, dim: np.nanquantile(x, q, axis=dim))
case("nanquantile all", tg.nanquantile, given([1.0, math.nan], [4.0, 3.5]), 0.25,
     ref=np.nanquantile)
case("unique", tg.unique, integers(0, 4, 3, 5), return_inverse=True, return_counts=True,
     grad=False, ref=lambda x, return_inverse, return_counts: np.unique(x, False, True, True))
case("unique floats", tg.unique, given(2.0, 1.0, 2.0, -1.0), grad=False, dtypes=EVERY,
     ref=np.unique)
case("unique dim", tg.unique, integers(0, 2, 2, 6), dim=1, return_counts=True,
     grad=False, ref=lambda x, dim, return_counts: np.unique(x, axis=1, return_counts=True))
case("unique_consecutive", tg.unique_consecutive, given(1, 1, 2, 2, 2, 1), True, True, grad=False,
     ref=lambda x, *flags: (np.array([1, 2, 1]), np.array([0, 0, 1, 1, 1, 2]), np.array([2, 3, 1])))
case("unique_consecutive dim", tg.unique_consecutive, given([1, 1, 2], [3, 3, 3]), dim=1,
     grad=False, ref=lambda x, dim: x[:, 1:])
case("bincount", tg.bincount, integers(0, 5, 9), minlength=7, grad=False,
     ref=lambda x, minlength: np.bincount(x, minlength=minlength))
case("bincount weights", tg.bincount, integers(0, 5, 9), positive(9), grad=False,
     ref=lambda x, weights: np.bincount(x, weights))
SORTED = given([-1.0, 0.5, 0.5, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0, 4.0])
case("searchsorted", tg.searchsorted, given(-1.0, 0.5, 0.5, 2.0), given([0.5, 3.0], [-2.0, 0.6]),
     grad=False, ref=np.searchsorted, dtypes=NUMERIC)
case("searchsorted rows", tg.searchsorted, SORTED, given([0.5, 9.0, -2.0], [2.0, -1.0, 4.0]),
     grad=False, ref=lambda s, x: np.stack([np.searchsorted(a, b) for a, b in zip(s, x)]))
case("searchsorted right", tg.searchsorted, SORTED, given([0.5, 9.0, -2.0], [2.0, -1.0, 4.0]),
     right=True, out_int32=True, grad=False,
     ref=lambda s, x, right, out_int32: np.stack(
         [np.searchsorted(a, b, "right") for a, b in zip(s, x)]))
case("searchsorted sorter", lambda s, x, order: tg.searchsorted(s, x, sorter=order, side="right"),
     given(2.0, -1.0, 0.5), given(0.0, 0.5), given(1, 2, 0), grad=False, torch="",
     ref=lambda s, x, order: np.searchsorted(s, x, "right", order))
case("bucketize", tg.bucketize, normal(3, 4), given(-1.0, 0.0, 1.0), grad=False,
     ref=lambda x, edges: np.digitize(x, edges, True), dtypes=NARROW)
case("histc", tg.histc, normal(5, 6), 4, -1.0, 2.0, grad=False,
     ref=lambda x, bins, low, high: np.histogram(x, bins, (low, high))[0].astype(float))
case("histogram", tg.histogram, normal(5, 6), 4, range=(-1.0, 2.0), density=True, grad=False,
     ref=lambda x, bins, range, density: np.histogram(x, bins, range, density))
case("histogram weight", tg.histogram, normal(7), given(-2.0, -0.5, 0.5, 2.0), weight=None,
     grad=False, ref=lambda x, bins, weight: (np.histogram(x, bins)[0].astype(float), bins))
case("histogramdd", tg.histogramdd, normal(20, 2), [3, 2], range=[-1.0, 1.0, -2.0, 2.0],
     grad=False, ref=lambda x, bins, range: (
         np.histogramdd(x, bins, [(-1, 1), (-2, 2)])[0],
         *np.histogramdd(x, bins, [(-1, 1), (-2, 2)])[1]))
case("cumsum", tg.cumsum, normal(3, 4), 1, ref=lambda x, dim: x.cumsum(dim), dtypes=INT)
case("cumsum negative dim", tg.cumsum, normal(2, 3, 4), dim=-2, ref=lambda x, dim: x.cumsum(dim))
case("cumprod", tg.cumprod, nonzero(3, 4), 1, ref=lambda x, dim: x.cumprod(dim), dtypes=NUMERIC)
case("cumprod zeros", tg.cumprod, given([2.0, 0.0, 3.0, 0.0, 1.5], [0.0, 1.0, 2.0, -1.0, 0.5]), -1,
     ref=lambda x, dim: x.cumprod(dim))
case("cummax", tg.cummax, given(1.0, 3.0, 3.0, 2.0, math.nan, 4.0), 0, grad=False, dtypes=NARROW,
     ref=lambda x, dim: (np.maximum.accumulate(x), np.array([0, 1, 2, 2, 4, 4])))
case("cummax first", tg.cummax, distinct(5, 3), 0, dtypes=INT,
     ref=lambda x, dim: (np.maximum.accumulate(x, 0), running_places(x)))
case("cummin", tg.cummin, distinct(5, 3), -2, dtypes=NUMERIC,
     ref=lambda x, dim: (np.minimum.accumulate(x, 0), running_places(-x)))
case("logcumsumexp", tg.logcumsumexp, normal(3, 5), 1, dtypes=NARROW,
     ref=lambda x, dim: np.log(np.exp(x).cumsum(dim)))
case("logcumsumexp far", tg.logcumsumexp, given(-math.inf, -1000.0, 1000.0, 1000.0), -1,
     grad=False,
     ref=lambda x, dim: np.array([-math.inf, -1000.0, 1000.0, 1000.0 + math.log(2)]))
case("logsumexp", tg.logsumexp, normal(3, 4), 1, dtypes=EVERY,
     ref=lambda x, dim: np.log(np.exp(x * 1.0).sum(dim)))
case("logsumexp dims", tg.logsumexp, normal(2, 3, 4), (0, 2), True,
     ref=lambda x, dim, keepdim: np.log(np.exp(x).sum(dim, keepdims=True)))
case("logsumexp far", tg.logsumexp, given([1000.0, 1000.0], [-math.inf, -math.inf]), 1, grad=False,
     ref=lambda x, dim: np.array([1000 + math.log(2), -math.inf]))


case("softmax dtype", tg.softmax, integers(0, 3, 2, 3), 1, dtype=np.dtype(F64), torch="",
     grad=False,
     ref=lambda x, dim, dtype: softmax_of(x, dim))
case("log_softmax dtype", tg.log_softmax, integers(0, 3, 2, 3), 1, dtype=np.dtype(F64), torch="",
     grad=False,
     ref=lambda x, dim, dtype: np.log(softmax_of(x, dim)))


def softmax_of(x: np.ndarray, dim: int) -> np.ndarray:
    e = np.exp(x - x.max(dim, keepdims=True))
    return e / e.sum(dim, keepdims=True)


case("softmax", tg.softmax, normal(3, 5), 1, ref=softmax_of, dtypes=NARROW)
case("softmax middle", tg.softmax, normal(2, 3, 4), dim=1, ref=softmax_of)
case("softmax first", tg.softmax, normal(3, 4), dim=0, ref=softmax_of)
case("softmax 1-d", tg.softmax, normal(7), -1, ref=softmax_of)
case("softmax 0-d", tg.softmax, normal(), 0, ref=lambda x, dim: np.ones(()), second=False)
case("softmax empty", tg.softmax, normal(2, 0), 1, ref=lambda x, dim: x)
case("softmax one", tg.softmax, normal(3, 1), -1, ref=softmax_of)
case("log_softmax", tg.log_softmax, normal(3, 5), 1, ref=lambda x, dim: np.log(softmax_of(x, dim)))
case("log_softmax middle", tg.log_softmax, normal(2, 3, 4), dim=-2, dtypes=NARROW,
     ref=lambda x, dim: np.log(softmax_of(x, dim)))
case("norm", tg.norm, normal(3, 4), ref=lambda x: np.sqrt((x * x).sum()))
case("norm dim", tg.norm, normal(3, 4), dim=1, keepdim=True,
     ref=lambda x, dim, keepdim: np.linalg.norm(x, axis=1, keepdims=True))
case("norm 1", tg.norm, nonzero(3, 4), 1, 0, ref=lambda x, p, dim: np.abs(x).sum(0))
case("norm 3", tg.norm, nonzero(3, 4), 3, 0,
     ref=lambda x, p, dim: (np.abs(x) ** 3).sum(0) ** (1 / 3))
case("norm inf", tg.norm, distinct(3, 4), math.inf, -1, ref=lambda x, p, dim: np.abs(x).max(-1))
case("root_of_powers", OPS["root_of_powers"].call, nonzero(3, 4), 2.5, 1, True, torch="norm",
     ref=lambda x, p, dim, keepdim: (np.abs(x) ** p).sum(dim, keepdims=True) ** (1 / p))
case("root_of_squares", OPS["root_of_squares"].call, normal(3, 4), 1, False, torch="",
     ref=lambda x, dim, keepdim: np.linalg.norm(x, axis=1))


def shrunk(length: np.ndarray, most: float) -> np.ndarray:
    return np.where(length > most, most / (length + 1e-7), 1)


case("norm fro", tg.norm, normal(3, 4), "fro", (0, 1), True,
     ref=lambda x, p, dim, keepdim: np.linalg.norm(x, axis=dim, keepdims=True), dtypes=NARROW)
case("norm nuc", tg.norm, normal(3, 4), "nuc", ref=lambda x, p: np.linalg.norm(x, p))
case("dist", tg.dist, normal(3, 4), normal(4), 3,
     ref=lambda x, y, p: (np.abs(x - y) ** 3).sum() ** (1 / 3))
case("renorm", tg.renorm, nonzero(3, 4), 2, 0, 1.5, dtypes=NARROW,
     ref=lambda x, p, dim, most: x * shrunk(np.linalg.norm(x, axis=1, keepdims=True), most))

# ---- what is refused

EMPTY = floats(2, 0)
bad("amax empty", lambda m, x: m.amax(x), EMPTY, error=ShapeError,
    words="amax: expected elements to choose from, got [2, 0]")
bad("amin twice", lambda m, x: m.amin(x, (0, 0)), X, error=ShapeError,
    words="amin: expected each dimension once, got [0, 0]")
bad("amax out", lambda m, x: m.amax(x, 0, out=m.zeros(4, dtype=m.float64)), X, error=DTypeError,
    words="amax: expected out of dtype float32, got float64")
bad("aminmax empty", lambda m, x: m.aminmax(x), EMPTY, error=ShapeError,
    words="aminmax: expected elements to choose from")
bad("aminmax empty dim", lambda m, x: m.aminmax(x, dim=1), EMPTY, error=IndexRangeError,
    words="aminmax: expected elements to choose from")
bad("max of a number", lambda m, x: m.max(2, x), X, error=TypeError,
    words="max: expected a tensor, got int")
bad("max dims", lambda m, x: m.max(x, (0, 1)), X, error=TypeError,
    words="max: expected dim to be a whole number, got (0, 1)")
bad("prod dims", lambda m, x: m.prod(x, (0, 1)), X, error=TypeError,
    words="prod: expected dim to be a whole number, got (0, 1)")
bad("nanmean of integers", lambda m, x: m.nanmean(x), LONG, error=DTypeError,
    words="nanmean: expected a floating point dtype, got int64")
bad("var unbiased", lambda m, x: m.var(x, 1, unbiased=1), X, error=TypeError,
    words="var: expected unbiased to be True or False, got 1")
bad("std unbiased", lambda m, x: m.std(x, unbiased=True, correction=1), X, error=TypeError,
    words="std: expected unbiased or correction, got True and 1")
bad("var_mean unbiased", lambda m, x: m.var_mean(x, True, True), X, error=TypeError,
    words="var_mean: expected dim to be whole numbers or None, got True")
bad("var_mean of integers", lambda m, x: m.var_mean(x), LONG, error=DTypeError,
    words="var_mean: expected a floating point dtype, got int64")
for name in ("cumprod", "cummax", "cummin", "logcumsumexp", "kthvalue"):
    bad(f"{name} dim", lambda m, x, name=name: getattr(m, name)(x, dim=5, **(
        {"k": 1} if name == "kthvalue" else {})), X, error=IndexRangeError,
        words=f"{name}: expected a dimension in [-2, 1], got 5")
for name in ("logcumsumexp", "softmax", "log_softmax"):
    bad(f"{name} of integers", lambda m, x, name=name: getattr(m, name)(x, 0), LONG,
        error=DTypeError, words=f"{name}: expected a floating point dtype, got int64")
bad("kthvalue k", lambda m, x: m.kthvalue(x, 5), X, error=RuntimeError,
    words="kthvalue: expected k in [1, 4], got 5")
bad("kthvalue empty", lambda m, x: m.kthvalue(x, 1), EMPTY, error=IndexRangeError,
    words="kthvalue: expected elements, got shape [2, 0]")
bad("kthvalue shared out", lambda m, x: m.kthvalue(x, 2, out=(x, m.zeros(()).long())), floats(5),
    error=RuntimeError, words="kthvalue: expected")
for name in ("kthvalue", "topk"):
    bad(f"{name} of bools", lambda m, x, name=name: getattr(m, name)(x, 1), MASK, error=DTypeError,
        words=f"{name}: expected numbers, got bool")
bad("median of bools", lambda m, x: m.median(x), MASK, error=DTypeError,
    words="median: expected numbers, got bool")
bad("median empty", lambda m, x: m.median(x, 1), EMPTY, error=IndexRangeError,
    words="median: expected elements to choose from")
bad("mode empty", lambda m, x: m.mode(x), EMPTY, error=IndexRangeError,
    words="mode: expected elements to choose from")
bad("quantile q", lambda m, x: m.quantile(x, 1.5), X, error=RuntimeError,
    words="quantile: expected q in [0, 1], got 1.5")
bad("quantile several q", lambda m, x, q: m.quantile(x, q), X, np.float32([0.5, -1]),
    error=RuntimeError, words="quantile: expected q in [0, 1]")
bad("quantile q dtype", lambda m, x, q: m.quantile(x, q), X, np.array([0.5]), error=DTypeError,
    words="quantile: expected q of dtype float32, got float64", in_torch=True)
bad("quantile q shape", lambda m, x, q: m.quantile(x, q), X, floats(1, 1), error=ShapeError,
    words="quantile: expected q with at most 1 dimension, got [1, 1]")
bad("quantile how", lambda m, x: m.quantile(x, 0.5, interpolation="cubic"), X, error=RuntimeError,
    words="quantile: expected interpolation to be one of")
bad("quantile of integers", lambda m, x: m.quantile(x, 0.5), LONG, error=DTypeError,
    words="quantile: expected a floating point dtype, got int64")
bad("nanquantile empty", lambda m, x: m.nanquantile(x, 0.5), EMPTY, error=ShapeError,
    words="nanquantile: expected a non-empty tensor, got shape [2, 0]")
bad("unique empty", lambda m, x: m.unique(x, dim=0), EMPTY, error=ShapeError,
    words="unique: expected no empty dimension beside 0, got shape [2, 0]")
bad("bincount of floats", lambda m, x: m.bincount(x), floats(3), error=DTypeError,
    words="bincount: expected whole numbers, got float32")
bad("bincount shape", lambda m, x: m.bincount(x), ints([1, 2], [3, 4]), error=ShapeError,
    words="bincount: expected an input of 1 dimension, got [2, 2]")
bad("bincount negative", lambda m, x: m.bincount(x), ints(1, -2), error=RuntimeError,
    words="bincount: expected values that it is defined for, got int64")
bad("bincount minlength", lambda m, x: m.bincount(x, minlength=-1), LONG, error=RuntimeError,
    words="bincount: expected minlength >= 0, got -1")
bad("bincount weights", lambda m, x, w: m.bincount(x, w), LONG, floats(2), error=ShapeError,
    words="bincount: expected weights of shape [3], got [2]")
bad("histc of integers", lambda m, x: m.histc(x), LONG, error=DTypeError,
    words="histc: expected a floating point dtype, got int64")
bad("histc bins", lambda m, x: m.histc(x, 0), X, error=RuntimeError,
    words="histc: expected bins > 0, got 0")
bad("histc range", lambda m, x: m.histc(x, 3, 2, 1), X, error=RuntimeError,
    words="histc: expected max larger than min, got 2 and 1")
bad("histc infinite", lambda m, x: m.histc(x, 3), np.float32([1, math.inf]), error=RuntimeError,
    words="histc: expected a finite range, got [1.0, inf]")
bad("histogram weight", lambda m, x, w: m.histogram(x, 3, weight=w), X, floats(2), error=ShapeError,
    words="histogram: expected a weight of shape [3, 4], got [2]")
bad("histogram bins", lambda m, x, b: m.histogram(x, b), X, floats(2, 2), error=ShapeError,
    words="histogram: expected boundaries of 1 dimension, got [2, 2]")
bad("histogramdd bins", lambda m, x: m.histogramdd(x, [2, 2]), X, error=RuntimeError,
    words="histogramdd: expected 4 numbers of bins, got 2")
bad("histogramdd shape", lambda m, x: m.histogramdd(x, 2), floats(3), error=ShapeError,
    words="histogramdd: expected points (*, d), got shape [3]")
bad("searchsorted side", lambda m, s, x: m.searchsorted(s, x, side="left", right=True), floats(3),
    floats(2), error=RuntimeError, words="searchsorted: expected side 'left' or 'right'")
bad("searchsorted rows", lambda m, s, x: m.searchsorted(s, x), X, floats(2, 4), error=ShapeError,
    words="searchsorted: expected a sequence of 1 dimension, or shapes that agree")
bad("searchsorted number", lambda m, s: m.searchsorted(s, 1.0), X, error=ShapeError,
    words="searchsorted: expected a sequence of 1 dimension beside a number, got [3, 4]")
bad("searchsorted sorter", lambda m, s, x, o: m.searchsorted(s, x, sorter=o), floats(3), floats(2),
    ints(0, 1, 3), error=RuntimeError, words="searchsorted: expected a sorter of indices in [0, 3)")
bad("searchsorted sorter dtype", lambda m, s, o: m.searchsorted(s, s, sorter=o), floats(3),
    floats(3), error=DTypeError, words="searchsorted: expected a sorter of dtype int64")
bad("bucketize boundaries", lambda m, x, b: m.bucketize(x, b), X, X, error=ShapeError,
    words="bucketize: expected boundaries of 1 dimension, got [3, 4]")
bad("cov shape", lambda m, x: m.cov(x), floats(2, 2, 2), error=ShapeError,
    words="cov: expected at most 2 dimensions, got [2, 2, 2]")
bad("cov weights", lambda m, x, w: m.cov(x, fweights=w), X, ints(1, -1, 1, 1), error=RuntimeError,
    words="cov: expected fweights >= 0, got")
bad("cov weights dtype", lambda m, x, w: m.cov(x, aweights=w), X, ints(1, 1, 1, 1),
    error=DTypeError, words="cov: expected aweights of a floating point dtype, got int64")
bad("renorm shape", lambda m, x: m.renorm(x, 2, 0, 1.0), floats(3), error=ShapeError,
    words="renorm: expected at least 2 dimensions, got [3]")
bad("renorm p", lambda m, x: m.renorm(x, 0, 0, 1.0), X, error=RuntimeError,
    words="renorm: expected p > 0 and maxnorm >= 0, got 0 and 1.0")
bad("dist of integers", lambda m, x: m.dist(x, x), LONG, error=DTypeError,
    words="norm: expected a floating point dtype, got int64")
bad("norm of integers", lambda m, x: m.norm(x), LONG, error=DTypeError,
    words="norm: expected a floating point dtype, got int64")
