"""A loader's worker processes, and its place in an epoch."""

import gc
import multiprocessing
import os
import random
import signal
import time

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data import (
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    StackDataset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    get_worker_info,
)


class Squares(Dataset):
    """Items of several kinds, as deep as collation goes."""

    def __init__(self, count=23):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return {
            "square": tg.full((2, 3), float(index**2)),
            "array": np.arange(index, index + 4),
            "name": f"item {index}",
            "pair": (index, index / 2),
        }


class Told(Dataset):
    """What a worker knows of itself, and what it draws."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        info = get_worker_info()
        drawn = tg.rand(1).item(), float(np.random.rand()), random.random()
        return index, info.id, info.num_workers, info.seed, os.getpid(), *drawn


class Failing(Dataset):
    def __init__(self, how):
        self.how = how

    def __len__(self):
        return 12

    def __getitem__(self, index):
        if index == 5:
            if self.how == "raise":
                raise KeyError("the sixth item is bad")
            if self.how == "strange":
                raise UnicodeDecodeError("utf8", b"x", 0, 1, "bad")
            if self.how == "stop":
                raise StopIteration
            if self.how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "exit":
                os._exit(3)
            time.sleep(30)
        return index


class Waiting(Dataset):
    """The first item takes its time."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        time.sleep(0.0 if index else 3.0)
        return index


class Stream(IterableDataset):
    def __init__(self, count=20):
        self.count = count

    def __len__(self):
        return self.count

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        yield from range(first, self.count, step)


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
            Squares(),
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
    batches = list(DataLoader(Squares(40), 2, num_workers=2, prefetch_factor=1))
    for number, batch in enumerate(batches):
        assert batch["square"][0, 0, 0].item() == float((2 * number) ** 2)
        batch["square"].zero_()
        batch["array"].numpy()[0] = 7


def test_collate_and_init_functions_run_in_the_workers():
    assert next(iter(DataLoader(Squares(), 3, num_workers=1, collate_fn=named))) == [
        "item 0",
        "item 1",
        "item 2",
    ]
    loader = DataLoader(Squares(4), 1, num_workers=2, collate_fn=read_mark, worker_init_fn=marked)
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


@pytest.mark.parametrize("persistent", [False, True])
def test_an_exception_comes_back_with_its_traceback(persistent):
    loader = DataLoader(Failing("raise"), 2, num_workers=2, persistent_workers=persistent)
    for _ in range(2):
        with pytest.raises(KeyError, match="the sixth item is bad") as caught:
            list(loader)
        assert "in __getitem__" in str(caught.value)
        assert "\n" in str(caught.value)  # of several lines, though a KeyError shows a repr


def test_an_item_that_says_stop_does_not_end_the_epoch():
    for workers in (0, 1):
        with pytest.raises(RuntimeError, match="StopIteration"):
            list(DataLoader(Failing("stop"), 2, num_workers=workers))


def test_an_exception_of_a_class_with_other_arguments():
    with pytest.raises(RuntimeError, match="UnicodeDecodeError"):
        list(DataLoader(Failing("strange"), 2, num_workers=1))


@pytest.mark.parametrize(("how", "code"), [("kill", -9), ("exit", 3)])
def test_a_dead_worker_is_noticed(how, code):
    loader = DataLoader(Failing(how), 2, num_workers=2)
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=f"worker . .pid .* got exit code {code}"):
        list(loader)
    assert time.monotonic() - start < 25


def test_a_worker_killed_between_epochs_is_noticed():
    loader = DataLoader(Squares(8), 2, num_workers=2, persistent_workers=True)
    list(loader)
    os.kill(loader._pool.processes[1].pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match=r"worker 1 .pid .* got exit code -9"):
        list(loader)
    assert len(list(loader)) == 4  # by new workers


def test_a_slow_worker_is_waited_for_so_long():
    with pytest.raises(RuntimeError, match=r"expected a batch within 0.5 s"):
        list(DataLoader(Failing("sleep"), 6, num_workers=1, timeout=0.5))


def test_what_cannot_be_pickled_is_named():
    with pytest.raises(TypeError, match="expected a dataset, collate_fn and worker_init_fn"):
        iter_one(DataLoader(Squares(), 2, num_workers=1, collate_fn=lambda batch: batch))


def iter_one(loader):
    return next(iter(loader))


