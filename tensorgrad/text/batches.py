"""Batches of sentences of like length, so that little of a batch is padding. Knows lengths only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tensorgrad.data.sampler import Sampler
from tensorgrad.ops.sampling import randperm
from tensorgrad.random import Generator

Array = np.ndarray[Any, Any]


class LengthSampler(Sampler[list[int]]):
    """Lists of at most `batch_size` indices of items of like length: a `batch_sampler` of
    `DataLoader`.

    Shuffled, each iteration takes the items in a new random order, sorts every `pool` batches of
    them by length, cuts these into batches, and gives all batches in a random order: batches stay
    random, and yet have few lengths each. Without `shuffle` the items come from short to long.
    Within a batch they come from long to short, as packed sequences are.

    Args:
        lengths: of the items, whole numbers.
        batch_size: items of a batch.
        shuffle: as said.
        pool: batches that are sorted together. The more, the less padding and the less random.
        generator: where the random numbers come from; the default one unless given.

    Raises:
        ValueError: no items; a `batch_size` or `pool` below 1.
    """

    def __init__(
        self,
        lengths: Sequence[int] | Array,
        batch_size: int,
        shuffle: bool = True,
        pool: int = 50,
        generator: Generator | None = None,
    ) -> None:
        self.lengths = np.asarray(lengths, np.int64)
        if self.lengths.ndim != 1 or not self.lengths.size:
            raise ValueError(
                "LengthSampler: expected the lengths of some items, got shape "
                f"{list(self.lengths.shape)}"
            )
        for name, value in {"batch_size": batch_size, "pool": pool}.items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"LengthSampler: expected {name} of at least 1, got {value!r}")
        self.batch_size, self.shuffle, self.pool = batch_size, shuffle, pool
        self.generator = generator

    def __len__(self) -> int:
        """The number of batches."""
        return -(-len(self.lengths) // self.batch_size)

    def _order(self, count: int) -> Array:
        order: Array = randperm(count, generator=self.generator, device="cpu").numpy()
        return order

    def __iter__(self) -> Iterator[list[int]]:
        count, size = len(self.lengths), self.batch_size
        order = self._order(count) if self.shuffle else np.arange(count)
        wide = size * self.pool if self.shuffle else count
        batches: list[Array] = []
        for start in range(0, count, wide):
            some = order[start : start + wide]
            some = some[np.argsort(self.lengths[some], kind="stable")]
            batches += (some[place : place + size] for place in range(0, len(some), size))
        turn = self._order(len(batches)) if self.shuffle else np.arange(len(batches))
        for number in turn.tolist():
            yield batches[number][::-1].tolist()
