"""The Numba kernels of norms against their compositions in NumPy, computed in float64: every form,
layouts, sizes around vector widths and blocks, and gradients.
"""

import math

import numba
import numpy as np
import pytest

import tensorgrad as tg
from bench import rows as compose
from tensorgrad.backends.numba_backend import NumbaBackend

backend = NumbaBackend()
EPS = 1e-5

# Shape, shape of the weights (None: without), standardised dimensions: each form of the kernels.
FORMS = [
    ((1, 2), (2,), (1,)),
    ((3, 1), (1, 1), (0,)),
    ((5, 33), (33,), (-1,)),
    ((70, 1025), (1025,), (1,)),
    ((70, 1025), None, (1,)),
    ((3, 4, 5, 6), (5, 6), (2, 3)),
    ((3, 4, 5, 7), (1, 4, 1, 1), (2, 3)),  # instance norm
    ((3, 2, 4, 35), (1, 2, 4, 1), (2, 3)),  # group norm
    ((9, 5, 4, 7), (1, 5, 1, 1), (0, 2, 3)),  # batch norm
    ((9, 5, 4, 7), None, (0, 2, 3)),
    ((9, 5, 1, 1), (1, 5, 1, 1), (0, 2, 3)),
    ((900, 37), (1, 37), (0,)),
    ((40, 3), (3,), (0,)),
    ((130, 257), (1, 257), (0,)),
    ((512, 5), (5,), (0,)),
]


def sample(shape, dtype, seed):
    numbers = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(numbers * 2 + 3, dtype)


def close(got, want, added=None):
    """Up to roundings of the largest number, or of all that was added."""
    assert got.shape == want.shape
    size = 5 * max(1.0, float(np.abs(want if added is None else added).max()))
    np.testing.assert_allclose(got, want, rtol=0, atol=8 * np.finfo(got.dtype).eps * size)


def layouts(array):
    """The same numbers contiguous, channels last in memory, turned in memory, and read-only."""
    yield array
    if array.ndim > 2:
        yield np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    yield np.asfortranarray(array)
    frozen = array.copy()
    frozen.flags.writeable = False
    yield frozen


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_standardize(form, dtype):
    shape, affine, dim = form
    x, g = sample(shape, dtype, 0), sample(shape, dtype, 1)
    weight = None if affine is None else sample(affine, dtype, 2)
    bias = None if affine is None else sample(affine, dtype, 3)
    wide = [None if a is None else a.astype("f8") for a in (g, x, weight, bias)]
    want = compose.standardize(*wide[1:], dim, EPS)
    want_back = compose.standardize_vjp(*wide[:3], dim, EPS)
    added = None if affine is None else compose.sum_to_shape(np.abs(wide[0]), affine)
    for turned, turned_g in zip(layouts(x), layouts(g), strict=True):
        *found, state = backend.standardize(turned, weight, bias, dim, EPS)
        for got, expected in zip(found, want, strict=True):
            close(got, expected)
        back = backend.standardize_vjp([turned_g, None, None], turned, weight, dim, EPS, state)
        close(back[0], want_back[0])
        for got, expected, given in zip(back[1:], want_back[1:], (weight, bias), strict=True):
            assert (got is None) == (given is None)
            if given is not None:
                close(got, expected.reshape(affine), added)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scale_by_root_mean_square(dtype):
    for shape in (5, 33), (2, 3, 1025):
        x, g, weight = sample(shape, dtype, 0), sample(shape, dtype, 1), sample(shape[-1], dtype, 2)
        wide = [array.astype("f8") for array in (g, x, weight)]
        out, state = backend.scale_by_root_mean_square(x, weight, (-1,), EPS)
        close(out, compose.scale_by_root_mean_square(*wide[1:], (-1,), EPS))
        back = backend.scale_by_root_mean_square_vjp(g, x, weight, (-1,), EPS, state)
        want = compose.scale_by_root_mean_square_vjp(*wide, (-1,), EPS)
        for got, expected in zip(back, want, strict=True):
            close(got, expected, compose.sum_to_shape(np.abs(g), weight.shape))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_shift_and_scale(dtype):
    for shape in (90, 5, 4, 11), (900, 37), (3, 2, 3001):
        x, g = sample(shape, dtype, 0), sample(shape, dtype, 1)
        numbers = [sample((1, shape[1], *(1,) * (len(shape) - 2)), dtype, n) for n in (2, 3, 4)]
        mean, gain, bias = numbers
        others = (0, *range(2, x.ndim))
        for turned, turned_g in zip(layouts(x), layouts(g), strict=True):
            close(backend.shift_and_scale(turned, *numbers), (x.astype("f8") - mean) * gain + bias)
            back = backend.shift_and_scale_vjp(turned_g, turned, *numbers)
            summed = g.sum(others, dtype="f8", keepdims=True)
            products = (g * (x.astype("f8") - mean)).sum(others, keepdims=True)
            added = np.abs(g).sum(others) * 10
            for got, want in zip(back, (g * gain, -summed * gain, products, summed), strict=True):
                close(got, want, added)


