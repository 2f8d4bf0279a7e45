"""Two languages that were never seen side by side, brought into one space of word vectors.

    python examples/crosslingual.py --data FOLDER [--epochs 10] [--size 100] [--refinements 2]

FOLDER holds fra-eng.zip, sentence pairs of the Tatoeba project (https://www.manythings.org/anki):
other languages' files of that site serve as well, by --pairs. English vectors are learnt from one
half of the sentences and French ones from the translations of the other half, so that no sentence
is on both sides. The dictionary is made of pairs of words that keep company in all pairs of
sentences; a fifth of it is held out. A rotation is found from the rest, and must find the held-out
words' translations.

With --quick both languages are made up: the same rules say which word may follow which, the words'
names differ, and so do the texts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import program
from tensorgrad.text import (
    Alignment,
    Vocabulary,
    Word2Vec,
    pca,
    sentence_pairs,
    tokenize,
    translation_pairs,
)

HELD_OUT = 5  # one pair of so many is held out
LEAST = 5  # a word that is seen less often is left out
SHOWN = 20  # pairs of words in the picture
MADE_UP, FOLLOWERS, LINES, LENGTH = 100, 3, 400, 10  # words, successors of each, sentences, words

Sentences = list[list[str]]
Dictionary = list[tuple[str, str]]


def made_up(seed: int) -> tuple[Sentences, Sentences, Dictionary]:
    """Texts of two languages with the same rules, and the words that mean the same."""
    rules = np.random.default_rng(seed)
    followers = rules.integers(0, MADE_UP, (MADE_UP, FOLLOWERS))
    texts = []
    for number, name in enumerate("ab"):
        random = np.random.default_rng([seed, number])
        words = [random.integers(0, MADE_UP, LINES)]
        for _ in range(LENGTH - 1):
            words.append(followers[words[-1], random.integers(0, FOLLOWERS, LINES)])
        texts.append([[f"{name}{word}" for word in line] for line in np.stack(words, 1).tolist()])
    return texts[0], texts[1], [(f"a{word}", f"b{word}") for word in range(MADE_UP)]


def words_of(sentence: str, parted: bool) -> list[str]:
    """Lower-case words. parted: at apostrophes too, as French l'eau."""
    sentence = sentence.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return tokenize(sentence.replace("'", " ") if parted else sentence, punctuation=False)


def halves(pairs: list[tuple[str, str]], seed: int) -> tuple[Sentences, Sentences, Dictionary]:
    """Source sentences of one half, translations of the other, and the dictionary of both."""
    source = [words_of(first, parted=False) for first, _ in pairs]
    target = [words_of(second, parted=True) for _, second in pairs]
    known = [
        Vocabulary((word for words in side for word in words), min_freq=LEAST, unknown=None)
        for side in (source, target)
    ]
    dictionary = translation_pairs(source, target, *known)
    # A sentence with several translations comes several times.
    places: dict[str, list[int]] = {}
    for place, (first, _) in enumerate(pairs):
        places.setdefault(first, []).append(place)
    groups = list(places.values())
    order = np.random.default_rng(seed).permutation(len(groups)).tolist()
    half = len(order) // 2
    return (
        [source[groups[number][0]] for number in order[:half]],
        [target[place] for number in order[half:] for place in groups[number]],
        dictionary,
    )


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Learn two languages, align them, look held-out words up; the figures."""
    parser = program.options_of(
        __doc__, 10,
        pairs={"default": "fra-eng.zip", "help": "the archive of sentence pairs"},
        size={"type": int, "default": 100, "help": "numbers of a vector"},
        refinements={"type": int, "default": 0, "help": "rounds in which the dictionary grows"},
        workers={"type": int, "default": 1, "help": "threads; 1 repeats itself"},
    )  # fmt: skip
    options = parser.parse_args(arguments)
    program.begin(options)
    settings = {"window": 5, "min_count": LEAST, "alpha": 0.05}
    if options.quick:
        options.epochs, options.size = 5, 24
        settings = {"window": 2, "min_count": 1, "alpha": 0.2, "sample": 0}
        *texts, dictionary = made_up(options.seed)
    else:
        path = program.data_file(options, options.pairs, "See https://www.manythings.org/anki.")
        *texts, dictionary = halves(sentence_pairs(path), options.seed)
    vectors = []
    for side, sentences in zip(("source", "target"), texts, strict=True):
        kept = options.checkpoint
        model, speed = program.learn_words(
            Word2Vec, sentences, kept and kept.with_name(f"{side}-{kept.name}"),
            vector_size=options.size, sg=1, epochs=options.epochs, workers=options.workers,
            seed=options.seed + len(vectors), **settings,
        )  # fmt: skip
        print(f"{side}: {model.corpus_total_words:,} words, {speed:,.0f} words/s")
        vectors.append(model.wv)
    source, target = vectors

    pairs = [pair for pair in dictionary if pair[0] in source and pair[1] in target]
    chosen = np.random.default_rng(options.seed).permutation(len(pairs)) % HELD_OUT == 0
    held_out = [pair for pair, out in zip(pairs, chosen, strict=True) if out]
    seed = [pair for pair, out in zip(pairs, chosen, strict=True) if not out]
    alignment = Alignment(source, target, seed, options.refinements)
    chance = 1 / len(target)
    figures = {"chance": chance}
    rows = [["chance", f"{chance:.2%}", f"{5 * chance:.2%}"]]
    for name, csls in (("cosine", False), ("CSLS", True)):
        found = alignment.precision(held_out, csls=csls)
        figures |= {f"{name} precision@{k}": share for k, share in found.items()}
        rows.append([name, *(f"{share:.1%}" for share in found.values())])
    print(f"{len(seed)} pairs of words to learn from, {len(held_out)} held out")
    print(program.table(rows, ["", "precision@1", "precision@5"]))
    shown = held_out[:SHOWN]
    for (word, wanted), others in zip(
        shown, alignment.translations([word for word, _ in shown]), strict=True
    ):
        print(f"{word} ({wanted}): {', '.join(others)}")

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        mapped = alignment.vectors(*zip(*shown, strict=True))
        places = pca(np.concatenate(mapped), 2)
        for number, (first, second) in enumerate(shown):
            both = places[[number, number + len(shown)]]
            axes.plot(*both.T, color="lightgray", zorder=0)
            for word, place, color in zip((first, second), both, ("C0", "C1"), strict=True):
                axes.annotate(word, place, fontsize=8, color=color)
        axes.set_title("held-out words (blue) and their translations (orange), aligned")

    program.picture(options, "crosslingual", draw)
    return figures


if __name__ == "__main__":
    main()
