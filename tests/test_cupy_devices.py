"""Two devices, the second over a CuPy of host memory: what lies where, moves, and does not mix;
and what is said of a machine that lacks the second.
"""

from __future__ import annotations

import builtins
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import backend as choice
from tensorgrad import nn, optim

ROOT = Path(__file__).parents[1]


def test_a_module_moves(cuda: Any) -> None:
    with tg.use_backend("numpy"):
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    names = list(model.state_dict())
    model.to("cuda")
    optim.SGD(model.parameters(), 0.1).step()
    assert model(tg.ones(4, 2)).device == tg.device("cuda:0")
    assert {str(value.device) for value in model.state_dict().values()} == {"cuda:0"}
    saved = model.state_dict()
    model.cpu().load_state_dict(saved)
    assert list(model.state_dict()) == names
    assert {str(value.device) for value in model.state_dict().values()} == {"cpu"}


def test_choosing_cupy_moves_new_tensors_to_the_gpu(cuda: Any) -> None:
    made = (
        tg.zeros(2),
        tg.tensor([1.0]),
        tg.rand(2),
        tg.arange(3),
        tg.eye(2),
        tg.as_tensor(np.ones(2)),
    )
    assert {str(tensor.device) for tensor in made} == {"cuda:0"}
    on_cpu = tg.zeros(2, device="cpu")
    assert (on_cpu + 1).tolist() == [1, 1]
    assert (on_cpu + 1).device == tg.device("cpu")
    assert tg.tensor([tg.tensor(2.0), 1.0]).tolist() == [2, 1]


