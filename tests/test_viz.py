"""Pictures: the text of a graph, which needs nothing, what dot makes of it, and learning curves."""

import math
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

import tensorgrad as tg
from tensorgrad import nn


@pytest.fixture
def dot():
    """Graphviz's program, without which the checks on a server fail."""
    if shutil.which("dot") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("expected Graphviz's program dot, got none")
        pytest.skip("needs Graphviz's program dot")


def boxes(drawing):
    """The lines in each box, by the box's name."""
    found = re.findall(r'^  (\w+) \[label="(.*?)"[,\]]', drawing.source, re.MULTILINE)
    return {name: label.split("\\n") for name, label in found}


def arrows(drawing):
    """Pairs of the first lines of the boxes that arrows join."""
    label = {name: lines[0] for name, lines in boxes(drawing).items()}
    pairs = re.findall(r"^  (\w+) -> (\w+)(.*)$", drawing.source, re.MULTILINE)
    return {(label[start], label[end]) for start, end, look in pairs if "dashed" not in look}


def model_and_loss():
    model = nn.Linear(3, 2)
    return model, (model(tg.ones(4, 3)) ** 2).mean()


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_a_graph_names_ops_shapes_dtypes_and_parameters(backend):
    with tg.use_backend(backend):
        model, loss = model_and_loss()
        drawing = tg.viz.graph(loss, params=dict(model.named_parameters()))
    assert list(boxes(drawing).values()) == [
        ["weight", "[2, 3] float32"],
        ["bias", "[2] float32"],
        ["linear", "[4, 2] float32"],
        ["pow", "[4, 2] float32"],
        ["mean", "[] float32"],
        ["output", "[] float32"],
    ]
    assert arrows(drawing) == {
        ("weight", "linear"),
        ("bias", "linear"),
        ("linear", "pow"),
        ("pow", "mean"),
        ("mean", "output"),
    }


def test_dtypes_follow_casts_and_stay_away_where_nothing_tells():
    x = tg.ones(2, requires_grad=True)
    drawing = tg.viz.graph(tg.exp(x * 2).double() * 3)
    assert list(boxes(drawing).values()) == [
        ["tensor", "[2] float32"],
        ["mul", "[2] float32"],
        ["exp", "[2] float32"],
        ["cast", "[2] float64"],
        ["mul", "[2] float64"],
        ["output", "[2] float64"],
    ]
    z = tg.complex(x * 1, x * 2)
    found = boxes(tg.viz.graph(tg.view_as_real(z * 2))).values()
    assert ["view_as_real", "[2, 2] float32"] in found
    assert ["mul", "[2]"] in found


def test_several_outputs_and_ops_with_several():
    x = tg.tensor([[2.0, 0.0], [0.0, 3.0]], requires_grad=True)
    low, high = tg.linalg.eigh(x)
    drawing = tg.viz.graph({"ends": [low, high], "sum": x.sum()})
    titles = [lines[0] for lines in boxes(drawing).values()]
    assert titles[-3:] == ["ends.0", "ends.1", "sum"]
    assert {("eigh", "ends.0"), ("eigh", "ends.1"), ("sum", "sum")} <= arrows(drawing)
    (eigh,) = (lines for lines in boxes(drawing).values() if lines[0] == "eigh")
    assert len(eigh) == 3


def test_functions_of_users_have_their_names():
    class Same(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 1

        @staticmethod
        def backward(ctx, g):
            return g

    drawing = tg.viz.graph(Same.apply(tg.exp(tg.ones(2, requires_grad=True))), show_saved=True)
    assert ("exp", "SameBackward") in arrows(drawing)
    assert ["saved_tensors[0]", "[2] float32"] in boxes(drawing).values()


def test_what_is_saved_on_demand():
    x, w = tg.ones(2, 5), tg.ones(5, 3, requires_grad=True)
    y = tg.exp(x @ w)
    assert ["result", "[2, 3] float32"] not in boxes(tg.viz.graph(y)).values()
    drawing = tg.viz.graph(y, show_saved=True)
    assert ["result", "[2, 3] float32"] in boxes(drawing).values()
    assert any(lines[1] == "[2, 5] float32" for lines in boxes(drawing).values())
    assert drawing.source.count("style=dashed") == 2
    y.sum().backward()
    assert "dashed" not in tg.viz.graph(y, show_saved=True).source


def test_names_that_dot_would_read(dot, tmp_path):
    x = tg.ones(2, requires_grad=True)
    drawing = tg.viz.graph(x.exp(), params={'a "b" \\ <c> [d]': x})
    assert 'label="a \\"b\\" \\\\ <c> [d]\\n[2] float32"' in drawing.source
    text = drawing.render(tmp_path / "graph.svg").read_text()
    assert "a &quot;b&quot; \\ &lt;c&gt; [d]" in text


def test_what_cannot_be_drawn():
    with pytest.raises(tg.GraphError, match="expected a tensor that was computed from one that re"):
        tg.viz.graph(tg.ones(2))
    with pytest.raises(tg.GraphError, match="got no tensor"):
        tg.viz.graph([])
    with pytest.raises(TypeError, match=r"expected a tensor, or several .*, got int"):
        tg.viz.graph([3])
    x = tg.ones(2, requires_grad=True)
    for _ in range(20):
        x = x * 2
    with pytest.raises(tg.GraphError, match=r"expected at most 20 nodes, got more; draw"):
        tg.viz.graph(x, max_nodes=20)
    assert len(boxes(tg.viz.graph(x, max_nodes=21))) == 22
    with pytest.raises(ValueError, match=r"ends in one of .svg, .png, .pdf, .dot, got 'x.jpg'"):
        tg.viz.graph(x).render("x.jpg")


def test_files_and_notebooks(dot, tmp_path):
    drawing = tg.viz.graph(model_and_loss()[1])
    begins = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph"}
    for kind, start in begins.items():
        path = drawing.render(tmp_path / f"graph.{kind}")
        assert path.read_bytes().startswith(start)
    shown = drawing._repr_mimebundle_()
    assert shown.keys() == {"image/svg+xml"}
    assert "linear" in shown["image/svg+xml"]


def test_text_that_dot_refuses(dot, tmp_path):
    with pytest.raises(RuntimeError, match=r"expected dot to draw the graph, got: .*syntax error"):
        tg.viz.Drawing("digraph {").render(tmp_path / "graph.svg")


def test_without_graphviz(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    drawing = tg.viz.graph(model_and_loss()[1])
    assert drawing.render(tmp_path / "graph.dot").read_text() == drawing.source
    with pytest.raises(FileNotFoundError, match="expected Graphviz's program dot, got none; inst"):
        drawing.render(tmp_path / "graph.svg")
    shown = drawing._repr_mimebundle_()["text/plain"]
    assert "install Graphviz" in shown
    assert drawing.source in shown


def test_the_picture_in_the_readme_shows_what_is_recorded():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 10))
    with tg.use_backend("numba"):
        loss = nn.functional.cross_entropy(model(tg.ones(64, 8, 8)), tg.zeros(64, dtype=tg.int64))
    recorded = boxes(tg.viz.graph(loss, params=dict(model.named_parameters()))).values()
    picture = Path(__file__).resolve().parents[1] / "examples" / "graph.svg"
    words = re.findall(r"<text.*?>(.*?)</text>", picture.read_text(encoding="utf-8"))
    assert sorted(words) == sorted(line for lines in recorded for line in lines)


