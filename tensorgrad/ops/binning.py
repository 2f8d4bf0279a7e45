"""Numbers among boundaries: where they stand, and how many stand between which.

Nothing here has a gradient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.op import Number, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import tensor
from tensorgrad.ops.indexing import gather, getitem
from tensorgrad.ops.reduction import largest, smallest, total
from tensorgrad.ops.sequences import linspace
from tensorgrad.ops.shape import reshape
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "bincount",
    "bucketize",
    "histc",
    "histogram",
    "histogramdd",
    "searchsorted",
]


class Histogram(NamedTuple):
    """What `histogram` and `histogramdd` return."""

    hist: Any
    bin_edges: Any


places_among = primitive("searchsorted", "sorted_sequence input", "right", kind="number")
count_each = primitive("bincount", "input weights", "minlength")


def _as_values(input: Any, boundaries: Any) -> Any:
    """A number as a tensor beside the boundaries."""
    return input if isinstance(input, TensorCore) else tensor(input, device=boundaries.device)


def _check_sorter(sorted_sequence: Any, sorter: Any) -> None:
    if tuple(sorter.shape) != tuple(sorted_sequence.shape):
        raise ShapeError(
            f"searchsorted: expected a sorter of shape {list(sorted_sequence.shape)}, got "
            f"{list(sorter.shape)}"
        )
    if sorter.dtype != dtypes.int64:
        raise DTypeError(f"searchsorted: expected a sorter of dtype int64, got {sorter.dtype}")
    size = sorted_sequence.shape[-1] if sorted_sequence.ndim else 1
    if sorter.numel():
        low, high = int(smallest(sorter)), int(largest(sorter))
        if low < 0 or high >= size:
            raise IndexRangeError(
                f"searchsorted: expected a sorter of indices in [0, {size}), got "
                f"{low if low < 0 else high}"
            )


@takes_out
def searchsorted(
    sorted_sequence: Tensor,
    input: Tensor | Number,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
) -> Tensor:
    """Where each number would be put to keep the last dimension sorted: before elements equal to
    it, or after them if `right` (or side="right").

    sorted_sequence: of one dimension, or (*, n) for input (*, m). sorter: the indices that sort it.
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise RuntimeError(
            f"searchsorted: expected side 'left' or 'right' as `right` says, got side={side!r} and "
            f"right={right}"
        )
    if not isinstance(input, TensorCore) and sorted_sequence.ndim != 1:
        raise ShapeError(
            "searchsorted: expected a sequence of 1 dimension beside a number, got "
            f"{list(sorted_sequence.shape)}"
        )
    values: Any = _as_values(input, sorted_sequence)
    ranks = sorted_sequence.ndim, values.ndim
    if not ranks[0] or (
        ranks[0] > 1 and (ranks[0] != ranks[1] or sorted_sequence.shape[:-1] != values.shape[:-1])
    ):
        raise ShapeError(
            "searchsorted: expected a sequence of 1 dimension, or shapes that agree but in the "
            f"last, got {list(sorted_sequence.shape)} and {list(values.shape)}"
        )
    if sorter is not None:
        _check_sorter(sorted_sequence, sorter)
        sorted_sequence = gather(sorted_sequence, -1, sorter)
    found = places_among(sorted_sequence, values, right or side == "right")
    return cast(found, dtypes.int32) if out_int32 else found


