"""The first elements in order, and the median, against a stable sort of everything."""

import numpy as np
import pytest

from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend

backend, reference = NumbaBackend(), NumpyBackend()


def numbers(shape, dtype, kind):
    rng = np.random.default_rng(0)
    x = rng.integers(-3, 4, shape) if kind == "ties" else rng.standard_normal(shape)
    x = x.astype(dtype)
    if kind == "odd":
        for value, share in ((np.nan, 0.2), (np.inf, 0.1), (-np.inf, 0.1)):
            x[rng.random(shape) < share] = value
    return np.sort(x) if kind == "rising" else x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", ["random", "ties", "odd", "rising"])
@pytest.mark.parametrize("descending", [False, True])
def test_first_in_order(descending, kind, dtype):
    shapes = [((3, 65), 1), ((200, 7), 0), ((40, 1000), 1), ((3, 100, 2), -2), ((2, 9000), 1)]
    for shape, dim in shapes:
        x = numbers(shape, dtype, kind)
        dim %= x.ndim
        for count in 1, 5, 64, 1000:
            if count >= shape[dim]:
                continue
            got = backend.first_in_order(x, dim, count, descending)
            want = reference.first_in_order(x, dim, count, descending)
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("kind", ["random", "ties", "odd"])
def test_median(kind):
    for size in 1, 2, 7, 1000, 1001:
        x = numbers(size, "f4", kind)
        want = np.nan if np.isnan(x).any() else np.sort(x)[(size - 1) // 2]
        np.testing.assert_array_equal(backend.median(x), want)
        np.testing.assert_array_equal(backend.median(x[::-1]), want)


def test_order_kernels_leave_what_they_do_not_serve():
    assert backend.median(np.array([3, 1, 2, 4])) == 2
    for x in np.arange(100), np.arange(100.0)[:9], np.empty((0, 100)):
        got = backend.first_in_order(x, x.ndim - 1, 3, True)
        np.testing.assert_array_equal(got, reference.first_in_order(x, x.ndim - 1, 3, True))
