"""Checks of what losses of classes pick: near to the compositions in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.op import OPS
from tests.cuda_ladder.checking import check, shifted
from tests.kernel_samples import close, sample

SHAPES = ((1, 1), (3, 7), (257, 5), (2, 3, 1), (3, 4, 90))
SMALL = ((3, 2), (2, 3, 2))
IGNORED = -100


def composed(op: str, x: np.ndarray, target: np.ndarray, g: np.ndarray) -> list[np.ndarray]:
    with tg.use_backend("numpy"), np.errstate(all="ignore"):
        wide = tg.tensor(x.astype("f8"), requires_grad=True)
        y = OPS[op].composition(wide, tg.tensor(target), IGNORED)
        y.backward(tg.tensor(g.astype("f8")))
    return [y.detach().numpy(), wide.grad.numpy()]


@check("losses.cu")
def picked_of_lines(backend: Any, dtype: Any, small: bool) -> None:
    for shape in SMALL if small else SHAPES:
        x, lines = sample(shape, dtype), shape[:1] + shape[2:]
        x.flat[0], x.flat[-1] = np.nan, np.inf
        target = np.random.default_rng(1).integers(0, shape[1], lines)
        target.flat[0], target.flat[-1] = IGNORED, shape[1] - 1
        g = sample(lines, dtype, 2)
        want, slope = composed("picked", x, target, g)
        on_device = backend.xp.asarray(target)
        for place in (backend.xp.asarray, lambda array: shifted(backend, array)):
            close(backend.picked(place(x), on_device, IGNORED).get(), want)
            found, _ = backend.picked_vjp(place(g), shape, on_device, IGNORED)
            close(found.get(), slope)


@check("losses.cu")
def means_of_what_is_counted(backend: Any, dtype: Any, small: bool) -> None:
    for count in (3, 40) if small else (1, 255, 257, 2000):
        x, g = sample(count, dtype), sample((), dtype, 2)
        target = np.random.default_rng(1).integers(0, 9, count)
        for ignored in (0, 1, count):
            target[:ignored] = IGNORED
            want, slope = composed("counted_mean", x, target, g)
            given = backend.xp.asarray(x), backend.xp.asarray(target), IGNORED
            mean, counted = backend.counted_mean(*given)
            close(mean.get(), want)
            found, _ = backend.counted_mean_vjp(backend.xp.asarray(g), x.shape, counted)
            close(found.get(), slope)
