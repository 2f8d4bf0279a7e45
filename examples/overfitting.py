"""How is a net kept from learning its examples by heart?

A net with far more weights than it has examples reads digits, some of whose labels are wrong. What
it learns of the examples alone is seen in the loss on others, which first falls and then rises.
Against it: L2, dropout, noise on the input, smooth labels, images moved a little, early stopping,
and several at once; each learns from several seeds, by which the examples are drawn too.

    python examples/overfitting.py
    python examples/overfitting.py --data mnist --examples 1000 --wrong 0

--data is a folder with the four files of MNIST (https://ossci-datasets.s3.amazonaws.com/mnist);
without it the bundled digits of 8x8 are read.
"""

from __future__ import annotations

import argparse
import math
from typing import Any, NamedTuple

import program
import tensorgrad as tg
from tensorgrad import nn

cross_entropy = nn.functional.cross_entropy


class Way(NamedTuple):
    """What is done against overfitting."""

    l2: float = 0.0  # lambda
    dropout: float = 0.0  # the share of neurons that are silent at a step
    noise: float = 0.0  # the standard deviation of what is added to each pixel
    smoothing: float = 0.0  # the share of a label's weight that all classes share
    moved: float = 0.0  # the most degrees by which an image is turned
    patience: int | None = None  # epochs without a lower loss on the validation digits


WAYS = {
    "nothing": Way(),
    "L2": Way(l2=2.0),
    "dropout": Way(dropout=0.5),
    "input noise": Way(noise=0.3),
    "label smoothing": Way(smoothing=0.2),
    "augmentation": Way(moved=15.0),
    "early stopping": Way(patience=10),
    "L2, dropout, augmentation": Way(l2=0.5, dropout=0.3, moved=15.0),
}


def net(inputs: int, way: Way) -> Any:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 256), nn.ReLU(), nn.Dropout(way.dropout),
        nn.Linear(256, 256), nn.ReLU(), nn.Dropout(way.dropout),
        nn.Linear(256, 10),
    )  # fmt: skip


def l2(model: Any, strength: float, examples: int) -> Any:
    """lambda / 2n * the sum of w^2 over all weights, not biases; n is the number of examples. A
    step of gradient descent then shrinks w by the factor 1 - rate * lambda / n.
    """
    weights = (value for name, value in model.named_parameters() if name.endswith("weight"))
    return strength / (2 * examples) * sum((weight**2).sum() for weight in weights)


def moved(images: Any, degrees: float) -> Any:
    """Each image turned by up to so many degrees, and shifted by up to degrees / 100 of half its
    width, across and down.
    """
    turn, across, down = 2 * tg.rand(3, len(images)) - 1
    angle, shift = turn * math.radians(degrees), degrees / 100
    rows = [angle.cos(), -angle.sin(), shift * across, angle.sin(), angle.cos(), shift * down]
    grid = nn.functional.affine_grid(
        tg.stack(rows, 1).reshape(-1, 2, 3), list(images.shape), align_corners=False
    )
    return nn.functional.grid_sample(images, grid, align_corners=False)


def with_wrong_labels(labels: Any, share: float) -> Any:
    """The labels, of which a share is replaced by another of the ten."""
    count = round(share * len(labels))
    found = labels.clone()
    found[:count] = (labels[:count] + tg.randint(1, 10, (count,))) % 10
    return found


