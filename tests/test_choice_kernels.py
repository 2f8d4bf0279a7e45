"""`where` on the Numba backend: NumPy's results, for every dtype, layout and number."""

import re

import numba
import numpy as np
import pytest

from tensorgrad.backends.numba_backend import MANY_CHOICES, NumbaBackend
from tensorgrad.kernels.numba import choice

backend = NumbaBackend()
SIZE = 5 * MANY_CHOICES + 3


def operands(dtype, shape=(SIZE,)):
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 9, (2, *shape)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        a[:5], b[3:8] = np.nan, np.inf
    return rng.random(shape) < 0.5, a, b


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "f2", "i4", "c8", "?"])
def test_where(dtype):
    condition, a, b = operands(dtype)
    numbers = [0, 3, *([-0.5, np.inf, np.nan] if dtype[0] == "f" else [])]
    pairs = [(a, b), *((a, n) for n in numbers), *((n, b) for n in numbers)]
    pairs += [(a, b[7]), (a[7:8][0], b), (np.array(a[9]), b), (1, 2), (1.5, b), (a[:1], b)]
    spread = [np.broadcast_to(side[9:10], SIZE) for side in (a, b)]
    pairs += [(spread[0], b), (a, spread[1]), spread, (spread[0], 0), (3, spread[1])]
    for left, right in pairs:
        got, want = backend.where(condition, left, right), np.where(condition, left, right)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


def test_layouts_and_broadcasting():
    condition, a, b = operands("f4", (150, 300))
    turned = condition.T.copy().T, np.asfortranarray(a)
    frozen = condition.copy(), a.copy()
    for array in frozen:
        array.flags.writeable = False
    for left in condition, turned[0], frozen[0], condition[:1], condition[:, :1]:
        for first in a, turned[1], frozen[1], a[:1], a[:, ::-1]:
            np.testing.assert_array_equal(backend.where(left, first, b), np.where(left, first, b))
    got = backend.where(np.zeros((0, 3), bool), np.zeros((0, 3)), 1.0)
    assert got.shape == (0, 3)


def test_the_loops_are_of_vectors():
    body = choice._where.__wrapped__
    loop = numba.njit(body)
    condition, a, b = operands("f4")
    loop(0, condition.view(np.int8), a, b, np.empty_like(a))
    (code,) = loop.inspect_llvm().values()
    assert re.search(r"store <(4|8|16) x float>", code)
