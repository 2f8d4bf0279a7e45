"""What word vectors are trained against: words drawn as noise, paths in a tree of words, and which
occurrences are seen at all. Knows counts of words.

Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.nn.word_losses import huffman_paths

Array = np.ndarray[Any, Any]
DRAWN = 1 << 32  # a draw is one of so many numbers


def alias_table(weights: Any) -> Array:
    """A table (V,), int64, from which words are drawn in proportion to weights: a word w of all
    alike, and if a second draw below DRAWN is not below the upper half of entry w, the word in its
    lower half in place of w. Walker 1977; Vose 1991.
    """
    shares = np.array(weights, np.float64)
    shares *= shares.size / shares.sum()
    scaled = shares.tolist()
    table = list(range(len(scaled)))
    small = [word for word, share in enumerate(scaled) if share < 1]
    large = [word for word, share in enumerate(scaled) if share >= 1]
    while small and large:
        poor, rich = small.pop(), large[-1]
        table[poor] = int(scaled[poor] * DRAWN) << 32 | rich
        scaled[rich] -= 1 - scaled[poor]
        if scaled[rich] < 1:
            small.append(large.pop())
    return np.array(table, np.uint64).view(np.int64)


def word_paths(counts: Sequence[int]) -> Array:
    """For each word the inner nodes of the Huffman tree from its root on, and 1 for the branch of
    the smaller count, else 0: (V, longest, 2), int64; -1 behind a path's end.
    """
    found = huffman_paths(list(counts))
    paths = np.full((len(found), max(map(len, found)), 2), -1, np.int64)
    for word, path in enumerate(found):
        paths[word, : len(path)] = [(node, sign > 0) for node, sign in path]
    return paths


def seen_shares(counts: Array, sample: float) -> Array:
    """Of each word the share of its occurrences that are seen, in parts of DRAWN: sqrt(sample / f)
    + sample / f for a word that is the share f of the text, and at most all. sample 0 shows all.
    """
    if not sample:
        return np.full(len(counts), DRAWN, np.int64)
    rare = sample / (counts / counts.sum())
    return np.asarray(np.minimum(1, np.sqrt(rare) + rare) * DRAWN, np.int64)
