"""What a training step asks of a GPU: launches, and no wait but those that the program asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.nn import functional
from tests.cuda_ladder import execution
from tests.cupy_stand_in.arrays import asked

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)


def counted(step: Callable[[], Any]) -> Counter[str]:
    """Launches, waits and copies from the host of a step that is not the first."""
    step()
    step()
    before, own = asked.copy(), execution.launches.total()
    step()
    found = asked - before
    found["launch"] += execution.launches.total() - own
    return found


def training(model: Any, optimizer: Any, x: Any, target: Any, loss: Any) -> Callable[[], Any]:
    def step() -> Any:
        optimizer.zero_grad()
        error = loss(model(x), target)
        error.backward()
        optimizer.step()
        return error.detach()

    return step


def perceptron() -> Any:
    return nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 5))


def mnist() -> Any:
    """The net of PyTorch's MNIST example, on a smaller picture."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 12),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(12, 10),
        nn.LogSoftmax(1),
    )


def steps() -> dict[str, tuple[Callable[[], Any], int]]:
    small, net = perceptron(), mnist()
    target = tg.tensor([0, 4, 1, 3])
    return {
        "perceptron": (
            training(
                small,
                optim.Adam(small.parameters()),
                tg.randn(4, 12),
                target,
                functional.cross_entropy,
            ),
            25,
        ),
        "mnist": (
            training(
                net,
                optim.Adadelta(net.parameters()),
                tg.randn(4, 1, 12, 12),
                target,
                functional.nll_loss,
            ),
            60,
        ),
    }


@pytest.mark.parametrize("name", ["perceptron", "mnist"])
def test_a_step_has_few_launches_and_waits_for_nothing(name: str, cuda: Any) -> None:
    step, most = steps()[name]
    found = counted(step)
    assert found["launch"] <= most
    assert found["wait"] == 0
    assert counted(lambda: step().item())["wait"] == 1  # the one that is asked for


def test_a_scaled_step_in_half_precision_waits_for_nothing(cuda: Any) -> None:
    """Whether a gradient overflowed, and the step is left out, is the device's to know."""
    model, x, target = perceptron(), tg.randn(4, 12), tg.tensor([0, 4, 1, 3])
    optimizer, scaler = optim.Adam(model.parameters()), tg.amp.GradScaler("cuda")

    def step() -> None:
        optimizer.zero_grad()
        with tg.amp.autocast("cuda", dtype=tg.float16):
            error = functional.cross_entropy(model(x), target)
        scaler.scale(error).backward()
        scaler.step(optimizer)
        scaler.update()

    before = execution.launches["unscale"]
    assert counted(step)["wait"] == 0
    assert execution.launches["unscale"] == before + 3  # each time one for all gradients
