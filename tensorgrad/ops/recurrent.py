"""Recurrent layers: one layer in one direction over all steps, and single steps of its kinds.

What comes in is projected already, for all steps in one product. A layer over steps takes it as
(L, N, G) for L steps of N sequences, G numbers for each; or, where `sizes` are given, packed as
(total, G), the rows of each step after the other: sizes[t] sequences run at step t, the longest
ones first. Forwards the sequences that end leave the batch; backwards, from the last step to the
first, they join it. It returns the output at every step in the form of the input, and the state
that each sequence ends with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.ops.cutting import narrow, split, split_with_sizes, unbind
from tensorgrad.ops.joining import cat, stack
from tensorgrad.ops.linear import linear
from tensorgrad.ops.pointwise import relu, sigmoid, tanh

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

# The tensors that a step hands to the next, each (N, size): h, and for the LSTM c.
State = tuple["Tensor", ...]


# ---- one step


def _check_gates(gates: Any, cell: Any) -> None:
    if (
        gates.ndim != 2
        or cell.ndim != 2
        or tuple(gates.shape) != (cell.shape[0], 4 * cell.shape[1])
    ):
        raise ShapeError(
            "lstm_gates: expected gates (N, 4H) and cell (N, H), got shapes "
            f"{list(gates.shape)} and {list(cell.shape)}"
        )


@fused(outputs=2, check=_check_gates)
def lstm_gates(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """(hidden, new cell) of an LSTM from its preactivations (N, 4H), in PyTorch's order i f g o,
    and cell (N, H).

    new cell = sigmoid(f) * cell + sigmoid(i) * tanh(g); hidden = sigmoid(o) * tanh(new cell).
    Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
    """
    _check_gates(gates, cell)
    i, f, candidate, o = split(gates, cell.shape[1], 1)
    new_cell = sigmoid(f) * cell + sigmoid(i) * tanh(candidate)
    return sigmoid(o) * tanh(new_cell), new_cell


def gru_gates(projected: Tensor, recurrent: Tensor, hidden: Tensor) -> Tensor:
    """The new hidden state (N, H) of a gated recurrent unit from the preactivations of its input
    and of its hidden state, each (N, 3H) in PyTorch's order r z n, and from the hidden state.

    n = tanh(n_input + sigmoid(r) * n_hidden); new hidden = n + sigmoid(z) * (hidden - n), where r
    and z are sums of both parts. Cho et al. 2014, with the reset behind the product.
    """
    size = hidden.shape[1]
    r_input, z_input, n_input = split(projected, size, 1)
    r_hidden, z_hidden, n_hidden = split(recurrent, size, 1)
    candidate = tanh(n_input + sigmoid(r_input + r_hidden) * n_hidden)
    result: Tensor = candidate + sigmoid(z_input + z_hidden) * (hidden - candidate)
    return result


# ---- all steps


def _check_layer(
    name: str, gates: int, projected: Any, hidden: Any, weight: Any, sizes: Any
) -> None:
    """Shapes alike for all kinds, `gates` preactivations for each unit."""
    batch = projected.shape[-2] if sizes is None else sizes[0]
    if (
        projected.ndim != (3 if sizes is None else 2)
        or weight.ndim != 2
        or projected.shape[-1] != weight.shape[0]
        or weight.shape[0] % gates
        or tuple(hidden.shape) != (batch, weight.shape[1])
    ):
        raise ShapeError(
            f"{name}: expected projected inputs (L, N, {gates}H), or (total, {gates}H) with sizes, "
            f"hidden (N, P) and weight ({gates}H, P), got shapes {list(projected.shape)}, "
            f"{list(hidden.shape)} and {list(weight.shape)}"
        )


def _rows(state: State, start: int, end: int) -> State:
    """Rows of each part; itself where these are all."""
    if start == 0 and end == state[0].shape[0]:
        return state
    return tuple([narrow(part, 0, start, end - start) for part in state])


def _joined(first: State, second: State) -> State:
    return tuple([cat([a, b]) for a, b in zip(first, second)])


def _over_steps(
    step: Callable[[Tensor, State], State],
    projected: Tensor,
    initial: State,
    sizes: tuple[int, ...] | None,
    backwards: bool,
) -> tuple[Tensor, ...]:
    """h at every step, and the state at the end, of `step` applied over and over."""
    steps = unbind(projected) if sizes is None else split_with_sizes(projected, sizes)
    steps = steps[::-1] if backwards else steps
    state = _rows(initial, 0, steps[0].shape[0])
    outputs, ended = [], []
    for now in steps:
        running, rows = state[0].shape[0], now.shape[0]
        if rows < running:
            ended.append(_rows(state, rows, running))
            state = _rows(state, 0, rows)
        elif rows > running:
            state = _joined(state, _rows(initial, running, rows))
        state = step(now, state)
        outputs.append(state[0])
    for rest in reversed(ended):
        state = _joined(state, rest)
    outputs = outputs[::-1] if backwards else outputs
    return stack(outputs) if sizes is None else cat(outputs), *state


def _check_lstm(
    projected: Any,
    hidden: Any,
    cell: Any,
    weight: Any,
    projection: Any,
    sizes: Any,
    backwards: bool,
) -> None:
    _check_layer("lstm", 4, projected, hidden, weight, sizes)
    if tuple(cell.shape) != (hidden.shape[0], weight.shape[0] // 4):
        raise ShapeError(
            f"lstm: expected cell (N, H) for hidden {list(hidden.shape)} and weight "
            f"{list(weight.shape)}, got {list(cell.shape)}"
        )


@fused(outputs=3, check=_check_lstm)
def lstm(
    projected: Tensor,
    hidden: Tensor,
    cell: Tensor,
    weight: Tensor,
    projection: Tensor | None,
    sizes: tuple[int, ...] | None,
    backwards: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """(h of all steps, last h, last c) of an LSTM.

    h, c = lstm_gates(x_t + h @ weight.T, c), and h = h @ projection.T where one is given. The
    projected inputs x with 4H numbers for each row, hidden (N, P), cell (N, H), weight (4H, P),
    projection (P, H); without it P is H.
    """
    _check_lstm(projected, hidden, cell, weight, projection, sizes, backwards)

    def step(now: Tensor, state: State) -> State:
        h, c = lstm_gates(now + linear(state[0], weight), state[1])
        return h if projection is None else linear(h, projection), c

    output, h, c = _over_steps(step, projected, (hidden, cell), sizes, backwards)
    return output, h, c


def _check_gru(
    projected: Any, hidden: Any, weight: Any, bias: Any, sizes: Any, backwards: bool
) -> None:
    _check_layer("gru", 3, projected, hidden, weight, sizes)


@fused(outputs=2, check=_check_gru)
def gru(
    projected: Tensor,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sizes: tuple[int, ...] | None,
    backwards: bool,
) -> tuple[Tensor, Tensor]:
    """(h of all steps, last h) of gated recurrent units.

    h = gru_gates(x_t, h @ weight.T + bias, h). The projected inputs x with 3H numbers for each row,
    hidden (N, H), weight (3H, H), bias (3H,).
    """
    _check_gru(projected, hidden, weight, bias, sizes, backwards)

    def step(now: Tensor, state: State) -> State:
        return (gru_gates(now, linear(state[0], weight, bias), state[0]),)

    output, h = _over_steps(step, projected, (hidden,), sizes, backwards)
    return output, h


def _check_rnn(
    projected: Any, hidden: Any, weight: Any, rectified: bool, sizes: Any, backwards: bool
) -> None:
    _check_layer("rnn", 1, projected, hidden, weight, sizes)


@fused(outputs=2, check=_check_rnn)
def rnn(
    projected: Tensor,
    hidden: Tensor,
    weight: Tensor,
    rectified: bool,
    sizes: tuple[int, ...] | None,
    backwards: bool,
) -> tuple[Tensor, Tensor]:
    """(h of all steps, last h) of Elman's units.

    h = tanh(x_t + h @ weight.T), or relu for tanh where `rectified`. The projected inputs x with H
    numbers for each row, hidden (N, H), weight (H, H).
    """
    _check_rnn(projected, hidden, weight, rectified, sizes, backwards)
    activation = relu if rectified else tanh

    def step(now: Tensor, state: State) -> State:
        return (activation(now + linear(state[0], weight)),)

    output, h = _over_steps(step, projected, (hidden,), sizes, backwards)
    return output, h
