"""Small changes that fool a net: attacks on digits, and training against them.

    python examples/adversarial.py --data mnist

Every pixel of an image x may be changed by at most epsilon. The fast gradient sign method
(Goodfellow et al. 2015, https://arxiv.org/abs/1412.6572) takes one step of that size up the loss,
projected gradient descent (Madry et al. 2018, https://arxiv.org/abs/1706.06083) many small ones,
each brought back to where it may be. A net that learns from images so attacked,

    min over weights of  E  max over |d| <= epsilon of  loss(net(x + d), y),

withstands them. --data is the folder with MNIST's four IDX files (train-images-idx3-ubyte.gz, ...,
https://yann.lecun.com/exdb/mnist); without it, and with --quick, the bundled digits of 8x8 pixels.
"""

from __future__ import annotations

import functools
from typing import Any

import program
import tensorgrad as tg
from tensorgrad import nn


def uphill(model: Any, images: Any, labels: Any) -> Any:
    """The signs of d loss / d pixel, (N, 1, side, side)."""
    with tg.enable_grad():
        images = images.detach().requires_grad_()
        loss = nn.functional.cross_entropy(model(images), labels, reduction="sum")
        (slopes,) = tg.autograd.grad(loss, [images])
    return slopes.sign()


def fgsm(model: Any, images: Any, labels: Any, epsilon: float) -> Any:
    """clamp(x + epsilon sign(d loss / dx), 0, 1)."""
    return (images + epsilon * uphill(model, images, labels)).clamp(0, 1)


def pgd(model: Any, images: Any, labels: Any, epsilon: float, steps: int) -> Any:
    """From a random place near x, `steps` times: x' + rate sign(d loss / dx'), of which each pixel
    is brought back into [x - epsilon, x + epsilon] and [0, 1]. rate = 2.5 epsilon / steps.
    """
    low, high = (images - epsilon).clamp(min=0), (images + epsilon).clamp(max=1)
    found = low + (high - low) * tg.rand(images.shape)
    for _ in range(steps):
        found = found + 2.5 * epsilon / steps * uphill(model, found, labels)
        found = tg.minimum(tg.maximum(found, low), high)
    return found


def noised(model: Any, images: Any, labels: Any, epsilon: float) -> Any:
    """clamp(x + epsilon times random signs, 0, 1): as large a change, but in no direction."""
    return (images + epsilon * tg.randn(images.shape).sign()).clamp(0, 1)


def read(model: Any, images: Any) -> Any:
    """The digits that the net sees."""
    with tg.no_grad():
        return model(images).argmax(1)


def share_right(model: Any, images: Any, labels: Any, attack: Any = None) -> float:
    """The share that is read right after `attack(model, images, labels)`."""
    right = 0.0
    for some, wanted in tg.data.DataLoader(tg.data.TensorDataset(images, labels), 500):
        seen = some if attack is None else attack(model, some, wanted)
        right += (read(model, seen) == wanted).sum().item()
    return right / len(images)


def net(side: int) -> nn.Sequential:
    """Two convolutions and two linear layers: (N, 1, side, side) to scores (N, 10)."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
        nn.Linear(32 * (side // 4) ** 2, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Train a plain net and one on attacked images, attack both, print and draw what they read, and
    return the shares of held-out digits that each reads right.
    """
    options = program.options_of(
        __doc__,
        epochs=5,
        epsilon={"type": float, "default": 0.15, "help": "the largest change of a pixel in [0, 1]"},
        steps={
            "type": int,
            "default": 7,
            "help": "of PGD in training; twice as many in tests",
        },
        rate={"type": float, "default": 1e-3, "help": "of learning"},
    ).parse_args(arguments)
    if options.quick:
        options.epochs, options.rate, options.steps = 8, 4e-3, 3
    if not 0 < options.epsilon < 1 or options.steps < 1:
        got = f"got {options.epsilon} and {options.steps}"
        raise SystemExit(f"adversarial: expected an epsilon in (0, 1) and at least 1 step, {got}")
    program.begin(options)
    images, labels, held_out, wanted = program.digit_images(options)
    batches = tg.data.DataLoader(tg.data.TensorDataset(images, labels), 64, shuffle=True)

    some = held_out[:200], wanted[:200]

    def trained(name: str, attack: Any = None) -> Any:
        """A net that has learnt from images so attacked."""
        print(f"---- {name}")
        tg.manual_seed(options.seed)
        model = net(images.shape[-1])

        def loss_of(batch: Any) -> Any:
            seen = batch[0] if attack is None else attack(model, *batch)
            return nn.functional.cross_entropy(model(seen), batch[1])

        program.fit(
            program.of_part(options, name), model,
            tg.optim.Adam(model.parameters(), lr=options.rate), batches, loss_of,
            size_of=lambda batch: len(batch[0]), unit="images",
            after_epoch=lambda epoch: {"held out": share_right(model, *some)},
        )  # fmt: skip
        return model

    size, steps = options.epsilon, 2 * options.steps
    against = functools.partial(pgd, epsilon=size, steps=options.steps)
    models = {"plain": trained("plain"), "robust": trained("robust", against)}
    attacks = {
        "clean": None,
        "noise": functools.partial(noised, epsilon=size),
        "FGSM": functools.partial(fgsm, epsilon=size),
        "PGD": functools.partial(pgd, epsilon=size, steps=steps),
    }
    shares = {
        name: {kind: share_right(model, held_out, wanted, attacks[kind]) for kind in attacks}
        for name, model in models.items()
    }
    rows = [(name, *(f"{share:.1%}" for share in found.values())) for name, found in shares.items()]
    print(program.table(rows, ("net", *attacks)))
    sizes = [size * step / 3 for step in range(7)]
    curves = {
        name: [
            share_right(model, *some, functools.partial(pgd, epsilon=e, steps=steps)) for e in sizes
        ]
        for name, model in models.items()
    }

    def draw(figure: Any) -> None:
        left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
        left.suptitle(f"red: more ink, blue: less, by at most {size}", fontsize=9)
        digits, labels = held_out[:6], wanted[:6]
        grey, signed = {"cmap": "gray_r", "vmin": 0, "vmax": 1}, {"cmap": "RdBu_r"}
        signed |= {"vmin": -size, "vmax": size}
        lines = [(digits, "digit", labels, grey)]
        for name, model in models.items():
            attacked = pgd(model, digits, labels, size, steps)
            lines.append((attacked - digits, f"{name} net:\nchange", None, signed))
            lines.append((attacked, "changed", read(model, attacked), grey))
        for row, (pictures, name, seen, shades) in zip(left.subplots(5, 6), lines, strict=True):
            row[0].set_ylabel(name, fontsize=8)
            for place, axes in enumerate(row):
                axes.imshow(pictures[place, 0].cpu().numpy(), **shades)
                axes.set(xticks=[], yticks=[])
                if seen is not None:
                    color = "black" if seen[place].item() == labels[place].item() else "crimson"
                    axes.set_title(f"read {seen[place].item()}", fontsize=8, color=color)
        axes = right.subplots()
        for name, curve in curves.items():
            axes.plot(sizes, curve, marker="o", label=name)
        axes.axvline(size, linestyle=":", color="gray", label="trained against")
        axes.set(xlabel="epsilon: largest change of a pixel", ylabel="read right under PGD")
        axes.set_ylim(0, 1.02)
        axes.legend()

    program.picture(options, "adversarial", draw)
    return shares


if __name__ == "__main__":
    main()
