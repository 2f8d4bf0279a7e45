"""Python's `multiprocessing`, through which tensors travel pickled, by value.

https://docs.pytorch.org/docs/stable/multiprocessing.html. A tensor that another process writes
into does not change here: send it back.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
from collections.abc import Callable
from multiprocessing import *
from typing import Any

__all__ = [*multiprocessing.__all__, "ProcessExitedException", "spawn"]


class ProcessExitedException(RuntimeError):
    """A process that `spawn` started ended with an error."""


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> list[Any] | None:
    """Run fn(number, *args) in `nprocs` processes, number from 0 on, and wait for them.

    When one fails the others are ended, and ProcessExitedException names it; what went wrong
    is on its standard error. `join=False` returns the processes without waiting.
    """
    context: Any = multiprocessing.get_context(start_method)
    started = [
        context.Process(target=fn, args=(number, *args), daemon=daemon) for number in range(nprocs)
    ]
    for process in started:
        process.start()
    if not join:
        return started
    waiting = {process.sentinel: process for process in started}
    while waiting:
        for sentinel in multiprocessing.connection.wait(list(waiting)):
            process = waiting.pop(sentinel)
            process.join()
            if process.exitcode:
                for other in waiting.values():
                    other.terminate()
                    other.join()
                raise ProcessExitedException(
                    f"spawn: expected process {started.index(process)} to end well, got exit code "
                    f"{process.exitcode}"
                )
    return None
