"""Whether launches go into a graph now, and what that graph must keep while it is replayed.

A replay repeats launches with the arguments they had, so that nothing may go in that the host must
compute anew: what cannot be captured is refused where it is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any

held: list[Any] | None = None  # by the graph that is being captured


def begin() -> list[Any]:
    """Let what is asked for go into a graph, which is to keep this list."""
    global held
    refuse("the capture of another graph")
    held = []
    return held


def end() -> None:
    global held
    held = None


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
