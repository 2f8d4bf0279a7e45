"""See with a conv net: what its first layer looks for, and where it sees what it names.

`plain` reads handwritten digits with five convolutions, `resnet` names photographs with residual
blocks (He et al. 2015, https://arxiv.org/abs/1512.03385).
Real data are MNIST's four files and CIFAR-10's six, which the library also fetches:

python -c "from tensorgrad.datasets import *; MNIST('data', download=True)"
python examples/convnet.py --data data
python -c "from tensorgrad.datasets import *; CIFAR10('data', download=True)"
python examples/convnet.py --model resnet --data data

With --quick the digits have 8 x 8 pixels, and the photographs are shapes that the program draws.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

import program
import tensorgrad as tg
from conv_nets import MODELS
from tensorgrad import nn
from tensorgrad.datasets import transforms


def class_maps(model: nn.Module, layer: nn.Module, images: Any, classes: Any) -> Any:
    """Where the net sees these classes, (N, H, W): Grad-CAM (Selvaraju et al. 2017,
    https://arxiv.org/abs/1610.02391), relu(sum_k w_k A_k) of the layer's maps A (N, K, h, w), where
    w_k is the mean over all places of the gradient of the class's logit by A_k.

    In a `ConvNet` w_k is, but for a factor, the classifier's weight from k to the class.
    """
    kept: list[Any] = []
    hook = layer.register_forward_hook(lambda module, given, out: kept.append(out))
    logits = model(images)
    hook.remove()
    (gradient,) = tg.autograd.grad(logits.gather(1, classes[:, None]).sum(), kept)
    maps = (gradient.mean((2, 3), keepdim=True) * kept[0]).sum(1, keepdim=True).relu()
    size = images.shape[2:]
    return nn.functional.interpolate(maps, size=size, mode="bilinear")[:, 0].detach()


# ---- images


def datasets(options: argparse.Namespace) -> tuple[Any, Any, list[str]]:
    """Images to learn from and to be tested on, with labels; the names of the labels."""
    if options.quick and options.model == "plain":
        images, labels, held_out, wanted = program.digit_images(options)
        train, test = (
            tg.data.TensorDataset(
                nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear"), y
            )
            for x, y in ((images, labels), (held_out, wanted))
        )
        return train, test, [*"0123456789"]
    if options.quick:
        return shapes(1200, seed=1), shapes(300, seed=2), SHAPES
    # Moved by up to an eighth, an image shows the same, and the net hardly meets one twice.
    if options.model == "plain":
        kind, changes = tg.datasets.MNIST, [transforms.RandomCrop(28, padding=2)]
    else:
        kind, changes = tg.datasets.CIFAR10, [transforms.RandomCrop(32, padding=4)]
        changes.append(transforms.RandomHorizontalFlip())
    name = kind.__name__
    if options.data is None:
        raise SystemExit(f"{name} is needed: name the folder of its files by --data")
    try:
        train = kind(options.data, True, transforms.Compose([*changes, transforms.ToTensor()]))
        test = kind(options.data, False)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(str(error)) from None
    return train, test, [name.partition(" - ")[0] for name in kind.classes]


SHAPES = ["disc", "square", "triangle", "cross"]


def shapes(count: int, seed: int) -> Any:
    """Images (count, 3, 16, 16) of a shape at any place, in a bright colour on a dark one."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, len(SHAPES), count)
    places, radius = random.uniform(5, 10, (2, count, 1, 1)), random.uniform(4, 5, (count, 1, 1))
    x, y = (np.mgrid[:16, :16][:, None] - places) / radius
    far, near = np.maximum(abs(x), abs(y)), np.minimum(abs(x), abs(y))
    kinds = [x**2 + y**2 < 1, far < 0.9, (abs(y) < (1 + x) / 2) & (x < 1), (far < 1) & (near < 0.3)]
    inside = np.choose(labels[:, None, None], kinds)[:, None]
    bright, dark = random.uniform(0, 0.5, (2, count, 3, 1, 1))
    images = np.where(inside, 0.5 + bright, dark) + random.normal(0, 0.05, (count, 3, 16, 16))
    return tg.data.TensorDataset(tg.tensor(images.clip(0, 1), dtype=tg.float32), tg.tensor(labels))


# ---- the program


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train, draw filters, maps and mistakes, and return the loss of the last epoch, the accuracy
    on the tested images and the seconds.
    """
    options = program.options_of(
        __doc__,
        epochs=10,
        model={"choices": list(MODELS), "default": "plain", "help": "of digits or photographs"},
        batch={"type": program.whole_number, "default": 128, "help": "images of a step"},
    ).parse_args(arguments)
    if options.quick:
        options.epochs, options.batch = min(options.epochs, 5), 32
    program.begin(options)
    start = time.perf_counter()

    train, test, names = datasets(options)
    batches = tg.data.DataLoader(train, options.batch, shuffle=True)
    model = MODELS[options.model](len(names), 8 if options.quick else 16)
    print(f"{sum(parameter.numel() for parameter in model.parameters()):,} parameters")
    optimizer = tg.optim.SGD(model.parameters(), nesterov=True, momentum=0.9, weight_decay=5e-4)
    # Large steps cross the flat parts and small ones settle (Smith and Topin 2018).
    schedule = tg.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, epochs=options.epochs, steps_per_epoch=len(batches)
    )
    read: list[Any] = []

    def accuracy(epoch: int = 0) -> dict[str, float]:
        loader = tg.data.DataLoader(test, 500)
        read[:] = [(model(images).argmax(1), labels) for images, labels in loader]
        right = sum((found == labels).sum().item() for found, labels in read)
        return {"accuracy": right / len(test)}

    history = program.fit(
        options, model, optimizer, batches,
        lambda batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        size_of=lambda batch: len(batch[0]), unit="images", schedule=schedule, each_step=True,
        after_epoch=accuracy,
    )  # fmt: skip
    with tg.no_grad():
        share = accuracy()["accuracy"]
    seconds = time.perf_counter() - start
    print(f"{share:.2%} of {len(test):,} images named right, {seconds:.0f} s")

    found, wanted = (tg.cat([batch[which] for batch in read]) for which in (0, 1))
    # Mistakes first, then whatever comes.
    order = tg.argsort((found == wanted).to(tg.int64), stable=True)[:15].tolist()
    images = tg.stack([test[place][0] for place in order])
    maps = class_maps(model, model.features, images, found[order])

    def draw(figure: Any) -> None:
        top, bottom = figure.subfigures(2, 1, height_ratios=[3, 5])
        left, right = top.subfigures(1, 2)
        draw_filters(left, model)
        draw_learning(right, history)
        pairs = [(names[wanted[place]], names[found[place]]) for place in order]
        titles = [a if a == b else f"{a} taken for {b}" for a, b in pairs]
        draw_maps(bottom, images, maps, titles)

    program.picture(options, "convnet", draw)
    return {"loss": history[-1]["loss"], "accuracy": share, "seconds": seconds}


def draw_filters(figure: Any, model: Any) -> None:
    """The weights of the first layer; those of three colours as colours."""
    weights = model.features[0][0].weight.detach().cpu().numpy()
    most = abs(weights).max()
    figure.suptitle("filters of the first layer", fontsize=10)
    for axes, weight in zip(figure.subplots(2, len(weights) // 2).flat, weights, strict=True):
        if len(weight) == 3:
            axes.imshow(weight.transpose(1, 2, 0) / most / 2 + 0.5)
        else:
            drawn = axes.imshow(weight[0], cmap="RdBu_r", vmin=-most, vmax=most)
        axes.set_axis_off()
    if len(weights[0]) == 1:
        figure.colorbar(drawn, ax=figure.axes, label="weight", shrink=0.9)


def draw_learning(figure: Any, history: list[dict[str, float]]) -> None:
    axes = figure.subplots()
    epochs = range(1, len(history) + 1)
    axes.plot(epochs, [100 * (1 - each["accuracy"]) for each in history], marker="o")
    axes.set(xlabel="epoch", ylabel="tested images named wrong, %")
    axes.set_xticks(epochs)
    axes.set_ylim(bottom=0)


def draw_maps(figure: Any, images: Any, maps: Any, titles: list[str]) -> None:
    """Each image beside itself under its map."""
    figure.suptitle("where the net sees what it names (Grad-CAM)", fontsize=10)
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    pixels = ((images - low) / (high - low)).permute(0, 2, 3, 1).cpu().numpy()
    for axes, image, heat, title in zip(
        figure.subplots(3, 5).flat, pixels, maps.cpu().numpy(), titles, strict=False
    ):
        axes.imshow(np.concatenate([image, image], 1), cmap="gray")
        side = image.shape[1]
        extent = (side - 0.5, 2 * side - 0.5, image.shape[0] - 0.5, -0.5)
        axes.imshow(heat, cmap="inferno", alpha=0.6, extent=extent)
        axes.set_xlim(-0.5, 2 * side - 0.5)
        axes.set_title(title, fontsize=7)
        axes.set_axis_off()


if __name__ == "__main__":
    main()
