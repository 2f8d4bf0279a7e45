"""What the allocator of large arrays on the CPU holds, and how to get it back.

It comes with the Numba backend's kernels. This module finds it where it is loaded and never loads
it: where no kernel has run yet there is nothing to tell and nothing to give back.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["empty_cache", "memory_stats"]

_FIGURES = (
    "allocated_bytes.all.current",
    "allocated_bytes.all.peak",
    "cached_bytes.all.current",
    "cached_bytes.all.peak",
    "reserved_bytes.all.peak",
    "max_cached_bytes",
    "hits",
    "misses",
)


def _allocator() -> Any:
    """The module with the allocator, or None if arrays do not have their memory from there."""
    module = sys.modules.get("tensorgrad.kernels.numba.memory")
    return module if module is not None and module.is_installed() else None


def empty_cache() -> None:
    """Give the memory that no array takes back to the system.

    When an array of 256 kB or more dies, its memory is kept for the next of about its size, as
    fresh memory costs more time than most ops on it. At most a quarter of the machine's or
    container's memory is kept, and arrays and what is kept together take at most twice what arrays
    ever took (or 64 MB); sizes that were not asked for longest go first. This holds for all arrays
    of NumPy in the process, from the first kernel of the Numba backend on. `memory_stats` counts
    it; `cuda.empty_cache` is the same for the GPU's memory.
    """
    allocator = _allocator()
    if allocator is not None:
        allocator.empty_cache()


def memory_stats() -> dict[str, int]:
    """What arrays of 256 kB and more on the CPU take, under the names of PyTorch's allocators.

    - "enabled": 1 if large arrays have their memory from the allocator (see `empty_cache`). It is 0
      before the first kernel of the Numba backend runs, and stays 0 where Python or NumPy does not
      allow it: free-threaded or 32-bit builds. All other figures are 0 then.
    - "allocated_bytes.all.current", ".peak": bytes that living arrays take, counted in blocks up
      to an eighth larger than the arrays.
    - "cached_bytes.all.current", ".peak": bytes that are kept for arrays to come.
    - "reserved_bytes.all.current", ".peak": the sum of both.
    - "max_cached_bytes": the most that is kept.
    - "hits", "misses": how many arrays got kept memory, and how many fresh one.

    The peaks are those since the allocator's start.
    """
    allocator = _allocator()
    stats = {"enabled": int(allocator is not None), **dict.fromkeys(_FIGURES, 0)}
    if allocator is not None:
        stats.update(zip(_FIGURES, allocator.figures()))
    current = "allocated_bytes.all.current", "cached_bytes.all.current"
    stats["reserved_bytes.all.current"] = sum(stats[name] for name in current)
    return stats