def test_an_epoch_left_early():
    loader = DataLoader(Squares(), 2, num_workers=2, persistent_workers=True)
    assert iter_one(loader)["name"] == ["item 0", "item 1"]
    names = [name for batch in loader for name in batch["name"]]
    assert names == [f"item {i}" for i in range(23)]


@pytest.mark.parametrize("persistent", [False, True])
def test_no_worker_outlives_its_use(persistent):
    others = set(multiprocessing.active_children())
    loader = DataLoader(Squares(), 2, num_workers=2, persistent_workers=persistent)
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
    loader = DataLoader(Squares(16), 2, num_workers=2, persistent_workers=True)
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
        loader = DataLoader(Squares(10), 3, num_workers=workers)
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


# ---- data sets of data sets, samplers


def test_data_sets_of_data_sets():
    first, second = TensorDataset(tg.arange(3)), TensorDataset(tg.arange(10, 14))
    joined = first + second
    assert isinstance(joined, ConcatDataset)
    assert [item[0].item() for item in (joined[i] for i in range(7))] == [0, 1, 2, 10, 11, 12, 13]
    assert joined[-1][0].item() == 13
    with pytest.raises(IndexError, match=r"expected an index in \[-7, 7\), got 7"):
        joined[7]
    chained = Stream(2) + Stream(3)
    assert isinstance(chained, ChainDataset)
    assert list(chained) == [0, 1, 0, 1, 2]
    assert len(chained) == 5
    stacked = StackDataset(first, TensorDataset(tg.arange(5, 8)))
    assert stacked[1][0][0].item() == 1
    assert stacked[1][1][0].item() == 6
    assert StackDataset(x=[1, 2], y="ab")[1] == {"x": 2, "y": "b"}
    with pytest.raises(AssertionError, match="ConcatDataset: expected at least one dataset"):
        ConcatDataset([])
    for make in (
        StackDataset,
        lambda: StackDataset([1], [1, 2]),
    ):
        with pytest.raises(ValueError, match="expected"):
            make()
    with pytest.raises(TypeError, match="got a stream"):
        ConcatDataset([Stream()])


def test_samplers():
    tg.manual_seed(0)
    subset = SubsetRandomSampler([3, 5, 8, 13])
    assert sorted(subset) == [3, 5, 8, 13]
    assert len({tuple(subset) for _ in range(20)}) > 5
    weighted = list(WeightedRandomSampler([0, 1, 3], 4000))
    assert set(weighted) == {1, 2}
    assert 0.7 < weighted.count(2) / 4000 < 0.8
    assert sorted(WeightedRandomSampler([1, 2, 3], 3, replacement=False)) == [0, 1, 2]
    for make in (
        lambda: WeightedRandomSampler([1.0], 0),
        lambda: WeightedRandomSampler([[1.0]], 1),
        lambda: DistributedSampler([1], 2, 2),
    ):
        with pytest.raises(ValueError, match="expected"):
            make()


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_distributed_samplers_share_the_data(shuffle, drop_last):
    ranks = [
        DistributedSampler(range(11), 3, rank, shuffle=shuffle, drop_last=drop_last)
        for rank in range(3)
    ]
    parts = [list(rank) for rank in ranks]
    assert {len(part) for part in parts} == {len(rank) for rank in ranks} == {3 if drop_last else 4}
    seen = [index for part in parts for index in part]
    assert len(set(seen)) == (9 if drop_last else 11)
    for rank in ranks:
        rank.set_epoch(1)
    assert ([list(rank) for rank in ranks] != parts) == shuffle


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(("count", "replicas"), [(11, 3), (12, 3), (2, 5), (7, 1)])
def test_distributed_samplers_share_as_pytorch(count, replicas, drop_last):
    torch = pytest.importorskip("torch")
    for rank in range(replicas):
        options = {"shuffle": False, "drop_last": drop_last}
        ours = DistributedSampler(range(count), replicas, rank, **options)
        theirs = torch.utils.data.DistributedSampler(range(count), replicas, rank, **options)
        assert list(ours) == list(theirs)
        assert len(ours) == len(theirs)


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
        DataLoader(Squares(), **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}])
def test_streams_have_their_own_order(options):
    with pytest.raises(ValueError, match="expected a stream without"):
        DataLoader(Stream(), **options)


def test_generators_are_pickled():
    import pickle

    generator = tg.Generator().manual_seed(4)
    tg.rand(3, generator=generator)
    again = pickle.loads(pickle.dumps(generator))
    assert tg.rand(3, generator=again).tolist() == tg.rand(3, generator=generator).tolist()
