"""Products of the Numba backend: every layout and size, against products in float64."""

import numba
import numpy as np
import pytest

from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numba_products import SMALL_PRODUCT
from tensorgrad.kernels.numba import gemm, microkernel

backend = NumbaBackend()


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


def sample(shape, dtype, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def laid_out(matrices, layout):
    """The same numbers: row by row, column by column, or with gaps between them."""
    if layout == "columns":
        return np.ascontiguousarray(matrices.swapaxes(-1, -2)).swapaxes(-1, -2)
    if layout == "gaps":
        wide = np.zeros((*matrices.shape[:-1], 2 * matrices.shape[-1]), matrices.dtype)
        wide[..., ::2] = matrices
        return wide[..., ::2]
    return matrices


def close(got, a, b, bias=0.0):
    want = a.astype("f8") @ b.astype("f8") + bias
    assert got.dtype == a.dtype
    assert got.shape == want.shape
    bound = np.abs(a).astype("f8") @ np.abs(b).astype("f8") + np.abs(bias)
    assert (np.abs(got - want) <= np.finfo(a.dtype).eps * 4 * np.sqrt(a.shape[-1]) * bound).all()


# Edges of tiles, panels and blocks of terms; the last ones run on all threads.
SIZES = [(4, 1, 4), (5, 3, 33), (8, 16, 32), (13, 57, 45), (97, 300, 31), (200, 513, 130)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("left", ["rows", "columns", "gaps"])
@pytest.mark.parametrize("right", ["rows", "columns", "gaps"])
def test_product(size, left, right, dtype):
    rows, terms, columns = size
    a, b = sample((rows, terms), dtype), sample((terms, columns), dtype, 1)
    bias = sample(columns, dtype, 2)
    a, b = laid_out(a, left), laid_out(b, right)
    close(gemm.product(a, b), a, b)
    close(gemm.product(a, b, bias), a, b, bias)


@pytest.mark.parametrize("shapes", [((3, 4, 50, 60), (3, 4, 60, 70)), ((6, 90, 40), (40, 33))])
@pytest.mark.parametrize("layout", ["rows", "columns", "gaps"])
def test_batches(shapes, layout, dtype):
    a, b = (laid_out(sample(shape, dtype), layout) for shape in shapes)
    assert gemm.matmul(a, b) is not NotImplemented
    close(backend.matmul(a, b), a, b)


def test_what_the_kernel_leaves_to_numpy(dtype):
    wide = sample((400, 400), dtype)
    for a, b in [
        (wide, wide[0]),
        (wide[0], wide),
        (wide[:2], wide),
        (wide, wide[:, :1]),
        (wide, wide.astype("f2")),
        (wide.astype("i8"), wide.astype("i8")),
        (np.stack([wide] * 2)[None], np.stack([wide] * 2)),  # batches that broadcast
    ]:
        assert gemm.matmul(a, b) is NotImplemented
        np.testing.assert_allclose(backend.matmul(a, b), a @ b)
    with pytest.raises(ValueError, match="mismatch"):
        backend.matmul(wide, wide[:300])


def test_linear_of_every_size(dtype):
    for shape, to in ((4, 8), 3), ((7, 64, 96), 50), ((2, 300), 301):
        x, weight = sample(shape, dtype), sample((to, shape[-1]), dtype, 1)
        bias = sample(to, dtype, 2)
        rows = x.reshape(-1, shape[-1])
        got = backend.linear(x, weight, bias)
        assert got.shape == (*shape[:-1], to)
        close(got.reshape(-1, to), rows, weight.T, bias)
    assert SMALL_PRODUCT < 7 * 64 * 96 * 50


# (rows, numbers of the input, of the output): a few rows, edges of parts, more parts than threads.
MAPS = [(32, 2, 16), (300, 70, 50), (1024, 4, 4), (1025, 33, 65), (1700, 129, 100), (9000, 40, 7)]


def gradients(rows, k, n, dtype):
    g, x = sample((rows, n), dtype), sample((rows, k), dtype, 1)
    return g, x, sample((n, k), dtype, 2), sample(n, dtype, 3)


@pytest.mark.parametrize("size", MAPS, ids=str)
@pytest.mark.parametrize("layout", ["rows", "columns", "gaps"])
def test_gradients_of_linear(size, layout, dtype):
    g, x, weight, bias = gradients(*size, dtype)
    g, x, weight = (laid_out(array, layout) for array in (g, x, weight))
    found = backend.linear_vjp(g, x, weight, bias, (True, True, True))
    close(found[0], g, weight)
    close(found[1], g.T, x)
    close(found[2][None], np.ones((1, len(g)), dtype), g)
    for place in range(3):
        needs = tuple(number == place for number in range(3))
        for number, part in enumerate(backend.linear_vjp(g, x, weight, bias, needs)):
            assert (part is not None) == (number == place)
            if part is not None:
                np.testing.assert_allclose(part, found[number], rtol=1e-4, atol=1e-3)


def test_gradients_of_linear_are_of_their_rows(dtype):
    g, x, weight, bias = gradients(1300, 40, 50, dtype)
    shaped = g.reshape(13, 100, 50), x.reshape(13, 100, 40)
    many = backend.linear_vjp(*shaped, weight, bias, (True, True, True))
    assert many[0].shape == (13, 100, 40)
    g[700, 3], x[900, 5] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        g_input, g_weight, g_bias = backend.linear_vjp(g, x, weight, bias, (True, True, True))
    assert np.isnan(g_input).any(1).nonzero()[0].tolist() == [700]
    assert np.isnan(g_bias).nonzero()[0].tolist() == [3]
    odd = ~np.isfinite(g_weight)
    assert odd[3].all()
    assert odd[:, 5].all()
    assert odd.sum() == 40 + 50 - 1


def test_nan_and_infinity_stay_in_their_row_and_column(dtype):
    a, b = sample((40, 60), dtype), sample((60, 70), dtype, 1)
    a[3, 5], a[20, 6], b[7, 65] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        got, want = gemm.product(a, b), a @ b
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_array_equal(np.isinf(got), np.isinf(want))


def test_the_number_of_threads_changes_no_bit(dtype):
    a, b = sample((700, 600), dtype), sample((600, 90), dtype, 1)
    many, before = gemm.product(a, b), numba.get_num_threads()
    maps, needs = gradients(2000, 90, 100, dtype), (True, True, True)
    gradients_of_many = backend.linear_vjp(*maps, needs)
    try:
        numba.set_num_threads(1)
        np.testing.assert_array_equal(gemm.product(a, b), many)
        for one, of_many in zip(backend.linear_vjp(*maps, needs), gradients_of_many, strict=True):
            np.testing.assert_array_equal(one, of_many)
    finally:
        numba.set_num_threads(before)


def test_a_tile_fits_the_registers():
    sums = microkernel.ROWS * microkernel.VECTORS
    registers = 32 if microkernel.BYTES == 64 or microkernel.ROWS == 8 else 16
    assert sums + microkernel.VECTORS + 1 <= registers
