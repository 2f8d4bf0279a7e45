"""WordNet, a lexicon of English by meanings, read from its own files: synonyms, what is a kind of
what, and how near two meanings are in that tree. Knows files and strings alone.

The files index.noun, data.noun and so on are those of Princeton's WordNet,
https://wordnet.princeton.edu (Debian: wordnet-base); wndb(5WN) describes them. Names of
methods and similarities are NLTK's. Fellbaum 1998.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

from tensorgrad.errors import SerializationError

FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
ABOVE = ("@", "@i")  # is a kind of, is an instance of
BELOW = ("~", "~i")
# Endings and what stands in their place in the base form, for words that are no exceptions.
ENDINGS = {
    "n": ("s:", "ses:s", "ves:f", "xes:x", "zes:z", "ches:ch", "shes:sh", "men:man", "ies:y"),
    "v": ("s:", "ies:y", "es:e", "es:", "ed:e", "ed:", "ing:e", "ing:"),
    "a": ("er:", "est:", "er:e", "est:e"),
    "r": (),
}
Place: TypeAlias = tuple[str, int]  # a part of speech, and the byte where a line of its data begins
TOP: Place = ("v", -1)  # above the verbs' many tops


@dataclass(frozen=True)
class Synset:
    """A meaning.

    name: its first word, its part of speech and which meaning of that word it is, "dog.n.01". pos:
    "n", "v", "a", "s" (an adjective like another) or "r". words: those that mean it, with spaces
    as underscores. gloss: the definition and examples. pointers: of each relation its symbol in
    WordNet's files, and the place of the other meaning.
    """

    name: str
    pos: str
    words: tuple[str, ...]
    gloss: str
    place: Place
    pointers: tuple[tuple[str, Place], ...]

    def __repr__(self) -> str:
        return f"Synset({self.name!r})"


class WordNet:
    """The lexicon in a folder. Its parts of speech are those whose files, index.* and data.*, are
    there; *.exc, the irregular forms, may be missing.

    Raises FileNotFoundError for a folder without them, and SerializationError, then or later, for
    files that are damaged or no WordNet's.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._index: dict[str, dict[str, tuple[int, ...]]] = {}
        self._data: dict[str, bytes] = {}
        self._irregular: dict[str, dict[str, list[str]]] = {}
        for pos, name in FILES.items():
            paths = [Path(folder) / f"{kind}.{name}" for kind in ("index", "data")]
            if not all(path.is_file() for path in paths):
                continue
            self._index[pos] = _indexed(paths[0])
            self._data[pos] = paths[1].read_bytes()
            forms = Path(folder) / f"{name}.exc"
            lines = _lines(forms) if forms.is_file() else []
            self._irregular[pos] = {words[0]: words[1:] for words in map(str.split, lines) if words}
        if not self._data:
            raise FileNotFoundError(
                "WordNet: expected a folder with index.noun, data.noun and the like, got "
                f"{os.fspath(folder)}"
            )
        self._at = cache(self._read)
        self._above = cache(self._ancestors)
        self._depths = cache(self._depth_range)

    # ---- words and meanings

    def base_forms(self, word: str, pos: str) -> list[str]:
        """The words of the lexicon that `word` is a form of, itself first: "dogs" as "n" is "dog".
        By the list of irregular forms, or else by endings.
        """
        index = self._part("base_forms", pos)
        word = word.lower().replace(" ", "_")
        forms = self._irregular[pos].get(word)
        if forms is None:
            rules = [rule.split(":") for rule in ENDINGS[pos]]
            forms = [word[: -len(end)] + base for end, base in rules if word.endswith(end)]
        return list(dict.fromkeys(form for form in (word, *forms) if form in index))

    def synsets(self, word: str, pos: str | None = None) -> list[Synset]:
        """The meanings of a word or of its base forms, the most frequent of each part of speech
        first; none for an unknown word. pos: "n", "v", "a" or "r" alone.
        """
        return [
            self._at((part, offset))
            for part in (self._index if pos is None else [pos])
            for form in self.base_forms(word, part)
            for offset in self._index[part][form]
        ]

    def synset(self, name: str) -> Synset:
        """The meaning of a name as "dog.n.01". Raises KeyError for an unknown one."""
        word, pos, number = ([*name.lower().rsplit(".", 2), "", ""])[:3]
        pos = "a" if pos == "s" else pos
        places = self._index.get(pos, {}).get(word, ())
        if not number.isdecimal() or not 1 <= int(number) <= len(places):
            raise KeyError(f"synset: expected a known meaning as 'dog.n.01', got {name!r}")
        return self._at((pos, places[int(number) - 1]))

    def synonyms(self, word: str, pos: str | None = None) -> list[str]:
        """The other words of all meanings of a word, in the order of its meanings."""
        others = (other for synset in self.synsets(word, pos) for other in synset.words)
        return [other for other in dict.fromkeys(others) if other.lower() != word.lower()]

    def hypernyms(self, synset: Synset) -> list[Synset]:
        """The meanings that this is a kind, or an instance, of."""
        return [self._at(place) for symbol, place in synset.pointers if symbol in ABOVE]

    def hyponyms(self, synset: Synset) -> list[Synset]:
        """The meanings that are a kind, or an instance, of this."""
        return [self._at(place) for symbol, place in synset.pointers if symbol in BELOW]

    # ---- how near

    def path_similarity(self, first: Synset, second: Synset) -> float | None:
        """1 / (1 + the least number of steps between two meanings up and down by hypernyms); None
        where there is no way. Verbs have many tops, and one is put above them, by the least number
        of steps (NLTK's is above the longest way). Rada et al. 1989.
        """
        steps = self._steps(first.place, second.place)
        return None if steps is None else 1 / (1 + steps)

    def wup_similarity(self, first: Synset, second: Synset) -> float | None:
        """2 depth(c) / (2 depth(c) + steps(first, c) + steps(second, c)), where c is the deepest
        meaning above both and a top has depth 1; None where there is no way. Wu and Palmer 1994.

        c is the deepest by its shortest way to a top, but its longest is its depth: as NLTK does.
        """
        above, others = self._above(first.place), self._above(second.place)
        common = [place for place in above if place in others]
        if not common:
            return None
        if first.place == second.place:
            return 1.0
        lowest = min(
            common,
            key=lambda place: (-self._depths(place)[0], place != first.place, self._name(place)),
        )
        depth = self._depths(lowest)[1] + 1
        steps = [self._steps(synset.place, lowest) or 0 for synset in (first, second)]
        return 2 * depth / (2 * depth + sum(steps))

    def similarity(self, first: str, second: str, measure: str = "wup") -> float | None:
        """The largest similarity, "path" or "wup", of any meanings of two words of one part of
        speech (Resnik 1999); None where a word is unknown or no two meanings are connected.
        """
        measures = {"path": self.path_similarity, "wup": self.wup_similarity}
        if measure not in measures:
            raise ValueError(f"similarity: expected measure of path, wup, got {measure!r}")
        found = [
            measures[measure](one, other)
            for pos in self._index
            for one in self.synsets(first, pos)
            for other in self.synsets(second, pos)
        ]
        return max((value for value in found if value is not None), default=None)

    def _steps(self, first: Place, second: Place) -> int | None:
        above, others = self._above(first), self._above(second)
        return min((above[place] + others[place] for place in above.keys() & others), default=None)

    def _ancestors(self, place: Place) -> dict[Place, int]:
        """The least number of steps up to each meaning above one, and to itself."""
        steps, reached = {place: 0}, [place]
        for here in reached:
            above = [] if here == TOP else [up.place for up in self.hypernyms(self._at(here))]
            if not above and here[0] == "v" and here != TOP:
                above = [TOP]
            for other in above:
                if other not in steps:
                    steps[other] = steps[here] + 1
                    reached.append(other)
        return steps

    def _depth_range(self, place: Place) -> tuple[int, int]:
        """The least and the largest number of steps up to a top."""
        above = [] if place == TOP else self.hypernyms(self._at(place))
        depths = [self._depths(other.place) for other in above]
        if not depths:
            return 0, 0
        return min(least for least, _ in depths) + 1, max(most for _, most in depths) + 1

    def _name(self, place: Place) -> str:
        return "" if place == TOP else self._at(place).name

    # ---- files

    def _part(self, caller: str, pos: str) -> dict[str, tuple[int, ...]]:
        if pos not in self._index:
            raise ValueError(
                f"{caller}: expected a part of speech of {', '.join(self._index)}, got {pos!r}"
            )
        return self._index[pos]

    def _read(self, place: Place) -> Synset:
        """The meaning whose line begins at a place."""
        pos, offset = place
        data = self._data[pos]
        line = data[offset : data.find(b"\n", offset)]
        try:
            fields, _, gloss = line.decode("utf-8").partition(" | ")
            parts = fields.split()
            if parts[0] != f"{offset:08}":
                raise ValueError
            count = int(parts[3], 16)
            words = tuple(word.partition("(")[0] for word in parts[4 : 4 + 2 * count : 2])
            number = int(parts[4 + 2 * count])
            ends = parts[5 + 2 * count : 5 + 2 * count + 4 * number]
            pointers = tuple(
                (ends[n], ("a" if ends[n + 2] == "s" else ends[n + 2], int(ends[n + 1])))
                for n in range(0, 4 * number, 4)
            )
            sense = self._index[pos][words[0].lower()].index(offset) + 1
        except (ValueError, IndexError, KeyError):
            raise SerializationError(
                f"WordNet: expected a meaning at byte {offset} of data.{FILES[pos]}, got "
                f"{line[:60]!r}"
            ) from None
        name = f"{words[0].lower()}.{parts[2]}.{sense:02}"
        return Synset(name, parts[2], words, gloss.strip(), place, pointers)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SerializationError(
            f"WordNet: expected text in UTF-8, got {error} in {path.name}"
        ) from None
    # The licence stands before the words, each line begun with spaces.
    return [line for line in text.splitlines() if line and not line.startswith(" ")]


def _indexed(path: Path) -> dict[str, tuple[int, ...]]:
    """Of each word the bytes where its meanings begin, as an index file has them at its end."""
    found = {}
    for line in _lines(path):
        parts = line.split()
        try:
            count = int(parts[2])
            found[parts[0]] = tuple(map(int, parts[len(parts) - count :]))
            if len(parts) != 6 + int(parts[3]) + count:
                raise ValueError
        except (ValueError, IndexError):
            raise SerializationError(
                f"WordNet: expected a word and its meanings, got {line[:60]!r} in {path.name}"
            ) from None
    return found
