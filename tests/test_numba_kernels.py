"""The Numba kernels as arrays only: recurrent layers and embedding against their compositions in
NumPy, computed in float64; the number of threads, threads and processes at once.

That the ops around them agree is the op table's business. Here and in the files of single families
are the cases that the table does not make: odd layouts and sizes, nan and infinities.
"""

import os
import pickle
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest

import tensorgrad as tg
from bench import kernels as compose
from bench import recurrent as compose_layers
from tensorgrad.backend import CPU
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.errors import IndexRangeError
from tensorgrad.kernels.numba import (
    cache,
    embedding,
    lstm,
    random,
    recurrent,
    softmax,
    tasks,
)
from tests.kernel_samples import close, layouts, sample

backend = NumbaBackend()
reference = compose.numpy_backend


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
    results += [loss, backend.softmax_cross_entropy_vjp(loss, x, target, -100, 0.0, aux)[0]]
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
    cube, places = sample((9, 31, 1500), np.float32), np.arange(9 * 1500).reshape(9, -1) % 31
    for name in "softmax", "log_softmax":
        y = getattr(backend, name)(cube, 1)
        results += [y, getattr(backend, f"{name}_vjp")(cube, y, 1)]
    loss, aux = backend.softmax_cross_entropy(cube, places, -100, 0.1)
    results += [loss, backend.softmax_cross_entropy_vjp(loss, cube, places, -100, 0.1, aux)[0]]
    for dim in 0, 1:
        y = backend.logsumexp(x, dim, False)
        results += [y, backend.logsumexp_vjp(y, x, y, dim, False)]
    for whole in x, cube, x.reshape(-1):
        for dim in range(whole.ndim):
            results += [backend.cumsum(whole, dim), backend.cumsum(whole, dim, True)]
    rows = np.arange(3000) % 130
    results += [backend.index(x, (rows,)), backend.embed(x[rows], (rows,), x.shape)]
    for dim, numbers in (0, np.argsort(x, 0)), (1, np.argsort(x, 1) // 2):
        results += [backend.gather(x, numbers, dim), backend.scatter_add(x, numbers, x, dim)]
    how = (3, 2), (2, 1), (1, 0), (1, 1)
    for planes in cube, np.moveaxis(sample((5, 40, 40, 8), np.float32), -1, 1):
        y = backend.window_sum(planes, *how)
        results += [y, backend.window_sum_vjp(y, planes.shape, *how)]
    *found, state = backend.standardize(x, None, None, (0,), 1e-5)
    results += [*found, backend.standardize_vjp([g, None, None], x, None, (0,), 1e-5, state)[0]]
    results += [backend.remainder(x, g), backend.floor_divide(x, g)]
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


@pytest.mark.parametrize("make", [tg.tensor, tg.as_tensor, tg.from_numpy])
def test_what_was_unpickled_meets_the_same_kernels(make):
    """NumPy's unpickled arrays have a dtype object of their own, which `is` nobody else's."""
    array = pickle.loads(pickle.dumps(np.arange(6, dtype=np.float32).reshape(2, 3)))
    assert array.dtype is not tg.float32
    tensor = make(array)
    assert tensor.dtype is tg.float32
    assert make is tg.tensor or np.shares_memory(tensor.numpy(), array)
    copied = pickle.loads(pickle.dumps(tensor))
    assert copied.dtype is tg.float32
    assert tg.zeros(2, dtype=pickle.loads(pickle.dumps(tg.float32))).dtype is tg.float32
