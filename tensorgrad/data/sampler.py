"""The order in which a loader visits a data set. Knows indices only, never an item."""

import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Generic, TypeVar

from tensorgrad.ops.creation import as_tensor
from tensorgrad.ops.sampling import multinomial, randint, randperm
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
        TypeError: `replacement` is no bool.
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
        if not isinstance(replacement, bool):
            raise TypeError(
                f"RandomSampler: expected replacement to be a bool, got {replacement!r}"
            )
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


class SubsetRandomSampler(Sampler[int]):
    """The given indices, in a new random order at each iteration."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for place in randperm(len(self.indices), generator=self.generator, device="cpu").tolist():
            yield self.indices[place]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """`num_samples` indices drawn in proportion to `weights`, which need not sum to 1.

    Raises:
        ValueError: `num_samples` is not a positive integer, or the weights are no vector.
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(
                f"WeightedRandomSampler: expected num_samples to be a positive integer, got "
                f"{num_samples}"
            )
        if not isinstance(replacement, bool):
            raise ValueError(
                f"WeightedRandomSampler: expected replacement to be a bool, got {replacement}"
            )
        self.weights = as_tensor(weights).double()
        if self.weights.ndim != 1:
            raise ValueError(
                f"WeightedRandomSampler: expected a vector of weights, got shape "
                f"{list(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        drawn = multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index from `rank` on, of an order that all ranks share.

    The order is that of `seed` + epoch (`set_epoch`), or 0, 1, ... without `shuffle`. All ranks get
    as many: indices are repeated from the start, or with `drop_last` left out at the end.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        self.num_replicas = 1 if num_replicas is None else num_replicas
        self.rank = 0 if rank is None else rank
        if not 0 <= self.rank < self.num_replicas:
            raise ValueError(
                f"DistributedSampler: expected a rank in [0, {self.num_replicas}), got {self.rank}"
            )
        self.dataset = dataset
        self.shuffle = shuffle
        self.seed = seed
        self.drop_last = drop_last
        self.epoch = 0

    def __len__(self) -> int:
        count = len(self.dataset)
        if self.drop_last:
            return count // self.num_replicas
        return math.ceil(count / self.num_replicas)

    def __iter__(self) -> Iterator[int]:
        count = len(self.dataset)
        order = list(range(count))
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            order = randperm(count, generator=generator, device="cpu").tolist()
        wanted = len(self) * self.num_replicas
        while len(order) < wanted:
            order += order[: wanted - len(order)]
        return iter(order[self.rank : wanted : self.num_replicas])

    def set_epoch(self, epoch: int) -> None:
        """The epoch whose order comes next."""
        self.epoch = epoch


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
