"""Recurrent layers and their cells: what one step computes, and the state it hands on.

https://docs.pytorch.org/docs/stable/nn.html#recurrent-layers. What layers share is said in
nn/recurrence.py, how one runs over sequences in ops/recurrent.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.nn.recurrence import RNNBase, Weights, uniform_by_size
from tensorgrad.ops.creation import empty, zeros
from tensorgrad.ops.linear import linear
from tensorgrad.ops.pointwise import tanh
from tensorgrad.ops.rectifiers import relu
from tensorgrad.ops.recurrent import State, gru, gru_gates, lstm, lstm_gates, rnn
from tensorgrad.ops.shape import squeeze, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class _Simple(RNNBase):
    """A layer whose state is h alone."""

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (h_n,) = self._run(input, None if hx is None else (hx,))
        return output, h_n


class RNN(_Simple):
    """Layers of h = tanh(W_ih x + b_ih + W_hh h + b_hh) over sequences; or relu for tanh. Elman
    1990.

    input: (L, N, input_size); with batch_first (N, L, input_size); (L, input_size) for one
    sequence; or a PackedSequence. Returns the last layer's h at every step, (L, N, D * H) in the
    input's form, and h_n (D * num_layers, N, H): D is 2 if bidirectional, H hidden_size. h_0, as
    h_n, is zeros unless given. dropout: between layers, in training. Parameters of layer k:
    weight_ih_lk (H, inputs), weight_hh_lk (H, H), bias_ih_lk, bias_hh_lk (H,), uniform in +-1 /
    sqrt(H) at first; those of the other direction end in `_reverse`.
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: expected nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0,
            device, dtype,
        )  # fmt: skip
        self.nonlinearity = nonlinearity

    def _sequence(
        self,
        projected: Tensor,
        initial: State,
        weights: Weights,
        sizes: tuple[int, ...] | None,
        backwards: bool,
    ) -> tuple[Tensor, ...]:
        rectified = self.nonlinearity == "relu"
        (h,) = initial
        return rnn(projected, h, weights.recurrent, rectified, sizes, backwards)


class LSTM(RNNBase):
    """Layers of long short-term memory over sequences. Hochreiter and Schmidhuber 1997.

    i, f, g, o = W_ih x + b_ih + W_hh h + b_hh; c = sigmoid(f) c + sigmoid(i) tanh(g); h =
    sigmoid(o) tanh(c), and W_hr h where there is a proj_size.

    As `RNN`, but the state is (h, c), c (D * num_layers, N, H): it returns (h_n, c_n). h has
    proj_size in place of H where that is not 0 (Sak et al. 2014). Parameters as there with 4 H
    rows, and weight_hr_lk (proj_size, H).
    """

    gates = 4

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
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional,
            proj_size, device, dtype,
        )  # fmt: skip

    def forward(
        self, input: Any, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Any, tuple[Tensor, Tensor]]:
        output, (h_n, c_n) = self._run(input, hx)
        return output, (h_n, c_n)

    def _sizes(self) -> dict[str, int]:
        return {"h_0": self.proj_size or self.hidden_size, "c_0": self.hidden_size}

    def _sequence(
        self,
        projected: Tensor,
        initial: State,
        weights: Weights,
        sizes: tuple[int, ...] | None,
        backwards: bool,
    ) -> tuple[Tensor, ...]:
        h, c = initial
        return lstm(projected, h, c, weights.recurrent, weights.projection, sizes, backwards)


class GRU(_Simple):
    """Layers of gated recurrent units over sequences. Cho et al. 2014.

    r, z = W_ih x + b_ih + W_hh h + b_hh, their first two thirds; n = tanh(W_in x + b_in +
    sigmoid(r) (W_hn h + b_hn)); h = (1 - sigmoid(z)) n + sigmoid(z) h. As `RNN`; parameters with
    3 H rows, in the order r z n.
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0,
            device, dtype,
        )  # fmt: skip

    def _input_bias(self, weights: Weights) -> Tensor | None:
        return weights.bias_input

    def _sequence(
        self,
        projected: Tensor,
        initial: State,
        weights: Weights,
        sizes: tuple[int, ...] | None,
        backwards: bool,
    ) -> tuple[Tensor, ...]:
        (h,) = initial
        return gru(projected, h, weights.recurrent, weights.bias_hidden, sizes, backwards)


# ---- one step


class RNNCellBase(Module):
    """What cells share: parameters, and input (N, input_size) or (input_size,)."""

    gates: int  # rows of weight_ih for each of hidden_size
    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, device: Any, dtype: Any
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = self.gates * hidden_size
        options: Any = {"device": device, "dtype": dtype}
        self.weight_ih = Parameter(empty(rows, input_size, **options))
        self.weight_hh = Parameter(empty(rows, hidden_size, **options))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty(rows, **options)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        uniform_by_size(self.parameters(), self.hidden_size)

    def _run(self, input: Tensor, hx: State | None) -> State:
        name = type(self).__name__
        if input.ndim not in (1, 2):
            raise ValueError(f"{name}: expected 1D or 2D input, got shape {list(input.shape)}")
        size = (*input.shape[:-1], self.hidden_size)
        if hx is None:
            hx = (zeros(size, dtype=input.dtype, device=input.device),) * self._parts
        for part in hx:
            if part.ndim not in (1, 2):
                raise ValueError(
                    f"{name}: expected a 1D or 2D hidden state, got shape {list(part.shape)}"
                )
            if tuple(part.shape) != size:
                raise ShapeError(
                    f"{name}: expected a hidden state of shape {list(size)}, got {list(part.shape)}"
                )
        if input.ndim == 2:
            return self._step(input, hx)
        state = self._step(unsqueeze(input, 0), tuple([unsqueeze(part, 0) for part in hx]))
        return tuple([squeeze(part, 0) for part in state])

    _parts = 1  # of the state

    def _step(self, input: Tensor, state: State) -> State:
        raise NotImplementedError

    def _preactivations(self, input: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        return (
            linear(input, self.weight_ih, self.bias_ih),
            linear(h, self.weight_hh, self.bias_hh),
        )

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(RNNCellBase):
    """One step of an `RNN`: input (N, input_size) or (input_size,), and h (N, hidden_size), zeros
    unless given, to the new h.
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(
                f"RNNCell: expected nonlinearity 'tanh' or 'relu', got {self.nonlinearity!r}"
            )
        return self._run(input, None if hx is None else (hx,))[0]

    def _step(self, input: Tensor, state: State) -> State:
        projected, recurrent = self._preactivations(input, state[0])
        total = projected + recurrent
        return (tanh(total) if self.nonlinearity == "tanh" else relu(total),)

    def extra_repr(self) -> str:
        other = "" if self.nonlinearity == "tanh" else f", nonlinearity={self.nonlinearity}"
        return super().extra_repr() + other


class LSTMCell(RNNCellBase):
    """One step of an `LSTM`: input (N, input_size) or (input_size,), and (h, c), zeros unless
    given, to the new pair.
    """

    gates = 4
    _parts = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        h, c = self._run(input, hx)
        return h, c

    def _step(self, input: Tensor, state: State) -> State:
        projected, recurrent = self._preactivations(input, state[0])
        return lstm_gates(projected + recurrent, state[1])


class GRUCell(RNNCellBase):
    """One step of a `GRU`: input (N, input_size) or (input_size,), and h, zeros unless given, to
    the new h.
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._run(input, None if hx is None else (hx,))[0]

    def _step(self, input: Tensor, state: State) -> State:
        return (gru_gates(*self._preactivations(input, state[0]), state[0]),)
