"""Language models by counting n-grams: modified Kneser-Ney, interpolated. Knows tokens and NumPy.

Kneser and Ney 1995; Chen and Goodman 1999, "An empirical study of smoothing techniques for language
modeling".
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tensorgrad.datasets.vocabulary import Vocabulary
from tensorgrad.text.sentences import checked_sentence

Array = np.ndarray[Any, Any]
Tokens = Sequence[str]
DISCOUNTS = (0.5, 1.0, 1.5)  # where too few n-grams are rare to estimate them


class _Level:
    """The n-grams of one length n: `keys` (G,), increasing, of each n-gram the number of its first
    n - 1 tokens' n-gram times V, plus its last token; by its number `amounts` (G,), what is left of
    its count after the discount; and by the number of a context of n - 1 tokens `totals`, the sum
    of counts behind it, and `left`, the share of that sum that the discounts took.
    """

    def __init__(self, keys: Array, counts: Array, symbols: int, contexts: int) -> None:
        self.keys, before = keys, keys // symbols
        discounts = np.array([0.0, *_discounts(counts)])[np.minimum(counts, 3)]
        self.amounts = counts - discounts
        self.totals = np.bincount(before, counts, contexts)
        taken = np.bincount(before, discounts, contexts)
        self.left = np.divide(taken, self.totals, out=np.ones(contexts), where=self.totals > 0)

    def find(self, keys: Array) -> Array:
        """The numbers of n-grams by key, -1 for those that are not there."""
        if not len(self.keys):
            return np.full(keys.shape, -1)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, places, -1)


class KneserNey:
    """P(token | the n - 1 tokens before it) from counts of n-grams.

    P_n(w | h) = (c(h w) - D(c(h w))) / sum_v c(h v) + left(h) P_(n-1)(w | h without its first
    token), where left(h) is the share of the sum that the discounts D took, and P_0 = 1 / V. For
    the longest n-grams, and those at a sentence's beginning, c is how often they occurred; for the
    others, in how many different tokens' company to the left they did. D is D1, D2 or D3 for counts
    of 1, 2, and 3 or more, each length's own, from how many counts are 1 to 4. A context that was
    never seen is passed over.

    sentences: lists of tokens, or strings for their characters; read twice where `min_freq` is
    above 1. order: n. min_freq: tokens that are rarer are counted as `unknown`, which stands for
    every token that is not known; sentences end with `end`.

    vocabulary: all tokens that have a probability: `unknown`, `end` and those that were seen.

    Raises:
        ValueError: no token in the sentences; an order below 1; `unknown` or `end` among the
            tokens of a sentence.
        TypeError: a sentence that is not an iterable of tokens.
    """

    unknown = "<unk>"
    end = "</s>"

    def __init__(self, sentences: Iterable[Tokens], order: int = 3, min_freq: int = 1) -> None:
        if not isinstance(order, int) or order < 1:
            raise ValueError(f"KneserNey: expected an order of at least 1, got {order!r}")
        self.order = order
        some = [list(sentence) for sentence in sentences if self._checked(sentence)]
        words = Vocabulary(itertools.chain.from_iterable(some), min_freq=min_freq, unknown=None)
        if not words.total:
            raise ValueError("KneserNey: expected sentences with tokens, got none")
        if self.end in words or self.unknown in words:
            raise ValueError(
                f"KneserNey: expected sentences without {self.unknown} and {self.end}, got one of "
                "them as a token"
            )
        counts = [words.total - int(words.counts.sum()), len(some), *words.counts.tolist()]
        tokens = [self.unknown, self.end, *words.tokens]
        self.vocabulary = Vocabulary.of_counts(tokens, counts, unknown=self.unknown)
        self._symbols = len(tokens) + 1  # the last one stands before each sentence
        self._count(self._stream(some))

    def __len__(self) -> int:
        """The number of different n-grams of all lengths."""
        return sum(len(level.keys) for level in self._levels)

    def __repr__(self) -> str:
        tokens = len(self.vocabulary)
        return f"KneserNey(order={self.order}, {tokens} tokens, {len(self)} n-grams)"

    def _checked(self, sentence: Any) -> bool:
        return isinstance(sentence, str) or checked_sentence("KneserNey", sentence) is not None

    def _stream(self, sentences: Iterable[Tokens]) -> Array:
        """All sentences in a row, each behind the symbol that begins it."""
        ids, begin = self.vocabulary.ids, self._symbols - 1
        parts: list[int] = []
        for sentence in sentences:
            parts.append(begin)
            parts += (ids.get(token, 0) for token in sentence)
            parts.append(1)
        return np.array(parts, np.int64)

    def _count(self, stream: Array) -> None:
        symbols, said = self._symbols, stream != self._symbols - 1
        # Of each place the number of the n-gram that ends there, by n: -1 where there is none.
        ends, firsts, numbers = [stream], [], [np.arange(symbols)]
        for _ in range(1, self.order):
            before = np.concatenate([[-1], ends[-1][:-1]])
            there = np.flatnonzero(said & (before >= 0))
            keys, first, number = np.unique(
                before[there] * symbols + stream[there], return_index=True, return_inverse=True
            )
            ends.append(np.full(len(stream), -1))
            ends[-1][there] = number
            firsts.append(there[first])
            numbers.append(keys)
        self._levels = []
        for n, keys in enumerate(numbers, 1):
            at = ends[n - 1]
            counts = np.bincount(at[said & (at >= 0)], minlength=len(keys))
            if n < self.order:
                # Each longer n-gram is one company of its part without the first token.
                company = np.bincount(at[firsts[n - 1]], minlength=len(keys))
                counts = np.where(company > 0, company, counts)
            contexts = 1 if n == 1 else len(numbers[n - 2])
            self._levels.append(_Level(keys, counts, symbols, contexts))

    # ---- probabilities

    def token_log_probs(self, sentence: Tokens) -> Array:
        """log P of each token of a sentence, and of its end: (len(sentence) + 1,), in nats."""
        self._checked(sentence)
        return self._log_probs(self._stream([sentence]))

    def _log_probs(self, stream: Array) -> Array:
        said = stream != self._symbols - 1
        shares = np.full(len(stream), 1 / len(self.vocabulary))
        at = np.zeros(len(stream), np.int64)  # the context's number, which no tokens have too
        for n, level in enumerate(self._levels, 1):
            seen = said & (at >= 0)
            context = np.where(seen, at, 0)
            totals = level.totals[context]
            seen &= totals > 0
            found = level.find(context * self._symbols + stream)
            amounts = np.where(found >= 0, level.amounts[found], 0.0)
            own = np.divide(amounts, totals, out=np.zeros(len(stream)), where=seen)
            shares = np.where(seen, own + level.left[context] * shares, shares)
            ends = stream if n == 1 else np.where((at >= 0) & said, found, -1)
            at = np.concatenate([[-1], ends[:-1]])
        return np.asarray(np.log(shares[said]))

    def log_prob(self, sentence: Tokens) -> float:
        """log P(sentence), its end included, in nats."""
        return float(self.token_log_probs(sentence).sum())

    def loss(self, sentences: Iterable[Tokens]) -> float:
        """The mean of -log P over all tokens of the sentences and their ends, in nats.

        Raises:
            ValueError: no sentences.
        """
        stream = self._stream(sentence for sentence in sentences if self._checked(sentence))
        if not len(stream):
            raise ValueError("loss: expected sentences, got none")
        return float(-self._log_probs(stream).mean())

    def perplexity(self, sentences: Iterable[Tokens]) -> float:
        """exp of `loss`."""
        return float(np.exp(self.loss(sentences)))

    def probabilities(self, context: Tokens, beginning: bool = True) -> Array:
        """P of each token of the vocabulary after the context, (V,). beginning: the context begins
        its sentence; else more was said before it.
        """
        self._checked(context)
        stream = self._stream([context])[:-1][0 if beginning else 1 :]
        size, symbols = len(self.vocabulary), self._symbols
        shares = np.full(size, 1 / size)
        for n, level in enumerate(self._levels, 1):
            number = self._context(stream[len(stream) - n + 1 :]) if len(stream) >= n - 1 else -1
            if number < 0 or not level.totals[number]:
                break  # what is unknown here has no longer contexts either
            low, high = np.searchsorted(level.keys, [number * symbols, (number + 1) * symbols])
            shares = shares * level.left[number]
            told = level.keys[low:high] - number * symbols
            known = told < size
            shares[told[known]] += level.amounts[low:high][known] / level.totals[number]
        return shares

    def _context(self, tokens: Array) -> int:
        """The number of an n-gram, of none 0, of one that was not seen -1."""
        number = 0
        for level, token in zip(self._levels, tokens):
            number = int(level.find(np.array(number * self._symbols + token)))
            if number < 0:
                break
        return number


def _discounts(counts: Array) -> tuple[float, float, float]:
    """What is taken off counts of 1, 2, and more, by which held-out counts are best foretold."""
    once, twice, thrice, more = (int((counts == n).sum()) for n in (1, 2, 3, 4))
    if not (once and twice and thrice and more):
        return DISCOUNTS
    share = once / (once + 2 * twice)
    found = (
        1 - 2 * share * twice / once,
        2 - 3 * share * thrice / twice,
        3 - 4 * share * more / thrice,
    )
    return found if all(0 < taken < n for n, taken in enumerate(found, 1)) else DISCOUNTS
