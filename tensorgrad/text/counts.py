"""Vectors of words by counting: how often words occur near each other, how much oftener than by
chance, and the few directions in which that varies most. Knows sparse matrices, not files.

Counts are added a few million pairs at a time, as sorted whole numbers (a pair and its distance in
one), and parts of like size are joined, so that a text of n pairs costs O(n log n) time, and memory
for about twice the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.datasets.vocabulary import Vocabulary
from tensorgrad.errors import ShapeError
from tensorgrad.text.sentences import checked_sentences, encoded_chunks

Array: TypeAlias = np.ndarray[Any, Any]
Sparse: TypeAlias = Any  # scipy.sparse.csr_array: imported when first needed

PAIRS = 1 << 22  # that are sorted at once
WEIGHTS: dict[str, Callable[[Array, int], Array]] = {
    "flat": lambda distance, window: np.ones(len(distance)),
    "linear": lambda distance, window: (window + 1 - distance) / window,
    "harmonic": lambda distance, window: 1 / distance,
}


def cooccurrences(
    sentences: Iterable[Iterable[str]],
    vocabulary: Vocabulary,
    window: int = 5,
    weighting: str = "flat",
) -> Sparse:
    """How often each word occurs with each other at most `window` words away in a sentence.

    Returns a symmetric scipy.sparse.csr_array (V, V) of float64, V = len(vocabulary), rows and
    columns in the vocabulary's order. Words outside of it are taken out of the sentences first, as
    Word2Vec does. A pair at distance d counts, by `weighting`: "flat", 1; "linear",
    (window + 1 - d) / window, which is what Word2Vec's drawn windows come to; "harmonic", 1 / d, as
    in GloVe (Pennington et al. 2014).

    Raises ValueError where no two known words are near each other, as in an empty text.
    """
    from scipy import sparse

    if not isinstance(window, int) or window < 1:
        raise ValueError(f"cooccurrences: expected window of at least 1, got {window!r}")
    if weighting not in WEIGHTS:
        raise ValueError(
            f"cooccurrences: expected weighting of {', '.join(WEIGHTS)}, got {weighting!r}"
        )
    weights = WEIGHTS[weighting](np.arange(1, window + 1), window)
    size = len(vocabulary)
    parts: list[Sparse] = []
    checked_sentences("cooccurrences", sentences)
    at_once = max(1, PAIRS // window)
    for tokens, bounds, _ in encoded_chunks("cooccurrences", sentences, vocabulary, at_once):
        parts.append(_following(tokens, bounds, weights, size))
        while len(parts) > 1 and parts[-1].nnz * 2 > parts[-2].nnz:
            parts.append(parts.pop() + parts.pop())
    total = sparse.csr_array((size, size))
    while parts:
        total = parts.pop() + total
    if not total.nnz:
        raise ValueError(
            "cooccurrences: expected sentences with two words of the vocabulary, got none"
        )
    return total + total.T.tocsr()


def _following(tokens: Array, bounds: Array, weights: Array, size: int) -> Sparse:
    """The weights of each word (row) with those after it (column) in the same sentence."""
    from scipy import sparse

    window = len(weights)
    sentence = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    words = tokens.astype(np.int64)
    keys = []
    for distance in range(1, window + 1):
        first, second = words[:-distance], words[distance:]
        same = sentence[:-distance] == sentence[distance:]
        keys.append(((first * size + second) * window + (distance - 1))[same])
    key = np.sort(np.concatenate(keys))
    pair, distance_index = np.divmod(key, window)
    starts = np.flatnonzero(np.diff(pair, prepend=-1))
    values = np.add.reduceat(weights[distance_index], starts) if len(key) else np.zeros(0)
    rows, columns = np.divmod(pair[starts], size)
    ends = np.searchsorted(rows, np.arange(size + 1))
    # Where they can, indices take 4 bytes: half of the memory of a matrix of counts in float32.
    index = np.int32 if len(rows) < 2**31 else np.int64
    return sparse.csr_array((values, columns.astype(index), ends.astype(index)), shape=(size, size))


def ppmi(counts: Sparse, shift: float = 1, smoothing: float = 0.75) -> Sparse:
    """Positive pointwise mutual information of counts (V, C): how much oftener than by chance a
    word and a context meet,

        max(0, log(P(word, context) / (P(word) P(context))) - log(shift)),

    with P(context) in proportion to its count to the power `smoothing`, which keeps rare contexts
    from seeming informative; 1 leaves it. `shift` acts as the number of negative samples does in
    Word2Vec. Levy, Goldberg and Dagan 2015, https://aclanthology.org/Q15-1016.

    Returns a scipy.sparse.csr_array (V, C) without the zeros. Rows without counts stay empty.
    """
    from scipy import sparse

    if not shift > 0:
        raise ValueError(f"ppmi: expected shift above 0, got {shift!r}")
    counts = sparse.csr_array(counts)
    if counts.nnz and not counts.data.min() >= 0:
        raise ValueError(f"ppmi: expected counts of at least 0, got {counts.data.min()}")
    of_words = np.asarray(counts.sum(1), np.float64)
    of_contexts = np.asarray(counts.sum(0), np.float64)
    shares = np.where(of_contexts > 0, of_contexts, 0) ** smoothing
    shares[of_contexts == 0] = 0
    with np.errstate(divide="ignore", invalid="ignore"):
        offset_of_word = np.log(of_words) + np.log(shift)
        offset_of_context = np.log(shares / shares.sum())
        information = np.log(counts.data, dtype=np.float64)
    information -= np.repeat(offset_of_word, np.diff(counts.indptr))
    information -= offset_of_context[counts.indices]
    kept = information > 0
    before = np.concatenate([[0], np.cumsum(kept)])
    indptr = before[counts.indptr].astype(counts.indptr.dtype)
    return sparse.csr_array((information[kept], counts.indices[kept], indptr), shape=counts.shape)


def truncated_svd(matrix: Any, size: int, power: float = 0.5, seed: int = 0) -> Array:
    """Rows (V, size) of U S^power, where U S W^T is the best approximation of rank `size` of a
    matrix (V, C), sparse or dense; columns by falling singular value.

    power: 1 keeps the products of rows; 1/2 and 0 weigh directions more evenly, which helps
    similarities (Levy, Goldberg and Dagan 2015). The largest number of each column is positive, so
    that the result does not hang on the solver's choice of signs. seed: of the solver's start.
    """
    return _leading("truncated_svd", matrix, size, power, seed)


def pca(matrix: Any, size: int, seed: int = 0) -> Array:
    """The first `size` principal components of each row of a matrix (V, C), sparse or dense: its
    coordinates (V, size) along the directions in which the rows vary most about their mean.

    A sparse matrix stays one: its mean is taken off in the products, never from its entries.
    """
    from scipy.sparse.linalg import LinearOperator

    _checked_size("pca", matrix, size)
    mean = np.asarray(matrix.mean(0)).ravel()
    rows = matrix.shape[0]
    ones = np.ones(rows, mean.dtype)
    centred = LinearOperator(
        matrix.shape,
        matvec=lambda vector: matrix @ vector.ravel() - mean @ vector.ravel(),
        rmatvec=lambda vector: matrix.T @ vector.ravel() - mean * (ones @ vector.ravel()),
        matmat=lambda vectors: matrix @ vectors - mean @ vectors,
        rmatmat=lambda vectors: matrix.T @ vectors - np.outer(mean, ones @ vectors),
        dtype=mean.dtype,
    )
    return _leading("pca", centred, size, 1, seed)


def _checked_size(caller: str, matrix: Any, size: int) -> None:
    if len(matrix.shape) != 2:
        raise ShapeError(f"{caller}: expected a matrix (V, C), got shape {list(matrix.shape)}")
    if not isinstance(size, int) or not 1 <= size < min(matrix.shape):
        raise ValueError(
            f"{caller}: expected size of at least 1 and below {min(matrix.shape)} for shape "
            f"{list(matrix.shape)}, got {size!r}"
        )


def _leading(caller: str, matrix: Any, size: int, power: float, seed: int) -> Array:
    from scipy.sparse.linalg import svds

    _checked_size(caller, matrix, size)
    if matrix.dtype.kind != "f":
        matrix = matrix.astype(np.float64)
    start = np.random.default_rng(seed).standard_normal(min(matrix.shape)).astype(matrix.dtype)
    left, values, _ = svds(matrix, size, v0=start, return_singular_vectors="u")
    order = np.argsort(-values, kind="stable")
    left, values = left[:, order], np.maximum(values[order], 0)
    largest = left[np.abs(left).argmax(0), np.arange(size)]
    return np.asarray(left * (np.sign(largest) * values**power))
