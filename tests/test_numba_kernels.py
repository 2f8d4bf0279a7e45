"""The Numba kernels against their compositions in NumPy, computed in float64, as arrays only.

That the ops around them agree is the op table's business. Here are the cases that the table does
not make: odd layouts and sizes, nan and infinities, the number of threads, threads and processes
at once.
"""

import os
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest

from bench import kernels as compose
from bench import recurrent as compose_layers
from bench import windows
from tensorgrad.backend import CPU
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.errors import IndexRangeError
from tensorgrad.kernels.numba import (
    cache,
    embedding,
    lstm,
    random,
    recurrent,
    runtime,
    softmax,
    tasks,
)
from tensorgrad.kernels.numba import math as kernel_math
from tensorgrad.kernels.numba import normal as kernel_normal

backend = NumbaBackend()
reference = compose.numpy_backend

DTYPES = [np.float32, np.float64]
# Around vector widths and blocks of the sums; the last, float32 only, is for the parallel twins.
SIZES = [(1, 1), (3, 7), (2, 17), (5, 33), (2, 1024), (3, 1025), (70, 1000)]


@pytest.fixture(params=DTYPES, ids=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


def sizes(dtype):
    return [s for s in SIZES if dtype == np.float32 or s[0] * s[1] < softmax.PARALLEL]


def sample(shape, dtype, seed=0, scale=3.0):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape) * scale, dtype)


def close(got, want, factor=20):
    """Equal to some units in the last place of the largest number; nan and infinities in place."""
    assert got.shape == want.shape
    want = want.astype("f8")
    finite = np.isfinite(want)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    infinite = ~finite & ~np.isnan(want)
    np.testing.assert_array_equal(got[infinite], want[infinite])
    if finite.any():
        size = max(1.0, float(np.abs(want[finite]).max()))
        bound = factor * np.finfo(got.dtype).eps * size
        np.testing.assert_allclose(got[finite], want[finite], rtol=0, atol=bound)


def layouts(array):
    """The same numbers contiguous, transposed in memory, sliced, reversed, and read-only."""
    yield array
    yield np.asfortranarray(array)
    wide = np.zeros((2 * array.shape[0], array.shape[1] + 3), array.dtype)
    wide[::2, 2:-1] = array
    yield wide[::2, 2:-1]
    yield np.ascontiguousarray(array[::-1, ::-1])[::-1, ::-1]
    frozen = array.copy()
    frozen.flags.writeable = False
    yield frozen


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


# ---- softmax and cross-entropy


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
    assert getattr(backend, name)(x, 0) is NotImplemented
    assert getattr(backend, name)(x, -2) is NotImplemented
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
            got, none = backend.softmax_cross_entropy_vjp(g, layout, target, -100, aux)
            close(got, want_g)
            assert none is None
        spread = np.repeat(target, 2)[::2]
        loss, aux = backend.softmax_cross_entropy(x, spread, -100)
        one = np.broadcast_to(np.array(0.5, dtype), (rows,))  # the gradient of a mean: no memory
        got, _ = backend.softmax_cross_entropy_vjp(one, x, spread, -100, aux)
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
        got, _ = backend.softmax_cross_entropy_vjp(g, x, target, -100, aux)
        for row in range(len(x)):  # one by one: the tolerance goes with the size
            close(loss[row : row + 1], want[row : row + 1])
            close(got[row], g_want[row])


def test_cross_entropy_ignores_an_index_that_is_a_class():
    x, target = sample((4, 3), np.float32), np.array([0, 1, 2, 1])
    loss, aux = backend.softmax_cross_entropy(x, target, 1)
    close(loss, compose.softmax_cross_entropy(x.astype("f8"), target, 1))
    assert loss[1] == loss[3] == 0
    got, _ = backend.softmax_cross_entropy_vjp(np.ones(4, "f4"), x, target, 1, aux)
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


# ---- recurrent gates


