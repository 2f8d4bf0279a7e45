"""Linear maps of the last dimension.

https://docs.pytorch.org/docs/stable/nn.functional.html#linear-functions
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import ShapeError
from tensorgrad.fused import fused
from tensorgrad.ops.conversion import all_widened
from tensorgrad.ops.linalg import matmul, rows, swap_last
from tensorgrad.ops.reduction import sum_to_shape, total
from tensorgrad.ops.shape import reshape, to_order

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "bilinear",
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
    bias=lambda g, bias: sum_to_shape(rows(g) if bias.ndim < 2 else g, bias.shape),
)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias: (*, in_features), (out_features, in_features), (out_features,) to
    (*, out_features). A bias of another shape must broadcast to the result's.
    """
    out = matmul(input, swap_last(weight))
    if bias is None:
        return out
    if bias.dtype != out.dtype:
        dtypes.refuse_mixed("linear", out.dtype, bias.dtype)
    result = out + bias
    if result.shape != out.shape:
        _check_linear(input, weight, bias)
    return result


@all_widened
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """out[..., k] = input1 @ weight[k] @ input2 + bias[k]: (*, in1), (*, in2), (out, in1, in2),
    (out,) to (*, out).
    """
    given = (input1, input2, weight) if bias is None else (input1, input2, weight, bias)
    dtypes.refuse_mixed("bilinear", *[x.dtype for x in given])
    lead = tuple(input1.shape[:-1])
    if (
        weight.ndim != 3
        or not input1.ndim
        or lead != tuple(input2.shape[:-1])
        or (input1.shape[-1], *input2.shape[-1:]) != tuple(weight.shape[1:])
    ):
        raise ShapeError(
            "bilinear: expected inputs of shapes (*, in1) and (*, in2) for a weight (out, in1, "
            f"in2), got {list(input1.shape)}, {list(input2.shape)} and {list(weight.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        raise ShapeError(
            f"bilinear: expected bias of shape [{weight.shape[0]}], got {list(bias.shape)}"
        )
    count, (outputs, first, second) = math.prod(lead), weight.shape
    table = reshape(to_order(weight, (1, 0, 2)), first, outputs * second)
    mixed = reshape(matmul(reshape(input1, count, first), table), count, outputs, second)
    out = total(mixed * reshape(input2, count, 1, second), 2, False)
    out = out if bias is None else out + bias
    return reshape(out, (*lead, outputs))
