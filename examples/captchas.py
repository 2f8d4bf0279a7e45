"""Read CAPTCHAs: distorted letters and digits under dots and a curve, four or five of them.

Two readers look through the same filters. `heads` has a classifier for each position, to which "no
character" is one more class. `ctc` reads column by column with an LSTM, and learns where the
characters are by summing over all places where they may be (connectionist temporal classification).

python examples/captchas.py                  the package captcha draws every image anew
python examples/captchas.py --data FOLDER    images whose names are what they say: 7XK2P.png
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
from typing import Any

import numpy as np

import program
import tensorgrad as tg
from captcha_images import ALPHABET, SIZE, Drawn, folder_of, text_of
from captcha_readers import READERS


def parts_of(options: argparse.Namespace) -> tuple[Any, Any, Any, str]:
    """Images to learn from, the order of an epoch, images and labels to be tested on, and the
    alphabet.
    """
    if options.data is not None:
        whole, alphabet = folder_of(options.data, options.size)
        order = tg.randperm(len(whole)).tolist()
        tested = max(1, len(whole) // 10)
        train = tg.data.Subset(whole, order[tested:])
        return train, tg.data.RandomSampler(train), whole[order[:tested]], alphabet
    if importlib.util.find_spec("captcha") is None:
        raise SystemExit("the images need captcha: pip install captcha")
    given = options.alphabet, options.lengths, options.size
    train, fresh = (Drawn(f"{part} {options.seed}", *given) for part in ("learnt", "tested"))
    test = tg.data.default_collate([fresh[place] for place in range(options.tested)])
    order = tg.data.RandomSampler(train, replacement=True, num_samples=options.images)
    return train, order, test, options.alphabet


# ---- the program


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train the readers that are asked for, draw what they read, and return the share of the images
    that were held out which each reads right to the last character.
    """
    options = program.options_of(
        __doc__,
        epochs=16,
        model={"nargs": "+", "choices": [*READERS], "default": [*READERS], "help": "which readers"},
        images={"type": program.whole_number, "default": 10_000, "help": "drawn in an epoch"},
        workers={"type": int, "default": 2, "help": "processes that draw"},
    ).parse_args(arguments)
    options.alphabet, options.lengths, options.size, options.tested = ALPHABET, (4, 5), SIZE, 1000
    options.batch, options.width, options.rate = 32, 32, 3e-3
    if options.quick:
        options.alphabet, options.lengths, options.size, options.tested = (
            "1234",
            (2,),
            (60, 80),
            100,
        )
        options.batch, options.width, options.rate = 8, 8, 1e-2
        options.images, options.epochs, options.workers = 300, min(options.epochs, 4), 0
    program.begin(options)
    parts = parts_of(options)
    _, _, (images, labels), alphabet = parts
    texts = [text_of(row, alphabet) for row in labels.tolist()]

    readers, histories, read = {}, {}, {}
    for name in options.model:
        print(f"---- {name}")
        readers[name], histories[name] = trained(program.of_part(options, name), name, *parts)
        with tg.no_grad():
            read[name] = readings(readers[name], images, alphabet)
        share = histories[name][-1]["accuracy"]
        print(f"{share:.1%} of {len(texts)} held-out images read right")
        pairs = [f"{a} for {b} ({count})" for (b, a), count in confused(texts, read[name])]
        print("taken for another:", ", ".join(pairs) or "none")

    def draw(figure: Any) -> None:
        top, bottom = figure.subfigures(2, 1, height_ratios=[4, 5])
        left, right = top.subfigures(1, 2)
        draw_learning(left, histories)
        name = options.model[-1]
        varied = max(range(len(texts)), key=lambda place: len(set(texts[place])))
        draw_shares(right, name, readers[name], images[varied], alphabet)
        draw_readings(bottom, images, texts, read)

    program.picture(options, "captchas", draw)
    return {name: history[-1]["accuracy"] for name, history in histories.items()}


