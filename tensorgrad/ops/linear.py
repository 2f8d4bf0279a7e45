"""Linear maps of the last dimension.

https://docs.pytorch.org/docs/stable/nn.functional.html#linear-functions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.ops.linalg import matmul, rows, swap_last
from tensorgrad.ops.reduction import total

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "linear",
]


def _check_linear(input: Any, weight: Any, bias: Any) -> None:
    if weight.ndim != 2 or not input.ndim or input.shape[-1] != weight.shape[1]:
        raise ShapeError(
            f"linear: expected input of shape (*, {weight.shape[-1]}) for weight "
            f"{list(weight.shape)}, "
            f"got {list(input.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        raise ShapeError(
            f"linear: expected bias of shape [{weight.shape[0]}], got {list(bias.shape)}"
        )


@fused(
    check=_check_linear,
    input=lambda g, weight: matmul(g, weight),
    weight=lambda g, input: matmul(swap_last(rows(g)), rows(input)),
    bias=lambda g: total(rows(g), 0, False),
)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias: (*, in_features), (out_features, in_features), (out_features,) to
    (*, out_features).
    """
    out = matmul(input, swap_last(weight))
    return out if bias is None else out + bias
