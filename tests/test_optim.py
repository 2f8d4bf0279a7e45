"""Optimizers: formulas, PyTorch's trajectories, groups, state, errors."""

import gc
import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import optim
from tensorgrad.graph import Node

OPTIONS = {
    "sgd": ("SGD", {"lr": 0.05}),
    "sgd, decay": ("SGD", {"lr": 0.05, "weight_decay": 0.1}),
    "sgd, maximize": ("SGD", {"lr": 0.001, "weight_decay": 0.1, "maximize": True}),
    "momentum": ("SGD", {"lr": 0.02, "momentum": 0.9}),
    "momentum, dampening": (
        "SGD",
        {"lr": 0.05, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.1},
    ),
    "nesterov": ("SGD", {"lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "momentum, maximize": ("SGD", {"lr": 0.001, "momentum": 0.5, "maximize": True}),
    "adam": ("Adam", {"lr": 0.05}),
    "adam, decay": ("Adam", {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    "adam, amsgrad": ("Adam", {"lr": 0.05, "amsgrad": True}),
    "adam, maximize": ("Adam", {"lr": 0.01, "maximize": True}),
    "adamw": ("AdamW", {"lr": 0.05}),
    "adamw, amsgrad": ("AdamW", {"lr": 0.05, "weight_decay": 0.2, "amsgrad": True}),
    "rmsprop": ("RMSprop", {"lr": 0.02}),
    "rmsprop, all": (
        "RMSprop",
        {"alpha": 0.9, "eps": 1e-4, "weight_decay": 0.1, "momentum": 0.5, "centered": True},
    ),
    "rmsprop, maximize": ("RMSprop", {"lr": 0.001, "maximize": True}),
    "adamax": ("Adamax", {"lr": 0.05}),
    "adamax, decay": ("Adamax", {"lr": 0.05, "weight_decay": 0.1, "betas": (0.8, 0.95)}),
    "nadam": ("NAdam", {"lr": 0.02}),
    "nadam, decay": (
        "NAdam",
        {"weight_decay": 0.1, "momentum_decay": 6e-3, "decoupled_weight_decay": True},
    ),
    "radam": ("RAdam", {"lr": 0.02}),
    "radam, decay": ("RAdam", {"lr": 0.02, "weight_decay": 0.1, "betas": (0.8, 0.9)}),
    "adagrad": ("Adagrad", {"lr": 0.1}),
    "adagrad, all": (
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.5, "weight_decay": 0.1, "initial_accumulator_value": 0.1},
    ),
    "adadelta": ("Adadelta", {}),
    "adadelta, decay": ("Adadelta", {"rho": 0.95, "weight_decay": 0.9, "lr": 0.5}),
    "adafactor": ("Adafactor", {}),
    "adafactor, all": ("Adafactor", {"beta2_decay": -1.0, "d": 1.5, "weight_decay": 0.1}),
    "rprop": ("Rprop", {}),
    "rprop, etas": ("Rprop", {"etas": (0.4, 1.5), "step_sizes": (1e-4, 0.1)}),
    "asgd": ("ASGD", {}),
    "asgd, average": ("ASGD", {"t0": 20, "lambd": 0.1, "weight_decay": 0.1, "alpha": 0.5}),
}
START = [np.linspace(-1, 1, 12).reshape(3, 4), np.linspace(0.5, -0.5, 3), np.array(0.7)]


class First(tg.nn.Module):
    """The last step of an LSTM's output."""

    def forward(self, outputs):
        return outputs[0][-1]


def quadratic(library, dtype="float64"):
    """Parameters of 0, 1 and 2 dimensions, and a loss over them that is no sum over elements."""
    parameters = [library.tensor(a.astype(dtype), requires_grad=True) for a in START]
    x = library.tensor(np.random.default_rng(1).normal(size=(5, 4)).astype(dtype))

    def loss():
        weight, bias, scale = parameters
        return ((x @ weight.T * scale + bias) ** 2).mean() + (scale - 2) ** 2

    return parameters, loss


def descend(optimizer, loss, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()


def host(tensors):
    return [tensor.detach().numpy().copy() for tensor in tensors]


def close(actual, expected, tolerance=1e-6):
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * 1e-3)


@pytest.mark.parametrize("fused", [None, False])
@pytest.mark.parametrize("name", OPTIONS)
def test_trajectory_beside_torch(name, fused, backend):
    torch = pytest.importorskip("torch")
    kind, options = OPTIONS[name]
    results = []
    for library in (tg, torch):
        parameters, loss = quadratic(library)
        group = {"params": parameters, "fused": fused if library is tg else None}
        optimizer = getattr(library.optim, kind)([group], **options)
        descend(optimizer, loss, 50)
        state = optimizer.state_dict()["state"]
        results.append((host(parameters), state))
    (ours, state), (theirs, torch_state) = results
    close(ours, theirs)
    assert list(state) == list(torch_state)
    for number, values in torch_state.items():
        known = {key: value for key, value in values.items() if value is not None}
        assert sorted(state[number]) == sorted(known)
        for key, value in known.items():
            if not isinstance(value, torch.Tensor):
                assert state[number][key] == value
                continue
            assert state[number][key].shape == tuple(value.shape)
            close([state[number][key].numpy()], [value.numpy()])


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", OPTIONS)
def test_backends_and_the_rule_agree(name, dtype):
    kind, options = OPTIONS[name]
    results = []
    for backend, fused in (("numpy", None), ("numba", None), ("numba", False)):
        with tg.use_backend(backend):
            parameters, loss = quadratic(tg, dtype)
            group = {"params": parameters, "fused": fused}
            descend(getattr(optim, kind)([group], **options), loss, 4)
            results.append(host(parameters))
    close(results[1], results[0], 1e-5 if dtype == "float32" else 2e-2)
    close(results[2], results[0], 1e-5 if dtype == "float32" else 2e-2)


# ---- formulas, on gradients that are given


def steps_on(optimizer, parameter, gradients):
    for gradient in gradients:
        parameter.grad = tg.tensor(gradient)
        optimizer.step()
    return parameter.detach().numpy()


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


# ---- state


@pytest.mark.parametrize("name", OPTIONS)
def test_a_loaded_state_continues_the_trajectory(name, backend):
    kind, options = OPTIONS[name]
    whole, whole_loss = quadratic(tg)
    descend(getattr(optim, kind)(whole, **options), whole_loss, 9)
    parameters, loss = quadratic(tg)
    optimizer = getattr(optim, kind)(parameters, **options)
    descend(optimizer, loss, 5)
    saved = optimizer.state_dict()
    fresh = getattr(optim, kind)(parameters, lr=77)
    fresh.load_state_dict(saved)
    assert fresh.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]
    kept = {k: v.tolist() for values in saved["state"].values() for k, v in values.items()}
    descend(fresh, loss, 4)
    np.testing.assert_equal(host(parameters), host(whole))
    after = {k: v.tolist() for values in saved["state"].values() for k, v in values.items()}
    assert kept == after  # copies were taken


def test_state_dict_names_parameters_by_number(backend):
    parameters, loss = quadratic(tg)
    optimizer = optim.Adam([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.5}])
    descend(optimizer, loss, 1)
    state = optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0], [1, 2]]
    assert [group["lr"] for group in state["param_groups"]] == [1e-3, 0.5]
    assert sorted(state["state"][2]) == ["exp_avg", "exp_avg_sq", "step"]
    assert state["state"][0]["exp_avg"].shape == (3, 4)
    assert state["state"][0]["step"].dtype == tg.float32


def test_state_is_loaded_in_the_parameters_dtype():
    parameters, loss = quadratic(tg)
    source = optim.Adam(parameters)
    descend(source, loss, 1)
    narrow, _ = quadratic(tg, "float32")
    target = optim.Adam(narrow)
    target.load_state_dict(source.state_dict())
    assert target.state[narrow[0]]["exp_avg"].dtype == tg.float32


def test_a_state_of_other_groups_is_refused():
    parameters, loss = quadratic(tg)
    optimizer = optim.SGD(parameters, momentum=0.9)
    descend(optimizer, loss, 1)
    for other in (
        optim.SGD(parameters[:2]),
        optim.SGD([{"params": parameters[:2]}, {"params": parameters[2:]}]),
    ):
        with pytest.raises(ValueError, match="load_state_dict: expected"):
            optimizer.load_state_dict(other.state_dict())
    assert "momentum_buffer" in optimizer.state[parameters[0]]


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


# ---- what PyTorch has not, and hooks, names and numbers that are tensors


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


def test_lbfgs_wants_a_closure():
    with pytest.raises(TypeError, match="step: expected a closure"):
        optim.LBFGS([tg.ones(1, requires_grad=True)]).step()
