"""Sums and extremes of large arrays: the kernel equals NumPy over shapes, layouts, dimensions."""

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend

pytest.importorskip("numba")

from tensorgrad.kernels.numba import reductions

numba_backend = NumbaBackend()
numpy_backend = NumpyBackend()

SHAPES = [
    (140_001,),
    (1, 140_001),
    (140_001, 1),
    (457, 300),
    (2, 70_000),
    (70_000, 2),
    (2, 3, 30_011),
    (8, 64, 17, 17),
    (5, 1, 4100, 4),
    (3, 5, 7, 11, 63),
]


def rounding(dtype):
    """The relative error of as many additions one after another as the kernel makes."""
    return reductions.LINES * np.finfo(dtype).eps / 2


def layouts(x):
    """The same numbers in other orders of memory, and with gaps."""
    yield x
    yield np.asfortranarray(x)
    if x.ndim == 4:
        yield np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    yield np.repeat(x, 2, axis=-1)[..., ::2]


@pytest.mark.parametrize("name", ["sum", "amax", "amin"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reductions_equal_numpys(shape, dtype, name):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    served = 0
    for values in layouts(x):
        for count in range(1, len(shape) + 1):
            for number, dims in enumerate(itertools.combinations(range(len(shape)), count)):
                keepdim = number % 2 == 0
                result = reductions.reduced(values, reductions.KINDS[name], dims, keepdim)
                if result is NotImplemented:
                    continue
                served += 1
                expected = getattr(numpy_backend, name)(values.astype(np.longdouble), dims, keepdim)
                assert result.shape == expected.shape
                assert result.dtype == dtype
                if name == "sum":
                    size = np.sqrt(x.size / expected.size)
                    np.testing.assert_allclose(result, expected, 0, rounding(dtype) * size)
                else:
                    np.testing.assert_array_equal(result, expected)
    assert served


@pytest.mark.parametrize("dim", [None, 0, 1, -1, (0, 1)])
def test_numbers_that_are_not_finite(dim):
    x = np.random.default_rng(0).standard_normal((400, 400)).astype(np.float32)
    x[5, 7], x[8, 8], x[9, 9], x[8, 20] = np.nan, np.inf, -np.inf, -np.inf
    for name in ("sum", "amax", "amin"):
        result = getattr(numba_backend, name)(x, dim, False)
        expected = getattr(numpy_backend, name)(x, dim, False)
        np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
        np.testing.assert_array_equal(np.isinf(result), np.isinf(expected))


@pytest.mark.parametrize("dim", [2, -3, (0, 5), (0, 0), (0, -2)])
def test_dimensions_that_there_are_not_are_refused(dim, backend):
    x = tg.ones(300, 300)
    for op in (tg.sum, tg.mean, tg.amax, tg.var):
        with pytest.raises((IndexError, RuntimeError), match="expected"):
            op(x, dim)


def test_rounding_does_not_grow_with_the_array():
    x = np.full((1 << 22,), 0.1, np.float32)
    exact = float(np.float32(0.1)) * x.size
    for values, dim in ((x, 0), (x.reshape(-1, 16), 0), (x.reshape(4, -1, 8), 1)):
        total = numba_backend.sum(values, dim, False).sum(dtype=np.float64)
        assert abs(total - exact) < rounding(np.float32) * exact


def test_results_do_not_depend_on_the_number_of_threads():
    x = np.random.default_rng(0).standard_normal((64, 33, 129)).astype(np.float32)
    threads = tg.get_num_threads()
    results = []
    for count in (1, threads):
        tg.set_num_threads(count)
        try:
            results.append([numba_backend.sum(x, dim, False) for dim in (None, 0, 1, 2, (0, 2))])
        finally:
            tg.set_num_threads(threads)
    for one, many in zip(*results, strict=True):
        np.testing.assert_array_equal(one, many)
