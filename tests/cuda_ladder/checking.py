"""Where checks of kernels are kept, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

CHECKS: dict[str, Callable[[Any, Any, bool], None]] = {}


def check(source: str) -> Callable[[Any], Any]:
    """A check of kernels of this source."""

    def register(function: Callable[[Any, Any, bool], None]) -> Any:
        CHECKS[f"{source}: {function.__name__.replace('_', ' ')}"] = function
        return function

    return register


def shifted(backend: Any, array: np.ndarray, by: int = 1) -> Any:
    """On the device, beginning at no multiple of 16 bytes."""
    whole = backend.xp.asarray(np.concatenate([np.zeros(by, array.dtype), array.reshape(-1)]))
    return whole[by:].reshape(array.shape)


def reading(backend: Any, arrays: Any) -> list[np.ndarray]:
    return [backend.to_numpy(array) for array in arrays]
