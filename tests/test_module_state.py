"""A module's state: names, loading, hooks around it, and extra state."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tests.module_samples import Net


def test_state_dict_names_shapes_and_memory():
    net = Net()
    state = net.state_dict()
    assert list(state) == [
        "first.weight",
        "first.bias",
        "scale.factor",
        "scale.count",
        "body.0.weight",
        "body.0.bias",
        "tied.weight",
        "tied.bias",
    ]
    assert not state["first.weight"].requires_grad
    assert net.state_dict(keep_vars=True)["first.weight"] is net.first.weight
    assert list(net.body.state_dict(prefix="body.")) == ["body.0.weight", "body.0.bias"]
    with tg.no_grad():
        net.first.bias.fill_(7)
    assert state["first.bias"].tolist() == [7] * 4


def test_load_state_dict_copies(backend):
    source, target = Net(), Net().double()
    weight = target.first.weight
    result = target.load_state_dict(source.state_dict())
    assert result.missing_keys == result.unexpected_keys == []
    assert repr(result) == "<All keys matched successfully>"
    assert target.first.weight is weight
    assert weight.dtype == tg.float64
    assert weight.requires_grad
    assert not np.shares_memory(weight.detach().numpy(), source.first.weight.detach().numpy())
    x = tg.ones(2, 3)
    np.testing.assert_allclose(
        target(x.double()).detach().numpy(), source(x).detach().numpy(), rtol=1e-5
    )


def test_a_failed_load_reports_all_and_writes_nothing():
    net = Net()
    before = {key: value.tolist() for key, value in net.state_dict().items()}
    wrong = {key: value.clone() + 1 for key, value in net.state_dict().items()}
    del wrong["first.bias"]
    wrong["extra"] = tg.ones(1)
    wrong["scale.factor"] = tg.ones(3)
    wrong["body.0.bias"] = [1, 2, 3, 4]
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(wrong)
    text = str(caught.value)
    for part in (
        "load_state_dict: expected the state of Net",
        "Missing key(s) in state_dict: 'first.bias'",
        "Unexpected key(s) in state_dict: 'extra'",
        "size mismatch for scale.factor: expected shape [], got [3]",
        "body.0.bias: expected a tensor, got list",
    ):
        assert part in text
    assert {key: value.tolist() for key, value in net.state_dict().items()} == before
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict(wrong, strict=False)
    assert {key: value.tolist() for key, value in net.state_dict().items()} == before


def test_non_strict_load_takes_what_fits():
    net = nn.Linear(2, 2)
    result = net.load_state_dict({"bias": tg.tensor([5.0, 6.0]), "extra": tg.ones(1)}, strict=False)
    assert result == (["weight"], ["extra"])
    assert net.bias.tolist() == [5, 6]


def test_load_with_assign_takes_the_tensors_themselves():
    net = nn.Linear(2, 2)
    given = {"weight": tg.ones(2, 2, dtype=tg.float64), "bias": tg.ones(2, dtype=tg.float64)}
    net.load_state_dict(given, assign=True)
    assert isinstance(net.weight, nn.Parameter)
    assert net.weight.dtype == tg.float64
    assert np.shares_memory(net.weight.detach().numpy(), given["weight"].numpy())


def test_a_load_is_noticed_by_a_graph_that_saved_the_old_values():
    net = nn.Linear(2, 2)
    out = net(tg.ones(1, 2, requires_grad=True)).sum()
    net.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


# ---- extra state and hooks


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
