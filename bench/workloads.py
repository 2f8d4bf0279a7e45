"""More workloads for `python -m bench --model ...`: what people train on a CPU, by kind.

Each is a `Task` on synthetic data: what is compared is speed, after the losses have been compared.
Networks are those of the libraries' own examples and of common papers; dropout is left out, as no
two libraries draw the same numbers. Knows neither processes nor clocks.
"""

from typing import Any

import numpy as np

from bench.models import TASKS, Array, Synthetic, Task
from bench.single_ops import ONE_OPS, Adam5M


class Classifier(Synthetic):
    """Random inputs of one shape, random classes, cross-entropy."""

    shape: tuple[int, ...]
    classes = 10

    def batch(self, random: np.random.Generator, count: int) -> tuple[Array, ...]:
        inputs = random.standard_normal((count, *self.shape), dtype=np.float32)
        return inputs, random.integers(0, self.classes, count)

    def loss(self, lib: Any, model: Any, inputs: Any, labels: Any) -> Any:
        return lib.nn.functional.cross_entropy(model(inputs), labels)


# ---- perceptrons


class TinyMLP(Synthetic):
    name = "mlp-2-16-1"
    batch_size = 32

    def batch(self, random: np.random.Generator, count: int) -> tuple[Array, ...]:
        inputs = random.uniform(-1, 1, (count, 2)).astype(np.float32)
        return inputs, (inputs[:, :1] * inputs[:, 1:]).astype(np.float32)

    def model(self, lib: Any) -> Any:
        return lib.nn.Sequential(lib.nn.Linear(2, 16), lib.nn.Tanh(), lib.nn.Linear(16, 1))

    def loss(self, lib: Any, model: Any, inputs: Any, targets: Any) -> Any:
        return lib.nn.functional.mse_loss(model(inputs), targets)


class WideMLP(Classifier):
    name = "mlp-784-512-256-10"
    batch_size = 128
    shape = (784,)
    fused: bool | None = None

    def model(self, lib: Any) -> Any:
        nn = lib.nn
        layers = nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU()
        return nn.Sequential(*layers, nn.Linear(256, 10))

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        return lib.optim.Adam(parameters, lr=1e-4, fused=self.fused)


class WideMLPFused(WideMLP):
    name = "mlp-784-fused-adam"
    fused = True


# ---- convolutions


class MnistConvNet(Classifier):
    """The network of PyTorch's MNIST example."""

    name = "mnist-convnet"
    shape = (1, 28, 28)

    def model(self, lib: Any) -> Any:
        nn = lib.nn
        features = nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)
        return nn.Sequential(
            *features, nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10)
        )

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        return lib.optim.Adam(parameters, lr=1e-4)


class Residual(Classifier):
    """Two residual blocks of 3x3 convolutions with batch norm (He et al. 2016)."""

    channels: int
    side: int

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return self.channels, self.side, self.side

    def model(self, lib: Any) -> Any:
        nn, channels = lib.nn, self.channels

        class Block(nn.Module):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                super().__init__()
                self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
                self.norm1 = nn.BatchNorm2d(channels)
                self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
                self.norm2 = nn.BatchNorm2d(channels)

            def forward(self, x: Any) -> Any:
                out = lib.relu(self.norm1(self.conv1(x)))
                return lib.relu(self.norm2(self.conv2(out)) + x)

        head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)
        return nn.Sequential(Block(), Block(), *head)


class Residual64(Residual):
    name = "residual-64x32x32"
    batch_size, channels, side = 32, 64, 32


class Residual128(Residual):
    name = "residual-128x16x16"
    batch_size, channels, side = 16, 128, 16


class WideWindows(Classifier):
    name = "conv-5x5"
    batch_size = 32
    shape = (3, 32, 32)

    def model(self, lib: Any) -> Any:
        nn = lib.nn
        first = nn.Conv2d(3, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)
        second = nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)
        return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(4096, 10))


class Strided(Classifier):
    name = "conv-strided"
    batch_size = 32
    shape = (3, 32, 32)

    def model(self, lib: Any) -> Any:
        nn = lib.nn
        first = nn.Conv2d(3, 64, 4, stride=2, padding=1), nn.LeakyReLU(0.2)
        second = nn.Conv2d(64, 128, 4, stride=2, padding=1), nn.LeakyReLU(0.2)
        return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(8192, 10))


# ---- recurrent networks


class Recurrent(Synthetic):
    """A recurrent layer over random sequences, its outputs' mean square."""

    kind = "LSTM"
    length: int
    inputs: int
    hidden: int
    layers = 1

    def batch(self, random: np.random.Generator, count: int) -> tuple[Array, ...]:
        return (random.standard_normal((count, self.length, self.inputs), dtype=np.float32),)

    def model(self, lib: Any) -> Any:
        layer = getattr(lib.nn, self.kind)
        return layer(self.inputs, self.hidden, self.layers, batch_first=True)

    def loss(self, lib: Any, model: Any, inputs: Any) -> Any:
        return (model(inputs)[0] ** 2).mean()


