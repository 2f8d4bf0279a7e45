"""Words as bags of the character n-grams in them, so that words never seen have vectors too. Knows
strings and tables of rows. Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.text.keyed_vectors import KeyedVectors, unit_rows

Array = np.ndarray[Any, Any]


def ngrams(word: str, min_n: int, max_n: int) -> list[str]:
    """The pieces of "<word>" of min_n to max_n characters, from its beginning on."""
    text = f"<{word}>"
    return [
        text[start : start + size]
        for start in range(len(text))
        for size in range(min_n, min(max_n, len(text) - start) + 1)
        if size > 1 or text[start] not in "<>"
    ]


def bucket_of(ngram: str, buckets: int) -> int:
    """A number below `buckets` from the n-gram's UTF-8 bytes: 32-bit FNV-1a, where a byte counts as
    signed, as in fastText's own program.
    """
    value = 2166136261
    for byte in ngram.encode():
        signed = byte | 0xFFFFFF00 if byte > 127 else byte
        value = (value ^ signed) * 16777619 & 0xFFFFFFFF
    return value % buckets


class Subwords:
    """The rows of a vocabulary's words and n-grams: row w is word w's own; then one for each bucket
    that an n-gram of some word falls into, and none for the others.

    bags: where the bag of each word begins and ends (V + 1), and the rows in them.
    """

    def __init__(self, words: Sequence[str], min_n: int, max_n: int, buckets: int) -> None:
        self.min_n, self.max_n, self.buckets = min_n, max_n, buckets
        self.row_of: dict[int, int] = {}  # of a bucket
        rows: list[int] = []
        ends = [0]
        for place, word in enumerate(words):
            rows.append(place)
            for ngram in ngrams(word, min_n, max_n):
                bucket = bucket_of(ngram, buckets)
                rows.append(self.row_of.setdefault(bucket, len(words) + len(self.row_of)))
            ends.append(len(rows))
        self.bags = np.array(ends, np.int64), np.array(rows, np.int64)
        self.count = len(words) + len(self.row_of)

    def rows(self, word: str) -> list[int]:
        """Of a word without a row of its own those of its n-grams that have one."""
        found = [bucket_of(ngram, self.buckets) for ngram in ngrams(word, self.min_n, self.max_n)]
        return [self.row_of[bucket] for bucket in found if bucket in self.row_of]


class SubwordVectors(KeyedVectors):
    """`KeyedVectors` in which a word that is not known has a vector too, if it shares n-grams with
    known ones: the mean of theirs. table (rows, D): of which a known word's vector is the mean of
    its bag. `len` and `index_to_key` are of the known words; `in` is of both.
    """

    def __init__(
        self, words: Sequence[str], table: Array, subwords: Subwords, counts: Array | None = None
    ) -> None:
        self.table, self.subwords = table, subwords
        super().__init__(words, self._means(), counts)

    def _means(self) -> Array:
        ends, rows = self.subwords.bags
        sums = np.add.reduceat(self.table[rows], ends[:-1])
        return np.asarray(sums / np.diff(ends)[:, None].astype(self.table.dtype))

    def refresh(self) -> None:
        """Compute anew what is made of the table."""
        self.vectors = self._means()
        super().refresh()

    def __contains__(self, word: object) -> bool:
        known = word in self.key_to_index
        return known or (isinstance(word, str) and bool(self.subwords.rows(word)))

    def get_vector(self, word: str, norm: bool = False) -> Array:
        """The vector of a word (D,), known or not. Raises KeyError if no n-gram of it is known."""
        if word in self.key_to_index:
            return super().get_vector(word, norm)
        rows = self.subwords.rows(word)
        if not rows:
            raise KeyError(
                f"SubwordVectors: expected a known word or one with known n-grams, got {word!r}"
            )
        vector: Array = self.table[rows].mean(0)
        return unit_rows(vector[None])[0] if norm else vector
