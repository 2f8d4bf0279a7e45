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
from tensorgrad.ops.creation import Shape, Where, as_tensor, finish, like, sizes
from tensorgrad.random import Generator, default_generator

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "bernoulli",
    "multinomial",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randn_like",
    "randperm",
]


def _drawn(
    method: str,
    size: Shape,
    generator: Generator | None,
    dtype: DType | None,
    device: Where,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of `size` from a backend's `uniform` or `normal`; narrow floats are drawn as
    float32.
    """
    dtype = dtype or dtypes.get_default_dtype()
    if not dtypes.is_floating_point(dtype):
        op = "rand" if method == "uniform" else "randn"
        raise DTypeError(f"{op}: expected a floating point dtype, got {dtype}")
    wide = dtypes.float64 if dtype == dtypes.float64 else dtypes.float32
    words = math.prod(size) * (2 if wide == dtypes.float64 else 1)
    backend, place = backend_for(device)
    key, offset = _stream(generator).draw(words)
    array = getattr(backend, method)(size, wide, key, offset, place)
    if dtype != wide:
        if method == "uniform":  # cut, for rounding would reach 1
            steps = 2.0 ** (8 if dtype == dtypes.bfloat16 else 11)
            array = backend.div(backend.floor(backend.mul(array, steps)), steps)
        array = backend.cast(array, dtype)
    return finish(array, requires_grad)


def _stream(generator: Generator | None) -> Generator:
    if generator is None:
        return default_generator
    if not isinstance(generator, Generator):
        raise TypeError(f"generator: expected a Generator, got {type(generator).__name__}")
    return generator


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1)."""
    return _drawn("uniform", sizes("rand", size), generator, dtype, device, requires_grad)


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1."""
    return _drawn("normal", sizes("randn", size), generator, dtype, device, requires_grad)


def rand_like(input: Tensor, **options: Any) -> Tensor:
    """Uniform numbers of the input's shape, dtype and device."""
    return rand(tuple(input.shape), **like(input, options))


def randn_like(input: Tensor, **options: Any) -> Tensor:
    """Normal numbers of the input's shape, dtype and device."""
    return randn(tuple(input.shape), **like(input, options))


def _words64(count: int, generator: Generator | None, backend: Any, place: Device) -> Any:
    """`count` random 64-bit words; word i has the 32-bit words 2i (high) and 2i + 1 (low)."""
    key, offset = _stream(generator).draw(2 * count)
    words = backend.random_bits(key, offset, 2 * count, place).astype("uint64")
    return words[0::2] * 2**32 + words[1::2]


def randint(
    low: int,
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


def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that each element of `input` names, else 0."""
    if not dtypes.is_floating_point(input.dtype):
        raise DTypeError(f"bernoulli: expected a floating point dtype, got {input.dtype}")
    if not ((input >= 0) & (input <= 1)).all():
        raise RuntimeError("bernoulli: expected probabilities in [0, 1], got others")
    drawn = rand(tuple(input.shape), generator=generator, dtype=input.dtype, device=input.device)
    return (drawn < input).to(input.dtype)


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
