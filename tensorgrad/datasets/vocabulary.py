"""From text to integer ids and back. Knows strings and NumPy, neither files nor models."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

_WORDS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*|\d+")
_WORDS_AND_MARKS = re.compile(_WORDS.pattern + r"|[.,;:!?]")


def tokenize(text: str, punctuation: bool = True) -> list[str]:
    """Split `text` into lower-case words, numbers and, with `punctuation`, the marks `. , ; : ! ?`.

    An apostrophe inside a word belongs to it ("o'er"); every other character only separates.
    """
    pattern = _WORDS_AND_MARKS if punctuation else _WORDS
    return pattern.findall(text.lower())


class Vocabulary:
    """Ids for the distinct tokens of a corpus, the most frequent first, ties in token order.

    Args:
        tokens: the corpus: words, or a `str` for one token a character.
        max_size: keep at most this many tokens, the unknown one included; None keeps all.
        min_freq: leave out tokens seen fewer times than this.
        unknown: the token, with id 0, that stands for all that are left out. With None there is
            no such token.

    Attributes:
        tokens: list of str, the token of each id.
        ids: dict, the id of each token.
        counts: int64 of shape (len(vocabulary),), how often each occurred.
        total: the length of the corpus, with the tokens that were left out.

    Raises:
        ValueError: `max_size` or `min_freq` is below 1.
    """

    def __init__(
        self,
        tokens: Iterable[str],
        *,
        max_size: int | None = None,
        min_freq: int = 1,
        unknown: str | None = "<unk>",
    ) -> None:
        if min_freq < 1:
            raise ValueError(f"Vocabulary: expected min_freq of at least 1, got {min_freq}")
        if max_size is not None and max_size < 1:
            raise ValueError(f"Vocabulary: expected max_size of at least 1, got {max_size}")
        frequency = Counter(tokens)
        self.total = frequency.total()
        if unknown is not None:
            frequency.pop(unknown, None)
        kept = sorted(
            ((token, n) for token, n in frequency.items() if n >= min_freq),
            key=lambda item: (-item[1], item[0]),
        )
        if max_size is not None:
            kept = kept[: max_size - (unknown is not None)]
        if unknown is not None:
            kept.insert(0, (unknown, self.total - sum(n for _, n in kept)))
        self._hold([token for token, _ in kept], [n for _, n in kept], unknown)

    def _hold(self, tokens: list[str], counts: Any, unknown: str | None) -> None:
        self.tokens = tokens
        self.counts = np.array(counts, dtype=np.int64)
        self.unknown = unknown
        self.ids = {token: i for i, token in enumerate(tokens)}

    @classmethod
    def of_counts(
        cls, tokens: Iterable[str], counts: Iterable[int], *, unknown: str | None = None
    ) -> "Vocabulary":
        """A vocabulary of these tokens in this order, as one that was written down.

        Raises:
            ValueError: not as many counts as tokens, a token that is there twice, or `unknown` that
                is not the first.
        """
        vocabulary = cls.__new__(cls)
        vocabulary._hold(list(tokens), list(counts), unknown)
        size = len(vocabulary.tokens)
        if not size == len(vocabulary.counts) == len(vocabulary.ids):
            raise ValueError(
                f"Vocabulary: expected a count for each of {size} different tokens, got "
                f"{len(vocabulary.counts)} counts and {len(vocabulary.ids)} different tokens"
            )
        if unknown is not None and vocabulary.ids.get(unknown) != 0:
            raise ValueError(f"Vocabulary: expected {unknown!r} to be the first token")
        vocabulary.total = int(vocabulary.counts.sum())
        return vocabulary

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.ids

    def encode(self, tokens: Iterable[str]) -> np.ndarray[Any, Any]:
        """The ids of `tokens`, int64 of shape (number of tokens,).

        Raises:
            ValueError: a token is not in the vocabulary, and the vocabulary has no unknown token.
        """
        ids = self.ids
        if self.unknown is not None:
            return np.array([ids.get(token, 0) for token in tokens], dtype=np.int64)
        try:
            return np.array([ids[token] for token in tokens], dtype=np.int64)
        except KeyError as error:
            message = f"encode: expected tokens of the vocabulary, got {error.args[0]!r}"
            raise ValueError(message) from None

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The tokens of `ids`, any iterable of integers.

        Raises:
            IndexError: an id is negative or not below `len(vocabulary)`.
        """
        tokens = []
        for index in ids:
            if not 0 <= index < len(self.tokens):
                raise IndexError(
                    f"decode: expected ids in [0, {len(self.tokens)}), got {int(index)}"
                )
            tokens.append(self.tokens[index])
        return tokens