@takes_out
def bucketize(
    input: Tensor | Number, boundaries: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    """How many of the sorted boundaries (one dimension) are smaller than each number, or not
    larger if `right`.
    """
    if boundaries.ndim != 1:
        raise ShapeError(
            f"bucketize: expected boundaries of 1 dimension, got {list(boundaries.shape)}"
        )
    found = places_among(boundaries, _as_values(input, boundaries), right)
    return cast(found, dtypes.int32) if out_int32 else found


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each number from 0 on stands in `input` (n,), at least `minlength` of them; with
    weights (n,) the sums of theirs.
    """
    if dtypes.category(input.dtype) != dtypes.INTEGRAL:
        raise DTypeError(f"bincount: expected whole numbers, got {input.dtype}")
    if input.ndim != 1:
        raise ShapeError(f"bincount: expected an input of 1 dimension, got {list(input.shape)}")
    if minlength < 0:
        raise RuntimeError(f"bincount: expected minlength >= 0, got {minlength}")
    if weights is None:
        return count_each(input, None, minlength)
    if tuple(weights.shape) != tuple(input.shape):
        raise ShapeError(
            f"bincount: expected weights of shape {list(input.shape)}, got {list(weights.shape)}"
        )
    counts = count_each(input, cast(weights, dtypes.float64), minlength)
    return cast(counts, dtypes.float32) if weights.dtype == dtypes.float32 else counts


# ---- histograms


def _limits(op: str, values: Any, low: float, high: float, least: float) -> tuple[float, float]:
    """The range of the bins: that of the values where low is high, and at least so wide."""
    if low == high and values.numel():
        low, high = smallest(values).item(), largest(values).item()
    elif low == high:
        low, high = 0, 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"{op}: expected a finite range, got [{low}, {high}]")
    if low > high:
        raise RuntimeError(f"{op}: expected max larger than min, got {low} and {high}")
    return (low - least / 2, high + least / 2) if low == high else (low, high)


def _counts(samples: Any, edges: list[Any], weight: Any) -> Any:
    """(n, d) numbers, d boundaries -> how many, or which weight, lie in each box. The last bin of a
    dimension is closed.
    """
    sizes = [edge.shape[0] - 1 for edge in edges]
    inside: Any = None
    number: Any = None
    for column, (edge, size) in enumerate(zip(edges, sizes)):
        values = getitem(samples, (slice(None), column))
        place = places_among(edge, values, True) - 1
        place = where(place >= size, size - 1, place)
        within = (values >= getitem(edge, (0,))) & (values <= getitem(edge, (size,)))
        inside = within if inside is None else inside & within
        number = place if number is None else number * size + place
    if weight is not None:
        weight = cast(getitem(weight, (inside,)), dtypes.float64)
    counts = count_each(getitem(number, (inside,)), weight, math.prod(sizes))
    return reshape(cast(counts, samples.dtype), tuple(sizes))


def _check_bins(op: str, bins: Any, input: Any) -> None:
    if hasattr(bins, "dtype"):
        if bins.ndim != 1 or not bins.numel():
            raise ShapeError(f"{op}: expected boundaries of 1 dimension, got {list(bins.shape)}")
        if bins.dtype != input.dtype:
            raise DTypeError(f"{op}: expected bins of {input.dtype}, got {bins.dtype}")
    elif bins <= 0:
        raise RuntimeError(f"{op}: expected bins > 0, got {bins}")


def _edges(op: str, values: Any, bins: Any, low: float, high: float) -> Any:
    if isinstance(bins, TensorCore):
        return bins
    low, high = _limits(op, values, low, high, 2 if op == "histc" else 1)
    return linspace(low, high, bins + 1, dtype=values.dtype, device=values.device)


def _check_floating(op: str, input: Any) -> None:
    if not dtypes.is_floating_point(input.dtype):
        raise DTypeError(f"{op}: expected a floating point dtype, got {input.dtype}")


@takes_out
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements lie in each of `bins` equal parts of [min, max], in the input's dtype;
    min = max takes the smallest and largest element.
    """
    _check_floating("histc", input)
    _check_bins("histc", bins, input)
    values = reshape(input.detach(), (-1, 1))
    return _counts(values, [_edges("histc", values, bins, min, max)], None)  # type: ignore[no-any-return]


def _histogram(
    op: str, input: Any, bins: Sequence[Any], range: Any, weight: Any, density: bool
) -> tuple[Any, list[Any]]:
    """The counts of (*, d) numbers and the boundaries of each dimension."""
    _check_floating(op, input)
    for part in bins:
        _check_bins(op, part, input)
    count = len(bins)
    if range is not None and len(range) != 2 * count:
        raise RuntimeError(f"{op}: expected a range of {2 * count} numbers, got {len(range)}")
    if weight is not None:
        if tuple(weight.shape) != tuple(input.shape[:-1]):
            raise ShapeError(
                f"{op}: expected a weight of shape {list(input.shape[:-1])}, got "
                f"{list(weight.shape)}"
            )
        if weight.dtype != input.dtype:
            raise DTypeError(f"{op}: expected a weight of {input.dtype}, got {weight.dtype}")
        weight = reshape(weight.detach(), (-1,))
    samples = reshape(input.detach(), (-1, count))
    limits = (0, 0) * count if range is None else tuple(range)
    edges = [
        _edges(op, getitem(samples, (slice(None), d)), part, limits[2 * d], limits[2 * d + 1])
        for d, part in enumerate(bins)
    ]
    hist = _counts(samples, edges, weight)
    if density:
        hist = hist / total(hist)
        for d, edge in enumerate(edges):
            width = getitem(edge, (slice(1, None),)) - getitem(edge, (slice(None, -1),))
            hist = hist / reshape(width, (-1, *(1,) * (count - 1 - d)))
    return hist, edges


@takes_out
def histogram(
    input: Tensor,
    bins: int | Tensor,
    *,
    range: tuple[float, float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Histogram:
    """(hist, bin_edges) of all elements: how many, or which `weight`, lie in each bin.

    bins: a number of equal ones over `range` (that of the input unless given), or the boundaries.
    density: divide by the sum and the widths, so that the integral is 1.
    """
    column = reshape(input, (*input.shape, 1))
    hist, edges = _histogram("histogram", column, [bins], range, weight, density)
    return Histogram(hist, edges[0])


def histogramdd(
    input: Tensor,
    bins: int | Sequence[int] | Sequence[Tensor],
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> Histogram:
    """(hist, bin_edges) of points (*, d) in d dimensions: as `histogram`, with bins (and a pair of
    numbers of `range`) for each dimension.
    """
    if input.ndim < 2:
        raise ShapeError(f"histogramdd: expected points (*, d), got shape {list(input.shape)}")
    size = input.shape[-1]
    each = [bins] * size if isinstance(bins, int) else list(bins)
    if len(each) != size:
        raise RuntimeError(f"histogramdd: expected {size} numbers of bins, got {len(each)}")
    hist, edges = _histogram("histogramdd", input, each, range, weight, density)
    return Histogram(hist, tuple(edges))
