"""How likely is a text? Six models of P(text), and what they say when they are asked to go on.

Each foretells the next character or word: from counts of n-grams (ngram, Kneser-Ney), from the sum
of what each of the last few says for itself (loglinear), from all of these together (feedforward,
Bengio et al. 2003), from a state that goes through the whole text (rnn, lstm), or by looking back
over it (transformer).

    python examples/language_model.py --data folder --model lstm --size 512 --layers 2 --epochs 10
    python examples/language_model.py --data folder --model transformer --size 256 --layers 4 \\
        --rate 1e-3 --rows 16 --length 256 --epochs 15
    python examples/language_model.py --unit words --model ngram feedforward lstm
    python examples/language_model.py --probe --model all

--data is a folder with input.txt: tiny-shakespeare, for example, of
https://github.com/karpathy/char-rnn; without it the bundled plays are read. The last tenth of the
text is held out. --probe trains them on brackets of three kinds around letters, and asks which kind
is to be closed: a window is at a loss where it does not reach the one that was opened.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import program
import tensorgrad as tg
from next_token import MODELS, Ngram
from tensorgrad import nn
from tensorgrad.text import KneserNey, Vocabulary, sample_token, tokenize

WHENCE = "Of https://github.com/karpathy/char-rnn it is data/tinyshakespeare/input.txt."
BRACKETS = {"(": ")", "[": "]", "{": "}"}

# ---- texts


class Pieces:
    """A text as `rows` texts side by side, `length` tokens of each at a time, in their order: of
    each piece whether it is the first, its tokens, and those that come next. Shuffled, each pass
    begins at another place, so that pieces are never cut alike.
    """

    def __init__(self, ids: Any, rows: int, length: int, shuffle: bool) -> None:
        self.ids, self.length, self.shuffle = ids, length, shuffle
        self.rows = max(1, min(rows, len(ids) // (2 * length)))

    def __len__(self) -> int:
        return -(-((len(self.ids) - 1 - self._most()) // self.rows) // self.length)

    def _most(self) -> int:
        return self.length - 1 if self.shuffle else 0

    def __iter__(self) -> Iterator[tuple[bool, Any, Any]]:
        start = int(tg.randint(0, self._most() + 1, (1,)).item()) if self.shuffle else 0
        wide = (len(self.ids) - 1 - self._most()) // self.rows
        places = start + np.arange(self.rows)[:, None] * wide
        for begin in range(0, wide, self.length):
            piece = places + np.arange(begin, min(begin + self.length, wide))
            yield not begin, tg.tensor(self.ids[piece]), tg.tensor(self.ids[piece + 1])


def made_brackets(count: int, seed: int) -> str:
    """At least so many characters: brackets of three kinds around letters and other brackets."""
    drawn = random.Random(seed)
    text: list[str] = []
    opened: list[str] = []
    while len(text) < count or opened:
        text += drawn.choices("abcd", k=drawn.randint(0, 4))
        if opened and (len(opened) == 2 or drawn.random() < 0.6):
            text.append(BRACKETS[opened.pop()])
        else:
            opened.append(drawn.choice(list(BRACKETS)))
            text.append(opened[-1])
    return "".join(text)


def closings(text: str) -> dict[int, list[int]]:
    """The places of closing brackets, by how far behind their openings they stand."""
    opened: list[int] = []
    found: dict[int, list[int]] = {}
    for place, mark in enumerate(text):
        if mark in BRACKETS:
            opened.append(place)
        elif opened and mark == BRACKETS[text[opened[-1]]]:
            found.setdefault(place - opened.pop(), []).append(place)
    return found


# ---- training, and what a model says


def trained(
    options: argparse.Namespace, name: str, vocabulary: Vocabulary, learnt: Any, held_out: Any
) -> tuple[Any, list[dict[str, float]]]:
    """The model of that name after its best epoch, and its losses. The texts are tokens."""
    print(f"---- {name}")
    options = program.of_part(options, name)
    tg.manual_seed(options.seed)
    if name == "ngram":
        counts = KneserNey([learnt], options.order, options.min_freq)
        print(f"{counts}: held out {(loss := counts.loss([held_out])):.4f}")
        return Ngram(counts, vocabulary), [{"held out": loss}]
    model = MODELS[name](len(vocabulary), options)
    if name == "loglinear":
        optimizer: Any = tg.optim.SparseAdam(list(model.parameters()), lr=options.rate)
    else:
        optimizer = tg.optim.AdamW(model.parameters(), lr=options.rate)
    carried: list[Any] = [None]

    def loss_of(piece: tuple[bool, Any, Any]) -> Any:
        first, tokens, following = piece
        logits, state = model(tokens, None if first else carried[0])
        carried[0] = detached(state)
        return nn.functional.cross_entropy(logits.flatten(0, 1), following.flatten())

    # A transformer goes on with half of what it can look back over.
    held = Pieces(vocabulary.encode(held_out), 16, options.length // 2, False)

    def after_epoch(epoch: int) -> dict[str, float]:
        total = [(loss_of(piece).item(), piece[1].numel()) for piece in held]
        return {"held out": sum(v * n for v, n in total) / sum(n for _, n in total)}

    history = program.fit(
        options, model, optimizer,
        Pieces(vocabulary.encode(learnt), options.rows, options.length, True), loss_of,
        size_of=lambda piece: piece[1].numel(), unit=options.unit,
        clip=None if name == "loglinear" else 1.0, after_epoch=after_epoch,
        schedule=tg.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs),
        best=lambda figures: -figures["held out"],
    )  # fmt: skip
    return model, history


def detached(state: Any) -> Any:
    """The same numbers, through which no gradient flows back into the piece before."""
    if isinstance(state, tuple):
        return tuple(part.detach() for part in state)
    return state if state is None else state.detach()


def log_prob(model: Any, ids: Any) -> float:
    """log P of all tokens but the first, given those before each."""
    tokens = tg.tensor(ids)
    with tg.no_grad():
        found = []
        state = None
        for token in tokens[:-1]:
            logits, state = model(token.reshape(1, 1), state)
            found.append(logits[0, 0].log_softmax(-1))
    return float(sum(row[token].item() for row, token in zip(found, tokens[1:])))


def sampled(model: Any, ids: Any, options: argparse.Namespace) -> list[int]:
    """The tokens with which the model goes on behind `ids`."""
    tg.manual_seed(options.seed)
    said: list[int] = []
    with tg.no_grad():
        logits, state = model(tg.tensor(ids)[None], None)
        for _ in range(options.sample):
            token = sample_token(logits[:, -1], options.temperature, options.top_k, options.top_p)
            said.append(int(token.item()))
            logits, state = model(token[:, None], state)
    return said


def closed_right(model: Any, vocabulary: Vocabulary, text: str) -> dict[int, float]:
    """Of the closing brackets so far behind their openings the share that is foretold: whose kind
    the model holds for the likeliest of the three.
    """
    with tg.no_grad():
        logits, state = [], None
        ids = vocabulary.encode(text)
        for start in range(0, len(ids), 64):
            found, state = model(tg.tensor(ids[None, start : start + 64]), state)
            logits.append(found[0].numpy())
    closers = vocabulary.encode(BRACKETS.values())
    kinds = closers[np.concatenate(logits)[:, closers].argmax(1)]
    return {
        far: float(np.mean([kinds[place - 1] == ids[place] for place in places]))
        for far, places in sorted(closings(text).items())
        if len(places) >= 20
    }


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Train the models that are asked for, print a table, a score and a text of the best, draw how
    they learnt, and return each one's held-out loss in nats a token; with --probe by how far the
    bracket is the share of brackets that each closes right.
    """
    options = program.options_of(
        __doc__,
        epochs=10,
        model={"nargs": "+", "choices": [*MODELS, "all"], "default": ["lstm"], "help": "which"},
        unit={"choices": ["characters", "words"], "default": "characters", "help": "of a token"},
        min_freq={"type": int, "default": 2, "help": "rarer tokens are unknown"},
        order={"type": int, "default": 6, "help": "tokens of an n-gram"},
        window={"type": int, "default": 5, "help": "tokens that loglinear and feedforward see"},
        size={"type": int, "default": 256, "help": "numbers of a state"},
        layers={"type": int, "default": 1, "help": "one upon another"},
        dropout={"type": float, "default": 0.2, "help": "share of numbers hidden in training"},
        rate={"type": float, "default": 2e-3, "help": "of learning"},
        rows={"type": int, "default": 32, "help": "texts side by side"},
        length={"type": int, "default": 128, "help": "tokens of a piece"},
        probe={"action": "store_true", "help": "learn brackets in place of a text"},
        score={"default": "To be, or not to be: that is the question.", "help": "a text to judge"},
        sample={"type": int, "default": 300, "help": "tokens to go on with"},
        prompt={"default": "", "help": "what is gone on from"},
        temperature={"type": float, "default": 0.8, "help": "below 1 sharper, above 1 flatter"},
        top_k={"type": int, "help": "sample of so many tokens"},
        top_p={"type": float, "help": "sample of the fewest tokens with this probability"},
    ).parse_args(arguments)
    if options.quick:
        options.size, options.epochs, options.rows, options.length = 64, 3, 16, 32
        options.rate, options.dropout, options.sample = 1e-2, 0.0, 100
    program.begin(options)
    names = list(MODELS) if "all" in options.model else options.model
    if options.probe:
        return probe(options, names)

    if options.data is None:
        text = tg.datasets.shakespeare()
    else:
        path = program.data_file(options, "input.txt", WHENCE)
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise SystemExit(f"{path}: expected text in UTF-8, got {error}") from None
    if options.quick:
        text = text[:60_000]
    split = tokenize if options.unit == "words" else list
    cut = len(text) * 9 // 10
    learnt, held_out = split(text[:cut]), split(text[cut:])
    least = 2 * options.length
    if len(held_out) < least:
        raise SystemExit(
            f"expected a text of at least {10 * least} {options.unit}, a tenth of which is held "
            f"out, or a smaller --length; got {len(learnt) + len(held_out)}"
        )
    vocabulary = Vocabulary(learnt, min_freq=options.min_freq)
    print(f"{len(learnt):,} {options.unit} to learn from, {len(vocabulary):,} different ones")

    rows, models, histories = [], {}, {}
    for name in names:
        begun = time.perf_counter()
        models[name], histories[name] = trained(options, name, vocabulary, learnt, held_out)
        loss = min(epoch["held out"] for epoch in histories[name])
        size = sum(parameter.numel() for parameter in models[name].parameters())
        size = size or len(models[name].counts)
        seconds = time.perf_counter() - begun
        rows.append((name, f"{loss:.3f}", f"{math.exp(loss):.2f}", f"{size:,}", f"{seconds:.0f}"))
    print(program.table(rows, ("model", "nats", "perplexity", "parameters", "seconds")))

    losses = {name: min(epoch["held out"] for epoch in histories[name]) for name in names}
    best = min(losses, key=lambda name: losses[name])
    # A text begins as a line or a sentence does.
    start = split("\n" if options.unit == "characters" else ".")
    judged = vocabulary.encode(start + split(options.score))
    print(f"{best}: log P({options.score!r}) = {log_prob(models[best], judged):.2f}")
    said = sampled(models[best], vocabulary.encode(start + split(options.prompt)), options)
    between = " " if options.unit == "words" else ""
    print(options.prompt + between + between.join(vocabulary.decode(said)))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for name, history in histories.items():
            values = [epoch["held out"] for epoch in history]
            axes.plot(range(1, len(values) + 1), values, marker="o", label=name)
        axes.set(xlabel="epoch", ylabel=f"held-out loss, nats a {options.unit[:-1]}")
        axes.legend()

    program.picture(options, "language_model", draw)
    return losses


def probe(options: argparse.Namespace, names: list[str]) -> dict[str, dict[int, float]]:
    """What each model knows of a bracket that was opened, by how far that is."""
    size = 40_000 if options.quick else 400_000
    learnt, tested = made_brackets(size, 1), made_brackets(20_000, 2)
    vocabulary = Vocabulary(learnt)
    found = {}
    for name in names:
        model, _ = trained(options, name, vocabulary, learnt, tested)
        found[name] = closed_right(model, vocabulary, tested)
    far = sorted(set.intersection(*(set(shares) for shares in found.values())))
    rows = [(name, *(f"{found[name][n]:.0%}" for n in far)) for name in names]
    print(program.table(rows, ("tokens apart", *far)))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for name in names:
            axes.plot(far, [found[name][n] for n in far], marker="o", label=name)
        axes.axhline(1 / 3, linestyle=":", color="gray", label="chance")
        axes.set(xlabel="tokens from the opening bracket", ylabel="closed right", ylim=(0, 1.05))
        axes.legend()

    program.picture(options, "language_model", draw)
    return found


if __name__ == "__main__":
    main()
