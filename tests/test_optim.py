"""Optimizers: what a step does and leaves alone, groups, hooks, names, errors."""

import gc
import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import optim
from tensorgrad.graph import Node
from tests.descents import close, host, quadratic, steps_on


class First(tg.nn.Module):
    """The last step of an LSTM's output."""

    def forward(self, outputs):
        return outputs[0][-1]


# ---- what a step does and leaves alone


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_a_step_writes_in_place_and_is_not_recorded(kind, backend):
    used, unused = (tg.ones(3, requires_grad=True) for _ in range(2))
    memory = used.detach().numpy()
    optimizer = getattr(optim, kind)([used, unused], lr=0.1)
    (used * 2).sum().backward()
    assert optimizer.step() is None
    assert used.is_leaf
    assert used.requires_grad
    assert (memory < 1).all()
    assert unused.tolist() == [1, 1, 1]
    assert unused not in optimizer.state


@pytest.mark.parametrize("fused", [None, False])
def test_a_graph_notices_that_a_step_overwrote_what_it_saved(fused, backend):
    parameter = tg.ones(3, requires_grad=True)
    optimizer = optim.SGD([parameter], lr=0.1, fused=fused)
    loss = (parameter * parameter).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_layouts_that_no_kernel_serves(backend):
    start = np.arange(12.0).reshape(3, 4)
    gradient = np.random.default_rng(0).normal(size=(4, 3))
    results = []
    for array in (start.T, start.T.copy()):
        parameter = tg.from_numpy(array.copy(order="K")).requires_grad_()
        parameter.grad = tg.from_numpy(gradient[::-1])
        for optimizer in (optim.Adam([parameter], 0.1), optim.SGD([parameter], 0.1, 0.9)):
            optimizer.step()
        results.append(parameter.detach().numpy())
    close(results[:1], results[1:], 1e-12)


def test_closure_is_called_with_gradients_on(backend):
    parameters, loss = quadratic(tg)
    optimizer = optim.SGD(parameters, lr=0.1)
    before = host(parameters)

    def closure():
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    with tg.no_grad():
        returned = optimizer.step(closure)
    assert returned.item() > loss().item()
    assert not np.array_equal(host(parameters)[0], before[0])


def test_zero_grad(backend):
    parameter = tg.ones(2, requires_grad=True)
    optimizer = optim.SGD([parameter])
    optimizer.zero_grad(set_to_none=False)
    assert parameter.grad is None
    parameter.sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert parameter.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert parameter.grad is None


def test_groups_have_options_of_their_own(backend):
    first, second, third = (tg.ones(1, requires_grad=True) for _ in range(3))
    optimizer = optim.SGD([{"params": first}, {"params": [second], "lr": 0.5}], lr=0.1)
    optimizer.add_param_group({"params": [third], "lr": 1.0, "maximize": True})
    for parameter in (first, second, third):
        parameter.grad = tg.ones(1)
    optimizer.step()
    assert [p.item() for p in (first, second, third)] == pytest.approx([0.9, 0.5, 2.0])
    optimizer.param_groups[0]["lr"] = 0.2
    optimizer.step()
    assert first.item() == pytest.approx(0.7)


