"""The four models of `python -m bench`: data, network, optimizer, loss.

Each is written once, for a library that is handed in: PyTorch's names are the library's own, so the
same lines run on tensorgrad and on torch. Knows neither processes nor clocks; data are NumPy arrays
with one item a row.
"""

from functools import cache
from typing import Any

import numpy as np

from tensorgrad.datasets import Vocabulary, digits, shakespeare, tokenize

Array = np.ndarray[Any, Any]


class Task:
    """A model and its training. A batch is a slice of each array of `data`."""

    name: str
    unit: str  # what the speed counts
    figure: str  # what is reported on held-out data: "accuracy" or "loss"
    batch_size = 64
    steps: int  # after so many training steps; on a slow machine after a half or a quarter of them

    def data(self, train: bool) -> tuple[Array, ...]:
        raise NotImplementedError

    def units(self, batch_size: int) -> int:
        """How many of `unit` a batch holds."""
        return batch_size

    def model(self, lib: Any) -> Any:
        raise NotImplementedError

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        raise NotImplementedError

    def loss(self, lib: Any, model: Any, *batch: Any) -> Any:
        raise NotImplementedError

    def evaluate(self, lib: Any, model: Any, *batch: Any) -> Any:
        """The mean of `figure` over one batch of held-out data."""
        return self.loss(lib, model, *batch)


class Synthetic(Task):
    """Three batches of random numbers to train on, one to evaluate."""

    unit = "samples"
    figure = "loss"
    steps = 20

    def batch(self, random: np.random.Generator, count: int) -> tuple[Array, ...]:
        raise NotImplementedError

    def data(self, train: bool) -> tuple[Array, ...]:
        count = self.batch_size * (3 if train else 1)
        return self.batch(np.random.default_rng(int(train)), count)

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        return lib.optim.SGD(parameters, lr=1e-3)


class Digits(Task):
    """Images of handwritten digits, 8x8."""

    unit = "samples"
    figure = "accuracy"

    def data(self, train: bool) -> tuple[Array, ...]:
        return digits(train)

    def loss(self, lib: Any, model: Any, images: Any, labels: Any) -> Any:
        return lib.nn.functional.cross_entropy(model(images), labels)

    def evaluate(self, lib: Any, model: Any, images: Any, labels: Any) -> Any:
        return (model(images).argmax(1) == labels).float().mean()


class MLP(Digits):
    name = "mlp"
    steps = 400

    def model(self, lib: Any) -> Any:
        nn = lib.nn
        return nn.Sequential(
            nn.Flatten(),
            nn.Linear(64, 256),
            nn.ReLU(),
            nn.Linear(256, 128),
            nn.ReLU(),
            nn.Linear(128, 10),
        )

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        return lib.optim.Adam(parameters, lr=1e-3)


class ConvNet(Digits):
    name = "convnet"
    steps = 120

    def model(self, lib: Any) -> Any:
        nn = lib.nn
        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 10),
        )

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        return lib.optim.SGD(parameters, lr=0.02, momentum=0.9, nesterov=True)


@cache
def words(punctuation: bool) -> tuple[Vocabulary, Array]:
    """The vocabulary (words seen three times or more) and the bundled text as its ids."""
    tokens = tokenize(shakespeare(), punctuation)
    vocabulary = Vocabulary(tokens, min_freq=3)
    return vocabulary, vocabulary.encode(tokens)


def part(rows: Array, train: bool) -> Array:
    """The first nine tenths to train on, the rest held out."""
    cut = len(rows) * 9 // 10
    return rows[:cut] if train else rows[cut:]


class LanguageModel(Task):
    """The next word of the text, from the words before it."""

    name = "lstm"
    unit = "words"
    figure = "loss"
    batch_size = 32
    length = 16
    width = 128
    steps = 80

    def data(self, train: bool) -> tuple[Array, ...]:
        ids = part(words(punctuation=True)[1], train)
        count = (len(ids) - 1) // self.length
        ids = ids[: count * self.length + 1]
        return ids[:-1].reshape(count, -1), ids[1:].reshape(count, -1)

    def units(self, batch_size: int) -> int:
        return batch_size * self.length

    def model(self, lib: Any) -> Any:
        nn = lib.nn
        size, width = len(words(punctuation=True)[0]), self.width

        class Network(nn.Module):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                super().__init__()
                self.embedding = nn.Embedding(size, width)
                self.lstm = nn.LSTM(width, width, batch_first=True)
                self.output = nn.Linear(width, size)

            def forward(self, ids: Any) -> Any:
                hidden, _ = self.lstm(self.embedding(ids))
                return self.output(hidden)

        return Network()

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        return lib.optim.AdamW(parameters, lr=3e-3)

    def loss(self, lib: Any, model: Any, ids: Any, following: Any) -> Any:
        return lib.nn.functional.cross_entropy(model(ids).flatten(0, 1), following.flatten())


class SkipGram(Task):
    """Word vectors that tell a word's neighbours from random words (Mikolov et al. 2013)."""

    name = "skipgram"
    unit = "pairs"
    figure = "loss"
    batch_size = 512
    window = 3
    negatives = 5
    width = 64
    steps = 600

    def data(self, train: bool) -> tuple[Array, ...]:
        """Centre words, and for each a true neighbour followed by words drawn by count ** 0.75."""
        vocabulary, ids = words(punctuation=False)
        ids = part(ids, train)
        offsets = [d for d in range(-self.window, self.window + 1) if d]
        inner = np.arange(self.window, len(ids) - self.window)
        centres = np.repeat(ids[inner], len(offsets))
        neighbours = ids[inner[:, None] + offsets].reshape(-1, 1)
        chance = vocabulary.counts**0.75
        drawn = np.random.default_rng(train).choice(
            len(vocabulary), (len(centres), self.negatives), p=chance / chance.sum()
        )
        return centres, np.concatenate([neighbours, drawn], 1)

    def model(self, lib: Any) -> Any:
        nn = lib.nn
        size, width = len(words(punctuation=False)[0]), self.width
        signs = [1.0] + [-1.0] * self.negatives

        class Network(nn.Module):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                super().__init__()
                self.words = nn.Embedding(size, width)
                self.contexts = nn.Embedding(size, width)
                nn.init.uniform_(self.words.weight, -0.5 / width, 0.5 / width)
                nn.init.zeros_(self.contexts.weight)
                self.register_buffer("signs", lib.tensor(signs))

            def forward(self, centres: Any, candidates: Any) -> Any:
                vectors = self.words(centres).unsqueeze(2)
                return (self.contexts(candidates) @ vectors).squeeze(2) * self.signs

        return Network()

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        return lib.optim.Adam(parameters, lr=5e-3)

    def loss(self, lib: Any, model: Any, centres: Any, candidates: Any) -> Any:
        return -lib.nn.functional.logsigmoid(model(centres, candidates)).sum(1).mean()


TASKS = {task.name: task for task in (MLP(), ConvNet(), LanguageModel(), SkipGram())}
