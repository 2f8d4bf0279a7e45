"""Recurrent layers.

One matrix product projects the inputs of all steps of a layer; each step is then one product and
one gate op.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.nn import init
from tensorgrad.nn.functional import dropout
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.creation import empty, zeros
from tensorgrad.ops.cutting import unbind
from tensorgrad.ops.joining import cat, stack
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.linear import linear
from tensorgrad.ops.recurrent import lstm_gates
from tensorgrad.ops.shape import squeeze, t, transpose, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

GATES = 4


def _start(module: Module, hidden_size: int) -> None:
    """Uniform in +-1 / sqrt(hidden_size), all parameters."""
    bound = 1 / math.sqrt(hidden_size) if hidden_size else 0.0
    for parameter in module.parameters():
        init.uniform_(parameter, -bound, bound)


def _expect(what: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise ShapeError(f"LSTM: expected {what} of shape {list(shape)}, got {list(tensor.shape)}")


class LSTM(Module):
    """Layers of long short-term memory over sequences (L, N, input_size). Hochreiter and
    Schmidhuber 1997.

    i, f, g, o = W_ih x + b_ih + W_hh h + b_hh; c = sigmoid(f) c + sigmoid(i) tanh(g); h =
    sigmoid(o) tanh(c).

    batch_first: sequences (N, L, input_size); unbatched ones are (L, input_size). Returns the last
    layer's h at every step, (L, N, D * H), and (h_n, c_n), each (D * num_layers, N, H): D is 2 if
    bidirectional, H hidden_size, for h proj_size where that is not 0. dropout: between layers, in
    training. Parameters of layer k: weight_ih_lk (4 H, inputs), weight_hh_lk (4 H, H), bias_ih_lk,
    bias_hh_lk (4 H,), and weight_hr_lk (proj_size, H); those of the other direction end in
    `_reverse`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if hidden_size <= 0 or num_layers <= 0:
            raise ValueError(
                f"LSTM: expected hidden_size and num_layers > 0, got {hidden_size} and {num_layers}"
            )
        if isinstance(dropout, bool) or not 0 <= dropout <= 1:
            raise ValueError(f"LSTM: expected dropout in [0, 1], got {dropout}")
        if not 0 <= proj_size < hidden_size:
            raise ValueError(f"LSTM: expected proj_size in [0, {hidden_size}), got {proj_size}")
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._out_size = proj_size or hidden_size
        self._suffixes = [
            [f"l{layer}{direction}" for direction in ("", "_reverse")[: 1 + bidirectional]]
            for layer in range(num_layers)
        ]
        rows = GATES * hidden_size
        size: dict[str, Any] = {"device": device, "dtype": dtype}
        for layer, suffixes in enumerate(self._suffixes):
            inputs = self._out_size * len(suffixes) if layer else input_size
            for suffix in suffixes:
                self._add(f"weight_ih_{suffix}", rows, inputs, **size)
                self._add(f"weight_hh_{suffix}", rows, self._out_size, **size)
                if bias:
                    self._add(f"bias_ih_{suffix}", rows, **size)
                    self._add(f"bias_hh_{suffix}", rows, **size)
                if proj_size:
                    self._add(f"weight_hr_{suffix}", proj_size, hidden_size, **size)
        self.reset_parameters()

    def _add(self, name: str, *shape: int, **options: Any) -> None:
        self.register_parameter(name, Parameter(empty(*shape, **options)))

    def reset_parameters(self) -> None:
        _start(self, self.hidden_size)

    def flatten_parameters(self) -> None:
        """Nothing: parameters need no common memory here."""

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if input.ndim not in (2, 3):
            raise ValueError(f"LSTM: expected 2D or 3D input, got shape {list(input.shape)}")
        if input.shape[-1] != self.input_size:
            raise ShapeError(
                f"LSTM: expected input of shape (*, {self.input_size}), got {list(input.shape)}"
            )
        batched = input.ndim == 3
        if not batched:
            input = unsqueeze(input, 1)
        elif self.batch_first:
            input = transpose(input, 0, 1)
        h0, c0 = self._initial(input, hx, batched)
        last_h: list[Tensor] = []
        last_c: list[Tensor] = []
        for layer, suffixes in enumerate(self._suffixes):
            if layer and self.dropout:
                input = dropout(input, self.dropout, self.training)
            sequences = []
            for suffix in suffixes:
                number = len(last_h)
                sequence, h, c = self._direction(input, h0[number], c0[number], suffix)
                sequences.append(sequence)
                last_h.append(h)
                last_c.append(c)
            input = sequences[0] if len(sequences) == 1 else cat(sequences, -1)
        h_n, c_n = stack(last_h), stack(last_c)
        if not batched:
            return squeeze(input, 1), (squeeze(h_n, 1), squeeze(c_n, 1))
        return transpose(input, 0, 1) if self.batch_first else input, (h_n, c_n)

    def _initial(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None, batched: bool
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """h and c before the first step, (N, size) for each layer and direction."""
        count, batch = self.num_layers * (1 + self.bidirectional), input.shape[1]
        if hx is None:
            h = zeros(batch, self._out_size, dtype=input.dtype, device=input.device)
            c = zeros(batch, self.hidden_size, dtype=input.dtype, device=input.device)
            return (h,) * count, (c,) * count
        h, c = hx
        middle = (batch,) if batched else ()
        _expect("h_0", h, (count, *middle, self._out_size))
        _expect("c_0", c, (count, *middle, self.hidden_size))
        if not batched:
            h, c = unsqueeze(h, 1), unsqueeze(c, 1)
        return unbind(h), unbind(c)

    def _direction(
        self, input: Tensor, h: Tensor, c: Tensor, suffix: str
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One layer in one direction: all its h (L, N, H), the last h and the last c."""
        part = self.__dict__
        bias = part[f"bias_ih_{suffix}"] + part[f"bias_hh_{suffix}"] if self.bias else None
        steps = unbind(linear(input, part[f"weight_ih_{suffix}"], bias))
        recurrent = t(part[f"weight_hh_{suffix}"])
        backwards = suffix.endswith("_reverse")
        outputs = []
        for projected in reversed(steps) if backwards else steps:
            h, c = lstm_gates(projected + matmul(h, recurrent), c)
            if self.proj_size:
                h = linear(h, part[f"weight_hr_{suffix}"])
            outputs.append(h)
        return stack(outputs[::-1] if backwards else outputs), h, c

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ):
            value = getattr(self, name)
            text += "" if value == default else f", {name}={value}"
        return text


class LSTMCell(Module):
    """One step of an LSTM: input (N, input_size) or (input_size,), and (h, c), to the new pair."""

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = GATES * hidden_size
        size: dict[str, Any] = {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(empty(rows, input_size, **size))
        self.weight_hh = Parameter(empty(rows, hidden_size, **size))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, **size)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        _start(self, self.hidden_size)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        if input.ndim not in (1, 2):
            raise ValueError(f"LSTMCell: expected 1D or 2D input, got shape {list(input.shape)}")
        batched = input.ndim == 2
        input = input if batched else unsqueeze(input, 0)
        if hx is None:
            h = zeros(input.shape[0], self.hidden_size, dtype=input.dtype, device=input.device)
            c = h
        else:
            h, c = hx if batched else (unsqueeze(hx[0], 0), unsqueeze(hx[1], 0))
        gates = linear(input, self.weight_ih, self.bias_ih) + linear(
            h, self.weight_hh, self.bias_hh
        )
        h, c = lstm_gates(gates, c)
        return (h, c) if batched else (squeeze(h, 0), squeeze(c, 0))

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")
