"""Rows of a table named by whole numbers, and whole numbers as rows.

https://docs.pytorch.org/docs/stable/nn.functional.html#sparse-functions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import Leaf, TensorCore
from tensorgrad.modes import no_grad
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.creation import arange, zeros_of
from tensorgrad.ops.indexing import gather_along, scatter_add_along, setitem
from tensorgrad.ops.norms import p_norm
from tensorgrad.ops.shape import expand, reshape, unsqueeze
from tensorgrad.sparse_rows import SparseRows

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


def _share(index: Any, like: Any, rows: int) -> Any:
    """For each index 1 / the number of its equals, in a shape that multiplies their rows."""
    flat = reshape(index, -1)
    ones = cast(flat >= 0, like.dtype)
    counts = gather_along(scatter_add_along(zeros_of(like, (rows,)), flat, ones, 0), flat, 0)
    return reshape(1 / counts, (*index.shape, 1))


@fused(
    name="embedding_by_frequency",
    weight=lambda g, input, weight_shape, padding_idx: add_rows(
        g * _share(input, g, weight_shape[0]), input, padding_idx, weight_shape[0]
    ),
)
def lookup_by_frequency(input: Tensor, weight: Tensor, padding_idx: int | None) -> Tensor:
    """Rows of `weight`; a row that is named n times gets 1 / n of the gradient's sum."""
    return lookup(input, weight, padding_idx)


def _sparse_rows(g: Any, index: Any, shape: Any, padding_idx: int | None, scaled: bool) -> Any:
    g = g * _share(index, g, shape[0]) if scaled else g
    if isinstance(g, TensorCore) or g.dtype.kind == "c":  # a graph of the backward is dense
        return add_rows(g, index, padding_idx, shape[0])
    return SparseRows.at(index, g, shape[0], padding_idx)


lookup_sparse = primitive(
    "embedding_sparse",
    "input weight",
    "padding_idx, scaled",
    weight=lambda g, input, weight_shape, padding_idx, scaled: _sparse_rows(
        g, input, weight_shape, padding_idx, scaled
    ),
)


@no_grad()
def renormalize(weight: Tensor, index: Tensor, max_norm: float, norm_type: float) -> None:
    """Shorten the rows that are named, in place, to max_norm at most."""
    rows = lookup(index, weight.detach(), None)
    length = p_norm(rows, norm_type, -1, True)
    shortened = rows * (max_norm / (length + 1e-7))
    setitem(weight, index, where(length > max_norm, shortened, rows))


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of `weight` (V, D) named by `input` (integers, any shape): shape (*input.shape, D).

    A number outside [0, V) raises IndexRangeError. Row `padding_idx` gets no gradient. max_norm:
    longer rows among those named are shortened in place first, lengths by the norm `norm_type`.
    scale_grad_by_freq divides each row's gradient by how often it is named. sparse: the gradient
    that a backward pass leaves in the `grad` of `weight`, a leaf, is a `SparseRows`.
    """
    if weight.ndim != 2:
        raise ShapeError(
            f"embedding: expected a weight of 2 dimensions, got shape {list(weight.shape)} "
            "('weight' must be 2-D)"
        )
    if padding_idx is not None:
        rows = weight.shape[0]
        if not -rows <= padding_idx < rows:
            raise AssertionError(
                f"embedding: expected padding_idx in [{-rows}, {rows}), got {padding_idx}"
            )
        padding_idx %= rows
    if max_norm is not None:
        renormalize(weight, input, max_norm, norm_type)
    # The rules of other ops take whole tables: sparse is what goes straight into a leaf.
    if sparse and weight._node.__class__ is Leaf:
        return lookup_sparse(input, weight, padding_idx, scale_grad_by_freq)
    if not scale_grad_by_freq:
        return lookup(input, weight, padding_idx)
    return _by_frequency(weight, input, padding_idx)


@widened
def _by_frequency(weight: Tensor, input: Tensor, padding_idx: int | None) -> Tensor:
    return lookup_by_frequency(input, weight, padding_idx)


# ---- whole numbers as rows


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
