"""Losses that want a margin: between two inputs, or between an input and its label of 1 or -1.

`reduction` is "mean", "sum" or "none"; `size_average` and `reduce` are PyTorch's older
words for it.
https://docs.pytorch.org/docs/stable/nn.functional.html#loss-functions
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.ops.activation import _softplus, logsigmoid
from tensorgrad.ops.choice import clamp, minimum, where
from tensorgrad.ops.conversion import all_widened
from tensorgrad.ops.distance import pairwise_distance
from tensorgrad.ops.over_elements import reduced, reduced_of, way
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.ops.reduction import sum

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "cosine_embedding_loss",
    "hinge_embedding_loss",
    "margin_ranking_loss",
    "multilabel_soft_margin_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
]


def _equal_ranks(op: str, *tensors: Tensor) -> None:
    if len({x.ndim for x in tensors}) > 1:
        raise ShapeError(
            f"{op}: expected inputs of equal rank, got shapes {[list(x.shape) for x in tensors]}"
        )


@all_widened
def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, -target (input1 - input2) + margin): target 1 wants input1 larger, -1 input2."""
    reduction = way("margin_ranking_loss", reduction, size_average, reduce)
    _equal_ranks("margin_ranking_loss", input1, input2, target)
    return reduced(clamp(target * (input2 - input1) + margin, min=0), reduction)


@all_widened
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """input where target is 1, max(0, margin - input) where it is -1."""
    reduction = way("hinge_embedding_loss", reduction, size_average, reduce)
    far = where(target != 1, clamp(margin - input, min=0), 0)
    return reduced(far + where(target != -1, input, 0), reduction)


def _of_margin(input: Any, target: Any) -> Any:
    return _softplus(-target * input)


@all_widened
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target * input))."""
    reduction = way("soft_margin_loss", reduction, size_average, reduce)
    return reduced_of(reduction, _of_margin, input, target)


@all_widened
def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-(target log sigmoid(input) + (1 - target) log sigmoid(-input)), times weight, its mean over
    the last dimension.
    """
    reduction = way("multilabel_soft_margin_loss", reduction, size_average, reduce)
    loss = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    loss = loss if weight is None else loss * weight
    return reduced(sum(loss, -1) / input.shape[-1], reduction)


@all_widened
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - c where target is 1, max(0, c - margin) where it is -1, c the cosine between two vectors:
    (N, D), (N, D) and (N,), or without N.
    """
    reduction = way("cosine_embedding_loss", reduction, size_average, reduce)
    if target.ndim > 1 or {input1.ndim, input2.ndim} != {target.ndim + 1}:
        raise ShapeError(
            "cosine_embedding_loss: expected inputs (N, D) and target (N,), or (D,) and (), got "
            f"shapes {list(input1.shape)}, {list(input2.shape)} and {list(target.shape)}"
        )
    product, one, two = (
        sum(x * y, -1) for x, y in ((input1, input2), (input1, input1), (input2, input2))
    )
    cosine = product / sqrt((one + 1e-12) * (two + 1e-12))
    alike = where(target == 1, 1 - cosine, 0)
    return reduced(alike + where(target == -1, clamp(cosine - margin, min=0), 0), reduction)


# ---- triplets


@all_widened
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), d the `pairwise_distance`; with
    swap, the smaller of the negative's distances from the two others. Balntas et al. 2016.
    """
    reduction = way("triplet_margin_loss", reduction, size_average, reduce)

    def distance(x: Tensor, y: Tensor) -> Tensor:
        return pairwise_distance(x, y, p, eps)

    return _of_triplets(
        "triplet_margin_loss", (anchor, positive, negative), distance, margin, swap, reduction
    )


@all_widened
def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool | int = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` with a distance of one's own; `pairwise_distance` unless told."""
    op = "triplet_margin_with_distance_loss"
    reduction = way(op, reduction, None, None)
    distance = pairwise_distance if distance_function is None else distance_function
    return _of_triplets(op, (anchor, positive, negative), distance, margin, swap, reduction)


def _of_triplets(
    op: str,
    triplet: tuple[Tensor, Tensor, Tensor],
    distance: Callable[[Tensor, Tensor], Tensor],
    margin: float,
    swap: bool | int,
    reduction: str,
) -> Tensor:
    if margin <= 0:
        raise ValueError(f"{op}: expected margin > 0, got {margin}")
    _equal_ranks(op, *triplet)
    anchor, positive, negative = triplet
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(clamp(near - far + margin, min=0), reduction)
