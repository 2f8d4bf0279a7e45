"""Learning-rate schedules: PyTorch's rates step by step, resuming, combining, errors."""

import json
import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.optim import lr_scheduler

SCHEDULES = {
    "lambda": ("LambdaLR", {"lr_lambda": lambda e: 0.95**e}),
    "lambdas": ("LambdaLR", {"lr_lambda": [lambda e: 1 / (e + 1), lambda e: 0.9**e]}),
    "multiplicative": ("MultiplicativeLR", {"lr_lambda": lambda e: 0.9 + 0.01 * (e % 3)}),
    "step": ("StepLR", {"step_size": 7, "gamma": 0.5}),
    "multistep": ("MultiStepLR", {"milestones": [3, 3, 10, 31], "gamma": 0.3}),
    "constant": ("ConstantLR", {"factor": 0.25, "total_iters": 9}),
    "linear": ("LinearLR", {"start_factor": 0.2, "end_factor": 0.7, "total_iters": 11}),
    "exponential": ("ExponentialLR", {"gamma": 0.93}),
    "polynomial": ("PolynomialLR", {"total_iters": 13, "power": 2.0}),
    "cosine": ("CosineAnnealingLR", {"T_max": 9, "eta_min": 0.01}),
    "restarts": ("CosineAnnealingWarmRestarts", {"T_0": 4, "T_mult": 2, "eta_min": 0.001}),
    "restarts, equal": ("CosineAnnealingWarmRestarts", {"T_0": 7}),
    "cyclic": ("CyclicLR", {"base_lr": 0.01, "max_lr": 0.3, "step_size_up": 4}),
    "cyclic 2": (
        "CyclicLR",
        {
            "base_lr": [0.01, 0.02],
            "max_lr": 0.3,
            "step_size_up": 3,
            "step_size_down": 5,
            "mode": "triangular2",
            "base_momentum": 0.6,
        },
    ),
    "cyclic range": (
        "CyclicLR",
        {
            "base_lr": 0.01,
            "max_lr": 0.3,
            "step_size_up": 3,
            "mode": "exp_range",
            "gamma": 0.97,
            "cycle_momentum": False,
        },
    ),
    "cyclic scale": (
        "CyclicLR",
        {
            "base_lr": 0.01,
            "max_lr": 0.3,
            "step_size_up": 3,
            "scale_fn": lambda x: 1 / x,
            "scale_mode": "cycle",
        },
    ),
    "one cycle": ("OneCycleLR", {"max_lr": 0.5, "total_steps": 41}),
    "one cycle, linear": (
        "OneCycleLR",
        {
            "max_lr": [0.5, 0.1],
            "epochs": 5,
            "steps_per_epoch": 9,
            "anneal_strategy": "linear",
            "pct_start": 0.4,
            "three_phase": True,
            "cycle_momentum": False,
        },
    ),
}
STEPS = 40


def optimizer_of(library, kind="SGD"):
    groups = [{"params": [library.ones(2, requires_grad=True)], "lr": lr} for lr in (0.2, 0.05)]
    options = {"momentum": 0.9} if kind == "SGD" else {}
    return getattr(library.optim, kind)(groups, **options)


def rates(optimizer):
    names = ("lr", "momentum", "betas")
    groups = optimizer.param_groups
    return np.array([np.ravel(group[n])[0] for group in groups for n in names if n in group])


def run(library, make, steps=STEPS, kind="SGD"):
    optimizer = optimizer_of(library, kind)
    scheduler = make(library.optim.lr_scheduler, optimizer)
    found = [rates(optimizer)]
    for _ in range(steps):
        optimizer.step()
        scheduler.step()
        found.append(rates(optimizer))
        assert scheduler.get_last_lr() == [group["lr"] for group in optimizer.param_groups]
    return np.array(found)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", SCHEDULES)
def test_rates_beside_torch(name, kind):
    torch = pytest.importorskip("torch")
    schedule, options = SCHEDULES[name]
    mine, other = (
        run(lib, lambda home, o: getattr(home, schedule)(o, **options), kind=kind)
        for lib in (tg, torch)
    )
    np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-15)
    assert len(np.unique(mine[:, 0])) > 1  # the schedule did something


@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")
@pytest.mark.parametrize("name", ["step", "multistep", "linear", "cosine", "restarts", "constant"])
def test_going_to_an_epoch_beside_torch(name):
    torch = pytest.importorskip("torch")
    schedule, options = SCHEDULES[name]
    found = []
    for library in (tg, torch):
        optimizer = optimizer_of(library)
        scheduler = getattr(library.optim.lr_scheduler, schedule)(optimizer, **options)
        optimizer.step()
        found.append([])
        for epoch in (3, 12, 5, 0, 30):
            scheduler.step(epoch)
            found[-1].append(rates(optimizer))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


COMBINED = {
    "sequential": lambda home, o: home.SequentialLR(
        o,
        [
            home.LinearLR(o, 0.1, total_iters=5),
            home.StepLR(o, 3, 0.5),
            home.CosineAnnealingLR(o, 10),
        ],
        [5, 20],
    ),
    "sequential of exponentials": lambda home, o: home.SequentialLR(
        o, [home.ConstantLR(o, 0.1, 2), home.ExponentialLR(o, 0.9)], milestones=[2]
    ),
    "chained": lambda home, o: home.ChainedScheduler(
        [home.ConstantLR(o, 0.1, 4), home.ExponentialLR(o, 0.9), home.StepLR(o, 6)], optimizer=o
    ),
}


