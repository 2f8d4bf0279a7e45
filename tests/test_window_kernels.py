"""Convolution and pooling against their compositions in NumPy, computed in float64."""

import numpy as np
import pytest

import tensorgrad as tg
from bench import windows
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.kernels.numba import window_sums
from tensorgrad.ops.convolution import convolution
from tests.kernel_samples import close, sample

backend, reference = NumbaBackend(), NumpyBackend()


# (input, weight, stride, padding, dilation, groups): the shifted copy, odd borders of it, and rows.
CONVOLUTIONS = [
    ((2, 3, 5, 6), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((1, 2, 1, 1), (2, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 4, 4, 5), (6, 2, 1, 5), (1, 1), (3, 4), (1, 2), 2),
    ((1, 1, 2, 3), (1, 1, 3, 3), (1, 1), (7, 7), (5, 7), 1),
    ((2, 3, 5, 14), (4, 3, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((2, 2, 6, 29), (2, 1, 3, 2), (2, 2), (1, 2), (2, 3), 2),
    ((1, 2, 9, 41), (3, 2, 2, 4), (4, 3), (5, 1), (1, 1), 1),
    ((3, 2, 4, 4), (3, 2, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 2, 7, 5), (3, 2, 3, 3), (2, 2), (1, 1), (1, 1), 1),
    ((3, 40, 13, 17), (50, 40, 3, 3), (1, 1), (1, 1), (1, 1), 1),  # several panels and tiles
    ((2, 6, 20, 20), (6, 1, 3, 3), (1, 1), (1, 1), (1, 1), 6),  # depthwise
    ((3, 3, 33, 31), (20, 3, 7, 7), (2, 2), (3, 3), (1, 1), 1),
    ((5, 8, 9, 9), (12, 4, 2, 2), (3, 3), (0, 0), (1, 1), 2),  # places that no window meets
    ((9, 6, 7, 5), (12, 2, 3, 3), (2, 2), (1, 1), (1, 1), 3),  # of several channels a group
    ((40, 3, 5, 5), (6, 1, 2, 3), (3, 3), (1, 0), (1, 1), 3),  # some samples at a time
    # Windows that do not meet: all places, some, one.
    ((3, 6, 7, 9), (9, 6, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((3, 6, 7, 9), (9, 6, 1, 1), (2, 3), (0, 0), (2, 1), 1),
    ((3, 6, 6, 9), (9, 6, 2, 3), (2, 3), (0, 0), (1, 1), 1),
    ((3, 6, 8, 9), (9, 6, 2, 3), (3, 3), (0, 0), (1, 1), 1),
    ((7, 6, 3, 4), (9, 6, 3, 4), (1, 2), (0, 0), (1, 1), 1),
    ((7, 6, 4, 6), (9, 6, 3, 4), (2, 3), (0, 0), (1, 1), 1),
]


@pytest.mark.parametrize(
    ("channels", "to", "groups", "size", "kernel", "how"),
    [
        (3, 5, 1, 401, 3, (1, 1, 1)),
        (4, 6, 2, 603, 5, (2, 3, 1)),
        (20, 17, 1, 337, 4, (3, 0, 2)),
        (6, 6, 6, 1011, 3, (1, 2, 1)),
    ],
)
def test_one_dimension_is_a_plane_of_one_row(channels, to, groups, size, kernel, how, dtype):
    x, weight = sample((60, channels, size), dtype), sample((to, channels // groups, kernel), dtype)
    bias = sample((to,), dtype, 2)
    line = *((number,) for number in how), groups
    plane = *zip((1, 0, 1), how, strict=True), groups
    y = backend.convolution(x, weight, bias, *line)
    exact = [a[..., None, :].astype("f8") for a in (x, weight)]
    close(y, windows.convolution(*exact, bias.astype("f8"), *plane)[:, :, 0])
    wants = windows.convolution_vjp(y[:, :, None].astype("f8"), *exact, *plane)
    gots = backend.convolution_vjp(y, x, weight, *line, (True, True, True))
    for got, want in zip(gots, wants, strict=True):
        close(got, want.reshape(got.shape))
    back = backend.transposed_convolution(y, weight, None, *line, (size,))
    np.testing.assert_array_equal(back, gots[0])
    of_y = backend.transposed_convolution_vjp(back, y, weight, *line, (True, True, True))
    close(of_y[0], windows.convolution(back[:, :, None], exact[1], None, *plane)[:, :, 0])
    close(of_y[2], back.sum((0, 2)))
    assert backend.convolution(x[:1], weight, bias, *line) is NotImplemented  # little work
    some = backend.convolution_vjp(y, x, weight, *line, (False, True, False))
    assert some[0] is None
    assert some[2] is None
    np.testing.assert_array_equal(some[1], gots[1])


@pytest.mark.parametrize(
    ("shape", "weight_shape", "how"),
    [
        ((3, 6, 6, 9, 10), (8, 6, 3, 3, 2), ((1, 1, 1), (1, 1, 0), (1, 1, 1), 1)),
        ((2, 16, 5, 8, 9), (16, 16, 2, 3, 3), ((1, 1, 1), (0, 1, 1), (1, 1, 1), 1)),
        ((4, 6, 12, 12, 11), (12, 3, 3, 2, 3), ((2, 2, 1), (3, 0, 2), (2, 1, 2), 2)),
        ((8, 5, 9, 16, 16), (10, 5, 2, 4, 4), ((4, 4, 4), (1, 0, 0), (1, 1, 1), 1)),
    ],
    ids=str,
)
def test_volumes_are_pictures_in_a_batch(shape, weight_shape, how, dtype):
    x, weight = sample(shape, dtype), sample(weight_shape, dtype, 1)
    bias = sample(weight_shape[:1], dtype, 2)
    leaves = [tg.tensor(a.astype("f8"), requires_grad=True) for a in (x, weight, bias)]
    with tg.use_backend("numpy"):
        want = convolution(*leaves, *how)
        g = sample(want.shape, dtype, 3)
        wants = [part.numpy() for part in tg.autograd.grad(want, leaves, tg.tensor(g.astype("f8")))]
    got = backend.convolution(x, weight, bias, *how)
    close(got, want.detach().numpy())
    rectified = backend.rectified_convolution(x, weight, bias, *how)
    np.testing.assert_array_equal(rectified, np.maximum(got, 0))
    gots = backend.convolution_vjp(g, x, weight, *how, (True, True, True))
    for one, other in zip(gots, wants, strict=True):
        close(one, other)
    added = sample(shape[1:2], dtype, 4)
    back = backend.transposed_convolution(g, weight, added, *how, shape[2:])
    close(back, wants[0] + added[:, None, None, None])
    of_g = backend.transposed_convolution_vjp(back, g, weight, *how, (True, True, True))
    close(of_g[0], backend.convolution(back, weight, None, *how).astype("f8"))
    close(of_g[2], back.sum((0, 2, 3, 4)).astype("f8"))
    some = backend.convolution_vjp(g, x, weight, *how, (False, False, True))
    assert some[:2] == (None, None)
    one = x[:1, :, :4, :5, :5]
    assert backend.convolution(one, weight[:, :, :1], bias, *how) is NotImplemented  # little work


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution(case, dtype):
    shape, weight_shape, *how = case
    x, weight = sample(shape, dtype, 0, 1.0), sample(weight_shape, dtype, 1, 1.0)
    bias = sample(weight_shape[:1], dtype, 2)
    exact = [a.astype("f8") for a in (x, weight, bias)]
    want = windows.convolution(*exact, *how)
    found = backend.convolution(x, weight, bias, *how)
    close(found, want)
    rectified = backend.rectified_convolution(x, weight, bias, *how)
    np.testing.assert_array_equal(rectified, np.maximum(found, 0))
    g = sample(want.shape, dtype, 3, 1.0)
    wanted = windows.convolution_vjp(g.astype("f8"), *exact[:2], *how)
    everything = backend.convolution_vjp(g, x, weight, *how, (True, True, True))
    for got, want in zip(everything, wanted, strict=True):
        close(got, want)
    needs = True, True, True
    passed = backend.rectified_convolution_vjp(g, rectified, x, weight, *how, needs)
    wants = backend.convolution_vjp(np.where(found > 0, g, 0), x, weight, *how, needs)
    for got, want in zip(passed, wants, strict=True):
        np.testing.assert_array_equal(got, want)
    back = backend.transposed_convolution(g, weight, None, *how, x.shape[2:])
    np.testing.assert_array_equal(back, everything[0])
    added = sample(x.shape[1:2], dtype, 4)
    with_bias = backend.transposed_convolution(g, weight, added, *how, x.shape[2:])
    close(with_bias, wanted[0] + added[:, None, None])
    for number in range(3):
        needs = [number == i for i in range(3)]
        some = backend.convolution_vjp(g, x, weight, *how, needs)
        assert [part is not None for part in some] == needs
        np.testing.assert_array_equal(some[number], everything[number])


def test_convolution_leaves_what_it_does_not_serve():
    x, w, b = np.ones((2, 3, 5, 5), "f4"), np.ones((4, 3, 3, 3), "f4"), np.ones(4, "f4")
    how = (1, 1), (1, 1), (1, 1), 1
    none = NotImplemented
    assert backend.convolution(x, w, b, *how) is not none
    assert backend.convolution(x[:, :, 0], w, None, (1,), (1,), (1,), 1) is none
    assert backend.convolution(x.astype("f8"), w, b, *how) is none
    assert backend.convolution(x, w, b.astype("f8"), *how) is none
    assert backend.convolution(x, w, b[:2], *how) is none
    assert backend.convolution(x[:0], w, b, *how) is none
    assert backend.convolution(x[:, :2], w, b, *how) is none
    assert backend.convolution(x, w, b, (1, 1), (0, 0), (3, 1), 1) is none
    assert backend.convolution(x, w, b, (0, 1), (1, 1), (1, 1), 1) is none
    assert backend.max_windows(x, (2, 2), (2, 2), (0, 0), (5, 1)) is none
    assert backend.max_windows(x[:0], (2, 2), (2, 2), (0, 0), (1, 1)) is none
    assert backend.max_windows(x.astype("f2"), (2, 2), (2, 2), (0, 0), (1, 1)) is none
    assert backend.max_windows(x[None], *((2,) * 4, (2,) * 4, (0,) * 4, (1,) * 4)) is none
    assert backend.transposed_convolution(x[:, :, 0], w, None, (1,), (0,), (1,), 1, (7,)) is none
    assert backend.transposed_convolution(x, w, None, *how, (9, 9)) is none


@pytest.mark.parametrize(
    "how",
    [
        ((2, 2), (2, 2), (0, 0), (1, 1)),
        ((2, 2), (3, 2), (1, 1), (1, 1)),
        ((3, 3), (2, 2), (1, 1), (1, 1)),
        ((3, 2), (2, 1), (1, 1), (1, 1)),  # windows overlap
        ((2, 3), (1, 2), (1, 1), (3, 2)),
        ((1, 1), (3, 1), (2, 3), (1, 1)),  # and some lie in the padding alone
        ((5, 6), (1, 1), (2, 3), (1, 1)),
        ((3, 2), (4, 5), (1, 1), (2, 1)),
        ((2, 7), (3, 6), (1, 3), (1, 1)),  # wider than there are windows
        ((7, 8), (7, 8), (0, 0), (1, 1)),
        ((7, 80), (60, 3), (3, 40), (1, 1)),
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(2, 3, 7, 8), (3, 2, 67, 90)], ids=str)
def test_max_windows_takes_the_first_largest_and_the_last_nan(shape, how, dtype):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, shape).astype(dtype)  # many ties
    x[rng.random(x.shape) < 0.1] = np.nan
    x[rng.random(x.shape) < 0.3] = -np.inf
    got, aux = backend.max_windows(x, *how)
    want = windows.max_windows(x, *how)
    np.testing.assert_array_equal(got, want)
    assert got.dtype == dtype
    g = sample(want.shape, dtype, 1)
    close(backend.max_windows_vjp(g, x.shape, how[0], aux), windows.max_windows_vjp(g, x, *how))
    places = backend.largest_in_windows(x, *how, True)
    np.testing.assert_array_equal(places, reference.largest_in_windows(x, *how, True))


def test_max_windows_over_one_dimension(dtype):
    x = np.random.default_rng(0).integers(0, 3, (3, 11)).astype(dtype)
    how = (3,), (2,), (1,), (2,)
    for ceil_mode in False, True:
        got, places = backend.max_windows(x, *how, ceil_mode)
        want = reference.largest_in_windows(x, *how, ceil_mode)
        np.testing.assert_array_equal(places, want)
        np.testing.assert_array_equal(got, np.take_along_axis(x, want, -1))
        spread = backend.max_windows_vjp(got, x.shape, how[0], places)
        assert spread.shape == x.shape
        np.testing.assert_allclose(spread.sum(-1), got.sum(-1))


@pytest.mark.parametrize(
    "how",
    [
        ((2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1)),
        ((3, 3, 2), (2, 1, 2), (1, 1, 1), (1, 1, 1)),
        ((2, 1, 3), (1, 2, 3), (1, 0, 0), (3, 2, 1)),
    ],
    ids=str,
)
def test_max_windows_over_three_dimensions(how, dtype):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, (2, 3, 6, 7, 9)).astype(dtype)
    x[rng.random(x.shape) < 0.05] = np.nan
    x[rng.random(x.shape) < 0.3] = -np.inf
    for ceil_mode in False, True:
        got, places = backend.max_windows(x, *how, ceil_mode)
        want = reference.largest_in_windows(x, *how, ceil_mode)
        np.testing.assert_array_equal(places, want)
        lines = x.reshape(6, -1)
        taken = np.take_along_axis(lines, want.reshape(6, -1), 1).reshape(want.shape)
        np.testing.assert_array_equal(got, taken)
    spread = backend.max_windows_vjp(np.ones_like(got), x.shape, how[0], places)
    np.testing.assert_array_equal(spread.sum((2, 3, 4)), np.full((2, 3), got[0, 0].size))
    alone = np.ones((1, 3, 3, 3), dtype)  # windows that lie in the padding alone
    how = (1, 1, 1), (3, 3, 3), (3, 3, 3), (1, 1, 1)
    assert backend.max_windows(alone, *how) is NotImplemented


# ---- sums of windows


def sums_of_windows(x, kernel, stride, before, after):
    spatial = len(kernel)
    none = [(0, 0)] * (x.ndim - spatial)
    wide = np.pad(x, none + list(zip(before, after, strict=True)))
    found = reference.windows(wide, kernel, stride, (1,) * spatial)
    return found.sum(tuple(range(-spatial, 0)))


def spread_over_windows(g, shape, kernel, stride, before, after):
    spatial = len(kernel)
    size = [n + b + a for n, b, a in zip(shape[-spatial:], before, after, strict=True)]
    wide = np.broadcast_to(g.reshape(*g.shape, *(1,) * spatial), (*g.shape, *kernel))
    found = reference.fold_windows(wide, tuple(size), kernel, stride, (1,) * spatial)
    cut = [slice(b, b + n) for b, n in zip(before, shape[-spatial:], strict=True)]
    return found[(..., *cut)]


@pytest.mark.parametrize(
    ("shape", "how"),
    [
        ((2, 3, 7, 9), ((2, 2), (2, 2), (0, 0), (0, 0))),
        ((2, 3, 7, 9), ((3, 3), (2, 2), (1, 1), (1, 2))),
        ((2, 5, 6, 6), ((3, 2), (1, 1), (1, 0), (1, 1))),
        ((1, 2, 11, 8), ((2, 5), (3, 4), (1, 2), (0, 2))),
        ((3, 1, 5, 5), ((2, 1), (4, 3), (0, 0), (1, 0))),  # places that no window meets
        ((70, 40, 4, 4), ((4, 4), (4, 4), (0, 0), (0, 0))),
        ((3, 7, 9), ((2, 3), (2, 1), (1, 1), (0, 1))),
        ((4, 3, 33), ((3,), (2,), (1,), (1,))),
        ((6, 17), ((4,), (4,), (0,), (3,))),
    ],
    ids=str,
)
def test_window_sum(shape, how, dtype, monkeypatch):
    monkeypatch.setattr(window_sums, "SMALL", 0)
    monkeypatch.setattr(window_sums, "SMALL_BACK", 0)
    x = sample(shape, dtype)
    want = sums_of_windows(x.astype("f8"), *how)
    g = sample(want.shape, dtype, 1)
    back = spread_over_windows(g.astype("f8"), shape, *how)
    for given in memories(x):
        close(backend.window_sum(given, *how), want)
    for given in memories(g):
        close(backend.window_sum_vjp(given, shape, *how), back)
    x.flat[[0, 5, 9]] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        want = sums_of_windows(x.astype("f8"), *how)
    for given in memories(x):
        close(backend.window_sum(given, *how), want)


def memories(x):
    """The same numbers with channels last in memory, with gaps, and read-only."""
    yield x
    if x.ndim == 4:
        yield np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    yield np.repeat(x, 2, -1)[..., ::2]
    frozen = x.copy()
    frozen.flags.writeable = False
    yield frozen


def test_window_sums_leave_what_they_do_not_serve():
    none = (0, 0), (0, 0)
    for x in np.ones((40, 40, 40), "f2"), np.ones((3, 4), "f4"), np.ones((200, 200, 1), "f4"):
        assert backend.window_sum(x, (2, 2), (2, 2), *none) is NotImplemented
    cube = np.ones((30, 30, 30), "f4")
    how = (2, 2, 2), (2, 2, 2), (0, 0, 0), (0, 0, 0)
    assert backend.window_sum(cube, *how) is NotImplemented
    assert backend.window_sum_vjp(cube, (60, 60, 60), *how) is NotImplemented
