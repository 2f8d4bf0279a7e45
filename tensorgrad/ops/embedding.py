"""Rows of a table named by whole numbers, and whole numbers as rows.

https://docs.pytorch.org/docs/stable/nn.functional.html#sparse-functions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, IndexRangeError
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import arange
from tensorgrad.ops.shape import expand, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "embedding",
    "one_hot",
]


def _rows_of(g: Any, index: Any, padding_idx: int | None) -> Any:
    rows = lookup(index, g, padding_idx)
    if padding_idx is not None:
        rows = rows * cast(expand(unsqueeze(index != padding_idx, -1), rows.shape), rows.dtype)
    return rows


lookup = primitive(
    "embedding",
    "input weight",
    "padding_idx",
    weight=lambda g, input, weight_shape, padding_idx: add_rows(
        g, input, padding_idx, weight_shape[0]
    ),
)
add_rows: TensorFunction = primitive(
    "embedding_add", "input index", "padding_idx, rows", input=_rows_of
)


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of `weight` (V, D) named by `input` (integers, any shape): shape (*input.shape, D).

    A number outside [0, V) raises IndexRangeError. Row `padding_idx` gets no gradient.
    """
    if padding_idx is not None and padding_idx < 0:
        padding_idx += weight.shape[0]
    return lookup(input, weight, padding_idx)


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """(*, num_classes) of int64, 1 at each class number (int64); -1 classes: one more than the
    largest number.
    """
    if tensor.dtype != dtypes.int64:
        raise DTypeError(f"one_hot: expected class numbers of dtype int64, got {tensor.dtype}")
    if not tensor.numel():
        if num_classes <= 0:
            raise RuntimeError("one_hot: expected num_classes > 0 for no class numbers, got none")
        low, high = 0, 0
    else:
        low, high = int(tensor.min().item()), int(tensor.max().item())
    if num_classes == -1:
        num_classes = high + 1
    if low < 0 or high >= num_classes:
        raise IndexRangeError(
            f"one_hot: expected class numbers in [0, {num_classes}), got "
            f"{low if low < 0 else high} "
            "(Class values must be non-negative and smaller than num_classes)"
        )
    classes = arange(num_classes, device=tensor.device)
    return cast(unsqueeze(tensor, -1) == classes, dtypes.int64)
