"""Functions in the kernels: elementary ones, special ones, and random numbers."""

import re

import numba
import numpy as np
import pytest

from tensorgrad.backend import CPU
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.kernels.numba import math as kernel_math
from tensorgrad.kernels.numba import normal as kernel_normal
from tensorgrad.kernels.numba import random, runtime

backend, reference = NumbaBackend(), NumpyBackend()


# ---- elementary functions

LOOPS = {}


def apply(name, x):
    """The function over an array, in a loop that is compiled as a kernel is."""
    if name not in LOOPS:
        first = name.split()[0]
        function = getattr(kernel_math, first, None) or getattr(kernel_normal, first)
        pick = name.split()[1:]
        if not pick:

            def loop(x, out):
                for i in range(x.size):
                    out[i] = function(x[i])
        elif pick == ["first"]:

            def loop(x, out):
                for i in range(x.size):
                    out[i] = function(x[i])[0]
        else:

            def loop(x, out):
                for i in range(x.size):
                    out[i] = function(x[i])[1]

        LOOPS[name] = numba.njit(loop, fastmath=runtime.FAST, error_model="numpy")
    out = np.empty_like(x)
    LOOPS[name](x, out)
    return out


def arguments(dtype, low, high):
    """Every bit pattern's neighbourhood, a range where the function is not trivial, and corners."""
    rng = np.random.default_rng(0)
    bits = {4: np.uint32, 8: np.uint64}[dtype.itemsize]
    info = np.finfo(dtype)
    corners = [0.0, np.inf, np.nan, info.tiny, info.smallest_subnormal, info.max, 1.0, 88.7228]
    corners += [88.723, 103.97, 87.3, 709.78, 709.79, 745.1, 745.2, 708.4]
    return np.concatenate(
        [
            rng.integers(0, 2 ** (8 * dtype.itemsize), 300_000, dtype=bits).view(dtype),
            rng.uniform(low, high, 300_000).astype(dtype),
            rng.uniform(-2, 2, 300_000).astype(dtype),
            np.array(corners, dtype),
            -np.array(corners, dtype),
        ]
    )


def stable_sigmoid(x):
    return np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x)))


# The bounds are those stated in kernels/numba/math.py.
@pytest.mark.parametrize(
    ("name", "exact", "low", "high", "bound"),
    [
        ("exp", np.exp, -760, 720, 1.1),
        ("log", np.log, 0, 4, 1.0),
        ("tanh", np.tanh, -25, 25, 2.7),
        ("sigmoid", stable_sigmoid, -760, 760, 2.5),
        ("expm1", np.expm1, -760, 720, 2.2),
        ("log1p", np.log1p, -1, 4, 1.5),
    ],
)
def test_error_in_units_in_the_last_place(name, exact, low, high, bound, dtype):
    wide = np.dtype(np.float64 if dtype == np.float32 else np.longdouble)
    x = arguments(dtype, low, high)
    got = apply(name, x)
    with np.errstate(all="ignore"):
        want = exact(x.astype(wide))
        rounded = want.astype(dtype)
        finite = np.isfinite(rounded) & np.isfinite(got)
    np.testing.assert_array_equal(got[~finite], rounded[~finite])
    if np.finfo(wide).nmant < np.finfo(dtype).nmant + 8:
        bound += 1  # no wider type here: the reference itself is rounded
    unit = np.spacing(np.abs(rounded[finite])).astype(wide)
    error = np.abs(got[finite].astype(wide) - want[finite]) / unit
    assert error.max() <= bound
    if name == "tanh":
        np.testing.assert_array_equal(np.signbit(apply(name, np.array([0.0, -0.0], dtype))), [0, 1])


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "expm1", "log1p", "erf"])
def test_loops_over_a_function_are_of_vectors(name, dtype):
    apply(name, np.ones(3, dtype))
    kind = "float" if dtype == np.float32 else "double"
    code = "\n".join(LOOPS[name].inspect_llvm().values())
    for operation in "load", "fmul", "store":
        assert re.search(rf"\b{operation} .*<(2|4|8|16) x {kind}>", code), operation


def test_error_function_and_normal_distribution(dtype):
    x = np.concatenate([np.linspace(-12, 12, 20_001), np.geomspace(1e-30, 1, 2001)]).astype(dtype)
    exact = x.astype("f8")
    erf = reference.erf(exact)
    got = apply("erf", x)
    unit = np.spacing(np.abs(erf).astype(dtype))
    # in float64 the reference itself is some units off
    assert (np.abs(got - erf) / unit).max() <= (1.3 if dtype == np.float32 else 6)
    density = np.exp(-exact * exact / 2) / np.sqrt(2 * np.pi)
    tail = reference.erfc(-exact * np.sqrt(0.5)) / 2
    normal = np.finfo(dtype).tiny * 100
    # in float64 the references round x * x, too
    bound = 6 + (2 * exact * exact if dtype == np.float64 else np.zeros(x.size))
    for name, want in ("normal first", tail), ("normal second", density), ("below", tail):
        got = apply(name, x)
        if name == "below" and dtype == np.float32:
            assert np.abs(got - want).max() <= 1e-7
            continue
        large = want > normal
        error = np.abs(got - want)[large] / np.spacing(want[large].astype(dtype))
        assert (error <= bound[large]).all()
    strange = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0], dtype)
    np.testing.assert_array_equal(apply("erf", strange), [1, -1, np.nan, 0, 0])
    np.testing.assert_array_equal(np.signbit(apply("erf", strange[3:])), [0, 1])
    for name in "normal first", "below":
        np.testing.assert_array_equal(apply(name, strange)[:3], [1, 0, np.nan])


