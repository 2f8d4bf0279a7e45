"""How do rules of descent differ? The same nets, first weights and batches, learnt by each.

First where it can be seen: the paths of the rules in a long valley, f = (x^2 + 25 y^2) / 2. Then on
digits: of each rule the rate is the best of several by the loss of the last epoch, and with it the
rule learns from several seeds. RMSprop is there twice: PyTorch's divides the gradient by
sqrt(v) + eps, the lecture's by sqrt(v + eps). With eps = 1e-8 that is at least 1e-4, and gradients
below it make steps that shrink with them.

    python examples/optimizers.py
    python examples/optimizers.py --data mnist --epochs 3 --seeds 1

--data is a folder with the four files of MNIST (https://ossci-datasets.s3.amazonaws.com/mnist);
without it the bundled digits of 8x8 are read.
"""

from __future__ import annotations

import argparse
import functools
import math
from typing import Any, NamedTuple

import numpy as np

import program
import tensorgrad as tg
from tensorgrad import nn, optim


class Rule(NamedTuple):
    """An optimizer, the rates that are tried on digits, by --quick the second alone, and the one
    in the valley.
    """

    make: Any
    rates: tuple[float, ...]
    in_valley: float


def momentum(**settings: Any) -> Any:
    return functools.partial(optim.SGD, momentum=0.9, **settings)


def rmsprop(**settings: Any) -> Any:
    return functools.partial(optim.RMSprop, alpha=0.9, **settings)


# With g the gradient and r the rate:
#   SGD       w -= r g
#   momentum  b = 0.9 b + g, w -= r b
#   Nesterov  b = 0.9 b + g, w -= r (g + 0.9 b)
#   Adagrad   s = s + g^2, w -= r g / (sqrt(s) + eps)
#   RMSprop   v = 0.9 v + 0.1 g^2, w -= r g / (sqrt(v) + eps), or r g / sqrt(v + eps)
#   Adam      m = 0.9 m + 0.1 g, v = 0.999 v + 0.001 g^2, and at step t
#             w -= r m / (1 - 0.9^t) / (sqrt(v / (1 - 0.999^t)) + eps)
RULES = {
    "SGD": Rule(optim.SGD, (0.1, 0.3, 1.0, 3.0), 0.07),
    "momentum": Rule(momentum(), (0.03, 0.1, 0.3, 1.0), 0.02),
    "Nesterov": Rule(momentum(nesterov=True), (0.03, 0.1, 0.3, 1.0), 0.02),
    "Adagrad": Rule(optim.Adagrad, (0.01, 0.03, 0.1, 0.3), 0.5),
    "RMSprop, PyTorch's": Rule(rmsprop(), (0.003, 0.01, 0.03, 0.1), 0.1),
    "RMSprop, the lecture's": Rule(rmsprop(eps_inside=True), (0.003, 0.01, 0.03, 0.1), 0.1),
    "Adam": Rule(optim.Adam, (0.003, 0.01, 0.03, 0.1), 0.3),
}
START = (-4.0, 1.0)


def valley(x: Any, y: Any) -> Any:
    return (x**2 + 25 * y**2) / 2


def path_of(rule: str, steps: int = 60) -> Any:
    """Where the rule goes in the valley, (steps + 1, 2)."""
    place = tg.tensor(START, dtype=tg.float64, requires_grad=True)
    optimizer = RULES[rule].make([place], RULES[rule].in_valley)
    path = [START]
    for _ in range(steps):
        optimizer.zero_grad()
        valley(*place).backward()
        optimizer.step()
        path.append(tuple(place.tolist()))
    return np.array(path)


def step_sizes(rule: str, gradients: Any, steps: int = 200) -> Any:
    """|step| / lr of each of these gradients, when it has been the same for many steps."""
    place = tg.zeros(len(gradients), dtype=tg.float64)
    optimizer = RULES[rule].make([place], 1.0)
    for _ in range(steps):
        before = place.clone()
        place.grad = tg.tensor(gradients)
        optimizer.step()
    return (before - place).abs().cpu().numpy()


def perceptron(side: int) -> Any:
    return nn.Sequential(nn.Flatten(), nn.Linear(side * side, 64), nn.ReLU(), nn.Linear(64, 10))


def convolutional(side: int) -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * (side // 4) ** 2, 10),
    )  # fmt: skip


NETS = {"perceptron": perceptron, "convolutional net": convolutional}


