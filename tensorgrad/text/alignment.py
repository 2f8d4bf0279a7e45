"""Two languages' word vectors brought into one space: a rotation found from pairs of translations,
words looked up through it, and how often the right one is found. Knows vectors by name.

Mikolov, Le and Sutskever 2013, https://arxiv.org/abs/1309.4168; Conneau et al. 2018,
https://arxiv.org/abs/1710.04087.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.datasets.vocabulary import Vocabulary
from tensorgrad.errors import ShapeError
from tensorgrad.text.keyed_vectors import KeyedVectors, unit_rows
from tensorgrad.text.sentences import encoded_chunks

Array: TypeAlias = np.ndarray[Any, Any]
Pairs: TypeAlias = Iterable[tuple[str, str]]

AT_ONCE = 512  # words whose cosines with all others are held
FREQUENT = 5_000  # words of either language that may join the dictionary


def procrustes(source: Any, target: Any) -> Array:
    """The orthogonal matrix W (D, D) with the least ||source W - target||, for two matrices (N, D)
    whose rows belong together: U V^T, where U S V^T = source^T target. Schönemann 1966.
    """
    source, target = np.asarray(source), np.asarray(target)
    if source.ndim != 2 or source.shape != target.shape or not len(source):
        raise ShapeError(
            "procrustes: expected two matrices of one shape with rows, got "
            f"{list(source.shape)} and {list(target.shape)}"
        )
    left, _, right = np.linalg.svd(source.T @ target)
    return np.asarray(left @ right)


class Alignment:
    """Vectors of a source language mapped onto those of a target language.

    source, target: vectors of one size D, the most frequent words first. dictionary: pairs of a
    source word and a target word from which the map is found; those with an unknown word are passed
    over. All vectors are made of length 1, centred and made of length 1 again (Artetxe et al.
    2016), then source vectors are turned by `matrix` (D, D), which `procrustes` finds.

    refinements: so many times pairs that are each other's nearest, of the most frequent 5,000 words
    on either side, join the dictionary, and the matrix is found again.
    neighbours: k of CSLS, which ranks by 2 cos(x, y) - r(x) - r(y), where r is the mean cosine of a
    word with its k nearest in the other language: words that are near to everything lose.

    Raises ValueError for a dictionary without a pair of known words.
    """

    def __init__(
        self,
        source: KeyedVectors,
        target: KeyedVectors,
        dictionary: Pairs,
        refinements: int = 0,
        neighbours: int = 10,
    ) -> None:
        if source.vector_size != target.vector_size:
            raise ShapeError(
                "Alignment: expected vectors of one size, got "
                f"{source.vector_size} and {target.vector_size}"
            )
        if not 1 <= neighbours <= min(len(source), len(target)):
            raise ValueError(
                f"Alignment: expected neighbours from 1 to {min(len(source), len(target))}, got "
                f"{neighbours!r}"
            )
        self.source, self.target, self.neighbours = source, target, neighbours
        pairs = self._known("Alignment", dictionary)
        self._begun, self._aims = (_even(vectors.vectors) for vectors in (source, target))
        self._turn(pairs)
        for _ in range(refinements):
            self._turn(np.unique(np.concatenate([pairs, self._mutual()]), axis=0))

    def _known(self, caller: str, pairs: Pairs) -> Array:
        """The numbers (N, 2) of the words of pairs that both are known."""
        listed = list(pairs)
        places = [
            (self.source.key_to_index[first], self.target.key_to_index[second])
            for first, second in listed
            if first in self.source and second in self.target
        ]
        if not places:
            raise ValueError(
                f"{caller}: expected pairs of a known source word and a known target word, got "
                f"none in {len(listed)} pairs"
            )
        return np.array(places, np.intp)

    def _turn(self, pairs: Array) -> None:
        self.matrix = procrustes(self._begun[pairs[:, 0]], self._aims[pairs[:, 1]])
        self._turned = self._begun @ self.matrix
        self._crowd = _nearness(self._aims, self._turned, self.neighbours)

    def _mutual(self) -> Array:
        """Pairs (N, 2) of frequent words that are each other's nearest by CSLS."""
        turned, aims = self._turned[:FREQUENT], self._aims[:FREQUENT]
        # r of the source word is the same for all its candidates: it decides only this way round.
        own = _nearness(turned, self._aims, self.neighbours)
        there = _best(turned, aims, self._crowd[:FREQUENT], 1)[:, 0]
        back = _best(aims, turned, own, 1)[:, 0]
        places = np.arange(len(turned))
        found = back[there] == places
        return np.stack([places[found], there[found]], 1)

    def vectors(self, words: Sequence[str], translations: Sequence[str]) -> tuple[Array, Array]:
        """Vectors (N, D) of source words and (M, D) of target words, in the one space. Raises
        KeyError for an unknown word.
        """
        return (
            self._turned[[self.source.get_index(word) for word in words]],
            self._aims[[self.target.get_index(word) for word in translations]],
        )

    def translations(
        self, words: Sequence[str], topn: int = 5, csls: bool = True
    ) -> list[list[str]]:
        """Of each word the `topn` nearest target words, by CSLS or else by the cosine. Raises
        KeyError for an unknown word.
        """
        if isinstance(words, str):
            raise TypeError(f"translations: expected a list of words, got {words!r}")
        if not 1 <= topn <= len(self.target):
            raise ValueError(
                f"translations: expected topn from 1 to {len(self.target)}, got {topn!r}"
            )
        places = [self.source.get_index(word) for word in words]
        crowd = self._crowd if csls else np.zeros_like(self._crowd)
        best = _best(self._turned[places], self._aims, crowd, topn)
        return [[self.target.index_to_key[place] for place in row] for row in best.tolist()]

    def precision(
        self, pairs: Pairs, at: Sequence[int] = (1, 5), csls: bool = True
    ) -> dict[int, float]:
        """For each k of `at`: of the source words of pairs of known words, the share for which a
        word that they are paired with is among the k nearest.
        """
        right: dict[int, set[int]] = {}
        for first, second in self._known("precision", pairs).tolist():
            right.setdefault(first, set()).add(second)
        words = [self.source.index_to_key[place] for place in right]
        found = self.translations(words, max(at), csls)
        ranks = []
        for answers, aims in zip(found, right.values(), strict=True):
            hits = [self.target.key_to_index[answer] in aims for answer in answers]
            ranks.append(hits.index(True) if True in hits else len(hits))
        return {k: float(np.mean(np.array(ranks) < k)) for k in at}