def test_lstm_gates(dtype):
    for rows, n in [(1, 1), (3, 5), (2, 17), (4, 64), (20, 33), (40, 256)]:
        if dtype == np.float64 and rows * n >= lstm.PARALLEL:
            continue
        gates, cell = sample((rows, 4 * n), dtype), sample((rows, n), dtype, 1)
        gh, gc = sample((rows, n), dtype, 2), sample((rows, n), dtype, 3)
        exact = [array.astype("f8") for array in (gh, gc, gates, cell)]
        want_h, want_c = compose_layers.lstm_gates(*exact[2:])
        for z, c in zip(layouts(gates), layouts(cell), strict=True):
            hidden, new_cell, aux = backend.lstm_gates(z, c)
            close(hidden, want_h)
            close(new_cell, want_c)
        for pair in (gh, gc), (gh, None), (None, gc):
            full = [np.zeros((rows, n)) if part is None else part.astype("f8") for part in pair]
            want = compose_layers.lstm_gates_vjp(*full, *exact[2:])
            for got, expected in zip(backend.lstm_gates_vjp(pair, cell, aux), want, strict=True):
                close(got, expected)
        for strided in layouts(gh):
            got = backend.lstm_gates_vjp((strided, gc), cell, aux)[0]
            close(got, compose_layers.lstm_gates_vjp(*exact)[0])


def test_lstm_gates_of_nan_and_infinity(dtype):
    values = np.array([0.0, 1.0, -1.0, 1e4, -1e4, np.inf, -np.inf, np.nan], dtype)
    gates = np.stack(np.meshgrid(values, values, [1, np.inf], [1, np.nan, -np.inf]), -1)
    gates = np.ascontiguousarray(gates.reshape(-1, 4).astype(dtype))
    for start in 1.0, np.inf, np.nan, 0.0:
        cell = np.full((len(gates), 1), start, dtype)
        with np.errstate(all="ignore"):
            want = compose_layers.lstm_gates(gates.astype("f8"), cell.astype("f8"))
        for got, expected in zip(backend.lstm_gates(gates, cell), want, strict=False):
            close(got, expected)


def test_lstm_gates_leave_what_they_do_not_serve():
    gates, cell = sample((2, 12), np.float32), sample((2, 3), np.float32)
    assert backend.lstm_gates(gates.astype("f8"), cell) is NotImplemented
    assert backend.lstm_gates(gates[:, :8], cell) is NotImplemented
    assert backend.lstm_gates(gates[:0], cell[:0]) is NotImplemented
    assert backend.lstm_gates(gates[0], cell[0]) is NotImplemented


# ---- recurrent layers


def layer(kind, length, batch, n, backwards, dtype):
    """Outputs and gradients of a layer, of all arguments."""
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[kind]
    x = sample((length, batch, gates * n), dtype, 1)
    weight = sample((gates * n, n), dtype, 2, 1 / n**0.5)
    state = [sample((batch, n), dtype, 3 + part) for part in range(2 if kind == "lstm" else 1)]
    more = {"lstm": [None], "gru": [sample(gates * n, dtype, 5)], "rnn": []}[kind]
    rest = [False] if kind == "rnn" else []
    *out, aux = getattr(backend, kind)(x, *state, weight, *more, *rest, None, backwards)
    g = [sample(part.shape, dtype, 6) for part in out]
    needs = (True,) * 5
    return [*out, *getattr(backend, f"{kind}_vjp")(g, x.shape, weight, *rest, aux, needs)]


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("backwards", [False, True])
def test_recurrent_layers_are_the_same_however_they_are_split(kind, backwards, dtype, monkeypatch):
    """Rows over the threads, units over the threads step by step, or all on one of them."""
    for length, batch, n in (3, 5, 70), (4, 21, 33):
        several = layer(kind, length, batch, n, backwards, dtype)
        for name in "OWN_CACHE", "ROWS_OF_A_TASK", "ROUND":
            monkeypatch.setattr(recurrent, name, 1000 if name == "ROWS_OF_A_TASK" else 0)
        by_units = layer(kind, length, batch, n, backwards, dtype)
        monkeypatch.undo()
        monkeypatch.setattr(recurrent, "get_num_threads", lambda: 1)
        alone = layer(kind, length, batch, n, backwards, dtype)
        monkeypatch.undo()
        for a, b, c in zip(several, by_units, alone, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)


