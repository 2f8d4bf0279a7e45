"""Elements picked and added at places: the Numba backend equals NumPy's to the bit."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.backends import numba_indexing
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.errors import IndexRangeError

backend, reference = NumbaBackend(), NumpyBackend()

FULL = slice(None)


@pytest.fixture(autouse=True)
def _kernels_at_every_size(monkeypatch):
    for name in "MANY_ADDED", "MANY_PICKED", "MANY_IN_LINES":
        monkeypatch.setattr(numba_indexing, name, 0)


def sample(shape, dtype, seed=0):
    values = np.random.default_rng(seed).standard_normal(shape) * 9
    if values.size > 20 and np.dtype(dtype).kind == "f":
        values.flat[[3, 7, 11]] = np.nan, np.inf, -np.inf
    return values.astype(dtype)


def places(size, *shape):
    return np.random.default_rng(1).integers(-size, size, shape)


def layouts(x):
    yield x
    yield np.asfortranarray(x)
    yield np.repeat(x, 2, -1)[..., ::2]
    frozen = x.copy()
    frozen.flags.writeable = False
    yield frozen


INDICES = [
    ((40, 7), (places(40, 300),)),
    ((40, 7), (places(40, 3, 5),)),
    ((40, 7), (places(40, 0),)),
    ((40, 7), (FULL, places(7, 33))),
    ((6, 50, 3), (FULL, places(50, 900))),
    ((6, 5, 33), (places(6, 70), places(5, 70))),
    ((6, 5, 33), (places(6, 7, 1), places(5, 8))),
    ((6, 5, 33), (FULL, places(5, 70), places(33, 70))),
    ((6, 5, 33), (places(6, 4), FULL, places(33, 4))),
    ((6, 5, 33), (np.array([True, False] * 3),)),
    ((5000,), (places(5000, 9000),)),
    ((300, 70), (places(300, 400),)),
    ((0, 7), (places(1, 0),)),
    ((7, 0), (places(7, 5),)),
]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "i4", "f2"])
@pytest.mark.parametrize(("shape", "index"), INDICES)
def test_an_index_of_arrays(shape, index, dtype):
    x = sample(shape, dtype)
    for given in layouts(x):
        np.testing.assert_array_equal(backend.index(given, index), x[index])
    value = sample(x[index].shape, dtype, 2)
    want = reference.embed(value, index, shape)
    for given in layouts(value) if value.ndim else [value]:
        got = backend.embed(given, index, shape)
        np.testing.assert_array_equal(got, want)
        assert got.dtype == x.dtype
        want_sum = reference.index_put(x, given, index, True)
        np.testing.assert_array_equal(backend.index_put(x, given, index, True), want_sum)
    one = value[..., :1] if value.ndim else value
    want = reference.index_put(x, one, index, True)
    np.testing.assert_array_equal(backend.index_put(x, one, index, True), want)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "f2"])
@pytest.mark.parametrize("shape", [(50,), (9, 33), (70, 130), (3, 17, 5), (2, 3, 4, 90)], ids=str)
def test_an_index_along_a_dimension(shape, dtype):
    x = sample(shape, dtype)
    for dim in range(-1, len(shape)):
        counted = list(shape)
        for count in 1, 40, 0:
            counted[dim] = count
            index, src = places(shape[dim], *counted) % shape[dim], sample(counted, dtype, 2)
            alike = index[tuple(FULL if d == dim % len(shape) else slice(1) for d in range(x.ndim))]
            fewer = index[1:], src[1:]
            for numbers, values in (
                *((layout, src) for layout in layouts(index)),
                *((index, layout) for layout in layouts(src)),
                (np.broadcast_to(alike, counted), src),
                fewer,
            ):
                want = reference.scatter_add(x, numbers, values, dim)
                got = backend.scatter_add(x, numbers, values, dim)
                np.testing.assert_array_equal(got, want)
                want = reference.gather(x, numbers, dim)
                np.testing.assert_array_equal(backend.gather(x, numbers, dim), want)


@pytest.mark.parametrize("bad", [40, -41, 2**40, -(2**63)])
def test_a_place_that_there_is_not(bad):
    x = sample((40, 7), "f4")
    index = np.full((20_000,), 3)
    index[-1] = bad
    with pytest.raises(IndexError):
        backend.index(x, (index,))
    with pytest.raises(IndexError):
        backend.embed(sample((len(index), 7), "f4"), (index,), x.shape)
    along = np.full((40, 7), 3)
    along[5, 5] = bad
    for name in "gather", "scatter_add":
        given = (x, along, x, 0) if name == "scatter_add" else (x, along, 0)
        with pytest.raises(IndexRangeError, match=rf"{name}: expected .* \[0, 40\), got {bad}"):
            getattr(backend, name)(*given)


@pytest.mark.parametrize("dim", [2, -3])
def test_a_dimension_that_there_is_not_is_refused(dim, backend):
    x, index = tg.ones(200, 200), tg.zeros(200, 200, dtype=tg.int64)
    for call in (lambda: tg.gather(x, dim, index), lambda: tg.scatter_add(x, dim, index, x)):
        with pytest.raises(IndexError, match="expected"):
            call()
