"""What the tests of data share: data sets, streams, and what counts as the same."""

import numpy as np

import tensorgrad as tg
from tensorgrad.data import Dataset, IterableDataset, TensorDataset, get_worker_info


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


class Kinds(Dataset):
    """Items of several kinds, as deep as collation goes."""

    def __init__(self, count=23):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return {
            "square": tg.full((2, 3), float(index**2)),
            "array": np.arange(index, index + 4),
            "name": f"item {index}",
            "pair": (index, index / 2),
        }


class Stream(IterableDataset):
    def __init__(self, count=20):
        self.count = count

    def __len__(self):
        return self.count

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        yield from range(first, self.count, step)


def iter_one(loader):
    return next(iter(loader))
