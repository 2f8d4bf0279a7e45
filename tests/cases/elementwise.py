"""Arithmetic, functions of one number, comparisons, choices."""

from __future__ import annotations

import math
import operator

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.op import OPS
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
case("rsub alpha", tg.rsub, normal(3, 4), normal(3, 4), alpha=2,
     ref=lambda x, y, alpha: y - 2 * x)
case("rsub", tg.rsub, normal(3, 4), normal(3, 4), ref=lambda x, y: y - x, dtypes=INT)
case("mul", tg.mul, normal(3, 4), normal(3, 4), ref=np.multiply, dtypes=EVERY, elementwise=True)
case("mul broadcast", operator.mul, normal(2, 1, 4), normal(3, 1), ref=np.multiply)
case("mul number", operator.mul, 3, normal(3, 4), ref=np.multiply)
case("div", tg.div, normal(3, 4), nonzero(3, 4), ref=np.divide, dtypes=NARROW, elementwise=True)
case("div broadcast", operator.truediv, normal(3, 1), nonzero(4), ref=np.divide)
case("div number", operator.truediv, 2.0, nonzero(3), ref=np.divide)
case("div trunc", tg.div, distinct(3, 4), given(0.7), rounding_mode="trunc", second=False,
     ref=lambda x, y, rounding_mode: np.trunc(x / y))
case("div floor", tg.div, distinct(3, 4), given(0.7), rounding_mode="floor", second=False,
     ref=lambda x, y, rounding_mode: np.floor(x / y))
case("trunc_divide", OPS["trunc_divide"].call, distinct(3, 4), nonzero(3, 4), second=False,
     dtypes=INT, torch="", ref=lambda x, y: np.trunc(x / y), elementwise=True)
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
case("pow fourth", operator.pow, nonzero(3, 4), 4.0, ref=np.power)
case("pow half", operator.pow, positive(3, 4), -0.5, ref=np.power)
case("pow of a number", operator.pow, 2.5, normal(3, 4), ref=np.power)
case("float_power", tg.float_power, positive(3, 4), normal(3, 4), ref=np.float_power,
     dtypes=INT, elementwise=True)
case("float_power number", tg.float_power, positive(3, 4), 2, ref=np.float_power)
case("addcmul", tg.addcmul, normal(3, 4), normal(3, 4), normal(3, 4), value=0.5, dtypes=NARROW,
     elementwise=True, ref=lambda x, a, b, value: x + value * a * b)
case("addcmul broadcast", tg.addcmul, normal(3, 4), normal(4), normal(3, 1), value=0.5,
     ref=lambda x, a, b, value: x + value * a * b)
case("addcmul integers", tg.addcmul, integers(0, 9, 3), integers(0, 9, 3), integers(0, 9, 3),
     value=2, grad=False, ref=lambda x, a, b, value: x + value * a * b)
case("addcdiv", tg.addcdiv, normal(3, 4), normal(3, 4), nonzero(3, 4), value=0.5, dtypes=NARROW,
     elementwise=True, ref=lambda x, a, b, value: x + value * a / b)
case("addcdiv broadcast", tg.addcdiv, normal(3, 4), normal(4), nonzero(3, 1), value=0.5,
     ref=lambda x, a, b, value: x + value * a / b)
case("lerp", tg.lerp, normal(3, 4), normal(3, 4), between(0, 1, 3, 4), elementwise=True,
     ref=lambda x, y, w: x + w * (y - x))
case("lerp number", tg.lerp, normal(3, 4), normal(4), 0.7, ref=lambda x, y, w: x + w * (y - x))
case("atan2", tg.atan2, nonzero(3, 4), nonzero(3, 4), ref=np.arctan2, elementwise=True,
     dtypes=NARROW)
case("hypot", tg.hypot, nonzero(3, 4), nonzero(3, 4), ref=np.hypot, elementwise=True, dtypes=NARROW)
case("logaddexp", tg.logaddexp, normal(3, 4), normal(4), ref=np.logaddexp, elementwise=False,
     dtypes=NARROW)
