"""Kernels of softmax, log-softmax and cross-entropy against NumPy, computed in float64."""

import numpy as np
import pytest

from bench import rows as compose
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.errors import IndexRangeError
from tensorgrad.kernels.numba import logsumexp, softmax
from tests.kernel_samples import close, layouts, sample

backend = NumbaBackend()

# Around vector widths and blocks of the sums; the last, float32 only, is for the parallel twins.
SIZES = [(1, 1), (3, 7), (2, 17), (5, 33), (2, 1024), (3, 1025), (70, 1000)]


def sizes(dtype):
    return [s for s in SIZES if dtype == np.float32 or s[0] * s[1] < softmax.PARALLEL]


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name, dtype):
    for shape in sizes(dtype):
        x, g = sample(shape, dtype), sample(shape, dtype, 1)
        want = getattr(compose, name)(x.astype("f8"), -1)
        for layout in layouts(x):
            for dim in -1, 1:
                close(getattr(backend, name)(layout, dim), want)
        y = getattr(backend, name)(x, -1)
        want = getattr(compose, f"{name}_vjp")(g.astype("f8"), y.astype("f8"), -1)
        for layout in layouts(g):
            close(getattr(backend, f"{name}_vjp")(layout, y, -1), want, 20 + shape[1] // 8)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_other_ranks_and_dims(name, dtype):
    for shape in (5,), (2, 3, 4), (2, 1, 3, 5):
        x = sample(shape, dtype)
        close(getattr(backend, name)(x, -1), getattr(compose, name)(x.astype("f8"), -1))
        turned = x.T
        close(getattr(backend, name)(turned, -1), getattr(compose, name)(turned.astype("f8"), -1))
    x = sample((3, 4), dtype)
    assert getattr(backend, name)(x[:, :0], -1) is NotImplemented
    assert getattr(backend, name)(x.astype(np.float16), -1) is NotImplemented
    assert getattr(backend, f"{name}_vjp")(x.astype("f2"), x, -1) is NotImplemented


SPECIAL = [
    [1, np.nan, 2, 3],
    [-np.nan, 1, 1, 1],
    [np.inf, 0, 1, 2],
    [np.inf, np.inf, 0, 1],
    [-np.inf, 0, 1, 2],
    [-np.inf] * 4,
    [np.inf, -np.inf, 0, 0],
    [1e30, -1e30, 1e30, 0],
    [-1e30, -1e30, -1e30, -1e30],
]


@pytest.mark.parametrize("repeat", [1, 20])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_nan_and_infinity(name, repeat, dtype):
    x = np.array([row * repeat for row in SPECIAL], dtype)
    g = sample(x.shape, dtype, 1)
    with np.errstate(all="ignore"):
        y = getattr(compose, name)(x.astype("f8"), -1)
        close(getattr(backend, name)(x, -1), y)
        y = y.astype(dtype)
        want = getattr(compose, f"{name}_vjp")(g.astype("f8"), y.astype("f8"), -1)
        close(getattr(backend, f"{name}_vjp")(g, y, -1), want)


@pytest.fixture
def _small_columns_too(monkeypatch):
    monkeypatch.setattr(softmax, "MANY_COLUMNS", 0)


# Sizes around the columns and the lines that are added at once.
COLUMNS = [((3, 7, 5), 1), ((5, 3, 1), 1), ((2, 65, 513), 1), ((130, 33), 0), ((3, 2, 700, 4), -3)]
COLUMNS += [((900, 3, 2), 1), ((1, 1, 9), 1), ((2, 5000, 9), 1)]


def memories(x, dim):
    """The same numbers with a dimension that is last in memory, with gaps, and read-only."""
    yield x
    yield np.moveaxis(np.ascontiguousarray(np.moveaxis(x, dim, -1)), -1, dim)
    yield np.repeat(x, 2, -1)[..., ::2]
    frozen = x.copy()
    frozen.flags.writeable = False
    yield frozen


@pytest.mark.usefixtures("_small_columns_too")
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize(("shape", "dim"), COLUMNS, ids=str)
def test_softmax_along_a_dimension_that_others_follow(shape, dim, name, dtype):
    x, g = sample(shape, dtype), sample(shape, dtype, 1)
    want = getattr(compose, name)(x.astype("f8"), dim)
    y = want.astype(dtype)
    back = getattr(compose, f"{name}_vjp")(g.astype("f8"), y.astype("f8"), dim)
    for given in memories(x, dim):
        close(getattr(backend, name)(given, dim), want)
    for given in memories(g, dim):
        for of in memories(y, dim):
            close(getattr(backend, f"{name}_vjp")(given, of, dim), back, 20 + shape[dim] // 8)


@pytest.mark.usefixtures("_small_columns_too")
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_columns_of_nan_and_infinity(name, dtype):
    x = np.stack([np.array(SPECIAL, dtype)] * 2)
    g = sample(x.shape, dtype, 1)
    with np.errstate(all="ignore"):
        for dim, given in (1, x), (1, np.ascontiguousarray(x.swapaxes(1, 2))):
            y = getattr(compose, name)(given.astype("f8"), dim)
            close(getattr(backend, name)(given, dim), y)
            y, slope = y.astype(dtype), g.reshape(given.shape)
            want = getattr(compose, f"{name}_vjp")(slope.astype("f8"), y.astype("f8"), dim)
            close(getattr(backend, f"{name}_vjp")(slope, y, dim), want)


def logarithms(x, dim):
    """With what is left over: exp(x - the result), 0 where all are -inf."""
    with np.errstate(all="ignore"):
        top = np.max(x, dim, keepdims=True)
        top = np.where(np.isfinite(top), top, 0)
        y = np.log(np.sum(np.exp(x - top), dim, keepdims=True)) + top
        return y, np.exp(x - np.where(y == -np.inf, 0, y))


@pytest.mark.parametrize(("shape", "dim"), [*COLUMNS, ((5,), 0), ((3, 1025), 1)], ids=str)
def test_logsumexp(shape, dim, dtype, monkeypatch):
    monkeypatch.setattr(logsumexp, "SMALL", 0)
    x = sample(shape, dtype)
    want, shares = logarithms(x.astype("f8"), dim)
    g = sample(want.shape, dtype, 1)
    for given in memories(x, dim):
        y = backend.logsumexp(given, dim, True)
        close(y, want)
        one = backend.logsumexp(given, dim, False)
        np.testing.assert_array_equal(one, y.squeeze(dim))
        close(backend.logsumexp_vjp(g, given, y, dim, True), g.astype("f8") * shares)
        flat = g.reshape(one.shape)
        close(backend.logsumexp_vjp(flat, given, one, dim, False), g.astype("f8") * shares)


def test_logsumexp_of_nan_and_infinity(dtype, monkeypatch):
    monkeypatch.setattr(logsumexp, "SMALL", 0)
    x = np.array(SPECIAL, dtype)
    for dim, given in (1, x), (0, np.ascontiguousarray(x.T)):
        want, shares = logarithms(given.astype("f8"), dim)
        y = backend.logsumexp(given, dim, True)
        for place in range(len(SPECIAL)):
            close(y.take([place], 1 - dim), want.take([place], 1 - dim))
        close(backend.logsumexp_vjp(np.ones_like(y), given, y, dim, True), shares)


def test_logsumexp_leaves_what_it_does_not_serve():
    x = sample((3, 4), np.float32)
    for given, dim in (x, (0, 1)), (x, 2), (x[:0], 0), (x.astype("f2"), 0), (x[0, 0], 0):
        assert backend.logsumexp(given, dim, False) is NotImplemented


def test_a_mean_over_many_elements_keeps_its_precision():
    x = np.zeros((1, 1_000_000), np.float32)
    np.testing.assert_allclose(backend.softmax(x, -1), 1e-6, rtol=1e-6)


def test_cross_entropy(dtype):
    for rows, classes in sizes(dtype):
        x, g = sample((rows, classes), dtype), sample(rows, dtype, 1)
        target = np.random.default_rng(2).integers(0, classes, rows)
        target[::3] = -100
        want = compose.softmax_cross_entropy(x.astype("f8"), target, -100)
        want_g = compose.softmax_cross_entropy_vjp(g.astype("f8"), x.astype("f8"), target, -100)
        for layout in layouts(x):
            loss, aux = backend.softmax_cross_entropy(layout, target, -100)
            close(loss, want)
            got, none = backend.softmax_cross_entropy_vjp(g, layout, target, -100, 0.0, aux)
            close(got, want_g)
            assert none is None
        spread = np.repeat(target, 2)[::2]
        loss, aux = backend.softmax_cross_entropy(x, spread, -100)
        one = np.broadcast_to(np.array(0.5, dtype), (rows,))  # the gradient of a mean: no memory
        got, _ = backend.softmax_cross_entropy_vjp(one, x, spread, -100, 0.0, aux)
        close(got, compose.softmax_cross_entropy_vjp(one, x.astype("f8"), target, -100))


def test_cross_entropy_of_nan_infinity_and_large_logits(dtype):
    x = np.array(SPECIAL + [[4000.25, 4000, 3999, -4000]], dtype)
    g = sample(len(x), dtype, 1)
    for column in range(4):
        target = np.full(len(x), column)
        with np.errstate(all="ignore"):
            want = compose.softmax_cross_entropy(x.astype("f8"), target, -100)
            g_want = compose.softmax_cross_entropy_vjp(g, x.astype("f8"), target, -100)
        loss, aux = backend.softmax_cross_entropy(x, target, -100)
        got, _ = backend.softmax_cross_entropy_vjp(g, x, target, -100, 0.0, aux)
        for row in range(len(x)):  # one by one: the tolerance goes with the size
            close(loss[row : row + 1], want[row : row + 1])
            close(got[row], g_want[row])


def test_cross_entropy_ignores_an_index_that_is_a_class():
    x, target = sample((4, 3), np.float32), np.array([0, 1, 2, 1])
    loss, aux = backend.softmax_cross_entropy(x, target, 1)
    close(loss, compose.softmax_cross_entropy(x.astype("f8"), target, 1))
    assert loss[1] == loss[3] == 0
    got, _ = backend.softmax_cross_entropy_vjp(np.ones(4, "f4"), x, target, 1, 0.0, aux)
    assert not got[[1, 3]].any()


@pytest.mark.parametrize("bad", [3, -1, -100, 2**40, -(2**63)])
def test_cross_entropy_refuses_a_class_out_of_range(bad):
    x, target = sample((4, 3), np.float32), np.array([0, 1, bad, 2])
    message = rf"softmax_cross_entropy: expected targets in \[0, 3\), got {bad}$"
    with pytest.raises(IndexRangeError, match=message):
        backend.softmax_cross_entropy(x, target, 5)


def test_cross_entropy_leaves_what_it_does_not_serve():
    x, target = sample((4, 3), np.float32), np.array([0, 1, 2, 1])
    assert backend.softmax_cross_entropy(x.astype("f2"), target, -100) is NotImplemented
    assert backend.softmax_cross_entropy(x, target.astype("i4"), -100) is NotImplemented
    assert backend.softmax_cross_entropy(x[:0], target[:0], -100) is NotImplemented
    assert backend.softmax_cross_entropy(x[0], target[:1], -100) is NotImplemented
    assert backend.softmax_cross_entropy(x, target[:3], -100) is NotImplemented
    assert backend.softmax_cross_entropy(x, target[:, None], -100) is NotImplemented


def losses(x, target, smoothing):
    """Of (N, C, S) in float64."""
    rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]).astype("f8")
    loss = compose.softmax_cross_entropy(rows, target.reshape(-1), -100)
    uniform = -compose.log_softmax(rows, 1).mean(1) * (target.reshape(-1) != -100)
    mixed = loss * (1 - smoothing) + uniform * smoothing if smoothing else loss
    return mixed.reshape(target.shape)


