"""Arithmetic, functions of one number, comparisons, choices, activations."""

from __future__ import annotations

import math
import operator

import numpy as np

import tensorgrad as tg
from tensorgrad.op import OPS
from tensorgrad.ops import activation
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- arithmetic

case("cast", OPS["cast"].call, normal(3, 4), np.dtype(F32), torch="", grad=False, dtypes=INT)
case("add", tg.add, normal(3, 4), normal(3, 4), ref=np.add, dtypes=EVERY, elementwise=True)
case("add broadcast", operator.add, normal(3, 1, 2), normal(4, 1), ref=np.add)
case("add alpha", tg.add, normal(3, 4), normal(4), alpha=3, ref=lambda x, y, alpha: x + 3 * y)
case("add number", operator.add, normal(3, 4), 2.5, ref=np.add)
case("sub", tg.sub, normal(3, 4), normal(3, 4), ref=np.subtract, dtypes=NUMERIC, elementwise=True)
case("sub alpha", tg.sub, normal(3), normal(3), alpha=2, ref=lambda x, y, alpha: x - 2 * y)
case("sub number", operator.sub, 1.5, normal(3, 4), ref=np.subtract)
case("rsub", tg.rsub, normal(3, 4), normal(3, 4), ref=lambda x, y: y - x, dtypes=INT)
case("mul", tg.mul, normal(3, 4), normal(3, 4), ref=np.multiply, dtypes=EVERY, elementwise=True)
case("mul broadcast", operator.mul, normal(2, 1, 4), normal(3, 1), ref=np.multiply)
case("mul number", operator.mul, 3, normal(3, 4), ref=np.multiply)
case("div", tg.div, normal(3, 4), nonzero(3, 4), ref=np.divide, dtypes=NARROW, elementwise=True)
case("div broadcast", operator.truediv, normal(3, 1), nonzero(4), ref=np.divide)
case("div number", operator.truediv, 2.0, nonzero(3), ref=np.divide)
case("div trunc", tg.div, distinct(3, 4), given(0.7), rounding_mode="trunc", grad=False,
     ref=lambda x, y, rounding_mode: np.trunc(x / y))
case("div floor", tg.div, distinct(3, 4), given(0.7), rounding_mode="floor", grad=False,
     ref=lambda x, y, rounding_mode: np.floor(x / y))
case("true_divide", tg.true_divide, normal(3), nonzero(3), ref=np.divide)
case("floor_divide", tg.floor_divide, distinct(3, 4), nonzero(3, 4), grad=False, dtypes=INT,
     ref=lambda x, y: np.floor(x / y), elementwise=True)
case("remainder", tg.remainder, distinct(3, 4), nonzero(3, 4), ref=np.mod, dtypes=INT,
     elementwise=True)
case("remainder number", operator.mod, distinct(3, 4), 0.7, ref=np.mod)
case("fmod", tg.fmod, distinct(3, 4), nonzero(3, 4), ref=np.fmod, dtypes=INT, elementwise=True)
case("neg", tg.neg, normal(3, 4), ref=np.negative, dtypes=NUMERIC, elementwise=True)
case("pow", tg.pow, positive(3, 4), normal(3, 4), ref=np.power, dtypes=NARROW, elementwise=True)
case("pow number", operator.pow, nonzero(3, 4), 3, ref=np.power, dtypes=INT)
case("pow half", operator.pow, positive(3, 4), -0.5, ref=np.power)
case("pow of a number", operator.pow, 2.5, normal(3, 4), ref=np.power)
case("square", tg.square, normal(3, 4), ref=np.square, dtypes=INT, elementwise=True)
case("reciprocal", tg.reciprocal, nonzero(3, 4), ref=np.reciprocal, elementwise=True)

# ---- functions of one number

case("abs", tg.abs, nonzero(3, 4), ref=np.abs, dtypes=NUMERIC, elementwise=True)
case("sign", tg.sign, nonzero(3, 4), ref=np.sign, dtypes=NUMERIC, elementwise=True)
case("exp", tg.exp, normal(3, 4), ref=lambda x: np.exp(x * 1.0), dtypes=EVERY, elementwise=True)
case("expm1", tg.expm1, normal(3, 4), ref=np.expm1, dtypes=NARROW, elementwise=True)
case("log", tg.log, positive(3, 4), ref=np.log, dtypes=NUMERIC, elementwise=True)
case("log1p", tg.log1p, positive(3, 4), ref=np.log1p, dtypes=NARROW, elementwise=True)
case("sqrt", tg.sqrt, positive(3, 4), ref=np.sqrt, dtypes=NUMERIC, elementwise=True)
case("rsqrt", tg.rsqrt, positive(3, 4), ref=lambda x: x**-0.5, dtypes=NARROW, elementwise=True)
case("sin", tg.sin, normal(3, 4), ref=np.sin, dtypes=NARROW, elementwise=True)
case("cos", tg.cos, normal(3, 4), ref=np.cos, dtypes=NARROW, elementwise=True)
case("tanh", tg.tanh, normal(3, 4), ref=np.tanh, dtypes=NARROW, elementwise=True)
case("erf", tg.erf, normal(3, 4), ref=ERF, dtypes=NARROW, elementwise=True)
case("floor", tg.floor, distinct(3, 4), ref=np.floor, dtypes=NUMERIC, elementwise=True)
case("ceil", tg.ceil, distinct(3, 4), ref=np.ceil, dtypes=NUMERIC, elementwise=True)
case("round", tg.round, distinct(3, 4), ref=np.round, dtypes=NUMERIC, elementwise=True)
case("trunc", tg.trunc, distinct(3, 4), ref=np.trunc, dtypes=NUMERIC, elementwise=True)
case("atan2", tg.atan2, nonzero(3, 4), nonzero(3, 4), ref=np.arctan2, elementwise=True)
case("relu", tg.relu, nonzero(3, 4), ref=lambda x: np.maximum(x, 0), dtypes=NUMERIC,
     elementwise=True)
