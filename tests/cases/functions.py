"""Functions of one number, and special functions."""

from __future__ import annotations

import math

import numpy as np

import tensorgrad as tg
from tensorgrad import special
from tensorgrad.errors import DTypeError
from tensorgrad.op import OPS
from tensorgrad.ops.rejection import log_gamma_slope, standard_log_gamma
from tests.cases.table import *


def exactly(function):
    """Python's function of one float, of every element."""
    return np.vectorize(function, otypes=[np.float64])


# A case is read as one line.
# fmt: off

# ---- functions of one number

case("abs", tg.abs, nonzero(3, 4), ref=np.abs, dtypes=NUMERIC, elementwise=True)
case("sign", tg.sign, nonzero(3, 4), ref=np.sign, dtypes=NUMERIC, elementwise=True,
     second=False)
case("exp", tg.exp, normal(3, 4), ref=lambda x: np.exp(x * 1.0), dtypes=EVERY, elementwise=True)
case("expm1", tg.expm1, normal(3, 4), ref=np.expm1, dtypes=NARROW, elementwise=True)
case("log", tg.log, positive(3, 4), ref=np.log, dtypes=NUMERIC, elementwise=True)
case("log1p", tg.log1p, positive(3, 4), ref=np.log1p, dtypes=NARROW, elementwise=True)
case("sqrt", tg.sqrt, positive(3, 4), ref=np.sqrt, dtypes=NUMERIC, elementwise=True)
case("rsqrt", tg.rsqrt, positive(3, 4), ref=lambda x: x**-0.5, dtypes=NARROW, elementwise=True)
case("sin", tg.sin, normal(3, 4), ref=np.sin, dtypes=NARROW, elementwise=True)
case("cos", tg.cos, normal(3, 4), ref=np.cos, dtypes=NARROW, elementwise=True)
case("tanh_slope", OPS["tanh_slope"].call, normal(3, 4), normal(3, 4), torch="",
     ref=lambda g, y: g * (1 - y * y))
case("tanh", tg.tanh, normal(3, 4), ref=np.tanh, dtypes=NARROW, elementwise=True)
case("square", tg.square, normal(3, 4), ref=np.square, dtypes=INT, elementwise=True)
case("reciprocal", tg.reciprocal, nonzero(3, 4), ref=np.reciprocal, elementwise=True)
case("exp2", tg.exp2, normal(3, 4), ref=lambda x: np.exp2(x * 1.0), dtypes=EVERY, elementwise=True)
case("log2", tg.log2, positive(3, 4), ref=np.log2, dtypes=NUMERIC, elementwise=True)
case("log10", tg.log10, positive(3, 4), ref=np.log10, dtypes=NUMERIC, elementwise=True)
case("tan", tg.tan, between(-1, 1, 3, 4), ref=np.tan, dtypes=NARROW, elementwise=True)
case("sinh", tg.sinh, normal(3, 4), ref=np.sinh, dtypes=NARROW, elementwise=True)
case("cosh", tg.cosh, normal(3, 4), ref=np.cosh, dtypes=NARROW, elementwise=True)
for alias, name in {"arctan": "atan", "arcsinh": "asinh"}.items():
    for each in (alias, name):
        case(each, getattr(tg, each), normal(3, 4), ref=getattr(np, alias), dtypes=NARROW,
             elementwise=True)
for alias, name in {"arcsin": "asin", "arccos": "acos", "arctanh": "atanh"}.items():
    for each in (alias, name):
        case(each, getattr(tg, each), between(-0.8, 0.8, 3, 4), ref=getattr(np, alias),
             dtypes=NARROW, elementwise=True)
for each in ("acosh", "arccosh"):
    case(each, getattr(tg, each), between(1.2, 3, 3, 4), ref=np.arccosh, dtypes=NARROW,
         elementwise=True)
case("sinc", tg.sinc, normal(3, 4), ref=np.sinc, dtypes=NARROW, elementwise=True)
case("sinc at 0", tg.sinc, given(0.0, 1.0), ref=np.sinc, second=False)
case("deg2rad", tg.deg2rad, normal(3, 4), ref=np.deg2rad, dtypes=NARROW, elementwise=True)
case("rad2deg", tg.rad2deg, normal(3, 4), ref=np.rad2deg, dtypes=NARROW, elementwise=True)
case("absolute", tg.absolute, nonzero(3, 4), ref=np.absolute)
case("fix", tg.fix, distinct(3, 4), ref=np.fix, second=False)
case("frac", tg.frac, distinct(3, 4), ref=lambda x: x - np.trunc(x), dtypes=NARROW,
     elementwise=True)
