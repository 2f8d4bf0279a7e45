"""Data sets, samplers, collation and the loader, and beside PyTorch where it is installed."""

import collections

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
    default_convert,
    random_split,
)
from tensorgrad.errors import ShapeError

Point = collections.namedtuple("Point", ["x", "y"])


class Squares(Dataset):
    """Item i is i squared, for i below n."""

    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if not 0 <= index < self.n:
            raise IndexError(index)
        return index * index


def generator(seed):
    return tg.Generator().manual_seed(seed)


def visited(loader):
    return [value for batch in loader for value in batch.tolist()]


def pairs(n=10):
    return TensorDataset(tg.arange(2 * n).reshape(n, 2), tg.arange(n))


def same(left, right):
    """The two have one structure, and tensors of the same dtype, shape and values."""
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)):
        return type(left).__name__ == type(right).__name__ and all(map(same, left, right))
    if hasattr(left, "dtype") or hasattr(right, "dtype"):
        a, b = left.numpy(), right.numpy()
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
    return type(left) is type(right) and left == right


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


# Collation: each case makes its items from a module that is `tensorgrad` or `torch`


COLLATE_CASES = {
    "tensors": lambda m: [m.arange(6).reshape(2, 3), m.arange(6).reshape(2, 3) + 1],
    "0-d tensors": lambda m: [m.tensor(1.5), m.tensor(2.5), m.tensor(3.5)],
    "0-size tensors": lambda m: [m.zeros((0, 3)), m.zeros((0, 3))],
    "float16": lambda m: [m.zeros(2, dtype=m.float16), m.ones(2, dtype=m.float16)],
    "bool tensors": lambda m: [m.tensor([True, False]), m.tensor([False, False])],
    "arrays": lambda m: [np.arange(4, dtype=np.int16), np.arange(4, dtype=np.int16)],
    "float64 arrays": lambda m: [np.ones((2, 2)), np.zeros((2, 2))],
    "0-d arrays": lambda m: [np.array(1.5), np.array(2.5)],
    "array scalars": lambda m: [np.float32(1.5), np.float32(2.5)],
    "float64 scalars": lambda m: [np.float64(1.5), np.float64(2.5)],
    "ints": lambda m: [1, 2, 3],
    "bools": lambda m: [True, False],
    "floats": lambda m: [0.1, 0.2],
    "strings": lambda m: ["a", "bc"],
    "bytes": lambda m: [b"a", b"bc"],
    "tuples": lambda m: [(m.zeros(2), 1), (m.ones(2), 2)],
    "lists": lambda m: [[1, 2.0], [3, 4.0]],
    "named tuples": lambda m: [Point(m.zeros(2), 1), Point(m.ones(2), 2)],
    "dicts": lambda m: [{"a": 1, "b": [m.ones(1)]}, {"a": 2, "b": [m.zeros(1)]}],
    "deep": lambda m: [({"a": (1, "x")}, [Point(0.5, True)]), ({"a": (2, "y")}, [Point(1, False)])],
    "one item": lambda m: [(m.zeros(2), 1)],
}


@pytest.mark.parametrize("name", COLLATE_CASES)
def test_default_collate_as_pytorch(name):
    torch = pytest.importorskip("torch")
    ours = default_collate(COLLATE_CASES[name](tg))
    theirs = torch.utils.data.default_collate(COLLATE_CASES[name](torch))
    assert same(ours, theirs)


def test_default_collate():
    items = [(np.zeros(2, np.float32), 1, "a"), (np.ones(2, np.float32), 2, "b")]
    images, labels, names = default_collate(items)
    assert images.dtype == tg.float32
    assert images.tolist() == [[0.0, 0.0], [1.0, 1.0]]
    assert labels.dtype == tg.int64
    assert labels.tolist() == [1, 2]
    assert list(names) == ["a", "b"]


