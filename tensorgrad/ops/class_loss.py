"""Losses of scores against classes.

`reduction` is "mean", "sum" or "none"; `size_average` and `reduce` are PyTorch's older
words for it.
https://docs.pytorch.org/docs/stable/nn.functional.html#loss-functions
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, modes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import unwrap
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import all_widened, cast
from tensorgrad.ops.creation import arange, zeros_of
from tensorgrad.ops.indexing import gather_along, scatter_add_along
from tensorgrad.ops.linear import linear
from tensorgrad.ops.over_elements import reduced, way
from tensorgrad.ops.picking import check_classes, counted_mean, picked, picked_of
from tensorgrad.ops.pointwise import relu
from tensorgrad.ops.reduction import sum, total
from tensorgrad.ops.scan import cumsum
from tensorgrad.ops.shape import reshape, unsqueeze
from tensorgrad.ops.softmaxes import log_of_normalized

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "cross_entropy",
    "linear_cross_entropy",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "nll_loss",
]


def _check_classes(input: Any, target: Any, *numbers: Any) -> None:
    rows, classes = unwrap(input), unwrap(target)
    if rows.ndim not in (2, 3) or classes.shape != rows.shape[:1] + rows.shape[2:]:
        raise ShapeError(
            "cross_entropy: expected logits (N, C) and N targets, or (N, C, S) and (N, S), got "
            f"shapes {list(rows.shape)} and {list(classes.shape)}"
        )
    if classes.dtype.kind not in "iu":
        raise DTypeError(f"cross_entropy: expected targets of dtype int64, got {classes.dtype}")


@fused(check=_check_classes)
def softmax_cross_entropy(
    input: Tensor, target: Tensor, ignore_index: int, label_smoothing: float = 0.0
) -> Tensor:
    """-log_softmax(input)[i, target[i]] for each row of input (N, C), or of each place of
    (N, C, S); 0 where the target is ignore_index. label_smoothing mixes in the mean over classes.
    """
    _check_classes(input, target)
    check_classes("cross_entropy", target, input.shape[1], ignore_index)
    logs = log_of_normalized(input, 1)
    loss = picked_of(logs, target, ignore_index)
    if label_smoothing == 0:
        return loss
    uniform = where(target != ignore_index, -total(logs, 1, False), 0) / input.shape[1]
    return loss * (1 - label_smoothing) + uniform * label_smoothing


def _check_linear_classes(
    input: Any, weight: Any, bias: Any, target: Any, ignore_index: int
) -> None:
    rows, table, classes = unwrap(input), unwrap(weight), unwrap(target)
    if (
        rows.ndim != 2
        or table.ndim != 2
        or rows.shape[1] != table.shape[1]
        or classes.shape != rows.shape[:1]
        or (bias is not None and unwrap(bias).shape != table.shape[:1])
    ):
        shapes = [list(part.shape) for part in (rows, table, classes)]
        raise ShapeError(
            "linear_softmax_cross_entropy: expected input (N, in), weight (C, in), bias (C,) and N "
            f"targets, got shapes {shapes[0]}, {shapes[1]} and {shapes[2]}"
        )


@fused(check=_check_linear_classes)
def linear_softmax_cross_entropy(
    input: Tensor, weight: Tensor, bias: Tensor | None, target: Tensor, ignore_index: int
) -> Tensor:
    """`softmax_cross_entropy` of `linear(input, weight, bias)`."""
    return softmax_cross_entropy(linear(input, weight, bias), target, ignore_index)


def _rows(op: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """(N, C, d1, ...) scores and (N, d1, ...) classes as (N, C) and (N,), or (N, C, S) and (N, S);
    one sample may come without N.
    """
    dtypes.refuse(op, input.dtype, "bool integers complex")
    if input.ndim == 1 and target.ndim == 0:
        return reshape(input, 1, -1), reshape(target, 1)
    if input.ndim == 1 and tuple(target.shape) == (1,):
        return reshape(input, 1, -1), target
    expected = (*input.shape[:1], *input.shape[2:])
    if input.ndim < 2 or tuple(target.shape) != expected:
        raise ShapeError(
            f"{op}: expected targets of shape {list(expected)} for input "
            f"{list(input.shape)}, got {list(target.shape)}"
        )
    if input.ndim == 2:
        return input, target
    places = math.prod(expected[1:])
    return reshape(input, (*input.shape[:2], places)), reshape(target, (expected[0], places))


def _check_weight(op: str, weight: Tensor | None, input: Tensor, classes: int) -> None:
    if weight is None:
        return
    if tuple(weight.shape) != (classes,):
        raise ShapeError(f"{op}: expected a weight of shape [{classes}], got {list(weight.shape)}")
    if weight.dtype != input.dtype:
        raise DTypeError(f"{op}: expected a weight of {input.dtype}, got {weight.dtype}")


def _weighted(
    loss: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    shape: tuple[int, ...],
) -> Tensor:
    """Class weights, and the mean over what is counted."""
    if weight is None and reduction == "mean":
        return counted_mean(loss, target, ignore_index)
    if weight is not None:
        counted = target != ignore_index
        share = weight[where(counted, target, 0)] * cast(counted, loss.dtype)
        loss = loss * share
        if reduction == "mean":
            return sum(loss) / sum(share)
    return reduced(reshape(loss, shape), reduction)


@all_widened
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """-input[i, target[i]], input being logarithms of probabilities (N, C, ...); see
    `cross_entropy`.
    """
    reduction = way("nll_loss", reduction, size_average, reduce)
    rows, classes = _rows("nll_loss", input, target)
    _check_weight("nll_loss", weight, rows, rows.shape[1])
    loss = picked(rows, classes, ignore_index)
    return _weighted(loss, classes, weight, ignore_index, reduction, tuple(target.shape))


@all_widened
def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log_softmax(input) at the target's class.

    input: logits (N, C), (C,) or (N, C, d1, ...). target: class numbers (N, d1, ...) as int64, or
    probabilities of the input's shape. weight: (C,). A class equal to `ignore_index` counts
    nothing; "mean" divides by the number (or the weights) of the others. label_smoothing mixes the
    target with the uniform distribution. Raises IndexRangeError for a class outside [0, C).
    """
    reduction = way("cross_entropy", reduction, size_average, reduce)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(
            f"cross_entropy: expected label_smoothing in [0, 1], got {label_smoothing}"
        )
    if dtypes.is_floating_point(target.dtype):
        if ignore_index >= 0:
            raise RuntimeError(
                f"cross_entropy: expected no ignore_index beside probabilities, got {ignore_index}"
            )
        return _with_probabilities(input, target, weight, reduction, label_smoothing)
    rows, classes = _rows("cross_entropy", input, target)
    _check_weight("cross_entropy", weight, rows, rows.shape[1])
    shape = tuple(target.shape)
    if weight is None:
        loss = softmax_cross_entropy(rows, classes, ignore_index, label_smoothing)
        return _weighted(loss, classes, None, ignore_index, reduction, shape)
    loss = softmax_cross_entropy(rows, classes, ignore_index)
    plain = _weighted(loss, classes, weight, ignore_index, reduction, shape)
    if label_smoothing == 0:
        return plain
    logs = log_of_normalized(rows, 1) * reshape(weight, (-1, *(1,) * (rows.ndim - 2)))
    counted = classes != ignore_index
    uniform = where(counted, -sum(logs, 1), 0) / rows.shape[1]
    if reduction == "mean":
        share = where(counted, weight[where(counted, classes, 0)], 0)
        uniform = sum(uniform) / sum(share)
    else:
        uniform = reduced(reshape(uniform, shape), reduction)
    return plain * (1 - label_smoothing) + uniform * label_smoothing


