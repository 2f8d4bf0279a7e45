"""Models that foretell the next token of a text; language_model.py trains them.

Each takes tokens (N, L) and a state, None at first, and gives for each place the logits of the
token that comes next (N, L, V), and the state with which the same texts go on.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.text import KneserNey, Vocabulary


class Windowed(nn.Module):
    """Knows the last `window` tokens, which are its state; before a text there is none of them."""

    def __init__(self, count: int, options: argparse.Namespace) -> None:
        super().__init__()
        self.count, self.window = count, options.window

    def windows(self, tokens: Any, state: Any) -> tuple[Any, Any]:
        """The last tokens at each place, (N, L, window)."""
        if state is None:
            state = tg.full((len(tokens), self.window), self.count)
        known = tg.cat([state, tokens], 1)
        places = tg.arange(tokens.shape[1])[:, None] + tg.arange(1, self.window + 1)
        return known[:, places], known[:, -self.window :]


class LogLinear(Windowed):
    """The sum of what each token at its distance says of all that may come next."""

    def __init__(self, count: int, options: argparse.Namespace) -> None:
        super().__init__(count, options)
        # The last feature is there at every place.
        self.features = (count + 1) * self.window
        self.said = nn.EmbeddingBag(self.features + 1, count, mode="sum", sparse=True)
        nn.init.zeros_(self.said.weight)

    def forward(self, tokens: Any, state: Any = None) -> tuple[Any, Any]:
        windows, state = self.windows(tokens, state)
        features = windows + tg.arange(self.window) * (self.count + 1)
        features = nn.functional.pad(features, (0, 1), value=self.features)
        logits = self.said(features.reshape(-1, self.window + 1))
        return logits.reshape(*tokens.shape, self.count), state


class FeedForward(Windowed):
    """Vectors of the last tokens, side by side, and a layer of tanh."""

    def __init__(self, count: int, options: argparse.Namespace) -> None:
        super().__init__(count, options)
        self.embedding = nn.Embedding(count + 1, options.size // 4)
        self.layers = nn.Sequential(
            nn.Linear(self.window * (options.size // 4), options.size),
            nn.Tanh(),
            nn.Dropout(options.dropout),
            nn.Linear(options.size, count),
        )

    def forward(self, tokens: Any, state: Any = None) -> tuple[Any, Any]:
        windows, state = self.windows(tokens, state)
        return self.layers(self.embedding(windows).flatten(2)), state


class Recurrent(nn.Module):
    """A state that every token changes."""

    layer: Any = nn.RNN

    def __init__(self, count: int, options: argparse.Namespace) -> None:
        super().__init__()
        size, depth = options.size, options.layers
        self.embedding = nn.Embedding(count, size)
        dropout = options.dropout if depth > 1 else 0.0
        self.state = self.layer(size, size, depth, batch_first=True, dropout=dropout)
        self.dropout = nn.Dropout(options.dropout)
        self.logits = nn.Linear(size, count)

    def forward(self, tokens: Any, state: Any = None) -> tuple[Any, Any]:
        found, state = self.state(self.dropout(self.embedding(tokens)), state)
        return self.logits(self.dropout(found)), state


class LSTM(Recurrent):
    """The same with cells that keep what they hold until it is to be forgotten."""

    layer = nn.LSTM


class Transformer(nn.Module):
    """Looks back over at most `length` tokens; learns from pieces of a text, each for itself."""

    def __init__(self, count: int, options: argparse.Namespace) -> None:
        super().__init__()
        size, self.length = options.size, options.length
        self.embedding = nn.Embedding(count, size)
        self.places = nn.Embedding(self.length, size)
        for table in (self.embedding, self.places):
            nn.init.normal_(table.weight, std=0.02)
        layer = nn.TransformerEncoderLayer(
            size, max(1, size // 64), 4 * size, options.dropout, "gelu",
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, options.layers, nn.LayerNorm(size))
        self.dropout = nn.Dropout(options.dropout)
        self.logits = nn.Linear(size, count)

    def forward(self, tokens: Any, state: Any = None) -> tuple[Any, Any]:
        new = tokens.shape[1]
        known = tokens if state is None else tg.cat([state, tokens], 1)
        known = known[:, -self.length :]
        count = known.shape[1]
        words = self.dropout(self.embedding(known) + self.places.weight[:count])
        mask = nn.Transformer.generate_square_subsequent_mask(count)
        logits = self.logits(self.layers(words, mask, is_causal=True)[:, -new:])
        return logits, None if self.training else known[:, -(self.length // 2) :]


class Ngram(nn.Module):
    """Counts, with the other models' interface."""

    def __init__(self, counts: KneserNey, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.counts, self.vocabulary = counts, vocabulary
        self.places = counts.vocabulary.encode(vocabulary.tokens)

    def forward(self, tokens: Any, state: Any = None) -> tuple[Any, Any]:
        known = [*(state or ()), *self.vocabulary.decode(tokens.flatten().tolist())]
        ends = range(len(known) - tokens.shape[1] + 1, len(known) + 1)
        keep = self.counts.order - 1
        shares = [
            self.counts.probabilities(known[max(0, end - keep) : end], beginning=False)
            for end in ends
        ]
        return tg.tensor(np.log(np.stack(shares)[None, :, self.places])).float(), known[-keep:]


MODELS: dict[str, Any] = {
    "ngram": Ngram, "loglinear": LogLinear, "feedforward": FeedForward, "rnn": Recurrent,
    "lstm": LSTM, "transformer": Transformer,
}  # fmt: skip
