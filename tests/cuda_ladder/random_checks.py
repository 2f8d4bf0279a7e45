"""Checks of uniform numbers and dropout: the CPU's to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.backends.numpy_backend import NumpyBackend
from tests.cuda_ladder.checking import FULL, check, shifted
from tests.kernel_samples import sample
from tests.optimizer_samples import same

reference = NumpyBackend()

SIZES = (0, 1, 2, 3, 4, 5, 1023, 1024, 1029)
SMALL = (5, 37)
STREAMS = ((0, 0), (0x0123456789ABCDEF, 3), (2**64 - 1, 2**32 - 2))


@check("random.cu", FULL)  # numbers of 16 bits are drawn in float32
def uniform_numbers(backend: Any, dtype: Any, small: bool) -> None:
    for size in SMALL if small else SIZES:
        for key, offset in STREAMS[-1:] if small else STREAMS:
            found = backend.uniform((size,), dtype, key, offset, backend.default_device)
            want = reference.uniform((size,), dtype, key, offset, reference.default_device)
            same([found.get()], [want])


@check("random.cu", FULL[:1])
def random_words(backend: Any, dtype: Any, small: bool) -> None:
    for size in SMALL if small else SIZES:
        for key, offset in STREAMS[-1:] if small else STREAMS:
            found = backend.random_bits(key, offset, size, backend.default_device)
            want = reference.random_bits(key, offset, size, reference.default_device)
            same([found.get()], [want])


@check("random.cu", FULL[:1])
def draws_of_a_replay(backend: Any, dtype: Any, small: bool) -> None:
    """Counted from the place that the GPU is told of, not from that of the capture."""
    draws = backend.capture.Draws(5, 3)
    for key, first in STREAMS:
        draws.begin_at(key, first)
        backend.capture.begin(draws)
        try:
            found = backend.uniform((37,), dtype, 5, 3 + 4, backend.default_device)
        finally:
            backend.capture.end()
        want = reference.uniform((37,), dtype, key, first + 4, reference.default_device)
        same([found.get()], [want])


@check("random.cu")
def dropout(backend: Any, dtype: Any, small: bool) -> None:
    for size in SMALL if small else SIZES:
        x = sample(size, dtype)
        x[:2] = (np.nan, -np.inf)[:size]
        for key, offset in STREAMS[-1:] if small else STREAMS:
            drawn = reference.uniform((3,), FULL[0], key, offset, reference.default_device)
            for p in (0.3,) if small else (0.0, 0.3, 0.5, float(drawn[2])):  # which is not below
                kept = reference.kept_by_chance(x, p, key, offset)
                with np.errstate(invalid="ignore"):
                    wide = np.promote_types(dtype, "f4")
                    want = (x * (kept.astype(wide) * (1 / (1 - p)))).astype(dtype)
                for given in (backend.xp.asarray(x), shifted(backend, x)):
                    same([backend.drop(given, p, key, offset).get()], [want])