case("positive", tg.positive, normal(3, 4), ref=np.positive, dtypes=INT)
case("round decimals", tg.round, distinct(3, 4), decimals=1, second=False,
     ref=lambda x, decimals: np.round(x, decimals))
case("round tens", tg.round, distinct(3, 4), decimals=-1, second=False,
     ref=lambda x, decimals: np.round(x, decimals))
case("nan_to_num", tg.nan_to_num, given(1.0, math.nan, -2.0), dtypes=NARROW, grad=False,
     ref=lambda x: np.array([1.0, 0.0, -2.0]))
case("nan_to_num given", tg.nan_to_num, given(1.0, math.nan, math.inf, -math.inf), 2.0, 3.0, -4.0,
     grad=False, dtypes=NARROW, ref=lambda x, *with_: np.array([1.0, *with_]))
case("nan_to_num integers", tg.nan_to_num, integers(0, 9, 3), grad=False, ref=lambda x: x)
case("logit", tg.logit, between(0.1, 0.9, 3, 4), ref=lambda x: np.log(x / (1 - x)),
     elementwise=True, dtypes=NARROW)
case("logit eps", tg.logit, between(0, 1, 3, 4), 0.3,
     ref=lambda x, eps: np.log(np.clip(x, eps, 1 - eps) / (1 - np.clip(x, eps, 1 - eps))))
case("erf", tg.erf, normal(3, 4), ref=ERF, dtypes=NARROW, elementwise=True)
case("floor", tg.floor, distinct(3, 4), ref=np.floor, dtypes=NUMERIC, elementwise=True,
     second=False)
case("ceil", tg.ceil, distinct(3, 4), ref=np.ceil, dtypes=NUMERIC, elementwise=True,
     second=False)
case("round", tg.round, distinct(3, 4), ref=np.round, dtypes=NUMERIC, elementwise=True,
     second=False)
case("trunc", tg.trunc, distinct(3, 4), ref=np.trunc, dtypes=NUMERIC, elementwise=True,
     second=False)
case("relu", tg.relu, nonzero(3, 4), ref=lambda x: np.maximum(x, 0), dtypes=NUMERIC,
     elementwise=True)
case("sigmoid", tg.sigmoid, normal(3, 4), ref=lambda x: 1 / (1 + np.exp(-x)), dtypes=NARROW,
     elementwise=True)
case("sigmoid far", tg.sigmoid, given(-800.0, -30.0, 0.0, 30.0, 800.0), grad=False,
     ref=lambda x: np.exp(-np.logaddexp(0, -x)))

# ---- special functions

case("erfc", tg.erfc, normal(3, 4), ref=exactly(math.erfc), dtypes=NARROW, elementwise=True)
case("erfcx", special.erfcx, normal(3, 4), dtypes=NARROW, elementwise=True, torch="",
     ref=lambda x: np.exp(x * x) * exactly(math.erfc)(x))
case("erfinv", tg.erfinv, between(-0.9, 0.9, 3, 4), dtypes=NARROW, elementwise=True)
case("ndtri", special.ndtri, between(0.1, 0.9, 3, 4), dtypes=NARROW, elementwise=True, torch="")
case("ndtr", special.ndtr, normal(3, 4), dtypes=NARROW, elementwise=True, torch="",
     ref=lambda x: exactly(math.erfc)(-x / math.sqrt(2)) / 2)
case("log_ndtr", special.log_ndtr, normal(3, 4), dtypes=NARROW, elementwise=True, torch="",
     ref=lambda x: np.log(exactly(math.erfc)(-x / math.sqrt(2)) / 2))
case("lgamma", tg.lgamma, positive(3, 4), ref=exactly(math.lgamma), dtypes=NARROW, elementwise=True)
case("lgamma left", tg.lgamma, given(-0.3, -1.7, -2.6, -9.5), ref=exactly(math.lgamma))
# PyTorch's gradient of digamma has ten digits, so it is no oracle; tests/test_special.py has one.
case("digamma", tg.digamma, positive(3, 4), dtypes=NARROW, elementwise=True, torch="")
case("digamma left", tg.digamma, given(-0.3, -1.7, -2.6, -9.5), torch="")
case("polygamma", lambda x: tg.polygamma(2, x), positive(3, 4), dtypes=NARROW, torch="",
     elementwise=True)