def test_recurrent_layers_leave_what_they_do_not_serve():
    x, h, weight = sample((2, 3, 4), np.float32), sample((3, 4), np.float32), sample((4, 4), "f4")
    how = False, None, False
    assert backend.rnn(x.astype("f8"), h, weight, *how) is NotImplemented
    assert backend.rnn(x[:, :0], h[:0], weight, *how) is NotImplemented
    assert backend.rnn(*(part.astype("f2") for part in (x, h, weight)), *how) is NotImplemented
    out, last, aux = backend.rnn(x, h, weight, *how)
    g = out.astype("f8"), last
    assert backend.rnn_vjp(g, x.shape, weight, False, aux, (True,) * 3) is NotImplemented


# ---- convolution and pooling

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


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution(case, dtype):
    shape, weight_shape, *how = case
    x, weight = sample(shape, dtype, 0, 1.0), sample(weight_shape, dtype, 1, 1.0)
    bias = sample(weight_shape[:1], dtype, 2)
    exact = [a.astype("f8") for a in (x, weight, bias)]
    want = windows.convolution(*exact, *how)
    close(backend.convolution(x, weight, bias, *how), want)
    g = sample(want.shape, dtype, 3, 1.0)
    wanted = windows.convolution_vjp(g.astype("f8"), *exact[:2], *how)
    everything = backend.convolution_vjp(g, x, weight, *how, (True, True, True))
    for got, want in zip(everything, wanted, strict=True):
        close(got, want)
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
    assert backend.max_windows(x, (2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1)) is none
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


# ---- embedding


def test_embedding(dtype):
    table = sample((50, 7), dtype)
    for index in (
        np.array([3, 1, 3, 49, 0]),
        np.arange(24).reshape(2, 3, 4),
        np.arange(24).reshape(4, 6).T,
        np.array(7),
        np.zeros((0, 3), np.int64),
    ):
        for layout in layouts(table):
            got = backend.embedding(index, layout, None)
            np.testing.assert_array_equal(got, table[index])
            assert got.shape == (*index.shape, 7)
        values = sample((*index.shape, 7), dtype, 1)
        want = reference.embedding_add(values, index, None, 50)
        np.testing.assert_array_equal(backend.embedding_add(values, index, None, 50), want)
        strided = np.repeat(values, 2, axis=-1)[..., ::2]
        np.testing.assert_array_equal(backend.embedding_add(strided, index, None, 50), want)


def test_a_large_embedding_runs_in_parallel_and_in_order():
    index = np.random.default_rng(0).integers(0, 97, 2000)
    table, values = sample((97, 100), np.float32), sample((2000, 100), np.float32)
    np.testing.assert_array_equal(backend.embedding(index, table, None), table[index])
    # the same order of additions: equal to the bit
    want = reference.embedding_add(values, index, 5, 97)
    got = backend.embedding_add(values, index, 5, 97)
    np.testing.assert_array_equal(got, want)
    assert not got[5].any()


@pytest.mark.parametrize("bad", [50, -1, 2**40, -(2**63)])
def test_embedding_refuses_an_index_out_of_range(bad):
    index = np.array([[1, 2], [bad, 0]])
    with pytest.raises(IndexRangeError, match=rf"embedding: expected .* \[0, 50\), got {bad}$"):
        backend.embedding(index, sample((50, 3), np.float32), None)
    with pytest.raises(IndexRangeError, match=rf"embedding: expected .* \[0, 50\), got {bad}$"):
        backend.embedding_add(sample((2, 2, 3), np.float32), index, None, 50)


def test_embedding_of_dtypes_without_a_kernel():
    index = np.array([1, 0, 1])
    table = np.arange(6.0).reshape(2, 3).astype(np.float16)
    np.testing.assert_array_equal(backend.embedding(index, table, None), table[index])
    got = backend.embedding(index.astype("i4"), table.astype("f4"), None)
    np.testing.assert_array_equal(got, table[index])
    assert backend.embedding_add(table[index], index, None, 2).dtype == np.float16


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


# ---- threads and processes


