"""Checks of softmax, its logarithm and cross-entropy: near to NumPy in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench import rows as compose
from tests.cuda_ladder.checking import check
from tests.kernel_samples import close, sample

# A warp goes over a row up to 512 columns, and a block beyond, 4096 of which it keeps.
SHAPES = [(1, 1), (3, 7), (17, 33), (2, 512), (3, 513), (2, 4096), (2, 4099)]
SMALL = [(2, 5), (1, 515)]


@check("softmax.cu")
def softmax_and_its_logarithm(backend: Any, dtype: Any, small: bool) -> None:
    for shape in SMALL if small else [*SHAPES, (2, 1, 3, 5)]:
        x, g = sample(shape, dtype), sample(shape, dtype, 1)
        for name in ("softmax", "log_softmax"):
            y = getattr(backend, name)(backend.xp.asarray(x), -1)
            close(y.get(), getattr(compose, name)(x.astype("f8"), -1))
            found = getattr(backend, f"{name}_vjp")(backend.xp.asarray(g), y, x.ndim - 1)
            want = getattr(compose, f"{name}_vjp")(g.astype("f8"), y.get().astype("f8"), -1)
            close(found.get(), want, 20 + shape[-1] // 8)


@check("softmax.cu")
def softmax_of_strange_numbers(backend: Any, dtype: Any, small: bool) -> None:
    rows = np.zeros((9, 600), dtype)
    rows[0, 3] = np.nan
    rows[1, 599] = np.inf
    rows[2, [0, 7]] = -np.inf
    rows[3] = -np.inf
    rows[4, 1], rows[4, 2] = np.inf, -np.inf
    rows[5, 5] = 1e30
    rows[6] = -1e30
    rows[7, 100], rows[7, 200] = 200, 180
    rows[8] = 1e4
    for columns in () if small else (5, 600):
        x = rows[:, :columns]
        with np.errstate(all="ignore"):
            for name in ("softmax", "log_softmax"):
                found = getattr(backend, name)(backend.xp.asarray(x), -1)
                close(found.get(), getattr(compose, name)(x.astype("f8"), -1))


@check("softmax.cu")
def cross_entropies(backend: Any, dtype: Any, small: bool) -> None:
    for rows, classes in SMALL if small else SHAPES:
        x, g = sample((rows, classes), dtype), sample(rows, dtype, 1)
        target = np.random.default_rng(2).integers(0, classes, rows)
        target[rows // 2] = -100
        target[0] = classes - 1
        on_device = [backend.xp.asarray(array) for array in (x, target, g)]
        loss, state = backend.softmax_cross_entropy(*on_device[:2], -100)
        wide = x.astype("f8")
        close(loss.get(), compose.softmax_cross_entropy(wide, target, -100))
        found, _ = backend.softmax_cross_entropy_vjp(on_device[2], *on_device[:2], -100, 0.0, state)
        want = compose.softmax_cross_entropy_vjp(g.astype("f8"), wide, target, -100)
        close(found.get(), want)
