"""Losses that compare predictions with targets.

https://docs.pytorch.org/docs/stable/nn.functional.html#loss-functions
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import unwrap
from tensorgrad.ops.activation import _softplus
from tensorgrad.ops.choice import clamp, where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.indexing import gather_along
from tensorgrad.ops.pointwise import abs, log
from tensorgrad.ops.reduction import mean, some, sum
from tensorgrad.ops.shape import movedim, reshape, unsqueeze
from tensorgrad.ops.softmaxes import log_softmax

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]


def reduce(op: str, loss: Tensor, reduction: str) -> Tensor:
    """The losses of the elements as "none", their "mean" or their "sum"."""
    if reduction == "mean":
        return mean(loss)
    if reduction == "sum":
        return sum(loss)
    if reduction == "none":
        return loss
    raise ValueError(f"{op}: expected reduction to be 'mean', 'sum' or 'none', got {reduction!r}")


def _same_size(op: str, input: Tensor, target: Tensor) -> None:
    if tuple(input.shape) != tuple(target.shape):
        warnings.warn(
            f"{op}: expected a target of the input's size {list(input.shape)}, got "
            f"{list(target.shape)}; "
            "broadcasting is likely to give wrong results",
            stacklevel=3,
        )


def mse_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """(input - target)^2."""
    _same_size("mse_loss", input, target)
    difference = input - target
    return reduce("mse_loss", difference * difference, reduction)


def l1_loss(input: Tensor, target: Tensor, reduction: str = "mean") -> Tensor:
    """|input - target|."""
    _same_size("l1_loss", input, target)
    return reduce("l1_loss", abs(input - target), reduction)


def smooth_l1_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", beta: float = 1.0
) -> Tensor:
    """d^2 / (2 beta) where d = |input - target| < beta, d - beta / 2 elsewhere."""
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss: expected beta >= 0, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction)
    _same_size("smooth_l1_loss", input, target)
    d = abs(input - target)
    return reduce("smooth_l1_loss", where(d < beta, d * d * (0.5 / beta), d - beta / 2), reduction)


def _log_odds(g: Any, input: Any, target: Any) -> Any:
    spread = input * (1 - input)
    return g * (input - target) / where(spread < 1e-12, 1e-12, spread)


def _log_ratio(g: Any, input: Any) -> Any:
    return g * (clamp(log(1 - input), min=-100.0) - clamp(log(input), min=-100.0))


@fused(input=_log_odds, target=_log_ratio)
def surprise(input: Tensor, target: Tensor) -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)), with a finite gradient at 0 and 1."""
    certain = clamp(log(input), min=-100.0)
    return -(target * certain + (1 - target) * clamp(log(1 - input), min=-100.0))


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, reduction: str = "mean"
) -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)), logarithms no lower than -100; input in
    [0, 1].
    """
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(
            "binary_cross_entropy: expected a target of the input's size "
            f"{list(input.shape)}, got {list(target.shape)}"
        )
    loss = surprise(input, target)
    return reduce("binary_cross_entropy", loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of sigmoid(input), without overflow; pos_weight scales the positive
    part.
    """
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(
            "binary_cross_entropy_with_logits: expected a target of the input's size "
            f"{list(input.shape)}, got {list(target.shape)}"
        )
    if pos_weight is None:
        loss = (1 - target) * input + _softplus(-input)
    else:
        loss = (1 - target) * input + (1 + (pos_weight - 1) * target) * _softplus(-input)
    loss = loss if weight is None else loss * weight
    return reduce("binary_cross_entropy_with_logits", loss, reduction)


def kl_div(
    input: Tensor, target: Tensor, reduction: str = "mean", log_target: bool = False
) -> Tensor:
    """target (log target - input), with input a logarithm; "batchmean" divides the sum by the first
    size.
    """
    if log_target:
        loss = target.exp() * (target - input)
    else:
        safe = where(target > 0, target, 1)
        loss = target * (log(safe) - input)
    if reduction == "batchmean":
        return sum(loss) / (input.shape[0] if input.ndim else 1)
    return reduce("kl_div", loss, reduction)


# ---- classes


def _check_classes(input: Any, target: Any, ignore_index: int) -> None:
    rows, classes = unwrap(input), unwrap(target)
    if rows.ndim != 2 or classes.shape != rows.shape[:1]:
        raise ShapeError(
            "cross_entropy: expected logits (N, C) and N targets, got shapes "
            f"{list(rows.shape)} and {list(classes.shape)}"
        )
    if classes.dtype.kind not in "iu":
        raise DTypeError(f"cross_entropy: expected targets of dtype int64, got {classes.dtype}")


