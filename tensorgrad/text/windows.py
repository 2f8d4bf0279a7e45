"""Words and the words around them, as arrays: what models of words in their windows learn from.
Knows word numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def windows(tokens: Any, bounds: Any, window: int, fill: int = -1) -> Array:
    """The words around each word of some sentences: (words, 2 * window), those before it first,
    from far to near, then those behind it; `fill` where its sentence has none.

    tokens: the words' numbers, one sentence after another; bounds (sentences + 1): where they begin
    and end.
    """
    tokens, bounds = np.asarray(tokens), np.asarray(bounds)
    if window < 1:
        raise ValueError(f"windows: expected a window of at least 1, got {window}")
    rising = len(bounds) and bounds[0] == 0 and (np.diff(bounds) >= 0).all()
    if not rising or bounds[-1] != len(tokens):
        raise ValueError(
            f"windows: expected bounds that rise from 0 to {len(tokens)}, got {bounds}"
        )
    lengths = np.diff(bounds)
    first, last = (np.repeat(ends, lengths)[:, None] for ends in (bounds[:-1], bounds[1:]))
    steps = np.array([*range(-window, 0), *range(1, window + 1)])
    places = np.arange(len(tokens))[:, None] + steps
    inside = (places >= first) & (places < last)
    return np.where(inside, tokens[np.where(inside, places, 0)] if len(tokens) else fill, fill)


def pairs(tokens: Any, bounds: Any, window: int) -> tuple[Array, Array]:
    """Each word with each word around it, for skip-gram: (the words, the others), one a pair."""
    around = windows(tokens, bounds, window)
    row, column = np.nonzero(around >= 0)
    return np.asarray(tokens)[row], around[row, column]
