"""Bags of rows, the rows that are named, and steps of these: against what they replace."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.errors import IndexRangeError
from tensorgrad.kernels.numba import optimizers

DTYPES = [np.float32, np.float64]
INDEX = np.array([5, 2, 2, 9, 0, 5, 5, 3])
OFFSETS = np.array([0, 3, 3, 4])  # the second bag is empty


def trained(backend, make, dtype, padding_idx, mean, steps=3):
    """A table after some steps on its sparse gradient."""
    with tg.use_backend(backend):
        start = np.random.default_rng(0).standard_normal((12, 5)).astype(dtype)
        bag = tg.nn.EmbeddingBag(
            12, 5, mode="mean" if mean else "sum", sparse=True, padding_idx=padding_idx,
            _weight=tg.tensor(start),
        )  # fmt: skip
        optimizer = make([bag.weight])
        for step in range(steps):
            optimizer.zero_grad()
            found = bag(tg.tensor((INDEX + step) % 12), tg.tensor(OFFSETS))
            (found * found).sum().backward()
            assert bag.weight.grad.is_sparse
            optimizer.step()
        return bag.weight.detach().numpy()


OPTIMIZERS = {
    "SGD": lambda params: tg.optim.SGD(params, lr=0.1),
    "SGD, momentum": lambda params: tg.optim.SGD(params, lr=0.1, momentum=0.9),
    "Adagrad": lambda params: tg.optim.Adagrad(params, lr=0.1),
    "SparseAdam": lambda params: tg.optim.SparseAdam(params, lr=0.1),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("padding_idx", [None, 2, 11])
@pytest.mark.parametrize("dtype", DTYPES)
def test_sparse_training_is_the_reference_s(make, mean, padding_idx, dtype):
    mine = trained("numba", make, dtype, padding_idx, mean)
    wanted = trained("numpy", make, dtype, padding_idx, mean)
    np.testing.assert_allclose(mine, wanted, rtol=100 * np.finfo(dtype).eps)


def test_steps_of_rows_are_compiled(monkeypatch):
    served = []
    kernel = optimizers.step_rows

    def watched(*arguments):
        served.append(kernel(*arguments))
        return served[-1]

    monkeypatch.setattr(optimizers, "step_rows", watched)
    trained("numba", OPTIMIZERS["SGD, momentum"], np.float32, None, True)
    assert served == [None] * 3


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 1000, 10**7])
def test_distinct_rows(rows):
    rng = np.random.default_rng(0)
    for count in 1, 5, 3000:
        index = rng.integers(0, rows, count)
        index[0] = rows - 1
        found, places = NumbaBackend().distinct_rows(index, rows)
        wanted, where = NumpyBackend().distinct_rows(index, rows)
        np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(places, where)


def test_a_bag_of_rows_that_are_not_there_is_refused(backend):
    bag = tg.nn.EmbeddingBag(12, 5)
    for wrong in -1, 12:
        with pytest.raises(IndexRangeError):
            bag(tg.tensor([[0, wrong]]))


def test_offsets_in_any_order_are_the_composition_s():
    table = np.random.default_rng(0).standard_normal((12, 5))
    answers = []
    for backend in "numba", "numpy":
        with tg.use_backend(backend):
            weight = tg.tensor(table, requires_grad=True)
            offsets = tg.tensor([0, 5, 2])
            out = tg.nn.functional.embedding_bag(tg.tensor(INDEX), weight, offsets, mode="sum")
            (out * out).sum().backward()
            answers.append((out.detach().numpy(), weight.grad.numpy()))
    for mine, wanted in zip(*answers, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=1e-12)