def test_default_collate_copies_arrays():
    array = np.zeros(2)
    batch = default_collate([array])
    array[:] = 1
    assert batch.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("items", "error", "message"),
    [
        ([np.zeros(2), np.zeros(3)], ShapeError, "arrays of one shape"),
        ([[1, 2], [3]], ShapeError, r"sequences of one length, got lengths \[1, 2\]"),
        ([np.array(["a"])], TypeError, "arrays of numbers, got <U1"),
        ([None, None], TypeError, "got <class 'NoneType'>"),
        ([{1}, {2}], TypeError, "got <class 'set'>"),
    ],
)
def test_default_collate_refuses(items, error, message):
    with pytest.raises(error, match=f"^default_collate: expected .*{message}"):
        default_collate(items)


def test_default_collate_refuses_tensors_of_different_shapes():
    with pytest.raises(ShapeError):
        default_collate([tg.zeros(2), tg.zeros(3)])


def test_default_convert_as_pytorch():
    torch = pytest.importorskip("torch")
    item = {"a": np.arange(3), "b": (1, "x", [np.float32(0.5)]), "c": Point(np.ones(2), None)}
    assert same(default_convert(item), torch.utils.data.default_convert(item))


# The loader


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 5, 10, 11])
def test_loader_visits_in_order(batch_size, drop_last):
    loader = DataLoader(Squares(10), batch_size=batch_size, drop_last=drop_last)
    batches = [batch.tolist() for batch in loader]
    kept = 10 // batch_size * batch_size if drop_last else 10
    assert [value for batch in batches for value in batch] == [i * i for i in range(kept)]
    assert len(loader) == len(batches)
    assert all(len(batch) == batch_size for batch in batches[:-1])


def test_loader_shuffles_anew_each_epoch():
    loader = DataLoader(Squares(50), batch_size=8, shuffle=True, generator=generator(5))
    first, second = visited(loader), visited(loader)
    assert sorted(first) == sorted(second) == [i * i for i in range(50)]
    assert first != second


def test_one_seed_gives_one_series_of_orders():
    def two_epochs(seed):
        loader = DataLoader(Squares(50), batch_size=8, shuffle=True, generator=generator(seed))
        return visited(loader) + visited(loader)

    assert two_epochs(5) == two_epochs(5)
    assert two_epochs(5) != two_epochs(6)


def test_shuffling_follows_manual_seed():
    def epoch(seed):
        tg.manual_seed(seed)
        return visited(DataLoader(Squares(50), batch_size=8, shuffle=True))

    assert epoch(5) == epoch(5)
    assert epoch(5) != epoch(6)


def test_a_generator_of_its_own_leaves_the_default_one_alone():
    tg.manual_seed(0)
    before = tg.get_rng_state()
    visited(DataLoader(Squares(50), shuffle=True, generator=generator(5)))
    assert same(tg.get_rng_state(), before)


def test_state_of_the_generator_resumes_the_orders():
    loader_generator = generator(5)
    loader = DataLoader(Squares(50), shuffle=True, generator=loader_generator)
    visited(loader)
    state = loader_generator.get_state()
    second = visited(loader)
    resumed = tg.Generator()
    resumed.set_state(state)
    assert visited(DataLoader(Squares(50), shuffle=True, generator=resumed)) == second


@pytest.mark.parametrize("dataset", [pairs(), Subset(pairs(20), range(19, 9, -1))])
def test_batches_by_index_equal_batches_item_by_item(dataset):
    fast = DataLoader(dataset, 4, sampler=[3, 1, 4, 1, 5, 9, 2])
    slow = DataLoader(
        dataset, 4, sampler=[3, 1, 4, 1, 5, 9, 2], collate_fn=lambda items: default_collate(items)
    )
    assert same(list(fast), list(slow))
    assert [len(batch[0]) for batch in fast] == [4, 3]


def test_batches_by_index_read_each_tensor_once():
    class Counted:
        shape = (10, 2)

        def __init__(self):
            self.reads = []

        def __getitem__(self, index):
            self.reads.append(index)
            return tg.zeros(2)

    tensor = Counted()
    for _ in DataLoader(TensorDataset(tensor), batch_size=5):
        pass
    assert tensor.reads == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_a_dataset_that_redefines_items_gets_its_own_items():
    class Doubled(TensorDataset):
        def __getitem__(self, index):
            return super().__getitem__(index)[0] * 2

    dataset = Doubled(tg.arange(6))
    assert visited(DataLoader(dataset, batch_size=4)) == [0, 2, 4, 6, 8, 10]
    assert visited(DataLoader(Subset(dataset, [5, 1]), batch_size=4)) == [10, 2]


