"""What goes wrong in a loader's workers is noticed, and told where the batch is asked for."""

import os
import signal
import time

import pytest

from tensorgrad.data import DataLoader, Dataset
from tests.data_samples import Kinds, iter_one


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
    loader = DataLoader(Kinds(8), 2, num_workers=2, persistent_workers=True)
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
        iter_one(DataLoader(Kinds(), 2, num_workers=1, collate_fn=lambda batch: batch))
