"""Hooks around a module's state and around all calls, and extra state, as PyTorch has them."""

import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.modules import module as all_modules


class Counted(nn.Linear):
    """A layer with a number in its state."""

    def __init__(self):
        super().__init__(2, 2)
        self.calls = 0

    def get_extra_state(self):
        return {"calls": self.calls}

    def set_extra_state(self, state):
        self.calls = state["calls"]


def test_extra_state_is_saved_and_loaded():
    one, two = nn.Sequential(Counted()), nn.Sequential(Counted())
    one[0].calls = 3
    state = one.state_dict()
    assert list(state) == ["0.weight", "0.bias", "0._extra_state"]
    two.load_state_dict(state)
    assert two[0].calls == 3
    del state["0._extra_state"]
    with pytest.raises(RuntimeError, match="Missing key"):
        two.load_state_dict(state)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        nn.Sequential(nn.Linear(2, 2)).load_state_dict(one.state_dict())
    with pytest.raises(RuntimeError, match="get_extra_state: expected Linear to define it"):
        nn.Linear(1, 1).get_extra_state()


def test_extra_state_is_not_set_by_a_state_that_does_not_fit():
    net = Counted()
    state = {**net.state_dict(), "_extra_state": {"calls": 9}, "weight": tg.ones(3)}
    with pytest.raises(RuntimeError, match="size mismatch for weight"):
        net.load_state_dict(state)
    assert net.calls == 0


def test_a_state_is_printed_as_an_ordered_dict():
    state = nn.Linear(1, 1).state_dict()
    assert repr(state).startswith("OrderedDict(")
    state.move_to_end("weight")
    assert list(state) == ["bias", "weight"]


def test_hooks_around_saving():
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    seen = []
    net[1].register_state_dict_pre_hook(lambda m, prefix, keep: seen.append((prefix, keep)))
    handle = net[0].register_state_dict_post_hook(
        lambda m, state, prefix, metadata: state.pop(prefix + "bias") and None
    )
    assert list(net.state_dict()) == ["0.weight", "1.weight", "1.bias"]
    assert seen == [("1.", False)]
    handle.remove()
    assert "0.bias" in net.state_dict()
    net._register_state_dict_hook(lambda m, state, prefix, metadata: {"all": state})
    assert list(net.state_dict()) == ["all"]
    bad = nn.Linear(1, 1)
    bad.register_state_dict_post_hook(lambda *given: 1)
    with pytest.raises(RuntimeError, match="state_dict: expected the hook to return None, got int"):
        bad.state_dict()


def test_destination_and_prefix_by_position():
    state = {}
    nn.Linear(1, 1).state_dict(state, "a.", True)
    assert list(state) == ["a.weight", "a.bias"]
    assert state["a.weight"].requires_grad


def renamed(state, prefix, *others):
    for key in [key for key in state if key.startswith(prefix + "kernel")]:
        state[prefix + "weight"] = state.pop(key)


def test_a_hook_before_loading_renames_old_keys():
    net = nn.Sequential(nn.Linear(1, 1))
    net[0]._register_load_state_dict_pre_hook(renamed)
    state = {"0.kernel": tg.full((1, 1), 5.0), "0.bias": tg.zeros(1)}
    assert repr(net.load_state_dict(state)) == "<All keys matched successfully>"
    assert net[0].weight.item() == 5
    assert list(state) == ["0.kernel", "0.bias"]  # the caller's own stays
    seen = []
    net[0].register_load_state_dict_pre_hook(lambda module, *given: seen.append((module, given[1])))
    net.load_state_dict(state)
    assert seen == [(net[0], "0.")]


def test_a_hook_after_loading_forgives():
    net = nn.Linear(1, 1)
    handle = net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    keys = net.load_state_dict({"weight": tg.full((1, 1), 2.0)})
    assert keys == ([], [])
    assert net.weight.item() == 2
    handle.remove()
    with pytest.raises(RuntimeError, match="Missing key"):
        net.load_state_dict({"weight": tg.zeros(1, 1)})
    assert net.weight.item() == 2  # nothing was written
    net.register_load_state_dict_post_hook(lambda m, keys: keys)
    with pytest.raises(RuntimeError, match="expected hooks to return None"):
        net.load_state_dict(net.state_dict())


def test_a_subclass_loads_its_part_in_its_own_way():
    class Old(nn.Linear):
        def _load_from_state_dict(self, state, prefix, *others):
            state.setdefault(prefix + "bias", tg.ones(2))
            super()._load_from_state_dict(state, prefix, *others)

        def _save_to_state_dict(self, destination, prefix, keep_vars):
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "version"] = tg.tensor(2)

    net = nn.Sequential(Old(2, 2))
    assert "0.version" in net.state_dict()
    net.load_state_dict({"0.weight": tg.zeros(2, 2)})
    assert net[0].bias.tolist() == [1, 1]


def test_loaded_tensors_are_taken_themselves():
    net, weight = nn.Linear(1, 1), tg.full((1, 1), 4.0)
    net.load_state_dict({"weight": weight, "bias": tg.zeros(1)}, assign=True)
    weight.zero_()
    assert net.weight.item() == 0
    assert net.weight.requires_grad


# ---- hooks of calls


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


def test_memory_for_other_processes():
    net = nn.BatchNorm1d(2).share_memory()
    assert all(tensor.is_shared() for tensor in (*net.parameters(), *net.buffers()))


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


def test_compile_changes_nothing():
    layer = nn.Linear(2, 2)
    x = tg.ones(1, 2)
    before = layer(x)
    assert layer.compile(fullgraph=True) is None
    assert layer(x).tolist() == before.tolist()
