"""Tensors drawn at random, from a Generator or the default one.

https://docs.pytorch.org/docs/stable/torch.html#random-sampling
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import dtypes
from tensorgrad.backend import Device, backend_for
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.ops.creation import Shape, Where, as_tensor, finish, like, making, sizes
from tensorgrad.ops.expecting import expect_all
from tensorgrad.out import takes_out, takes_out_apart
from tensorgrad.random import Generator, default_generator

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "bernoulli",
    "multinomial",
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
]

MOST_CATEGORIES = 2**24


def _drawn(
    method: str,
    size: Shape,
    generator: Generator | None,
    dtype: DType | None,
    device: Where,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of `size` from a backend's `uniform` or `normal`; narrow floats are drawn as
    float32, complex numbers as two floats, normal ones with half of the variance each.
    """
    dtype = dtype or dtypes.get_default_dtype()
    if dtypes.category(dtype) == dtypes.COMPLEX:
        part = dtypes.float64 if dtype == dtypes.complex128 else dtypes.float32
        parts = _drawn(method, (*size, 2), generator, part, device)._array
        if method == "normal":
            parts *= math.sqrt(0.5)
        return finish(parts.view(dtype)[..., 0], requires_grad)
    if not dtypes.is_floating_point(dtype):
        op = "rand" if method == "uniform" else "randn"
        raise DTypeError(f"{op}: expected a floating point dtype, got {dtype}")
    wide = dtypes.float64 if dtype == dtypes.float64 else dtypes.float32
    words = math.prod(size) * (2 if wide == dtypes.float64 else 1)
    backend, place = backend_for(device)
    key, offset = stream(generator).draw(words)
    array = getattr(backend, method)(size, wide, key, offset, place)
    if dtype != wide:
        if method == "uniform":  # cut, for rounding would reach 1
            steps = 2.0 ** (8 if dtype == dtypes.bfloat16 else 11)
            array = backend.div(backend.floor(backend.mul(array, steps)), steps)
        array = backend.cast(array, dtype)
    return finish(array, requires_grad)


def stream(generator: Generator | None) -> Generator:
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise TypeError(f"generator: expected a Generator, got {type(generator).__name__}")
    return generator


@making
def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1), or with both parts there."""
    return _drawn("uniform", sizes("rand", size), generator, dtype, device, requires_grad)


@making
def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1, complex ones with half of it in each part."""
    return _drawn("normal", sizes("randn", size), generator, dtype, device, requires_grad)


@making
def rand_like(input: Tensor, **options: Any) -> Tensor:
    """Uniform numbers of the input's shape, dtype and device."""
    return rand(tuple(input.shape), **like(input, options))


@making
def randn_like(input: Tensor, **options: Any) -> Tensor:
    """Normal numbers of the input's shape, dtype and device."""
    return randn(tuple(input.shape), **like(input, options))


def _words64(count: int, generator: Generator | None, backend: Any, place: Device) -> Any:
    """`count` random 64-bit words; word i has the 32-bit words 2i (high) and 2i + 1 (low)."""
    key, offset = stream(generator).draw(2 * count)
    words = backend.random_bits(key, offset, 2 * count, place).astype("uint64")
    return words[0::2] * 2**32 + words[1::2]


