"""Random numbers written into a tensor in place.

Each draws what the function of its distribution draws, in the tensor's dtype, from a Generator or
the default one. https://docs.pytorch.org/docs/stable/torch.html#in-place-random-sampling
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, inplace
from tensorgrad.errors import DTypeError
from tensorgrad.graph import TensorCore
from tensorgrad.ops import pointwise
from tensorgrad.ops.indexing import copy_
from tensorgrad.ops.sampling import rand, randint, randn

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.random import Generator

__all__ = []

# Whole numbers up to here are held exactly, by the number of bits of a significand.
EXACT = {"float16": 2**11, "bfloat16": 2**8, "float32": 2**24, "float64": 2**53}


def _uniform(op: str, input: Any, generator: Generator | None) -> Any:
    """Uniform numbers of the input's shape, in its dtype or, where that is narrow, in float32."""
    inplace.check_writable(input, op)
    if not dtypes.is_floating_point(input.dtype):
        raise DTypeError(f"{op}: expected a floating point tensor, got {input.dtype}")
    return _uniform_in(input, generator)


def _uniform_in(input: Any, generator: Generator | None) -> Any:
    dtype = dtypes.float64 if input.dtype == dtypes.float64 else dtypes.float32
    return rand(tuple(input.shape), generator=generator, dtype=dtype, device=input.device)


def _above(op: str, name: str, value: float, limit: float = 0.0) -> None:
    if not value > limit:
        raise RuntimeError(f"{op}: expected {name} > {limit:g}, got {value}")


def normal_(
    input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Write normal numbers of the given mean and standard deviation."""
    if std < 0:
        raise RuntimeError(f"normal_: expected std >= 0, got {std}")
    inplace.check_writable(input, "normal_")
    shape, device = tuple(input.shape), input.device
    return copy_(
        input,
        randn(shape, generator=generator, dtype=input.dtype, device=device) * std + mean,
    )


def from_by_name(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function that takes `from_` as PyTorch names it, too: `**{"from": 0}`, a word of Python's
    own.
    """

    @functools.wraps(function)
    def call(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if "from" in kwargs:
            kwargs["from_"] = kwargs.pop("from")
        return function(input, *args, **kwargs)

    return call


@from_by_name
def uniform_(
    input: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Write uniform numbers in [from_, to)."""
    if from_ > to:
        raise RuntimeError(f"uniform_: expected from <= to, got {from_} and {to}")
    inplace.check_writable(input, "uniform_")
    drawn = rand(tuple(input.shape), generator=generator, dtype=input.dtype, device=input.device)
    return copy_(input, drawn * (to - from_) + from_)


def exponential_(
    input: Tensor, lambd: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Write exponential numbers of rate lambd: -log(1 - u) / lambd, with u uniform."""
    _above("exponential_", "lambd", lambd)
    drawn = _uniform("exponential_", input, generator)
    return copy_(input, pointwise.log1p(-drawn) / -lambd)


def cauchy_(
    input: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Write Cauchy numbers: median + sigma * tan(pi * (u - 1/2)), with u uniform."""
    _above("cauchy_", "sigma", sigma)
    angle = (_uniform("cauchy_", input, generator) - 0.5) * math.pi
    return copy_(input, pointwise.sin(angle) / pointwise.cos(angle) * sigma + median)


def log_normal_(
    input: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Write exp of normal numbers of the given mean and standard deviation."""
    _above("log_normal_", "std", std)
    inplace.check_writable(input, "log_normal_")
    if not dtypes.is_floating_point(input.dtype):
        raise DTypeError(f"log_normal_: expected a floating point tensor, got {input.dtype}")
    wide = dtypes.float64 if input.dtype == dtypes.float64 else dtypes.float32
    drawn = randn(tuple(input.shape), generator=generator, dtype=wide, device=input.device)
    return copy_(input, pointwise.exp(drawn * std + mean))


def geometric_(input: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Write how many trials of success probability p it takes: ceil(log(1 - u) / log(1 - p)), and
    1 at least, with u uniform.
    """
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_: expected p in (0, 1), got {p}")
    inplace.check_writable(input, "geometric_")
    drawn = _uniform_in(input, generator)
    trials = pointwise.floor(pointwise.log1p(-drawn) / math.log1p(-p)) + 1
    return copy_(input, trials)


def bernoulli_(
    input: Tensor, p: Tensor | float = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Write 1 with probability p, else 0; p is a number or a tensor that broadcasts."""
    inplace.check_writable(input, "bernoulli_")
    inside = (p >= 0) & (p <= 1) if isinstance(p, TensorCore) else 0 <= p <= 1
    if not (inside.all() if isinstance(inside, TensorCore) else inside):
        raise RuntimeError(f"bernoulli_: expected p in [0, 1], got {p}")
    return copy_(input, _uniform_in(input, generator) < p)


@from_by_name
def random_(
    input: Tensor,
    from_: int | None = None,
    to: int | None = None,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Write whole numbers in [from_, to); `random_(to)` begins at 0, and without limits they are
    all that the dtype holds from 0 on (floats: exactly).
    """
    inplace.check_writable(input, "random_")
    dtype = input.dtype
    if to is None:
        from_, to = 0, from_
    if to is None:
        to = (EXACT.get(str(dtype)) or _largest(dtype)) + 1
    low = 0 if from_ is None else from_
    if low >= to:
        raise RuntimeError(f"random_: expected from < to, got {low} and {to}")
    if dtypes.category(dtype) == dtypes.INTEGRAL:
        limits = dtypes.iinfo(dtype)
        if low < limits.min or to - 1 > limits.max:
            raise RuntimeError(f"random_: expected a range that {dtype} holds, got [{low}, {to})")
    shape, device = tuple(input.shape), input.device
    return copy_(input, randint(low, to, shape, generator=generator, device=device))


def _largest(dtype: dtypes.DType) -> int:
    return 1 if dtype == dtypes.bool_ else int(dtypes.iinfo(dtype).max)
