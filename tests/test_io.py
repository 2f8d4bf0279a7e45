"""Saving and loading: values, sharing, modules, other programs' files, and what is refused."""

import io
import math
from collections import Counter, OrderedDict

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import SerializationError
from tests.saving import DTYPES, damaged_structure, same, through

VALUES = {
    "numbers": [1, -(10**30), 0.1, math.inf, -math.inf, math.nan, -0.0, True, None, 3 - 2j],
    "text": {"a": 'ü\n"\\', "": "", "b.c": [b"\x00\xff", ""]},
    "containers": ((), [], {}, {1: "one", None: 2, (1, "a"): {3}}, {frozenset({1}), 2}),
    "ordered": OrderedDict(b=1, a=2),
    "counter": Counter("abracadabra"),
    "dtypes": [np.dtype("float32"), tg.device("cpu")],
    "arrays": [np.arange(6).reshape(2, 3)[:, ::2], np.float32(1.5), np.array("x" == "x")],
}


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back(name):
    same(through(VALUES[name]), VALUES[name])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3)])
def test_tensors_come_back(dtype, shape):
    tensor = tg.ones(shape).to(getattr(tg, dtype))
    back = through({"x": tensor, "y": [tensor * 0]})
    same(back, {"x": tensor, "y": [tensor * 0]})
    back["x"].zero_()  # its own memory, and writable


def test_layouts_come_back_as_values():
    base = tg.arange(24.0).reshape(4, 6)
    for view in (base.t(), base[:, 1::2], base[1].expand(3, 6)):
        same(through(view), view.contiguous())


def test_a_tensor_twice_stays_one():
    weight = tg.randn(3, requires_grad=True)
    back = through({"encoder": weight, "decoder": [weight, weight.detach().clone()]})
    assert back["encoder"] is back["decoder"][0]
    assert back["encoder"] is not back["decoder"][1]
    assert back["encoder"].requires_grad


def test_a_result_is_saved_as_its_values():
    x = tg.ones(2, requires_grad=True)
    back = through(x * 3)
    assert back.tolist() == [3.0, 3.0]


def test_a_state_dict_is_a_plain_safetensors_file(tmp_path):
    from safetensors.numpy import load_file

    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    path = tmp_path / "model.safetensors"
    tg.save(model.state_dict(), path)
    found = load_file(path)
    assert set(found) == set(model.state_dict())
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
    back = tg.load(path)
    assert list(back) == list(model.state_dict())
    assert str(model.load_state_dict(back)) == "<All keys matched successfully>"


def test_any_safetensors_file_loads(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.arange(3), "b": np.ones((2, 1), "float16")}, tmp_path / "x", {"made": "by"})
    same(
        tg.load(tmp_path / "x"),
        {"a": tg.arange(3), "b": tg.ones(2, 1, dtype=tg.float16)},
    )


def test_numpy_files_load(tmp_path):
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.eye(3)),
        "z": np.array(1),
    }
    arrays["big"] = np.arange(3, dtype=">i4")
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "x.npz", **arrays)
        found = tg.load(tmp_path / "x.npz")
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name].numpy(), array)


# ---- modules


class Net(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, hidden), nn.LSTM(hidden, 3)])
        self.head = nn.Linear(3, 1, bias=False)
        self.register_buffer("mask", tg.ones(3), persistent=False)
        self.sizes = (2, hidden)
        self.tied = self.head.weight

    def forward(self, x):
        return self.head(self.layers[1](self.layers[0](x))[0] * self.mask)


def test_whole_modules_come_back():
    model = Net(4).eval()
    back = through(model, weights_only=False)
    x = tg.randn(5, 1, 2)
    assert bool((back(x) == model(x)).all())
    assert repr(back) == repr(model)
    assert back.sizes == (2, 4)
    assert not back.training
    assert back.tied is back.head.weight
    assert [n for n, _ in back.named_parameters()] == [n for n, _ in model.named_parameters()]
    assert list(back.state_dict()) == list(model.state_dict())
    assert all(p.requires_grad for p in back.parameters())


def test_a_module_is_refused_unless_asked_for():
    with pytest.raises(SerializationError, match="weights_only=False"):
        through(nn.Linear(1, 1))


def test_only_modules_that_are_imported_are_made():
    file = io.BytesIO()
    tg.save(nn.Linear(1, 1), file)
    for wanted in ("os:system", "tensorgrad.nn.linear:Missing", "subprocess:Popen"):
        bad = damaged_structure(file.getvalue(), "tensorgrad.nn.linear:Linear", wanted)
        with pytest.raises(SerializationError, match="expected the class of a module"):
            tg.load(io.BytesIO(bad), weights_only=False)


# ---- what is refused


@pytest.mark.parametrize(
    "value",
    [object(), through, {"a": [through]}, np.array([None]), nn.Module, range(3)],
    ids=["object", "function", "nested", "objects", "class", "range"],
)
def test_what_has_no_place_in_a_file(value):
    with pytest.raises(SerializationError, match="save: expected"):
        tg.save(value, io.BytesIO())


def test_cycles_are_refused():
    value = []
    value.append({"again": value})
    with pytest.raises(SerializationError, match="without cycles"):
        tg.save(value, io.BytesIO())


def test_a_file_of_text_is_refused():
    with pytest.raises(SerializationError, match="binary"):
        tg.load(io.StringIO("x"))
    with pytest.raises(TypeError, match="load: expected a path or a file"):
        tg.load(3)


# ---- devices


def test_map_location():
    tensor = tg.ones(2)
    keep = [lambda storage, location: storage, lambda storage, location: None]
    for place in ("cpu", tg.device("cpu"), {"cpu": "cpu"}, *keep):
        same(through(tensor, map_location=place), tensor)
    file = io.BytesIO()
    tg.save({"x": tensor}, file)
    data = damaged_structure(
        file.getvalue(), '{"tensor":"x"}', '{"tensor":["x",{"device":"cuda:0"}]}'
    )
    same(tg.load(io.BytesIO(data)), {"x": tensor})  # no GPU here: the CPU takes its place
    same(tg.load(io.BytesIO(data), map_location={"cuda:0": "cpu"}), {"x": tensor})
