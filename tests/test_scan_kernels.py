"""Running sums and products by kernels against NumPy, computed in wider numbers."""

import numpy as np
import pytest

from tensorgrad.backends import numba_backend
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.kernels.numba.sums import CHUNK
from tests.kernel_samples import sample

backend, reference = NumbaBackend(), NumpyBackend()
SHAPES = [(1,), (5, 1), (1, 7), (13, 33), (4, 3, 5), (2, 70, 519), (3, 1000, 2), (50, 3, 3)]
SHAPES += [(3 * CHUNK + 5,), (2, CHUNK + 1), (9, CHUNK + 1)]


@pytest.fixture(autouse=True)
def _kernels_at_every_size(monkeypatch):
    monkeypatch.setattr(numba_backend, "MANY_RUNNING", 0)


def layouts(x):
    yield x
    yield np.asfortranarray(x)
    yield np.repeat(x, 2, -1)[..., ::2]
    yield np.ascontiguousarray(x[..., ::-1])[..., ::-1]


def close(got, want, bound):
    assert got.dtype == bound.dtype
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    np.testing.assert_allclose(got, want, rtol=float(bound), atol=float(bound))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_running_sums_and_products(shape, dtype):
    x = sample(shape, dtype)
    near = (1 + x / 1000).astype(dtype)
    for dim in range(-1, x.ndim):
        # float32 is kept in float64; float64 rounds at each step
        bound = np.finfo(dtype).eps * dtype.type(1 if dtype == np.float32 else 100)
        wide = x.astype(np.longdouble)
        forwards = np.cumsum(wide, dim)
        from_end = np.flip(np.cumsum(np.flip(wide, dim), dim), dim)
        bound_of_sums = bound * dtype.type(max(1, np.abs(forwards).max()))
        for given in layouts(x):
            close(backend.cumsum(given, dim), forwards, bound_of_sums)
            close(backend.cumsum(given, dim, True), from_end, bound_of_sums)
            close(reference.cumsum(given, dim, True), from_end, bound_of_sums)
        for given in layouts(near):
            products = np.cumprod(near.astype(np.longdouble), dim)
            close(backend.cumprod(given, dim), products, bound * dtype.type(products.max()))


@pytest.mark.parametrize("dim", [0, 1])
def test_numbers_that_are_not_finite(dim, dtype):
    x = sample((40, 50), dtype)
    x[3, 4], x[9, 9], x[9, 20], x[30, 9], x[20, 30] = np.inf, np.inf, -np.inf, -np.inf, np.nan
    x[25, 4], x[3, 40] = 0, 0
    with np.errstate(all="ignore"):
        for name, *how in ("cumsum",), ("cumsum", True), ("cumprod",):
            got, want = (getattr(of, name)(x, dim, *how) for of in (backend, reference))
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_empty_and_other_dtypes():
    for x in np.zeros((0, 3)), np.zeros((3, 0)), np.arange(6).reshape(2, 3), np.ones((2, 3), "f2"):
        for dim in 0, 1:
            for how in (), (True,):
                got, want = (of.cumsum(x, dim, *how) for of in (backend, reference))
                np.testing.assert_array_equal(got, want)
                assert got.dtype == want.dtype