def test_cosine_and_sine_of_turns(dtype):
    u = np.random.default_rng(0).random(200_000).astype(dtype)
    u = np.concatenate(
        [u[u < 1], np.array([0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875], dtype)]
    )
    angle = 2 * np.longdouble("3.14159265358979323846264338327950288") * u.astype(np.longdouble)
    bound = 1e-7 if dtype == np.float32 else 2.5e-16
    assert np.abs(apply("cos_sin_turns first", u) - np.cos(angle)).max() <= bound
    assert np.abs(apply("cos_sin_turns second", u) - np.sin(angle)).max() <= bound


# ---- special functions


@pytest.mark.parametrize("size", [(), (0,), (7, 3), (20_000,)])
def test_erf(size, dtype):
    x = np.random.default_rng(0).normal(scale=2, size=size).astype(dtype)
    np.testing.assert_allclose(
        backend.erf(x), NumpyBackend().erf(x), rtol=4 * np.finfo(dtype).eps, atol=1e-300
    )
    strange = np.array([np.inf, -np.inf, np.nan, -0.0, 1e-320, 30.0], dtype)
    np.testing.assert_array_equal(backend.erf(strange)[:4], [1.0, -1.0, np.nan, -0.0])
    turned = np.asfortranarray(np.tile(x.reshape(-1)[:1], (3, 2)))
    assert backend.erf(turned[::2]).shape == turned[::2].shape
    half = np.array([0.5], np.float16)
    assert backend.erf(half).dtype == np.float16  # by the reference


# ---- random numbers


def philox(counter, key):
    """One block of Philox 4x32-10 in plain integers, as its paper writes it."""
    low = 2**32 - 1
    c, k = list(counter), list(key)
    for _ in range(10):
        first, second = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [second >> 32 ^ c[1] ^ k[0], second & low, first >> 32 ^ c[3] ^ k[1], first & low]
        k = [(k[0] + 0x9E3779B9) & low, (k[1] + 0xBB67AE85) & low]
    return c


def test_philox_known_answers():
    """Test vectors that come with the paper's own implementation."""
    ones = 2**32 - 1
    zeros = [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert philox([0] * 4, [0] * 2) == zeros
    assert philox([ones] * 4, [ones] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
    assert backend.random_bits(0, 0, 4, CPU).tolist() == zeros
    key, offset = 0x123456789ABCDEF0, 0xFEDCBA9876543210
    want = philox([offset & ones, offset >> 32, 0, 0], [key & ones, key >> 32])
    assert backend.random_bits(key, offset, 4, CPU).tolist() == want


@pytest.mark.parametrize("key", [0, 1, 0xFFFFFFFF, 2**32, 0x123456789ABCDEF0, 2**64 - 1])
@pytest.mark.parametrize("offset", [0, 1, 2**32 - 2, 2**40 + 3, 2**63 - 1, 2**64 - 2])
def test_random_bits_are_those_of_the_reference(key, offset):
    for count in 0, 1, 3, 4, 5, 1027:
        with np.errstate(over="ignore"):
            want = reference.random_bits(key, offset, count, CPU)
        got = backend.random_bits(key, offset, count, CPU)
        assert got.dtype == np.uint32
        np.testing.assert_array_equal(got, want)


def test_uniform_and_normal_are_those_of_the_reference(dtype):
    for shape in (), (0,), (1,), (2, 0, 3), (7, 11), (1025,), (4 * random.PARALLEL + 3,):
        if dtype == np.float64 and len(shape) == 1 and shape[0] > 5000:
            continue
        got = backend.uniform(shape, dtype, 2**40 + 5, 3, CPU)
        np.testing.assert_array_equal(got, reference.uniform(shape, dtype, 2**40 + 5, 3, CPU))
        assert got.dtype == dtype
        assert got.shape == shape
        got = backend.normal(shape, dtype, 2**40 + 5, 3, CPU)
        assert got.shape == shape
        want = reference.normal(shape, dtype, 2**40 + 5, 3, CPU)
        # the reference rounds 2 pi u before its cosine, which costs up to 4 units of 1
        np.testing.assert_allclose(got, want, rtol=0, atol=24 * np.finfo(dtype).eps)
        assert np.isfinite(got).all()


def test_random_numbers_of_dtypes_without_a_kernel():
    for name in "uniform", "normal":
        got = getattr(backend, name)((5,), np.dtype("f2"), 1, 0, CPU)
        want = getattr(reference, name)((5,), np.dtype("f2"), 1, 0, CPU)
        np.testing.assert_array_equal(got, want)
