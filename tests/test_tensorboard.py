"""What is written for TensorBoard, read back from its files."""

import importlib
import sys

import numpy as np
import pytest

import tensorgrad as tg


def test_tensorboard_says_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    monkeypatch.delitem(sys.modules, "tensorgrad.utils.tensorboard", raising=False)
    with pytest.raises(ImportError, match=r"expected the package tensorboardX, got none; install"):
        importlib.import_module("tensorgrad.utils.tensorboard")


class Scaled(tg.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = tg.nn.Sequential(tg.nn.Linear(4, 3), tg.nn.ReLU(), tg.nn.Dropout(0.9))

    def forward(self, x, scale):
        return self.body(x) * scale + x.sum()


def events_in(folder):
    """The messages of the one file of events there: each has its length before it, with a sum of 4
    bytes, and a sum of 4 bytes after it.
    """
    kind = importlib.import_module("tensorboardX.proto.event_pb2").Event
    (path,) = (path for path in folder.iterdir() if path.is_file())
    data, found = path.read_bytes(), []
    while data:
        length = int.from_bytes(data[:8], "little")
        found.append(kind.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return found


@pytest.fixture
def writer(tmp_path):
    pytest.importorskip("tensorboardX")
    with importlib.import_module("tensorgrad.utils.tensorboard").SummaryWriter(tmp_path) as made:
        yield made


def values_in(folder):
    """What each event says, by its tag, and its step."""
    found = {}
    for event in events_in(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value))
    return found


def test_scalars(writer, tmp_path):
    weight = tg.tensor(0.5, requires_grad=True)
    for step in range(2):
        writer.add_scalar("loss", weight * (step + 1), step)
    writer.add_scalars("both", {"a": tg.tensor(1), "b": 2.0}, 7)
    writer.close()
    assert writer.get_logdir() == str(tmp_path)
    found = [(step, value.simple_value) for step, value in values_in(tmp_path)["loss"]]
    assert found == [(0, 0.5), (1, 1.0)]
    for name, wanted in (("a", 1), ("b", 2)):
        ((step, value),) = values_in(tmp_path / "both" / name)["both"]
        assert (step, value.simple_value) == (7, wanted)


def test_histograms_images_and_texts(writer, tmp_path):
    values = tg.tensor([-1.0, 0.0, 2.0, 3.0], requires_grad=True)
    writer.add_histogram("weights", values, 3)
    writer.add_image("noise", tg.rand(3, 4, 5), 3)
    writer.add_images("several", tg.rand(2, 1, 4, 5), 3)
    writer.add_text("settings", "one layer", 3)
    writer.close()
    found = values_in(tmp_path)
    histogram = found["weights"][0][1].histo
    assert (histogram.min, histogram.max, histogram.num, histogram.sum) == (-1, 3, 4, 4)
    image = found["noise"][0][1].image
    assert (image.height, image.width, image.colorspace) == (4, 5, 3)
    assert image.encoded_image_string.startswith(b"\x89PNG")
    assert found["several"][0][1].image.width == 10
    (text,) = (value for tag, [(_, value)] in found.items() if tag.startswith("settings"))
    assert text.tensor.string_val == [b"one layer"]


def test_settings_and_what_they_reach(writer, tmp_path):
    reached = {"accuracy": tg.tensor(0.75), "loss": np.float32(0.5)}
    writer.add_hparams({"lr": 0.1, "net": "conv"}, reached, run_name="first", global_step=2)
    writer.close()
    found = values_in(tmp_path / "first")
    assert found["accuracy"][0][1].simple_value == 0.75
    assert any(tag.startswith("_hparams_") for tag in found)


def test_the_graph_that_tensorboard_draws(tmp_path, capsys):
    pytest.importorskip("tensorboardX")
    model = Scaled()
    with importlib.import_module("tensorgrad.utils.tensorboard").SummaryWriter(tmp_path) as writer:
        writer.add_graph(model, (tg.ones(2, 4), 3.0), verbose=True)
    assert "Scaled/body/0/weight" in capsys.readouterr().out
    assert all(module.training for module in model.modules())
    graph = importlib.import_module("tensorboardX.proto.graph_pb2").GraphDef()
    graph.ParseFromString(b"".join([event.graph_def for event in events_in(tmp_path)]))
    assert {node.name: (node.op, *node.input) for node in graph.node} == {
        "input_0": ("Tensor",),
        "Scaled/body/0/weight": ("Tensor",),
        "Scaled/body/0/bias": ("Tensor",),
        "Scaled/body/0/Linear": (
            "Linear", "input_0", "Scaled/body/0/weight", "Scaled/body/0/bias",
        ),
        "Scaled/body/1/Relu": ("Relu", "Scaled/body/0/Linear"),
        "Scaled/Mul": ("Mul", "Scaled/body/1/Relu"),
        "Scaled/Sum": ("Sum", "input_0"),
        "Scaled/Add": ("Add", "Scaled/Mul", "Scaled/Sum"),
    }  # fmt: skip
    sizes = {
        n.name: [d.size for d in n.attr["_output_shapes"].list.shape[0].dim] for n in graph.node
    }
    assert sizes["Scaled/body/0/weight"] == [3, 4]
    assert sizes["Scaled/Mul"] == [2, 3]
