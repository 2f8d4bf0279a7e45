"""Word vectors by name: neighbours, analogies, similarities. Knows words and a matrix."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.errors import ShapeError
from tensorgrad.text.evaluation import (
    Statistic,
    evaluate_word_analogies,
    evaluate_word_pairs,
)
from tensorgrad.text.word_files import read_word_vectors, write_word_vectors

Array: TypeAlias = np.ndarray[Any, Any]
Path: TypeAlias = str | os.PathLike[str]
# A word, or a vector in place of one; either may have a weight.
Word: TypeAlias = Any


def unit_rows(vectors: Array) -> Array:
    """Each row divided by its length; rows of zeros stay."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1)[:, None])


class KeyedVectors:
    """Words and their vectors.

    words: different ones, the most frequent first where that is known; vectors: (V, D) floats, a
    row a word; counts (V,): how often each occurred, if known.

    `vectors[word]` is the word's row, `vectors[[first, second]]` a matrix of rows, and
    `word in vectors` says whether it is known. The names are gensim's.
    """

    def __init__(
        self, words: Sequence[str], vectors: Any, counts: Sequence[int] | Array | None = None
    ) -> None:
        vectors = np.asarray(vectors)
        if vectors.ndim != 2 or len(vectors) != len(words) or vectors.dtype.kind != "f":
            raise ShapeError(
                f"KeyedVectors: expected floats of shape ({len(words)}, D) for {len(words)} words, "
                f"got {vectors.dtype} of shape {list(vectors.shape)}"
            )
        if counts is not None and len(counts) != len(words):
            raise ShapeError(f"KeyedVectors: expected {len(words)} counts, got {len(counts)}")
        self.vectors = vectors
        self.index_to_key = list(words)
        self.key_to_index = {word: place for place, word in enumerate(self.index_to_key)}
        if len(self.key_to_index) != len(words):
            raise ValueError(
                "KeyedVectors: expected words that differ, got one that is there twice"
            )
        self.counts = None if counts is None else np.asarray(counts, np.int64)
        self._unit: tuple[Array, Array] | None = (
            None  # rows of length 1, and what they were made of
        )

    @property
    def vector_size(self) -> int:
        """D."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, word: object) -> bool:
        return word in self.key_to_index

    def __getitem__(self, words: str | Sequence[str]) -> Array:
        if isinstance(words, str):
            return self.get_vector(words)
        return np.stack([self.get_vector(word) for word in words])

    def __repr__(self) -> str:
        return f"KeyedVectors({len(self)} words, {self.vector_size} numbers each)"

    def get_index(self, word: str) -> int:
        """The row of a word. Raises KeyError if it is not known."""
        place = self.key_to_index.get(word)
        if place is None:
            raise KeyError(f"KeyedVectors: expected a known word, got {word!r}")
        return place

    def get_vector(self, word: str, norm: bool = False) -> Array:
        """The vector of a word (D,), with `norm` of length 1."""
        vector: Array = self.vectors[self.get_index(word)]
        return unit_rows(vector[None])[0] if norm else vector

    def get_count(self, word: str) -> int:
        """How often the word occurred."""
        if self.counts is None:
            raise ValueError("KeyedVectors: expected counts of words, got vectors without them")
        return int(self.counts[self.get_index(word)])

    # ---- alike

    def unit_vectors(self) -> Array:
        """All vectors divided by their lengths (V, D), computed once; after a change of `vectors`
        in place call `refresh`.
        """
        if self._unit is None or self._unit[1] is not self.vectors:
            self._unit = unit_rows(self.vectors), self.vectors
        return self._unit[0]

    def refresh(self) -> None:
        """Forget what was computed from `vectors`."""
        self._unit = None

    def similarity(self, first: str, second: str) -> float:
        """The cosine of two words' vectors."""
        return float(self.get_vector(first, norm=True) @ self.get_vector(second, norm=True))

    def distance(self, first: str, second: str) -> float:
        """1 - similarity."""
        return 1 - self.similarity(first, second)

    def n_similarity(self, first: Sequence[str], second: Sequence[str]) -> float:
        """The cosine of the mean vectors of two lists of words."""
        if not first or not second:
            raise ValueError("n_similarity: expected two lists with words, got an empty one")
        means = unit_rows(np.stack([self[list(first)].mean(0), self[list(second)].mean(0)]))
        return float(means[0] @ means[1])

    def most_similar(
        self,
        positive: Word | Sequence[Word] = (),
        negative: Word | Sequence[Word] = (),
        topn: int = 10,
        restrict_vocab: int | None = None,
    ) -> list[tuple[str, float]]:
        """The `topn` words nearest to the mean of the unit vectors of `positive` less `negative`,
        and their cosines; those that were given are left out.

        Given may be words, vectors (D,), and pairs of either with a weight. Of the first
        `restrict_vocab` words only, if given. king - man + woman:
        `most_similar(positive=["king", "woman"], negative=["man"])`. Mikolov et al. 2013.
        """
        if topn < 1:
            raise ValueError(f"most_similar: expected topn of at least 1, got {topn}")
        mean, given = self._mean(_listed(positive), _listed(negative))
        unit = self.unit_vectors()[:restrict_vocab]
        return self._nearest(unit @ mean, topn, given)

    def similar_by_word(self, word: str, topn: int = 10) -> list[tuple[str, float]]:
        """The words nearest to a word."""
        return self.most_similar(word, topn=topn)

    def similar_by_vector(self, vector: Any, topn: int = 10) -> list[tuple[str, float]]:
        """The words nearest to a vector (D,)."""
        return self.most_similar([np.asarray(vector)], topn=topn)

    def doesnt_match(self, words: Iterable[str]) -> str:
        """Of some words the one farthest from the mean of all. Unknown ones are passed over."""
        known = [word for word in words if word in self]
        if not known:
            raise ValueError("doesnt_match: expected at least one known word, got none")
        unit = unit_rows(self[known])
        return known[int(np.argmin(unit @ unit.mean(0)))]

    def _mean(self, positive: list[Word], negative: list[Word]) -> tuple[Array, set[int]]:
        if not positive and not negative:
            raise ValueError("most_similar: expected at least one word, got none")
        total, given = np.zeros(self.vector_size, self.vectors.dtype), set()
        for sign, words in ((1.0, positive), (-1.0, negative)):
            for word in words:
                weight = sign
                if isinstance(word, tuple):
                    word, share = word
                    weight *= share
                if isinstance(word, str):
                    if word in self.key_to_index:
                        given.add(self.get_index(word))
                    vector = self.get_vector(word, norm=True)
                else:
                    vector = np.asarray(word)
                    if vector.shape != total.shape:
                        raise ShapeError(
                            "most_similar: expected words or vectors of shape "
                            f"{list(total.shape)}, got {list(vector.shape)}"
                        )
                    vector = unit_rows(vector[None])[0]
                total += weight * vector
        return unit_rows(total[None])[0], given

    def _nearest(self, scores: Array, topn: int, given: set[int]) -> list[tuple[str, float]]:
        wanted = min(len(scores), topn + len(given))
        best = np.argpartition(-scores, wanted - 1)[:wanted] if wanted else np.empty(0, np.intp)
        # Equal scores in the order of the words, whatever the partition did to them.
        order = best[np.lexsort((best, -scores[best]))]
        kept = [place for place in order.tolist() if place not in given]
        return [(self.index_to_key[place], float(scores[place])) for place in kept[:topn]]

    # ---- how good they are

    def evaluate_word_pairs(
        self,
        pairs: Path,
        delimiter: str = "\t",
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
    ) -> tuple[Statistic, Statistic, float]:
        """See `tensorgrad.text.evaluation`: Pearson's and Spearman's correlations, each with its
        p-value, with what people said of pairs of words, and the percentage that was left out.
        """
        return evaluate_word_pairs(self, pairs, delimiter, restrict_vocab, case_insensitive)

    def evaluate_word_analogies(
        self,
        analogies: Path,
        restrict_vocab: int | None = 300_000,
        case_insensitive: bool = True,
        dummy4unknown: bool = False,
    ) -> tuple[float, list[dict[str, Any]]]:
        """See `tensorgrad.text.evaluation`: the share of analogies that is right, and of each
        section which are.
        """
        return evaluate_word_analogies(
            self, analogies, restrict_vocab, case_insensitive, dummy4unknown
        )

    # ---- files

    def save_word2vec_format(self, path: Path, binary: bool = False) -> None:
        """Write the file that the first word2vec program wrote, which gensim and others read: a
        line with V and D, and for each word its name and its numbers, as decimals or in 4 bytes
        each.
        """
        write_word_vectors(path, self.index_to_key, self.vectors, binary)

    @classmethod
    def load_word2vec_format(
        cls,
        path: Path,
        binary: bool = False,
        limit: int | None = None,
        encoding: str = "utf8",
        unicode_errors: str = "strict",
    ) -> KeyedVectors:
        """Read such a file, its first `limit` words at most. Raises SerializationError, naming the
        word, for one that is cut, of another kind, or has bytes that are not text of `encoding`;
        `unicode_errors="replace"` reads those.
        """
        return cls(*read_word_vectors(path, binary, limit, encoding, unicode_errors))


def _listed(words: Word | Sequence[Word]) -> list[Word]:
    """A word alone, or a vector alone, as a list of one."""
    one = isinstance(words, str) or (isinstance(words, np.ndarray) and words.ndim == 1)
    return [words] if one else list(words)
