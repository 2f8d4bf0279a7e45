"""Sequential, ModuleList, ModuleDict: lists and dicts of modules, in their states' order."""

import pytest

import tensorgrad as tg
from tensorgrad import nn


def test_rounds_of_a_sequential():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.ReLU()) * 2
    assert len(net) == 4
    assert net[0] is net[2] is layer
    assert len(list(net.parameters())) == 2
    assert len(3 * nn.Sequential(layer)) == 3
    net *= 2
    assert [name for name, _ in net.named_children()] == ["0", "1"]
    assert len(net) == 8


def test_sequential_is_a_list_that_runs():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert len(net) == 3
    assert net[-1] is list(net)[2]
    assert list(net[1:].state_dict()) == ["2.weight", "2.bias"]
    assert net[1:](tg.ones(1, 3)).shape == (1, 1)
    net[1] = nn.Tanh()
    net.append(nn.Sigmoid())
    net.insert(0, nn.Identity())
    names = [type(module).__name__ for module in net]
    assert names == ["Identity", "Linear", "Tanh", "Linear", "Sigmoid"]
    del net[0]
    assert list(net.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert isinstance(net.pop(), nn.Sigmoid)
    named = nn.Sequential({"up": nn.Linear(1, 2), "down": nn.Linear(2, 1)})
    assert list(named.state_dict()) == ["up.weight", "up.bias", "down.weight", "down.bias"]
    assert named(tg.ones(1, 1)).shape == (1, 1)
    with pytest.raises(IndexError, match=r"expected an index in \[-2, 2\), got 2"):
        named[2]


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(1, 1)])
    layers += [nn.ReLU(), nn.Linear(1, 2)]
    assert [len(layers), len(layers[1:]), len(layers + [nn.Tanh()])] == [3, 2, 4]
    assert layers[1] in layers
    assert list(layers.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    table = nn.ModuleDict({"a": nn.Linear(1, 1)})
    table["b"] = nn.ReLU()
    assert list(table) == list(table.keys()) == ["a", "b"]
    assert "b" in table
    assert isinstance(table.pop("b"), nn.ReLU)
    assert list(table.state_dict()) == ["a.weight", "a.bias"]
    with pytest.raises(KeyError):
        table["b"]
