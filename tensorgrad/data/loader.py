"""The loader: a data set, an order and a way to collate, as an iterable of batches.

Knows data sets, samplers and collation; not what the batches are used for. What happens in other
processes is in data/workers.py.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import partial
from typing import Any, cast

from tensorgrad.data.collate import default_collate, default_convert
from tensorgrad.data.dataset import Dataset, IterableDataset, fetch_batch, fetch_items
from tensorgrad.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from tensorgrad.data.workers import START_METHODS, Pool
from tensorgrad.detours import shown
from tensorgrad.random import Generator, default_generator

Collate = Callable[[Any], Any]

READ = "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"  # in a profile
# What the order of the batches was made from.
_MADE_FROM = {
    "batch_sampler",
    "batch_size",
    "dataset",
    "drop_last",
    "persistent_workers",
    "sampler",
}


@shown(READ)
def fetch(collate: Collate, dataset: Any, index: Any) -> Any:
    """One item, converted."""
    return collate(dataset[index])


@shown(READ)
def fetch_many(collate: Collate, dataset: Any, indices: list[Any]) -> Any:
    """One batch of a data set with items."""
    indices = list(indices)
    if collate is default_collate:
        batch = fetch_batch(dataset, indices)
        if batch is not NotImplemented:
            return batch
    return collate(fetch_items(dataset, indices))


@shown(READ)
def fetch_next(collate: Collate, size: int | None, drop_last: bool, stream: Any, _: Any) -> Any:
    """The next batch of a stream, or item where `size` is None; StopIteration at its end."""
    if size is None:
        return collate(next(stream))
    items = list(itertools.islice(stream, size))
    if not items or (drop_last and len(items) < size):
        raise StopIteration
    return collate(items)


class DataLoader:
    """Iterates over `dataset` in batches; each `iter()` is one epoch, in a new order if shuffled.

    Args:
        dataset: has `__getitem__`, and `__len__` unless a sampler is given; or an IterableDataset.
        batch_size: items a batch. None for no batching: items come singly, NumPy arrays in them
            turned into tensors.
        shuffle: visit the items in a new random order at each iteration.
        sampler: an iterable of indices, the order to visit items in; excludes `shuffle`.
        batch_sampler: an iterable of lists of indices, the batches; excludes `batch_size`,
            `shuffle`, `sampler` and `drop_last`.
        num_workers: processes that make batches ahead; 0 for none, batches made when asked for.
            They are started anew, so a script keeps its own work under `if __name__ ==
            "__main__":`, and what they use can be pickled. The order of batches does not change.
        collate_fn: makes a batch of a list of items; `default_collate` unless given.
        pin_memory: accepted, and changes nothing: on its way to a GPU every array passes through
            page-locked memory that CuPy keeps for that, pinned or not.
        drop_last: leave out a last batch of fewer than `batch_size` items.
        timeout: seconds to wait for a worker's batch; 0 for ever.
        worker_init_fn: called in each worker with its number, after it was seeded.
        multiprocessing_context: "spawn" or "forkserver", or such a context of `multiprocessing`.
            "fork" is refused: locks that the threads of this process hold would stay locked.
        generator: where `shuffle` takes its random numbers; the default one unless given. One
            seed gives one series of orders.
        prefetch_factor: batches that each worker makes ahead; 2 unless given.
        persistent_workers: keep the processes from one epoch to the next.
        in_order: with False a batch of a worker that is ready does not wait for those before it.

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
        num_workers: int = 0,
        collate_fn: Collate | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        stream = isinstance(dataset, IterableDataset)
        if not stream and not hasattr(dataset, "__getitem__"):
            raise TypeError(
                f"DataLoader: expected a data set with items, got {type(dataset).__name__}"
            )
        if collate_fn is not None and not callable(collate_fn):
            raise TypeError(
                f"DataLoader: expected a function as collate_fn, got {type(collate_fn).__name__}"
            )
        if generator is not None and not isinstance(generator, Generator):
            raise TypeError(f"DataLoader: expected a Generator, got {type(generator).__name__}")
        check_workers(num_workers, prefetch_factor, persistent_workers, timeout)
        check_context(num_workers, multiprocessing_context)
        if sampler is not None and shuffle:
            raise ValueError("DataLoader: expected sampler or shuffle, got both")
        if stream and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError(
                "DataLoader: expected a stream without shuffle, sampler and batch_sampler, got one"
            )
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
        if stream:
            sampler = itertools.repeat(None)
            if batch_size is not None:
                BatchSampler(sampler, batch_size, drop_last)  # checks its options
        elif sampler is None:
            if shuffle:
                sampler = RandomSampler(items, generator=generator)
            else:
                sampler = SequentialSampler(items)
        batched = batch_size is not None or batch_sampler is not None
        if batch_size is not None and not stream:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_collate if batched else default_convert
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn
        self.generator = generator
        self.num_workers = num_workers
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._epochs = 0
        self._position = 0
        self._ahead: set[int] = set()  # numbers behind it of batches that were handed out
        self._start: Any = None
        self._resume: dict[str, Any] | None = None
        self._pool: Pool | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _MADE_FROM and "_pool" in self.__dict__:
            raise ValueError(f"DataLoader: expected {name} to stay as it was given, got {value!r}")
        super().__setattr__(name, value)

    def _fetcher(self) -> Any:
        """What makes a batch of the data set and what the order asks for."""
        if isinstance(self.dataset, IterableDataset):
            return partial(fetch_next, self.collate_fn, self.batch_size, self.drop_last)
        return partial(fetch if self.batch_sampler is None else fetch_many, self.collate_fn)

    @property
    def _order(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __iter__(self) -> Iterator[Any]:
        generator = self.generator or default_generator
        now = generator.get_state()
        resume, self._resume = self._resume, None
        order = iter(self._order)
        skipped, ahead = 0, set()
        if resume is not None:
            generator.set_state(resume["start"])
            order, skipped = iter(list(order)), resume["position"]
            ahead = {*resume.get("ahead", ())}
            generator.set_state(now)
            now = resume["start"]
            next(itertools.islice(order, skipped, skipped), None)
        self._start, self._position, self._ahead = now, skipped, ahead
        self._epochs += 1
        # Numbers of the batches that are left, in the order in which they are asked for.
        numbers = (number for number in itertools.count(skipped) if number not in ahead)
        left = (indices for number, indices in enumerate(order, skipped) if number not in ahead)
        return self._count(self._batches(left, generator), numbers)

    def _count(self, batches: Iterator[tuple[int, Any]], numbers: Iterator[int]) -> Iterator[Any]:
        """The batches, noting which have been handed out."""
        epoch = self._epochs
        known: list[int] = []
        for place, batch in batches:
            if self._epochs == epoch:
                while len(known) <= place:
                    known.append(next(numbers))
                self._ahead.add(known[place])
                while self._position in self._ahead:
                    self._ahead.remove(self._position)
                    self._position += 1
            yield batch
        if self._epochs == epoch:
            self._start, self._position, self._ahead = None, 0, set()

    def _batches(self, order: Iterator[Any], generator: Generator) -> Iterator[tuple[int, Any]]:
        """Each batch with its place among those that `order` asks for."""
        if not self.num_workers:
            stream = isinstance(self.dataset, IterableDataset)
            source = iter(self.dataset) if stream else self.dataset
            make = self._fetcher()
            for place, indices in enumerate(order):
                try:
                    batch = make(source, indices)
                except StopIteration:
                    if not stream:
                        raise
                    return
                yield place, batch
            return
        pool = self._pool or self._new_pool(generator)
        try:
            yield from pool.batches(order)
        finally:
            if not self.persistent_workers or not pool.processes:
                pool.close()
                self._pool = None

    def _new_pool(self, generator: Generator) -> Pool:
        seed, position = generator.position()
        pool = Pool(
            self.dataset,
            self._fetcher(),
            self.num_workers,
            # Of the generator, and another in each epoch; nothing is drawn from it, so that the
            # order does not depend on the number of workers.
            seed=(seed + 1_000_003 * (position + self._epochs)) % 2**63,
            init=self.worker_init_fn,
            context=self.multiprocessing_context,
            prefetch=self.prefetch_factor or 2,
            timeout=self.timeout,
            in_order=self.in_order,
        )
        if self.persistent_workers:
            self._pool = pool
            weakref.finalize(self, pool.close)
        return pool

    def __len__(self) -> int:
        """The number of batches; of a stream by the length that it claims."""
        if not isinstance(self.dataset, IterableDataset):
            return len(cast(Sized, self._order))
        count = len(cast(Sized, self.dataset))
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    # ---- the position in an epoch

    def state_dict(self) -> dict[str, Any]:
        """Where the present epoch stands: how its order was drawn, and how many batches were handed
        out; where batches come as they are ready, also which came ahead of others.
        """
        start = self._start if self._start is not None else self._now()
        state = {"start": start, "position": self._position}
        return {**state, "ahead": sorted(self._ahead)} if self._ahead else state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Let the next `iter()` go on behind the batches that had been handed out. Random numbers
        are drawn as if the epoch had begun here; the generator's own state is not changed.
        """
        if isinstance(self.dataset, IterableDataset):
            raise TypeError("load_state_dict: expected a data set with items, got a stream")
        self._resume = dict(state_dict)

    def _now(self) -> Any:
        return (self.generator or default_generator).get_state()


def check_workers(count: int, prefetch: int | None, persistent: bool, timeout: float) -> None:
    if not isinstance(count, int):
        raise TypeError(f"DataLoader: expected a whole number of workers, got {count!r}")
    if count < 0:
        raise ValueError(f"DataLoader: expected num_workers >= 0, got {count}")
    if timeout < 0:
        raise ValueError(f"DataLoader: expected timeout >= 0, got {timeout}")
    if not count and prefetch is not None:
        raise ValueError("DataLoader: expected prefetch_factor with workers only, got it without")
    if prefetch is not None and prefetch < 1:
        raise ValueError(f"DataLoader: expected prefetch_factor >= 1, got {prefetch}")
    if not count and persistent:
        raise ValueError("DataLoader: expected workers for persistent_workers, got none")


def check_context(count: int, context: Any) -> None:
    if context is None:
        return
    if not count:
        raise ValueError(
            "DataLoader: expected workers for multiprocessing_context, got num_workers=0"
        )
    method = context if isinstance(context, str) else context.get_start_method()
    if method not in START_METHODS:
        raise ValueError(
            f"DataLoader: expected a multiprocessing_context of {' or '.join(START_METHODS)}, "
            f"got {method!r}"
        )
