"""Convolution by minimal filtering: every size and padding, its rounding, what is not finite."""

import numba
import numpy as np
import pytest

from bench import windows as compose
from tensorgrad.kernels.numba import convolution, minimal
from tensorgrad.kernels.numba.winograd_transforms import FORMS


def sample(shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype("f4")


def case(x, channels, padding, side=3, stride=1, dilation=1, groups=1):
    each = x.shape[1] // groups
    weight = sample((channels, each, side, side), 1, (side**2 * each) ** -0.5)
    how = (stride, stride), padding, (dilation, dilation), groups
    grid = convolution.positions_of(x.shape[2:], (side, side), *how[:3])
    assert minimal.served(weight, grid, *how)
    return weight, sample(channels, 2), how


def root_mean_square(error):
    return float(np.sqrt(np.mean(np.square(error.astype("f8")))))


# Sizes that fill no tile, no vector and no panel; more padding than a window's edge; the window's
# side and the stride; a dilation, whose phases differ in size, and groups.
CASES = [
    ((2, 16, 6, 6), 16, (0, 0), 3, 1),
    ((1, 16, 5, 5), 17, (1, 1), 3, 1),
    ((3, 19, 9, 14), 33, (1, 1), 3, 1),
    ((2, 40, 13, 37), 50, (2, 0), 3, 1),
    ((2, 64, 8, 8), 100, (1, 2), 3, 1),
    ((1, 70, 33, 18), 64, (1, 1), 3, 1),
    ((2, 17, 7, 19), 35, (0, 1), 2, 1),
    ((2, 33, 9, 14), 35, (2, 4), 5, 1),
    ((1, 32, 8, 8), 40, (0, 0), 5, 1),
    ((2, 17, 17, 14), 35, (0, 1), 3, 2),
    ((2, 17, 17, 14), 35, (1, 0), 4, 2),
    ((2, 66, 12, 15), 20, (2, 1), 4, 2),
    ((2, 17, 17, 24), 35, (2, 3), 5, 2),
    ((1, 17, 15, 22), 35, (4, 1), 6, 2),
    ((2, 17, 15, 22), 20, (2, 0), 3, 1, 2),
    ((1, 19, 23, 20), 16, (3, 3), 3, 1, 3),
    ((2, 64, 9, 7), 70, (1, 1), 3, 1, 1, 2),
    ((2, 64, 13, 17), 66, (0, 2), 3, 1, 2, 2),
]


@pytest.mark.parametrize("numbers", CASES, ids=str)
def test_equals_the_composition_but_for_rounding(numbers):
    shape, channels, *window = numbers
    x = sample(shape)
    weight, bias, how = case(x, channels, *window)
    exact = [array.astype("f8") for array in (x, weight, bias)]
    want = compose.convolution(*exact, *how)
    g = sample(want.shape, 3)
    wants = (want, *compose.convolution_vjp(g.astype("f8"), *exact[:2], *how)[:2])
    sizes = [np.abs(array) for array in (*exact, g.astype("f8"))]
    of_sizes = compose.convolution_vjp(sizes[3], *sizes[:2], *how)[:2]
    of_sizes = (compose.convolution(*sizes[:3], *how), *of_sizes)
    got = convolution.convolution(x, weight, bias, *how)
    rectified = convolution.convolution(x, weight, bias, *how, rectified=True)
    np.testing.assert_array_equal(rectified, np.maximum(got, 0))
    gots = (got, *convolution.convolution_vjp(g, x, weight, *how, (True, True, False))[:2])
    for got, want, of_size in zip(gots, wants, of_sizes, strict=True):
        assert got.dtype == np.float32
        # A plain sum of n numbers may err by n eps times the sum of their sizes.
        bound = 2 * np.finfo("f4").eps * root_mean_square(of_size)
        assert root_mean_square(got - want) <= bound


def test_what_is_not_finite_reaches_its_own_windows_only():
    x = sample((2, 16, 12, 12))
    weight, bias, how = case(x, 16, (1, 1))
    x[0, 3, 5, 5], x[1, 2, 0, 11] = np.nan, np.inf
    got = convolution.convolution(x, weight, bias, *how)
    with np.errstate(invalid="ignore"):
        want = compose.convolution(x, weight, bias, *how)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    g = np.ones(got.shape, "f4")
    g[1, 4, 6, 6] = np.inf
    with np.errstate(invalid="ignore"):
        want = compose.convolution_vjp(g, x, weight, *how)[0]
    got = convolution.convolution_vjp(g, x, weight, *how, (True, False, False))[0]
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    needs = (False, True, False)
    assert convolution.convolution_vjp(g, x, weight, *how, needs) is NotImplemented


@pytest.mark.parametrize(("side", "stride"), [(3, 1), (4, 2)])
def test_the_number_of_threads_changes_no_bit(side, stride):
    x = sample((4, 32, 20, 20))
    weight, bias, how = case(x, 48, (1, 1), side, stride)
    g = sample((4, 48, 20 // stride, 20 // stride), 3)

    def everything():
        back = convolution.convolution_vjp(g, x, weight, *how, (True, True, True))
        return (convolution.convolution(x, weight, bias, *how), *back)

    before = numba.get_num_threads()
    many = everything()
    try:
        numba.set_num_threads(1)
        for one, all_of_them in zip(everything(), many, strict=True):
            np.testing.assert_array_equal(one, all_of_them)
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize("form", FORMS.values(), ids=lambda form: f"{form.outputs}-{form.window}")
def test_the_points_make_an_exact_algorithm(form):
    """In one dimension, on numbers in place of vectors: sums of products, to 1e-14."""
    rng = np.random.default_rng(0)
    inputs, window, gradient = map(rng.standard_normal, (form.size, form.window, form.outputs))
    places = np.array(form.of_window(window)) * np.array(form.of_input(inputs))
    want = np.correlate(inputs, window, "valid")
    np.testing.assert_allclose(form.of_output(places), want, atol=1e-14)
    places = np.array(form.of_gradient(gradient)) * np.array(form.of_input(inputs))
    want = np.correlate(inputs, gradient, "valid")
    np.testing.assert_allclose(form.of_window_gradient(places), want, atol=1e-14)
