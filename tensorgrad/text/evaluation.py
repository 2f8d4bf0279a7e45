"""How good word vectors are: by pairs of words that people have judged, and by analogies. Knows the
gold sets' files. Their licences are their authors' own; none is part of this package.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from tensorgrad.text.keyed_vectors import KeyedVectors

Statistic = tuple[float, float]  # and the probability of one as large by chance
AT_ONCE = 256  # analogies whose similarities to all words are held at once


def _lines(caller: str, path: str | os.PathLike[str]) -> Iterator[tuple[int, str]]:
    """The lines of a text that are neither empty nor comments, and their numbers."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{caller}: expected text in UTF-8, got {error} in {path}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line


def _places(vectors: KeyedVectors, restrict_vocab: int | None, ignore_case: bool) -> dict[str, int]:
    """The row of each word; where case is ignored, of the most frequent of those that are alike."""
    places: dict[str, int] = {}
    for place, word in enumerate(vectors.index_to_key[:restrict_vocab]):
        places.setdefault(word.upper() if ignore_case else word, place)
    return places


def word_pairs(path: str | os.PathLike[str], delimiter: str = "\t") -> list[tuple[str, str, float]]:
    """Pairs of words and what people said of their similarity: two words and a number a line; more
    columns are passed over, as are comments (#) and a first line that names the columns.
    """
    pairs: list[tuple[str, str, float]] = []
    for place, (number, line) in enumerate(_lines("word_pairs", path)):
        parts = line.split(delimiter)
        try:
            pairs.append((parts[0].strip(), parts[1].strip(), float(parts[2])))
        except (IndexError, ValueError):
            if place:
                raise ValueError(
                    f"word_pairs: expected two words and a number between {delimiter!r}, got "
                    f"{line!r:.80} in line {number} of {os.fspath(path)}"
                ) from None
    if not pairs:
        raise ValueError(f"word_pairs: expected pairs of words, got none in {os.fspath(path)}")
    return pairs


def evaluate_word_pairs(
    vectors: KeyedVectors,
    path: str | os.PathLike[str],
    delimiter: str = "\t",
    restrict_vocab: int | None = 300_000,
    case_insensitive: bool = True,
) -> tuple[Statistic, Statistic, float]:
    """Pearson's and Spearman's correlation of cosines with what people said of pairs of words, each
    with its p-value, and the percentage of pairs left out because a word is not known.
    """
    from scipy import stats

    places = _places(vectors, restrict_vocab, case_insensitive)
    pairs, said, found = word_pairs(path, delimiter), [], []
    unit = vectors.unit_vectors()
    for first, second, judged in pairs:
        if case_insensitive:
            first, second = first.upper(), second.upper()
        if first in places and second in places:
            said.append(judged)
            found.append(float(unit[places[first]] @ unit[places[second]]))
    if len(said) < 2:
        raise ValueError(
            f"evaluate_word_pairs: expected at least two pairs of known words, got {len(said)} of "
            f"{len(pairs)}"
        )
    pearson, spearman = stats.pearsonr(said, found), stats.spearmanr(said, found)
    return (
        (float(pearson.statistic), float(pearson.pvalue)),
        (float(spearman.statistic), float(spearman.pvalue)),
        100 * (1 - len(said) / len(pairs)),
    )


def analogies(path: str | os.PathLike[str]) -> dict[str, list[tuple[str, str, str, str]]]:
    """The sections of a file of analogies: four words a line, a is to b as c to d; a line ": name"
    begins a section.
    """
    sections: dict[str, list[tuple[str, str, str, str]]] = {}
    name = ""
    for number, line in _lines("analogies", path):
        if line.startswith(":"):
            name = line[1:].strip()
            sections.setdefault(name, [])
            continue
        words = line.split()
        if len(words) != 4:
            raise ValueError(
                f"analogies: expected four words or ': section', got {line!r:.80} in line {number} "
                f"of {os.fspath(path)}"
            )
        sections.setdefault(name, []).append((words[0], words[1], words[2], words[3]))
    if not any(sections.values()):
        raise ValueError(f"analogies: expected lines of four words, got none in {os.fspath(path)}")
    return sections


def evaluate_word_analogies(
    vectors: KeyedVectors,
    path: str | os.PathLike[str],
    restrict_vocab: int | None = 300_000,
    case_insensitive: bool = True,
    dummy4unknown: bool = False,
) -> tuple[float, list[dict[str, Any]]]:
    """The share of analogies whose fourth word is the nearest to b - a + c, the three left out; and
    for each section, and for all ("Total accuracy"), a dict of its name ("section"), and the lists
    "correct" and "incorrect". Those with unknown words are passed over, or with `dummy4unknown`
    count as wrong. Mikolov et al. 2013.
    """
    places = _places(vectors, restrict_vocab, case_insensitive)
    unit = vectors.unit_vectors()[:restrict_vocab]
    # Of words that differ by case alone the first stands for all.
    allowed = np.zeros(len(unit), bool)
    allowed[list(places.values())] = True
    results: list[dict[str, Any]] = []
    for name, questions in analogies(path).items():
        section: dict[str, Any] = {"section": name, "correct": [], "incorrect": []}
        known, asked = [], []
        for question in questions:
            words = tuple([word.upper() for word in question]) if case_insensitive else question
            found = [places.get(word) for word in words]
            if None not in found:
                known.append(words)
                asked.append(found)
            elif dummy4unknown:
                section["incorrect"].append(words)
        for start in range(0, len(known), AT_ONCE):
            some = np.array(asked[start : start + AT_ONCE], np.intp)
            scores = (unit[some[:, 1]] - unit[some[:, 0]] + unit[some[:, 2]]) @ unit.T
            scores[:, ~allowed] = -np.inf
            np.put_along_axis(scores, some[:, :3], -np.inf, 1)
            right = scores.argmax(1) == some[:, 3]
            for words, correct in zip(known[start : start + AT_ONCE], right):
                section["correct" if correct else "incorrect"].append(words)
        results.append(section)
    total: dict[str, Any] = {"section": "Total accuracy"}
    for kind in ("correct", "incorrect"):
        total[kind] = [words for section in results for words in section[kind]]
    results.append(total)
    count = len(total["correct"]) + len(total["incorrect"])
    return (len(total["correct"]) / count if count else 0.0), results