def _with_probabilities(
    input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    dim = 0 if input.ndim == 1 else 1
    if tuple(input.shape) != tuple(target.shape):
        raise ShapeError(
            f"cross_entropy: expected probabilities of shape {list(input.shape)}, got "
            f"{list(target.shape)}"
        )
    classes = input.shape[dim]
    _check_weight("cross_entropy", weight, input, classes)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    logs = log_of_normalized(input, dim)
    if weight is not None:
        logs = logs * reshape(weight, (classes, *(1,) * (input.ndim - 1 - dim)))
    loss = -sum(logs * target, dim)
    if reduction == "mean":
        return sum(loss) / max(loss.numel(), 1)
    return reduced(loss, reduction)


def _by_chunks(
    input: Tensor, table: Tensor, bias: Tensor | None, target: Tensor, label_smoothing: float
) -> bool:
    """Whether an op of its own may compute the loss: of rows and classes, all of one wide dtype."""
    floats = [part.dtype for part in (input, table, bias) if part is not None]
    return (
        label_smoothing == 0
        and (input.ndim, table.ndim) == (2, 2)
        and target.dtype == dtypes.int64
        and tuple(target.shape) == tuple(input.shape[:1])
        and floats[0] in (dtypes.float32, dtypes.float64)
        and len(set(floats)) == 1
        and modes.current().autocast is None
    )


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: Any = None,
) -> Tensor:
    """`cross_entropy` of `linear(input, linear_weight, linear_bias)`.

    input: (N, in) or (in,). linear_weight: (C, in), or (C, d1, ..., in) for scores (N, C, d1, ...);
    linear_bias: its shape without `in`. `options`, PyTorch's choice of how to save memory, changes
    no number. The rest as in `cross_entropy`.
    """
    lead, places = tuple(input.shape[:-1]), tuple(linear_weight.shape[:-1])
    fits = (
        input.ndim in (1, 2)
        and linear_weight.ndim >= 2
        and input.shape[-1] == linear_weight.shape[-1]
        and (input.ndim == 2 or linear_weight.ndim == 2)
    )
    if not fits:
        raise ShapeError(
            "linear_cross_entropy: expected input (N, in) and linear_weight (C, ..., in), or (in,) "
            f"and (C, in), got shapes {list(input.shape)} and {list(linear_weight.shape)}"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != places:
        raise ShapeError(
            f"linear_cross_entropy: expected linear_bias of shape {list(places)}, got "
            f"{list(linear_bias.shape)}"
        )
    if ignore_index is not None and tuple(target.shape) == lead + places:
        raise RuntimeError(
            "linear_cross_entropy: expected no ignore_index beside probabilities, got "
            f"{ignore_index}"
        )
    ignored = -100 if ignore_index is None else ignore_index
    if _by_chunks(input, linear_weight, linear_bias, target, label_smoothing):
        reduction = way("linear_cross_entropy", reduction, None, None)
        _check_weight("linear_cross_entropy", weight, input, places[0])
        loss = linear_softmax_cross_entropy(input, linear_weight, linear_bias, target, ignored)
        return _weighted(loss, target, weight, ignored, reduction, lead)
    table = reshape(linear_weight, (math.prod(places), input.shape[-1]))
    bias = None if linear_bias is None else reshape(linear_bias, -1)
    return cross_entropy(
        reshape(linear(input, table, bias), lead + places),
        target,
        weight,
        ignore_index=ignored,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )


# ---- margins between classes


def _scores(op: str, input: Tensor, target: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Scores (N, C) and targets of `rank` dimensions; one sample may come without N."""
    dtypes.refuse(op, input.dtype, "bool integers complex")
    scores = reshape(input, (1, -1)) if input.ndim < 2 else input
    shape = scores.shape[:rank]
    given = target if target.ndim else reshape(target, 1)
    if rank == 2 and input.ndim < 2:
        given = reshape(target, (1, -1))
    if input.ndim > 2 or not scores.shape[1] or tuple(given.shape) != tuple(shape):
        raise ShapeError(
            f"{op}: expected input (N, C) or (C,) and a target of shape {list(shape)}, got "
            f"{list(input.shape)} and {list(target.shape)}"
        )
    return scores, given


@all_widened
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """sum over i other than y of max(0, margin - input[y] + input[i])^p / C, y the target's class;
    times weight[y]. (N, C) and (N,), or (C,) and a number; p is 1 or 2.
    """
    reduction = way("multi_margin_loss", reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError(f"multi_margin_loss: expected p to be 1 or 2, got {p}")
    rows, classes = _scores("multi_margin_loss", input, target, 1)
    count = rows.shape[1]
    _check_weight("multi_margin_loss", weight, rows, count)
    check_classes("multi_margin_loss", classes, count, 0)
    own = unsqueeze(classes, 1)
    short = relu(rows - gather_along(rows, own, 1) + margin)
    short = short * short if p == 2 else short
    short = short if weight is None else short * unsqueeze(weight[classes], 1)
    other = arange(count, device=rows.device) != own
    loss = total(where(other, short, 0), 1, False) / count
    return reduced(loss if target.ndim else reshape(loss, ()), reduction)


@all_widened
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """sum over classes y that the target names, and i that it does not, of max(0, 1 - input[y] +
    input[i]) / C. (N, C) or (C,) both; the target's names end before its first negative number.
    """
    reduction = way("multilabel_margin_loss", reduction, size_average, reduce)
    rows, names = _scores("multilabel_margin_loss", input, target, 2)
    count = rows.shape[1]
    named = cumsum(cast(names < 0, dtypes.int64), 1) == 0
    places = where(named, names, 0)
    check_classes("multilabel_margin_loss", reshape(places, -1), count, 0)
    marks = scatter_add_along(zeros_of(rows, tuple(rows.shape)), places, cast(named, rows.dtype), 1)
    short = relu(unsqueeze(rows, 1) - unsqueeze(gather_along(rows, places, 1), 2) + 1)
    counted = unsqueeze(named, 2) & unsqueeze(marks == 0, 1)
    loss = total(where(counted, short, 0), (1, 2), False) / count
    return reduced(loss if input.ndim > 1 else reshape(loss, ()), reduction)
