"""Read handwritten digits: a net with one hidden layer, trained on images of 8x8 or 28x28.

    python examples/digits.py
    python examples/digits.py --data mnist --epochs 5

Without --data the bundled images are read. --data is a folder with the four files of MNIST:
train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, and t10k-... for those held out
(https://ossci-datasets.s3.amazonaws.com/mnist).
"""

from __future__ import annotations

import program
import tensorgrad as tg
from tensorgrad import nn


def main(arguments: list[str] | None = None) -> float:
    """Train, print the accuracy on the held-out images, draw some, and return the accuracy."""
    options = program.options_of(__doc__, epochs=20).parse_args(arguments)
    if options.quick:
        options.epochs = 5
    program.begin(options)

    images, labels, held_out, wanted = program.digit_images(options)
    batches = tg.data.DataLoader(tg.data.TensorDataset(images, labels), 64, shuffle=True)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(images[0].numel(), 256), nn.ReLU(), nn.Linear(256, 10)
    )
    optimizer = tg.optim.Adam(model.parameters(), lr=1e-2)

    program.fit(
        options, model, optimizer, batches,
        lambda batch: nn.functional.cross_entropy(model(batch[0]), batch[1]),
        size_of=lambda batch: len(batch[0]), unit="images",
        after_epoch=lambda epoch: {"accuracy": program.accuracy(model, held_out, wanted)},
    )  # fmt: skip
    share = program.accuracy(model, held_out, wanted)
    with tg.no_grad():
        read = model(held_out).argmax(1)
    print(f"{share:.1%} of {len(wanted)} held-out digits read right")

    def draw(figure: object) -> None:
        wrong = (read != wanted).nonzero().flatten().tolist()[:24]
        for place, axes in zip(wrong, figure.subplots(4, 6).flat):  # type: ignore[attr-defined]
            axes.imshow(held_out[place, 0].numpy(), cmap="gray_r")
            axes.set_title(f"{wanted[place].item()} read as {read[place].item()}", fontsize=7)
        for axes in figure.axes:  # type: ignore[attr-defined]
            axes.set_axis_off()

    program.picture(options, "digits", draw)
    return share


if __name__ == "__main__":
    main()
