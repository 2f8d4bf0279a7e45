"""Where checks of kernels are kept, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

FULL = (np.dtype("float32"), np.dtype("float64"))
DTYPES = (*FULL, np.dtype("float16"), np.dtype(ml_dtypes.bfloat16))


class Check(NamedTuple):
    run: Callable[[Any, Any, bool], None]
    dtypes: tuple[Any, ...]


CHECKS: dict[str, Check] = {}


def check(source: str, dtypes: tuple[Any, ...] = DTYPES) -> Callable[[Any], Any]:
    """A check of kernels of this source, which have instances for these dtypes."""

    def register(function: Callable[[Any, Any, bool], None]) -> Any:
        CHECKS[f"{source}: {function.__name__.replace('_', ' ')}"] = Check(function, dtypes)
        return function

    return register


def shifted(backend: Any, array: np.ndarray, by: int = 1) -> Any:
    """On the device, beginning at no multiple of 16 bytes."""
    whole = backend.xp.asarray(np.concatenate([np.zeros(by, array.dtype), array.reshape(-1)]))
    return whole[by:].reshape(array.shape)


def reading(backend: Any, arrays: Any) -> list[np.ndarray]:
    return [backend.to_numpy(array) for array in arrays]
