"""The CPU runs CUDA C as a GPU would, and each kind of fault is seen."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tests.cuda_ladder import execution
from tests.cuda_ladder.bad import launch
from tests.cuda_ladder.execution import FOLDER, RawModule, sanitized
from tests.cupy_stand_in import module as cupy


@pytest.fixture(params=execution.ORDERS)
def order(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(execution, "order", request.param)
    return request.param


def kernel(name: str, source: str = "good.cu") -> execution.Function:
    module = RawModule((FOLDER / source).read_text(), name_expressions=[name])
    return module.get_function(name)


# ---- what a GPU does


def test_threads_and_blocks_have_their_places(order: str) -> None:
    out = cupy.empty((3, 4, 6), np.float32)
    kernel("places<float>")((2, 2, 1), (3, 2, 3), (out,))
    z, y, x = np.indices((3, 4, 6))
    np.testing.assert_array_equal(out.get(), 10000 * z + 100 * y + x)


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (30, 51)])
def test_barriers_and_shared_memory(shape: tuple[int, int], order: str) -> None:
    rows, columns = shape
    x = cupy.array(np.arange(rows * columns, dtype=np.float64).reshape(shape))
    out = cupy.empty((columns, rows), np.float64)
    grid = -(-columns // 16), -(-rows // 16)
    given = x, out, np.int32(rows), np.int32(columns)
    kernel("transposed<double>")(grid, (16, 16), given)
    np.testing.assert_array_equal(out.get(), x.get().T)


@pytest.mark.parametrize("threads", [32, 24])
def test_lanes_of_a_warp(threads: int, order: str) -> None:
    out = cupy.zeros((8, 32), np.float32)
    kernel("lanes<float>")((1,), (threads,), (out,))
    found = out.get()[:, :threads]
    mine = np.arange(threads)
    assert (found[0] == 3).all()
    np.testing.assert_array_equal(found[1], mine ^ 1)
    down = np.where(mine + 2 < 32, mine + 2, mine).astype(float)
    np.testing.assert_array_equal(found[2], np.where(down < threads, down, np.nan))
    np.testing.assert_array_equal(found[3], np.where(mine >= 2, mine - 2, mine))
    assert (found[4] == sum(1 << lane for lane in range(0, 16, 3))).all()
    assert (found[5] == 1).all()
    np.testing.assert_array_equal(found[6], np.where(mine < 16, 7, 20))
    assert (found[7] == 1).all()


def test_dynamic_shared_memory(order: str) -> None:
    x = cupy.array(np.arange(70.0))
    out = cupy.empty(70)
    kernel("reversed<double>")((1,), (32,), (x, out, np.int32(70)), shared_mem=256)
    parts = [x.get()[start : start + 32][::-1] for start in (0, 32, 64)]
    np.testing.assert_array_equal(out.get(), np.concatenate(parts))


def test_atomics(order: str) -> None:
    for dtype, name in ((np.float32, "float"), (np.float64, "double"), (np.int32, "int")):
        out = cupy.zeros(3, dtype)
        kernel(f"counted<{name}>")((5,), (33,), (out,))
        assert out.get().tolist() == [165, 32, 7]


# ---- what is refused before a launch


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (lambda x: (x, x, np.int32(1)), "expected 4 arguments, got 3"),
        (lambda x: (x, x, 1, np.int32(1)), "argument 2, got int64"),
        (lambda x: (x, x, np.float32(1), np.int32(1)), "argument 2, got float32"),
        (lambda x: (x, np.int32(1), np.int32(1), np.int32(1)), "argument 1, got int32"),
        (lambda x: (x, x.astype("f4"), np.int32(1), np.int32(1)), "an array of float32"),
        (lambda x: (x, x.get(), np.int32(1), np.int32(1)), "an array of the host"),
    ],
)
def test_arguments_that_are_not_the_parameters(arguments, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        kernel("transposed<double>")((1,), (1,), arguments(cupy.zeros(4)))


def test_launches_that_no_gpu_takes() -> None:
    places = kernel("places<float>")
    out = cupy.zeros(4, np.float32)
    for grid, block in (((0,), (1,)), ((1,), (0,))):
        with pytest.raises(ValueError, match="a launch of some threads"):
            places(grid, block, (out,))
    for grid, block in (((1,), (1025,)), ((1, 65536), (1,)), ((1,), (1, 1, 65))):
        with pytest.raises(RuntimeError, match="CUDA_ERROR_INVALID_VALUE"):
            places(grid, block, (out,))
    with pytest.raises(RuntimeError, match="CUDA_ERROR_INVALID_VALUE"):
        places((1,), (1,), (out,), shared_mem=1 << 20)


def test_what_the_compiler_says_is_told() -> None:
    with pytest.raises(execution.CompileException, match="nothing"):
        RawModule("template <typename T> __global__ void f(T* x) { nothing; }",
                  name_expressions=["f<float>"]).get_function("f<float>")  # fmt: skip


# ---- faults


STOPPED = {
    "barrier_for_some": r"deadlock in block \(0, 0, 0\): 16 threads at __syncthreads \(line \d+\)"
    ".* 48 have returned",
    "shuffle_for_some": "deadlock .*16 at a warp's meeting .* 48 have returned",
    "outside_its_mask": "a lane is not in its own mask, line",
}


@pytest.mark.parametrize("name", STOPPED)
def test_a_launch_that_hangs_or_errs_is_stopped(name: str, order: str) -> None:
    with pytest.raises(RuntimeError, match=STOPPED[name]):
        launch(name)
    assert launch("shared_memory_as_it_was")[1] == 1  # and another one runs


def test_shared_memory_begins_as_nan() -> None:
    assert np.isnan(launch("shared_memory_as_it_was")[0])


def test_a_missing_barrier_shows_in_some_order(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = set()
    for order in execution.ORDERS:
        monkeypatch.setattr(execution, "order", order)
        if (launch("no_barrier") != np.arange(64)[::-1]).any():
            wrong.add(order)
    assert wrong


SANITIZED = {
    "write_past_the_end": ("address", "heap-buffer-overflow"),
    "read_before_the_start": ("address", "heap-buffer-overflow"),
    "past_shared_memory": ("address", "heap-buffer-overflow|index 32 out of bounds"),
    "past_dynamic_memory": ("address", "heap-buffer-overflow"),
    "unaligned_vector": ("address", "misaligned address"),
    "no_barrier": ("thread", "data race"),
    "add_without_atomic": ("thread", "data race"),
    "blocks_that_overlap": ("thread", "data race"),
}


@pytest.mark.parametrize("name", SANITIZED)
def test_a_sanitizer_sees(name: str) -> None:
    if execution.COMPILER is None:
        pytest.skip(execution.MISSING)
    sanitizer, words = SANITIZED[name]
    done = sanitized(sanitizer, ["-m", "tests.cuda_ladder.bad", name])
    assert done.returncode != 0
    assert re.search(words, done.stderr), done.stderr[-2000:]
    assert "bad.cu" in done.stderr