def everything():
    """The result of every kernel that has a parallel twin, at a size where it runs."""
    x, g = sample((130, 1023), np.float32), sample((130, 1023), np.float32, 1)
    target = np.arange(130) * 7
    results = []
    for name in "softmax", "log_softmax":
        y = getattr(backend, name)(x, -1)
        results += [y, getattr(backend, f"{name}_vjp")(g, y, -1)]
    loss, aux = backend.softmax_cross_entropy(x, target, -100)
    results += [loss, backend.softmax_cross_entropy_vjp(loss, x, target, -100, aux)[0]]
    gates, cell = sample((60, 4 * 201), np.float32), sample((60, 201), np.float32)
    hidden, new_cell, aux = backend.lstm_gates(gates, cell)
    results += [hidden, new_cell, *backend.lstm_gates_vjp((hidden, new_cell), cell, aux)]
    for kind in "lstm", "gru", "rnn":
        results += [part for part in layer(kind, 5, 21, 70, False, np.float32) if part is not None]
    for x4 in sample((8, 5, 32, 32), np.float32), sample((8, 5, 33, 30), np.float32):
        step = x4.shape[2] % 2 + 1
        how = (step, 1), (0, 1), (1, 1), 1
        weight = sample((2, 5, 5, 3), np.float32)
        y = backend.convolution(x4, weight, None, *how)
        results += [y, *backend.convolution_vjp(y, x4, weight, *how, (True, True, True))]
    results.append(backend.embedding(np.arange(1500) % 130, x[:, :101], None))
    results.append(backend.random_bits(5, 1, 70_001, CPU))
    results += [backend.uniform((70_001,), np.dtype("f4"), 5, 1, CPU)]
    results += [backend.normal((70_001,), np.dtype("f4"), 5, 1, CPU)]
    return results


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch):
    most = numba.get_num_threads()
    several = everything()
    try:
        numba.set_num_threads(1)
        one = everything()
    finally:
        numba.set_num_threads(most)
    for module in softmax, lstm, tasks, embedding, random:
        monkeypatch.setattr(module, "can_launch", lambda: False)
    serial = everything()
    for a, b, c in zip(several, one, serial, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_allclose(a, c, rtol=1e-4, atol=1e-6)


def test_two_python_threads_at_once():
    want = everything()
    faults = []

    def work():
        try:
            for _ in range(5):
                for a, b in zip(everything(), want, strict=True):
                    np.testing.assert_array_equal(a, b)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def run(code, **environment):
    """A Python process of this interpreter with the project on its path."""
    return subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


WORK = """
import numpy as np
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
backend = NumbaBackend()
x = np.arange(70_000, dtype="f4").reshape(7, 10_000) % 13
def work():
    y = backend.softmax(x, -1)
    assert np.allclose(y.sum(-1), 1) and np.allclose(y, np.exp(x) / np.exp(x).sum(-1)[:, None])
    assert backend.random_bits(0, 0, 4, None)[0] == 0x6627E8D5
work()
"""


def finished(processes):
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output


def test_processes_that_fill_one_cold_cache_at_once_and_one_that_finds_it_damaged(tmp_path):
    finished([run(WORK, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(3)])
    files = sorted(tmp_path.rglob("*.nbc"))
    assert files
    stamps = {path: path.stat().st_mtime_ns for path in files}
    finished([run(WORK, NUMBA_CACHE_DIR=str(tmp_path))])  # reads what they left
    assert stamps == {path: path.stat().st_mtime_ns for path in files}
    for number, path in enumerate(files):
        content = bytearray(path.read_bytes())
        if number % 3:
            content[len(content) * (number % 3) // 3] ^= 16
        else:
            del content[len(content) // 2 :]
        path.write_bytes(content)
    finished([run(WORK, NUMBA_CACHE_DIR=str(tmp_path))])
    assert sorted(tmp_path.rglob("*.nbc")) == files


def test_where_no_cache_can_be_kept(tmp_path):
    (tmp_path / "file").touch()
    finished([run(WORK, NUMBA_CACHE_DIR=str(tmp_path / "file"))])


def test_caches_of_other_sources_go_but_for_the_newest(tmp_path):
    current = tmp_path / "kernels-now"
    current.mkdir()
    for age in range(7):
        other = tmp_path / f"kernels-{age}"
        other.mkdir()
        os.utime(other, (1e9 - age, 1e9 - age))
    cache.drop_old(current)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"kernels-now", *[f"kernels-{age}" for age in range(4)]}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_after_use():
    code = """
import os
child = os.fork()
work()
if not child:
    os._exit(0)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    process = run(WORK + code)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output


def test_numba_is_imported_at_the_first_kernel_only():
    code = """
import sys
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
backend = NumbaBackend()
assert "numba" not in sys.modules
"""
    process = run(code)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