class LSTM64(Recurrent):
    name = "lstm-64"
    batch_size, length, inputs, hidden = 16, 100, 32, 64


class LSTM256(Recurrent):
    name = "lstm-256"
    batch_size, length, inputs, hidden = 32, 64, 128, 256


class LSTM512(Recurrent):
    name = "lstm-2x512"
    batch_size, length, inputs, hidden, layers = 32, 64, 512, 512, 2


class GRU256(Recurrent):
    name = "gru-256"
    kind = "GRU"
    batch_size, length, inputs, hidden = 32, 64, 128, 256


# ---- language


class Sequences(Synthetic):
    """The next of random tokens; cross-entropy over the vocabulary at every place."""

    unit = "tokens"
    words: int
    length: int

    def units(self, batch_size: int) -> int:
        return batch_size * self.length

    def batch(self, random: np.random.Generator, count: int) -> tuple[Array, ...]:
        tokens = random.integers(0, self.words, (count, self.length + 1))
        return tokens[:, :-1], tokens[:, 1:]

    def loss(self, lib: Any, model: Any, tokens: Any, following: Any) -> Any:
        logits = model(tokens)
        return lib.nn.functional.cross_entropy(logits.flatten(0, 1), following.flatten())


class WordModel(Sequences):
    name = "lstm-10000-words"
    batch_size, length, words = 20, 35, 10_000

    def model(self, lib: Any) -> Any:
        nn, words = lib.nn, self.words

        class Network(nn.Module):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                super().__init__()
                self.embedding = nn.Embedding(words, 200)
                self.lstm = nn.LSTM(200, 200, 2, batch_first=True)
                self.output = nn.Linear(200, words)

            def forward(self, tokens: Any) -> Any:
                return self.output(self.lstm(self.embedding(tokens))[0])

        return Network()


class GPT(Sequences):
    """Four pre-norm blocks of 128 with four heads (Radford et al. 2019)."""

    name = "gpt-4x128"
    batch_size, length, words = 16, 128, 65
    width, heads, blocks = 128, 4, 4

    def model(self, lib: Any) -> Any:
        nn, width, heads = lib.nn, self.width, self.heads
        attend = lib.nn.functional.scaled_dot_product_attention

        class Block(nn.Module):  # type: ignore[name-defined, misc]
            def __init__(self) -> None:
                super().__init__()
                self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
                self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
                self.mlp = nn.Sequential(
                    nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
                )

            def forward(self, x: Any) -> Any:
                batch, length, _ = x.shape
                parts = self.qkv(self.norm1(x)).split(width, dim=2)
                q, k, v = (p.view(batch, length, heads, -1).transpose(1, 2) for p in parts)
                mixed = attend(q, k, v, is_causal=True)
                x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
                return x + self.mlp(self.norm2(x))

        class Network(nn.Module):  # type: ignore[name-defined, misc]
            def __init__(self, task: GPT) -> None:
                super().__init__()
                self.tokens = nn.Embedding(task.words, width)
                self.places = nn.Embedding(task.length, width)
                self.blocks = nn.Sequential(*[Block() for _ in range(task.blocks)])
                self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, task.words)

            def forward(self, tokens: Any) -> Any:
                x = self.tokens(tokens) + self.places.weight
                return self.head(self.norm(self.blocks(x)))

        return Network(self)

    def optimizer(self, lib: Any, parameters: Any) -> Any:
        return lib.optim.AdamW(parameters, lr=1e-4)


class BagClassifier(Synthetic):
    name = "embedding-bag"
    words, length, width = 50_000, 64, 100

    def batch(self, random: np.random.Generator, count: int) -> tuple[Array, ...]:
        # Words by Zipf's law: a few are in most texts.
        ranks = (self.words ** random.random((count, self.length))).astype(np.int64) - 1
        return ranks, random.integers(0, 5, count)

    def model(self, lib: Any) -> Any:
        nn = lib.nn
        return nn.Sequential(
            nn.EmbeddingBag(self.words, self.width, mode="mean", sparse=True),
            nn.Linear(self.width, 5),
        )

    def loss(self, lib: Any, model: Any, texts: Any, labels: Any) -> Any:
        return lib.nn.functional.cross_entropy(model(texts), labels)


# All that `--model` can name, the four main models first.
workloads: list[Task] = [
    *[TinyMLP(), WideMLP(), WideMLPFused()],
    *[MnistConvNet(), Residual64(), Residual128(), WideWindows(), Strided()],
    *[LSTM64(), LSTM256(), LSTM512(), GRU256()],
    *[WordModel(), GPT(), BagClassifier()],
    *ONE_OPS,
    Adam5M(),
]
ALL = TASKS | {task.name: task for task in workloads}