def _even(vectors: Array) -> Array:
    unit = unit_rows(vectors)
    return unit_rows(unit - unit.mean(0))


def _nearness(vectors: Array, others: Array, count: int) -> Array:
    """The mean cosine (N,) of each vector with the `count` others that are nearest."""
    means = [
        np.partition(vectors[place : place + AT_ONCE] @ others.T, -count, 1)[:, -count:].mean(1)
        for place in range(0, len(vectors), AT_ONCE)
    ]
    return np.concatenate(means)


def _best(vectors: Array, candidates: Array, crowd: Array, count: int) -> Array:
    """The `count` candidates (N, count) with the largest 2 cos - crowd, the best first."""
    rows = []
    for place in range(0, len(vectors), AT_ONCE):
        scores = 2 * (vectors[place : place + AT_ONCE] @ candidates.T) - crowd
        best = np.argpartition(-scores, count - 1, 1)[:, :count]
        order = np.argsort(-np.take_along_axis(scores, best, 1), 1, kind="stable")
        rows.append(np.take_along_axis(best, order, 1))
    return np.concatenate(rows) if rows else np.empty((0, count), np.intp)


def translation_pairs(
    source: Iterable[Sequence[str]],
    target: Iterable[Sequence[str]],
    source_vocabulary: Vocabulary,
    target_vocabulary: Vocabulary,
    least: float = 0.3,
) -> list[tuple[str, str]]:
    """Pairs of words from sentences and their translations, in the source vocabulary's order: those
    that are each other's best by Dice's coefficient, 2 n(e, f) / (n(e) + n(f)) >= least, where n
    counts the sentences with a word, or with both words on their sides. Dice 1945.

    Raises ValueError where there are more sentences on one side than on the other, or none.
    """
    sides = [
        _presence(sentences, vocabulary)
        for sentences, vocabulary in ((source, source_vocabulary), (target, target_vocabulary))
    ]
    first, second = sides
    if first.shape[0] != second.shape[0] or not first.nnz or not second.nnz:
        raise ValueError(
            "translation_pairs: expected sentences with known words and a translation for each, "
            f"got {first.shape[0]} and {second.shape[0]}"
        )
    both = (first.T @ second).tocoo()
    counts = [np.asarray(side.sum(0), np.float64) for side in sides]
    both.data = 2 * both.data / (counts[0][both.row] + counts[1][both.col])
    score = both.tocsr()
    there, back = (np.asarray(score.argmax(axis)).ravel() for axis in (1, 0))
    largest = score.max(1).toarray().ravel()
    return [
        (source_vocabulary.tokens[place], target_vocabulary.tokens[there[place]])
        for place in np.flatnonzero((back[there] == np.arange(len(there))) & (largest >= least))
    ]


def _presence(sentences: Iterable[Sequence[str]], vocabulary: Vocabulary) -> Any:
    """A sparse matrix (sentences, V): 1 where a sentence has a word."""
    from scipy import sparse

    rows, columns, count = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    for tokens, bounds, _ in encoded_chunks("translation_pairs", sentences, vocabulary):
        length = len(bounds) - 1
        rows.append(np.repeat(np.arange(count, count + length), np.diff(bounds)))
        columns.append(tokens)
        count += length
    places = np.concatenate(rows), np.concatenate(columns)
    found = sparse.csr_array((np.ones(len(places[0])), places), shape=(count, len(vocabulary)))
    found.sum_duplicates()
    found.data[:] = 1
    return found
