"""What the tests of kernels share: numbers, layouts of them, and how near a result must come."""

import ml_dtypes
import numpy as np

# Of no elements, of no dimensions, one, odd, and together enough for several threads and chunks.
SHAPES = [(0,), (), (1,), (3, 5, 7), (2, 0, 3), (251, 301), (4099,), (16384,)]


def sample(shape, dtype, seed=0, scale=3.0):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape) * scale, dtype)


def close(got, want, factor=20):
    """Equal to some units in the last place of the largest number; nan and infinities in place.
    Numbers of 16 bits are rounded once: to one unit.
    """
    assert got.shape == want.shape
    eps = float(ml_dtypes.finfo(got.dtype).eps)
    factor = 1 if got.dtype.itemsize == 2 else factor
    got, want = got.astype("f8"), want.astype("f8")
    finite = np.isfinite(want)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    infinite = ~finite & ~np.isnan(want)
    np.testing.assert_array_equal(got[infinite], want[infinite])
    if finite.any():
        size = max(1.0, float(np.abs(want[finite]).max()))
        bound = factor * eps * size
        np.testing.assert_allclose(got[finite], want[finite], rtol=0, atol=bound)


def layouts(array):
    """The same numbers contiguous, transposed in memory, sliced, reversed, and read-only."""
    yield array
    yield np.asfortranarray(array)
    wide = np.zeros((2 * array.shape[0], array.shape[1] + 3), array.dtype)
    wide[::2, 2:-1] = array
    yield wide[::2, 2:-1]
    yield np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    frozen = array.copy()
    frozen.flags.writeable = False
    yield frozen