def _check_range(target: Any, classes: int, ignore_index: int) -> None:
    wrong = ((target < 0) | (target >= classes)) & (target != ignore_index)
    if bool(some(wrong, None, False)):
        values = unwrap(target)[unwrap(wrong)]
        raise IndexRangeError(
            f"cross_entropy: expected targets in [0, {classes}), got {int(values[0])} "
            "(Target is out of bounds)"
        )


@fused(check=_check_classes)
def softmax_cross_entropy(input: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """-log_softmax(input)[i, target[i]] for each row of input (N, C); 0 where target[i] is
    ignore_index.
    """
    _check_classes(input, target, ignore_index)
    _check_range(target, input.shape[1], ignore_index)
    counted = target != ignore_index
    picked = gather_along(log_softmax(input, 1), unsqueeze(where(counted, target, 0), 1), 1)
    return where(counted, -reshape(picked, -1), 0)


def _rows(op: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """(N, C, d1, ...) scores and (N, d1, ...) classes as rows; one sample may come without N."""
    if input.ndim == 1 and target.ndim == 0:
        return reshape(input, 1, -1), reshape(target, 1)
    expected = (*input.shape[:1], *input.shape[2:])
    if input.ndim < 2 or tuple(target.shape) != expected:
        raise ShapeError(
            f"{op}: expected targets of shape {list(expected)} for input "
            f"{list(input.shape)}, got {list(target.shape)}"
        )
    if input.ndim > 2:
        input = movedim(input, 1, -1)
        input = reshape(input, -1, input.shape[-1])
    return input, reshape(target, -1)


def _weighted(
    loss: Tensor,
    target: Tensor,
    weight: Tensor | None,
    ignore_index: int,
    reduction: str,
    shape: tuple[int, ...],
    op: str,
) -> Tensor:
    """Class weights, and the mean over what is counted."""
    if weight is None and reduction == "mean":
        counted = sum(cast(target != ignore_index, loss.dtype))
        return sum(loss) / counted
    if weight is not None:
        counted = target != ignore_index
        share = weight[where(counted, target, 0)] * cast(counted, loss.dtype)
        loss = loss * share
        if reduction == "mean":
            return sum(loss) / sum(share)
    return reduce(op, reshape(loss, shape), reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """-input[i, target[i]], input being logarithms of probabilities (N, C, ...); see
    `cross_entropy`.
    """
    rows, classes = _rows("nll_loss", input, target)
    _check_range(classes, rows.shape[1], ignore_index)
    counted = classes != ignore_index
    picked = gather_along(rows, unsqueeze(where(counted, classes, 0), 1), 1)
    loss = where(counted, -reshape(picked, -1), 0)
    return _weighted(
        loss, classes, weight, ignore_index, reduction, tuple(target.shape), "nll_loss"
    )


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log_softmax(input) at the target's class.

    input: logits (N, C), (C,) or (N, C, d1, ...). target: class numbers (N, d1, ...) as int64, or
    probabilities of the input's shape. weight: (C,). A class equal to `ignore_index` counts
    nothing; "mean" divides by the number (or the weights) of the others. label_smoothing mixes the
    target with the uniform distribution. Raises IndexRangeError for a class outside [0, C).
    """
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(
            f"cross_entropy: expected label_smoothing in [0, 1], got {label_smoothing}"
        )
    if target.dtype.kind == "f":
        return _with_probabilities(input, target, weight, reduction, label_smoothing)
    rows, classes = _rows("cross_entropy", input, target)
    loss = softmax_cross_entropy(rows, classes, ignore_index)
    shape = tuple(target.shape)
    plain = _weighted(loss, classes, weight, ignore_index, reduction, shape, "cross_entropy")
    if label_smoothing == 0:
        return plain
    logs = log_softmax(rows, 1)
    if weight is not None:
        logs = logs * weight
    counted = classes != ignore_index
    uniform = where(counted, -sum(logs, 1), 0) / rows.shape[1]
    if reduction == "mean":
        share = cast(counted, rows.dtype) if weight is None else weight[where(counted, classes, 0)]
        uniform = sum(uniform) / sum(where(counted, share, 0))
    else:
        uniform = reduce("cross_entropy", reshape(uniform, shape), reduction)
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
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    logs = log_softmax(input, dim)
    if weight is not None:
        logs = logs * reshape(weight, (classes, *(1,) * (input.ndim - 1 - dim)))
    loss = -sum(logs * target, dim)
    if reduction == "mean":
        return sum(loss) / max(loss.numel(), 1)
    return reduce("cross_entropy", loss, reduction)
