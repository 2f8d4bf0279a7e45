"""Hooks around a module's calls and backward passes, around those of all modules, and around what
is registered.
"""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.modules import module as all_modules
from tests.module_samples import Scale


def test_forward_hooks_replace_inputs_and_outputs():
    scale = Scale()
    calls = []
    first = scale.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    scale.register_forward_hook(lambda m, args, out: calls.append((args[0].item(), out.item())))
    last = scale.register_forward_hook(lambda m, args, out: out * 10)
    assert scale(tg.tensor(1.0)).item() == 40
    assert calls == [(2, 4)]
    first.remove()
    last.remove()
    assert scale(tg.tensor(1.0)).item() == 2


def test_forward_hooks_see_keywords_and_may_go_first():
    scale, order = Scale(), []
    scale.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"power": kwargs["power"] + 1}), with_kwargs=True
    )
    scale.register_forward_hook(lambda m, args, out: order.append("second"))
    scale.register_forward_hook(
        lambda m, args, kwargs, out: order.append(kwargs["power"]), prepend=True, with_kwargs=True
    )
    assert scale(tg.tensor(1.0), power=2).item() == 8
    assert order == [3, "second"]


def test_backward_hooks_see_and_replace_gradients(backend):
    layer, seen = nn.Linear(2, 3), {}

    def after(module, grad_input, grad_output):
        seen["after"] = [None if g is None else g.tolist() for g in (*grad_input, *grad_output)]
        return (grad_input[0] * 2,)

    layer.register_full_backward_pre_hook(lambda m, grad_output: (grad_output[0] * 3,))
    handle = layer.register_full_backward_hook(after)
    x = tg.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    plain = 3 * layer.weight.detach().numpy().sum(0)
    np.testing.assert_allclose(seen["after"][0], [plain], rtol=1e-6)
    assert seen["after"][1] == [[3, 3, 3]]
    np.testing.assert_allclose(x.grad.numpy(), [2 * plain], rtol=1e-6)
    np.testing.assert_array_equal(layer.bias.grad.numpy(), [3, 3, 3])
    handle.remove()
    seen.clear()
    layer(x).sum().backward()
    assert not seen


def test_the_tables_of_hooks_are_read_and_cleared():
    layer = nn.Linear(2, 2)
    assert not layer._forward_hooks
    hooks = {"forward_pre": print, "forward": max, "full_backward_pre": min, "full_backward": sum}
    for name, hook in hooks.items():
        getattr(layer, f"register_{name}_hook")(hook)
    for name, hook in hooks.items():
        table = getattr(layer, f"_{name.removeprefix('full_')}_hooks")
        assert list(table.values()) == [hook]
        table.clear()
        assert len(table) == 0
    assert layer(tg.ones(1, 2)).shape == (1, 2)


def test_backward_hook_without_an_input_that_requires_grad():
    layer, seen = nn.Linear(2, 3), []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    layer(tg.ones(1, 2)).sum().backward()
    assert seen == [((None,), [[1, 1, 1]])]
    with tg.no_grad():
        layer(tg.ones(1, 2))
    assert len(seen) == 1


def test_hooks_of_all_modules():
    net, seen = nn.Sequential(nn.Linear(2, 2), nn.ReLU()), []

    def note(what):
        return lambda module, *given: seen.append((what, type(module).__name__))

    handles = [
        all_modules.register_module_forward_pre_hook(note("pre")),
        all_modules.register_module_forward_hook(note("post")),
        all_modules.register_module_full_backward_hook(note("backward")),
        all_modules.register_module_full_backward_pre_hook(note("backward pre")),
    ]
    net[1].register_forward_hook(note("own"))
    net(tg.ones(1, 2, requires_grad=True)).sum().backward()
    assert seen == [
        ("pre", "Sequential"), ("pre", "Linear"), ("post", "Linear"), ("pre", "ReLU"),
        ("post", "ReLU"), ("own", "ReLU"), ("post", "Sequential"),
        ("backward pre", "Sequential"), ("backward pre", "ReLU"), ("backward", "ReLU"),
        ("backward pre", "Linear"), ("backward", "Linear"), ("backward", "Sequential"),
    ]  # fmt: skip
    for handle in handles:
        handle.remove()
    seen.clear()
    net(tg.ones(1, 2))
    assert seen == [("own", "ReLU")]
    assert nn.Linear(1, 1)._hooks is None  # called directly again


def test_a_hook_that_is_called_in_any_case():
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("inside")

    net, seen = Broken(), []
    net.register_forward_hook(lambda m, args, out: seen.append("only after success"))
    net.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(ValueError, match="inside"):
        net(1)
    assert seen == [None]

    def fails(module, args, output):
        raise KeyError("hook")

    net.register_forward_hook(fails, always_call=True)
    with (
        pytest.warns(UserWarning, match="always_call=True: expected no error, got KeyError"),
        pytest.raises(ValueError, match="inside"),
    ):
        net(1)


def test_hooks_of_all_modules_on_what_is_registered():
    seen = []

    def noted(module, name, value):
        seen.append((type(module).__name__, name))

    hooks = [
        all_modules.register_module_parameter_registration_hook(noted),
        all_modules.register_module_buffer_registration_hook(noted),
        all_modules.register_module_module_registration_hook(noted),
    ]
    try:
        model = nn.Sequential(nn.Linear(1, 1, bias=False))
        model.register_buffer("count", tg.tensor(0))
        model[0].weight = nn.Parameter(tg.ones(1, 1))
    finally:
        for hook in hooks:
            hook.remove()
    assert seen[:2] == [("Linear", "weight"), ("Linear", "bias")]
    assert seen[2:] == [("Sequential", "0"), ("Sequential", "count"), ("Linear", "weight")]
    nn.Linear(1, 1)
    assert len(seen) == 5


def test_a_registration_hook_gives_another():
    other = nn.Parameter(tg.full((1, 1), 3.0))
    with all_modules.register_module_parameter_registration_hook(lambda *_: other):
        layer = nn.Linear(1, 1, bias=False)
    assert layer.weight is other
    wrong = all_modules.register_module_module_registration_hook(lambda *_: 3)
    with wrong, pytest.raises(TypeError, match="module registration hook: expected a Module"):
        nn.Sequential(nn.ReLU())
