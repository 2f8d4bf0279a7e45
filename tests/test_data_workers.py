"""A loader's worker processes, their memory, and the loader's place in an epoch."""

import gc
import multiprocessing
import os
import random
import time

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data import DataLoader, Dataset, TensorDataset, get_worker_info
from tests.data_samples import Kinds, Stream, iter_one


class Told(Dataset):
    """What a worker knows of itself, and what it draws."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        info = get_worker_info()
        drawn = tg.rand(1).item(), float(np.random.rand()), random.random()
        return index, info.id, info.num_workers, info.seed, os.getpid(), *drawn


class Waiting(Dataset):
    """The first item takes its time."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        time.sleep(0.0 if index else 3.0)
        return index


def named(batch):
    return [item["name"] for item in batch]


def marked(worker):
    global mark
    mark = worker + 100


def read_mark(batch):
    return mark


def flat(batch):
    return {
        key: value.tolist()
        if isinstance(value, tg.Tensor)
        else [x.tolist() if isinstance(x, tg.Tensor) else x for x in value]
        for key, value in batch.items()
    }


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("options", [{}, {"shuffle": True}, {"drop_last": True}])
def test_workers_change_nothing(workers, options):
    """The same batches in the same order, with equal random orders in successive epochs."""
    found = []
    for count in (0, workers):
        loader = DataLoader(
            Kinds(),
            4,
            num_workers=count,
            generator=tg.Generator().manual_seed(5),
            persistent_workers=count > 0,
            **options,
        )
        assert len(loader) == len(list(loader))
        found.append([flat(batch) for _ in range(2) for batch in loader])
    assert found[0] == found[1]
    assert len(found[0]) >= 10


def test_batches_are_the_parents_own():
    """What came through shared memory stays as it was when the workers go on."""
    batches = list(DataLoader(Kinds(40), 2, num_workers=2, prefetch_factor=1))
    for number, batch in enumerate(batches):
        assert batch["square"][0, 0, 0].item() == float((2 * number) ** 2)
        batch["square"].zero_()
        batch["array"].numpy()[0] = 7


def test_collate_and_init_functions_run_in_the_workers():
    assert next(iter(DataLoader(Kinds(), 3, num_workers=1, collate_fn=named))) == [
        "item 0",
        "item 1",
        "item 2",
    ]
    loader = DataLoader(Kinds(4), 1, num_workers=2, collate_fn=read_mark, worker_init_fn=marked)
    assert list(loader) == [100, 101, 100, 101]


def test_what_workers_know_and_draw():
    tg.manual_seed(3)
    loader = DataLoader(Told(), None, num_workers=2)
    assert get_worker_info() is None
    first, second = list(loader), list(loader)
    assert [item[0] for item in first] == list(range(8))
    assert [item[1] for item in first] == [0, 1] * 4
    assert {item[2] for item in first} == {2}
    seeds = {item[3] for item in first}
    assert len(seeds) == 2
    assert len({item[4] for item in first} | {os.getpid()}) == 3
    for place in (5, 6, 7):  # all different between workers, and from one epoch to the next
        assert len({item[place] for item in first + second}) == 16
    tg.manual_seed(3)
    again = DataLoader(Told(), None, num_workers=2)
    assert [item[5:] for item in again] == [item[5:] for item in first]


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_streams(workers):
    loader = DataLoader(Stream(), 3, num_workers=workers)
    seen = [batch.tolist() for batch in loader]
    assert sorted(item for batch in seen for item in batch) == list(range(20))
    assert all(len(batch) <= 3 for batch in seen)
    if workers == 0:
        assert seen[-1] == [18, 19]
        assert len(loader) == len(seen) == 7
    assert list(loader) != []  # again from its beginning
    short = DataLoader(Stream(), 3, num_workers=workers, drop_last=True)
    assert {len(batch) for batch in short} == {3}
    singles = DataLoader(Stream(4), None, num_workers=workers)
    assert sorted(singles) == [0, 1, 2, 3]


def test_an_epoch_left_early():
    loader = DataLoader(Kinds(), 2, num_workers=2, persistent_workers=True)
    assert iter_one(loader)["name"] == ["item 0", "item 1"]
    names = [name for batch in loader for name in batch["name"]]
    assert names == [f"item {i}" for i in range(23)]


@pytest.mark.parametrize("persistent", [False, True])
def test_no_worker_outlives_its_use(persistent):
    others = set(multiprocessing.active_children())
    loader = DataLoader(Kinds(), 2, num_workers=2, persistent_workers=persistent)
    batches = iter(loader)
    next(batches)
    workers = set(multiprocessing.active_children()) - others
    assert len(workers) == 2
    batches.close()
    assert any(worker.is_alive() for worker in workers) == persistent
    del loader, batches
    gc.collect()
    assert not any(worker.is_alive() for worker in workers)


