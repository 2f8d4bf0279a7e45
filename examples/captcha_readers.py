"""Nets that read the string in an image; captchas.py trains them.

Each takes ink (N, 1, height, width), 0 to 1; labels are the numbers of characters from 1 on, (N,
positions), and 0 behind the last one.
"""

from __future__ import annotations

from typing import Any

import tensorgrad as tg
from conv_nets import filtered
from tensorgrad import nn
from tensorgrad.text import ctc_best_path


def features(width: int) -> nn.Sequential:
    """(N, 1, height, width) to (N, 4 width, height / 16, width / 8): finer from left to right."""
    return nn.Sequential(
        filtered(1, width, size=5, stride=2),
        nn.MaxPool2d(2),
        filtered(width, 2 * width),
        nn.MaxPool2d(2),
        filtered(2 * width, 4 * width),
        filtered(4 * width, 4 * width),
        nn.MaxPool2d((2, 1)),
        nn.Flatten(1, 2),
    )


class Heads(nn.Module):
    """What stands at each position, one classifier each: images to logits (N, positions, classes).

    The hidden layer sees all columns, for where the third character is depends on the first two.
    """

    def __init__(self, classes: int, positions: int, size: tuple[int, int], width: int) -> None:
        super().__init__()
        self.shape = positions, classes
        rows, columns = (size[0] + 1) // 2 // 8, (size[1] + 1) // 2 // 4
        self.layers = nn.Sequential(
            features(width),
            nn.Flatten(),
            nn.Linear(4 * width * rows * columns, 16 * width),
            nn.ReLU(),
            nn.Linear(16 * width, positions * classes),
        )

    def forward(self, images: Any) -> Any:
        return self.layers(images).unflatten(1, self.shape)

    def loss(self, images: Any, labels: Any) -> Any:
        return nn.functional.cross_entropy(self(images).flatten(0, 1), labels.flatten())

    def read(self, images: Any) -> list[list[int]]:
        return [[label for label in row if label] for row in self(images).argmax(2).tolist()]

    def shares(self, image: Any) -> Any:
        """P(character) at each position, (positions, classes)."""
        return self(image[None])[0].softmax(1)


class Recurrent(nn.Module):
    """What each column says with those before and behind it: images to the logarithms of P(class),
    (columns, N, classes), where class 0 is "nothing new".
    """

    def __init__(self, classes: int, positions: int, size: tuple[int, int], width: int) -> None:
        super().__init__()
        self.features = features(width)
        rows = (size[0] + 1) // 2 // 8
        self.lstm = nn.LSTM(4 * width * rows, 4 * width, bidirectional=True)
        self.classifier = nn.Linear(8 * width, classes)
        # As most columns say nothing new, learning stalls where all do, so it begins elsewhere: 250
        # steps later 49 of 100 strings (three of twelve characters) were read right, else 19.
        with tg.no_grad():
            self.classifier.bias[0] = -2.0

    def forward(self, images: Any) -> Any:
        columns = self.features(images).permute(2, 0, 1)
        return self.classifier(self.lstm(columns)[0]).log_softmax(2)

    def loss(self, images: Any, labels: Any) -> Any:
        """-log P(label): the sum over all ways to stretch it over the columns."""
        scores = self(images)
        steps = tg.full((len(images),), len(scores), dtype=tg.int64)
        return nn.functional.ctc_loss(scores, labels, steps, (labels != 0).sum(1))

    def read(self, images: Any) -> list[list[int]]:
        return ctc_best_path(self(images))

    def shares(self, image: Any) -> Any:
        """P(character) at each column, (columns, classes)."""
        return self(image[None])[:, 0].exp()


READERS = {"heads": Heads, "ctc": Recurrent}