def test_environment_variable_makes_cuda_the_default() -> None:
    program = """
        import sys
        from tests import cupy_stand_in
        sys.modules.update(cupy_stand_in.MODULES)
        import tensorgrad as tg
        assert "cupy" not in {type(b).__module__ for b in tg.backend._loaded.values()}
        x = tg.ones(2, requires_grad=True)
        (x * 3).sum().backward()
        print(x.device, x.grad.device, x.grad.tolist(), tg.zeros(1, device="cpu").device)
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "TENSORGRAD_BACKEND": "cupy", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.split("\n")[0] == "cuda:0 cuda:0 [3.0, 3.0] cpu"


def test_transfers(cuda: Any) -> None:
    x = tg.tensor([1.0, 2.0], device="cpu")
    for there in (x.to("cuda"), x.cuda(), x.cuda(0), x.to(tg.device("cuda", 0)), x.to(tg.zeros(1))):
        assert str(there.device) == "cuda:0"
        assert there.to("cuda") is there
        assert there.cuda() is there
        assert there.cpu().device == tg.device("cpu")
        assert there.tolist() == [1, 2]
    assert x.cpu() is x
    with pytest.raises(TypeError, match="numpy: expected a tensor on the CPU, got one on cuda:0"):
        x.cuda().numpy()
    np.testing.assert_array_equal(x.cuda().numpy(force=True), [1, 2])


def test_gradients_flow_across_devices(cuda: Any) -> None:
    x = tg.tensor([1.0, 2.0], device="cpu", requires_grad=True)
    y = (x.cuda() ** 2).cpu() * 3
    (slope,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    assert slope.device == tg.device("cpu")
    assert slope.tolist() == [6, 12]
    slope.sum().backward()
    assert x.grad.tolist() == [6, 6]


def test_writing_takes_values_from_another_device(cuda: Any) -> None:
    """As in PyTorch, where `x[i] = v` and `copy_` move what they write."""
    x = tg.zeros(3)
    x[:1] = tg.tensor([1.0], device="cpu")
    x[tg.tensor([1])] = tg.tensor([2.0], device="cpu")
    x[2:].copy_(tg.tensor([3.0], device="cpu"))
    assert x.tolist() == [1, 2, 3]
    assert x[tg.tensor([2, 0], device="cpu")].tolist() == [3, 1]
    y = tg.zeros(2, device="cpu")
    source = tg.tensor(4.0, requires_grad=True)
    y[1] = source * 2
    y.sum().backward()
    assert y.tolist() == [0, 8]
    assert source.grad.item() == 2
    assert source.grad.device == source.device


MIXED = {
    "add": lambda here, there: here + there,
    "mul": lambda here, there: there * here,
    "matmul": lambda here, there: here @ there,
    "cat": lambda here, there: tg.cat([here, there]),
    "where": lambda here, there: tg.where(here > 0, there, there),
    "maximum": lambda here, there: tg.maximum(there, here),
    "gather": lambda here, there: there.gather(0, here.long()),
    "embedding": lambda here, there: tg.embedding(here.long(), there),
    "scatter_add": lambda here, there: there.scatter_add(0, there.long(), here),
    "add_": lambda here, there: there.add_(here),
    "getitem": lambda here, there: here[there.long()],
    "dot": lambda here, there: here[0] @ there[0],
}


@pytest.mark.parametrize("name", MIXED)
def test_tensors_of_two_devices_do_not_mix(name: str, cuda: Any) -> None:
    here, there = tg.zeros(2, 2, device="cpu"), tg.zeros(2, 2)
    with pytest.raises(
        tg.BackendError, match=r"^\w+: expected .*, got (cpu and cuda:0|cuda:0 and cpu)$"
    ):
        MIXED[name](here, there)
    assert there.tolist() == [[0, 0], [0, 0]]


def test_one_gpu_a_process(cuda: Any) -> None:
    with pytest.raises(tg.BackendError, match=r"got 'cuda:1'.*CUDA_VISIBLE_DEVICES"):
        tg.zeros(2, device="cuda:1")
    with pytest.raises(tg.BackendError, match="CUDA_VISIBLE_DEVICES"):
        tg.zeros(2).to("cuda:1")


def test_cuda_module(cuda: Any) -> None:
    assert tg.cuda.is_available()
    assert tg.cuda.device_count() == 1
    tg.cuda.synchronize()


def test_memory_that_the_gpu_does_not_have(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = tg.ones(3, requires_grad=True)

    def refuse(*args: Any) -> Any:
        raise cuda.xp.cuda.memory.OutOfMemoryError(1 << 40, 79 << 30)

    expected = re.escape(
        "expected memory for the result, got out of memory (Out of memory allocating "
        "1,099,511,627,776 bytes (allocated so far: 84,825,604,096 bytes). 1,073,741,824 of the "
        "GPU's 85,899,345,920 bytes are free)"
    )
    with monkeypatch.context() as patch:
        patch.setattr(cuda.xp, "empty", refuse)
        with pytest.raises(tg.cuda.OutOfMemoryError, match=f"^sigmoid: {expected}"):
            tg.sigmoid(x)
        patch.setattr(cuda.xp, "full", refuse)
        with pytest.raises(tg.cuda.OutOfMemoryError, match=f"^zeros: {expected}"):
            tg.zeros(1 << 38)
    tg.sigmoid(x).sum().backward()
    assert x.grad.tolist() == pytest.approx([0.19661193] * 3)


def test_streams_and_events(cuda: Any) -> None:
    start, end = tg.cuda.Event(enable_timing=True), tg.cuda.Event(enable_timing=True)
    side = tg.cuda.Stream()
    assert tg.cuda.current_stream() == tg.cuda.default_stream() != side
    start.record()
    with tg.cuda.stream(side), tg.cuda.stream(None):
        assert tg.cuda.current_stream() == side
        end.record()
    assert tg.cuda.current_stream() == tg.cuda.default_stream()
    tg.cuda.current_stream().wait_stream(side)
    end.wait()
    end.synchronize()
    assert end.query()
    assert side.query()
    assert start.elapsed_time(end) == 0.5


# ---- a machine that cannot


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (
            {"version": 0},
            "an NVIDIA GPU and its driver, got cudaErrorInsufficientDriver.*; install ",
        ),
        (
            {"version": 12040},
            r'an NVIDIA driver for CUDA 13, got one for CUDA 12; .*"cupy-cuda12x\[ctk\]"$',
        ),
        ({"devices": 0}, "an NVIDIA GPU, got none; install .*TENSORGRAD_BACKEND=numba$"),
        ({"libraries": False}, r'the CUDA libraries, got Failure .*"cupy-cuda13x\[ctk\]"'),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(
    machine: dict[str, Any], words: str, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in machine.items():
        monkeypatch.setattr(stand_in, name, value)
    with pytest.raises(tg.BackendError, match=f"^cupy: expected {words}") as caught:
        tg.use_backend("cupy")
    assert "\n" not in str(caught.value)
    with pytest.raises(tg.BackendError):
        tg.zeros(2, device="cuda")
    assert not tg.cuda.is_available()


@pytest.mark.parametrize(
    "missing", [ModuleNotFoundError("No module", name="cupy"), OSError("bad\nelf")]
)
def test_no_cupy_names_the_command(missing: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    true_import = builtins.__import__

    def without_cupy(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "cupy":
            raise missing
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_cupy)
    monkeypatch.setattr(choice, "_loaded", {})
    with pytest.raises(
        tg.BackendError, match=r'^cupy: .*pip install "cupy-cuda13x\[ctk\]"'
    ) as caught:
        tg.set_backend("cupy")
    assert "\n" not in str(caught.value)
    assert tg.cuda.device_count() == 0
    with pytest.raises(tg.BackendError):
        tg.cuda.synchronize()
