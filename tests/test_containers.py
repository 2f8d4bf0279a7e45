"""Sequential, ModuleList, ModuleDict: lists and dicts of modules, in their states' order."""

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
