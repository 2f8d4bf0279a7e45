"""Interpolation, sampling and pooling to a size on the Numba backend against NumPy's."""

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as functional
from tests.kernel_samples import close, layouts, sample


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


def both(function, *arrays):
    """The value and the gradients, by either backend."""
    results = []
    for backend in "numba", "numpy":
        with tg.use_backend(backend):
            tensors = [tg.tensor(x, requires_grad=True) for x in arrays]
            out = function(*tensors)
            slope = tg.linspace(-1, 2, out.numel(), dtype=out.dtype).reshape(out.shape)
            (out * slope).sum().backward()
            results.append([out.detach().numpy(), *[x.grad.numpy() for x in tensors]])
    return zip(*results, strict=True)


IMAGES = (1, 1, 4, 5), (2, 3, 17, 13), (2, 8, 32, 40)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
def test_interpolation(mode, dtype):
    for shape in IMAGES:
        for size in (7, 7), (40, 51), (34, 3):
            aligned = (None, True) if mode in ("bilinear", "bicubic") else (None,)
            for align in aligned:

                def resize(x, size=size, align=align):
                    return functional.interpolate(x, size, mode=mode, align_corners=align)

                for got, want in both(resize, sample(shape, dtype)):
                    close(got, want)


def test_a_weighted_sum_reads_its_own_places_only(dtype):
    x = sample((2, 3, 17, 13), dtype)
    x[0, 0, 5, 6], x[1, 2, 0, 0], x[1, 1, 3, 3] = np.nan, np.inf, -np.inf
    for function in (
        lambda x: functional.interpolate(x, (40, 30), mode="bilinear"),
        lambda x: functional.interpolate(x, (5, 30)),
        lambda x: functional.adaptive_avg_pool2d(x, 5),
    ):
        with tg.use_backend("numba"):
            got = function(tg.from_numpy(x)).numpy()
        with tg.use_backend("numpy"):
            close(got, function(tg.from_numpy(x)).numpy())


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("aligned", [False, True])
def test_sampling(padding, aligned, dtype):
    for shape in IMAGES:
        grid = sample((shape[0], 70, 61, 2), dtype, seed=1, scale=0.8)
        grid[0, 0, :4] = [[-1, -1], [1, 1], [0, -1], [np.nan, 0.5]]

        def place(x, grid):
            return functional.grid_sample(x, grid, padding_mode=padding, align_corners=aligned)

        for got, want in both(place, sample(shape, dtype), grid):
            close(got, want, factor=200)


def test_pooling_to_a_size(dtype):
    for shape in IMAGES:
        for size in (3, 2), (1, 4), (7, 7), (5, 1):
            for pool in functional.adaptive_avg_pool2d, functional.adaptive_max_pool2d:
                for got, want in both(lambda x, f=pool, n=size: f(x, n), sample(shape, dtype)):
                    close(got, want)
    for got, want in both(lambda x: functional.adaptive_max_pool1d(x, 7), sample((3, 50), dtype)):
        close(got, want)


def test_the_largest_of_strange_windows(dtype):
    x = np.round(sample((2, 3, 11, 13), dtype))  # many are equal
    x[0, 0, 4, 4], x[0, 1, 5, 5], x[1, 2] = np.nan, np.inf, -np.inf
    for got, want in both(lambda x: functional.adaptive_max_pool2d(x, (3, 4)), x):
        np.testing.assert_array_equal(got, want)


def test_any_layout(dtype):
    for x in layouts(sample((64, 48), dtype)):
        for function in (
            lambda x: functional.interpolate(x[None, None], (50, 70), mode="bilinear"),
            lambda x: functional.adaptive_max_pool2d(x[None], (5, 7)),
            lambda x: functional.normalize(x, dim=-1),
            lambda x: x.norm(dim=-1),
        ):
            with tg.use_backend("numba"):
                got = function(tg.from_numpy(x.copy())).numpy()
                close(function(tg.from_numpy(x)).numpy(), got)
