"""Checks of softmax, its logarithm and cross-entropy: near to NumPy in double precision."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

import tensorgrad as tg
from bench import rows as compose
from tensorgrad.op import OPS
from tests.cuda_ladder.checking import check, shifted
from tests.kernel_samples import close, sample

# A shape and the dimension along which lines lie. A warp keeps a line of 1024 bytes, a block one of
# 8 times that, and four threads 128 bytes of elements that lie apart.
LINES = [
    *(((1, 1), 1), ((3, 7), 1), ((17, 33), 1), ((2, 256), 1), ((3, 257), 1), ((2, 2051), 1)),
    *(((2, 4096), 1), ((2, 1, 3, 5), 3), ((5, 3), 0), ((2, 16, 3), 1), ((2, 9, 130), 1)),
    *(((37, 2, 3), 0), ((1, 70, 65), 1)),
]
SMALL = [((2, 5), 1), ((1, 515), 1), ((3, 2), 0), ((17, 2), 0)]


@check("softmax.cu")
def softmax_and_its_logarithm(backend: Any, dtype: Any, small: bool) -> None:
    for shape, dim in SMALL if small else LINES:
        x, g = sample(shape, dtype), sample(shape, dtype, 1)
        for name in ("softmax", "log_softmax"):
            for place in (backend.xp.asarray, lambda array: shifted(backend, array)):
                y = getattr(backend, name)(place(x), dim)
                close(y.get(), getattr(compose, name)(x.astype("f8"), dim))
                found = getattr(backend, f"{name}_vjp")(place(g), y, dim - x.ndim)
                want = getattr(compose, f"{name}_vjp")(g.astype("f8"), y.get().astype("f8"), dim)
                close(found.get(), want, 20 + shape[dim] // 8)


@check("softmax.cu")
def softmax_of_strange_numbers(backend: Any, dtype: Any, small: bool) -> None:
    rows = np.zeros((9, 600), dtype)
    rows[0, 3] = np.nan
    rows[1, 599] = np.inf
    rows[2, [0, 7]] = -np.inf
    rows[3] = -np.inf
    rows[4, 1], rows[4, 2] = np.inf, -np.inf
    largest = min(1e30, float(ml_dtypes.finfo(dtype).max))
    rows[5, 5] = largest
    rows[6] = -largest
    rows[7, 100], rows[7, 200] = 200, 180
    rows[8] = 1e4
    for columns in () if small else (5, 60, 600):
        x = rows[:, :columns]
        with np.errstate(all="ignore"):
            for name in ("softmax", "log_softmax"):
                found = getattr(backend, name)(backend.xp.asarray(x), -1)
                want = getattr(compose, name)(x.astype("f8"), -1)
                close(found.get(), want)
                found = getattr(backend, name)(backend.xp.asarray(x.T), 0)
                close(found.get(), want.T)


@check("softmax.cu")
def cross_entropies(backend: Any, dtype: Any, small: bool) -> None:
    op = OPS["softmax_cross_entropy"]
    for shape, dim in SMALL if small else LINES:
        if len(shape) > 3 or dim == 0:
            shape = 1, *shape[:2]
        x = sample(shape, dtype)
        lines = shape[:1] + shape[2:]
        g, target = sample(lines, dtype, 1), np.random.default_rng(2).integers(0, shape[1], lines)
        target.flat[-1] = -100
        target.flat[0] = shape[1] - 1
        on_device = [backend.xp.asarray(array) for array in (x, target, g)]
        for smoothing in (0.0, 0.3):
            how = -100, smoothing
            loss, state = backend.softmax_cross_entropy(*on_device[:2], *how)
            with tg.use_backend("numpy"):
                wide = tg.tensor(x.astype("f8"), requires_grad=True)
                want = op.composition(wide, tg.tensor(target), *how)
                want.backward(tg.tensor(g.astype("f8")))
            close(loss.get(), want.detach().numpy())
            found, _ = backend.softmax_cross_entropy_vjp(on_device[2], *on_device[:2], *how, state)
            close(found.get(), wide.grad.numpy())
