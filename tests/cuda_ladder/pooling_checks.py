"""Checks of pooling: the compositions' values, and gradients near to theirs."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.op import OPS
from tests.cuda_ladder.checking import FULL, check
from tests.kernel_samples import close, sample
from tests.optimizer_samples import same

# (size, kernel, stride, padding, dilation, ceil_mode)
WINDOWS = [
    ((6, 8), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((7, 9), (3, 2), (2, 1), (1, 1), (1, 1), True),  # windows overlap, and reach past the end
    ((9, 8), (3, 3), (2, 3), (2, 2), (2, 2), False),
    ((5, 4), (1, 1), (3, 2), (0, 0), (1, 1), False),  # places that no window meets
    ((4, 3), (1, 2), (1, 1), (2, 3), (1, 1), False),  # windows in the padding alone
    ((270,), (3,), (1,), (1,), (1,), False),  # several blocks
    ((3, 5, 6), (2, 3, 2), (1, 2, 2), (1, 0, 1), (1, 1, 2), True),
]
SMALL = [((3, 4), (3, 2), (2, 1), (1, 1), (1, 1), True)]
TARGETS = [((7, 9), (3, 4)), ((5,), (7,)), ((5, 3, 4), (2, 2, 3)), ((300,), (290,))]


def composed(op: str, x: np.ndarray, g: np.ndarray | None, *how: Any) -> tuple[Any, Any]:
    """An op's result by NumPy, and its gradient."""
    with tg.use_backend("numpy"):
        tensor = tg.tensor(x, requires_grad=g is not None)
        y = OPS[op].call(tensor, *how)
        if g is None:
            return y.numpy(), None
        y.backward(tg.tensor(g))
    return y.detach().numpy(), tensor.grad.numpy()


def with_ties(shape: Any, dtype: Any) -> np.ndarray:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, shape).astype(dtype)
    x[rng.random(shape) < 0.1] = np.nan
    x[rng.random(shape) < 0.3] = -np.inf
    x[rng.random(shape) < 0.1] = np.inf
    return x


@check("pooling.cu")
def the_largest_of_windows(backend: Any, dtype: Any, small: bool) -> None:
    for size, *how in SMALL if small else WINDOWS:
        x = with_ties((2, *size) if small else (2, 3, *size), dtype)
        ready = backend.xp.asarray(x)
        y, aux = backend.max_windows(ready, *how)
        g = sample(y.shape, dtype, 1)
        want, gradient = composed("max_windows", x, g, *how)
        same([y.get()], [want.astype(dtype)])
        found = backend.max_windows_vjp(backend.xp.asarray(g), x.shape, *how, aux)
        close(found.get(), gradient)
        places, _ = composed("largest_in_windows", x, None, *how)
        np.testing.assert_array_equal(backend.largest_in_windows(ready, *how).get(), places)


@check("pooling.cu")
def the_largest_of_uneven_windows(backend: Any, dtype: Any, small: bool) -> None:
    for size, target in [((3, 4), (2, 3))] if small else TARGETS:
        x = with_ties((2, *size) if small else (2, 2, *size), dtype)
        y, aux = backend.max_of_target(backend.xp.asarray(x), target)
        g = sample(y.shape, dtype, 1)
        want, gradient = composed("max_of_target", x, g, target)
        same([y.get()], [want.astype(dtype)])
        found = backend.max_of_target_vjp(backend.xp.asarray(g), x.shape, target, aux)
        close(found.get(), gradient)


@check("pooling.cu", FULL)
def sums_of_windows(backend: Any, dtype: Any, small: bool) -> None:
    for size, kernel, stride, before, _, ceil_mode in SMALL if small else WINDOWS:
        x = sample((2, *size) if small else (3, 2, *size), dtype)
        x[-1, -1, ..., 0], x[0, -1] = np.inf, np.nan
        after = tuple(p + s * ceil_mode for p, s in zip(before, stride, strict=True))
        how = kernel, stride, before, after
        y = backend.window_sum(backend.xp.asarray(x), *how)
        g = sample(y.shape, dtype, 1)
        want, gradient = composed("window_sum", x, g, *how)
        close(y.get(), want)
        found = backend.window_sum_vjp(backend.xp.asarray(g), x.shape, *how)
        close(found.get(), gradient)
