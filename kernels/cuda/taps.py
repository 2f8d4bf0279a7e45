"""Weighted sums along a dimension: what `taps.cu` is given. The table of a sum's places and weights
goes to the GPU once.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.geometry import Array, divisor, numbered
from tensorgrad.kernels.cuda.loader import kernel, served, structure

BLOCK = 256  # as in taps.cu


@lru_cache(256)
def table_of(taps: Any, char: str) -> tuple[Array, Array, Array]:
    """Where each row of taps begins, its places and its weights."""
    import cupy

    lengths = [len(row) for row in taps.rows]
    flat = [tap for row in taps.rows for tap in row]
    starts = np.cumsum([0, *lengths], dtype=np.int32)
    places = np.array([place for place, _ in flat], np.int32)
    weights = np.array([weight for _, weight in flat], char)
    return cupy.asarray(starts), cupy.asarray(places), cupy.asarray(weights)


def combine(input: Array, dim: int, taps: Any) -> Any:
    """The sum of weight * input[..., place, ...] over each row of taps."""
    import cupy

    shape = (*input.shape[:dim], taps.count, *input.shape[dim + 1 :])
    if not served([input]) or not numbered(input.size, math.prod(shape)):
        return NotImplemented
    out = cupy.empty(shape, input.dtype)
    char = "d" if input.dtype.char == "d" else "f"
    inner = math.prod(shape[dim + 1 :])
    by = [structure(divisor(number), "u4") for number in (taps.count, inner)]
    ready = cupy.ascontiguousarray(input)
    given = ready, *table_of(taps, char), out, np.int32(input.shape[dim]), *by, np.int32(out.size)
    kernel("taps.cu", "combine", out.dtype.char)((-(-out.size // BLOCK),), (BLOCK,), given)
    return out
