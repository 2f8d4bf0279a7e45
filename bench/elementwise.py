"""Cases of `bench.kernels` that go over elements: activation functions and special functions, as
array operations beside their kernels. Knows arrays only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from bench.recurrent import sigmoid
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend

Array = Any

numpy_backend = NumpyBackend()


def below(x: Array) -> Array:
    return (numpy_backend.erf(x * math.sqrt(0.5)) + 1) * 0.5


def gelu(x: Array) -> Array:
    return x * below(x)


def gelu_vjp(g: Array, x: Array) -> Array:
    return g * (below(x) + x * (np.exp(x * x * -0.5) * (1 / math.sqrt(2 * math.pi))))


def silu(x: Array) -> Array:
    return x * sigmoid(x)


def silu_vjp(g: Array, x: Array) -> Array:
    gate = sigmoid(x)
    return g * gate * (x * (1 - gate) + 1)


def softplus(x: Array, beta: float, threshold: float) -> Array:
    scaled = x * beta
    soft = np.maximum(scaled, 0) + np.log1p(np.exp(-np.abs(scaled)))
    return np.where(scaled > threshold, x, soft / beta)


def softplus_vjp(g: Array, x: Array, beta: float, threshold: float) -> Array:
    scaled = x * beta
    return np.where(scaled > threshold, g, g * sigmoid(scaled))


def leaky_relu(x: Array, slope: float) -> Array:
    return np.where(x > 0, x, x * slope)


def leaky_relu_vjp(g: Array, x: Array, slope: float) -> Array:
    return np.where(x > 0, g, g * slope)


# The compositions of an op and of its gradient, and the op's numbers.
COMPOSITIONS: dict[str, tuple[Callable[..., Array], Callable[..., Array], tuple[float, ...]]] = {
    "gelu": (gelu, gelu_vjp, ()),
    "silu": (silu, silu_vjp, ()),
    "softplus": (softplus, softplus_vjp, (1.0, 20.0)),
    "leaky_relu": (leaky_relu, leaky_relu_vjp, (0.01,)),
}


def cases(dtype: Any, backend: NumbaBackend) -> Iterator[Any]:
    """(kernel, size, the kernel's call, the composition's call)."""
    rng = np.random.default_rng(0)
    for n in 20, 1000, 100_000, 1_000_000:
        x, g = rng.standard_normal((2, n)).astype(dtype)
        yield "erf", f"{n:,}", partial(backend.erf, x), partial(numpy_backend.erf, x)
        for name, (forward, backward, numbers) in COMPOSITIONS.items():
            call = partial(getattr(backend, name), x, *numbers)
            yield name, f"{n:,}", call, partial(forward, x, *numbers)
            call = partial(getattr(backend, f"{name}_vjp"), g, x, *numbers)
            yield f"{name}_vjp", f"{n:,}", call, partial(backward, g, x, *numbers)
        for name in "fmod", "remainder", "floor_divide":
            calls = [partial(getattr(owner, name), x, g) for owner in (backend, numpy_backend)]
            yield name, f"{n:,}", *calls
