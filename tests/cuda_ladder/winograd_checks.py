"""Checks of Winograd's convolution: its rounding, what is not finite, and where that goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda import winograd
from tests.cuda_ladder.checking import FULL, check
from tests.cuda_ladder.convolution_checks import EVERYTHING, composed
from tests.kernel_samples import close, sample

# (samples, channels, height, width), outputs, padding
CASES = [
    ((2, 3, 8, 9), 4, (1, 1)),
    ((2, 2, 6, 8), 3, (1, 1)),
    ((3, 2, 7, 13), 2, (0, 2)),
    ((1, 5, 4, 6), 3, (2, 1)),
    ((1, 2, 60, 71), 1, (1, 1)),  # several blocks
]
HOW = (1, 1), (1, 1), (1, 1), 1
SMALL = [((1, 2, 4, 5), 1, (1, 1))]


@contextmanager
def settings(channels: int, scratch: int) -> Iterator[None]:
    """From so few channels on, two of them summed at a time, and so many numbers."""
    before = winograd.CHANNELS, winograd.SUMMED, winograd.SCRATCH
    winograd.CHANNELS, winograd.SUMMED, winograd.SCRATCH = channels, 2, scratch
    try:
        yield
    finally:
        winograd.CHANNELS, winograd.SUMMED, winograd.SCRATCH = before


def near(got: Any, want: Any, of_sizes: Any) -> None:
    """Within twice what a plain sum may err by, and more in no place than its largest does."""
    error = np.abs(got.get() - want)
    eps = np.finfo(got.dtype).eps
    root_mean_square = np.sqrt(np.mean(np.square(of_sizes)))
    assert np.sqrt(np.mean(np.square(error))) <= 2 * eps * root_mean_square
    assert error.max() <= 12 * eps * of_sizes.max()


@check("winograd.cu", FULL)
def convolution_by_transforms(backend: Any, dtype: Any, small: bool) -> None:
    for shape, outputs, padding in SMALL if small else CASES:
        how = (1, 1), padding, (1, 1), 1
        x, weight = sample(shape, dtype, 0, 1.0), sample((outputs, shape[1], 3, 3), dtype, 1, 1.0)
        bias = sample(outputs, dtype, 2, 1.0)
        there = [backend.xp.asarray(array) for array in (x, weight, bias)]
        with settings(1, 2**27):
            y = backend.convolution(*there, *how)
            g = sample(y.shape, dtype, 3, 1.0)
            gradient = backend.xp.asarray(g)
            found = backend.convolution_vjp(gradient, *there[:2], *how, EVERYTHING)
        wants = composed("convolution", g, (x, weight, bias), how)
        sizes = composed("convolution", np.abs(g), list(map(np.abs, (x, weight, bias))), how)
        for got, want, of_sizes in zip((y, *found), wants, sizes, strict=True):
            near(got, want, of_sizes)
        if small:
            continue
        with settings(1, 100):  # sample by sample
            rectified = backend.rectified_convolution(*there, *how)
            passed = backend.rectified_convolution_vjp(
                gradient, rectified, *there[:2], *how, EVERYTHING
            )
            back = backend.transposed_convolution(gradient, there[1], None, *how, shape[2:])
        np.testing.assert_array_equal(rectified.get(), np.maximum(y.get(), 0))
        np.testing.assert_array_equal(back.get(), found[0].get())
        cut = np.where(rectified.get() <= 0, dtype.type(0), g)
        wants = composed("convolution", cut, (x, weight, bias), how)[1:]
        for got, want, of_sizes in zip(passed, wants, sizes[1:], strict=True):
            near(got, want, of_sizes)


@check("winograd.cu", FULL)
def what_is_not_finite_reaches_its_own_windows_only(backend: Any, dtype: Any, small: bool) -> None:
    if small:  # of two tiles, of which one is summed window by window
        x = np.full((1, 2, 8, 4), np.inf, dtype)
        with settings(1, 2**27):
            ones = np.ones((1, 2, 3, 3), dtype)
            y = backend.convolution(*map(backend.xp.asarray, (x, ones)), None, *HOW)
        assert (y.get() == np.inf).all()
        return
    x, weight = sample((2, 2, 8, 12), dtype), sample((3, 2, 3, 3), dtype, 1)
    bias, how = sample(3, dtype, 2), HOW
    x[0, 1, 5, 5], x[1, 0, 0, 11], x[1, 0, 7, 0] = np.nan, np.inf, -np.inf
    g = sample((2, 3, 8, 12), dtype, 3)
    g[0, 2, 6, 6], g[1, 1, 0, 0] = np.inf, np.nan
    there = [backend.xp.asarray(array) for array in (x, weight, bias)]
    gradient = backend.xp.asarray(g)
    for masked in (False, True):
        with settings(1, 2**27):
            y = backend.rectified_convolution(*there, *how)
            back = (
                backend.rectified_convolution_vjp(gradient, y, *there[:2], *how, EVERYTHING)
                if masked
                else backend.convolution_vjp(gradient, *there[:2], *how, EVERYTHING)
            )
        op = "rectified_convolution" if masked else "convolution"
        wants = composed(op, g, (x, weight, bias), how)
        close(y.get(), np.maximum(wants[0], 0), 200)
        for got, want in zip(back, wants[1:], strict=True):
            close(got.get(), want, 200)
