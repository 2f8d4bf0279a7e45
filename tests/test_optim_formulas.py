"""Optimizers against their formulas in NumPy, and where they lead."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import optim
from tests.descents import close, steps_on

# ---- formulas, on gradients that are given

GRADIENTS = np.random.default_rng(2).normal(size=(6, 3))


def test_momentum_starts_undampened(backend):
    p, b = np.array([1.0, 2.0, 3.0]), None
    parameter = tg.tensor(p, requires_grad=True)
    for g in GRADIENTS:
        g = g + 0.1 * p
        b = g if b is None else 0.9 * b + 0.6 * g
        p = p - 0.05 * b
    options = {"momentum": 0.9, "dampening": 0.4, "weight_decay": 0.1}
    close([steps_on(optim.SGD([parameter], 0.05, **options), parameter, GRADIENTS)], [p], 1e-12)


def test_nesterov_looks_ahead(backend):
    p, b = np.array([1.0, 2.0, 3.0]), 0.0
    parameter = tg.tensor(p, requires_grad=True)
    for g in GRADIENTS:
        b = 0.9 * b + g
        p = p - 0.05 * (g + 0.9 * b)
    optimizer = optim.SGD([parameter], 0.05, momentum=0.9, nesterov=True)
    close([steps_on(optimizer, parameter, GRADIENTS)], [p], 1e-12)


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam(decoupled, backend):
    p, m, v = np.array([1.0, 2.0, 3.0]), 0.0, 0.0
    parameter = tg.tensor(p, requires_grad=True)
    for t, g in enumerate(GRADIENTS, 1):
        if decoupled:
            p = p * (1 - 0.05 * 0.1)
        else:
            g = g + 0.1 * p
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        p = p - 0.05 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
    make = optim.AdamW if decoupled else optim.Adam
    optimizer = make([parameter], 0.05, (0.9, 0.99), weight_decay=0.1)
    close([steps_on(optimizer, parameter, GRADIENTS)], [p], 1e-12)
    assert optimizer.state[parameter]["step"].item() == 6


def test_rmsprop(backend):
    p, v, mean, b = np.array([1.0, 2.0, 3.0]), 0.0, 0.0, 0.0
    parameter = tg.tensor(p, requires_grad=True)
    for g in GRADIENTS:
        v, mean = 0.9 * v + 0.1 * g * g, 0.9 * mean + 0.1 * g
        b = 0.5 * b + g / (np.sqrt(v - mean**2) + 1e-8)
        p = p - 0.05 * b
    optimizer = optim.RMSprop([parameter], 0.05, 0.9, momentum=0.5, centered=True)
    close([steps_on(optimizer, parameter, GRADIENTS)], [p], 1e-12)


# ---- what PyTorch has not, and where the steps lead


def test_lion_by_hand(backend):
    param = tg.tensor([1.0, -2.0, 0.5], dtype=tg.float64, requires_grad=True)
    optimizer = optim.Lion([param], lr=0.1, betas=(0.9, 0.5), weight_decay=0.2)
    p, average = np.array([1.0, -2.0, 0.5]), np.zeros(3)
    for gradient in ([0.3, -0.1, 0.0], [-4.0, 0.2, 1.0], [1.0, 1.0, -9.0]):
        steps_on(optimizer, param, [np.array(gradient)])
        p = p * (1 - 0.1 * 0.2) - 0.1 * np.sign(0.9 * average + 0.1 * np.array(gradient))
        average = 0.5 * average + 0.5 * np.array(gradient)
    np.testing.assert_allclose(param.detach().numpy(), p, rtol=1e-12)
    state = optimizer.state_dict()["state"][0]
    np.testing.assert_allclose(state["exp_avg"].numpy(), average, rtol=1e-12)


def test_rmsprop_with_eps_inside_the_root(backend):
    param = tg.tensor([1.0, 2.0], dtype=tg.float64, requires_grad=True)
    optimizer = optim.RMSprop([param], lr=0.1, alpha=0.9, eps=0.5, eps_inside=True)
    gradient = np.array([0.3, -2.0])
    expected = np.array([1.0, 2.0]) - 0.1 * gradient / np.sqrt(0.1 * gradient**2 + 0.5)
    np.testing.assert_allclose(steps_on(optimizer, param, [gradient]), expected, rtol=1e-12)


def test_muon_steps_are_nearly_orthogonal(backend):
    param = tg.zeros(6, 4, dtype=tg.float64, requires_grad=True)
    optimizer = optim.Muon([param], lr=1.0, weight_decay=0.0)
    gradient = np.random.default_rng(0).normal(size=(6, 4))
    step = -steps_on(optimizer, param, [gradient]) / math.sqrt(6 / 4)
    sizes = np.linalg.svd(step, compute_uv=False)
    assert sizes.min() > 0.6
    assert sizes.max() < 1.3
    turned = np.linalg.svd(gradient)
    along = np.diag(turned[0].T[:4] @ step @ turned[2].T)
    assert along.min() > 0.6  # along the gradient's own directions


def test_lbfgs_finds_the_minimum_of_rosenbrocks_valley(backend):
    x = tg.tensor([-1.2, 1.0], dtype=tg.float64, requires_grad=True)
    optimizer = optim.LBFGS([x], max_iter=60, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == pytest.approx(24.2)
    np.testing.assert_allclose(x.detach().numpy(), [1, 1], atol=1e-4)
