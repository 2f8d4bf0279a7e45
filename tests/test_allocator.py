"""The allocator of large arrays: what it keeps, gives again and gives back, and to whom."""

import gc
import os
import pickle
import threading
import tracemalloc

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn

pytest.importorskip("numba")

from tensorgrad.kernels.numba import blocks, memory, runtime  # noqa: F401  runtime installs it

LARGE = 1 << 20


@pytest.fixture(autouse=True, scope="module")
def _no_garbage():
    """What other tests left in cycles would otherwise die while a test here counts bytes."""
    gc.collect()


@pytest.fixture(autouse=True)
def _nothing_kept():
    tg.empty_cache()
    yield
    tg.empty_cache()


@pytest.fixture
def cap(monkeypatch):
    """Sets the most that is kept."""
    before = memory.state[blocks.CAP]
    yield lambda size: memory.state.__setitem__(blocks.CAP, size)
    memory.state[blocks.CAP] = before


def kept():
    return tg.memory_stats()["cached_bytes.all.current"]


def taken():
    return tg.memory_stats()["allocated_bytes.all.current"]


def address(array):
    return array.__array_interface__["data"][0]


def test_stats_have_pytorchs_names():
    stats = tg.memory_stats()
    assert stats["enabled"] == 1
    for what in ("allocated", "cached", "reserved"):
        current = stats[f"{what}_bytes.all.current"]
        assert 0 <= current <= stats[f"{what}_bytes.all.peak"]
    assert 0 < stats["max_cached_bytes"] < 1 << 44


# ---- blocks


