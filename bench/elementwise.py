"""Cases of `bench.kernels` that go over elements: activation functions, special functions and
losses, as array operations beside their kernels. Knows arrays, and of losses their formulas.
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
from tensorgrad.formula import Formula, formula
from tensorgrad.ops import loss

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


# ---- losses: a mean, and its gradient by the first array


def squares(x: Array, t: Array) -> Array:
    return (x - t) * (x - t)


def squares_vjp(x: Array, t: Array) -> Array:
    return (x - t) * dtype_of(x, 2 / x.size)


def smooth(x: Array, t: Array) -> Array:
    d = np.abs(x - t)
    return np.where(d < 1, d * d * dtype_of(x, 0.5), d - dtype_of(x, 0.5))


def smooth_vjp(x: Array, t: Array) -> Array:
    return np.clip(x - t, -1, 1) * dtype_of(x, 1 / x.size)


def logistic(x: Array, t: Array) -> Array:
    return (1 - t) * x + np.maximum(-x, 0) + np.log1p(np.exp(-np.abs(x)))


def logistic_vjp(x: Array, t: Array) -> Array:
    return (sigmoid(x) - t) * dtype_of(x, 1 / x.size)


def dtype_of(x: Array, number: float) -> Any:
    return x.dtype.type(number)


LOSSES: dict[str, tuple[Formula, Callable[..., Array], Callable[..., Array]]] = {
    "squares": (formula(loss._square), squares, squares_vjp),
    "smooth L1": (formula(loss._smooth_distance, beta=1.0), smooth, smooth_vjp),
    "logistic": (formula(loss._logistic), logistic, logistic_vjp),
}


def loss_cases(rng: Any, dtype: Any, backend: NumbaBackend) -> Iterator[Any]:
    g = np.array(1, dtype)
    for n in 640, 25_600, 1_000_000:
        x, t = rng.standard_normal((2, n)).astype(dtype)
        for name, (rule, forward, backward) in LOSSES.items():
            given, size = (x, t, None, None, rule, "mean"), f"{name} of {n:,}"
            call = partial(lambda forward, x, t: np.mean(forward(x, t)), forward, x, t)
            yield "over_elements", size, partial(backend.over_elements, *given), call
            if n < 1_000_000:  # of fewer what is saved is nodes, not passes
                continue
            call = partial(backend.over_elements_vjp, g, *given, (True, False, False, False))
            yield (
                "over_elements_vjp",
                size,
                lambda call=call: call()[0],
                partial(backward, x, t),
            )


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
    yield from loss_cases(rng, dtype, backend)
