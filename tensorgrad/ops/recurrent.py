"""One step of a recurrent layer."""

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
