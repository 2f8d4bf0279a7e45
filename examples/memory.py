"""How long is something remembered? RNN, LSTM, GRU and attention, asked after ever longer waits.

Two tasks that are trivial for who remembers (Hochreiter and Schmidhuber 1997). adding: of a row of
numbers two are marked, one in each half; the answer is their sum. copy: five symbols, then a long
row of nothing, then the five are to be told.

    python examples/memory.py
    python examples/memory.py --task copy --model lstm gru --lags 50 100 200 --epochs 30

A plain recurrent net multiplies its gradient by the same matrix at each step back, and what was
long ago goes to 0 in it. The gates of LSTM and GRU can hold a number as it is, and attention looks
back over any distance in one step. The data are made while learning: no batch comes twice.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from typing import Any

import program
import tensorgrad as tg
from tensorgrad import nn

SYMBOLS, TOLD = 8, 5  # of the copy task: different ones, and how many are to be told


class Adding:
    """Numbers and marks (N, lag, 2) -> the sum of the two that are marked, (N, 1)."""

    inputs, outputs, answers = 2, 1, 1
    chance = 1 / 6  # the variance of a sum of two: what is left for who says 1 always
    unit = "mean squared error"

    @staticmethod
    def draw(count: int, lag: int) -> tuple[Any, Any]:
        values, half = tg.rand(count, lag), lag // 2
        first, second = tg.randint(0, half, (count,)), tg.randint(half, lag, (count,))
        marks = sum(nn.functional.one_hot(place, lag) for place in (first, second))
        return tg.stack([values, marks.float()], 2), (values * marks).sum(1, keepdim=True)

    @staticmethod
    def loss(answers: Any, wanted: Any) -> Any:
        return nn.functional.mse_loss(answers[:, -1], wanted)


class Copy:
    """Symbols, nothing for `lag` steps less those, and the sign to tell them, as ones among zeros
    (N, lag + TOLD, SYMBOLS + 2) -> the symbols, (N, TOLD): each is told `lag` steps after it came.
    """

    inputs, outputs, answers = SYMBOLS + 2, SYMBOLS, TOLD
    chance = math.log(SYMBOLS)
    unit = "cross-entropy, nats a symbol"

    @staticmethod
    def draw(count: int, lag: int) -> tuple[Any, Any]:
        symbols = tg.randint(0, SYMBOLS, (count, TOLD))
        nothing = tg.full((count, lag - TOLD), SYMBOLS)
        row = tg.cat([symbols, nothing, tg.full((count, TOLD), SYMBOLS + 1)], 1)
        return nn.functional.one_hot(row, SYMBOLS + 2).float(), symbols

    @staticmethod
    def loss(answers: Any, wanted: Any) -> Any:
        return nn.functional.cross_entropy(answers.flatten(0, 1), wanted.flatten())


TASKS: dict[str, Any] = {"adding": Adding, "copy": Copy}


class Recurrent(nn.Module):
    """A state goes through the row; the answers are read off its last ones."""

    def __init__(self, kind: Any, task: Any, lag: int, size: int) -> None:
        super().__init__()
        self.task = task
        self.rnn = kind(task.inputs, size, batch_first=True)
        self.scores = nn.Linear(size, task.outputs)
        if kind is nn.LSTM:
            # A forget gate of sigmoid(log(t)) = t / (t + 1) keeps a number for about t steps: so
            # that the gates' times reach from 1 to the lag (Tallec and Ollivier 2018).
            with tg.no_grad():
                kept = tg.empty(size).uniform_(1, max(2, lag - 1)).log()
                self.rnn.bias_ih_l0[:size] = -kept
                self.rnn.bias_ih_l0[size : 2 * size] = kept
                self.rnn.bias_hh_l0[: 2 * size] = 0

    def forward(self, rows: Any) -> Any:
        return self.scores(self.rnn(rows)[0][:, -self.task.answers :])


class Attention(nn.Module):
    """The last places, where the answers are, look at the whole row, whose places are told apart by
    vectors of their own.
    """

    def __init__(self, task: Any, lag: int, size: int) -> None:
        super().__init__()
        self.task = task
        self.inputs = nn.Linear(task.inputs, size)
        self.places = nn.Parameter(0.5 * tg.randn(lag + task.answers, size))
        self.attention = nn.MultiheadAttention(size, 4, batch_first=True)
        self.scores = nn.Sequential(
            nn.LayerNorm(size), nn.Linear(size, 2 * size), nn.ReLU(),
            nn.Linear(2 * size, task.outputs),
        )  # fmt: skip

    def forward(self, rows: Any) -> Any:
        seen = self.inputs(rows) + self.places[: rows.shape[1]]
        asking = seen[:, -self.task.answers :]
        found, _ = self.attention(asking, seen, seen, need_weights=False)
        return self.scores(asking + found)


CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
MODELS = (*CELLS, "attention")


class Fresh:
    """So many batches, each drawn when it is asked for."""

    def __init__(self, task: Any, lag: int, options: argparse.Namespace) -> None:
        self.task, self.lag, self.options = task, lag, options

    def __len__(self) -> int:
        return int(self.options.steps)

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for _ in range(self.options.steps):
            yield self.task.draw(self.options.batch, self.lag)


def remembered(options: argparse.Namespace, task: str, name: str, lag: int) -> float:
    """The loss of the model on rows that it has not seen, after it has learnt the task."""
    options = program.of_part(options, f"{task}-{name}-{lag}")
    tg.manual_seed(options.seed)
    kind = TASKS[task]
    rows, wanted = kind.draw(256, lag)
    if name in CELLS:
        model: Any = Recurrent(CELLS[name], kind, lag, options.size)
    else:
        model = Attention(kind, lag, options.size)
    optimizer = tg.optim.Adam(model.parameters(), lr=options.rate)
    history = program.fit(
        options, model, optimizer, Fresh(kind, lag, options),
        lambda batch: kind.loss(model(batch[0]), batch[1]),
        size_of=lambda batch: len(batch[0]), unit="rows", clip=1.0,
        after_epoch=lambda epoch: {"held out": kind.loss(model(rows), wanted).item()},
        title=f"{task}, {name}, lag {lag}",
    )  # fmt: skip
    return history[-1]["held out"]


def main(arguments: list[str] | None = None) -> dict[str, dict[str, list[float]]]:
    """Train each model on each task with each lag, print a table of the losses, draw them, and
    return them: by the task and the model one for each lag.
    """
    options = program.options_of(
        __doc__,
        epochs=20,
        task={"nargs": "+", "choices": [*TASKS], "default": [*TASKS], "help": "which"},
        model={"nargs": "+", "choices": MODELS, "default": [*MODELS], "help": "which"},
        lags={"nargs": "+", "type": int, "default": [10, 20, 50, 100, 200, 500], "help": "steps"},
        size={"type": program.whole_number, "default": 64, "help": "numbers of a state"},
        steps={"type": program.whole_number, "default": 100, "help": "of an epoch"},
        batch={"type": program.whole_number, "default": 32, "help": "rows of a step"},
        rate={"type": float, "default": 3e-3, "help": "of learning"},
    ).parse_args(arguments)
    if options.quick:
        options.lags, options.size, options.steps, options.epochs = [5, 20], 32, 50, 3
        options.rate = 1e-2
    if min(options.lags) < TOLD:
        raise SystemExit(f"--lags: expected lags of at least {TOLD}, got {min(options.lags)}")
    program.begin(options)

    found: dict[str, dict[str, list[float]]] = {}
    for task in options.task:
        found[task] = {
            name: [remembered(options, task, name, lag) for lag in options.lags]
            for name in options.model
        }
        print(f"{task}: {TASKS[task].unit}, by chance {TASKS[task].chance:.3f}")
        rows = [(name, *(f"{loss:.3f}" for loss in found[task][name])) for name in options.model]
        print(program.table(rows, ("lag", *options.lags)))

    def draw(figure: Any) -> None:
        for task, axes in zip(found, figure.subplots(1, len(found), squeeze=False).flat):
            for name, losses in found[task].items():
                axes.plot(options.lags, losses, marker="o", label=name)
            chance = TASKS[task].chance
            axes.axhline(chance, linestyle=":", color="gray", label="without memory")
            axes.set(title=task, xlabel="lag, steps", ylabel=TASKS[task].unit, xscale="log")
            axes.set_xticks(options.lags, options.lags)
            axes.minorticks_off()
            axes.set_ylim(-0.03 * chance, 1.25 * chance)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=5)

    program.picture(options, "memory", draw)
    return found


if __name__ == "__main__":
    main()
