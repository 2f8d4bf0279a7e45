"""Random numbers: one counter-based generator, the same on every backend.

Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) turns a
64-bit key (the seed) and a 128-bit counter into four 32-bit words. Block j of a generator's stream
has the counter (j low, j high, 0, 0); a draw of n words takes the next ceil(n / 4) blocks. float32
uses one word an element, float64 two. So the same seed gives the same integers and uniforms
everywhere, to the bit, and normals to a few units in the last place.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from operator import index
from typing import Any

import numpy as np

from tensorgrad.backend import Device
from tensorgrad.graph import wrap

__all__ = [
    "Generator",
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]

STATE_BYTES = 16


class Generator:
    """A stream of random numbers: a seed and how many blocks have been used."""

    def __init__(self, device: Any = "cpu") -> None:
        self.device = Device(device)
        self._lock = threading.Lock()
        self.manual_seed(0)

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of `seed` (taken modulo 2^64) from its beginning."""
        if not hasattr(seed, "__index__"):
            raise TypeError(f"manual_seed: expected an int, got {type(seed).__name__}")
        self._seed = index(seed) % 2**64
        self._offset = 0
        return self

    def seed(self) -> int:
        """Start a stream of an unforeseeable seed, and return the seed."""
        self.manual_seed(int.from_bytes(os.urandom(8)))
        return self._seed

    def initial_seed(self) -> int:
        return self._seed

    def position(self) -> tuple[int, int]:
        """(seed, blocks used): where in which stream the next draw begins."""
        return self._seed, self._offset

    def go_to(self, block: int) -> None:
        """Let the next draw begin at this block of the stream."""
        self._offset = block

    def get_state(self) -> Any:
        """Seed and position, as a tensor of 16 bytes: what `set_state` takes to continue bit for
        bit.
        """
        return wrap(np.array([self._seed, self._offset], "<u8").view("uint8"))

    def set_state(self, new_state: Any) -> None:
        """Continue from a state that `get_state` gave."""
        if tuple(new_state.shape) != (STATE_BYTES,) or new_state.dtype != "uint8":
            raise TypeError(
                f"set_state: expected a state from get_state ({STATE_BYTES} of uint8), "
                f"got shape {list(new_state.shape)} of {new_state.dtype}"
            )
        seed, offset = np.ascontiguousarray(new_state.numpy(force=True)).view("<u8")
        self._seed, self._offset = int(seed), int(offset)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())

    def draw(self, words: int) -> tuple[int, int]:
        """(key, first block) for `words` 32-bit words, which are then used up."""
        with self._lock:
            start = self._offset
            self._offset += -(-words // 4)
        return self._seed, start


default_generator = Generator()
default_generator.seed()


def manual_seed(seed: int) -> Generator:
    """Seed the default generator, from which all draws without a generator come."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Seed the default generator unforeseeably; returns the seed."""
    return default_generator.seed()


def initial_seed() -> int:
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """The state of the default generator."""
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Continue the default generator from a state that `get_rng_state` gave."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True, **options: Any) -> Iterator[None]:
    """`with fork_rng():` what is drawn or seeded inside leaves the default generator as it was.

    One generator draws for all devices, so `devices` and PyTorch's other options change nothing.
    """
    state = default_generator.get_state()
    try:
        yield
    finally:
        if enabled:
            default_generator.set_state(state)
