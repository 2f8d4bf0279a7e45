"""Random primitives for a NumPy-like array module: Philox 4x32-10 in vectorised 64-bit arithmetic.

The definition that all backends follow to the bit stands in tensorgrad/random.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from tensorgrad import dtypes
from tensorgrad.backend import Device

Array: TypeAlias = Any

PHILOX_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
PHILOX_WEYL = (0x9E3779B9, 0xBB67AE85)
PHILOX_ROUNDS = 10


class RandomPrimitives:
    """Part of ArrayBackend."""

    xp: Any
    device_of: Callable[[Array], Device]

    def random_bits(self, key: int, offset: int, count: int, device: Device) -> Array:
        """`count` uint32 words: word i is word i % 4 of block offset + i // 4."""
        xp = self.xp
        blocks = xp.arange(-(-count // 4), dtype="uint64") + xp.uint64(offset)
        zeros = xp.zeros_like(blocks)
        counter = (blocks & xp.uint64(0xFFFFFFFF), blocks >> xp.uint64(32), zeros, zeros)
        words = xp.stack(self._philox(counter, key), axis=-1)
        return words.reshape(-1)[:count].astype("uint32")

    def _philox(self, counter: tuple[Array, ...], key: int) -> tuple[Array, ...]:
        """Four random words for each counter of four, the lowest first; all held in uint64."""
        xp = self.xp
        low, shift = xp.uint64(0xFFFFFFFF), xp.uint64(32)
        c0, c1, c2, c3 = counter
        k0, k1 = key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF
        for _ in range(PHILOX_ROUNDS):
            p0 = c0 * xp.uint64(PHILOX_MULTIPLIERS[0])
            p1 = c2 * xp.uint64(PHILOX_MULTIPLIERS[1])
            c0, c1 = (p1 >> shift) ^ c1 ^ xp.uint64(k0), p1 & low
            c2, c3 = (p0 >> shift) ^ c3 ^ xp.uint64(k1), p0 & low
            k0, k1 = (k0 + PHILOX_WEYL[0]) & 0xFFFFFFFF, (k1 + PHILOX_WEYL[1]) & 0xFFFFFFFF
        return c0, c1, c2, c3

    def uniform(
        self, shape: tuple[int, ...], dtype: Any, key: int, offset: int, device: Device
    ) -> Array:
        """Uniform in [0, 1): 24 bits of one word for float32, 53 bits of two for float64."""
        xp = self.xp
        count = math.prod(shape)
        if dtype == "float64":
            words = self.random_bits(key, offset, 2 * count, device).astype("uint64")
            bits, unit = (words[0::2] << xp.uint64(32) | words[1::2]) >> xp.uint64(11), 2.0**-53
        else:
            bits, unit = self.random_bits(key, offset, count, device) >> xp.uint32(8), 2.0**-24
        return (bits.astype(dtype) * dtype.type(unit)).reshape(shape)

    def kept_by_chance(self, input: Array, p: float, key: int, offset: int) -> Array:
        """Whether each element's uniform float32 of the stream is at least p."""
        place = self.device_of(input)
        return self.uniform(input.shape, dtypes.float32, key, offset, place) >= p

    def normal(
        self, shape: tuple[int, ...], dtype: Any, key: int, offset: int, device: Device
    ) -> Array:
        """Standard normal, by Box and Muller from pairs of uniforms, computed in `dtype`."""
        xp = self.xp
        count = math.prod(shape)
        pairs = self.uniform((-(-count // 2), 2), dtype, key, offset, device)
        step = dtype.type(2.0**-53 if dtype == "float64" else 2.0**-24)
        radius = xp.sqrt(dtype.type(-2) * xp.log(pairs[:, 0] + step))
        angle = dtype.type(2 * math.pi) * pairs[:, 1]
        both = xp.stack((radius * xp.cos(angle), radius * xp.sin(angle)), axis=-1)
        return both.reshape(-1)[:count].reshape(shape)
