"""Random words, uniform numbers and dropout: what `random.cu` is given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.capture import stream_of
from tensorgrad.kernels.cuda.loader import C_TYPES, kernel, served

Array = Any

BLOCK = 256  # as in random.cu


def launch(name: str, threads: int, types: str, *arguments: Any) -> None:
    if threads:
        kernel("random.cu", name, *types)((-(-threads // BLOCK),), (BLOCK,), arguments)


def random_bits(key: int, offset: int, count: int) -> Array:
    """`count` uint32 words: word i is word i % 4 of block offset + i // 4."""
    import cupy

    out = cupy.empty(count, np.uint32)
    launch("random_bits", -(-count // 4), "", out, np.int64(count), stream_of(key, offset))
    return out


def uniform(shape: tuple[int, ...], dtype: Any, key: int, offset: int) -> Any:
    """Uniform in [0, 1): 24 bits of one word for float32, 53 bits of two for float64."""
    import cupy

    if dtype.itemsize == 2 or dtype.char not in C_TYPES:
        return NotImplemented
    out = cupy.empty(shape, dtype)
    given = out, np.int64(out.size), stream_of(key, offset)
    launch("uniform", -(-out.size * dtype.itemsize // 16), dtype.char, *given)
    return out


def drop(input: Array, p: float, key: int, offset: int) -> Any:
    """input / (1 - p) where the element's float32 of the stream is at least p, else input * 0."""
    import cupy

    if not served([input]):
        return NotImplemented
    # The bits of the least float32 that stays: a uniform number is 24 bits over 2 ** 24.
    least = math.ceil(float(np.float32(p)) * 2**24)
    ready = cupy.ascontiguousarray(input)
    out = cupy.empty(ready.shape, ready.dtype)
    how = np.uint32(least), 1 / (1 - p), stream_of(key, offset)
    share = max(4, 16 // out.dtype.itemsize)  # of elements, a thread's
    launch("drop", -(-out.size // share), ready.dtype.char, ready, out, np.int64(out.size), *how)
    return out
