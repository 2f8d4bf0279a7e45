"""The small modules that programs written for PyTorch name beside tensors and layers."""

import importlib
import sys

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.multiprocessing as mp
from tensorgrad import nn
from tests.oracle import needs_torch, outcome, torch


def test_second_paths_lead_to_the_same_objects():
    for path, name, target in [
        ("utils.data", "DataLoader", tg.data.DataLoader),
        ("utils.data.dataset", "Dataset", tg.data.Dataset),
        ("utils.data.sampler", "Sampler", tg.data.Sampler),
        ("utils.data.dataloader", "default_collate", tg.data.default_collate),
        ("utils.data.distributed", "DistributedSampler", tg.data.DistributedSampler),
        ("nn.modules", "Conv2d", nn.Conv2d),
        ("nn.modules.conv", "Conv2d", nn.Conv2d),
        ("nn.modules.module", "Module", nn.Module),
        ("nn.modules.rnn", "LSTM", nn.LSTM),
        ("nn.modules.instancenorm", "InstanceNorm1d", nn.InstanceNorm1d),
        ("nn.modules.sparse", "Embedding", nn.Embedding),
        ("nn.parallel", "DataParallel", nn.DataParallel),
        ("types", "Tensor", tg.Tensor),
    ]:
        assert getattr(importlib.import_module(f"tensorgrad.{path}"), name) is target
    with pytest.raises(AttributeError, match="Conv9d"):
        nn.modules.Conv9d  # noqa: B018


def test_switches_are_set_and_read():
    tg.backends.cudnn.deterministic = False  # whatever other programs in this process have left
    tg.backends.cudnn.benchmark = True
    with tg.backends.cudnn.flags(benchmark=False, deterministic=True):
        assert not tg.backends.cudnn.benchmark
        assert tg.backends.cudnn.deterministic
    assert tg.backends.cudnn.benchmark
    assert not tg.backends.cudnn.deterministic
    tg.backends.cudnn.benchmark = False
    tg.backends.cuda.matmul.allow_tf32 = True
    assert not tg.backends.cudnn.is_available()
    assert not tg.backends.mps.is_available()


@pytest.mark.skipif(tg.cuda.is_available(), reason="needs a machine without a GPU")
def test_what_is_said_without_a_gpu():
    assert tg.cuda.device_count() == tg.cuda.memory_allocated() == 0
    assert not tg.cuda.is_bf16_supported()
    tg.manual_seed(3)
    tg.cuda.manual_seed_all(7)  # seeds nothing
    tg.cuda.empty_cache()
    assert tg.initial_seed() == 3
    assert tg.accelerator.current_accelerator() is None
    assert not tg.accelerator.is_available()
    for ask in (tg.cuda.current_device, tg.cuda.get_device_name, tg.accelerator.synchronize):
        with pytest.raises(RuntimeError, match="expected"):
            ask()
    with pytest.raises(RuntimeError, match="expected"):
        tg.cuda.set_device(0)
    with tg.cuda.device(-1):
        pass


def test_wrappers_of_parallel_training_pass_through():
    model = nn.Linear(2, 1)
    x = tg.ones(3, 2)
    for wrapped in (nn.DataParallel(model), nn.parallel.DistributedDataParallel(model, [0])):
        assert wrapped.module is model
        assert tg.equal(wrapped(x), model(x))
        assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    with wrapped.no_sync():
        wrapped(x).sum().backward()
    assert model.weight.grad.tolist() == [[3.0, 3.0]]
    state = wrapped.state_dict()
    nn.modules.utils.consume_prefix_in_state_dict_if_present(state, "module.")
    model.load_state_dict(state)
    assert tg.distributed.get_world_size() == 1
    assert not tg.distributed.is_available()
    with pytest.raises(NotImplementedError, match=r"^init_process_group: expected .* got .*'nccl'"):
        tg.distributed.init_process_group("nccl")


def test_nothing_is_fetched():
    for fetch in (tg.hub.load_state_dict_from_url, tg.utils.model_zoo.load_url):
        with pytest.raises(NotImplementedError, match=r"expected a file, got 'http://x/y\.pth'"):
            fetch("http://x/y.pth")
    with pytest.raises(NotImplementedError, match="expected a model of this program"):
        tg.hub.load("who/what", "resnet")


