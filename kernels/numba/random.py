"""Philox 4x32-10 (Salmon, Moraes, Dror, Shaw 2011): raw bits, uniforms, normals. Knows arrays only.

Word i of a call is word i % 4 of block offset + i // 4, so every element depends on its number
alone and any split over threads gives the same bits as `ArrayBackend`, which defines them. Memory
traffic: one write; the NumPy composition makes about 90 passes over uint64 arrays. Outputs are
rounded up to whole blocks and cut afterwards.
"""

import math

import numpy as np
from numba import njit, prange

from tensorgrad.kernels.numba.math import FLAGS, cos_sin_turns, log
from tensorgrad.kernels.numba.runtime import can_launch, parallel, serial

CHUNK = 4096  # blocks a task
PARALLEL = 8192  # blocks from which two threads beat one
STRIP = 256  # blocks whose words are held apart, 4 KB in the first-level cache

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_UNIT32, _UNIT64 = np.float32(2.0**-24), np.float64(2.0**-53)


# Words 0 to 3 of the blocks go to four separate rows: written interleaved, as the stream has them,
# the loop would not vectorise (measured: 2.6 ns a word against 0.4, and 0.3 for interleaving them
# afterwards). Each word lives in a 64-bit lane, where the product it is headed for needs it.
@serial
def words(key, start, out):
    w0, w1, w2, w3 = out[0], out[1], out[2], out[3]
    for j in range(w0.size):
        number = start + np.uint64(j)
        c0, c1, c2, c3 = number & _LOW, number >> _32, np.uint64(0), np.uint64(0)
        k0, k1 = key & _LOW, key >> _32
        for _ in range(10):
            p0, p1 = c0 * _M0, c2 * _M1
            c0, c2 = (p1 >> _32) ^ c1 ^ k0, (p0 >> _32) ^ c3 ^ k1
            c1, c3 = p1 & _LOW, p0 & _LOW
            k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
        w0[j], w1[j], w2[j], w3[j] = np.uint32(c0), np.uint32(c1), np.uint32(c2), np.uint32(c3)


@njit(forceinline=True)
def wide(high, low):
    """Two words as one. They arrive and leave in halves, as an int of Python becomes an int64."""
    return np.uint64(high) << _32 | np.uint64(low)


@njit(forceinline=True, fastmath=FLAGS)
def _single(word):
    return np.float32(np.int32(word >> np.uint32(8))) * _UNIT32


@njit(forceinline=True, fastmath=FLAGS)
def _double(high, low):
    return np.float64(np.int64(wide(high, low) >> np.uint64(11))) * _UNIT64


@njit(forceinline=True, fastmath=FLAGS)
def _pair(u1, u2):
    """Two normals from u1 in (0, 1] and u2 in [0, 1), by Box and Muller."""
    logarithm = log(u1)
    radius = math.sqrt(-(logarithm + logarithm))
    cosine, sine = cos_sin_turns(u2)
    return radius * cosine, radius * sine


@serial
def interleave(rows, out):
    for k in range(rows.shape[0]):
        row = rows[k]
        for j in range(out.shape[0]):
            out[j, k] = row[j]


# Each kernel fills `out` (blocks, elements a block) from the words of the blocks numbered first +
# skip + 0, 1, 2, ...
@serial
def _bits(key_high, key_low, first_high, first_low, skip, out):
    key, first = wide(key_high, key_low), wide(first_high, first_low) + np.uint64(skip)
    drawn = np.empty((4, STRIP), np.uint32)
    for start in range(0, out.shape[0], STRIP):
        words(key, first + np.uint64(start), drawn)
        interleave(drawn, out[start : start + STRIP])