@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")
@pytest.mark.parametrize("name", COMBINED)
def test_combinations_beside_torch(name):
    torch = pytest.importorskip("torch")
    mine, other = run(tg, COMBINED[name]), run(torch, COMBINED[name])
    np.testing.assert_allclose(mine, other, rtol=1e-12)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau_beside_torch(mode, threshold_mode):
    torch = pytest.importorskip("torch")
    metrics = np.random.default_rng(0).normal(size=60).cumsum() * 0.1 + 3
    found = []
    for library in (tg, torch):
        optimizer = optimizer_of(library)
        scheduler = library.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer,
            mode,
            0.5,
            patience=2,
            threshold=0.01,
            threshold_mode=threshold_mode,
            cooldown=3,
            min_lr=[0.01, 0.001],
        )
        found.append([])
        for metric in metrics:
            scheduler.step(library.tensor(metric))
            found[-1].append(rates(optimizer))
    np.testing.assert_array_equal(found[0], found[1])
    assert len(np.unique(found[0])) > 4


@pytest.mark.parametrize("name", [*SCHEDULES, *COMBINED])
def test_a_loaded_state_continues(name):
    def make(optimizer):
        if name in COMBINED:
            return COMBINED[name](lr_scheduler, optimizer)
        schedule, options = SCHEDULES[name]
        return getattr(lr_scheduler, schedule)(optimizer, **options)

    whole = run(tg, lambda home, o: make(o))
    optimizer = optimizer_of(tg)
    scheduler = make(optimizer)
    for _ in range(STEPS // 2):
        optimizer.step()
        scheduler.step()
    state = json.loads(json.dumps(scheduler.state_dict(), default=dict))
    if "milestones" in state and isinstance(state["milestones"], dict):
        state = scheduler.state_dict()  # numbers as keys do not survive JSON
    later = optimizer_of(tg)
    again = make(later)
    later.load_state_dict(optimizer.state_dict())
    again.load_state_dict(state)
    for step in range(STEPS // 2, STEPS):
        later.step()
        again.step()
        np.testing.assert_array_equal(rates(later), whole[step + 1])


def test_a_rate_that_is_a_tensor_keeps_its_place():
    rate = tg.tensor(0.1, dtype=tg.float64)
    optimizer = tg.optim.SGD([tg.ones(1, requires_grad=True)], lr=rate)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(0.05)


def test_a_step_of_the_schedule_before_the_optimizers_is_noticed():
    scheduler = lr_scheduler.ExponentialLR(optimizer_of(tg), 0.5)
    with pytest.warns(UserWarning, match=r"ExponentialLR.step: expected optimizer.step\(\)"):
        scheduler.step()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda o: lr_scheduler.StepLR(3, 1), TypeError),
        (lambda o: lr_scheduler.StepLR(o, 1, last_epoch=4), KeyError),
        (lambda o: lr_scheduler.LambdaLR(o, [lambda e: e]), ValueError),
        (lambda o: lr_scheduler.ConstantLR(o, 1.5), ValueError),
        (lambda o: lr_scheduler.LinearLR(o, 0.0), ValueError),
        (lambda o: lr_scheduler.LinearLR(o, end_factor=2), ValueError),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 0), ValueError),
        (lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4).step(-1), ValueError),
        (lambda o: lr_scheduler.CyclicLR(o, 0.1, 0.2, mode="square"), ValueError),
        (lambda o: lr_scheduler.CyclicLR(o, [0.1], 0.2), ValueError),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1), ValueError),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=0), ValueError),
        (lambda o: lr_scheduler.OneCycleLR(o, 0.1, 10, anneal_strategy="flat"), ValueError),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0), ValueError),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, "least"), ValueError),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, min_lr=[1.0]), ValueError),
        (lambda o: lr_scheduler.SequentialLR(o, [], []), ValueError),
        (lambda o: lr_scheduler.ChainedScheduler([]), ValueError),
        (
            lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ReduceLROnPlateau(o)]),
            ValueError,
        ),
    ],
)
def test_bad_arguments(make, error):
    with pytest.raises(error, match="expected"):
        make(optimizer_of(tg))


def test_one_cycle_ends():
    optimizer = optimizer_of(tg)
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3)
    optimizer.step()
    for _ in range(3):
        scheduler.step()
    with pytest.raises(ValueError, match="expected at most 3 steps"):
        scheduler.step()
    assert math.isclose(optimizer.param_groups[0]["lr"], 0.1 / 25 / 1e4, rel_tol=1)


def test_a_plateau_that_was_saved_goes_on():
    def after(scheduler, metrics):
        for metric in metrics:
            scheduler.step(metric)
        return rates(scheduler.optimizer)

    metrics = [1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    whole = lr_scheduler.ReduceLROnPlateau(optimizer_of(tg), patience=1, cooldown=1)
    first = lr_scheduler.ReduceLROnPlateau(optimizer_of(tg), patience=1, cooldown=1)
    after(first, metrics[:3])
    second = lr_scheduler.ReduceLROnPlateau(optimizer_of(tg), patience=1, cooldown=1)
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    expected = after(whole, metrics)
    np.testing.assert_array_equal(after(second, metrics[3:]), expected)
    assert expected[0] < 0.2 / 10
