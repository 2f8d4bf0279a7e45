"""Words that belong together, found by counts and joined: new_york. Knows sentences.

Mikolov et al. 2013, "Distributed Representations of Words and Phrases and their Compositionality",
section 4. Names and defaults are gensim's.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tensorgrad.text.sentences import checked_sentence


class Phrases:
    """Pairs of neighbours that are joined: those that occur `min_count` times, and whose

        (count of the pair - min_count) * words in the vocabulary / (count of one * count of other)

    is larger than `threshold`.

    sentences: lists of words. `phrases[sentence]` joins a sentence's pairs by `delimiter`, from the
    left; `phrases.joined(sentences)` those of many, read anew whenever it is iterated. For phrases
    of three and four words make another of the joined sentences.
    """

    def __init__(
        self,
        sentences: Iterable[Sequence[str]],
        min_count: int = 5,
        threshold: float = 10.0,
        delimiter: str = "_",
    ) -> None:
        if min_count < 1 or not threshold > 0:
            raise ValueError(
                f"Phrases: expected min_count of at least 1 and threshold > 0, got {min_count} and "
                f"{threshold}"
            )
        self.delimiter = delimiter
        words: Counter[str] = Counter()
        together: Counter[tuple[str, str]] = Counter()
        for sentence in sentences:
            checked_sentence("Phrases", sentence)
            words.update(sentence)
            together.update(itertools.pairwise(sentence))
        self.scores: dict[tuple[str, str], float] = {}
        for (first, second), count in together.items():
            if count >= min_count:
                score = (count - min_count) * len(words) / (words[first] * words[second])
                if score > threshold:
                    self.scores[first, second] = score

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, sentence: Sequence[str]) -> list[str]:
        words, place, found = list(checked_sentence("Phrases", sentence)), 0, []
        while place < len(words):
            if tuple(words[place : place + 2]) in self.scores:
                found.append(self.delimiter.join(words[place : place + 2]))
                place += 2
            else:
                found.append(words[place])
                place += 1
        return found

    def joined(self, sentences: Iterable[Sequence[str]]) -> Joined:
        """The sentences with their pairs joined."""
        return Joined(self, sentences)


class Joined:
    """Sentences with the pairs of some phrases joined, as often as they are iterated."""

    def __init__(self, phrases: Phrases, sentences: Iterable[Any]) -> None:
        self.phrases, self.sentences = phrases, sentences

    def __iter__(self) -> Iterator[list[str]]:
        for sentence in self.sentences:
            yield self.phrases[sentence]
