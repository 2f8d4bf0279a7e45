"""FastText: Word2Vec in which a word is the mean of its own vector and those of its character
n-grams. Knows what Word2Vec knows.
"""

from __future__ import annotations

from typing import Any

from tensorgrad.datasets.vocabulary import Vocabulary
from tensorgrad.text.subwords import Subwords, SubwordVectors
from tensorgrad.text.word2vec import Array, Sentences, Word2Vec


class FastText(Word2Vec):
    """Vectors of words and of the n-grams in them, so that `wv[word]` is there for words that never
    occurred. Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606.

    min_n, max_n: characters of an n-gram, of "<word>" with its brackets. bucket: into how many
    numbers n-grams are hashed; those that no word of the text falls into take no memory. The other
    arguments are Word2Vec's. The rate of learning goes whole to each vector of a mean: `alpha` is
    half of what Word2Vec is best with, or less.
    """

    OPTIONS = (*Word2Vec.OPTIONS, "min_n", "max_n", "bucket")

    def __init__(
        self,
        sentences: Sentences | None = None,
        *,
        min_n: int = 3,
        max_n: int = 6,
        bucket: int = 2_000_000,
        **options: Any,
    ) -> None:
        for name, value in {"min_n": min_n, "max_n": max_n, "bucket": bucket}.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"FastText: expected {name} of at least 1, got {value!r}")
        if min_n > max_n:
            raise ValueError(f"FastText: expected min_n <= max_n, got {min_n} and {max_n}")
        self.min_n, self.max_n, self.bucket = min_n, max_n, bucket
        super().__init__(sentences, **options)

    def _rows(self, vocabulary: Vocabulary) -> int:
        self._subwords = Subwords(vocabulary.tokens, self.min_n, self.max_n, self.bucket)
        self._bags = self._subwords.bags
        return self._subwords.count

    def _named(self, vocabulary: Vocabulary, table: Array) -> SubwordVectors:
        return SubwordVectors(vocabulary.tokens, table, self._subwords, vocabulary.counts)