case("logaddexp far", tg.logaddexp, given(-800.0, 800.0), given(800.0, 801.0), ref=np.logaddexp)
case("logaddexp2", tg.logaddexp2, normal(3, 4), normal(4), ref=np.logaddexp2, dtypes=NARROW)
case("copysign", tg.copysign, nonzero(3, 4), nonzero(3, 4), ref=np.copysign, elementwise=True,
     dtypes=NUMERIC)
case("copysign number", tg.copysign, nonzero(3, 4), -2.0, ref=np.copysign)
case("nextafter", tg.nextafter, normal(3, 4), normal(3, 4), ref=lambda x, y: x, second=False,
     elementwise=True)
case("ldexp", tg.ldexp, normal(3, 4), integers(0, 5, 3, 4), ref=np.ldexp, dtypes=NARROW)
case("frexp", tg.frexp, nonzero(3, 4), ref=np.frexp, dtypes=NARROW)
case("mantissa", OPS["mantissa"].call, nonzero(3, 4), ref=lambda x: np.frexp(x)[0], torch="")
case("exponent", OPS["exponent"].call, nonzero(3, 4), ref=lambda x: np.frexp(x)[1], torch="",
     grad=False)
for alias in ("subtract", "multiply", "divide", "arctan2"):
    case(alias, getattr(tg, alias), nonzero(3), nonzero(3), ref=getattr(np, alias))
case("negative", tg.negative, normal(3), ref=np.negative)

# ---- choices, comparisons, logic

case("maximum", tg.maximum, distinct(3, 4), between(-0.1, 0.1, 3, 4), ref=np.maximum, dtypes=EVERY,
     elementwise=True)
case("minimum", tg.minimum, distinct(3, 4), between(-0.1, 0.1, 3, 4), ref=np.minimum, dtypes=EVERY,
     elementwise=True)
for name in ("fmax", "fmin"):
    case(name, getattr(tg, name), distinct(3, 4), between(-0.1, 0.1, 3, 4), dtypes=EVERY,
         ref=getattr(np, name), elementwise=True)
    case(f"{name} NaN", getattr(tg, name), given(math.nan, 1.0, math.nan),
         given(2.0, math.nan, math.nan), ref=getattr(np, name), grad=False)
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
for name in ("bitwise_left_shift", "bitwise_right_shift"):
    case(name, getattr(tg, name), integers(-9, 9, 3, 4), integers(0, 70, 3, 4), grad=False,
         ref=getattr(np, name.removeprefix("bitwise_")), elementwise=True)
for name in ("gcd", "lcm"):
    case(name, getattr(tg, name), integers(-9, 99, 3, 4), integers(0, 99, 3, 4), grad=False,
         ref=getattr(np, name), elementwise=True)
for alias in ("not_equal", "less", "less_equal", "greater", "greater_equal"):
    case(alias, getattr(tg, alias), given(1.0, 2.0, 3.0), given(2.0, 2.0, 2.0), grad=False,
         ref=getattr(np, alias))
for name in ("isposinf", "isneginf", "signbit"):
    case(name, getattr(tg, name), given(1.0, -0.0, math.inf, -math.inf, -2.0), grad=False,
         ref=getattr(np, name), dtypes=NARROW, elementwise=True)
case("isclose", tg.isclose, given(1.0, 2.0, math.inf, math.nan),
     given(1.0000001, 2.1, math.inf, math.nan), grad=False, ref=np.isclose)
case("isclose integers", tg.isclose, given(1.0, 2.0, 200.0), given(1.0, 3.0, 201.0), grad=False,
     rtol=0.1, ref=np.isclose, dtypes=INT)
case("isclose NaN", tg.isclose, given(1.0, math.nan), given(1.1, math.nan), grad=False,
     rtol=0.2, equal_nan=True, ref=np.isclose)
