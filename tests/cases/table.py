"""What the table is made of: builders of inputs, a case, a bad call."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

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


def over(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's reduction with PyTorch's argument names."""
    return lambda x, dim=None, keepdim=False: function(x, axis=dim, keepdims=keepdim)


NARROW = f"{F16} {BF16}"
NUMERIC = f"{NARROW} {INT}"
EVERY = f"{NUMERIC} {BOOL}"
ERF = np.vectorize(math.erf, otypes=[np.float64])


# ---- calls that must fail


@dataclass(frozen=True)
class Bad:
    """One bad call: `call(m, *tensors)`, the exception, and words of its message. It is a row of
    the op that its name begins with, of the one that its words name, and of `ops`: aliases, and the
    inner parts of a function, to which only their function can hand what they would refuse.
    """

    name: str
    call: Any
    inputs: tuple[Any, ...]
    error: type[Exception]
    words: str
    in_torch: bool = True  # False where PyTorch accepts it or raises another class
    ops: str = ""

    def refused_by(self) -> set[str]:
        return {self.name.split()[0], self.words.partition(":")[0].rstrip("_"), *self.ops.split()}


ROWS: list[Bad] = []


def bad(name, call, *inputs, error, words, in_torch=True, ops=""):
    ROWS.append(Bad(name, call, inputs, error, words, in_torch, ops))


def floats(*size):
    return np.random.default_rng(0).standard_normal(size).astype("float32")


def ints(*values):
    return np.array(values)


X, LONG, MASK = floats(3, 4), ints(0, 2, 1), np.array([True, False])
