"""The GPU's memory as its pool counts it, in bytes: 0 where there is no GPU in use.

https://docs.pytorch.org/docs/stable/cuda.html#memory-management. The pool keeps no record of its
peak, so that the names with "max" tell what it holds now, which no peak since the last
`empty_cache` exceeded.
"""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import backends


def _pool() -> Any:
    """The memory pool, or None before the GPU is used."""
    backend = backends().by_device.get("cuda")
    return None if backend is None else backend.xp.get_default_memory_pool()


def memory_allocated(device: Any = None) -> int:
    """Bytes that tensors take."""
    pool = _pool()
    return 0 if pool is None else int(pool.used_bytes())


def memory_reserved(device: Any = None) -> int:
    """Bytes that the pool holds, whether tensors take them or not."""
    pool = _pool()
    return 0 if pool is None else int(pool.total_bytes())


max_memory_allocated = max_memory_reserved = memory_reserved


def reset_peak_memory_stats(device: Any = None) -> None:
    """Nothing: there is no record of a peak."""


def empty_cache() -> None:
    """Give memory that no tensor takes back to the GPU."""
    pool = _pool()
    if pool is not None:
        pool.free_all_blocks()


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """(free, total) bytes of the GPU. BackendError without a usable one."""
    free, total = backends().on("cuda").xp.cuda.runtime.memGetInfo()
    return free, total
