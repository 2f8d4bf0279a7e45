"""One step of a recurrent layer, from its preactivations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.ops.cutting import split
from tensorgrad.ops.pointwise import sigmoid, tanh

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


def _check(gates: Any, cell: Any) -> None:
    if (
        gates.ndim != 2
        or cell.ndim != 2
        or tuple(gates.shape) != (cell.shape[0], 4 * cell.shape[1])
    ):
        raise ShapeError(
            "lstm_gates: expected gates (N, 4H) and cell (N, H), got shapes "
            f"{list(gates.shape)} and {list(cell.shape)}"
        )


@fused(outputs=2, check=_check)
def lstm_gates(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """(hidden, new cell) of an LSTM from its preactivations (N, 4H), in PyTorch's order i f g o,
    and cell (N, H).

    new cell = sigmoid(f) * cell + sigmoid(i) * tanh(g); hidden = sigmoid(o) * tanh(new cell).
    Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000.
    """
    _check(gates, cell)
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
