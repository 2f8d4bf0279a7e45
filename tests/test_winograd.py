"""Convolution by minimal filtering: every size and padding, its rounding, what is not finite."""

import numba
import numpy as np
import pytest

from bench import kernels as compose
from tensorgrad.kernels.numba import convolution
from tensorgrad.kernels.numba import winograd_transforms as transforms

STRIDE, DILATION = (1, 1), (1, 1)


def sample(shape, seed=0, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype("f4")


def case(x, channels, padding):
    weight = sample((channels, x.shape[1], 3, 3), 1, (9 * x.shape[1]) ** -0.5)
    how = STRIDE, padding, DILATION, 1
    grid = convolution.positions_of(x.shape[2:], (3, 3), *how[:3])
    assert convolution._minimal(weight, grid, *how)
    return weight, sample(channels, 2), how


def root_mean_square(error):
    return float(np.sqrt(np.mean(np.square(error.astype("f8")))))


# Sizes that fill no tile, no vector and no panel; more padding than a window's edge.
CASES = [
    ((2, 16, 6, 6), 16, (0, 0)),
    ((1, 16, 5, 5), 17, (1, 1)),
    ((3, 19, 9, 14), 33, (1, 1)),
    ((2, 40, 13, 37), 50, (2, 0)),
    ((2, 64, 8, 8), 100, (1, 2)),
    ((1, 70, 33, 18), 64, (1, 1)),
]


@pytest.mark.parametrize(("shape", "channels", "padding"), CASES, ids=str)
def test_equals_the_composition_but_for_rounding(shape, channels, padding):
    x = sample(shape)
    weight, bias, how = case(x, channels, padding)
    exact = [array.astype("f8") for array in (x, weight, bias)]
    want = compose.convolution(*exact, *how)
    g = sample(want.shape, 3)
    wants = (want, *compose.convolution_vjp(g.astype("f8"), *exact[:2], *how)[:2])
    sizes = [np.abs(array) for array in (*exact, g.astype("f8"))]
    of_sizes = compose.convolution_vjp(sizes[3], *sizes[:2], *how)[:2]
    of_sizes = (compose.convolution(*sizes[:3], *how), *of_sizes)
    got = convolution.convolution(x, weight, bias, *how)
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


def test_the_number_of_threads_changes_no_bit():
    x = sample((4, 32, 20, 20))
    weight, bias, how = case(x, 48, (1, 1))
    g = sample((4, 48, 20, 20), 3)

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


def test_the_points_make_an_exact_algorithm():
    """In one dimension, on numbers in place of vectors: two outputs sums of products, 1e-15."""
    rng = np.random.default_rng(0)
    inputs, window, gradient = (
        rng.standard_normal(6),
        rng.standard_normal(3),
        rng.standard_normal(4),
    )
    places = np.array(transforms.of_window(window)) * np.array(transforms.of_input(inputs))
    np.testing.assert_allclose(
        transforms.of_output(places), np.correlate(inputs, window, "valid"), atol=1e-14
    )
    places = np.array(transforms.of_output_gradient(gradient)) * np.array(
        transforms.of_input(inputs)
    )
    np.testing.assert_allclose(
        transforms.of_window_gradient(places), np.correlate(inputs, gradient, "valid"), atol=1e-14
    )
