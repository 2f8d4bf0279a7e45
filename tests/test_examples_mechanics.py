"""Programs that show how nets learn: gradients, where they vanish, rules of descent, noise."""

import importlib
import re

import numpy as np
import pytest

import tensorgrad as tg
from tests.data_files import write_mnist
from tests.example_runs import run


def test_neuron(backend, tmp_path):
    figures = run("neuron", "--quick", "--hidden", "20", "15", folder=tmp_path)
    for what in ("slopes", "gradients", "costs"):
        assert figures[f"{what} apart"] < 1e-12, what
    assert figures["by hand"] == figures["by engine"] > 0.8
    # Both descents find the lowest point, about which no other is lower.
    assert figures["steep start"] == pytest.approx(figures["flat start"], abs=1e-6)
    neuron = importlib.import_module("neuron")
    w, b, cost = neuron.descend(*neuron.STARTS["steep"], steps=400, rate=4.0)[-1]
    around = neuron.neuron(w + np.array([0.1, -0.1, 0, 0]), b + np.array([0, 0, 0.1, -0.1]))[0]
    assert cost < around.min()


def test_the_formulas_of_backpropagation_are_slopes_of_the_cost():
    neuron = importlib.import_module("neuron")
    drawn = np.random.default_rng(0)
    weights = [drawn.normal(size=shape) for shape in ((4, 3), (5, 4), (2, 5))]
    biases = [drawn.normal(size=len(weight)) for weight in weights]
    x, y = drawn.normal(size=(6, 3)), drawn.random((6, 2))
    _, found = neuron.backpropagate(weights, biases, x, y)
    for array, gradient in zip((p for pair in zip(weights, biases) for p in pair), found):
        for place in np.ndindex(array.shape):
            costs = []
            for step in (1e-5, -2e-5):
                array[place] += step
                costs.append(neuron.backpropagate(weights, biases, x, y)[0])
            array[place] += 1e-5
            assert (costs[0] - costs[1]) / 2e-5 == pytest.approx(gradient[place], abs=1e-9)


def test_both_nets_go_on_where_they_were_broken_off(tmp_path, capsys):
    kept = ["--checkpoint", str(tmp_path / "kept.st")]
    run("neuron", "--epochs", "1", *kept, folder=tmp_path)
    resumed = run("neuron", "--epochs", "2", *kept, folder=tmp_path)
    assert capsys.readouterr().out.count("resumed behind epoch 1") == 2
    assert run("neuron", "--epochs", "2", folder=tmp_path) == resumed


def test_the_net_by_hand_reads_mnist_files(tmp_path):
    images = np.zeros((40, 28, 28), np.uint8)
    images[::2, 14:] = 255
    for part in ("train", "t10k"):
        write_mnist(tmp_path, images, np.arange(40, dtype=np.uint8) % 2, part)
    options = ["--data", str(tmp_path), "--epochs", "3"]
    assert run("neuron", *options, folder=tmp_path)["by hand"] == 1


def test_vanishing(backend, tmp_path, capsys):
    found = run("vanishing", "--quick", folder=tmp_path)
    ratio = {name: by_depth[16] for name, by_depth in found["ratio"].items()}
    share = {name: by_depth[16] for name, by_depth in found["accuracy"].items()}
    # Fifteen layers, each with slopes of at most 1/4.
    assert ratio["sigmoid"] < 0.25**15
    assert ratio["ReLU, twice He's weights"] > 1e3
    for name in ("ReLU, He's weights", "sigmoid, residual", "sigmoid, batch norm"):
        assert 0.1 < ratio[name] < 10
    assert share["sigmoid"] < 0.2
    assert min(share["sigmoid, batch norm"], share["ReLU, layer norm, residual"]) > 0.7
    # The state of 60 steps ago.
    assert found["lags"]["RNN"][60] < 1e-15
    assert found["lags"]["LSTM: c"][60] < 1e-9
    assert found["lags"]["LSTM, open gates: c"][60] > 0.1
    assert {len(norms) for norms in found["lags"].values()} == {61}
    assert "|dC/da| of the first layer" in capsys.readouterr().out


