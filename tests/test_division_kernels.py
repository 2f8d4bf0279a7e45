"""Remainders and whole quotients on the Numba backend: NumPy's to the bit, signs of zeros too."""

import numpy as np
import pytest

from tensorgrad.backends import numba_backend
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.kernels.numba.divisions import CHUNK, divided
from tests.kernel_samples import sample

backend, reference = NumbaBackend(), NumpyBackend()
NAMES = ["fmod", "remainder", "floor_divide"]


@pytest.fixture(autouse=True)
def _kernels_at_every_size(monkeypatch):
    monkeypatch.setattr(numba_backend, "MANY_DIVIDED", 0)


def same(name, x, y):
    with np.errstate(all="ignore"):
        got, want = getattr(backend, name)(x, y), getattr(reference, name)(x, y)
    assert got.dtype == want.dtype
    np.testing.assert_array_equal(got, want)
    known = want == want
    np.testing.assert_array_equal(np.signbit(got[known]), np.signbit(want[known]))


@pytest.mark.parametrize("name", NAMES)
def test_of_any_size_and_scale(name, dtype):
    for size in 1, 17, 1000, CHUNK + 3:
        x, y = sample(size, dtype), sample(size, dtype, 1)
        # Whole numbers, tenths, whole quotients and those just beside them, and ever larger ones.
        for a, b in (x, y), (np.round(x), np.round(y * 3)), (np.round(x * 100) / 10, y / y / 10):
            same(name, a.astype(dtype), b.astype(dtype))
        whole = (np.round(x * 50) * y).astype(dtype)
        for beside in whole, np.nextafter(whole, dtype.type(9)), np.nextafter(whole, -x):
            same(name, beside.astype(dtype), y)
        for scale in 1e3, 1e6, 1e9, 1e20, 1e-30:
            same(name, (x * scale).astype(dtype), y)
        for number in 3, 0.1, -2.5, 0, np.inf, np.nan:
            same(name, x, number)
            same(name, x, np.array(number, dtype))


@pytest.mark.parametrize("name", NAMES)
def test_awkward_numbers(name, dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    awkward = [0, 1, 3, 0.1, tiny, np.finfo(dtype).tiny, np.finfo(dtype).max, np.inf, np.nan]
    awkward = np.array([*awkward, *(-number for number in awkward)], dtype)
    same(name, *(side.copy() for side in np.meshgrid(awkward, awkward)))


@pytest.mark.parametrize("name", NAMES)
def test_layouts_and_other_dtypes(name):
    x, y = sample((33, 40), np.float32), sample((33, 40), np.float32, 1)
    frozen = x.copy()
    frozen.flags.writeable = False
    for a, b in (x.T, y.T), (x[::2], y[::2]), (frozen, y), (x, y[:1]), (x[0], y), (x[:, :0], 1.0):
        same(name, a, b)
    same(name, np.arange(100), 7)
    same(name, x.astype("f2"), y.astype("f2"))
    for a, b in (x, y[:1]), (x, y.astype("f8")), (3.0, y), (np.arange(9), 2), (x[:0], 1.0):
        assert divided(name, a, b) is NotImplemented