def learnt(
    options: argparse.Namespace, name: str, seed: int, digits: Any
) -> tuple[list[dict[str, float]], dict[str, float]]:
    """The losses on training and validation digits after each epoch, and the figures at the end."""
    images, labels, held_out, wanted = digits
    way, count = WAYS[name], options.examples
    tg.manual_seed(seed)
    drawn = tg.randperm(len(images))
    images, labels = images[drawn], labels[drawn]
    x, y = images[:count], with_wrong_labels(labels[:count], options.wrong)
    others = slice(count, count + options.validation)
    model = net(images[0].numel(), way)

    def loss_of(batch: Any) -> Any:
        x, y = batch
        if way.moved:
            x = moved(x, way.moved)
        if way.noise:
            x = x + way.noise * tg.randn_like(x)
        loss = cross_entropy(model(x), y, label_smoothing=way.smoothing)
        return loss + l2(model, way.l2, count) if way.l2 else loss

    def after_epoch(epoch: int) -> dict[str, float]:
        return {
            "training": cross_entropy(model(x), y).item(),
            "validation": cross_entropy(model(images[others]), labels[others]).item(),
        }

    history = program.fit(
        program.of_part(options, f"{name}, seed {seed}"), model,
        tg.optim.Adam(model.parameters(), lr=options.rate),
        tg.data.DataLoader(tg.data.TensorDataset(x, y), 20, shuffle=True), loss_of,
        size_of=lambda batch: len(batch[0]), unit="digits", after_epoch=after_epoch,
        best=(lambda figures: -figures["validation"]) if way.patience else None,
        patience=way.patience, title=f"{name}, seed {seed}",
    )  # fmt: skip
    with tg.no_grad():
        return history, after_epoch(0) | {
            "learnt": program.accuracy(model, x, y),
            "tested": program.accuracy(model, held_out, wanted),
        }


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Learn in each way, print a table of means and spreads over seeds, draw the curves, and return
    the means: of each way the losses at the end, and the shares of training and of held-out digits
    that are read as their labels say.
    """
    options = program.options_of(
        __doc__,
        epochs=100,
        examples={"type": program.whole_number, "default": 200, "help": "digits to learn from"},
        validation={"type": program.whole_number, "default": 400, "help": "digits to stop by"},
        wrong={"type": float, "default": 0.1, "help": "the share of wrong training labels"},
        rate={"type": float, "default": 1e-3, "help": "of learning"},
        seeds={"type": program.whole_number, "default": 5, "help": "trainings in each way"},
    ).parse_args(arguments)
    if options.quick:
        options.epochs, options.seeds, options.rate = 30, 2, 3e-3
        options.examples = 100
    program.begin(options)
    digits = program.digit_images(options)
    if options.examples + options.validation > len(digits[0]):
        raise SystemExit(
            f"--examples and --validation: expected at most {len(digits[0])} digits, got "
            f"{options.examples} and {options.validation}"
        )
    if not 0 <= options.wrong <= 1:
        raise SystemExit(f"--wrong: expected a share between 0 and 1, got {options.wrong}")

    histories, figures, rows = {}, {}, []
    for name in WAYS:
        seeds = range(options.seed, options.seed + options.seeds)
        histories[name], found = zip(*(learnt(options, name, seed, digits) for seed in seeds))
        values = {what: [figure[what] for figure in found] for what in found[0]}
        figures[name] = {what: sum(of) / len(of) for what, of in values.items()}
        losses = [program.spread(values[what], ".2f") for what in ("training", "validation")]
        shares = [program.spread(values[what], ".1%") for what in ("learnt", "tested")]
        rows.append((name, *losses, *shares))
    head = ("against overfitting", "training loss", "validation loss", "learnt", "tested")
    print(program.table(rows, head))

    def draw(figure: Any) -> None:
        figure.set_size_inches(15, 7)
        grid = figure.subplots(2, 4, sharex=True, sharey=True)
        for axes, (name, of_seeds) in zip(grid.flat, histories.items()):
            for what, color in (("training", "C0"), ("validation", "C1")):
                for number, history in enumerate(of_seeds):
                    losses = [epoch[what] for epoch in history]
                    label = None if number else what
                    axes.plot(range(1, len(losses) + 1), losses, color, alpha=0.6, label=label)
            axes.set_title(f"{name}: {figures[name]['tested']:.1%} right")
        grid[0, 0].legend()
        grid[0, 0].set_ylim(0, 1.5)
        figure.supxlabel("epoch")
        figure.supylabel("cross-entropy, nats")

    program.picture(options, "overfitting", draw)
    return figures


if __name__ == "__main__":
    main()
