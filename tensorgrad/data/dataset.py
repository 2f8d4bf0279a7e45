"""Data sets that are indexed, and ways to cut them. Knows items, not batches being loaded.

A class whose items are slices of whole tensors may define, beside `__getitem__`,
`_batch(indices)`: the collated batch of these items, made by indexing each tensor once, or
`NotImplemented`. It must equal `default_collate([self[i] for i in indices])`. PyTorch's
`__getitems__(indices)`, a list of the items, serves those that can be read faster together.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar, cast

from tensorgrad._tensor import Tensor
from tensorgrad.errors import ShapeError
from tensorgrad.ops.sampling import randperm
from tensorgrad.random import Generator

ItemT_co = TypeVar("ItemT_co", covariant=True)


class Dataset(Generic[ItemT_co]):
    """A collection with items `dataset[0]` to `dataset[len(dataset) - 1]`.

    A subclass defines `__getitem__`, and `__len__` for the samplers that need it.
    """

    def __getitem__(self, index: int) -> ItemT_co:
        raise NotImplementedError(f"{type(self).__name__}: expected a __getitem__, got none")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset[Any]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[ItemT_co]):
    """A stream of items: a subclass defines `__iter__`. With several workers each has a copy, and
    divides the stream by `get_worker_info`.
    """

    def __iter__(self) -> Iterator[ItemT_co]:
        raise NotImplementedError(f"{type(self).__name__}: expected an __iter__, got none")

    def __add__(self, other: Any) -> Any:
        return ChainDataset([self, other])


class ConcatDataset(Dataset[ItemT_co]):
    """The items of one data set after those of another."""

    def __init__(self, datasets: Iterable[Dataset[ItemT_co]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("ConcatDataset: expected at least one dataset, got none")
        for dataset in self.datasets:
            if isinstance(dataset, IterableDataset):
                raise TypeError("ConcatDataset: expected datasets with items, got a stream")
        self.cumulative_sizes = list(accumulate(len(cast(Any, d)) for d in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> ItemT_co:
        if not -len(self) <= index < len(self):
            raise IndexError(
                f"ConcatDataset: expected an index in [{-len(self)}, {len(self)}), got {index}"
            )
        index %= len(self)
        place = bisect_right(self.cumulative_sizes, index)
        return self.datasets[place][index - (self.cumulative_sizes[place - 1] if place else 0)]


class ChainDataset(IterableDataset[ItemT_co]):
    """The items of one stream after those of another."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)

    def __iter__(self) -> Iterator[ItemT_co]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise TypeError(
                    f"ChainDataset: expected IterableDatasets, got {type(dataset).__name__}"
                )
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)


class StackDataset(Dataset[Any]):
    """Item i is the tuple of the i-th items of `datasets`, or, by keywords, a dict of them.

    Raises:
        ValueError: no data sets, or data sets of different lengths.
    """

    def __init__(self, *datasets: Any, **named: Any) -> None:
        if bool(datasets) == bool(named):
            raise ValueError(
                "StackDataset: expected datasets in order or by name, got both or none"
            )
        self.datasets: Any = datasets or named
        self.parts = list(datasets or named.values())
        if len({len(part) for part in self.parts}) > 1:
            lengths = [len(part) for part in self.parts]
            raise ValueError(f"StackDataset: expected datasets of one length, got {lengths}")

    def __len__(self) -> int:
        return len(self.parts[0])

    def __getitem__(self, index: int) -> Any:
        items = [part[index] for part in self.parts]
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, items, strict=True))
        return tuple(items)


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Item i is the tuple of the i-th slices of `tensors` along their first dimension.

    Raises:
        ShapeError: the tensors are none, 0-d, or differ in the size of the first dimension.
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        shapes = [tuple(tensor.shape) for tensor in tensors]
        if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
            got = ", ".join(map(str, shapes)) or "none"
            raise ShapeError(
                f"TensorDataset: expected tensors of one size in dimension 0, got shapes {got}"
            )
        self.tensors = tensors

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])

    def _batch(self, indices: list[int]) -> list[Tensor]:
        return [tensor[indices] for tensor in self.tensors]


class Subset(Dataset[ItemT_co]):
    """The items of `dataset` at `indices`, in that order."""

    def __init__(self, dataset: Dataset[ItemT_co], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: int) -> ItemT_co:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitems__(self, indices: list[int]) -> list[ItemT_co]:
        return fetch_items(self.dataset, [self.indices[i] for i in indices])

    def _batch(self, indices: list[int]) -> Any:
        return fetch_batch(self.dataset, [self.indices[i] for i in indices])


def fetch_batch(dataset: Dataset[Any], indices: list[int]) -> Any:
    """The dataset's own collated batch, or NotImplemented where its items must be collated."""
    if redefines(dataset, "__getitem__", "_batch"):
        return cast(Any, dataset)._batch(indices)
    return NotImplemented


def fetch_items(dataset: Dataset[Any], indices: list[int]) -> list[Any]:
    """The items, by PyTorch's `__getitems__` where the dataset has one."""
    if redefines(dataset, "__getitem__", "__getitems__"):
        return list(cast(Any, dataset).__getitems__(indices))
    return [dataset[index] for index in indices]


def redefines(owner: Any, one: str, many: str) -> bool:
    """Whether the method `many` does for several what `one` does for one: a subclass that redefines
    `one` alone is served one by one.
    """
    for cls in type(owner).__mro__:
        if many in vars(cls):
            return True
        if one in vars(cls):
            return False
    return False


def random_split(
    dataset: Dataset[ItemT_co],
    lengths: Sequence[int | float],
    generator: Generator | None = None,
) -> list[Subset[ItemT_co]]:
    """Cut `dataset` at random into disjoint subsets of the given lengths.

    Args:
        lengths: sizes that sum to `len(dataset)`, or fractions that sum to 1. Of fractions the
            sizes are rounded down, and what is left goes one by one to the first subsets.
        generator: where the random numbers come from; the default one unless given.

    Raises:
        ValueError: the lengths sum to something else, or a fraction is outside [0, 1].
    """
    total = len(cast(Any, dataset))
    sizes = _sizes_of_fractions(lengths, total) if _are_fractions(lengths) else list(lengths)
    if sum(sizes) != total or not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise ValueError(
            f"random_split: expected lengths that sum to {total} or fractions that sum to 1, "
            f"got {list(lengths)}"
        )
    order = randperm(total, generator=generator, device="cpu").tolist()
    subsets = []
    start = 0
    for size in cast(list[int], sizes):
        subsets.append(Subset(dataset, order[start : start + size]))
        start += size
    return subsets


def _are_fractions(lengths: Sequence[int | float]) -> bool:
    # As PyTorch tells them: [1] is a fraction of everything, which is the same for a length of 1.
    return math.isclose(sum(lengths), 1) and sum(lengths) <= 1


def _sizes_of_fractions(fractions: Sequence[int | float], total: int) -> list[int]:
    for fraction in fractions:
        if not 0 <= fraction <= 1:
            raise ValueError(f"random_split: expected fractions in [0, 1], got {fraction}")
    sizes = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(sizes)):
        sizes[i % len(sizes)] += 1
    return sizes
