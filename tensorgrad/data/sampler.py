"""The order in which a loader visits a data set. Knows indices only, never an item."""

from collections.abc import Iterable, Iterator, Sized
from typing import Generic, TypeVar

from tensorgrad.ops.sampling import randint, randperm
from tensorgrad.random import Generator

IndexT_co = TypeVar("IndexT_co", covariant=True)


class Sampler(Generic[IndexT_co]):
    """Iterates over indices, or over lists of them; each `iter()` is one epoch."""

    def __iter__(self) -> Iterator[IndexT_co]:
        raise NotImplementedError(f"{type(self).__name__}: expected an __iter__, got none")


class SequentialSampler(Sampler[int]):
    """0, 1, ..., len(data_source) - 1."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A new random order at each iteration.

    Args:
        data_source: only its length counts.
        replacement: draw every index independently. Without it all are visited, and visited again
            in another order where `num_samples` asks for more.
        num_samples: how many indices an iteration gives; `len(data_source)` unless given.
        generator: where the random numbers come from; the default one unless given. The orders
            of successive iterations follow from its seed.

    Raises:
        ValueError: `num_samples`, or the length that stands for it, is not a positive integer.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                f"RandomSampler: expected num_samples to be a positive integer, "
                f"got {self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n = len(self.data_source)
        left = self.num_samples
        if self.replacement:
            drawn = randint(0, n, (left,), generator=self.generator, device="cpu")
            yield from drawn.tolist()
            return
        while left > 0:
            order = randperm(n, generator=self.generator, device="cpu").tolist()
            yield from order[:left]
            left -= n

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` successive indices of `sampler`; the last may be shorter.

    With `drop_last` a shorter last one is left out.

    Raises:
        ValueError: `batch_size` is not a positive integer.
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(
                f"BatchSampler: expected batch_size to be a positive integer, got {batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"BatchSampler: expected drop_last to be a bool, got {drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]  # as long as its sampler has a length
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)
