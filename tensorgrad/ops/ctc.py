"""Connectionist temporal classification: the loss of a sequence of class scores against a shorter
sequence of classes, summed over all alignments of the two. Graves et al. 2006.

The classes with a blank before, between and after them are the states of an alignment; each step
stays, goes on by one, or skips a blank between different classes. Everything is computed in
logarithms, for all samples and states at once, step after step.
https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.ctc_loss.html
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import TensorCore
from tensorgrad.ops.choice import clamp, maximum, where
from tensorgrad.ops.conversion import all_widened, cast
from tensorgrad.ops.creation import arange, tensor, zeros_of
from tensorgrad.ops.indexing import gather_along, scatter_add_along
from tensorgrad.ops.joining import cat_same
from tensorgrad.ops.over_elements import reduced, way
from tensorgrad.ops.pointwise import exp, log
from tensorgrad.ops.reduction import largest, total
from tensorgrad.ops.shape import expand, pad_constant, reshape, take_slice, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "ctc_loss",
]


def _from_before(x: Any, by: int) -> Any:
    """At each state what stands `by` states before it; -inf where there is none."""
    return take_slice(
        pad_constant(x, ((0, 0), (by, 0)), -math.inf), (slice(None), slice(0, x.shape[1]))
    )


def _from_after(x: Any, by: int) -> Any:
    return take_slice(pad_constant(x, ((0, 0), (0, by)), -math.inf), (slice(None), slice(by, None)))


def _summed(*terms: Any) -> Any:
    """log(sum(exp(terms))); of nothing but -inf it is -inf, with gradient 0."""
    top = terms[0]
    for term in terms[1:]:
        top = maximum(top, term)
    none = top == -math.inf
    level = where(none, 0, top)
    rest = exp(terms[0] - level)
    for term in terms[1:]:
        rest = rest + exp(term - level)
    return where(none, -math.inf, log(where(none, 1, rest)) + level)


def _emitted(log_probs: Any, labels: Any) -> Any:
    """(T, N, states): the score of each state's class at each step, in double precision: sums of
    hundreds of logarithms are then small differences.
    """
    index = expand(labels, (log_probs.shape[0], *labels.shape))
    return cast(gather_along(log_probs, index, 2), dtypes.float64)


def _forward(emitted: Any, skips: Any, begins: Any) -> list[Any]:
    """For each step, by state, the summed scores of the alignments up to there, in logarithms."""
    steps = [where(begins, take_slice(emitted, (0,)), -math.inf)]
    for step in range(1, emitted.shape[0]):
        before = steps[-1]
        skipped = where(skips, _from_before(before, 2), -math.inf)
        come = _summed(before, _from_before(before, 1), skipped)
        steps.append(come + take_slice(emitted, (step,)))
    return steps


def _backward(emitted: Any, skips: Any, ends: Any, frames: Any) -> list[Any]:
    """For each step, by state, the summed scores of the alignments from there, in logarithms."""
    steps: list[Any] = []
    for step in reversed(range(emitted.shape[0])):
        here = take_slice(emitted, (step,))
        last = unsqueeze(frames == step + 1, 1)
        go = here * 0 - math.inf
        if steps:
            after = steps[-1]
            skipped = _from_after(where(skips, after, -math.inf), 2)
            go = _summed(after, _from_after(after, 1), skipped) + here
        steps.append(where(last & ends, here, where(last, -math.inf, go)))
    return steps[::-1]


def _ended(steps: list[Any], ends: Any, frames: Any) -> Any:
    """-log of the probability of all alignments; before the first step only nothing is certain."""
    arrived = steps[0]
    for step, alpha in enumerate(steps[1:], 2):
        arrived = where(unsqueeze(frames >= step, 1), alpha, arrived)
    top = largest(where(ends, arrived, -math.inf), 1, True)
    level = where(top == -math.inf, 0, top)
    summed = total(where(ends, exp(arrived - level), 0), 1, False)
    none = summed == 0
    likelihood = log(where(none, 1, summed)) + reshape(level, -1)
    return where(none, math.inf, -likelihood)


def _along_scores(
    g: Any,
    log_probs: Any,
    labels: Any,
    skips: Any,
    begins: Any,
    ends: Any,
    frames: Any,
    zero_infinity: bool,
) -> Any:
    """exp(score) less the class's share in the alignments: PyTorch's gradient, right for scores
    that are normalised logarithms of probabilities.
    """
    emitted = _emitted(log_probs, labels)
    alphas = _forward(emitted, skips, begins)
    betas = _backward(emitted, skips, ends, frames)
    loss = _ended(alphas, ends, frames)
    impossible = loss == math.inf
    level = unsqueeze(where(impossible, 0, loss), 1)
    shares = []
    for step, (alpha, beta) in enumerate(zip(alphas, betas)):
        none = (alpha == -math.inf) | (beta == -math.inf)
        both = where(none, 0, alpha) + where(none, 0, beta)
        share = exp(both - where(none, 0, take_slice(emitted, (step,))) + level)
        shares.append(unsqueeze(where(none, 0, share), 0))
    index = expand(labels, emitted.shape)
    zeros = zeros_of(log_probs, tuple(log_probs.shape))
    parts = cast(cat_same(shares, 0), log_probs.dtype)
    slope = exp(log_probs) - scatter_add_along(zeros, index, parts, 2)
    unknown = unsqueeze(where(impossible, 0.0 if zero_infinity else math.nan, 1.0), 1)
    slope = where(unsqueeze(unsqueeze(impossible, 0), 2), cast(unknown, slope.dtype), slope)
    inside = [unsqueeze(unsqueeze(frames > step, 0), 2) for step in range(log_probs.shape[0])]
    return where(cat_same(inside, 0), slope * reshape(g, (1, -1, 1)), 0)


@fused(log_probs=_along_scores)
def alignments(
    log_probs: Tensor,
    labels: Tensor,
    skips: Tensor,
    begins: Tensor,
    ends: Tensor,
    frames: Tensor,
    zero_infinity: bool,
) -> Tensor:
    """-log of the summed probability of all alignments: scores (T, N, C) to (N,).

    labels (N, states): each state's class; skips, begins, ends: whether a state may be reached from
    two before it, first, and last; frames (N,): steps of each sample.
    """
    steps = _forward(_emitted(log_probs, labels), skips, begins)
    loss = cast(_ended(steps, ends, frames), log_probs.dtype)
    return where(loss == math.inf, 0, loss) if zero_infinity else loss


# ---- the arguments of PyTorch


def _lengths(name: str, value: Any, count: int, most: int) -> list[int]:
    """Lengths as numbers, one a sample."""
    numbers = value.tolist() if isinstance(value, TensorCore) else value  # type: ignore[attr-defined]
    numbers = [int(n) for n in (numbers if isinstance(numbers, Sequence) else [numbers])]
    if len(numbers) != count or any(not 0 <= n <= most for n in numbers):
        raise ShapeError(f"ctc_loss: expected {count} {name} from 0 to {most}, got {numbers}")
    return numbers


def _table(targets: Tensor, lengths: list[int], blank: int) -> Tensor:
    """The targets as (N, longest), blanks behind each sample's own."""
    longest = max(lengths, default=0)
    places = arange(longest, device=targets.device)
    inside = places < unsqueeze(tensor(lengths, device=targets.device), 1)
    if targets.ndim == 1:
        starts = [sum(lengths[:n]) for n in range(len(lengths))]
        index = unsqueeze(tensor(starts, device=targets.device), 1) + places
        rows = targets[where(inside, index, 0)] if targets.numel() else index
    else:
        rows = targets[:, :longest]
    return where(inside, cast(rows, dtypes.int64), blank)


