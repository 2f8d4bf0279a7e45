"""Programs that show how nets learn: gradients, where they vanish, rules of descent, noise."""

import importlib

import numpy as np
import pytest

import tensorgrad as tg
from tests.data_files import write_mnist
from tests.example_runs import run


def test_neuron(backend, tmp_path):
    figures = run("neuron", "--quick", "--hidden", "20", "15", folder=tmp_path)
    assert figures["gradients apart"] < 1e-12
    assert figures["costs apart"] < 1e-12
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
    with pytest.raises(SystemExit, match="--hidden: expected at least 1 neuron a layer, got"):
        run("neuron", *options, "--hidden", "0", folder=tmp_path)


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
