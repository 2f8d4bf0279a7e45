"""Sentences whose phrases are labelled, as the Stanford Sentiment Treebank has them: trees in
brackets, one a line. Knows the files, not what labels mean.

Socher et al. 2013, https://nlp.stanford.edu/sentiment. `(3 (2 a) (4 (3 lovely) (2 film)))` is the
phrase "a lovely film" of label 3, of which "lovely film" is a phrase of label 4.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# A word may hold other spaces: the treebank has "8\xa01/2".
_PARTS = re.compile(r"[()]|[^ \t\r\n()]+")
# Brackets and slashes within words, which the trees' own brackets forbid.
_WRITTEN = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}


class Phrase(NamedTuple):
    """`words[start:stop]` of a tree, and its label, a whole number of at least 0."""

    start: int
    stop: int
    label: int


class Tree(NamedTuple):
    """A sentence: its words, and all its phrases in the order in which their brackets close, so
    that a phrase comes behind its parts, single words included, and the whole is the last.
    """

    words: tuple[str, ...]
    phrases: tuple[Phrase, ...]

    @property
    def label(self) -> int:
        """Of the whole sentence."""
        return self.phrases[-1].label

    def labelled(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """The words of each phrase and its label."""
        for start, stop, label in self.phrases:
            yield self.words[start:stop], label


def parse_tree(text: str) -> Tree:
    """The tree that is written in `text`. "-LRB-" and the like become the brackets that they stand
    for, and "\\/" a slash. No depth is too deep.

    Raises:
        ValueError: anything but one whole tree, each of whose brackets holds a label and then
            either one word or at least one bracket.
    """
    parts = _PARTS.findall(text)
    words: list[str] = []
    phrases: list[Phrase] = []
    opened: list[tuple[int, int]] = []  # where phrases begin that are not closed yet, their labels
    place = 0
    while place < len(parts):
        part = parts[place]
        if phrases and not opened:
            raise ValueError(f"parse_tree: expected nothing behind the tree, got {part!r}")
        if part == "(":
            label = parts[place + 1] if place + 1 < len(parts) else "the end"
            if not (label.isascii() and label.isdigit()):
                raise ValueError(f"parse_tree: expected a whole number behind '(', got {label!r}")
            opened.append((len(words), int(label)))
            place += 2
        elif part == ")":
            if not opened or opened[-1][0] == len(words):
                raise ValueError("parse_tree: expected a bracket with words in it, got ')'")
            start, label_of_phrase = opened.pop()
            phrases.append(Phrase(start, len(words), label_of_phrase))
            place += 1
        else:
            if place < 2 or parts[place - 2] != "(" or parts[place + 1 : place + 2] != [")"]:
                raise ValueError(f"parse_tree: expected one word in a bracket, got {part!r}")
            words.append(_WRITTEN.get(part, part).replace("\\/", "/"))
            place += 1
    if opened or not phrases:
        raise ValueError(f"parse_tree: expected a whole tree, got {len(opened)} open brackets")
    return Tree(tuple(words), tuple(phrases))


def read_trees(path: str | os.PathLike[str]) -> list[Tree]:
    """The trees of a file in UTF-8, one a line; empty lines are passed over.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line that is no tree, by its number; bytes that are not UTF-8; no tree at all.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"read_trees: expected text in UTF-8, got {error} in {path}") from error
    trees = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                trees.append(parse_tree(line))
            except ValueError as error:
                raise ValueError(f"{error} in line {number} of {os.fspath(path)}") from None
    if not trees:
        raise ValueError(f"read_trees: expected trees, one a line, got none in {os.fspath(path)}")
    return trees
