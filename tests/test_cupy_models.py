"""The four models of `python -m bench` learn on CupyBackend, its CUDA kernels run on the CPU, as
they do on NumPy's: their first losses are the same. So do they in mixed precision.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from bench.models import TASKS
from tests.cuda_ladder import execution

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)

STEPS = 20
ROWS = {"mlp": 16, "convnet": 4, "lstm": 2, "skipgram": 32}  # of a batch


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TASKS["lstm"], "width", 32)  # four times as fast


def first_losses(name: str, backend: str, dtype: Any = None) -> list[float]:
    """Of the model's first steps; with a dtype, under autocast to it with scaled gradients."""
    task, rows = TASKS[name], ROWS[name]
    data = [array[: rows * STEPS] for array in task.data(train=True)]
    with tg.use_backend(backend):
        tg.manual_seed(0)
        model = task.model(tg)
        optimizer = task.optimizer(tg, model.parameters())
        device = next(model.parameters()).device.type
        scaler = tg.amp.GradScaler(device, enabled=dtype == tg.float16)
        losses = []
        for step in range(STEPS):
            batch = [tg.tensor(array[step * rows : (step + 1) * rows]) for array in data]
            cast = contextlib.nullcontext() if dtype is None else tg.amp.autocast(device, dtype)
            optimizer.zero_grad()
            with cast:
                loss = task.loss(tg, model, *batch)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", TASKS)
def test_the_first_losses_are_those_of_the_cpu(name: str, cuda: Any) -> None:
    before = execution.launches.total()
    found = first_losses(name, "cupy")
    assert execution.launches.total() >= before + 5 * STEPS  # kernels have computed them
    want = first_losses(name, "numpy")
    np.testing.assert_allclose(found, want, rtol=1e-4)
    assert min(want[-5:]) < want[0]


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16], ids=["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["mlp", "convnet"])
def test_mixed_precision_learns_likewise(name: str, dtype: Any, cuda: Any) -> None:
    """Within the rounding of numbers of 16 bits, which grows from step to step."""
    found, want = (first_losses(name, backend, dtype) for backend in ("cupy", "numpy"))
    np.testing.assert_allclose(found[:5], want[:5], rtol=4 * float(tg.finfo(dtype).eps))
    np.testing.assert_allclose(found, want, rtol=0.05)
    assert want != first_losses(name, "numpy")