def test_memory_stays_flat():
    """Blocks are written over, not added to."""
    before = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    loader = DataLoader(Kinds(16), 2, num_workers=2, persistent_workers=True)
    list(loader)
    pool = loader._pool
    names = {block.name for block in pool.blocks.values()}
    for _ in range(100):
        list(loader)
    assert {block.name for block in pool.blocks.values()} == names
    assert len(names) <= 2 * 2
    pool.close()
    if before:
        assert not {n for n in set(os.listdir("/dev/shm")) - before if n.startswith("psm_")} & names


class Pages(Dataset):
    """Items of half a megabyte."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return np.full(1 << 16, float(index))


def resident(pid):
    """The bytes of memory that belong to the process alone."""
    with open(f"/proc/{pid}/statm") as file:
        _, whole, shared, *_ = map(int, file.read().split())
    return (whole - shared) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc")
@pytest.mark.parametrize("workers", [0, 2])
def test_processes_do_not_grow(workers):
    """After a hundred epochs of 4 MB neither the parent nor a worker is larger by two of them."""
    loader = DataLoader(Pages(), 2, num_workers=workers, persistent_workers=workers > 0)

    def size():
        pids = [os.getpid()] + [p.pid for p in loader._pool.processes if workers]
        return [resident(pid) for pid in pids]

    for _ in range(10):
        list(loader)
    if not workers:
        loader._pool = type("", (), {"processes": []})
    before = size()
    for _ in range(100):
        for batch in loader:
            assert batch.shape == (2, 1 << 16)
    assert all(now - then < 8 << 20 for now, then in zip(size(), before, strict=True))


def test_batches_as_they_are_ready():
    loader = DataLoader(Waiting(), 1, num_workers=2, prefetch_factor=1, in_order=False)
    seen = [batch.item() for batch in loader]
    assert sorted(seen) == list(range(8))
    assert seen[-1] == 0  # the slow one kept no other waiting


def test_resuming_where_batches_come_as_they_are_ready():
    def fresh():
        return DataLoader(Waiting(), 1, num_workers=2, prefetch_factor=1, in_order=False)

    loader = fresh()
    batches = iter(loader)
    first = [next(batches).item() for _ in range(3)]
    state = loader.state_dict()
    batches.close()
    assert state["ahead"]  # the slow one is not among them
    loader = fresh()
    loader.load_state_dict(state)
    again = iter(loader)
    second = [next(again).item()]
    state = loader.state_dict()
    again.close()
    loader = fresh()
    loader.load_state_dict(state)
    third = [batch.item() for batch in loader]
    assert sorted(first + second + third) == list(range(8))
    assert sorted(batch.item() for batch in loader) == list(range(8))


def test_progress_through_tqdm():
    import io

    from tqdm import tqdm

    for workers in (0, 1):
        shown = io.StringIO()
        loader = DataLoader(Kinds(10), 3, num_workers=workers)
        assert len(list(tqdm(loader, file=shown))) == 4
        assert "4/4" in shown.getvalue()


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_ways_to_start_workers(method):
    context = multiprocessing.get_context(method)
    assert len(list(DataLoader(Stream(4), 2, num_workers=1, multiprocessing_context=context))) == 2


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("own", [False, True])
def test_a_loader_goes_on_where_it_was(workers, own):
    def make():
        generator = tg.Generator().manual_seed(9) if own else None
        return DataLoader(
            TensorDataset(tg.arange(30)), 4, True, num_workers=workers, generator=generator
        )

    tg.manual_seed(1)
    loader = make()
    list(loader)
    batches = iter(loader)
    for _ in range(3):
        next(batches)
    tg.rand(5)  # the training draws, too
    state, drawn = loader.state_dict(), tg.get_rng_state()
    rest = [batch[0].tolist() for batch in batches]
    tg.manual_seed(77)
    later = make()
    later.load_state_dict(state)
    tg.set_rng_state(drawn)
    assert [batch[0].tolist() for batch in later] == rest
    assert len(rest) == 5
    assert tg.get_rng_state().tolist() == drawn.tolist()
    assert loader.state_dict()["position"] == 0  # the epoch is over
    with pytest.raises(TypeError, match="load_state_dict: expected a data set with items"):
        DataLoader(Stream()).load_state_dict(state)


@pytest.mark.parametrize(
    "options",
    [
        {"num_workers": -1},
        {"timeout": -1},
        {"prefetch_factor": 2},
        {"prefetch_factor": 0, "num_workers": 1},
        {"persistent_workers": True},
        {"multiprocessing_context": "spawn"},
        {"multiprocessing_context": "fork", "num_workers": 1},
        {"multiprocessing_context": multiprocessing.get_context("fork"), "num_workers": 1},
    ],
)
def test_bad_options(options):
    with pytest.raises(ValueError, match="DataLoader: expected"):
        DataLoader(Kinds(), **options)


def test_generators_are_pickled():
    import pickle

    generator = tg.Generator().manual_seed(4)
    tg.rand(3, generator=generator)
    again = pickle.loads(pickle.dumps(generator))
    assert tg.rand(3, generator=again).tolist() == tg.rand(3, generator=generator).tolist()
