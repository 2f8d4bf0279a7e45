"""Whether launches go into a graph now, and what that graph must keep while it is replayed.

A replay repeats launches with the arguments they had, so that nothing may go in that the host must
compute anew: what cannot be captured is refused where it is asked for. Random numbers are drawn
from where the generator stands when the graph is replayed, which is told to the GPU before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.loader import structure

Array = Any


class Draws:
    """The random numbers of a graph: `blocks` of them, from a place in a stream on that lies on the
    GPU.
    """

    def __init__(self, key: int, first: int) -> None:
        import cupy

        self.key, self.first = key, first  # in the capture
        self.blocks = 0
        self.place = cupy.empty(2, np.uint64)
        self.begin_at(key, first)

    def begin_at(self, key: int, first: int) -> None:
        """By launches with the numbers as arguments: nothing waits."""
        for k, number in enumerate((key, first)):
            self.place[k] = np.uint64(number)


held: list[Any] | None = None  # by the graph that is being captured
draws: Draws | None = None  # that graph's


def begin(of_graph: Draws) -> list[Any]:
    """Let what is asked for go into a graph, which is to keep this list."""
    global held, draws
    held, draws = [], of_graph
    return held


def end() -> None:
    global held, draws
    held = draws = None


def stream_of(key: int, offset: int) -> Any:
    """A place in a stream as `random.cu` takes it; in a graph, counted from the graph's."""
    if draws is None:
        return structure([key, offset, 0], "u8")
    if key != draws.key:
        refuse("random numbers of a generator of one's own, or seeded anew")
    return structure([0, offset - draws.first, draws.place.data.ptr], "u8")


def refuse(what: str) -> None:
    """RuntimeError while a graph is captured."""
    if held is not None:
        raise RuntimeError(f"graph: expected work of the GPU alone, got {what}")


def on_device(host: Any) -> Array:
    """A copy of a table of the host's. In a graph it is made again at every replay, from memory
    that the graph keeps.
    """
    import cupy

    if held is None:
        return cupy.asarray(host)
    memory = cupy.cuda.alloc_pinned_memory(host.nbytes)
    kept = np.frombuffer(memory, host.dtype, host.size).reshape(host.shape)
    kept[...] = host
    held.append((memory, kept))
    table = cupy.empty(host.shape, host.dtype)
    table.set(kept)
    return table
