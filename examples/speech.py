"""Which digit was said, by a voice that was never heard before? Spectrograms read as images.

A recording becomes a log-mel spectrogram: how loud each pitch is at each time, as the ear divides
both. A small conv net looks for shapes in it, wherever they are in time.

    python examples/speech.py --data folder                     # each speaker held out in turn
    python examples/speech.py --data folder --held-out theo

--data is a folder with wavs DIGIT_SPEAKER_INDEX.wav, or with a .tar.gz of them: the Free Spoken
Digit Dataset, for example, https://github.com/Jakobovski/free-spoken-digit-dataset. Without it the
digits are spoken by espeak-ng in several voices. Few speakers are to stand for all others, so that
training alters them each time: speed, place, noise, and strips cut out of the spectrogram.
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import numpy as np

import program
import recordings
import tensorgrad as tg
from conv_nets import filtered
from recordings import BANDS, DIGITS, Recordings
from tensorgrad import nn


def net() -> nn.Sequential:
    """Spectrograms (N, 1, bands, frames) -> scores (N, 10). Of each shape that the three layers
    find, and each height where it is, what counts is where in time it is clearest.
    """
    channels = (1, 16, 32, 64)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(channels):
        layers += [filtered(inputs, outputs), nn.MaxPool2d(2)]
    height = BANDS // 8
    return nn.Sequential(
        *layers, nn.AdaptiveMaxPool2d((height, 1)), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(channels[-1] * height, len(DIGITS)),
    )  # fmt: skip


def trained(
    options: argparse.Namespace, learnt: Recordings, tested: Recordings
) -> tuple[Any, Any, list[dict[str, float]]]:
    """The spectrograms that are tested, the net's scores of them, and how it learnt."""
    tg.manual_seed(options.seed)
    rate = learnt.rate
    sounds, digits = recordings.centred(learnt.waveforms, rate), tg.tensor(learnt.digits)
    batches = tg.data.DataLoader(tg.data.TensorDataset(sounds, digits), options.batch, shuffle=True)
    spectra = recordings.spectrogram(recordings.centred(tested.waveforms, rate), rate)
    wanted = tg.tensor(tested.digits)
    model = net()
    optimizer = tg.optim.AdamW(model.parameters(), lr=options.rate)

    def loss_of(batch: tuple[Any, Any]) -> Any:
        spectra = recordings.spectrogram(recordings.altered(batch[0], rate), rate)
        return nn.functional.cross_entropy(model(recordings.masked(spectra)), batch[1])

    history = program.fit(
        options, model, optimizer, batches, loss_of,
        size_of=lambda batch: len(batch[1]), unit="recordings",
        schedule=tg.optim.lr_scheduler.OneCycleLR(
            optimizer, options.rate, epochs=options.epochs, steps_per_epoch=len(batches)
        ),
        each_step=True,
        after_epoch=lambda epoch: {"accuracy": program.accuracy(model, spectra, wanted)},
    )  # fmt: skip
    with tg.no_grad():
        return spectra, model(spectra), history


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train without each speaker that is held out, print how many of that one's digits are read
    right, draw some and what is confused, and return each one's share.
    """
    options = program.options_of(
        __doc__,
        epochs=25,
        held_out={"nargs": "+", "default": ["all"], "help": "speakers to be tested, or all"},
        batch={"type": program.whole_number, "default": 64, "help": "recordings of a step"},
        rate={"type": float, "default": 6e-3, "help": "of learning, at its height"},
    ).parse_args(arguments)
    if options.quick:
        options.epochs, options.batch = 15, 16
    program.begin(options)
    known = recordings.spoken_digits(options)
    names = sorted(set(known.speakers.tolist()))
    print(f"{len(known.digits):,} recordings of {len(names)} speakers, {known.rate:,} Hz")
    if options.held_out == ["all"]:
        options.held_out = names[-1:] if options.quick else names

    shares, histories = {}, {}
    confused = np.zeros((10, 10), int)
    for name in options.held_out:
        print(f"---- without {name}")
        learnt, tested = recordings.held_out(known, name)
        part = program.of_part(options, name)
        spectra, scores, histories[name] = trained(part, learnt, tested)
        read = scores.argmax(1).numpy()
        np.add.at(confused, (tested.digits, read), 1)
        shares[name] = float(np.mean(read == tested.digits))
    rows = [(name, f"{share:.1%}") for name, share in shares.items()]
    mean = float(np.mean(list(shares.values())))
    print(program.table([*rows, ("mean", f"{mean:.1%}")], ("held out", "read right")))

    def draw(figure: Any) -> None:
        figure.set_size_inches(10, 7)
        above, below = figure.subfigures(2, 1, height_ratios=(2, 3))
        places = [int(np.argmax(tested.digits == digit)) for digit in sorted({*tested.digits})]
        above.supxlabel("seconds", fontsize=9)
        above.supylabel("Hz", fontsize=9)
        for place, axes in zip(places, above.subplots(2, 5, sharex=True, sharey=True).flat):
            said, taken = (DIGITS[kind[place]] for kind in (tested.digits, read))
            title = f"“{said}”" if said == taken else f"“{said}”, taken for {taken}"
            recordings.show(axes, spectra[place, 0], title)
        left, right = below.subplots(1, 2)
        portions = confused / np.maximum(1, confused.sum(1, keepdims=True))
        left.imshow(portions, cmap="Blues", vmin=0, vmax=1)
        for (said, taken), count in np.ndenumerate(confused):
            if count:
                ink = "white" if portions[said, taken] > 0.5 else "black"
                left.text(taken, said, count, ha="center", va="center", fontsize=7, color=ink)
        left.set_xticks(range(10), DIGITS, rotation=60, fontsize=8)
        left.set_yticks(range(10), DIGITS, fontsize=8)
        left.set(xlabel="taken for", ylabel="said", title=f"{mean:.1%} of all digits read right")
        for name, history in histories.items():
            shown = [epoch["accuracy"] for epoch in history]
            right.plot(range(1, len(shown) + 1), shown, label=name)
        right.axhline(0.1, linestyle=":", color="gray", label="chance")
        right.set(xlabel="epoch", ylabel="accuracy on the voice held out", ylim=(0, 1.02))
        right.legend(title="held out", fontsize=8)

    program.picture(options, "speech", draw)
    return shares


if __name__ == "__main__":
    main()
