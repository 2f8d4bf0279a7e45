"""Averages of weights: their formulas, PyTorch's averages, batch norms, the schedule."""

import copy

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.optim import SGD, swa_utils


def net(library):
    return library.nn.Sequential(library.nn.Linear(3, 4), library.nn.BatchNorm1d(4))


def walk(model, library, steps):
    """Weights and buffers that wander."""
    rng = np.random.default_rng(7)
    for _ in range(steps):
        with library.no_grad():
            for value in [*model.parameters(), *model.buffers()]:
                if value.ndim:
                    value.add_(library.tensor(rng.normal(size=tuple(value.shape)).astype("f4")))
        yield model


FUNCTIONS = {
    "mean": lambda utils: {},
    "ema": lambda utils: {"multi_avg_fn": utils.get_ema_multi_avg_fn(0.9)},
    "ema, one by one": lambda utils: {"avg_fn": utils.get_ema_avg_fn(0.8), "use_buffers": True},
    "own": lambda utils: {"avg_fn": lambda a, c, n: (a * 2 + c) / 3},
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_averages_beside_torch(name, backend):
    torch = pytest.importorskip("torch")
    found = []
    start = net(tg)
    for library in (tg, torch):
        utils = library.optim.swa_utils
        model = net(library)
        model.load_state_dict(
            {key: library.tensor(value.numpy()) for key, value in start.state_dict().items()}
        )
        averaged = utils.AveragedModel(model, **FUNCTIONS[name](utils))
        for current in walk(model, library, 5):
            averaged.update_parameters(current)
        found.append({key: value.numpy() for key, value in averaged.state_dict().items()})
    assert list(found[0]) == list(found[1])
    for key, value in found[1].items():
        np.testing.assert_allclose(found[0][key], value, rtol=1e-5, atol=1e-6, err_msg=key)


def test_the_mean_is_the_mean(backend):
    model = nn.Linear(2, 2, bias=False)
    averaged = swa_utils.AveragedModel(model)
    seen = []
    for current in walk(model, tg, 6):
        averaged.update_parameters(current)
        seen.append(current.weight.detach().numpy().copy())
    np.testing.assert_allclose(
        averaged.module.weight.detach().numpy(), np.mean(seen, 0), rtol=1e-5, atol=1e-6
    )
    x = tg.ones(1, 2)
    assert bool((averaged(x) == averaged.module(x)).all())
    assert model.weight is not averaged.module.weight


def test_batch_norms_are_computed_anew(backend):
    model = net(tg)
    other = copy.deepcopy(model)
    data = [tg.randn(8, 3) for _ in range(4)]
    swa_utils.update_bn([(x, None) for x in data], model)
    hidden = tg.cat([other[0](x) for x in data]).detach()
    np.testing.assert_allclose(model[1].running_mean.numpy(), hidden.mean(0).numpy(), atol=1e-6)
    assert model[1].num_batches_tracked.item() == 4
    assert model[1].momentum == other[1].momentum
    assert model.training


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 5])
def test_schedule_beside_torch(strategy, epochs):
    torch = pytest.importorskip("torch")
    found = []
    for library in (tg, torch):
        groups = [{"params": [library.ones(1, requires_grad=True)], "lr": lr} for lr in (0.5, 0.1)]
        optimizer = library.optim.SGD(groups)
        schedule = library.optim.swa_utils.SWALR(optimizer, [0.05, 0.2], epochs, strategy)
        found.append([])
        for _ in range(9):
            optimizer.step()
            schedule.step()
            found[-1].append([group["lr"] for group in optimizer.param_groups])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda o: swa_utils.SWALR(o, 0.1, anneal_strategy="step"),
        lambda o: swa_utils.SWALR(o, 0.1, anneal_epochs=-1),
        lambda o: swa_utils.SWALR(o, [0.1, 0.2]),
        lambda o: swa_utils.get_ema_avg_fn(1.5),
        lambda o: swa_utils.AveragedModel(
            nn.Linear(1, 1),
            avg_fn=swa_utils.get_swa_avg_fn(),
            multi_avg_fn=swa_utils.get_swa_multi_avg_fn(),
        ),
    ],
)
def test_bad_arguments(make):
    with pytest.raises(ValueError, match="expected"):
        make(SGD([tg.ones(1, requires_grad=True)]))
