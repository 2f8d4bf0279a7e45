"""The gradient scaler: which steps it leaves out, how its scale moves, wrong calls, its state."""

import copy
import pickle

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn


def scaler(**options):
    return tg.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2, **options)


def step_with(it, optimizer, parameter, gradient):
    it.scale(tg.ones(()))
    parameter.grad = gradient
    it.step(optimizer)
    it.update()


def test_a_step_with_an_overflow_is_left_out():
    weight = nn.Parameter(tg.ones(3))
    optimizer, it = tg.optim.SGD([weight], lr=1.0), scaler()
    for bad in (np.inf, -np.inf, np.nan):
        scale = it.get_scale()
        step_with(it, optimizer, weight, tg.tensor([0.0, bad, 1.0]))
        assert (weight == 1).all()
        assert it.get_scale() == scale / 2
    step_with(it, optimizer, weight, tg.full((3,), 128.0))
    assert (weight == 0).all()
    step_with(it, optimizer, weight, tg.zeros(3))
    assert it.get_scale() == 256  # two good steps in a row


def test_gradients_are_those_of_the_loss():
    weight = nn.Parameter(tg.tensor([1.0, 2.0]))
    optimizer, it = tg.optim.SGD([weight], lr=1.0), scaler()
    it.scale((weight * weight).sum()).backward()
    assert weight.grad.tolist() == [2048, 4096]
    it.unscale_(optimizer)
    assert weight.grad.tolist() == [2, 4]
    it.step(optimizer)
    assert weight.tolist() == [-1, -2]


def test_several_optimizers_are_judged_each_by_itself():
    one, two = nn.Parameter(tg.ones(2)), nn.Parameter(tg.ones(2))
    first, second, it = tg.optim.SGD([one], lr=1.0), tg.optim.SGD([two], lr=1.0), scaler()
    it.scale(tg.ones(()))
    one.grad, two.grad = tg.full((2,), np.inf), tg.full((2,), 1024.0)
    it.step(first)
    it.step(second)
    it.update()
    assert one.tolist() == [1, 1]
    assert two.tolist() == [0, 0]
    assert it.get_scale() == 512


def test_sparse_gradients_are_unscaled():
    table = nn.Embedding(5, 2, sparse=True)
    optimizer, it = tg.optim.SGD(table.parameters(), lr=1.0), scaler()
    before = table.weight.detach().clone()
    it.scale(table(tg.tensor([1, 1, 3])).sum()).backward()
    it.step(optimizer)
    expected = tg.tensor([0.0, 2, 0, 1, 0]).reshape(5, 1)
    assert tg.allclose(before - table.weight.detach(), expected.expand(5, 2))


def test_nested_outputs_are_scaled():
    one = tg.ones(2)
    first, (second,) = scaler().scale([one, (one,)])
    assert first.tolist() == second.tolist() == [1024, 1024]
    with pytest.raises(ValueError, match="scale: expected a tensor or an iterable of tensors"):
        scaler().scale(3.0)


def test_calls_out_of_order():
    weight = nn.Parameter(tg.ones(2))
    optimizer, it = tg.optim.SGD([weight], lr=1.0), scaler()
    for call in (lambda: it.unscale_(optimizer), lambda: it.step(optimizer), it.update):
        with pytest.raises(AssertionError, match="expected scale\\(\\) to have been called"):
            call()
    it.scale(tg.ones(()))
    with pytest.raises(AssertionError, match="update: expected a step before, got none"):
        it.update()
    with pytest.raises(AssertionError, match="step: expected an optimizer with gradients"):
        it.step(optimizer)
    it.update(64.0)
    assert it.get_scale() == 64
    weight.grad = tg.ones(2)
    it.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="unscale_: expected one call for an optimizer"):
        it.unscale_(optimizer)
    with pytest.raises(AssertionError, match="expected to be pickled or copied between update"):
        copy.deepcopy(it)
    it.step(optimizer)
    with pytest.raises(RuntimeError, match="step: expected one call between updates"):
        it.step(optimizer)
    with pytest.raises(RuntimeError, match="unscale_: expected a call before step"):
        it.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="step: expected no closure, got one"):
        it.step(optimizer, closure=lambda: None)
    it.update(tg.tensor([8.0]))
    assert it.get_scale() == 8
    with pytest.raises(AssertionError, match="update: expected new_scale to be a number or"):
        it.update(tg.ones(2))
    weight.grad = None
    half = nn.Parameter(tg.ones(2).half())
    half.grad = tg.ones(2).half()
    with pytest.raises(ValueError, match="expected gradients of float32 parameters, got float16"):
        it.unscale_(tg.optim.SGD([half], lr=1.0))


def test_options_out_of_range():
    with pytest.raises(AssertionError, match="expected a growth_factor above 1, got"):
        scaler(growth_factor=1.0)
    with pytest.raises(AssertionError, match="expected a backoff_factor below 1, got"):
        scaler(backoff_factor=1.0)
    it = scaler()
    it.set_growth_factor(3.0)
    it.set_backoff_factor(0.25)
    it.set_growth_interval(7)
    assert it.get_growth_factor() == 3
    assert it.get_backoff_factor() == 0.25
    assert it.get_growth_interval() == 7
    assert it.is_enabled()


def test_a_disabled_scaler_does_nothing():
    weight = nn.Parameter(tg.ones(2))
    optimizer, it = tg.optim.SGD([weight], lr=1.0), scaler(enabled=False)
    loss = weight.sum()
    assert it.scale(loss) is loss
    assert it.get_scale() == 1
    assert it.state_dict() == {}
    loss.backward()
    it.unscale_(optimizer)
    it.step(optimizer)
    it.update()
    assert weight.tolist() == [0, 0]
    with pytest.warns(UserWarning, match="GradScaler: expected a usable cuda device, got none"):
        assert not tg.amp.GradScaler().is_enabled()


def test_the_scalers_state_goes_on_elsewhere():
    weight = nn.Parameter(tg.ones(2))
    optimizer, it = tg.optim.SGD([weight], lr=1.0), scaler()
    step_with(it, optimizer, weight, tg.full((2,), np.inf))
    step_with(it, optimizer, weight, tg.ones(2))
    state = it.state_dict()
    assert state == {
        "scale": 512.0,
        "growth_factor": 2.0,
        "backoff_factor": 0.5,
        "growth_interval": 2,
        "_growth_tracker": 1,
    }
    other = scaler()
    other.load_state_dict(state)
    copies = [other, copy.deepcopy(it), pickle.loads(pickle.dumps(it))]
    for each in copies:
        assert each.state_dict() == state
        step_with(each, optimizer, weight, tg.ones(2))
        assert each.get_scale() == 1024
    with pytest.raises(RuntimeError, match="expected the state of an enabled GradScaler"):
        other.load_state_dict({})