def test_slopes_of_the_state_are_those_of_the_loss():
    """A step of time whose weights are 1/2 halves the slope."""
    vanishing = importlib.import_module("vanishing")

    def halve(cell, steps):
        tg.nn.init.eye_(cell.weight_hh).mul_(0.5)
        tg.nn.init.constant_(cell.bias_ih, 9.0)  # ReLU lets all through

    vanishing.CELLS["half"] = (vanishing.CELLS["RNN of ReLU, identity"][0], halve)
    try:
        (norms,) = vanishing.lag_norms("half", 5).values()
    finally:
        del vanishing.CELLS["half"]
    assert norms == pytest.approx([1, 1 / 2, 1 / 4, 1 / 8, 1 / 16])
    ours, library = vanishing.LSTMCell(3, 4), tg.nn.LSTMCell(3, 4)
    ours.load_state_dict(library.state_dict())
    x, state = tg.randn(2, 3), (tg.randn(2, 4), tg.randn(2, 4))
    tg.testing.assert_close(ours(x), library(x))
    tg.testing.assert_close(ours(x, state), library(x, state))


def test_optimizers(backend, tmp_path, capsys):
    figures = run("optimizers", "--quick", folder=tmp_path)
    valley = figures.pop("valley")
    assert valley["SGD"] > 5 * valley["Nesterov"]
    assert valley["RMSprop, PyTorch's"] == pytest.approx(valley["RMSprop, the lecture's"], rel=0.1)
    assert figures.keys() == {"perceptron", "convolutional net"}
    for net, rules in figures.items():
        assert all(figure["loss"] < 0.8 for figure in rules.values()), net  # of log 10 = 2.3
        assert all(figure["accuracy"] > 0.75 for figure in rules.values()), net
        assert rules["Nesterov"]["loss"] < rules["SGD"]["loss"]
    assert "perceptron  rate    loss  held-out digits right, %" in capsys.readouterr().out


def test_the_two_rules_of_rmsprop_part_where_gradients_are_small():
    optimizers = importlib.import_module("optimizers")
    gradients = np.array([1e-1, 1e-6, 1e-8])
    pytorch = optimizers.step_sizes("RMSprop, PyTorch's", gradients)
    lecture = optimizers.step_sizes("RMSprop, the lecture's", gradients)
    assert pytorch == pytest.approx([1, 1 / 1.01, 1 / 2], rel=1e-6)
    assert lecture == pytest.approx([1, 1e-2, 1e-4], rel=1e-4)


def test_each_rule_learns_at_its_best_rate(tmp_path, monkeypatch, capsys):
    optimizers = importlib.import_module("optimizers")
    rules = {name: optimizers.RULES[name] for name in ("SGD", "RMSprop, PyTorch's")}
    rules = {name: rule._replace(rates=(1e-6, 0.3, 1e9)) for name, rule in rules.items()}
    monkeypatch.setattr(optimizers, "RULES", rules)
    monkeypatch.setattr(optimizers, "NETS", {"net": optimizers.perceptron})
    options = ["--epochs", "2", "--seeds", "2"]
    figures = run("optimizers", *options, folder=tmp_path)
    assert figures["net"]["SGD"]["rate"] == 0.3
    assert re.search(r"SGD +0.3 +\d\.\d{4} ± \d\.\d{4} +\d\d\.\d ± ", capsys.readouterr().out)
    kept = ["--checkpoint", str(tmp_path / "kept.st")]
    run("optimizers", "--epochs", "1", "--seeds", "2", *kept, folder=tmp_path)
    assert run("optimizers", *options, *kept, folder=tmp_path) == figures


def test_overfitting(backend, tmp_path, capsys):
    figures = run("overfitting", "--quick", folder=tmp_path)
    nothing = figures["nothing"]
    # It knows all labels by heart, the wrong ones too, and reads other digits worse for it.
    assert nothing["learnt"] > 0.98
    assert nothing["training"] < 0.1 < 0.5 < nothing["validation"]
    assert figures["augmentation"]["tested"] > nothing["tested"] > 0.6
    for name in ("augmentation", "early stopping", "input noise"):
        assert figures[name]["validation"] < nothing["validation"], name
    assert re.search(r"nothing +0.0\d ± 0.\d\d .* \d\d.\d% ± ", capsys.readouterr().out)