case("polygamma left", lambda x: tg.polygamma(1, x), given(-0.3, -1.7, -2.6), torch="")
case("polygamma 0", lambda x: tg.polygamma(0, x), positive(3, 4), torch="")
case("mvlgamma", tg.mvlgamma, between(1.2, 3, 3, 4), 3, elementwise=True, ref=lambda x, p: sum(
     exactly(math.lgamma)(x - j / 2) for j in range(p)) + p * (p - 1) / 4 * math.log(math.pi))
case("igamma", lambda x: tg.igamma(tg.full_like(x, 1.5), x), positive(3, 4), dtypes=NARROW,
     elementwise=True, torch="")
case("igammac", lambda x: tg.igammac(tg.full_like(x, 1.5), x), between(2, 9, 3, 4), dtypes=NARROW,
     elementwise=True, torch="")
case("igamma both", tg.igamma, positive(3, 4), between(0.1, 9, 4), grad=False)
case("igammac both", tg.igammac, positive(3, 4), between(0.1, 9, 4), grad=False)
# How these move with their inputs is in tests/test_rejection.py: along a quantile, no difference.
case("standard_log_gamma", lambda x: standard_log_gamma(x, 5, 0), positive(3, 4), grad=False,
     dtypes=NARROW, elementwise=True, torch="")
case("log_gamma_slope", log_gamma_slope, positive(3, 4), normal(3, 4), grad=False, dtypes=NARROW,
     elementwise=True, torch="")
case("i0", tg.i0, normal(3, 4), ref=np.i0, dtypes=NARROW, elementwise=True)
case("i0e", special.i0e, normal(3, 4), ref=lambda x: np.i0(x) * np.exp(-np.abs(x)), dtypes=NARROW,
     elementwise=True, torch="")
case("i1", special.i1, normal(3, 4), dtypes=NARROW, elementwise=True, torch="")
case("i1e", special.i1e, normal(3, 4), dtypes=NARROW, elementwise=True, torch="")
case("xlogy", tg.xlogy, normal(3, 4), positive(3, 4), ref=lambda x, y: x * np.log(y),
     dtypes=NARROW, elementwise=True)
case("xlogy zeros", tg.xlogy, given(0.0, 0.0, 2.0), given(0.0, -1.0, 1.0), grad=False,
     ref=lambda x, y: np.zeros(3))
case("xlogy number", tg.xlogy, 2.0, positive(3), ref=lambda x, y: x * np.log(y))
case("xlog1py", special.xlog1py, normal(3, 4), positive(3, 4), ref=lambda x, y: x * np.log1p(y),
     dtypes=NARROW, elementwise=True, torch="")
case("entr", special.entr, positive(3, 4), ref=lambda x: -x * np.log(x), dtypes=NARROW, torch="",
     elementwise=True)

# ---- bad input

bad("round decimals", lambda m, x: m.round(x, decimals=1), LONG, error=DTypeError,
    words="round: expected floats to round to decimals, got int64")
bad("frac integers", lambda m, x: m.frac(x), LONG, error=DTypeError,
    words="frac: expected floats, got int64")
bad("positive bool", lambda m, x: +x, MASK, error=DTypeError,
    words="positive: expected numbers, got bool")
bad("poisson integers", lambda m, x: m.poisson(x), LONG, error=DTypeError,
    words="poisson: expected a floating point tensor, got int64")
bad("poisson below 0", lambda m, x: m.poisson(x), -abs(X), error=RuntimeError,
    words="poisson: expected finite means >= 0, got others")
bad("binomial integers", lambda m, x: m.binomial(x, x), LONG, error=DTypeError,
    words="binomial: expected tensors of one floating point dtype, got int64 and int64",
    in_torch=False)
bad("binomial counts", lambda m, x: m.binomial(x, abs(x)), -abs(X), error=RuntimeError,
    words="binomial: expected finite counts >= 0, got others", in_torch=False)
bad("binomial probabilities", lambda m, x: m.binomial(x, x + 2), abs(X), error=RuntimeError,
    words="binomial: expected probabilities in [0, 1], got others", in_torch=False)
bad("polygamma order", lambda m, x: m.polygamma(-1, x), X, error=RuntimeError,
    words="polygamma: expected n >= 0, got -1")
bad("mvlgamma dimension", lambda m, x: m.mvlgamma(x, 0), X, error=RuntimeError,
    words="mvlgamma: expected p >= 1, got 0")
