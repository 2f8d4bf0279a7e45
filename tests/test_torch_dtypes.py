"""Which dtypes meet in which, and what one op makes of each, against PyTorch's promotion."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import outcome, torch_numpy

torch = pytest.importorskip("torch")

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
]
NUMBERS = (True, 3, 2.5)


def values(dtype, shape):
    """Both libraries' tensor of ones and twos, so that no op divides by zero or overflows."""
    array = np.ones(shape) + (np.arange(int(np.prod(shape))).reshape(shape) % 2)
    return (
        tg.tensor(array).to(getattr(tg, dtype)),
        torch.tensor(array).to(getattr(torch, dtype)),
    )


MEETING = {
    "add": lambda m, x, y: x + y,
    "add method": lambda m, x, y: m.add(x, y),
    "sub": lambda m, x, y: x - y,
    "mul": lambda m, x, y: x * y,
    "div": lambda m, x, y: x / y,
    "div trunc": lambda m, x, y: m.div(x, y, rounding_mode="trunc"),
    "floor_divide": lambda m, x, y: x // y,
    "remainder": lambda m, x, y: x % y,
    "fmod": lambda m, x, y: m.fmod(x, y),
    "pow": lambda m, x, y: x**y,
    "atan2": lambda m, x, y: m.atan2(x, y),
    "maximum": lambda m, x, y: m.maximum(x, y),
    "eq": lambda m, x, y: x == y,
    "lt": lambda m, x, y: x < y,
    "logical_and": lambda m, x, y: m.logical_and(x, y),
    "bitwise_and": lambda m, x, y: x & y,
    "where": lambda m, x, y: m.where(m.tensor([True, False]), x, y),
    "masked_fill": lambda m, x, y: m.masked_fill(x, m.tensor([True, False]), y),
    "clamp": lambda m, x, y: m.clamp(x, y),
    "cat": lambda m, x, y: m.cat([x, y]),
    "stack": lambda m, x, y: m.stack([x, y]),
    "iadd": lambda m, x, y: x.add_(y),
    "imul": lambda m, x, y: x.mul_(y),
    "idiv": lambda m, x, y: x.div_(y),
    "copy_": lambda m, x, y: x.copy_(y),
    "matmul": lambda m, x, y: x @ y,
    "result_type": lambda m, x, y: m.zeros(1, dtype=m.result_type(x, y)),
}


TAKE_A_NUMBER_FIRST = ("add", "sub", "mul", "div", "floor_divide", "pow", "where", "eq")
BOOL_POWER = ("pow", "bool", "bool")  # bool in PyTorch, int8 in NumPy and here


def disagreement(mine, theirs, number=False):
    """What differs between two outcomes, or None."""
    if isinstance(theirs, NotImplementedError):
        return None  # PyTorch has no kernel for the dtype; that promises nothing
    if number and isinstance(theirs, TypeError) and not isinstance(mine, Exception):
        return None  # we take a number where PyTorch's function wants a tensor
    if isinstance(theirs, Exception):
        if isinstance(mine, Exception):
            return None if isinstance(mine, type(theirs)) else f"raised {mine!r}, not {theirs!r}"
        return f"gave {mine.dtype}, torch raised {theirs!r}"
    if isinstance(mine, Exception):
        return f"raised {mine!r}, torch gave {theirs.dtype}"
    if str(mine.dtype) != str(theirs.dtype).removeprefix("torch."):
        return f"gave {mine.dtype}, torch {theirs.dtype}"
    eps = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23}.get(str(mine.dtype), 0)
    if not np.allclose(
        mine.numpy().astype("float64"), torch_numpy(theirs).astype("float64"), 2 * eps, 0
    ):
        return f"gave {mine.numpy().tolist()}, torch {theirs.tolist()}"
    return None


@pytest.mark.parametrize("name", MEETING)
def test_dtypes_meet_as_in_torch(name):
    function = MEETING[name]
    shapes = [((2,), (2,)), ((2,), ()), ((), (2,)), ((), ())]
    found, count = [], 0
    for first in DTYPES:
        for second in DTYPES:
            if (name, first, second) == BOOL_POWER:
                continue
            for a, b in shapes:
                (x, tx), (y, ty) = values(first, a), values(second, b)
                result = outcome(function, tg, x, y), outcome(function, torch, tx, ty)
                count += 1
                if (difference := disagreement(*result)) is not None:
                    found.append(f"{first}{list(a)} with {second}{list(b)} {difference}")
        for number in NUMBERS:
            if (name, first, type(number).__name__) == BOOL_POWER:
                continue
            for a in ((2,), ()):
                x, tx = values(first, a)
                for left in (False, True):
                    if left and name not in TAKE_A_NUMBER_FIRST:
                        continue
                    pair, torch_pair = (
                        ((number, x), (number, tx)) if left else ((x, number), (tx, number))
                    )
                    result = outcome(function, tg, *pair), outcome(function, torch, *torch_pair)
                    count += 1
                    if (difference := disagreement(*result, number=True)) is not None:
                        found.append(f"{first}{list(a)} with {number} (left: {left}) {difference}")
    assert count >= 400
    assert not found, f"{len(found)} of {count} differ:\n" + "\n".join(found[:40])


# bool where nobody computes with it: PyTorch gives int64 for the square of a bool, and the like.
LEFT_OUT = {("square", "bool"), ("sign", "bool")}
UNARY = [
    "abs",
    "neg",
    "sign",
    "exp",
    "log",
    "sqrt",
    "rsqrt",
    "sin",
    "tanh",
    "floor",
    "round",
    "relu",
    "sigmoid",
    "logical_not",
    "isnan",
    "sum",
    "mean",
    "prod",
    "cumsum",
    "amax",
    "argmax",
    "all",
    "any",
    "sort",
    "square",
    "reciprocal",
    "bitwise_not",
    "std",
    "norm",
    "logsumexp",
    "softmax",
    "clone",
]


@pytest.mark.parametrize("name", UNARY)
def test_dtype_of_one_as_in_torch(name):
    """The result's dtype for every dtype of the argument, or an error of PyTorch's class."""
    found = []
    for dtype in DTYPES:
        if (name, dtype) in LEFT_OUT:
            continue
        for size in ((2,), ()):
            x, tx = values(dtype, size)
            args = (0,) if name in ("cumsum", "softmax", "logsumexp") else ()
            mine = outcome(getattr(tg, name), x, *args)
            theirs = outcome(getattr(torch, name), tx, *args)
            if isinstance(mine, tuple):
                mine, theirs = mine[1], theirs[1]
            if isinstance(theirs, Exception):
                kind = RuntimeError if isinstance(theirs, NotImplementedError) else type(theirs)
                if isinstance(mine, Exception) and not isinstance(mine, kind):
                    found.append(f"{dtype}: raised {mine!r}, torch {theirs!r}")
            elif isinstance(mine, Exception):
                found.append(f"{dtype}{size}: raised {mine!r}, torch gave {theirs.dtype}")
            elif str(mine.dtype) != str(theirs.dtype).removeprefix("torch."):
                found.append(f"{dtype}{size}: gave {mine.dtype}, torch {theirs.dtype}")
    assert not found, "\n".join(found)
