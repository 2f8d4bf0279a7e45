"""Reductions, sorting, running sums, softmax, norms."""

from __future__ import annotations

import math

import numpy as np

import tensorgrad as tg
from tensorgrad.op import OPS
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- reductions


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
case("sum dtype", tg.sum, normal(3, 4), dtype=np.dtype(F64), torch="", ref=lambda x, dtype: x.sum())
case("var", tg.var, normal(3, 4), ref=lambda x: x.var(ddof=1))
case("var dim", tg.var, normal(3, 4), 1, ref=lambda x, dim: x.var(dim, ddof=1))
case("var correction", tg.var, normal(3, 4), dim=(0, 1), correction=0, keepdim=True,
     ref=lambda x, dim, correction, keepdim: x.var(dim, ddof=0, keepdims=True))
case("var biased", tg.var, normal(3, 4), 0, False, ref=lambda x, dim, unbiased: x.var(dim))
case("std", tg.std, normal(3, 4), ref=lambda x: x.std(ddof=1))
case("std dim", tg.std, normal(3, 4), -1, keepdim=True,
     ref=lambda x, dim, keepdim: x.std(dim, ddof=1, keepdims=True))
case("root", OPS["root"].call, positive(3, 4), ref=np.sqrt, torch="sqrt")
case("prod", tg.prod, nonzero(3, 4), ref=over(np.prod), dtypes=INT)
case("prod dim", tg.prod, nonzero(2, 3, 4), 1, ref=over(np.prod))
case("prod keepdim", tg.prod, nonzero(2, 3), -1, True, ref=over(np.prod))
case("prod one zero", tg.prod, given(2.0, 0.0, 3.0), ref=over(np.prod), second=False)
case("prod empty", tg.prod, normal(0, 2), 0, ref=over(np.prod))
case("max", tg.max, distinct(3, 4), ref=np.max, dtypes=NUMERIC)
case("max dim", tg.max, distinct(3, 4), 1, ref=lambda x, dim: (x.max(dim), x.argmax(dim)),
     dtypes=INT)
case("max keepdim", tg.max, distinct(3, 4), dim=-2, keepdim=True,
     ref=lambda x, dim, keepdim: (x.max(dim, keepdims=True), x.argmax(dim, keepdims=True)))
case("max other", tg.max, distinct(3, 4), between(-0.1, 0.1, 3, 4), ref=np.maximum)
case("min", tg.min, distinct(3, 4), ref=np.min, dtypes=NUMERIC)
case("min dim", tg.min, distinct(3, 4), 0, ref=lambda x, dim: (x.min(dim), x.argmin(dim)))
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
case("sort", tg.sort, distinct(3, 5), ref=lambda x: (np.sort(x), np.argsort(x)), dtypes=NARROW)
case("sort descending", tg.sort, distinct(3, 5), dim=0, descending=True,
     ref=lambda x, dim, descending: (-np.sort(-x, dim), np.argsort(-x, dim)))
case("topk", tg.topk, distinct(3, 5), 2,
     ref=lambda x, k: (-np.sort(-x)[:, :2], np.argsort(-x)[:, :2]))
case("topk smallest", tg.topk, distinct(5, 3), 2, 0, largest=False,
     ref=lambda x, k, dim, largest: (np.sort(x, 0)[:2], np.argsort(x, 0)[:2]))
case("cumsum", tg.cumsum, normal(3, 4), 1, ref=lambda x, dim: x.cumsum(dim), dtypes=INT)
case("cumsum negative dim", tg.cumsum, normal(2, 3, 4), dim=-2, ref=lambda x, dim: x.cumsum(dim))
case("logsumexp", tg.logsumexp, normal(3, 4), 1, ref=lambda x, dim: np.log(np.exp(x).sum(dim)))
case("logsumexp dims", tg.logsumexp, normal(2, 3, 4), (0, 2), True,
     ref=lambda x, dim, keepdim: np.log(np.exp(x).sum(dim, keepdims=True)))
case("logsumexp far", tg.logsumexp, given([1000.0, 1000.0], [-math.inf, -math.inf]), 1, grad=False,
     ref=lambda x, dim: np.array([1000 + math.log(2), -math.inf]))


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