def losses_vjp(g, x, target, smoothing):
    rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]).astype("f8")
    slope, classes = g.reshape(-1).astype("f8"), target.reshape(-1)
    own = compose.softmax_cross_entropy_vjp(slope, rows, classes, -100)
    even = np.where(classes != -100, slope, 0)[:, None] * (
        compose.softmax(rows, 1) - 1 / x.shape[1]
    )
    back = own * (1 - smoothing) + even * smoothing if smoothing else own
    return np.moveaxis(back.reshape(*g.shape, x.shape[1]), -1, 1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 7, 5), (2, 65, 513), (90, 3, 2), (5, 6)], ids=str)
def test_cross_entropy_of_places(shape, smoothing, dtype):
    x = sample(shape, dtype)
    target = np.random.default_rng(2).integers(0, shape[1], (shape[0], *shape[2:]))
    target[1:, ...][::2] = -100
    g = sample(target.shape, dtype, 1)
    for given in memories(x, 1):
        loss, aux = backend.softmax_cross_entropy(given, target, -100, smoothing)
        close(loss, losses(x, target, smoothing))
        assert (loss[target == -100] == 0).all()
        got, none = backend.softmax_cross_entropy_vjp(g, given, target, -100, smoothing, aux)
        close(got, losses_vjp(g, x, target, smoothing))
        assert none is None
        one = np.broadcast_to(np.array(0.5, dtype), target.shape)
        got, _ = backend.softmax_cross_entropy_vjp(one, given, target, -100, smoothing, aux)
        close(got, losses_vjp(one, x, target, smoothing))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_places_of_nan_and_infinity(smoothing, dtype):
    x = np.array(SPECIAL + [[4000.25, 4000, 3999, -4000]], dtype).T[None]
    g = sample((1, x.shape[2]), dtype, 1)
    for column in 0, 1, 2, 3, -100:
        target = np.full(g.shape, column)
        with np.errstate(all="ignore"):
            want, back = losses(x, target, smoothing), losses_vjp(g, x, target, smoothing)
        loss, aux = backend.softmax_cross_entropy(x, target, -100, smoothing)
        got, _ = backend.softmax_cross_entropy_vjp(g, x, target, -100, smoothing, aux)
        if column == -100:
            want, back = np.zeros_like(want), np.zeros_like(back)
        for place in range(x.shape[2]):
            close(loss[:, place], want[:, place])
            close(got[..., place], back[..., place])
