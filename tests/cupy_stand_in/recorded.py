"""What is asked for while a graph is captured, so that it can be done again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

into: list[Callable[[], None]] | None = None  # what a capture has met


def repeatable(function: Any) -> Any:
    """A function whose calls go into the graph that is captured: done again, a result's numbers
    take the place of those before. Of functions that call each other the outermost counts.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        global into
        if into is None:
            return function(*args, **kwargs)
        steps, into = into, None
        try:
            result = function(*args, **kwargs)
        finally:
            into = steps

        def again() -> None:
            written(result, function(*args, **kwargs))

        steps.append(again)
        return result

    return call


def written(result: Any, anew: Any) -> None:
    if isinstance(result, tuple):
        for part, other in zip(result, anew, strict=True):
            written(part, other)
    elif hasattr(result, "_host") and anew is not result and result.base is None:
        result._host[...] = anew._host  # a view shows it already