def _states(table: Tensor, blank: int) -> Tensor:
    """Blanks before, between and after the classes: (N, 2 S + 1)."""
    pairs = pad_constant(unsqueeze(table, 2), ((0, 0), (0, 0), (1, 0)), blank)
    flat = reshape(pairs, (table.shape[0], 2 * table.shape[1]))
    return pad_constant(flat, ((0, 0), (0, 1)), blank)


@all_widened
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability that the scores, read without repeats and blanks, give the targets.

    log_probs: logarithms of probabilities (T, N, C), or (T, C) for one sample. targets: class
    numbers (N, S), or one after the other in one dimension. The lengths: steps and classes of each
    sample. "mean" divides each loss by its target's length first. zero_infinity: 0, with gradient
    0, for a target that is too long for its scores.
    """
    reduction = way("ctc_loss", reduction, None, None)
    if not dtypes.is_floating_point(log_probs.dtype) or targets.dtype.kind not in "iu":
        raise DTypeError(
            "ctc_loss: expected floating log_probs and integer targets, got "
            f"{log_probs.dtype} and {targets.dtype}"
        )
    batched = log_probs.ndim == 3
    if log_probs.ndim not in (2, 3) or not 1 <= targets.ndim <= log_probs.ndim - 1:
        raise ShapeError(
            "ctc_loss: expected log_probs (T, N, C) and targets of 1 or 2 dimensions, or (T, C) "
            f"and 1, got shapes {list(log_probs.shape)} and {list(targets.shape)}"
        )
    scores = log_probs if batched else unsqueeze(log_probs, 1)
    steps, count, classes = scores.shape
    if not steps or not 0 <= blank < classes:
        raise ShapeError(
            f"ctc_loss: expected steps and a blank in [0, {classes}), got {steps} and {blank}"
        )
    most = targets.shape[-1]
    frames = _lengths("input_lengths", input_lengths, count, steps)
    lengths = _lengths("target_lengths", target_lengths, count, most)
    if (targets.ndim == 2 and targets.shape[0] != count) or (
        targets.ndim == 1 and batched and sum(lengths) != most
    ):
        raise ShapeError(
            f"ctc_loss: expected targets for {count} samples of lengths {lengths}, got shape "
            f"{list(targets.shape)}"
        )
    device = scores.device
    labels = _states(_table(targets, lengths, blank), blank)
    last = unsqueeze(tensor(lengths, device=device) * 2, 1)
    frame = tensor(frames, device=device)
    state = unsqueeze(arange(labels.shape[1], device=device), 0)
    before = pad_constant(labels, ((0, 0), (2, 0)), blank)[:, : labels.shape[1]]
    skips = (state % 2 == 1) & (labels != before) & (state > 1)
    ends = (state == last) | (state == last - 1)
    begins = (state <= 1) & (state <= last)
    loss = alignments(scores, labels, skips, begins, ends, frame, zero_infinity)
    if not all(frames):  # no step: the empty target is certain, all others impossible
        empty = where(reshape(last, -1) == 0, 0.0, 0.0 if zero_infinity else math.inf)
        loss = where(frame == 0, cast(empty, loss.dtype), loss)
    if reduction == "mean":
        loss = loss / cast(clamp(tensor(lengths, device=device), min=1), loss.dtype)
    return reduced(loss if batched else reshape(loss, ()), reduction)
