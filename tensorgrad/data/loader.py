"""The loader: a data set, an order and a way to collate, as an iterable of batches.

Knows data sets, samplers and collation; not what the batches are used for.
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, cast

from tensorgrad.data.collate import default_collate, default_convert
from tensorgrad.data.dataset import Dataset, fetch_batch
from tensorgrad.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from tensorgrad.random import Generator


class DataLoader:
    """Iterates over `dataset` in batches; each `iter()` is one epoch, in a new order if shuffled.

    Args:
        dataset: has `__getitem__`, and `__len__` unless a sampler is given.
        batch_size: items a batch. None for no batching: items come singly, NumPy arrays in them
            turned into tensors.
        shuffle: visit the items in a new random order at each iteration.
        sampler: an iterable of indices, the order to visit items in; excludes `shuffle`.
        batch_sampler: an iterable of lists of indices, the batches; excludes `batch_size`,
            `shuffle`, `sampler` and `drop_last`.
        collate_fn: makes a batch of a list of items; `default_collate` unless given.
        drop_last: leave out a last batch of fewer than `batch_size` items.
        generator: where `shuffle` takes its random numbers; the default one unless given. One
            seed gives one series of orders.

    Raises:
        ValueError: options that exclude each other, a `batch_size` that is not positive, or
            `shuffle` over no items.
    """

    def __init__(
        self,
        dataset: Dataset[Any],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[list[Any]] | None = None,
        *,
        collate_fn: Callable[[Any], Any] | None = None,
        drop_last: bool = False,
        generator: Generator | None = None,
    ) -> None:
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: expected sampler or shuffle, got both")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "DataLoader: expected batch_sampler alone, "
                    "got batch_size, shuffle, sampler or drop_last with it"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError("DataLoader: expected a batch_size for drop_last, got None")
        items = cast(Sized, dataset)
        if sampler is None:
            if shuffle:
                sampler = RandomSampler(items, generator=generator)
            else:
                sampler = SequentialSampler(items)
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn
        self.generator = generator

    def __iter__(self) -> Iterator[Any]:
        if self.batch_sampler is None:
            return (self.collate_fn(self.dataset[index]) for index in self.sampler)
        return (self._load(indices) for indices in self.batch_sampler)

    def __len__(self) -> int:
        return len(cast(Sized, self.sampler if self.batch_sampler is None else self.batch_sampler))

    def _load(self, indices: list[Any]) -> Any:
        if self.collate_fn is default_collate:
            batch = fetch_batch(self.dataset, list(indices))
            if batch is not NotImplemented:
                return batch
        return self.collate_fn([self.dataset[index] for index in indices])