# ---- errors


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("SGD", {"lr": -1}, "SGD: expected lr >= 0, got -1"),
        ("SGD", {"momentum": -1}, "SGD: expected momentum >= 0, got -1"),
        ("SGD", {"weight_decay": -1}, "SGD: expected weight_decay >= 0, got -1"),
        ("SGD", {"nesterov": True}, "SGD: expected nesterov with momentum > 0"),
        ("SGD", {"nesterov": True, "momentum": 1, "dampening": 1}, "and dampening 0"),
        ("Adam", {"betas": (0.9, 1.0)}, r"Adam: expected betas in \[0, 1\)"),
        ("Adam", {"eps": -1}, "Adam: expected eps >= 0, got -1"),
        ("AdamW", {"lr": -1}, "AdamW: expected lr >= 0, got -1"),
        ("AdamW", {"weight_decay": -1}, "AdamW: expected weight_decay >= 0, got -1"),
        ("RMSprop", {"alpha": -1}, "RMSprop: expected alpha >= 0, got -1"),
        ("RMSprop", {"momentum": math.nan}, "RMSprop: expected momentum >= 0, got nan"),
    ],
)
def test_options_out_of_range(kind, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(optim, kind)([tg.ones(1, requires_grad=True)], **options)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda p: optim.SGD(p), TypeError),
        (lambda p: optim.SGD([]), ValueError),
        (lambda p: optim.SGD([1.0]), TypeError),
        (lambda p: optim.SGD([p * 2]), ValueError),
        (lambda p: optim.SGD([{"params": {p}}]), TypeError),
        (lambda p: optim.SGD([{"params": p}, {"params": [p]}]), ValueError),
        (lambda p: optim.SGD([{"params": p, "lr": -1}]), ValueError),
        (lambda p: optim.SGD([p]).add_param_group([p]), TypeError),
    ],
)
def test_parameters_that_cannot_be_optimized(make, error):
    with pytest.raises(error, match="expected"):
        make(tg.ones(2, requires_grad=True))


def test_duplicates_in_a_group_are_reported():
    parameter = tg.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="SGD: expected each parameter once"):
        optim.SGD([parameter, parameter])


def test_repr():
    text = repr(optim.SGD([tg.ones(1, requires_grad=True)], lr=0.5))
    assert text.startswith("SGD (\nParameter Group 0\n    dampening: 0\n")
    assert "    lr: 0.5\n" in text


def test_a_finished_step_leaves_no_tensor_behind(backend):
    model = tg.nn.Sequential(tg.nn.LSTM(3, 4), First(), tg.nn.BatchNorm1d(4), tg.nn.Linear(4, 2))
    model[3].register_full_backward_hook(lambda module, grad_input, grad_output: None)
    optimizer = optim.Adam(model.parameters())

    def train():
        optimizer.zero_grad()
        loss = tg.nn.functional.cross_entropy(model(tg.ones(5, 2, 3)), tg.tensor([0, 1]))
        tg.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        loss.backward()
        optimizer.step()

    def count():
        return sum(issubclass(type(thing), tg.Tensor | Node) for thing in gc.get_objects())

    train()
    gc.collect()
    gc.disable()
    try:
        before = count()
        train()
        train()
        assert count() == before
    finally:
        gc.enable()


# ---- hooks, names and numbers that are tensors


def test_step_hooks_run_around_the_step(backend):
    param = tg.ones(2, requires_grad=True)
    optimizer = optim.SGD([param], lr=1.0)
    seen = []
    before = optimizer.register_step_pre_hook(
        lambda o, args, kwargs: seen.append(("before", o is optimizer, param.tolist()))
    )
    optimizer.register_step_post_hook(
        lambda o, args, kwargs: seen.append(("after", o is optimizer, param.tolist()))
    )
    steps_on(optimizer, param, [np.ones(2, "float32")])
    before.remove()
    steps_on(optimizer, param, [np.ones(2, "float32")])
    assert seen == [
        ("before", True, [1.0, 1.0]),
        ("after", True, [0.0, 0.0]),
        ("after", True, [-1.0, -1.0]),
    ]


def test_parameters_may_come_with_their_names(backend):
    model = tg.nn.Linear(2, 1)
    optimizer = optim.Adam(model.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    model(tg.ones(1, 2)).sum().backward()
    before = model.weight.detach().clone()
    optimizer.step()
    assert bool((model.weight != before).all())


def test_a_rate_that_is_a_tensor_is_read_at_each_step(backend):
    rate = tg.tensor(0.5)
    param = tg.ones(1, requires_grad=True)
    optimizer = optim.SGD([param], lr=rate)
    steps_on(optimizer, param, [np.ones(1, "float32")])
    rate.fill_(2.0)
    assert steps_on(optimizer, param, [np.ones(1, "float32")]).tolist() == [-1.5]


def test_lbfgs_wants_a_closure():
    with pytest.raises(TypeError, match="step: expected a closure"):
        optim.LBFGS([tg.ones(1, requires_grad=True)]).step()
