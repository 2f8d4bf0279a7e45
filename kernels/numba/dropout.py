"""Dropout: which elements stay is computed from their numbers, forward and backward alike.

Reads one array and writes one, and keeps none: the composition keeps the factors, and writes and
reads five arrays on the way. The stream is that of `random`; 4M floats take a third of its time.
"""

import math

import numpy as np
from numba import prange

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.random import CHUNK, PARALLEL, STRIP, halves, interleave, wide, words
from tensorgrad.kernels.numba.runtime import FLOATS, can_launch, parallel, serial


@serial
def _drop(x, least, scale, key_high, key_low, first_high, first_low, skip, out):
    key, first = wide(key_high, key_low), wide(first_high, first_low) + np.uint64(skip)
    drawn, in_order = np.empty((4, STRIP), np.uint32), np.empty((STRIP, 4), np.uint32)
    flat, bound = in_order.reshape(-1), np.uint32(least)
    gain, zero = x.dtype.type(scale), x.dtype.type(0)
    for start in range(0, x.size, flat.size):
        words(key, first + np.uint64(start // 4), drawn)
        interleave(drawn, in_order)
        part, target = x[start : start + flat.size], out[start : start + flat.size]
        for i in range(part.size):
            target[i] = part[i] * (gain if flat[i] >> np.uint32(8) >= bound else zero)


@parallel
def _drop_parallel(x, least, scale, key_high, key_low, first_high, first_low, skip, out):
    size = 4 * CHUNK
    for c in prange((x.size + size - 1) // size):
        chunk = slice(c * size, (c + 1) * size)
        number = skip + c * CHUNK
        _drop(x[chunk], least, scale, key_high, key_low, first_high, first_low, number, out[chunk])


def drop(x, p, key, offset):
    """x / (1 - p) where the element's float32 of the stream is at least p, else x * 0."""
    if x.dtype not in FLOATS:
        return NotImplemented
    # The bits of the least float32 that stays: a uniform number is 24 bits over 2 ** 24.
    least = math.ceil(float(np.float32(p)) * 2**24)
    out = np.empty(x.shape, x.dtype)
    kernel = _drop_parallel if x.size >= 4 * PARALLEL and can_launch() else _drop
    kernel(plain(x).reshape(-1), least, 1 / (1 - p), *halves(key, offset), 0, out.reshape(-1))
    return out