def test_the_mean_of_many_and_the_variance_of_a_narrow_band_keep_their_digits():
    rng = np.random.default_rng(0)
    x = (1000 + rng.standard_normal((64, 3, 128, 32))).astype("f4")
    for values, dim in (x, (0, 2, 3)), (x.reshape(3, -1), (1,)), (x.reshape(-1, 3), (0,)):
        _, mean, variance, _ = backend.standardize(values, None, None, dim, EPS)
        np.testing.assert_allclose(mean, values.mean(dim, "f8", keepdims=True), rtol=1e-6)
        np.testing.assert_allclose(variance, values.var(dim, "f8", keepdims=True), rtol=1e-4)


def test_norms_of_nan_and_infinity():
    for value in np.nan, np.inf, -np.inf, 1e30:
        for shape, dim in ((4, 5), (1,)), ((4, 5), (0,)), ((4, 3, 5), (0, 2)):
            x = sample(shape, "f4", 0)
            x[(1,) * len(shape)] = value
            g = sample(shape, "f4", 1)
            with np.errstate(all="ignore"):
                want = compose.standardize(x, None, None, dim, EPS)
                want_back = compose.standardize_vjp(g, x, None, dim, EPS)
            *found, state = backend.standardize(x, None, None, dim, EPS)
            back = backend.standardize_vjp([g, None, None], x, None, dim, EPS, state)
            for got, expected in zip([*found, back[0]], [*want, want_back[0]], strict=True):
                np.testing.assert_array_equal(np.isnan(got), np.isnan(expected))
                np.testing.assert_array_equal(np.isinf(got), np.isinf(expected))


def test_norms_leave_what_they_do_not_serve():
    x, w = sample((4, 6), "f4", 0), sample((6,), "f4", 1)
    assert backend.standardize(x.astype("f2"), None, None, (1,), EPS) is NotImplemented
    assert backend.standardize(x, w.astype("f8"), None, (1,), EPS) is NotImplemented
    assert backend.standardize(x[:0], w, None, (1,), EPS) is NotImplemented
    assert backend.standardize(x, w, w[:1], (1,), EPS) is NotImplemented
    assert backend.standardize(x.reshape(4, 3, 2), None, None, (0, 1), EPS) is NotImplemented
    wide, numbers = sample((900, 37), "f4", 0), sample((1, 37), "f4", 1)
    assert backend.shift_and_scale(wide, numbers[0], numbers, None) is NotImplemented
    assert backend.shift_and_scale(wide[:9], numbers, numbers, None) is NotImplemented


def test_norms_do_not_depend_on_the_number_of_threads():
    most = numba.get_num_threads()
    results = []
    try:
        for threads in most, 1:
            numba.set_num_threads(threads)
            for shape, affine, dim in FORMS:
                x, g = sample(shape, "f4", 0), sample(shape, "f4", 1)
                weight = None if affine is None else sample(affine, "f4", 2)
                *found, state = backend.standardize(x, weight, weight, dim, EPS)
                back = backend.standardize_vjp([g, None, None], x, weight, dim, EPS, state)
                results += [a for a in (*found, *back) if a is not None]
    finally:
        numba.set_num_threads(most)
    half = len(results) // 2
    for several, one in zip(results[:half], results[half:], strict=True):
        np.testing.assert_array_equal(several, one)
    assert math.isfinite(sum(float(a.sum()) for a in results))


@pytest.mark.parametrize("shape", [(5, 7, 33), (1, 33), (70, 2), (3, 4, 1)], ids=str)
def test_a_gradient_that_is_the_same_for_every_row(shape):
    results = []
    for name in ("numpy", "numba"):
        with tg.use_backend(name):
            rng = np.random.default_rng(0)
            x, weight, bias, g = (
                tg.tensor(rng.standard_normal(size), requires_grad=True)
                for size in (shape, shape[-1:], shape[-1:], shape[-1:])
            )
            out = tg.layer_norm(x, shape[-1:], weight, bias)
            out.backward(g.detach().expand(shape))
            results.append([x.grad.numpy(), weight.grad.numpy(), bias.grad.numpy()])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-9, 1e-9)