class Together(Squares):
    """Items that are asked for together."""

    def __init__(self, n):
        super().__init__(n)
        self.asked = []

    def __getitems__(self, indices):
        self.asked.append(indices)
        return [self[index] for index in indices]


def test_getitems_of_pytorch():
    dataset = Together(6)
    assert visited(DataLoader(dataset, 4)) == [0, 1, 4, 9, 16, 25]
    assert dataset.asked == [[0, 1, 2, 3], [4, 5]]
    subset = Subset(Subset(dataset, [5, 4, 1]), [2, 0])
    assert visited(DataLoader(subset, 2)) == [1, 25]
    assert subset.__getitems__([1]) == [25]
    assert dataset.asked[2:] == [[1, 5], [5]]

    class Doubled(Together):
        def __getitem__(self, index):
            return 2 * super().__getitem__(index)

    doubled = Doubled(3)
    assert visited(DataLoader(doubled, 3)) == [0, 2, 8]
    assert doubled.asked == []


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_batch_sampler_of_any_kind_of_list(kind):
    loader = DataLoader(pairs(), batch_sampler=[kind([1, 2]), kind([3])])
    assert [batch[1].tolist() for batch in loader] == [[1, 2], [3]]
    assert [batch[0].tolist() for batch in loader] == [[[2, 3], [4, 5]], [[6, 7]]]
    assert len(loader) == 2


def test_a_bad_index_of_a_sampler_is_an_index_error():
    with pytest.raises(IndexError):
        list(DataLoader(pairs(), sampler=[3, 10]))


def test_collate_fn_gets_the_items():
    loader = DataLoader(Squares(4), batch_size=3, collate_fn=lambda items: items)
    assert list(loader) == [[0, 1, 4], [9]]


def test_no_batching():
    dataset = [(np.arange(2), "a"), (np.arange(3), "b")]
    loader = DataLoader(dataset, batch_size=None)
    assert len(loader) == 2
    arrays, names = zip(*loader, strict=True)
    assert [array.tolist() for array in arrays] == [[0, 1], [0, 1, 2]]
    assert names == ("a", "b")


def test_any_sequence_is_a_dataset():
    assert visited(DataLoader([3.0, 1.0], batch_size=2)) == [3.0, 1.0]
    assert list(DataLoader([], batch_size=2)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"sampler": [0], "shuffle": True},
        {"batch_sampler": [[0]], "batch_size": 2},
        {"batch_sampler": [[0]], "shuffle": True},
        {"batch_sampler": [[0]], "sampler": [0]},
        {"batch_sampler": [[0]], "drop_last": True},
        {"batch_size": None, "drop_last": True},
        {"batch_size": 0},
    ],
)
def test_loader_refuses_options_that_exclude_each_other(arguments):
    with pytest.raises(ValueError, match="expected"):
        DataLoader(Squares(4), **arguments)
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"\w"):
        torch.utils.data.DataLoader(Squares(4), **arguments)


def test_options_of_a_loader_that_are_set_later():
    loader = DataLoader(Squares(5), batch_size=2)
    for name in ("batch_size", "dataset", "drop_last", "sampler", "batch_sampler"):
        with pytest.raises(ValueError, match=f"expected {name} to stay"):
            setattr(loader, name, None)
    loader.collate_fn = len
    assert list(loader) == [2, 2, 1]


def test_gradients_reach_the_tensors_of_a_dataset():
    weights = tg.ones(4, requires_grad=True)
    for (batch,) in DataLoader(TensorDataset(weights), batch_size=2, sampler=[3, 0, 3]):
        (batch * batch).sum().backward()
    assert weights.grad.tolist() == [2.0, 0.0, 0.0, 4.0]
