"""Collation: items of every kind as a batch, beside PyTorch where it is installed."""

import collections

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data import default_collate, default_convert
from tensorgrad.errors import ShapeError
from tests.data_samples import same

Point = collections.namedtuple("Point", ["x", "y"])


# Each case makes its items from a module that is `tensorgrad` or `torch`.
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
