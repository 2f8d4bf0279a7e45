"""How far one sequence is from another. Knows elements that can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["edit_distance"]


def edit_distance(seq1: Sequence[Any], seq2: Sequence[Any]) -> int:
    """The fewest elements that must be inserted, left out or replaced to make one of the other.

    The distances d[i, j] of beginnings of i and j elements follow from shorter ones: d[i, j] is the
    least of d[i - 1, j] + 1, d[i, j - 1] + 1, and d[i - 1, j - 1], + 1 if the last two differ.
    Divided by the elements that were to be said it is the error rate of words or of characters.
    Levenshtein 1966; as torchaudio.functional.edit_distance.
    """
    above = list(range(len(seq2) + 1))
    for row, one in enumerate(seq1, 1):
        here = [row]
        for column, other in enumerate(seq2, 1):
            changed = above[column - 1] + bool(one != other)
            here.append(min(above[column] + 1, here[-1] + 1, changed))
        above = here
    return above[-1]
