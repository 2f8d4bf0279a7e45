"""Which digits were said one after another, by a voice that was never heard before? Read by CTC.

Nobody tells where in the sound a digit begins or ends. At each step a net says which digit it
hears, or that it hears none ("blank"). Connectionist temporal classification (Graves et al. 2006)
sums over all ways to lay the digits out over the steps, P(digits) = sum over paths of prod over t
of P(path_t at t), and the net finds out by itself where they are.

    python examples/dictation.py --data folder
    python examples/dictation.py --data folder --held-out theo --longest 7 --epochs 60

--data is the folder of spoken digits that speech.py reads; without it espeak-ng says them. Strings
are made of recordings of one speaker with pauses between, other ones in each pass.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np

import program
import recordings
import tensorgrad as tg
from conv_nets import filtered
from recordings import BANDS, DIGITS, Recordings
from tensorgrad import nn
from tensorgrad.text import ctc_beam_search, ctc_best_path, edit_distance

PAUSE = 0.2  # seconds between two digits, at most


class Strings:
    """Batches of strings of digits, each of one speaker, drawn when they are asked for: sounds
    (N, samples); digits (N, longest), counted from 1, for 0 is the blank; how many they are (N,).
    """

    def __init__(self, known: Recordings, options: argparse.Namespace) -> None:
        self.known, self.options = known, options
        speakers = sorted(set(known.speakers.tolist()))
        self.places = [np.flatnonzero(known.speakers == speaker) for speaker in speakers]

    def __len__(self) -> int:
        return -(-int(self.options.strings) // int(self.options.batch))

    def __iter__(self) -> Iterator[tuple[Any, Any, Any]]:
        for _ in range(len(self)):
            yield self.draw(self.options.batch)

    def draw(self, count: int) -> tuple[Any, Any, Any]:
        drawn = np.random.default_rng(int(tg.randint(0, 2**31, (1,)).item()))
        counts = drawn.integers(1, self.options.longest + 1, count)
        digits = np.zeros((count, self.options.longest), np.int64)
        sounds = []
        for row, length in zip(digits, counts, strict=True):
            places = drawn.choice(self.places[drawn.integers(len(self.places))], length)
            row[:length] = self.known.digits[places] + 1
            parts = []
            for place in places:
                pause = np.zeros(drawn.integers(int(PAUSE * self.known.rate)), np.float32)
                parts += [self.known.waveforms[place], pause]
            sounds.append(np.concatenate(parts))
        # Room on both sides, for a slower voice takes longer; in few sizes, each prepared once.
        half = self.known.rate // 2
        samples = (1 + int(1.25 * max(map(len, sounds)) / half)) * half + half // 2
        return recordings.centred(sounds, samples), tg.tensor(digits), tg.tensor(counts)


class Listener(nn.Module):
    """Spectrograms (N, 1, bands, frames) -> log P(blank or digit) at each step, (steps, N, 11). A
    step is 4 frames, 50 ms; filters upon filters see 0.4 s around it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.filters = nn.Sequential(
            filtered(1, channels), nn.MaxPool2d(2), filtered(channels, 2 * channels),
            nn.MaxPool2d(2), filtered(2 * channels, 4 * channels), nn.MaxPool2d((2, 1)),
            nn.Flatten(1, 2), nn.Dropout(0.2),
        )  # fmt: skip
        self.scores = nn.Sequential(
            nn.Conv1d(4 * channels * (BANDS // 8), 8 * channels, 5, padding=2), nn.ReLU(),
            nn.Conv1d(8 * channels, 1 + len(DIGITS), 1),
        )  # fmt: skip
        # Most steps are blank: not to begin with is to learn that first.
        with tg.no_grad():
            self.scores[-1].bias[0] = 4.0

    def forward(self, spectra: Any) -> Any:
        return self.scores(self.filters(spectra)).permute(2, 0, 1).log_softmax(2)


def loss_of(model: Listener, spectra: Any, digits: Any, counts: Any) -> Any:
    """-log P(digits) per digit: the sum over all their ways over the steps."""
    log_probs = model(spectra)
    steps = tg.full((len(counts),), len(log_probs), dtype=tg.int64)
    return nn.functional.ctc_loss(log_probs, digits, steps, counts)


def errors(read: list[list[int]], wanted: list[list[int]]) -> dict[str, float]:
    """How many digits were missed, added or mistaken for each one said, and which share of the
    strings is wholly right.
    """
    wrong = sum(edit_distance(one, other) for one, other in zip(read, wanted, strict=True))
    right = sum(one == other for one, other in zip(read, wanted, strict=True))
    return {"digit errors": wrong / sum(map(len, wanted)), "strings right": right / len(wanted)}


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Train without one speaker, print how that one's strings are read by the best path and by beam
    search, draw what the net hears when, and return the errors of both.
    """
    options = program.options_of(
        __doc__,
        epochs=40,
        held_out={"help": "the speaker to be tested; the last by name unless told"},
        longest={"type": program.whole_number, "default": 5, "help": "digits of a string"},
        strings={"type": program.whole_number, "default": 1200, "help": "of an epoch"},
        batch={"type": program.whole_number, "default": 24, "help": "strings of a step"},
        beams={"type": program.whole_number, "default": 8, "help": "of the search"},
        channels={
            "type": program.whole_number,
            "default": 16,
            "help": "filters of the first layer",
        },
        rate={"type": float, "default": 3e-3, "help": "of learning, at its height"},
    ).parse_args(arguments)
    if options.quick:
        options.longest, options.strings, options.batch, options.epochs = 2, 96, 8, 16
        options.channels, options.rate = 8, 1e-2
    program.begin(options)
    known = recordings.spoken_digits(options)
    name = options.held_out or max(known.speakers.tolist())
    learnt, tested = recordings.held_out(known, name)
    rate = known.rate
    print(f"{len(learnt.digits):,} recordings to learn from, {len(tested.digits):,} of {name}")

    sounds, digits, counts = Strings(tested, options).draw(40 if options.quick else 300)
    spectra = recordings.spectrogram(sounds, rate)
    wanted = [row[:count] for row, count in zip(digits.tolist(), counts.tolist(), strict=True)]
    model = Listener(options.channels)
    optimizer = tg.optim.AdamW(model.parameters(), lr=options.rate)
    batches = Strings(learnt, options)

    def loss_of_batch(batch: tuple[Any, Any, Any]) -> Any:
        spectra = recordings.spectrogram(recordings.altered(batch[0], rate), rate)
        return loss_of(model, recordings.masked(spectra), *batch[1:])

    history = program.fit(
        options, model, optimizer, batches, loss_of_batch,
        size_of=lambda batch: len(batch[2]), unit="strings", clip=5.0,
        schedule=tg.optim.lr_scheduler.OneCycleLR(
            optimizer, options.rate, epochs=options.epochs, steps_per_epoch=len(batches)
        ),
        each_step=True,
        after_epoch=lambda epoch: errors(ctc_best_path(model(spectra)), wanted),
    )  # fmt: skip

    with tg.no_grad():
        log_probs = model(spectra)
    searched = [ctc_beam_search(row, options.beams)[0][0] for row in log_probs.transpose(0, 1)]
    read = {"best path": ctc_best_path(log_probs), "beam search": searched}
    found = {way: errors(strings, wanted) for way, strings in read.items()}
    rows = [(way, *(f"{share:.1%}" for share in shares.values())) for way, shares in found.items()]
    print(program.table(rows, (f"{len(wanted)} strings of {name}", *found["best path"])))

    def draw(figure: Any) -> None:
        figure.set_size_inches(10, 7)
        above, middle, below = figure.subplots(3, 1, height_ratios=(2, 2, 3))
        place = max(range(len(wanted)), key=lambda one: len(wanted[one]))
        said, heard = (
            " ".join(DIGITS[label - 1] for label in row) for row in (wanted[place], searched[place])
        )
        recordings.show(above, spectra[place, 0], f"said: {said}; read: {heard}")
        above.set(ylabel="Hz")
        shares = log_probs[:, place].exp().numpy()
        times = (np.arange(len(shares)) + 0.5) / 20
        middle.plot(times, shares[:, 0], color="lightgray", label="blank")
        for digit in sorted({*wanted[place], *searched[place]}):
            middle.plot(times, shares[:, digit], label=DIGITS[digit - 1])
        middle.set(xlim=above.get_xlim(), xlabel="seconds", ylabel="P(heard now)", ylim=(0, 1.05))
        middle.legend(fontsize=8, loc="upper right")
        for figure_name in ("digit errors", "strings right"):
            shown = [epoch[figure_name] for epoch in history]
            below.plot(range(1, len(shown) + 1), shown, label=figure_name)
        below.set(xlabel="epoch", ylabel=f"of {name}'s, never heard in training", ylim=(0, 1.05))
        below.legend()

    program.picture(options, "dictation", draw)
    return found


if __name__ == "__main__":
    main()
