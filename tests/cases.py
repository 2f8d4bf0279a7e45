"""The op table: one line an op, and the generic tests loop over it.

A case is a call: the function, sample inputs as builders, fixed arguments, and what NumPy computes
for the same inputs in float64. The tests derive the rest: dtypes, layouts, backends, gradients to
second order, and PyTorch's answer to the same call. A new op gets a line here, and
`tests/test_structure.py` fails until it has one.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import tensorgrad as tg
from tensorgrad.op import OPS
from tensorgrad.ops import activation, convolution, loss, recurrent, shape

F32, F64, F16, BF16 = "float32", "float64", "float16", "bfloat16"
INT, BOOL = "int64", "bool"


# ---- builders: arrays from a seeded generator; floats are cast to the dtype under test


@dataclass(frozen=True)
class Sample:
    """One input: `draw(rng)` gives its array; only a differentiable one gets a gradient."""

    draw: Callable[[np.random.Generator], np.ndarray]
    differentiable: bool = True


def normal(*size: int) -> Sample:
    return Sample(lambda rng: rng.standard_normal(size))


def positive(*size: int) -> Sample:
    return Sample(lambda rng: rng.uniform(0.5, 2.0, size))


def between(low: float, high: float, *size: int) -> Sample:
    return Sample(lambda rng: rng.uniform(low, high, size))


def nonzero(*size: int) -> Sample:
    """Away from zero, on both sides."""
    return Sample(lambda rng: rng.uniform(0.5, 2.0, size) * rng.choice([-1.0, 1.0], size))


def distinct(*size: int) -> Sample:
    """No two elements close to each other, none close to an integer: away from ties and jumps."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        count = math.prod(size)
        return ((rng.permutation(count) - count // 2) * 0.31 + 0.137).reshape(size)

    return Sample(draw)


def integers(low: int, high: int, *size: int) -> Sample:
    return Sample(lambda rng: rng.integers(low, high, size), False)


def bools(*size: int) -> Sample:
    return Sample(lambda rng: rng.random(size) < 0.5, False)


def given(*values: Any) -> Sample:
    """These very numbers, floats or not."""
    array = np.array(values if len(values) > 1 else values[0])
    return Sample(lambda rng: array.copy(), array.dtype.kind == "f")


@dataclass(frozen=True)
class Case:
    """One call of one op. `inputs` are samples, lists of samples and plain values, in order."""

    name: str
    function: Callable[..., Any]
    inputs: tuple[Any, ...]
    kwargs: dict[str, Any]
    ref: Callable[..., Any] | None  # NumPy's answer, from the same inputs and keywords
    grad: bool  # gradients are checked
    dtypes: tuple[str, ...]  # beyond float32 and float64
    torch: str | None  # PyTorch's name for it, "" for none, None for the case's own
    elementwise: bool  # also run on empty and 0-d inputs
    second: bool  # second derivatives are checked
    op: str = field(default="")

    @property
    def id(self) -> str:
        return self.name.replace(" ", "-")


CASES: list[Case] = []


def case(
    name: str,
    function: Callable[..., Any],
    *inputs: Any,
    ref: Callable[..., Any] | None = None,
    grad: bool = True,
    dtypes: str = "",
    torch: str | None = None,
    elementwise: bool = False,
    second: bool = True,
    **kwargs: Any,
) -> None:
    """Add a case. `name` starts with the op's name; `dtypes` are the further ones that it takes."""
    CASES.append(
        Case(
            name, function, inputs, kwargs, ref, grad, tuple(dtypes.split()), torch, elementwise,
            second, name.split()[0],
        )
    )  # fmt: skip


def draw(case: Case, seed: int = 0) -> list[Any]:
    """The case's inputs as float64, integer and boolean arrays; plain values as they are."""
    rng = np.random.default_rng(seed)
    return [_drawn(part, rng) for part in case.inputs]


def _drawn(part: Any, rng: np.random.Generator) -> Any:
    if isinstance(part, Sample):
        return part.draw(rng)
    if isinstance(part, list):
        return [_drawn(item, rng) for item in part]
    return part


def differentiable(case: Case) -> list[bool]:
    """For each array of the case, in the order of `arrays`, whether it gets a gradient."""
    return list(_differentiable(case.inputs))


def _differentiable(parts: Any) -> Iterator[bool]:
    for part in parts:
        if isinstance(part, Sample):
            yield part.differentiable
        elif isinstance(part, list | tuple):
            yield from _differentiable(part)
        elif hasattr(part, "dtype"):
            yield False


def map_arrays(function: Callable[[Any], Any], values: Any) -> Any:
    """`function` of each array (or tensor) among nested values; everything else as it is."""
    if isinstance(values, list | tuple):
        mapped = [map_arrays(function, value) for value in values]
        return mapped if isinstance(values, list) else tuple(mapped)
    return function(values) if hasattr(values, "dtype") else values


def arrays(values: Any) -> list[Any]:
    """The arrays (or tensors) among nested inputs or results, in order."""
    if isinstance(values, list | tuple):
        return [array for value in values for array in arrays(value)]
    return [values] if hasattr(values, "dtype") else []


# A case is read as one line.
# fmt: off

# ---- arithmetic

NARROW = f"{F16} {BF16}"
NUMERIC = f"{NARROW} {INT}"
EVERY = f"{NUMERIC} {BOOL}"

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

ERF = np.vectorize(math.erf, otypes=[np.float64])
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

# ---- reductions


def over(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's reduction with PyTorch's argument names."""
    return lambda x, dim=None, keepdim=False: function(x, axis=dim, keepdims=keepdim)


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

# ---- products

case("matmul", tg.matmul, normal(3, 4), normal(4, 5), ref=np.matmul, dtypes=NARROW)
case("matmul vector", tg.matmul, normal(3, 4), normal(4), ref=np.matmul)
case("matmul by vector", tg.matmul, normal(3), normal(3, 4), ref=np.matmul)
case("matmul vectors", operator.matmul, normal(5), normal(5), ref=np.matmul)
case("matmul batch", tg.matmul, normal(2, 3, 4), normal(2, 4, 5), ref=np.matmul)
case("matmul broadcast", tg.matmul, normal(2, 1, 3, 4), normal(5, 4, 2), ref=np.matmul)
case("matmul batch by matrix", tg.matmul, normal(2, 3, 4), normal(4, 5), ref=np.matmul)
case("matmul matrix by batch", tg.matmul, normal(3, 4), normal(2, 4, 5), ref=np.matmul)
case("matmul batch by vector", tg.matmul, normal(2, 3, 4), normal(4), ref=np.matmul)
case("matmul vector by batch", tg.matmul, normal(4), normal(2, 4, 5), ref=np.matmul)
case("matmul no inner", tg.matmul, normal(3, 0), normal(0, 2), ref=np.matmul)
case("matmul integers", tg.matmul, integers(0, 9, 3, 4), integers(0, 9, 4, 2), ref=np.matmul,
     grad=False)
case("mm", tg.mm, normal(3, 4), normal(4, 5), ref=np.matmul)
case("bmm", tg.bmm, normal(2, 3, 4), normal(2, 4, 5), ref=np.matmul)
case("mv", tg.mv, normal(3, 4), normal(4), ref=np.matmul)
case("dot", tg.dot, normal(5), normal(5), ref=np.dot)
case("outer", tg.outer, normal(3), normal(4), ref=np.outer)
linear = OPS["linear"].call
case("linear", linear, normal(3, 4), normal(5, 4), normal(5), ref=lambda x, w, b: x @ w.T + b,
     dtypes=NARROW)
case("linear no bias", linear, normal(2, 3, 4), normal(5, 4), ref=lambda x, w: x @ w.T)
case("linear 1-d", linear, normal(4), normal(5, 4), normal(5), ref=lambda x, w, b: x @ w.T + b)

# ---- shape

case("reshape", tg.reshape, normal(3, 4), (2, 6), ref=np.reshape, dtypes=EVERY)
case("reshape -1", tg.reshape, normal(3, 4), (-1, 2), ref=np.reshape)
case("permute", tg.permute, normal(2, 3, 4), (2, 0, 1), ref=np.transpose)
case("permute negative", tg.permute, normal(2, 3, 4), (-1, 0, 1), ref=np.transpose)
case("transpose", tg.transpose, normal(2, 3, 4), 0, -1, ref=np.swapaxes)
case("swapaxes", tg.swapaxes, normal(2, 3), 0, 1, ref=np.swapaxes)
case("t", tg.t, normal(2, 3), ref=np.transpose)
case("t 1-d", tg.t, normal(3), ref=lambda x: x)
case("movedim", tg.movedim, normal(2, 3, 4), 0, -1, ref=np.moveaxis)
case("expand", tg.Tensor.expand, normal(3, 1), 2, 3, 4, ref=lambda x, *s: np.broadcast_to(x, s))
case("expand -1", tg.Tensor.expand, normal(3, 1), -1, 4,
     ref=lambda x, *s: np.broadcast_to(x, (3, 4)))
case("broadcast_to", tg.broadcast_to, normal(3, 1), (2, 3, 4), ref=np.broadcast_to)
case("squeeze", tg.squeeze, normal(1, 3, 1), ref=np.squeeze)
case("squeeze dim", tg.squeeze, normal(1, 3, 1), -1, ref=np.squeeze)
case("squeeze nothing", tg.squeeze, normal(1, 3), 1, ref=lambda x, dim: x)
case("unsqueeze", tg.unsqueeze, normal(2, 3), 1, ref=np.expand_dims)
case("unsqueeze last", tg.unsqueeze, normal(2, 3), -1, ref=np.expand_dims)
case("flatten", tg.flatten, normal(2, 3, 4), ref=np.ravel)
case("flatten dims", tg.flatten, normal(2, 3, 4), 1, -1, ref=lambda x, a, b: x.reshape(2, 12))
case("flatten 0-d", tg.flatten, normal(), ref=np.ravel)
case("unflatten", tg.unflatten, normal(2, 6), 1, (2, -1), ref=lambda x, d, s: x.reshape(2, 2, 3))
case("clone", tg.clone, normal(3, 4), ref=np.copy, dtypes=EVERY)
case("copy", OPS["copy"].call, normal(3, 4), ref=np.copy, torch="")
case("cat", tg.cat, [normal(2, 3), normal(1, 3)], ref=np.concatenate, dtypes=EVERY)
case("cat dim", tg.cat, [normal(2, 3), normal(2, 1), normal(2, 2)], -1, ref=np.concatenate)
case("cat empty part", tg.cat, [normal(0, 3), normal(2, 3)], dim=0,
     ref=lambda x, dim: np.concatenate(x))
case("concat", tg.concat, [normal(2), normal(3)], ref=np.concatenate)
case("stack", tg.stack, [normal(2, 3), normal(2, 3)], ref=np.stack, dtypes=INT)
case("stack last", tg.stack, [normal(2, 3), normal(2, 3)], -1, ref=np.stack)
case("narrow", tg.narrow, normal(5, 3), 0, 1, 2, ref=lambda x, d, s, n: x[1:3])
case("narrow negative", tg.narrow, normal(3, 5), 1, -3, 2, ref=lambda x, d, s, n: x[:, 2:4])
case("select", tg.select, normal(3, 4), 1, -1, ref=lambda x, d, i: x[:, -1])
case("unbind", tg.unbind, normal(3, 2), ref=tuple)
case("unbind dim", tg.unbind, normal(3, 2), 1, ref=lambda x, dim: tuple(x.T))
case("split", tg.split, normal(5, 2), 2, ref=lambda x, n: tuple(np.split(x, [2, 4])))
case("split sections", tg.split, normal(2, 5), [1, 4], 1,
     ref=lambda x, n, d: tuple(np.split(x, [1], 1)))
case("chunk", tg.chunk, normal(5, 2), 3, ref=lambda x, n: tuple(np.split(x, [2, 4])))
case("chunk dim", tg.chunk, normal(2, 4), 2, -1, ref=lambda x, n, d: tuple(np.split(x, 2, -1)))
case("flip", tg.flip, normal(2, 3), (0, -1), ref=np.flip)
case("repeat", tg.repeat, normal(2, 3), 2, 1, 2, ref=lambda x, *r: np.tile(x, r))
case("repeat zero", tg.repeat, normal(2, 3), 0, 2, ref=lambda x, *r: np.tile(x, r))
case("pad_constant", shape.pad_constant, normal(2, 3), ((1, 0), (2, 1)), 1.5, torch="",
     ref=lambda x, w, value: np.pad(x, w, constant_values=value))

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

# ---- windows

case("windows", convolution.windows, normal(2, 6, 5), (3, 2), (2, 1), (1, 2), torch="",
     ref=lambda x, k, s, d: sliding_window_view(x, (3, 3), (1, 2))[:, ::2, :, :, ::2])
case("fold_windows", convolution.fold_windows, normal(2, 2, 4, 2, 2), (5, 5), (2, 2), (2, 1),
     (1, 1), torch="")
case("conv1d", tg.conv1d, normal(2, 3, 7), normal(4, 3, 3), normal(4))
case("conv1d same", tg.conv1d, normal(2, 3, 7), normal(4, 3, 3), padding="same")
case("conv1d same even", tg.conv1d, normal(2, 3, 7), normal(4, 3, 4), padding="same")
case("conv2d", tg.conv2d, normal(2, 3, 5, 6), normal(4, 3, 3, 2), normal(4))
case("conv2d stride padding", tg.conv2d, normal(2, 2, 5, 6), normal(3, 2, 3, 3), stride=2,
     padding=1)
case("conv2d dilation groups", tg.conv2d, normal(1, 4, 7, 6), normal(6, 2, 2, 3), normal(6),
     dilation=(2, 1), groups=2)
case("conv2d unbatched", tg.conv2d, normal(2, 5, 5), normal(3, 2, 2, 2), padding="valid")
case("conv2d float32 weights", tg.conv2d, normal(1, 1, 2, 2), normal(1, 1, 2, 2),
     ref=lambda x, w: (x * w).sum().reshape(1, 1, 1, 1))
case("convolution", OPS["convolution"].call, normal(2, 2, 5), normal(3, 2, 3), normal(3), (1,),
     (1,), (1,), 1, torch="")
case("avg_pool2d", tg.avg_pool2d, normal(2, 3, 4, 6), 2,
     ref=lambda x, k: x.reshape(2, 3, 2, 2, 3, 2).mean((3, 5)))
case("avg_pool2d stride padding", tg.avg_pool2d, normal(2, 5, 5), (3, 2), stride=(2, 1), padding=1)
case("max_pool2d", tg.max_pool2d, distinct(2, 3, 4, 6), 2, dtypes=NARROW,
     ref=lambda x, k: x.reshape(2, 3, 2, 2, 3, 2).max((3, 5)))
case("max_pool2d stride padding", tg.max_pool2d, distinct(1, 2, 5, 6), 3, stride=2, padding=1)
case("max_pool2d dilation", tg.max_pool2d, distinct(2, 6, 6), 2, 1, dilation=2)
case("max_windows", OPS["max_windows"].call, distinct(2, 5), (3,), (2,), (0,), (1,), torch="",
     ref=lambda x, *rest: np.stack([x[:, 0:3].max(1), x[:, 2:5].max(1)], 1))

# ---- normalisation, recurrent steps, losses


def standard(x: np.ndarray, dim: Any, eps: float = 1e-5) -> np.ndarray:
    return (x - x.mean(dim, keepdims=True)) / np.sqrt(x.var(dim, keepdims=True) + eps)


case("layer_norm", tg.layer_norm, normal(3, 4), (4,), normal(4), normal(4),
     ref=lambda x, n, w, b: standard(x, -1) * w + b)
case("layer_norm plain", tg.layer_norm, normal(2, 3, 4), [3, 4],
     ref=lambda x, n: standard(x, (1, 2)))
case("standardize", OPS["standardize"].call, normal(3, 4), normal(4), None, (0,), 1e-3, torch="",
     ref=lambda x, w, b, dim, eps: standard(x, 0, eps) * w)
case("batch_norm training", tg.batch_norm, normal(4, 3), None, None, normal(3), normal(3), True,
     ref=lambda x, m, v, w, b, training: standard(x, 0) * w + b)
case("batch_norm images", tg.batch_norm, normal(2, 3, 4, 5), None, None, training=True,
     ref=lambda x, m, v, training: standard(x, (0, 2, 3)))
case("batch_norm running", tg.batch_norm, normal(4, 3), Sample(normal(3).draw, False),
     Sample(positive(3).draw, False), normal(3), normal(3),
     ref=lambda x, m, v, w, b: (x - m) / np.sqrt(v + 1e-5) * w + b)
case("lstm_gates", recurrent.lstm_gates, normal(3, 8), normal(3, 2), torch="")

case("mse_loss", loss.mse_loss, normal(3, 4), normal(3, 4), ref=lambda x, t: ((x - t) ** 2).mean())
case("mse_loss none", loss.mse_loss, normal(3, 4), normal(3, 4), reduction="none",
     ref=lambda x, t, reduction: (x - t) ** 2)
case("l1_loss", loss.l1_loss, normal(3, 4), normal(3, 4), reduction="sum",
     ref=lambda x, t, reduction: np.abs(x - t).sum())
case("smooth_l1_loss", loss.smooth_l1_loss, distinct(3, 4), between(-0.05, 0.05, 3, 4), beta=0.8)
case("binary_cross_entropy", loss.binary_cross_entropy, between(0.1, 0.9, 3, 4),
     between(0.1, 0.9, 3, 4), ref=lambda p, t: -(t * np.log(p) + (1 - t) * np.log1p(-p)).mean())
case("surprise", OPS["surprise"].call, between(0.1, 0.9, 3, 4), between(0.1, 0.9, 3, 4), torch="",
     ref=lambda p, t: -(t * np.log(p) + (1 - t) * np.log1p(-p)))
case("binary_cross_entropy_with_logits", loss.binary_cross_entropy_with_logits, normal(3, 4),
     between(0.1, 0.9, 3, 4), ref=lambda x, t: (np.logaddexp(0, x) - t * x).mean())
case("binary_cross_entropy_with_logits weights", loss.binary_cross_entropy_with_logits,
     normal(3, 4), between(0.1, 0.9, 3, 4), positive(4), "none", positive(4), torch="",
     ref=lambda x, t, w, r, p: w * (p * t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x)))
case("kl_div", loss.kl_div, normal(3, 4), positive(3, 4), reduction="batchmean",
     ref=lambda x, t, reduction: (t * (np.log(t) - x)).sum() / 3)
case("kl_div log", loss.kl_div, normal(3, 4), normal(3, 4), reduction="sum", log_target=True)


def cross_entropies(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    return -np.log(softmax_of(x, 1))[np.arange(len(t)), t]


case("softmax_cross_entropy", OPS["softmax_cross_entropy"].call, normal(4, 5), integers(0, 5, 4),
     -100, torch="", ref=lambda x, t, ignore: cross_entropies(x, t))
case("cross_entropy", loss.cross_entropy, normal(4, 5), integers(0, 5, 4),
     ref=lambda x, t: cross_entropies(x, t).mean())
case("cross_entropy none", loss.cross_entropy, normal(4, 5), integers(0, 5, 4), reduction="none",
     ref=lambda x, t, reduction: cross_entropies(x, t))
case("cross_entropy ignore", loss.cross_entropy, normal(4, 5), given([1, -100, 0, -100]))
case("cross_entropy images", loss.cross_entropy, normal(2, 5, 3, 2), integers(0, 5, 2, 3, 2))
case("cross_entropy one", loss.cross_entropy, normal(5), given(3))
case("cross_entropy weights", loss.cross_entropy, normal(4, 5), integers(0, 5, 4),
     Sample(positive(5).draw, False))
case("cross_entropy smoothing", loss.cross_entropy, normal(4, 5), given([1, -100, 0, 2]),
     label_smoothing=0.2)
case("cross_entropy smoothing weights", loss.cross_entropy, normal(4, 5), given([1, -100, 0, 2]),
     Sample(positive(5).draw, False), label_smoothing=0.2)
case("cross_entropy probabilities", loss.cross_entropy, normal(4, 5), positive(4, 5),
     label_smoothing=0.1)
case("nll_loss", loss.nll_loss, normal(4, 5), integers(0, 5, 4),
     ref=lambda x, t: -x[range(4), t].mean())
case("nll_loss sum", loss.nll_loss, normal(2, 5, 3), integers(0, 5, 2, 3), reduction="sum")