case("sigmoid", tg.sigmoid, normal(3, 4), ref=lambda x: 1 / (1 + np.exp(-x)), dtypes=NARROW,
     elementwise=True)
case("sigmoid far", tg.sigmoid, given(-800.0, -30.0, 0.0, 30.0, 800.0), grad=False,
     ref=lambda x: np.exp(-np.logaddexp(0, -x)))

# ---- choices, comparisons, logic

case("maximum", tg.maximum, distinct(3, 4), between(-0.1, 0.1, 3, 4), ref=np.maximum, dtypes=EVERY,
     elementwise=True)
case("minimum", tg.minimum, distinct(3, 4), between(-0.1, 0.1, 3, 4), ref=np.minimum, dtypes=EVERY,
     elementwise=True)
for name in ("eq", "ne", "lt", "le", "gt", "ge"):
    case(name, getattr(tg, name), given(1.0, 2.0, 3.0), given(2.0, 2.0, 2.0), grad=False,
         ref=getattr(operator, name), dtypes=EVERY, elementwise=True)
case("lt number", operator.lt, normal(3, 4), 0, ref=np.less, grad=False, dtypes=INT)
for name in ("logical_and", "logical_or", "logical_xor"):
    case(name, getattr(tg, name), given(0.0, 1.0, 2.0, 0.0), given(0.0, 0.0, 3.0, 4.0), grad=False,
         ref=getattr(np, name), dtypes=EVERY, elementwise=True)
case("logical_not", tg.logical_not, given(0.0, 1.0, -2.0), ref=np.logical_not, grad=False,
     dtypes=EVERY, elementwise=True)
for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    case(name, getattr(tg, name), integers(0, 9, 3, 4), integers(0, 9, 3, 4), grad=False,
         ref=getattr(np, name), elementwise=True)
    case(f"{name} bool", getattr(tg, name), bools(3, 4), bools(3, 4), grad=False,
         ref=getattr(np, name))
case("bitwise_not", tg.bitwise_not, integers(-4, 9, 3, 4), ref=np.invert, grad=False)
case("bitwise_not bool", tg.bitwise_not, bools(3, 4), ref=np.invert, grad=False)
for name in ("isnan", "isinf", "isfinite"):
    case(name, getattr(tg, name), given(1.0, math.nan, math.inf, -math.inf), grad=False,
         ref=getattr(np, name), dtypes=NARROW, elementwise=True)
case("where", tg.where, bools(3, 4), normal(3, 4), normal(3, 4), ref=np.where, dtypes=EVERY,
     elementwise=True)
case("where broadcast", tg.where, bools(3, 1), normal(4), normal(2, 1, 1), ref=np.where)
case("where number", tg.where, bools(3, 4), normal(3, 4), 0.0, ref=np.where)
case("where other number", tg.where, bools(3, 4), 1.5, normal(3, 4), ref=np.where)
case("clamp", tg.clamp, distinct(3, 4), -0.5, 0.5, ref=np.clip, elementwise=True)
case("clamp min", tg.clamp, distinct(3, 4), min=0, ref=lambda x, min: np.maximum(x, min),
     dtypes=INT)
case("clamp_to", OPS["clamp_to"].call, distinct(3, 4), -0.5, None, ref=np.clip, torch="clamp")
case("clamp tensors", tg.clamp, distinct(3, 4), between(-1, 0, 4), between(0.1, 1, 4), ref=np.clip)
case("masked_fill", tg.masked_fill, normal(3, 4), bools(3, 4), 2.0, dtypes=INT,
     ref=lambda x, mask, value: np.where(mask, value, x))
case("masked_fill broadcast", tg.masked_fill, normal(3, 4), bools(4), -math.inf, second=False,
     ref=lambda x, mask, value: np.where(mask, value, x), grad=False)

# ---- activations

case("leaky_relu", activation.leaky_relu, nonzero(3, 4), 0.2, elementwise=True,
     ref=lambda x, slope: np.where(x > 0, x, slope * x))
case("elu", activation.elu, nonzero(3, 4), 1.3, elementwise=True,
     ref=lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(x)))
case("gelu", activation.gelu, normal(3, 4), elementwise=True,
     ref=lambda x: x * 0.5 * (1 + ERF(x / math.sqrt(2))))
case("gelu tanh", activation.gelu, normal(3, 4), approximate="tanh")
case("silu", activation.silu, normal(3, 4), ref=lambda x: x / (1 + np.exp(-x)), elementwise=True)
case("_softplus", OPS["_softplus"].call, normal(3, 4), ref=lambda x: np.logaddexp(0, x),
     torch="softplus")
case("softplus", activation.softplus, normal(3, 4), 2.0, elementwise=True,
     ref=lambda x, beta: np.logaddexp(0, beta * x) / beta)
case("softplus far", activation.softplus, given(-800.0, 15.0, 25.0, 800.0), second=False,
     torch="softplus")
case("logsigmoid", activation.logsigmoid, normal(3, 4), ref=lambda x: -np.logaddexp(0, -x))
case("dropout off", tg.dropout, normal(3, 4), 0.5, False, ref=lambda x, p, training: x)
case("dropout all", tg.dropout, normal(3, 4), 1.0, ref=lambda x, p: 0 * x)