@making
def randint(
    low: int = 0,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers in [low, high): a random 64-bit word modulo the range, plus `low`."""
    if size is None:  # randint(high, size)
        low, high, size = 0, low, high
    if high <= low:
        raise RuntimeError(f"randint: expected low < high, got {low} and {high}")
    dtype = np.dtype(dtype or dtypes.int64)
    held = np.iinfo(dtype if dtype.kind in "iu" else dtypes.int64)
    if low < held.min or high - 1 > held.max:
        raise RuntimeError(f"randint: expected a range that {dtype} holds, got [{low}, {high})")
    shape = sizes("randint", (size,))
    backend, place = backend_for(device)
    words = _words64(math.prod(shape), generator, backend, place)
    values = (words % (high - low)).astype("int64") + low
    return finish(backend.cast(values.reshape(shape), dtype), requires_grad)


@making
def randperm(
    n: int,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """0 .. n-1 in random order: the order of n random 64-bit words."""
    if n < 0:
        raise RuntimeError(f"randperm: expected n >= 0, got {n}")
    backend, place = backend_for(device)
    order = backend.argsort(_words64(n, generator, backend, place), -1, False)
    return finish(backend.cast(order, dtype or dtypes.int64), requires_grad)


@making
def randint_like(input: Tensor, low: int, high: int | None = None, **options: Any) -> Tensor:
    """Integers in [low, high), or in [0, low), of the input's shape, dtype and device."""
    bounds = (0, low) if high is None else (low, high)
    return randint(*bounds, tuple(input.shape), **like(input, options))


@takes_out
def normal(
    mean: Tensor | float,
    std: Tensor | float = 1.0,
    size: Any = None,
    *,
    generator: Generator | None = None,
    **options: Any,
) -> Tensor:
    """Normal numbers: of a mean and a standard deviation for each element, as tensors that
    broadcast (one of them may be a number); or of one of each in a tensor of `size`.
    """
    spread: Any = std.detach() if isinstance(std, TensorCore) else std
    if isinstance(std, TensorCore):
        expect_all(~(spread < 0), "normal: expected std >= 0, got others")
    elif std < 0:
        raise RuntimeError(f"normal: expected std >= 0, got {std}")
    center: Any = mean.detach() if isinstance(mean, TensorCore) else mean
    result: Tensor
    if size is not None:
        result = randn(size, generator=generator, **options) * spread + center
        return result
    if not isinstance(mean, TensorCore) and not isinstance(std, TensorCore):
        raise TypeError("normal: expected tensors, or a size beside two numbers, got two numbers")
    dtype = (center if isinstance(mean, TensorCore) else spread).dtype
    result = randn_like(center + spread, generator=generator, dtype=dtype) * spread + center
    return result


@takes_out
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """1 with the probability that each element of `input` names, or with probability p, else 0."""
    dtype = input.dtype
    if p is None and not dtypes.is_floating_point(dtype):
        raise DTypeError(f"bernoulli: expected a floating point dtype, got {dtype}")
    chance: Any = input.detach() if p is None else p
    wrong = "bernoulli: expected probabilities in [0, 1], got others"
    if p is None:
        expect_all((chance >= 0) & (chance <= 1), wrong)
    elif not 0 <= p <= 1:
        raise RuntimeError(wrong)
    drawn_as = dtype if p is None else dtypes.float32
    drawn = rand(tuple(input.shape), generator=generator, dtype=drawn_as, device=input.device)
    result: Tensor = (drawn < chance).to(dtype)
    return result


@takes_out_apart
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices (int64) drawn with the weights in each row of `input` (n,) or (m, n)."""
    if input.ndim not in (1, 2):
        raise ShapeError(f"multinomial: expected 1 or 2 dimensions, got shape {list(input.shape)}")
    if not dtypes.is_floating_point(input.dtype):
        raise DTypeError(f"multinomial: expected floating point weights, got {input.dtype}")
    if num_samples <= 0:
        raise RuntimeError(f"multinomial: expected num_samples > 0, got {num_samples}")
    if input.shape[-1] > MOST_CATEGORIES:
        raise ShapeError(
            f"multinomial: expected at most {MOST_CATEGORIES} categories, got {input.shape[-1]}"
        )
    weights = np.atleast_2d(np.asarray(input.detach().cpu().numpy(), "float64"))
    if (weights < 0).any() or not np.isfinite(weights).all() or (weights.sum(-1) <= 0).any():
        raise RuntimeError(
            "multinomial: expected weights >= 0 with a positive sum in each row, "
            f"got {weights.min()} to {weights.max()}"
        )
    if not replacement and ((weights > 0).sum(-1) < num_samples).any():
        raise RuntimeError(
            f"multinomial: expected at least {num_samples} positive weights a row without "
            f"replacement, got {(weights > 0).sum(-1).min()}"
        )
    rows = weights.shape[0]
    if replacement:
        drawn = rand((rows, num_samples), generator=generator, dtype=dtypes.float64, device="cpu")
        bounds = np.cumsum(weights / weights.sum(-1, keepdims=True), -1)
        picked = np.stack(
            [np.searchsorted(b, r, side="right") for b, r in zip(bounds, drawn.numpy())]
        )
        picked = np.minimum(picked, weights.shape[1] - 1)
    else:  # the smallest of exponential times are a draw without replacement
        drawn = rand(weights.shape, generator=generator, dtype=dtypes.float64, device="cpu")
        with np.errstate(divide="ignore"):
            times = -np.log1p(-drawn.numpy()) / weights
        picked = np.argsort(times, -1, kind="stable")[:, :num_samples]
    picked = picked.astype("int64") if input.ndim == 2 else picked[0].astype("int64")
    return as_tensor(picked, device=input.device)