case("allclose", lambda x, y: tg.tensor(tg.allclose(x, y)), given(1.0, 2.0), given(1.0, 2.1),
     grad=False, ref=np.allclose, torch="")
case("equal", lambda x, y: tg.tensor(tg.equal(x, y)), normal(3), normal(3), grad=False,
     ref=np.array_equal, torch="")
for name in ("isnan", "isinf", "isfinite"):
    case(name, getattr(tg, name), given(1.0, math.nan, math.inf, -math.inf), grad=False,
         ref=getattr(np, name), dtypes=NARROW, elementwise=True)
case("where", tg.where, bools(3, 4), normal(3, 4), normal(3, 4), ref=np.where, dtypes=EVERY,
     elementwise=True)
case("where indices", lambda condition: tg.where(condition), bools(3, 4), ref=np.nonzero,
     grad=False, torch="")
case("where broadcast", tg.where, bools(3, 1), normal(4), normal(2, 1, 1), ref=np.where)
case("where number", tg.where, bools(3, 4), normal(3, 4), 0.0, ref=np.where)
case("where other number", tg.where, bools(3, 4), 1.5, normal(3, 4), ref=np.where)
case("clamp", tg.clamp, distinct(3, 4), -0.5, 0.5, ref=np.clip, elementwise=True)
case("clamp min", tg.clamp, distinct(3, 4), min=0, ref=lambda x, min: np.maximum(x, min),
     dtypes=INT)
case("clamp_to", OPS["clamp_to"].call, distinct(3, 4), -0.5, None, ref=np.clip, torch="clamp")
case("clamp tensors", tg.clamp, distinct(3, 4), between(-1, 0, 4), between(0.1, 1, 4), ref=np.clip)
case("clamp tensor and number", tg.clamp, distinct(3, 4), between(-1, 0, 4), 0.5, ref=np.clip,
     torch="")
case("clamp max tensor", tg.clamp, distinct(3, 4), max=0.5, ref=lambda x, max: np.minimum(x, max))
case("clamp_between", OPS["clamp_between"].call, distinct(3, 4), between(-1, 0, 3, 4),
     between(0.1, 1, 3, 4), ref=np.clip, torch="clamp")
case("clamp_min", tg.clamp_min, distinct(3, 4), between(-1, 1, 3, 4), ref=np.maximum,
     elementwise=True, dtypes=NUMERIC)
case("clamp_max", tg.clamp_max, distinct(3, 4), 0.4, ref=np.minimum, elementwise=True)
case("clip", tg.clip, distinct(3, 4), -0.5, 0.5, ref=np.clip)
case("heaviside", tg.heaviside, given(-1.0, 0.0, 2.0), given(0.3, 0.5, 0.7), grad=False,
     ref=np.heaviside, dtypes=NARROW, elementwise=True)
case("masked_fill", tg.masked_fill, normal(3, 4), bools(3, 4), 2.0, dtypes=INT,
     ref=lambda x, mask, value: np.where(mask, value, x))
case("masked_fill broadcast", tg.masked_fill, normal(3, 4), bools(4), -math.inf, second=False,
     ref=lambda x, mask, value: np.where(mask, value, x), grad=False)

# ---- bad input

bad("floor_divide by 0", lambda m, x: x // 0, LONG, error=RuntimeError,
    words="floor_divide: expected integer divisors other than 0, got 0")
bad("remainder by 0", lambda m, x, y: x % y, LONG, ints(1, 0, 2), error=RuntimeError,
    words="remainder: expected integer divisors other than 0")
bad("fmod by 0", lambda m, x: m.fmod(x, 0), LONG, error=RuntimeError,
    words="fmod: expected integer divisors other than 0")
bad("div trunc by 0", lambda m, x: m.div(x, 0, rounding_mode="trunc"), LONG, error=RuntimeError,
    words="div: expected integer divisors other than 0")