def test_l2_is_decay_of_the_weights():
    overfitting = importlib.import_module("overfitting")
    x, found = tg.randn(5, 3), []
    for strength, decay in ((0.5, 0.0), (0.0, 0.5 / 50)):
        tg.manual_seed(1)
        model = tg.nn.Linear(3, 2)
        groups = [{"params": [model.weight], "weight_decay": decay}, {"params": [model.bias]}]
        (model(x).square().mean() + overfitting.l2(model, strength, 50)).backward()
        tg.optim.SGD(groups, lr=0.1).step()
        found.append(model)
    tg.testing.assert_close(found[0].weight, found[1].weight)
    tg.testing.assert_close(found[0].bias, found[1].bias)


def test_images_are_moved_and_labels_are_wrong_as_much_as_is_asked_for():
    overfitting = importlib.import_module("overfitting")
    images, labels = map(tg.tensor, tg.datasets.digits())
    tg.testing.assert_close(overfitting.moved(images[:9], 0.0), images[:9], atol=1e-5, rtol=0)
    changed = overfitting.moved(images[:9], 15.0)
    assert changed.shape == images[:9].shape
    # A digit stays more like itself than like the others.
    apart = ((changed[:, None] - images[:9]) ** 2).sum((2, 3, 4))
    assert apart.argmin(1).tolist() == list(range(9))
    assert apart.diagonal().min().item() > 0.01
    wrong = overfitting.with_wrong_labels(labels, 0.3)
    assert (wrong != labels).sum().item() == round(0.3 * len(labels))
    assert 0 <= wrong.min().item() <= wrong.max().item() <= 9


def test_stopping_early_goes_on_too(tmp_path, monkeypatch):
    overfitting = importlib.import_module("overfitting")
    ways = {"early": overfitting.Way(dropout=0.2, noise=0.1, patience=2)}
    monkeypatch.setattr(overfitting, "WAYS", ways)
    options = ["--seeds", "1", "--examples", "40", "--rate", "0.01"]
    kept = ["--checkpoint", str(tmp_path / "kept.st")]
    whole = run("overfitting", *options, "--epochs", "30", folder=tmp_path)
    run("overfitting", *options, *kept, "--epochs", "4", folder=tmp_path)
    assert run("overfitting", *options, *kept, "--epochs", "30", folder=tmp_path) == whole
    with pytest.raises(SystemExit, match="expected at most 1437 digits, got 1038 and 400"):
        run("overfitting", "--examples", "1038", folder=tmp_path)
    with pytest.raises(SystemExit, match=r"--wrong: expected a share between 0 and 1, got 2\.0"):
        run("overfitting", "--wrong", "2", folder=tmp_path)


@pytest.mark.parametrize("name", ["neuron", "vanishing", "optimizers", "overfitting"])
@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", ""])
def test_what_is_counted_is_a_whole_number_above_0(name, value, capsys):
    with pytest.raises(SystemExit):
        importlib.import_module(name).main([f"--epochs={value}"])
    sentence = f"argument --epochs: expected a whole number above 0, got {value!r}\n"
    assert capsys.readouterr().err.endswith(sentence)


def test_a_program_stops_where_it_gets_no_better(tmp_path):
    program = importlib.import_module("program")
    accuracies = [0.5, 0.9, 0.1, 0.9, 0.8, 0.7, 1.0]

    def trained(epochs, *kept):
        options = program.options_of("doc", epochs).parse_args([*kept])
        model = tg.nn.Linear(1, 1)
        return program.fit(
            options, model, tg.optim.SGD(model.parameters()), [tg.ones(2, 1)],
            lambda x: model(x).mean(), size_of=len, unit="rows", patience=2, title="learns",
            after_epoch=lambda epoch: {"accuracy": accuracies[epoch]},
            best=lambda figures: figures["accuracy"],
        )  # fmt: skip

    assert [epoch["accuracy"] for epoch in trained(7)] == accuracies[:6]
    kept = "--checkpoint", str(tmp_path / "kept.st")
    assert len(trained(5, *kept)) == 5
    assert len(trained(7, *kept)) == len(trained(7, *kept)) == 6