@parallel
def _bits_parallel(key_high, key_low, first_high, first_low, skip, out):
    for c in prange((out.shape[0] + CHUNK - 1) // CHUNK):
        part = out[c * CHUNK : (c + 1) * CHUNK]
        _bits(key_high, key_low, first_high, first_low, skip + c * CHUNK, part)


@serial
def _uniform32(key_high, key_low, first_high, first_low, skip, out):
    key, first = wide(key_high, key_low), wide(first_high, first_low) + np.uint64(skip)
    drawn, values = np.empty((4, STRIP), np.uint32), np.empty((4, STRIP), np.float32)
    for start in range(0, out.shape[0], STRIP):
        words(key, first + np.uint64(start), drawn)
        for k in range(4):
            source, target = drawn[k], values[k]
            for j in range(STRIP):
                target[j] = _single(source[j])
        interleave(values, out[start : start + STRIP])


@parallel
def _uniform32_parallel(key_high, key_low, first_high, first_low, skip, out):
    for c in prange((out.shape[0] + CHUNK - 1) // CHUNK):
        part = out[c * CHUNK : (c + 1) * CHUNK]
        _uniform32(key_high, key_low, first_high, first_low, skip + c * CHUNK, part)


@serial
def _uniform64(key_high, key_low, first_high, first_low, skip, out):
    key, first = wide(key_high, key_low), wide(first_high, first_low) + np.uint64(skip)
    drawn, values = np.empty((4, STRIP), np.uint32), np.empty((2, STRIP), np.float64)
    for start in range(0, out.shape[0], STRIP):
        words(key, first + np.uint64(start), drawn)
        for k in range(2):
            high, low, target = drawn[2 * k], drawn[2 * k + 1], values[k]
            for j in range(STRIP):
                target[j] = _double(high[j], low[j])
        interleave(values, out[start : start + STRIP])


@parallel
def _uniform64_parallel(key_high, key_low, first_high, first_low, skip, out):
    for c in prange((out.shape[0] + CHUNK - 1) // CHUNK):
        part = out[c * CHUNK : (c + 1) * CHUNK]
        _uniform64(key_high, key_low, first_high, first_low, skip + c * CHUNK, part)


@serial
def _normal32(key_high, key_low, first_high, first_low, skip, out):
    key, first = wide(key_high, key_low), wide(first_high, first_low) + np.uint64(skip)
    drawn, values = np.empty((4, STRIP), np.uint32), np.empty((4, STRIP), np.float32)
    for start in range(0, out.shape[0], STRIP):
        words(key, first + np.uint64(start), drawn)
        for k in range(0, 4, 2):
            left, right, x, y = drawn[k], drawn[k + 1], values[k], values[k + 1]
            for j in range(STRIP):
                x[j], y[j] = _pair(_single(left[j]) + _UNIT32, _single(right[j]))
        interleave(values, out[start : start + STRIP])


@parallel
def _normal32_parallel(key_high, key_low, first_high, first_low, skip, out):
    for c in prange((out.shape[0] + CHUNK - 1) // CHUNK):
        part = out[c * CHUNK : (c + 1) * CHUNK]
        _normal32(key_high, key_low, first_high, first_low, skip + c * CHUNK, part)


@serial
def _normal64(key_high, key_low, first_high, first_low, skip, out):
    key, first = wide(key_high, key_low), wide(first_high, first_low) + np.uint64(skip)
    drawn, values = np.empty((4, STRIP), np.uint32), np.empty((2, STRIP), np.float64)
    for start in range(0, out.shape[0], STRIP):
        words(key, first + np.uint64(start), drawn)
        w0, w1, w2, w3, x, y = drawn[0], drawn[1], drawn[2], drawn[3], values[0], values[1]
        for j in range(STRIP):
            x[j], y[j] = _pair(_double(w0[j], w1[j]) + _UNIT64, _double(w2[j], w3[j]))
        interleave(values, out[start : start + STRIP])


@parallel
def _normal64_parallel(key_high, key_low, first_high, first_low, skip, out):
    for c in prange((out.shape[0] + CHUNK - 1) // CHUNK):
        part = out[c * CHUNK : (c + 1) * CHUNK]
        _normal64(key_high, key_low, first_high, first_low, skip + c * CHUNK, part)


def halves(key, offset):
    """As Numba gets them: key high and low, first block high and low."""
    low = 0xFFFFFFFF
    return key >> 32 & low, key & low, offset >> 32 & low, offset & low


def _filled(one, many, count, dtype, key, offset):
    """An array of `count` elements, 16 bytes a block."""
    width = 16 // dtype.itemsize
    out = np.empty((-(-count // width), width), dtype)
    kernel = many if out.shape[0] >= PARALLEL and can_launch() else one
    kernel(*halves(key, offset), 0, out)
    return out.reshape(-1)[:count]


def random_bits(key, offset, count):
    """`count` uint32 words of the stream of `key`, from block `offset` on."""
    return _filled(_bits, _bits_parallel, count, np.dtype(np.uint32), key, offset)


def uniform(shape, dtype, key, offset):
    """Uniform in [0, 1): 24 bits of one word for float32, 53 bits of two for float64."""
    if dtype == np.float32:
        kernels = _uniform32, _uniform32_parallel
    elif dtype == np.float64:
        kernels = _uniform64, _uniform64_parallel
    else:
        return NotImplemented
    return _filled(*kernels, math.prod(shape), np.dtype(dtype), key, offset).reshape(shape)


def normal(shape, dtype, key, offset):
    """Standard normal from consecutive pairs of uniforms, computed in `dtype`."""
    if dtype == np.float32:
        kernels = _normal32, _normal32_parallel
    elif dtype == np.float64:
        kernels = _normal64, _normal64_parallel
    else:
        return NotImplemented
    return _filled(*kernels, math.prod(shape), np.dtype(dtype), key, offset).reshape(shape)
