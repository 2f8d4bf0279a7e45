"""How long something took: by the host's clock, or on a GPU by events in its stream."""

from __future__ import annotations

import time
from typing import Any


class HostClock:
    """For what is done when its call returns."""

    def start(self) -> None:
        self.begin = time.perf_counter()

    def stop(self) -> float:
        """Seconds since `start`."""
        return time.perf_counter() - self.begin


class DeviceClock:
    """For what a GPU is asked for: from where its stream stood at the start to the end of all that
    it was asked for since. Waits for it.
    """

    def __init__(self) -> None:
        import tensorgrad as tg

        self.begin, self.end = (tg.cuda.Event(enable_timing=True) for _ in range(2))

    def start(self) -> None:
        self.begin.record()

    def stop(self) -> float:
        self.end.record()
        self.end.synchronize()
        return self.begin.elapsed_time(self.end) / 1e3


def clock_of(column: str) -> Any:
    return DeviceClock() if column == "cupy" else HostClock()