bad("bool power", lambda m, x: x**x, MASK, error=DTypeError, words="pow: expected")
bad("bool alpha of floats", lambda m, x: m.add(x, x, alpha=True), X, error=DTypeError,
    words="add: expected a bool as alpha for bools only, got True for float32")
bad("where mask", lambda m, x, i: m.where(i, x, x), floats(3), LONG, error=DTypeError,
    words="where: expected a condition of dtype bool, got int64")
bad("where range", lambda m, x, i: m.where(x > 0, 300, i.to(m.uint8)), floats(3), LONG,
    error=DTypeError, words="where: expected a number that uint8 holds, got 300")
bad("masked_fill mask", lambda m, x, i: x.masked_fill(i, 0.0), floats(3), LONG, error=DTypeError,
    words="masked_fill: expected a mask of dtype bool, got int64")
bad("masked_fill value", lambda m, x: x.masked_fill(x > 0, x), floats(3), error=ShapeError,
    words="masked_fill: expected a 0-d value, got shape [3]")
bad("masked_fill infinity", lambda m, i: i.masked_fill(i > 0, math.inf), LONG, error=DTypeError,
    words="masked_fill: expected a number that int64 holds, got inf")
bad("masked_fill half", lambda m, x: x.half().masked_fill(x > 0, -1e9), floats(3),
    error=DTypeError, words="masked_fill: expected a number that float16 holds, got -1000000000.0")
bad("maximum number", lambda m, x: m.maximum(x, 2), X, error=TypeError,
    words="maximum: expected other to be a tensor, got int")
bad("number first", lambda m, x: m.eq(2, x), X, error=TypeError,
    words="eq: expected input to be a tensor, got int")
bad("rsub number", lambda m, x: m.rsub(2, x), X, error=TypeError, words="rsub: expected input")
bad("alpha of integers", lambda m, x: m.add(x, x, alpha=0.5), LONG, error=DTypeError,
    words="add: expected an integer as alpha for int64, got 0.5")
bad("bool alpha", lambda m, x: m.sub(x, x, alpha=False), X, error=DTypeError,
    words="sub: expected a bool as alpha for bools only")
bad("addcdiv integers", lambda m, x: m.addcdiv(x, x, x), LONG, error=DTypeError,
    words="addcdiv: expected floats to divide, got int64 and int64")
bad("lerp dtypes", lambda m, x: m.lerp(x, x.double(), 0.5), X, error=DTypeError,
    words="lerp: expected floats of one dtype, got float32 and float64")
bad("lerp weight", lambda m, x: m.lerp(x, x, x.double()), X, error=DTypeError,
    words="lerp: expected a weight of float32, got float64")
bad("heaviside dtypes", lambda m, x: m.heaviside(x, x.double()), X, error=DTypeError,
    words="heaviside: expected tensors of one dtype, got float32 and float64")
bad("heaviside number", lambda m, x: m.heaviside(x, 1.0), X, error=TypeError,
    words="heaviside: expected two tensors, got a number")
bad("isclose dtypes", lambda m, x: m.isclose(x, x.double()), X, error=DTypeError,
    words="isclose: expected tensors of one dtype")
bad("allclose rtol", lambda m, x: m.allclose(x, x, rtol=-1.0), X, error=RuntimeError,
    words="isclose: expected rtol and atol >= 0, got -1.0")
bad("equal number", lambda m, x: m.equal(x, 1.0), X, error=TypeError,
    words="equal: expected two tensors, got float")
bad("frexp integers", lambda m, x: m.frexp(x), LONG, error=DTypeError,
    words="frexp: expected floats, got int64")
bad("ldexp number", lambda m, x: m.ldexp(x, 2), X, error=TypeError,
    words="ldexp: expected two tensors, got a number")
bad("isposinf complex", lambda m, x: m.isposinf(x * 1j), X, error=DTypeError,
    words="isposinf: expected real numbers, got complex64")
