"""The names of `torch.distributed` for programs that can train in several processes and do so here
in one: there is no process group, this process is rank 0 of 1.

https://docs.pytorch.org/docs/stable/distributed.html
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "destroy_process_group",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_initialized",
]


def is_available() -> bool:
    """False: processes do not train together."""
    return False


def is_initialized() -> bool:
    """False: there is no process group."""
    return False


def get_rank(group: Any = None) -> int:
    """0: the one process."""
    return 0


def get_world_size(group: Any = None) -> int:
    """1: the one process."""
    return 1


def init_process_group(backend: str | None = None, *args: Any, **kwargs: Any) -> NoReturn:
    """Raises NotImplementedError: processes do not train together."""
    raise NotImplementedError(
        f"init_process_group: expected to train in one process, got the backend {backend!r} "
        "(distributed.is_available() is False)"
    )


def destroy_process_group(group: Any = None) -> None:
    """Nothing: there is no process group."""
