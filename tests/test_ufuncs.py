"""NumPy's elementwise functions on all threads: NumPy's own results, faults and order, whatever the
size, the dtype and the layout. What is expected is computed in pieces too small for threads.
"""

import threading
import warnings

import numba
import numpy as np
import pytest

from tensorgrad.kernels.numba import ufuncs

SIZE = 2 * ufuncs.ARITHMETIC + 5
PIECE = 1000
UNARY = ["negative", "absolute", "exp", "log", "tanh", "sqrt", "sin", "isnan", "rint", "frexp"]
BINARY = ["add", "multiply", "true_divide", "maximum", "greater", "power", "remainder", "divmod"]


def in_pieces(function, *arrays):
    parts = []
    for start in range(0, SIZE, PIECE):
        cut = [a[start : start + PIECE] if np.ndim(a) else a for a in arrays]
        parts.append(function(*cut))
    if isinstance(parts[0], tuple):
        return tuple(map(np.concatenate, zip(*parts, strict=True)))
    return np.concatenate(parts)


def numbers(dtype, seed=0, count=SIZE):
    values = np.random.default_rng(seed).normal(0, 9, count)
    if np.dtype(dtype).kind == "f":
        values[::701] = np.nan
        values[::1301] = np.inf
        values[::1901] = 0
    return values.astype(dtype)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("name", UNARY + BINARY)
def test_results_are_numpys_own(name, dtype):
    function = getattr(np, name)
    arrays = [numbers(dtype, seed) for seed in range(function.nin)]
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(function(*arrays), in_pieces(function, *arrays))
        if function.nin == 2:
            got = function(arrays[0], arrays[0].dtype.type(3))
            want = in_pieces(function, arrays[0], arrays[0].dtype.type(3))
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i4", "i8", "c8", "c16"])
def test_other_dtypes(dtype):
    x, y = numbers(dtype), numbers(dtype, 1)
    for function in np.add, np.multiply, np.equal:
        np.testing.assert_array_equal(function(x, y), in_pieces(function, x, y))


def test_layouts():
    wide, y = numbers("f4", count=3 * SIZE), numbers("f4", 1)
    reversed_x, spread = wide[:SIZE][::-1], wide[::3]
    matrix = wide[: 400 * 500].reshape(400, 500)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(reversed_x * y, in_pieces(np.multiply, reversed_x, y))
        np.testing.assert_array_equal(spread * y, in_pieces(np.multiply, spread, y))
        out = np.zeros(2 * SIZE, "f4")
        np.multiply(spread, y, out=out[::2])
        np.testing.assert_array_equal(out[::2], in_pieces(np.multiply, spread, y))
        assert not out[1::2].any()
        got = matrix.T + matrix.T
        np.testing.assert_array_equal(got, 2 * matrix.T)
        row = matrix[0]
        np.testing.assert_array_equal(matrix * row, np.stack([each * row for each in matrix]))


def test_what_depends_on_its_order_keeps_it():
    x = np.ones(SIZE, "f4")
    assert x.sum() == SIZE
    np.testing.assert_array_equal(np.add.accumulate(x), np.arange(1, SIZE + 1, dtype="f4"))
    assert np.maximum.reduce(np.arange(SIZE)) == SIZE - 1
    shifted = np.arange(SIZE, dtype="f8")
    shifted[1:] += shifted[:-1]
    np.testing.assert_array_equal(shifted[1:], 2 * np.arange(1, SIZE) - 1)
    back = np.arange(SIZE, dtype="f8")
    back *= back[::-1]
    np.testing.assert_array_equal(back, np.arange(SIZE) * np.arange(SIZE)[::-1])
    sums = np.zeros(3, "f4")
    np.add.at(sums, np.arange(SIZE) % 3, x)
    assert sums.sum() == SIZE


@pytest.mark.parametrize("place", [0, SIZE // 2, SIZE - 1])
def test_faults_of_any_thread_reach_the_caller(place):
    x = np.ones(SIZE, "f4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with np.errstate(all="warn", under="ignore"):
            assert (1 / x == 1).all()
            x[place] = 0
            with pytest.raises(RuntimeWarning, match="divide by zero"):
                1 / x
            with pytest.raises(RuntimeWarning, match="divide by zero"):
                np.log(x)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        np.exp(x * 100)


def test_any_number_of_threads_and_callers():
    x = numbers("f4")
    with np.errstate(all="ignore"):
        want = in_pieces(np.exp, x)
        most = numba.get_num_threads()
        try:
            numba.set_num_threads(1)
            np.testing.assert_array_equal(np.exp(x), want)
        finally:
            numba.set_num_threads(most)
    faults = []

    def work():
        try:
            with np.errstate(all="ignore"):
                for _ in range(20):
                    np.testing.assert_array_equal(np.exp(x), want)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
