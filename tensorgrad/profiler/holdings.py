"""The arrays that calls have made and that still live: who made each, and when it dies.

What a call returns and what its node saves is counted, if its memory is the array's own and was
not there before. Memory that a kernel takes and gives back within a call does not show.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from tensorgrad import modes
from tensorgrad.graph import TensorCore
from tensorgrad.profiler.events import FunctionEvent


class Holdings:
    """elapsed: the time; innermost: the event in which an array that dies is let go."""

    def __init__(
        self, elapsed: Callable[[], float], innermost: Callable[[], FunctionEvent | None]
    ) -> None:
        self.elapsed = elapsed
        self.innermost = innermost
        self.live: dict[int, tuple[Any, int, bool]] = {}  # by id: reference, bytes, on a GPU
        self.total = 0
        self.samples: list[tuple[float, int]] = []

    def know(self, values: Any) -> None:
        """Take note of arrays that were there before."""
        for owner in self.owners(values):
            if id(owner) not in self.live:
                self.live[id(owner)] = weakref.ref(owner, partial(self.forget, id(owner))), 0, False

    def count(self, result: Any, event: FunctionEvent) -> None:
        """Count the arrays in what a call returned, or left behind."""
        for owner in self.owners(result):
            if id(owner) in self.live:
                continue
            on_device = modes.current().backends[owner.__class__].device_type != "cpu"
            reference = weakref.ref(owner, partial(self.forget, id(owner)))
            self.live[id(owner)] = reference, owner.nbytes, on_device
            self.change(event, owner.nbytes, on_device)

    def forget(self, number: int, reference: Any) -> None:
        """An array has died."""
        known = self.live.pop(number, None)
        if known is not None and known[1]:
            self.change(self.innermost(), -known[1], known[2])

    def change(self, event: FunctionEvent | None, size: int, on_device: bool) -> None:
        if event is not None and on_device:
            event.self_device_memory_usage += size
        elif event is not None:
            event.self_cpu_memory_usage += size
        self.total += size
        self.samples.append((self.elapsed(), self.total))

    def close(self) -> None:
        self.live.clear()

    def owners(self, value: Any) -> list[Any]:
        """The arrays whose memory a value shows, at any depth."""
        if isinstance(value, TensorCore):
            value = value._array
        if value.__class__ in modes.current().backends:
            while value.base.__class__ is value.__class__:
                value = value.base
            return [value] if value.__class__.__weakrefoffset__ else []  # or NumPy's scalar
        if isinstance(value, tuple | list):
            return [owner for part in value for owner in self.owners(part)]
        return []