def trained(
    options: argparse.Namespace, name: str, train: Any, order: Any, test: Any, alphabet: str
) -> tuple[Any, list[dict[str, float]]]:
    """The reader of that name, and how it learnt."""
    tg.manual_seed(options.seed)
    images, labels = test
    reader = READERS[name](1 + len(alphabet), labels.shape[1], options.size, options.width)
    loader = tg.data.DataLoader(
        train, options.batch, sampler=order, drop_last=len(order) > options.batch,
        num_workers=options.workers, persistent_workers=options.workers > 0,
    )  # fmt: skip
    optimizer = tg.optim.Adam(reader.parameters())
    schedule = tg.optim.lr_scheduler.OneCycleLR(
        optimizer, options.rate, epochs=options.epochs, steps_per_epoch=len(loader)
    )
    texts = [text_of(row, alphabet) for row in labels.tolist()]

    def accuracy(epoch: int) -> dict[str, float]:
        pairs = zip(texts, readings(reader, images, alphabet), strict=True)
        return {"accuracy": float(np.mean([text == found for text, found in pairs]))}

    history = program.fit(
        options, reader, optimizer, loader, lambda batch: reader.loss(*batch),
        size_of=lambda batch: len(batch[0]), unit="images", clip=5.0, schedule=schedule,
        each_step=True, after_epoch=accuracy,
    )  # fmt: skip
    return reader, history


def readings(reader: Any, images: Any, alphabet: str) -> list[str]:
    """What the reader makes of each image."""
    return [text_of(row, alphabet) for some in images.split(250) for row in reader.read(some)]


def confused(texts: list[str], found: list[str]) -> list[tuple[tuple[str, str], int]]:
    """The pairs of a character and what it was taken for, the most frequent first."""
    pairs = collections.Counter(
        (a, b)
        for text, other in zip(texts, found, strict=True)
        if len(text) == len(other)
        for a, b in zip(text, other, strict=True)
        if a != b
    )
    return pairs.most_common(8)


def draw_learning(figure: Any, histories: dict[str, list[dict[str, float]]]) -> None:
    axes = figure.subplots()
    for name, history in histories.items():
        shares = [100 * each["accuracy"] for each in history]
        axes.plot(range(1, 1 + len(shares)), shares, marker="o", label=name)
    axes.set(xlabel="epoch", ylabel="strings read right, %", ylim=(0, 100))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()


def draw_shares(figure: Any, name: str, reader: Any, image: Any, alphabet: str) -> None:
    """An image above the probabilities of the characters that are likely somewhere in it."""
    with tg.no_grad():
        shares = reader.shares(image).cpu().numpy().T
    likely = [row for row in range(1, len(shares)) if shares[row].max() > 0.2]
    likely = [0, *sorted(likely, key=lambda row: -shares[row].argmax())]
    above, below = figure.subplots(2, 1, height_ratios=[2, 3])
    above.imshow(image[0].cpu().numpy(), cmap="gray_r", aspect="auto")
    above.set_axis_off()
    drawn = below.imshow(shares[likely], cmap="Blues", vmin=0, vmax=1, aspect="auto")
    below.set_yticks(range(len(likely)), ["nothing", *(alphabet[row - 1] for row in likely[1:])])
    below.set(xlabel="column of 8 pixels" if name == "ctc" else "position")
    below.xaxis.get_major_locator().set_params(integer=True)
    figure.colorbar(drawn, ax=below, label="P(character)")


def draw_readings(figure: Any, images: Any, texts: list[str], read: dict[str, list[str]]) -> None:
    """Images under what stands in them, those that were read wrong first."""
    figure.suptitle("images held out, and where a reader errs what it reads", fontsize=10)
    wrong = [
        {name: found[place] for name, found in read.items() if found[place] != text}
        for place, text in enumerate(texts)
    ]
    order = sorted(range(len(texts)), key=lambda place: not wrong[place])
    for place, axes in zip(order, figure.subplots(4, 4).flat):
        axes.imshow(images[place, 0].cpu().numpy(), cmap="gray_r")
        said = [texts[place], *(f"{name}: {found}" for name, found in wrong[place].items())]
        axes.set_title("  ".join(said), fontsize=7, color="firebrick" if wrong[place] else "black")
    for axes in figure.axes:
        axes.set_axis_off()


if __name__ == "__main__":
    main()
