"""Data small enough to watch: points of the plane between -1 and 1, and the bundled digits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import tensorgrad as tg
from tensorgrad import nn

POINTS = 250  # in the training set, and as many in the test set
Points = tuple[tg.Tensor, tg.Tensor]


@dataclasses.dataclass(frozen=True)
class Problem:
    """Inputs and targets, float32 (N, inputs) and: `binary` float32 (N,) of 0 and 1; `classes`
    int64 (N,); `regression` float32 (N,).
    """

    kind: str
    train: Points
    test: Points
    outputs: int

    @property
    def inputs(self) -> int:
        return self.train[0].shape[1]

    def loss(self, output: tg.Tensor, target: tg.Tensor) -> tg.Tensor:
        """The mean over the examples of: `binary`, with p = 1/(1 + e^-z),
        -y log p - (1 - y) log(1 - p); `classes`, -log of the softmax at the class; `regression`,
        (z - y)^2.
        """
        if self.kind == "classes":
            return nn.functional.cross_entropy(output, target)
        if self.kind == "binary":
            return nn.functional.binary_cross_entropy_with_logits(output[:, 0], target)
        return nn.functional.mse_loss(output[:, 0], target)

    def right(self, output: tg.Tensor, target: tg.Tensor) -> float | None:
        """The share of examples whose class was found; None where there are no classes."""
        if self.kind == "regression":
            return None
        if self.kind == "classes":
            return float((output.argmax(1) == target).float().mean())
        return float(((output[:, 0] > 0) == (target > 0.5)).float().mean())


def _spirals(count: int) -> Points:
    label = (tg.arange(count) % 2).float()
    radius = 0.08 + 0.9 * tg.rand(count).sqrt()
    angle = 1.15 * 2 * math.pi * radius + math.pi * label
    return tg.stack([radius * angle.sin(), radius * angle.cos()], 1), label


def _circles(count: int) -> Points:
    label = (tg.arange(count) % 2).float()
    radius = 0.45 * tg.rand(count).sqrt() * label + (0.65 + 0.3 * tg.rand(count)) * (1 - label)
    angle = 2 * math.pi * tg.rand(count)
    return tg.stack([radius * angle.cos(), radius * angle.sin()], 1), label


def _xor(count: int) -> Points:
    place = tg.rand(count, 2) * 1.8 - 0.9
    place = place + 0.08 * place.sign()  # a gap between the quarters
    return place, (place[:, 0] * place[:, 1] > 0).float()


def _clouds(count: int) -> Points:
    label = (tg.arange(count) % 2).float()
    return (0.45 * (2 * label - 1))[:, None] + 0.16 * tg.randn(count, 2), label


def _bumps(count: int) -> Points:
    place = tg.rand(count, 2) * 2 - 1
    height = tg.zeros(count)
    for x, y, sign in [(-0.5, 0.5, 1), (0.5, 0.5, -1), (-0.5, -0.5, -1), (0.5, -0.5, 1)]:
        square = (place[:, 0] - x) ** 2 + (place[:, 1] - y) ** 2
        height = height + sign * tg.exp(-6 * square)
    return place, height


PROBLEMS: dict[str, tuple[str, Callable[[int], Points] | None]] = {
    "spirals": ("binary", _spirals),
    "circles": ("binary", _circles),
    "xor": ("binary", _xor),
    "clouds": ("binary", _clouds),
    "bumps": ("regression", _bumps),
    "digits": ("classes", None),
}


def make(name: str, noise: float) -> Problem:
    """The problem of this name, its inputs with Gaussian noise of this standard deviation."""
    kind, points = PROBLEMS[name]
    if points is None:
        sets = [tg.datasets.digits(train=train) for train in (True, False)]
        parts = [(tg.tensor(x).flatten(1), tg.tensor(y)) for x, y in sets]
    else:
        parts = [points(POINTS) for _ in range(2)]
    train, test = [(x + noise * tg.randn(*x.shape), y) for x, y in parts]
    return Problem(kind, train, test, outputs=10 if kind == "classes" else 1)