def learnt(
    options: argparse.Namespace, net: str, rule: str, rate: float, seed: int, data: Any
) -> list[dict[str, float]]:
    """Loss and accuracy after each epoch. Weights and batches depend on the seed alone."""
    images, labels, *held_out = data
    tg.manual_seed(seed)
    model = NETS[net](images.shape[-1])
    name = f"{net}, {rule}, rate {rate:g}, seed {seed}"
    return program.fit(
        program.of_part(options, name), model,
        RULES[rule].make(model.parameters(), rate),
        tg.data.DataLoader(tg.data.TensorDataset(images, labels), 64, shuffle=True),
        lambda batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        size_of=lambda batch: len(batch[0]), unit="digits", title=name,
        after_epoch=lambda epoch: {"accuracy": program.accuracy(model, *held_out)},
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Compare the rules, print a table for each net, draw paths, steps and curves; return f at the
    end of each path, and by net and rule the best rate, and loss and accuracy as means over seeds.
    """
    options = program.options_of(
        __doc__,
        epochs=20,
        seeds={"type": program.whole_number, "default": 3, "help": "trainings of each rule"},
    ).parse_args(arguments)
    if options.quick:
        options.epochs, options.seeds = 4, 1
    program.begin(options)
    data = program.digit_images(options)

    paths = {rule: path_of(rule) for rule in RULES}
    figures: dict[str, Any] = {"valley": {r: float(valley(*path[-1])) for r, path in paths.items()}}
    curves: dict[str, dict[str, Any]] = {}
    for net in NETS:
        rows, figures[net], curves[net] = [], {}, {}
        for rule, (_, rates, _) in RULES.items():
            rates = rates[1:2] if options.quick else rates
            tried = {rate: learnt(options, net, rule, rate, options.seed, data) for rate in rates}
            rate = min(tried, key=lambda rate: finite(tried[rate][-1]["loss"]))
            others = range(options.seed + 1, options.seed + options.seeds)
            histories = [tried[rate]]
            histories += [learnt(options, net, rule, rate, seed, data) for seed in others]
            losses, shares = (
                np.array([[epoch[what] for epoch in history] for history in histories])
                for what in ("loss", "accuracy")
            )
            curves[net][rule] = losses
            loss, share = losses[:, -1], shares[:, -1]
            figures[net][rule] = {"rate": rate, "loss": loss.mean(), "accuracy": share.mean()}
            rows.append(
                (rule, f"{rate:g}", program.spread(loss, ".4f"), program.spread(100 * share, ".1f"))
            )
        print(program.table(rows, (net, "rate", "loss", "held-out digits right, %")))
    program.picture(options, "optimizers", lambda figure: draw(figure, paths, curves))
    return figures


def finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def draw(figure: Any, paths: dict[str, Any], curves: dict[str, Any]) -> None:
    figure.set_size_inches(13, 9)
    grid = figure.subplots(2, 2)
    surface, steps = grid[0]
    x, y = np.meshgrid(np.linspace(-4.5, 3, 151), np.linspace(-1.5, 1.5, 121))
    surface.contour(x, y, valley(x, y), np.geomspace(0.02, 60, 14), colors="lightgray")
    for rule, path in paths.items():
        surface.plot(*path.T, ".-", markersize=3, linewidth=1, label=rule)
    surface.plot(0, 0, "k*", markersize=12)
    surface.set(xlabel="x", ylabel="y", title="60 steps down a valley, f = (x² + 25 y²) / 2")
    surface.legend(fontsize=8)
    gradients = np.geomspace(1e-12, 1, 100)
    for number, rule in enumerate(RULES):
        if rule.startswith("RMSprop"):
            steps.loglog(gradients, step_sizes(rule, gradients), color=f"C{number}", label=rule)
    steps.set(xlabel="gradient, the same for many steps", ylabel="step / learning rate")
    steps.set_title("Where eps stands")
    steps.legend(fontsize=8)
    for axes, (net, of_rules) in zip(grid[1], curves.items()):
        for rule, losses in of_rules.items():
            epochs, mean = np.arange(1, losses.shape[1] + 1), losses.mean(0)
            axes.semilogy(epochs, mean, label=rule)
            axes.fill_between(epochs, losses.min(0), losses.max(0), alpha=0.15)
        axes.set(xlabel="epoch", ylabel="training loss, nats", title=f"A {net} on digits")
        axes.legend(fontsize=8)


if __name__ == "__main__":
    main()