def test_parts_of_a_module_are_read_and_written_by_role():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert list(model._modules) == ["0", "1"]
    assert set(model[1]._buffers) == {"running_mean", "running_var", "num_batches_tracked"}
    model._modules["1"] = nn.ReLU()
    model[0]._parameters["bias"] = None
    assert isinstance(model[1], nn.ReLU)
    assert list(model.state_dict()) == ["0.weight"]
    del model._modules["1"]
    assert len(model._modules) == 1
    with pytest.raises(KeyError):
        model[0]._modules["weight"]


# ---- processes


def double(number, queue, tensor):
    queue.put((number, tensor * 2))


def fail(number):
    sys.exit(number)


def test_tensors_travel_between_processes():
    queue = mp.get_context("spawn").SimpleQueue()
    mp.spawn(double, args=(queue, tg.tensor([1.0, 2.0])), nprocs=2)
    got = dict(queue.get() for _ in range(2))
    assert sorted(got) == [0, 1]
    assert got[1].tolist() == [2.0, 4.0]


def test_a_process_that_fails_is_named():
    with pytest.raises(mp.ProcessExitedException, match="process 1 to end well, got exit code 1"):
        mp.spawn(fail, nprocs=2)


# ---- assert_close

VALUES = [
    (lambda t: t.tensor([1.0, 2.0]), lambda t: t.tensor([1.0, 2.0 + 1e-6])),
    (lambda t: t.tensor([1.0, 2.0]), lambda t: t.tensor([1.0, 2.1])),
    (lambda t: t.ones(2, dtype=t.float64), lambda t: t.ones(2, dtype=t.float64) + 1e-6),
    (lambda t: t.ones(2, dtype=t.float16), lambda t: t.ones(2, dtype=t.float16) * 1.0005),
    (lambda t: t.ones(2), lambda t: t.ones(3)),
    (lambda t: t.ones(2), lambda t: t.ones(2).double()),
    (lambda t: t.ones(2, 3), lambda t: t.ones(3, 2).t()),
    (lambda t: t.tensor([1, 2]), lambda t: t.tensor([1, 3])),
    (lambda t: t.tensor([True]), lambda t: t.tensor([False])),
    (lambda t: t.tensor([float("nan")]), lambda t: t.tensor([float("nan")])),
    (lambda t: t.tensor([float("inf")]), lambda t: t.tensor([float("inf")])),
    (lambda t: t.tensor([1 + 1j]), lambda t: t.tensor([1 + 2j])),
    (lambda t: {"a": [t.ones(1), 2.0]}, lambda t: {"a": [t.ones(1), 2.0]}),
    (lambda t: {"a": [t.ones(1), 2.0]}, lambda t: {"a": [t.ones(1), 3.0]}),
    (lambda t: {"a": 1}, lambda t: {"b": 1}),
    (lambda t: [1], lambda t: [1, 2]),
    (lambda t: 1, lambda t: 1.0),
    (lambda t: True, lambda t: False),
    (lambda t: np.ones(2), lambda t: np.ones(2)),
    (lambda t: None, lambda t: None),
    (lambda t: "a", lambda t: "a"),
    (lambda t: t.ones(2), lambda t: [1.0, 1.0]),
]
RULES = [
    {},
    {"rtol": 0.1, "atol": 0.0},
    {"equal_nan": True},
    {"check_dtype": False},
    {"check_stride": True},
]


@needs_torch
@pytest.mark.parametrize("rules", RULES, ids=str)
@pytest.mark.parametrize("pair", VALUES, ids=range(len(VALUES)))
def test_assert_close_judges_as_torch(pair, rules):
    verdicts = []
    for library in (tg, torch):
        actual, expected = (make(library) for make in pair)
        result = outcome(
            lambda a, b, judge: judge(a, b, **rules), actual, expected, library.testing.assert_close
        )
        verdicts.append(type(result))
    assert verdicts[0] is verdicts[1]


def test_assert_close_says_where():
    with pytest.raises(ValueError, match=r"expected both rtol and atol, got 0\.1 and None"):
        tg.testing.assert_close(tg.ones(1), tg.ones(1), rtol=0.1)
    with pytest.raises(AssertionError, match=r"got 1 of 4 beyond that; .* at index \(1, 0\)"):
        tg.testing.assert_close(tg.tensor([[1.0, 2.0], [3.0, 4.0]]), tg.tensor([[1.0, 2], [5, 4]]))
    with pytest.raises(AssertionError, match=r"^here: expected dtype"):
        tg.testing.assert_close(tg.ones(1), tg.ones(1).long(), msg=lambda text: f"here: {text}")