# ---- learning curves


EPOCHS = [{"loss": 2.0, "val_loss": 3.0, "accuracy": 0.5}, {"loss": 1.0, "val_loss": 2.5}]


def lines(axes):
    return {line.get_label(): [*line.get_ydata()] for line in axes.get_lines()}


def test_a_run_as_epochs_and_as_lists():
    pytest.importorskip("matplotlib")
    loss, accuracy = tg.viz.history(EPOCHS).axes
    assert (loss.get_title(), accuracy.get_title()) == ("loss", "accuracy")
    assert [*loss.get_lines()[0].get_xdata()] == [1, 2]
    assert lines(loss) == {"loss": [2, 1], "val": [3, 2.5]}
    (points,) = lines(accuracy).values()
    assert points[0] == 0.5
    assert math.isnan(points[1])
    by_lists = {"loss": [2.0, 1.0], "val_loss": [3.0, 2.5]}
    (axes,) = tg.viz.history(by_lists).axes
    assert [*lines(axes).values()] == [[2, 1], [3, 2.5]]


def test_several_runs_share_panels():
    pytest.importorskip("matplotlib")
    runs = {"Adam": EPOCHS, "SGD": {"loss": [2.0, 1.5, 1.25]}}
    (axes,) = tg.viz.history(runs, names=["loss"]).axes
    assert lines(axes) == {"Adam": [2, 1], "SGD": [2, 1.5, 1.25]}
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["Adam", "SGD"]
    first, second = axes.get_lines()
    assert first.get_color() != second.get_color()


def test_smoothing_is_unbiased_and_passes_over_what_is_not_finite():
    pytest.importorskip("matplotlib")
    (axes,) = tg.viz.history({"loss": [4.0, math.nan, 1.0]}, smoothing=0.5).axes
    raw, smooth = axes.get_lines()
    assert raw.get_alpha() < 1
    found = [*smooth.get_ydata()]
    assert found[0] == 4
    assert math.isnan(found[1])
    assert found[2] == pytest.approx((0.25 * 4 + 0.5 * 1) / 0.75)


def test_curves_show_themselves_in_a_notebook():
    pytest.importorskip("matplotlib")
    assert tg.viz.history(EPOCHS)._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "runs", [[], {}, 3, {"loss": 3.0}, {"loss": []}, [1, 2], "ab", {"a": [{}]}]
)
def test_what_is_no_history(runs):
    pytest.importorskip("matplotlib")
    with pytest.raises(ValueError, match="history: expected a list with a dict for each epoch"):
        tg.viz.history(runs)


def test_numbers_and_names_that_are_none():
    pytest.importorskip("matplotlib")
    with pytest.raises(TypeError, match="expected numbers as 'loss', got str"):
        tg.viz.history([{"loss": "low"}])
    with pytest.raises(ValueError, match=r"expected names among \['loss'\], got 'accuracy'"):
        tg.viz.history([{"loss": 1.0}], names=["accuracy"])
    with pytest.raises(ValueError, match="expected smoothing from 0 to below 1, got 1"):
        tg.viz.history([{"loss": 1.0}], smoothing=1)


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    monkeypatch.delitem(sys.modules, "tensorgrad.viz.curves", raising=False)
    monkeypatch.delattr(tg.viz, "curves", raising=False)
    with pytest.raises(ImportError, match="expected the package matplotlib, got none; install it"):
        tg.viz.history(EPOCHS)
