"""`x[index]` and `x[index] = value` against PyTorch: every kind of index and of value."""

import warnings

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import outcome

torch = pytest.importorskip("torch")

# Of a tensor of shape (3, 4, 5).
INDICES = {
    "number": lambda m: 1,
    "last number": lambda m: -3,
    "number outside": lambda m: 3,
    "numbers": lambda m: (0, 3, -1),
    "too many numbers": lambda m: (0, 0, 0, 0),
    "NumPy's number": lambda m: np.int64(1),
    "number in a tensor": lambda m: m.tensor(2),
    "slice": lambda m: slice(1, None),
    "slices": lambda m: (slice(None), slice(0, 4, 3), slice(-2, None)),
    "slice outside": lambda m: slice(5, 9),
    "slice that is empty": lambda m: slice(2, 1),
    "slice of tensors": lambda m: slice(m.tensor(0), m.tensor(2)),
    "slice of floats": lambda m: slice(0.5, 1),
    "slice backwards": lambda m: slice(None, None, -1),
    "slice without a step": lambda m: slice(None, None, 0),
    "None": lambda m: None,
    "Ellipsis": lambda m: (..., 0),
    "nothing": lambda m: (),
    "None, Ellipsis, number": lambda m: (None, ..., 1, None),
    "True": lambda m: True,
    "False": lambda m: False,
    "number, True": lambda m: (1, True),
    "True, tensor": lambda m: (True, m.tensor([0, 1])),
    "True in a tensor": lambda m: m.tensor(True),
    "False in a tensor": lambda m: m.tensor(False),
    "list": lambda m: [2, 0, 2],
    "list of lists": lambda m: [[0, 1], [1, 2]],
    "list and number": lambda m: [[0, 1], 1],
    "lists": lambda m: ([0, 1], [1, 2]),
    "tuples": lambda m: ((0, 1), (1, 2)),
    "list of tensors": lambda m: [m.tensor([0, 1]), m.tensor([1, 2])],
    "list of slices": lambda m: [slice(0, 1), slice(1, 2)],
    "list with None": lambda m: [None, 0],
    "list with Ellipsis": lambda m: [..., 0],
    "list of bools": lambda m: [True, False, True],
    "list of tensors in a list": lambda m: [[m.tensor(0), m.tensor(1)]],
    "empty list": lambda m: [],
    "range": lambda m: range(2),
    "array": lambda m: np.array([0, 2]),
    "array of bools": lambda m: np.array([True, False, True]),
    "empty array": lambda m: np.array([]),
    "tensor": lambda m: m.tensor([0, -1, 0]),
    "tensor outside": lambda m: m.tensor([3]),
    "tensor before": lambda m: m.tensor([-4]),
    "tensor of two dimensions": lambda m: m.tensor([[0, 1], [2, 2]]),
    "tensor without elements": lambda m: m.tensor([[], []], dtype=m.int64),
    "int32": lambda m: m.tensor([0, 2], dtype=m.int32),
    "int16": lambda m: m.tensor([0, 2], dtype=m.int16),
    "float32": lambda m: m.tensor([0.0, 2.0]),
    "tensors": lambda m: (m.tensor([0, 1]), m.tensor([1, 2])),
    "tensors that broadcast": lambda m: (m.tensor([[0], [1]]), m.tensor([0, 1, 2])),
    "tensors that do not": lambda m: (m.tensor([0, 1]), m.tensor([0, 1, 2])),
    "tensors apart": lambda m: (m.tensor([0, 1]), slice(None), m.tensor([1, 2])),
    "tensors, Ellipsis between": lambda m: (m.tensor([0, 1]), ..., m.tensor([1, 2])),
    "tensors, None between": lambda m: (m.tensor([0, 1]), None, m.tensor([1, 2])),
    "tensors, number between": lambda m: (m.tensor([1, 2]), 0, m.tensor([1, 2])),
    "None, tensor": lambda m: (None, m.tensor([0, 1])),
    "number, slice, tensor": lambda m: (0, slice(None), m.tensor([1, 2])),
    "tensor, slice, number": lambda m: (m.tensor([1, 2]), slice(None), 0),
    "mask": lambda m: m.tensor([True, False, True]),
    "mask of rows": lambda m: m.tensor([[True, False, True, False]] * 2 + [[False] * 4]),
    "mask last": lambda m: (..., m.tensor([True, False, True, False, True])),
    "mask between": lambda m: (slice(None), m.tensor([True, False, True, False])),
    "mask, tensor": lambda m: (m.tensor([True, False, True]), m.tensor([0, 1])),
    "mask too short": lambda m: m.tensor([True, False]),
    "mask of another shape": lambda m: m.tensor([[True, False]] * 3),
    "text": lambda m: "a",
}
BYTES = {
    "bytes as a mask": lambda m: m.tensor([1, 0, 1], dtype=m.uint8),
    "byte as a mask": lambda m: m.tensor(1, dtype=m.uint8),
    "array of bytes": lambda m: np.array([1, 0, 1], "uint8"),
}
VALUES = {
    "number": lambda m: 7.0,
    "whole number": lambda m: 7,
    "bool": lambda m: True,
    "complex": lambda m: 1j,
    "float64": lambda m: m.tensor(7.0, dtype=m.float64),
    "float32": lambda m: m.tensor(7.0),
    "int64": lambda m: m.tensor(7),
    "one of float64": lambda m: m.tensor([7.0], dtype=m.float64),
    "one of float32": lambda m: m.tensor([7.0]),
    "one of int64": lambda m: m.tensor([7]),
    "row": lambda m: m.arange(5, dtype=m.float64),
    "row with dimensions before": lambda m: m.ones(1, 1, 1, 5, dtype=m.float64),
    "rows": lambda m: m.ones(2, 5, dtype=m.float64),
    "seven": lambda m: m.ones(7, dtype=m.float64),
    "text": lambda m: "a",
}
X = np.arange(60.0).reshape(3, 4, 5)


