"""GloVe: vectors whose products are the logarithms of how often words meet. Made of the library's
embeddings with sparse gradients and of its Adagrad. Pennington et al. 2014,
https://aclanthology.org/D14-1162.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tensorgrad.datasets.vocabulary import Vocabulary
from tensorgrad.nn.embedding import Embedding
from tensorgrad.nn.module import Module
from tensorgrad.ops.creation import tensor
from tensorgrad.ops.reduction import sum
from tensorgrad.optim import Adagrad
from tensorgrad.random import Generator
from tensorgrad.text.counts import cooccurrences
from tensorgrad.text.keyed_vectors import KeyedVectors
from tensorgrad.text.sentences import checked_sentence, checked_sentences


class _Products(Module):
    """w_i . c_j + b_i + d_j of pairs of words."""

    def __init__(self, words: int, size: int, seed: int) -> None:
        super().__init__()
        generator = Generator()
        generator.manual_seed(seed)
        self.words, self.contexts = (Embedding(words, size, sparse=True) for _ in range(2))
        self.word_biases, self.context_biases = (Embedding(words, 1, sparse=True) for _ in range(2))
        for table in (self.words, self.contexts, self.word_biases, self.context_biases):
            width = 0.5 / table.embedding_dim
            table.weight.detach().uniform_(-width, width, generator=generator)

    def forward(self, rows: Any, columns: Any) -> Any:
        products = sum(self.words(rows) * self.contexts(columns), 1)
        return products + sum(self.word_biases(rows) + self.context_biases(columns), 1)


class GloVe:
    """Vectors of words from counts of how often they meet.

    Minimises, over the pairs of words i, j that meet X_ij > 0 times,

        f(X_ij) (w_i . c_j + b_i + d_j - log X_ij)^2,  f(X) = min(1, X / x_max)^power

    sentences: lists of words, read twice: to count words and to count pairs, a pair at distance d
    for 1 / d. vector_size: numbers of w and of c. window, min_count: as Word2Vec's. learning_rate:
    Adagrad's. batch_size: pairs a step. Without sentences call `fit` with counts.

    wv: w + c, as `KeyedVectors`; losses: of each epoch the mean over the pairs.
    """

    wv: KeyedVectors

    def __init__(
        self,
        sentences: Iterable[Iterable[str]] | None = None,
        vector_size: int = 100,
        window: int = 10,
        min_count: int = 5,
        x_max: float = 100.0,
        power: float = 0.75,
        learning_rate: float = 0.05,
        epochs: int = 15,
        batch_size: int = 8192,
        seed: int = 1,
    ) -> None:
        least = {"vector_size": vector_size, "epochs": epochs, "batch_size": batch_size}
        for name, value in least.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"GloVe: expected {name} of at least 1, got {value!r}")
        if not x_max > 0:
            raise ValueError(f"GloVe: expected x_max > 0, got {x_max!r}")
        self.vector_size, self.window, self.min_count = vector_size, window, min_count
        self.x_max, self.power, self.learning_rate = x_max, power, learning_rate
        self.epochs, self.batch_size, self.seed = epochs, batch_size, seed
        self.losses: list[float] = []
        if sentences is not None:
            checked_sentences("GloVe", sentences)
            words = itertools.chain.from_iterable(
                checked_sentence("GloVe", sentence) for sentence in sentences
            )
            vocabulary = Vocabulary(words, min_freq=min_count, unknown=None)
            self.fit(cooccurrences(sentences, vocabulary, window, "harmonic"), vocabulary)

    def fit(
        self,
        counts: Any,
        vocabulary: Vocabulary,
        progress: Callable[[int], object] | None = None,
    ) -> list[float]:
        """Learn from counts (V, V), scipy.sparse, for the words of the vocabulary; the losses.

        progress: called with the pairs that were learnt from since it was called last.
        """
        pairs = counts.tocoo()
        if pairs.shape != (len(vocabulary), len(vocabulary)):
            raise ValueError(
                f"GloVe: expected counts of shape ({len(vocabulary)}, {len(vocabulary)}), got "
                f"{pairs.shape}"
            )
        if not pairs.nnz or not pairs.data.min() > 0:
            raise ValueError("GloVe: expected counts > 0, got none or others")
        rows, columns = pairs.row.astype(np.int64), pairs.col.astype(np.int64)
        logarithms = np.log(pairs.data).astype(np.float32)
        shares = (np.minimum(1, pairs.data / self.x_max) ** self.power).astype(np.float32)
        model = _Products(len(vocabulary), self.vector_size, self.seed)
        optimizer = Adagrad(model.parameters(), lr=self.learning_rate)
        random = np.random.default_rng(self.seed)
        self.losses = []
        for _ in range(self.epochs):
            total = 0.0
            order = random.permutation(pairs.nnz)
            for start in range(0, pairs.nnz, self.batch_size):
                some = order[start : start + self.batch_size]
                optimizer.zero_grad()
                missed = model(tensor(rows[some]), tensor(columns[some])) - tensor(logarithms[some])
                loss = sum(tensor(shares[some]) * missed * missed)
                loss.backward()
                optimizer.step()
                total += loss.item()
                if progress is not None:
                    progress(len(some))
            self.losses.append(total / pairs.nnz)
        vectors = (model.words.weight + model.contexts.weight).detach().cpu().numpy()
        self.wv = KeyedVectors(vocabulary.tokens, vectors, vocabulary.counts)
        return self.losses
