"""One pass of word vectors over a text, a word at a time in NumPy: what the kernels of faster
backends are held against, and what backends without one run. Knows arrays of word numbers.

At each place some inputs meet some output rows. In skip-gram the inputs are the vectors of the
words around it, in CBOW their mean; where words have bags of rows, a vector is the mean of a bag.
The outputs are the word itself and words drawn as noise, the same for all of its window, or the
inner nodes on the word's path in a tree. Ji et al. 2016, https://arxiv.org/abs/1604.04661.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorgrad.text.noise import DRAWN

Array = np.ndarray[Any, Any]
Bags = tuple[Array, Array]
STATES = 1 << 64
LONGEST = 10_000  # words of a sentence that are seen together


class Draws:
    """A linear congruential generator; a draw is the upper half of its state."""

    def __init__(self, seed: int) -> None:
        self.state = seed % STATES
        self.draw()
        self.draw()

    def draw(self) -> int:
        """A number below DRAWN."""
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % STATES
        return self.state >> 32

    def below(self, count: int) -> int:
        """A number below `count`."""
        return self.draw() * count // DRAWN

    def noise(self, table: list[int]) -> int:
        """A word from an alias table's entries, taken as unsigned."""
        product = self.draw() * len(table)
        place, second = product // DRAWN, product % DRAWN
        own, other = divmod(table[place], DRAWN)
        return place if second < own else other


def places(
    tokens: Array,
    bounds: Array,
    keep: Array,
    noise: Array | None,
    paths: Array | None,
    window: int,
    negatives: int,
    seed: int,
) -> Iterator[tuple[int, list[int], Array, Array]]:
    """Of each place that is seen: where its sentence's part begins in `tokens`, the words around
    it, the output rows that they meet, and which of these are right (1) or wrong (0).
    """
    draws = Draws(seed)
    table = [] if noise is None else noise.view(np.uint64).tolist()
    shares = keep.tolist()
    pieces = [
        (place, min(place + LONGEST, end))
        for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist())
        for place in range(begin, end, LONGEST)
    ]
    for begin, end in pieces:
        words = [word for word in tokens[begin:end].tolist() if draws.draw() < shares[word]]
        for place, word in enumerate(words):
            reach = 1 + draws.below(window)
            if paths is None:
                drawn = [draws.noise(table) for _ in range(negatives)]
                rows = np.array([word, *[other for other in drawn if other != word]])
                labels = rows == word
            else:
                path = paths[word][paths[word, :, 0] >= 0]
                rows, labels = path[:, 0], path[:, 1]
            around = words[max(0, place - reach) : place] + words[place + 1 : place + reach + 1]
            if around and rows.size:
                yield begin, around, rows, labels


def train(
    tokens: Array,
    bounds: Array,
    inputs: Array,
    outputs: Array,
    keep: Array,
    noise: Array | None,
    paths: Array | None,
    window: int,
    negatives: int,
    cbow: bool,
    rates: tuple[float, float],
    seed: int,
    workers: int | None,
    bags: Bags | None,
) -> None:
    """One pass over a text, in which rows of inputs (V, P) and outputs (rows, P) learn in place.

    tokens: the words' numbers, one sentence after another; bounds (sentences + 1): where they begin
    and end. keep (V): of a word's occurrences keep / DRAWN are seen. noise: an `alias_table` of
    which `negatives` words are drawn a place, those that are the word itself left out; or paths, as
    `word_paths` gives them. window: words to either side at most; how many, from 1 on, is drawn.
    rates: of learning, at the beginning and the end. bags: where the bag of each word begins and
    ends (V + 1), and the input rows in them; None where word w has row w. A sentence is seen
    `LONGEST` words at a time.

    Updates are computed from the values before the step and added, so that a row that is met twice
    gets both; the gradient of a mean goes whole to each of its rows, as in the authors' programs.
    One worker does all, however many are asked for.
    """
    first, whole = int(bounds[0]), max(1, int(bounds[-1] - bounds[0]))
    number = inputs.dtype.type
    for begin, around, rows, labels in places(
        tokens, bounds, keep, noise, paths, window, negatives, seed
    ):
        rate = number(rates[0] + (rates[1] - rates[0]) * (begin - first) / whole)
        members = members_of(around, bags, cbow)
        a, b = np.stack([inputs[some].mean(0) for some in members]), outputs[rows]
        steps = (labels - 1 / (1 + np.exp(-a @ b.T))).astype(inputs.dtype) * rate
        for some, change in zip(members, steps @ b):
            np.add.at(inputs, some, change)
        np.add.at(outputs, rows, steps.T @ a)


def members_of(around: list[int], bags: Bags | None, cbow: bool) -> list[Array]:
    """The input rows whose means are the inputs at a place: one of all words, or one a word."""
    if bags is None:
        parts = [np.array([word]) for word in around]
    else:
        ends, rows = bags
        parts = [rows[ends[word] : ends[word + 1]] for word in around]
    return [np.concatenate(parts)] if cbow else parts


def loss(
    tokens: Array,
    bounds: Array,
    inputs: Array,
    outputs: Array,
    noise: Array | None,
    paths: Array | None,
    window: int,
    negatives: int,
    cbow: bool,
    bags: Bags | None,
) -> float:
    """The mean, over the places of a text and the inputs at each, of what `train` lessens: -sum
    over the output rows of logsigmoid(score) for the right and logsigmoid(-score) for the wrong
    ones.
    """
    total, count = 0.0, 0
    keep = np.full(int(tokens.max(initial=0)) + 1, DRAWN)
    for _, around, rows, labels in places(
        tokens, bounds, keep, noise, paths, window, negatives, seed=0
    ):
        members = members_of(around, bags, cbow)
        a = np.stack([inputs[some].mean(0, dtype=np.float64) for some in members])
        scores = a @ outputs[rows].astype(np.float64).T
        total += float(np.logaddexp(0, np.where(labels, -scores, scores)).sum())
        count += len(a)
    return total / count if count else float("nan")