def assert_same_outcome(mine, other, what):
    if isinstance(other, Exception):
        assert isinstance(mine, type(other)), f"{what}: {mine!r}, not {other!r}"
        return
    assert not isinstance(mine, Exception), f"{what}: {mine!r}"
    assert tuple(mine.shape) == tuple(other.shape), what
    np.testing.assert_array_equal(mine.numpy(), other.numpy(), err_msg=what)


def read(m, index):
    return m.tensor(X)[index(m)]


def written(m, index, value):
    x = m.tensor(X)
    x[index(m)] = value(m)
    return x


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [*INDICES, *BYTES])
def test_reading(name, backend):
    index = {**INDICES, **BYTES}[name]
    mine, other = outcome(read, tg, index), outcome(read, torch, index)
    assert_same_outcome(mine, other, name)
    if isinstance(other, torch.Tensor) and other.numel():
        shared = other.untyped_storage().size() > 0 and other._is_view()
        assert (mine._version is not None) == shared, "a view here and a copy there"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", INDICES)
def test_writing(name):
    refused = isinstance(outcome(read, torch, INDICES[name]), Exception)
    for what, value in VALUES.items():
        if refused and what != "number":
            continue  # two faults: which one is named first is nobody's business
        mine = outcome(written, tg, INDICES[name], value)
        other = outcome(written, torch, INDICES[name], value)
        assert_same_outcome(mine, other, f"x[{name}] = {what}")


def test_a_refused_write_writes_nothing():
    for index in INDICES.values():
        for value in VALUES.values():
            x = tg.tensor(X)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = outcome(x.__setitem__, index(tg), value(tg))
            if isinstance(result, Exception):
                np.testing.assert_array_equal(x.numpy(), X)


def test_a_mask_of_bytes_writes_where_it_is_not_zero(backend):
    x = tg.tensor(X)
    x[tg.tensor([1, 0, 1], dtype=tg.uint8)] = -1.0
    assert x[:, 0, 0].tolist() == [-1.0, 20.0, -1.0]
