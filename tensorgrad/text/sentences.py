"""Sentences, as lists of words: read from files a line at a time, and handed on as arrays of word
numbers a million at a time, so that no text need be in memory whole. Knows files and vocabularies.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.datasets.vocabulary import Vocabulary, tokenize

Array = np.ndarray[Any, Any]
Sentence = Sequence[str]
Chunk = tuple[Array, Array, int]

CHUNK = 1 << 20  # words that are encoded at once
LINE = 1 << 16  # characters of a line that are read at once


def words_of(text: str) -> list[str]:
    """`tokenize` without the marks."""
    return tokenize(text, punctuation=False)


class LineSentences:
    """The lines of a text file as sentences, read anew whenever it is iterated.

    split: makes words of a line; its parts between spaces by `str.split`. A line longer than 65,536
    characters comes in several pieces, cut at a space where there is one, so that a file without
    line ends takes no more memory than another. Empty lines are left out.

    Raises FileNotFoundError, and ValueError for bytes that are not text of `encoding`, with the
    line's number; `errors="replace"` reads those.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        split: Callable[[str], list[str]] = words_of,
        encoding: str = "utf-8",
        errors: str = "strict",
    ) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"LineSentences: expected a text file, got {os.fspath(path)}")
        self.split, self.encoding, self.errors = split, encoding, errors

    def __iter__(self) -> Iterator[list[str]]:
        with self.path.open(encoding=self.encoding, errors=self.errors) as file:
            for piece in self._pieces(file):
                if words := self.split(piece):
                    yield words

    def _pieces(self, file: Any) -> Iterator[str]:
        rest, number = "", 1
        while True:
            try:
                line = file.readline(LINE)
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"LineSentences: expected text in {self.encoding}, got {error} in "
                    f"{self.path.name} after line {number}"
                ) from error
            if not line:
                break
            if line.endswith("\n"):
                number += 1
                yield rest + line
                rest = ""
                continue
            whole, space, begun = (rest + line).rpartition(" ")
            if space and len(whole) >= LINE // 2:
                yield whole
                rest = begun
            else:
                rest = rest + line
                if len(rest) >= LINE:
                    yield rest
                    rest = ""
        if rest:
            yield rest


def checked_sentence(caller: str, sentence: Any) -> Any:
    """A sentence, which must be words and not a text: that would be taken for its letters."""
    if isinstance(sentence, str | bytes) or not isinstance(sentence, Iterable):
        raise TypeError(
            f"{caller}: expected sentences that are lists of words, got {sentence!r:.60}"
        )
    return sentence


def checked_sentences(caller: str, sentences: Any) -> Iterable[Any]:
    """Sentences that can be read more than once."""
    if isinstance(sentences, str | bytes) or not isinstance(sentences, Iterable):
        raise TypeError(
            f"{caller}: expected an iterable of lists of words, got {type(sentences).__name__}"
        )
    if isinstance(sentences, Iterator):
        raise TypeError(
            f"{caller}: expected sentences that can be read once an epoch, as a list or an object "
            f"whose __iter__ begins anew, got a {type(sentences).__name__}, which is read only once"
        )
    return sentences


def all_words(caller: str, sentences: Iterable[Any]) -> Iterator[str]:
    """The words of all sentences."""
    return itertools.chain.from_iterable(
        checked_sentence(caller, sentence) for sentence in sentences
    )


def encoded_chunks(
    caller: str, sentences: Iterable[Any], vocabulary: Vocabulary, size: int = CHUNK
) -> Iterator[Chunk]:
    """Sentences in arrays of about `size` words: the numbers of the known words (int32), where
    sentences begin and end among them (int64), and how many words were read.
    """
    some: list[Any] = []
    read = 0
    for sentence in sentences:
        words = checked_sentence(caller, sentence)
        words = words if isinstance(words, Sequence) else list(words)
        some.append(words)
        read += len(words)
        if read >= size:
            yield _encoded(some, read, vocabulary)
            some, read = [], 0
    if some:
        yield _encoded(some, read, vocabulary)


def _encoded(sentences: list[Any], count: int, vocabulary: Vocabulary) -> Chunk:
    # No loop of Python's own over the words: it would take a tenth of the time of training.
    words = itertools.chain.from_iterable(sentences)
    numbers = map(vocabulary.ids.get, words, itertools.repeat(-1))
    found = np.fromiter(numbers, np.int32, count)
    ends = np.fromiter(itertools.accumulate(map(len, sentences), initial=0), np.int64)
    known = found >= 0
    before = np.zeros(count + 1, np.int64)
    np.cumsum(known, out=before[1:])
    return found[known], before[ends], count
