"""Data sets and samplers: which items, in which order."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)
from tensorgrad.errors import ShapeError
from tests.data_samples import Squares, Stream, generator, pairs

# Data sets


def test_tensor_dataset_items():
    dataset = pairs()
    assert len(dataset) == 10
    left, right = dataset[3]
    assert left.tolist() == [6, 7]
    assert right.item() == 3
    with pytest.raises(IndexError):
        dataset[10]


@pytest.mark.parametrize("shapes", [[(3, 2), (4,)], [(3,), ()], [()], []])
def test_tensor_dataset_refuses_sizes_that_differ(shapes):
    with pytest.raises(ShapeError, match=r"TensorDataset: expected tensors of one size .* got"):
        TensorDataset(*[tg.zeros(shape) for shape in shapes])


def test_subset_visits_its_indices_only():
    subset = Subset(Squares(10), [7, 2, 7])
    assert len(subset) == 3
    assert [subset[i] for i in range(3)] == [49, 4, 49]
    with pytest.raises(IndexError):
        subset[3]


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [
        ([7, 3], [7, 3]),
        ([10], [10]),
        ([0, 10], [0, 10]),
        ([0.7, 0.3], [7, 3]),
        ([0.5, 0.25, 0.25], [6, 2, 2]),
        ([1 / 3, 1 / 3, 1 / 3], [4, 3, 3]),
        ([1], [10]),
    ],
)
def test_random_split(lengths, sizes):
    parts = random_split(Squares(10), lengths, generator=generator(1))
    assert [len(part) for part in parts] == sizes
    items = [part[i] for part in parts for i in range(len(part))]
    assert sorted(items) == [i * i for i in range(10)]


def test_random_split_follows_its_seed():
    def split(seed):
        return [part.indices for part in random_split(Squares(50), [30, 20], generator(seed))]

    assert split(1) == split(1)
    assert split(1) != split(2)
    assert split(1)[0] != sorted(split(1)[0])


@pytest.mark.parametrize("lengths", [[5, 4], [5, 6], [-1, 11], [0.5, 0.6], [1.5, -0.5], [5.0, 5.0]])
def test_random_split_refuses_lengths(lengths):
    with pytest.raises(ValueError, match="random_split: expected"):
        random_split(Squares(10), lengths)


def test_data_sets_of_data_sets():
    first, second = TensorDataset(tg.arange(3)), TensorDataset(tg.arange(10, 14))
    joined = first + second
    assert isinstance(joined, ConcatDataset)
    assert [item[0].item() for item in (joined[i] for i in range(7))] == [0, 1, 2, 10, 11, 12, 13]
    assert joined[-1][0].item() == 13
    with pytest.raises(IndexError, match=r"expected an index in \[-7, 7\), got 7"):
        joined[7]
    chained = Stream(2) + Stream(3)
    assert isinstance(chained, ChainDataset)
    assert list(chained) == [0, 1, 0, 1, 2]
    assert len(chained) == 5
    stacked = StackDataset(first, TensorDataset(tg.arange(5, 8)))
    assert stacked[1][0][0].item() == 1
    assert stacked[1][1][0].item() == 6
    assert StackDataset(x=[1, 2], y="ab")[1] == {"x": 2, "y": "b"}
    with pytest.raises(AssertionError, match="ConcatDataset: expected at least one dataset"):
        ConcatDataset([])
    for make in (
        StackDataset,
        lambda: StackDataset([1], [1, 2]),
    ):
        with pytest.raises(ValueError, match="expected"):
            make()
    with pytest.raises(TypeError, match="got a stream"):
        ConcatDataset([Stream()])


# Samplers


def test_sequential_sampler():
    sampler = SequentialSampler(range(4))
    assert list(sampler) == list(sampler) == [0, 1, 2, 3]
    assert len(sampler) == 4


def test_random_sampler_visits_each_index_once():
    sampler = RandomSampler(range(100), generator=generator(3))
    first, second = list(sampler), list(sampler)
    assert len(sampler) == 100
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second
    assert first != sorted(first)
    assert all(type(index) is int for index in first)


def test_random_sampler_goes_round_for_more_samples():
    sampler = RandomSampler(range(4), num_samples=10, generator=generator(3))
    indices = list(sampler)
    assert len(sampler) == len(indices) == 10
    assert sorted(indices[:4]) == sorted(indices[4:8]) == [0, 1, 2, 3]


def test_random_sampler_with_replacement():
    sampler = RandomSampler(range(5), replacement=True, num_samples=1000, generator=generator(3))
    counts = np.bincount(list(sampler), minlength=5)
    assert counts.sum() == len(sampler) == 1000
    assert counts.size == 5
    assert counts.min() > 150  # mean 200, standard deviation 13


@pytest.mark.parametrize(("n", "num_samples"), [(0, None), (4, 0), (4, -1), (4, 2.0)])
def test_random_sampler_refuses_no_samples(n, num_samples):
    with pytest.raises(ValueError, match="expected num_samples to be a positive integer"):
        RandomSampler(range(n), num_samples=num_samples)


def test_what_pytorch_refuses_is_refused_by_the_same_classes():
    with pytest.raises(TypeError, match="expected replacement to be a bool, got 4"):
        RandomSampler(range(4), 4)
    with pytest.raises(AssertionError, match="ConcatDataset: expected at least one dataset"):
        ConcatDataset([])


@pytest.mark.parametrize("n", [0, 1, 6, 7])
def test_batch_sampler(n):
    whole = [list(range(i, i + 3)) for i in range(0, n - n % 3, 3)]
    rest = [list(range(n - n % 3, n))] if n % 3 else []
    keep = BatchSampler(SequentialSampler(range(n)), 3, drop_last=False)
    drop = BatchSampler(SequentialSampler(range(n)), 3, drop_last=True)
    assert list(keep) == whole + rest
    assert list(drop) == whole
    assert len(keep) == len(list(keep))
    assert len(drop) == len(list(drop))


@pytest.mark.parametrize("batch_size", [0, -1, 2.5, True])
def test_batch_sampler_refuses_sizes(batch_size):
    with pytest.raises(ValueError, match="expected batch_size to be a positive integer"):
        BatchSampler(range(4), batch_size, False)


def test_samplers():
    tg.manual_seed(0)
    subset = SubsetRandomSampler([3, 5, 8, 13])
    assert sorted(subset) == [3, 5, 8, 13]
    assert len({tuple(subset) for _ in range(20)}) > 5
    weighted = list(WeightedRandomSampler([0, 1, 3], 4000))
    assert set(weighted) == {1, 2}
    assert 0.7 < weighted.count(2) / 4000 < 0.8
    assert sorted(WeightedRandomSampler([1, 2, 3], 3, replacement=False)) == [0, 1, 2]
    for make in (
        lambda: WeightedRandomSampler([1.0], 0),
        lambda: WeightedRandomSampler([[1.0]], 1),
        lambda: DistributedSampler([1], 2, 2),
    ):
        with pytest.raises(ValueError, match="expected"):
            make()


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_distributed_samplers_share_the_data(shuffle, drop_last):
    ranks = [
        DistributedSampler(range(11), 3, rank, shuffle=shuffle, drop_last=drop_last)
        for rank in range(3)
    ]
    parts = [list(rank) for rank in ranks]
    assert {len(part) for part in parts} == {len(rank) for rank in ranks} == {3 if drop_last else 4}
    seen = [index for part in parts for index in part]
    assert len(set(seen)) == (9 if drop_last else 11)
    for rank in ranks:
        rank.set_epoch(1)
    assert ([list(rank) for rank in ranks] != parts) == shuffle


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("count", "replicas"), [(11, 3), (12, 3), (2, 5), (7, 1)])
def test_distributed_samplers_share_as_pytorch(count, replicas, drop_last):
    torch = pytest.importorskip("torch")
    for rank in range(replicas):
        options = {"shuffle": False, "drop_last": drop_last}
        ours = DistributedSampler(range(count), replicas, rank, **options)
        theirs = torch.utils.data.DistributedSampler(range(count), replicas, rank, **options)
        assert list(ours) == list(theirs)
        assert len(ours) == len(theirs)
