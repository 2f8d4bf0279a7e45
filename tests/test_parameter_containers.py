"""ParameterList and ParameterDict, which hold values of other kinds beside parameters."""

import copy

import pytest

import tensorgrad as tg
from tensorgrad import nn


def test_a_list_of_several_kinds():
    held = nn.ParameterList([tg.ones(2), "text", 3, nn.Parameter(tg.zeros(1))])
    assert [type(value).__name__ for value in held] == ["Tensor", "str", "int", "Tensor"]
    assert [name for name, _ in held.named_parameters()] == ["0", "3"]
    assert isinstance(held[0], nn.Parameter)
    assert held[-1] is held[3]
    assert list(held.state_dict()) == ["0", "3"]
    assert repr(held) == (
        "ParameterList(\n"
        "  (0): Parameter containing: [float32 of size 2]\n"
        "  (1): Object of type: str\n"
        "  (2): Object of type: int\n"
        "  (3): Parameter containing: [float32 of size 1]\n"
        ")"
    )
    held[1] = None
    held.append(4)
    assert list(held)[1:3] + [held[4]] == [None, 3, 4]
    assert len(held[1:3]) == 2
    assert held.pop() == 4
    assert len(held) == len(copy.deepcopy(held)) == 4
    with pytest.raises(RuntimeError, match="ParameterList: expected to be read, got a call"):
        held(1)
    with pytest.raises(TypeError, match="expected an iterable of values, got Tensor"):
        held.extend(tg.ones(2))
    with pytest.raises(IndexError, match=r"expected an index in \[-4, 4\), got 4"):
        held[4]


def test_a_dict_of_several_kinds():
    held = nn.ParameterDict({"b": 1, "a": tg.ones(2), "none": None})
    assert list(held) == held.keys() == ["b", "a", "none"]
    assert [name for name, _ in held.named_parameters()] == ["a"]
    held["b"] = "other"
    assert held.items()[0] == ("b", "other")
    assert "none" in held
    assert held.pop("none") is None
    assert held.get("none", 5) == 5
    held |= nn.ParameterDict({"c": 7})
    assert held.popitem() == ("c", 7)
    assert len(copy.deepcopy(held)) == 2
    with pytest.raises(TypeError, match="expected keys to be strings, got 3"):
        held[3] = tg.ones(1)
    with pytest.raises(KeyError):
        held["c"]
    held.clear()
    assert len(held) == 0
    assert list(held.parameters()) == []


def test_parameter_dict_as_a_dict():
    table = nn.ParameterDict({"a": tg.ones(1)})
    assert table.get("b") is None
    assert table.setdefault("b", tg.zeros(2)) is table["b"]
    assert isinstance(table["b"], nn.Parameter)
    assert list(reversed(table)) == ["b", "a"]
    twin = table.copy()
    assert twin["a"] is table["a"]
    assert twin.popitem()[0] == "b"
    assert list(twin) == ["a"]
    other = nn.ParameterDict({"a": tg.full((1,), 5.0), "c": tg.ones(3)})
    assert list(table | other) == ["a", "b", "c"]
    assert (table | other)["a"].tolist() == [5]
    table |= other
    assert sorted(table.state_dict()) == ["a", "b", "c"]
    assert list(nn.ParameterDict.fromkeys(["x", "y"])) == ["x", "y"]


def test_parameter_list_and_dict():
    several = nn.ParameterList([tg.ones(2), nn.Parameter(tg.ones(3))])
    assert [p.requires_grad for p in several] == [True, True]
    assert list(several.state_dict()) == ["0", "1"]
    table = nn.ParameterDict({"w": tg.ones(2)})
    table.update({"b": tg.zeros(1)})
    assert [name for name, _ in table.named_parameters()] == ["w", "b"]
    assert isinstance(table["w"], nn.Parameter)
