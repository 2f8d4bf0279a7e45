"""The allocator of large arrays over the life of a process: its start, growth, fork and end."""

import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("numba")

START = """
import os, sys
import numpy as np
import tensorgrad as tg
"""


def run(program):
    """The output of a program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(program)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_many_sizes_take_at_most_twice_what_lives():
    program = """
    tg.softmax(tg.ones(100, 100), 0)
    for number in range(200):
        np.empty((1 << 24) + (number << 19), np.uint8)
    stats = tg.memory_stats()
    peak = stats["allocated_bytes.all.peak"]
    reserved = stats["reserved_bytes.all.peak"]
    print(peak > 100 << 20, peak < reserved <= 2 * peak)
    """
    assert run(program) == "True True"


def test_few_bytes_of_many_sizes_are_all_kept():
    program = """
    tg.softmax(tg.ones(100, 100), 0)
    for size in range(1 << 18, 1 << 20, 1 << 15):
        np.empty(size, np.uint8)
    before = tg.memory_stats()
    for size in range(1 << 18, 1 << 20, 1 << 15):
        np.empty(size, np.uint8)
    print(tg.memory_stats()["misses"] - before["misses"])
    """
    assert run(program) == "0"


def test_it_starts_with_the_first_kernel_and_arrays_from_before_may_die():
    program = """
    early = [np.full(size, 3.0) for size in (10, 1000, 1 << 16, 1 << 20)]
    assert tg.memory_stats()["enabled"] == 0 and sum(tg.memory_stats().values()) == 0
    tg.empty_cache()
    tg.softmax(tg.ones(100, 100), 0)
    assert tg.memory_stats()["enabled"] == 1
    assert all((array == 3).all() for array in early)
    early[3].resize(1 << 21, refcheck=False)
    early[0].resize(1 << 20, refcheck=False)
    size = tg.memory_stats()["allocated_bytes.all.current"]
    early.clear()
    np.ones(1 << 20)
    print(tg.memory_stats()["allocated_bytes.all.current"] == size)
    """
    assert run(program) == "True"


def test_numpys_backend_leaves_numpys_memory_alone():
    program = """
    with tg.use_backend("numpy"):
        tg.softmax(tg.ones(1000, 1000), 0)
    print(tg.memory_stats()["enabled"], "numba" in sys.modules)
    """
    assert run(program) == "0 False"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_its_own():
    program = """
    tg.softmax(tg.ones(100, 100), 0)
    array, again = np.full(1 << 20, 1.0), np.full(1 << 20, 2.0)
    del again
    child = os.fork()
    if child == 0:
        other = np.full(1 << 20, 5.0)
        good = (array == 1).all() and (other == 5).all()
        del array, other
        tg.empty_cache()
        np.ones(1 << 20)
        os._exit(0 if good else 1)
    status = os.waitpid(child, 0)[1]
    again = np.full(1 << 20, 3.0)
    print(status, (array == 1).all(), (again == 3).all())
    """
    assert run(program) == "0 True True"


def test_arrays_may_outlive_everything_when_python_ends():
    program = """
    import atexit, builtins
    tg.softmax(tg.ones(100, 100), 0)
    builtins.kept = np.ones(1 << 20)
    cycle = [np.ones(1 << 20)]
    cycle.append(cycle)
    np.kept = [np.ones(10), np.ones(1 << 20)]
    sys.kept = np.ones(1 << 20)
    atexit.register(lambda: np.ones(1 << 20))
    print("end")
    """
    assert run(program) == "end"
