"""Word2Vec: vectors of words learnt from running text by skip-gram or CBOW, by negative sampling or
hierarchical softmax. Knows sentences and tables; the steps themselves are a backend's.

Mikolov et al. 2013, https://arxiv.org/abs/1301.3781 and https://arxiv.org/abs/1310.4546. Names,
arguments and defaults are those of gensim's class, https://radimrehurek.com/gensim/.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np

from tensorgrad import io, settings
from tensorgrad.backend import get_backend
from tensorgrad.datasets.vocabulary import Vocabulary
from tensorgrad.errors import SerializationError
from tensorgrad.text import word_steps
from tensorgrad.text.keyed_vectors import KeyedVectors
from tensorgrad.text.noise import alias_table, seen_shares, word_paths
from tensorgrad.text.sentences import Chunk, all_words, checked_sentences, encoded_chunks

Array = np.ndarray[Any, Any]
Sentences = Iterable[Iterable[str]]

LINE = 16  # rows are multiples of so many numbers: those of a cache line, and of any vector
SPREAD = 1_000_003  # between the seeds of epochs and of chunks
KEPT = 1 << 25  # words of a list that are kept encoded for the following epochs


class Word2Vec:
    """Vectors of words.

    sentences: lists of words, read once to count the words and once an epoch: a list, or for what
    is larger than memory an object whose `__iter__` begins anew, as `LineSentences`. Without them
    call `build_vocab` and `train`.
    vector_size: numbers of a vector. window: words to either side at most; how many is drawn at
    each place. sg: 1 for skip-gram, 0 for CBOW. hs: 1 for hierarchical softmax; with 0, `negative`
    words are drawn as noise, in proportion to count^ns_exponent.
    min_count: words that occur less often are left out; max_final_vocab: and all but so many.
    sample: occurrences of a word whose share f of the text is larger are left out at random, all
    but sqrt(sample / f) + sample / f of them; 0 shows all.
    alpha, min_alpha: the rate of learning, which falls from one to the other over the `epochs`.
    workers: threads that learn side by side without locks (Recht et al. 2011); as many as
    `get_num_threads` says if None. With 1 the result is the seed's, with more it is not.

    wv: the vectors, as `KeyedVectors`. The noise of a place is shared by all words of its window
    (Ji et al. 2016), where the first program draws anew for each.
    """

    wv: KeyedVectors

    OPTIONS: tuple[str, ...] = (
        "vector_size", "alpha", "window", "min_count", "sample", "seed", "workers", "min_alpha",
        "sg", "hs", "negative", "ns_exponent", "epochs", "max_final_vocab",
    )  # fmt: skip

    def __init__(
        self,
        sentences: Sentences | None = None,
        vector_size: int = 100,
        alpha: float = 0.025,
        window: int = 5,
        min_count: int = 5,
        sample: float = 1e-3,
        seed: int = 1,
        workers: int | None = None,
        min_alpha: float = 0.0001,
        sg: int = 0,
        hs: int = 0,
        negative: int = 5,
        ns_exponent: float = 0.75,
        epochs: int = 5,
        max_final_vocab: int | None = None,
    ) -> None:
        least = {"vector_size": vector_size, "window": window, "min_count": min_count}
        least |= {"epochs": epochs, "workers": 1 if workers is None else workers}
        for name, value in least.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Word2Vec: expected {name} of at least 1, got {value!r}")
        for name, rate in {"alpha": alpha, "min_alpha": min_alpha, "sample": sample}.items():
            if not rate >= 0:
                raise ValueError(f"Word2Vec: expected {name} >= 0, got {rate!r}")
        if not hs and negative < 1:
            raise ValueError(
                f"Word2Vec: expected negative of at least 1, or hs=1, got {negative!r} and hs=0"
            )
        self.vector_size, self.window, self.min_count = vector_size, window, min_count
        self.alpha, self.min_alpha, self.sample, self.seed = alpha, min_alpha, sample, seed
        self.workers, self.epochs, self.max_final_vocab = workers, epochs, max_final_vocab
        self.sg, self.hs, self.negative, self.ns_exponent = sg, hs, negative, ns_exponent
        self.corpus_count = self.corpus_total_words = 0  # sentences and words that were counted
        # What `train` was asked for last, and the epoch and chunk that it comes to next.
        self._course: dict[str, Any] = {}
        self._place = (0, 0)
        self._epochs_before = 0  # of calls of `train` that are over, for the seed
        if sentences is not None:
            self.build_vocab(sentences)
            self.train(sentences)

    def __repr__(self) -> str:
        words = len(self.wv) if hasattr(self, "wv") else 0
        name = type(self).__name__
        return f"{name}({words} words, vector_size={self.vector_size}, alpha={self.alpha})"

    # ---- words

    def build_vocab(self, sentences: Sentences) -> None:
        """Count the words, choose those that get a vector, and draw the vectors' beginnings:
        uniform in (-1/2, 1/2) / vector_size. What the words meet begins with zeros.
        """
        count = 0

        def counted() -> Iterator[Any]:
            nonlocal count
            for sentence in checked_sentences("build_vocab", sentences):
                count += 1
                yield sentence

        vocabulary = Vocabulary(
            all_words("build_vocab", counted()),
            max_size=self.max_final_vocab,
            min_freq=self.min_count,
            unknown=None,
        )
        if len(vocabulary) < 2:
            raise ValueError(
                f"build_vocab: expected at least two words that occur {self.min_count} times, got "
                f"{len(vocabulary)} in {count} sentences"
            )
        self.corpus_count = count
        self.corpus_total_words = vocabulary.total
        random = np.random.default_rng(self.seed)
        rows = self._rows(vocabulary)
        begun = random.random((rows, self.vector_size), np.float32) - np.float32(0.5)
        pitch = -(-self.vector_size // LINE) * LINE
        inputs = np.zeros((rows, pitch), np.float32)
        inputs[:, : self.vector_size] = begun / np.float32(self.vector_size)
        self._begin(vocabulary, inputs, np.zeros((len(vocabulary), pitch), np.float32))

    def _rows(self, vocabulary: Vocabulary) -> int:
        """How many input rows the words need; and `_bags`, which of them each word has."""
        self._bags: tuple[Array, Array] | None = None
        return len(vocabulary)

    def _named(self, vocabulary: Vocabulary, table: Array) -> KeyedVectors:
        """The vectors of the words from the input rows (rows, D)."""
        return KeyedVectors(vocabulary.tokens, table, vocabulary.counts)

    def _begin(self, vocabulary: Vocabulary, inputs: Array, outputs: Array) -> None:
        self._vocabulary, self._inputs, self._outputs = vocabulary, inputs, outputs
        counts = vocabulary.counts
        self._noise = None if self.hs else alias_table(counts**self.ns_exponent)
        self._paths = word_paths(counts.tolist()) if self.hs else None
        self._keep = seen_shares(counts, self.sample)
        self.wv = self._named(vocabulary, inputs[:, : self.vector_size])

    def _built(self, caller: str) -> Vocabulary:
        if not hasattr(self, "wv"):
            raise RuntimeError(f"{caller}: expected a vocabulary: call build_vocab first")
        return self._vocabulary

    # ---- learning

    def train(
        self,
        sentences: Sentences,
        total_examples: int | None = None,
        epochs: int | None = None,
        start_alpha: float | None = None,
        end_alpha: float | None = None,
        resume: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> tuple[int, int]:
        """Learn from the sentences for some epochs; (known words, all words) that were read.

        total_examples: how many sentences there are, by which the rate of learning falls; as many
        as `build_vocab` counted if None. progress: called with the words read since it was called
        last, a `tqdm` bar's `update` for example. resume: go on where a call before, of this model
        or of the one that was saved, was broken off; with one worker the result is then the same,
        bit for bit. The other arguments are then those of that call.
        """
        vocabulary = self._built("train")
        checked_sentences("train", sentences)
        if resume:
            if not self._course:
                raise RuntimeError("train: expected a call to resume, got a model without one")
        else:
            self._course = {
                "total": self.corpus_count if total_examples is None else total_examples,
                "epochs": self.epochs if epochs is None else epochs,
                "start": self.alpha if start_alpha is None else start_alpha,
                "end": self.min_alpha if end_alpha is None else end_alpha,
            }
            self._epochs_before += self._place[0]
            self._place = (0, 0)
        # A list stays as it is, and is encoded once if it is short enough.
        keeping = isinstance(sentences, list) and self.corpus_total_words <= KEPT
        kept: list[Chunk] = []
        known = read = 0
        while self._place[0] < self._course["epochs"]:
            done = 0
            chunks = iter(kept) if kept else encoded_chunks("train", sentences, vocabulary)
            for number, chunk in enumerate(ahead(chunks)):
                if keeping and len(kept) == number:
                    kept.append(chunk)
                if number >= self._place[1]:
                    self._learn(chunk, number, done)
                    self._place = self._place[0], number + 1
                    known, read = known + len(chunk[0]), read + chunk[2]
                    if progress is not None:
                        progress(chunk[2])
                done += len(chunk[1]) - 1
            self._place = self._place[0] + 1, 0
        self.wv.refresh()
        return known, read

    def _learn(self, chunk: Chunk, number: int, done: int) -> None:
        """From one chunk, before which `done` sentences of the epoch were read."""
        tokens, bounds, _ = chunk
        course, epoch = self._course, self._place[0]
        count = len(bounds) - 1
        rates = []
        for sentences in (done, done + count):
            share = (epoch + min(1, sentences / max(1, course["total"]))) / course["epochs"]
            rates.append(course["start"] + (course["end"] - course["start"]) * share)
        seed = self.seed * SPREAD + self._epochs_before + epoch
        backend = get_backend()
        workers = self.workers
        if workers is None and backend.device_type == "cpu":
            workers = settings.get_num_threads()
        given = (
            tokens, bounds, self._inputs, self._outputs, self._keep, self._noise, self._paths,
            self.window, self.negative, not self.sg, (rates[0], rates[1]),
            (seed * SPREAD + number) % (1 << 62), workers, self._bags,
        )  # fmt: skip
        steps = getattr(backend, "word_steps", None)
        if steps is None or steps(*given) is NotImplemented:
            word_steps.train(*given)

    def loss(self, sentences: Sentences) -> float:
        """The mean loss over the places of some sentences, none left out: by how much the model is
        surprised, in nats, by the right words and noise words, or with hs by the right words alone.
        Computed a word at a time: for a sample.
        """
        vocabulary = self._built("loss")
        chunks = list(encoded_chunks("loss", checked_sentences("loss", sentences), vocabulary))
        found = [
            (
                word_steps.loss(
                    tokens, bounds, self._inputs, self._outputs, self._noise, self._paths,
                    self.window, self.negative, not self.sg, self._bags,
                ),
                len(tokens),
            )
            for tokens, bounds, _ in chunks
        ]  # fmt: skip
        words = sum(count for _, count in found)
        return sum(value * count for value, count in found) / words if words else float("nan")

    # ---- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole model, from which training can go on: a safetensors file."""
        vocabulary = self._built("save")
        state = {
            "kind": type(self).__name__,
            "options": {name: getattr(self, name) for name in self.OPTIONS},
            "words": vocabulary.tokens,
            "counts": vocabulary.counts,
            "counted": (self.corpus_count, self.corpus_total_words),
            "course": self._course,
            "place": (*self._place, self._epochs_before),
            "inputs": self._inputs,
            "outputs": self._outputs,
        }
        io.save(state, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The model that `save` wrote."""
        state = io.load(path)
        if not isinstance(state, dict) or state.get("kind") != cls.__name__:
            raise SerializationError(
                f"load: expected a file that {cls.__name__}.save wrote, got another, "
                f"{os.fspath(path)}"
            )
        model = cls(**state["options"])
        model.corpus_count, model.corpus_total_words = state["counted"]
        *place, model._epochs_before = state["place"]
        model._course, model._place = state["course"], tuple(place)
        vocabulary = Vocabulary.of_counts(state["words"], state["counts"])
        model._rows(vocabulary)
        model._begin(vocabulary, state["inputs"].copy(), state["outputs"].copy())
        return model


def ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks, each read by another thread while the one before is used."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk
