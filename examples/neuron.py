"""One sigmoid neuron, and a net of them: backpropagation by hand, held against the engine.

The neuron a = sigmoid(w x + b) goes down its error surface C(w, b) from two places. Where it is
surely wrong, sigmoid' is nearly 0 and the surface nearly flat, so that it learns slowly at first.
The net reads digits: its gradients are the four formulas of backpropagation in NumPy, and are
compared with the engine's. Then it learns twice, from the same weights and in the same order.

    python examples/neuron.py
    python examples/neuron.py --data mnist --epochs 10

--data is a folder with the four files of MNIST (https://ossci-datasets.s3.amazonaws.com/mnist);
without it the bundled digits of 8x8 are read. --hidden 40 20 makes two hidden layers.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import numpy as np

import program
import tensorgrad as tg
from tensorgrad import nn

# What the neuron is to tell apart: no w and b are right about all eight.
X = np.array([-2.0, -1.5, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0])
Y = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0])
STARTS = {"steep": (-1.0, 3.0), "flat": (-4.0, -4.0)}


def sigmoid(z: Any) -> Any:
    """1 / (1 + exp(-z)), written so that no exp grows beyond all bounds. Its slope at z is
    sigmoid(z) * (1 - sigmoid(z)).
    """
    return (1 + np.tanh(z / 2)) / 2


def neuron(w: Any, b: Any) -> tuple[Any, Any, Any]:
    """C = 1/2n sum (a - y)^2 of the neuron a = sigmoid(w x + b), dC/dw and dC/db, each of the shape
    of w and b.
    """
    a = sigmoid(np.multiply.outer(w, X) + np.asarray(b)[..., None])
    delta = (a - Y) * a * (1 - a)
    return ((a - Y) ** 2).mean(-1) / 2, (delta * X).mean(-1), delta.mean(-1)


def neuron_by_engine(w: float, b: float) -> tuple[float, float]:
    """dC/dw and dC/db of the neuron, as the engine finds them."""
    x, y = tg.tensor(X), tg.tensor(Y)
    at = [tg.tensor(value, dtype=tg.float64, requires_grad=True) for value in (w, b)]
    cost = (((at[0] * x + at[1]).sigmoid() - y) ** 2).mean() / 2
    slope_w, slope_b = tg.autograd.grad(cost, at)
    return slope_w.item(), slope_b.item()


def descend(w: float, b: float, steps: int, rate: float) -> Any:
    """Gradient descent on the error surface: w, b and C before each step, (steps, 3)."""
    path = []
    for _ in range(steps):
        cost, slope_w, slope_b = neuron(w, b)
        path.append((w, b, cost))
        w, b = w - rate * slope_w, b - rate * slope_b
    return np.array(path)


def feed_forward(weights: list[Any], biases: list[Any], x: Any) -> list[Any]:
    """a^0 = x, a^l = sigmoid(w^l a^(l-1) + b^l). Each row is an example."""
    a = [x]
    for w, b in zip(weights, biases):
        a.append(sigmoid(a[-1] @ w.T + b))
    return a


def backpropagate(weights: list[Any], biases: list[Any], x: Any, y: Any) -> tuple[Any, list[Any]]:
    """C = 1/2n sum_x |a^L - y|^2 over the n rows, and dC/dw^1, dC/db^1, dC/dw^2, ... by the four
    formulas of backpropagation, where z^l = w^l a^(l-1) + b^l and delta^l = dC/dz^l.

    Nielsen, Neural Networks and Deep Learning (2015), chapter 2.
    """
    a = feed_forward(weights, biases, x)
    cost = ((a[-1] - y) ** 2).sum() / (2 * len(x))
    gradients: list[Any] = []
    # delta^L = dC/da^L * sigmoid'(z^L)
    delta = (a[-1] - y) / len(x) * a[-1] * (1 - a[-1])
    for layer in reversed(range(len(weights))):
        # dC/dw^l_jk = a^(l-1)_k delta^l_j and dC/db^l_j = delta^l_j, summed over the examples
        gradients = [delta.T @ a[layer], delta.sum(0), *gradients]
        # delta^(l-1) = (w^l)^T delta^l * sigmoid'(z^(l-1))
        delta = delta @ weights[layer] * a[layer] * (1 - a[layer])
    return cost, gradients


class ByHand(tg.autograd.Function):
    """The net's cost as one op whose gradients are those of `backpropagate`: with it the net by
    hand learns in the loop in which all programs learn.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, y: Any, *parameters: Any) -> Any:
        arrays = [value.detach().cpu().numpy() for value in (x, y, *parameters)]
        cost, found = backpropagate(arrays[2::2], arrays[3::2], *arrays[:2])
        ctx.gradients = [tg.tensor(gradient) for gradient in found]
        return tg.tensor(cost)

    @staticmethod
    def backward(ctx: Any, grad: Any) -> Any:
        return None, None, *(grad * gradient for gradient in ctx.gradients)


def cost_by_hand(model: Any, x: Any, y: Any) -> Any:
    return ByHand.apply(x, y, *model.parameters())


def cost_by_engine(model: Any, x: Any, y: Any) -> Any:
    return ((model(x) - y) ** 2).sum() / (2 * len(x))


COSTS = {"by hand": cost_by_hand, "by engine": cost_by_engine}


def sigmoid_net(sizes: list[int]) -> Any:
    """Layers of sigmoid neurons in float64; weights have the variance of 1 / inputs."""
    model = nn.Sequential()
    for inputs, outputs in itertools.pairwise(sizes):
        model.extend([nn.Linear(inputs, outputs), nn.Sigmoid()])
        nn.init.normal_(model[-2].weight, std=inputs**-0.5)
        nn.init.normal_(model[-2].bias)
    return model.double()


def compared(model: Any, x: Any, y: Any) -> float:
    """Print how far the two gradients of each weight and bias are apart; the most of all."""
    names, parameters = zip(*model.named_parameters())
    found = [tg.autograd.grad(cost(model, x, y), parameters) for cost in COSTS.values()]
    rows, apart = [], []
    for name, first, second in zip(names, *found):
        apart.append((first - second).abs().max().item())
        largest = f"{second.abs().max().item():.2e}"
        rows.append((name, tuple(second.shape), largest, f"{apart[-1]:.1e}"))
    print(program.table(rows, ("", "shape", "largest slope", "largest difference")))
    return max(apart)


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Compare gradients, learn by both, draw the error surface and how all learnt; return the cost
    of the neuron after each descent, the largest difference of its slopes, of the net's gradients
    and of the costs of an epoch, and the share of held-out digits that either net reads right.
    """
    options = program.options_of(
        __doc__,
        epochs=30,
        hidden={
            "type": program.whole_number,
            "nargs": "+",
            "default": [30],
            "help": "neurons of hidden layers",
        },
        rate={"type": float, "default": 3.0, "help": "of learning"},
        batch={"type": program.whole_number, "default": 10, "help": "digits of a step"},
    ).parse_args(arguments)
    if options.quick:
        options.epochs = 10
    program.begin(options)
    paths = {name: descend(*start, steps=400, rate=4.0) for name, start in STARTS.items()}
    figures = {f"{name} start": float(path[-1, 2]) for name, path in paths.items()}
    for name, path in paths.items():
        print(f"one neuron, {name} start: C = {path[0, 2]:.3f}, at last {path[-1, 2]:.3f}")
    apart = [abs(np.subtract(neuron(*at)[1:], neuron_by_engine(*at))) for at in STARTS.values()]
    figures["slopes apart"] = float(np.max(apart))
    print(f"its slopes by hand and by engine differ by at most {figures['slopes apart']:.1e}")

    images, labels, held_out, wanted = program.digit_images(options)
    x, held_out = images.flatten(1).double(), held_out.flatten(1).double()
    y = nn.functional.one_hot(labels, 10).double()
    sizes = [x.shape[1], *options.hidden, 10]
    print(f"a net of {sizes} neurons:")
    figures["gradients apart"] = compared(sigmoid_net(sizes), x[:100], y[:100])

    histories = {
        name: learnt(options, name, cost, sizes, (x, y), (held_out, wanted))
        for name, cost in COSTS.items()
    }
    costs = [np.array([epoch["loss"] for epoch in history]) for history in histories.values()]
    figures["costs apart"] = float(abs(costs[0] - costs[1]).max())
    print(f"the costs of no epoch are further apart than {figures['costs apart']:.1e}")
    for name, history in histories.items():
        figures[name] = history[-1]["accuracy"]
        print(f"{name}: {figures[name]:.1%} of {len(wanted)} held-out digits read right")
    program.picture(options, "neuron", lambda figure: draw(figure, paths, histories))
    return figures


def learnt(
    options: argparse.Namespace, name: str, cost: Any, sizes: list[int], data: Any, held_out: Any
) -> list[dict[str, float]]:
    """How a net learns by stochastic gradient descent with these gradients."""
    options = program.of_part(options, name)
    tg.manual_seed(options.seed)
    model = sigmoid_net(sizes)
    return program.fit(
        options, model, tg.optim.SGD(model.parameters(), options.rate),
        tg.data.DataLoader(tg.data.TensorDataset(*data), options.batch, shuffle=True),
        lambda batch: cost(model, *batch), size_of=lambda batch: len(batch[0]), unit="digits",
        after_epoch=lambda epoch: {"accuracy": program.accuracy(model, *held_out)}, title=name,
    )  # fmt: skip


def draw(figure: Any, paths: dict[str, Any], histories: dict[str, Any]) -> None:
    figure.set_size_inches(13, 4.5)
    surface, descents, nets = figure.subplots(1, 3)
    w, b = np.meshgrid(np.linspace(-6, 6, 121), np.linspace(-6, 6, 121))
    levels = surface.contourf(w, b, neuron(w, b)[0], 24, cmap="viridis")
    figure.colorbar(levels, ax=surface, label="cost C")
    for name, color in zip(paths, ("cyan", "orangered")):
        path = paths[name]
        surface.plot(*path[:, :2].T, ".-", color=color, markersize=3, label=f"{name} start")
        surface.plot(*path[0, :2], "o", color=color)
        descents.plot(path[:, 2], color=color, label=f"{name} start")
    surface.plot(*path[-1, :2], "*", color="gold", markersize=14, label="lowest")
    surface.set(xlabel="weight w", ylabel="bias b", title="Error surface of one neuron")
    surface.legend(loc="lower right")
    descents.set(xlabel="steps of gradient descent", ylabel="cost C", title="The neuron learns")
    descents.legend()
    for (name, history), style in zip(histories.items(), ("-", "--")):
        errors = [100 * (1 - epoch["accuracy"]) for epoch in history]
        nets.plot(range(1, len(errors) + 1), errors, style, linewidth=2, label=name)
    nets.set(xlabel="epoch", ylabel="held-out digits read wrong, %", title="The net learns")
    nets.legend()


if __name__ == "__main__":
    main()