def test_memory_of_a_dead_array_serves_the_next():
    before = tg.memory_stats()
    first = np.empty(LARGE, np.uint8)
    where = address(first)
    del first
    second = np.empty((4, LARGE // 16), np.float32)
    after = tg.memory_stats()
    assert address(second) == where
    assert after["hits"] - before["hits"] == 1
    assert after["misses"] - before["misses"] == 1


def test_arrays_that_live_have_memory_of_their_own():
    arrays = [np.full(LARGE, number, np.uint8) for number in range(20)]
    del arrays[::2]
    arrays += [np.full(LARGE, 100 + number, np.uint8) for number in range(15)]
    values = [*range(1, 20, 2), *range(100, 115)]
    assert [int(a[0]) for a in arrays] == values
    for array, value in zip(arrays, values):
        assert (array == value).all()


def test_small_arrays_are_left_to_numpy():
    before = tg.memory_stats()
    array = np.empty(blocks.SMALLEST - 1, np.uint8)
    zeros = np.zeros(blocks.SMALLEST // 8 - 1)
    assert tg.memory_stats() == before
    del array, zeros
    assert tg.memory_stats() == before


def test_a_block_has_room_and_at_most_an_eighth_idle():
    edges = [1 << bits for bits in range(18, 47)]
    sizes = {blocks.SMALLEST, blocks.LARGEST}
    for edge in edges:
        sizes |= {edge + edge * part // 16 + by for part in range(16) for by in (-1, 0, 1)}
    for size in sorted(sizes):
        if blocks.SMALLEST <= size <= blocks.LARGEST:
            number = blocks.class_of(size)
            assert 0 <= number < blocks.CLASSES
            assert size <= blocks.room(number) <= size * 9 / 8
            assert number == 0 or blocks.room(number - 1) < size or size <= blocks.SMALLEST


def test_addresses_are_aligned_and_spread_over_pages():
    arrays = [np.empty(LARGE + 4096 * number, np.uint8) for number in range(16)]
    places = {address(array) % 4096 for array in arrays}
    assert all(place % 64 == 0 for place in places)
    assert len(places) == 16


def test_kept_blocks_go_back_to_the_system():
    np.empty(LARGE)
    assert kept() >= 8 * LARGE
    living = np.empty(LARGE)
    size = taken()
    tg.empty_cache()
    assert kept() == 0
    assert taken() == size
    del living
    assert kept() >= 8 * LARGE


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux's /proc")
def test_the_system_gets_its_pages_back():
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    np.empty(30 * LARGE, np.uint8)
    tg.empty_cache()  # the C library has such sizes in its heap from here on
    arrays = [np.ones(16 * LARGE, np.uint8) for _ in range(4)]
    above = [np.ones(blocks.SMALLEST // 2, np.uint8) for _ in range(4)]
    del arrays
    before = resident()
    tg.empty_cache()
    assert before - resident() > 60 * LARGE
    del above


# ---- the cap


def test_no_more_is_kept_than_the_cap(cap):
    cap(4 * LARGE)
    arrays = [np.empty(LARGE, np.uint8) for _ in range(10)]
    del arrays
    assert kept() == 4 * LARGE
    np.empty(5 * LARGE, np.uint8)
    assert kept() == 4 * LARGE


def test_over_the_cap_the_size_not_asked_for_longest_goes(cap):
    cap(4 * LARGE)
    old = [np.empty(LARGE, np.uint8) for _ in range(4)]
    del old
    new = [np.empty(2 * LARGE, np.uint8) for _ in range(2)]
    del new
    before = tg.memory_stats()
    again = [np.empty(2 * LARGE, np.uint8) for _ in range(2)]
    after = tg.memory_stats()
    assert after["hits"] - before["hits"] == 2
    assert kept() == 0
    del again
    assert kept() == 4 * LARGE


# ---- what arrays do with their memory


def test_zeros_are_zero_in_memory_that_was_used():
    np.full(LARGE, 7.0)
    before = tg.memory_stats()["hits"]
    zeros = np.zeros(LARGE)
    assert tg.memory_stats()["hits"] - before == 1
    assert not zeros.any()
    np.full(LARGE, 7, np.uint8)
    assert not tg.zeros(LARGE // 4).numpy().any()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (100, LARGE), (LARGE, 100), (LARGE, LARGE + 1), (LARGE, 3 * LARGE), (3 * LARGE, LARGE),
        (LARGE, 0), (0, LARGE),
    ],
)  # fmt: skip
def test_resize_keeps_the_elements(old, new):
    size = taken()
    array = np.arange(old, dtype=np.int64)
    array.resize(new, refcheck=False)
    common = min(old, new)
    assert (array[:common] == np.arange(common)).all()
    assert not array[common:].any()
    del array
    assert taken() == size


def test_arrays_that_grow_while_they_are_filled():
    size = taken()
    array = np.fromiter(range(LARGE), np.int64)
    assert (array == np.arange(LARGE)).all()
    with pytest.raises(ValueError, match="iterator too short"):
        np.fromiter(range(LARGE), np.int64, count=2 * LARGE)
    text = np.resize(np.array(["ab" * LARGE]), 0)
    assert text.size == 0
    del array, text
    gc.collect()
    assert taken() == size


def test_arrays_of_no_elements_of_large_items():
    size = taken()
    array = np.empty(3, f"S{LARGE}")
    array.resize(0, refcheck=False)
    empty = np.empty((0, LARGE), f"S{LARGE}")
    del array, empty
    assert taken() == size


def test_a_view_keeps_its_memory():
    whole = np.arange(LARGE)
    view = whole[5:10]
    del whole
    others = [np.full(LARGE, -1) for _ in range(3)]
    assert view.tolist() == [5, 6, 7, 8, 9]
    x = tg.arange(LARGE)
    part = x.reshape(1024, 1024)[3, :2]
    del x, others
    np.full(LARGE, -1)
    assert part.tolist() == [3072, 3073]


def test_pickle_and_copies():
    array = np.arange(LARGE)
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        again = pickle.loads(pickle.dumps(array, protocol))
        assert (again == array).all()
    assert (array.copy() == array).all()
    assert (pickle.loads(pickle.dumps(tg.tensor(array))).numpy() == array).all()


def test_an_impossible_array_raises_and_what_is_kept_is_tried_first():
    np.empty(LARGE)
    assert kept() > 0
    for make in (np.empty, np.zeros):
        with pytest.raises(MemoryError):
            make(1 << 45, np.uint8)
        with pytest.raises(MemoryError):
            make(1 << 58, np.uint8)
    assert kept() == 0
    assert np.ones(LARGE).sum() == LARGE


def test_python_still_traces_memory():
    tracemalloc.start()
    try:
        array = np.ones(LARGE)
        assert tracemalloc.get_traced_memory()[0] >= array.nbytes
        del array
        assert tracemalloc.get_traced_memory()[0] < LARGE
    finally:
        tracemalloc.stop()


# ---- training, threads


def test_training_takes_no_more_memory_with_each_step():
    model = nn.Sequential(nn.Linear(300, 400), nn.ReLU(), nn.Linear(400, 300))
    optimizer = tg.optim.Adam(model.parameters())
    x = tg.randn(500, 300)

    def step():
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), x).backward()
        optimizer.step()

    for _ in range(3):
        step()
    before = tg.memory_stats()
    for _ in range(5):
        step()
    after = tg.memory_stats()
    assert after["misses"] == before["misses"]
    assert after["hits"] > before["hits"]
    assert after["allocated_bytes.all.current"] == before["allocated_bytes.all.current"]
    assert after["reserved_bytes.all.peak"] == before["reserved_bytes.all.peak"]


def test_new_threads_have_it_and_arrays_die_in_any():
    np.empty(LARGE, np.uint8)
    size, before = taken(), tg.memory_stats()["hits"]
    made, wrong = [], []

    def make():
        made.append(np.ones(LARGE, np.uint8))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert tg.memory_stats()["hits"] - before == 1
    made.clear()
    assert taken() == size

    def work(number):
        for step in range(200):
            x = np.full(LARGE // 4 + 4096 * (step % 5), number)
            if (x + x != 2 * number).any():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert taken() == size
