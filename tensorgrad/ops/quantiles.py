"""Medians and quantiles: what stands at a rank among sorted elements.

https://docs.pytorch.org/docs/stable/generated/torch.quantile.html
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import TensorCore
from tensorgrad.op import primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.creation import tensor
from tensorgrad.ops.indexing import gather
from tensorgrad.ops.logic import isnan, logical_not
from tensorgrad.ops.ordering import order
from tensorgrad.ops.pointwise import ceil, floor, round
from tensorgrad.ops.reduction import (
    ValuesIndices,
    check_choice,
    chosen_along,
    evenly,
    every,
    index_of_largest,
    total,
)
from tensorgrad.ops.shape import clone_of, expand, movedim, one_dim, reshape
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "median",
    "nanmedian",
    "nanquantile",
    "quantile",
]


def _numbers_along(input: Any, dim: int) -> Any:
    """How many elements along `dim`, which stays, are not NaN."""
    return total(logical_not(isnan(input)), dim, True)


def _middle(input: Any, dim: int, skip_nan: bool) -> Any:
    """The index of the lower median along `dim`, which stays; of the first NaN if there is one,
    or where NaN is skipped only if there is nothing else.
    """
    size, count = input.shape[dim], _numbers_along(input, dim)
    if skip_nan:
        place = where(count == 0, 0, (count - 1) // 2)
    else:
        place = where(count < size, count, (size - 1) // 2)
    return gather(order(input, dim, False), dim, place)


_middle_of_all = primitive(
    "median",
    "input",
    doc="The lower median of all elements, NaN if there is one.",
    input=evenly,
)


def median_of_all(input: Any) -> Any:
    """The lower median of all elements, NaN if there is one or none at all."""
    return _middle_of_all(input) if input.numel() else total(input, None, False) + math.nan


@widened
@fused(name="nanmedian", input=evenly)
def nanmedian_of_all(input: Tensor) -> Tensor:
    """The lower median of all elements that are not NaN."""
    size = math.prod(input.shape)
    if not size:
        return total(input, None, False) + math.nan
    flat = reshape(input, (size,))
    return reshape(gather(flat, 0, _middle(flat, 0, True)), ())


def _median(op: str, input: Any, dim: int | None, keepdim: bool, of_all: Any) -> Any:
    dtypes.refuse(op, input.dtype, "bool complex")
    if dim is None:
        middle = of_all(input)
        return middle if middle.dtype == input.dtype else cast(middle, input.dtype)
    check_choice(op, input, dim)
    if not input.ndim:
        return ValuesIndices(clone_of(input), index_of_largest(input, None, False))
    return chosen_along(input, dim, _middle(input, dim, of_all is nanmedian_of_all), keepdim)


@takes_out
def median(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median, the lower of two; with `dim` the pair (values, indices) along it. NaN if one is.

    Without `dim` equal elements share the gradient; with it the one named by the index has it all.
    """
    return _median("median", input, dim, keepdim, median_of_all)


@takes_out
def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """As `median`, of the elements that are not NaN."""
    return _median("nanmedian", input, dim, keepdim, nanmedian_of_all)


ROUNDED: dict[str, Any] = {"lower": floor, "higher": ceil, "nearest": round}
INTERPOLATIONS = ("linear", "midpoint", *ROUNDED)


def _checked_fractions(op: str, input: Any, q: Any) -> Any:
    """`q` as a tensor of the input's dtype."""
    if not isinstance(q, TensorCore):
        if not isinstance(q, int | float) or not 0 <= q <= 1:
            raise RuntimeError(f"{op}: expected q in [0, 1], got {q!r}")
        return tensor(float(q), dtype=input.dtype, device=input.device)
    fractions: Any = q
    if fractions.ndim > 1:
        raise ShapeError(f"{op}: expected q with at most 1 dimension, got {list(fractions.shape)}")
    if fractions.dtype != input.dtype:
        raise DTypeError(f"{op}: expected q of dtype {input.dtype}, got {fractions.dtype}")
    if not bool(every((fractions >= 0) & (fractions <= 1))):
        raise RuntimeError(f"{op}: expected q in [0, 1], got {fractions}")
    return fractions


def _between(below: Any, above: Any, weight: Any) -> Any:
    """From `below` to `above` by `weight`, which is exact at both ends."""
    step = above - below
    return where(weight < 0.5, below + weight * step, above - step * (1 - weight))


def _quantile(
    op: str, input: Any, q: Any, dim: int | None, keepdim: bool, how: str, skip_nan: bool
) -> Any:
    if not dtypes.is_floating_point(input.dtype):
        raise DTypeError(f"{op}: expected a floating point dtype, got {input.dtype}")
    if how not in INTERPOLATIONS:
        raise RuntimeError(
            f"{op}: expected interpolation to be one of {INTERPOLATIONS}, got {how!r}"
        )
    fractions = _checked_fractions(op, input, q)
    if 0 in input.shape:
        raise ShapeError(f"{op}: expected a non-empty tensor, got shape {list(input.shape)}")
    axis = None if dim is None else one_dim(op, dim, input.ndim)
    kept = [1 if axis in (None, d) else n for d, n in enumerate(input.shape)]
    if axis is None or not input.ndim:
        rows = reshape(input, (-1,))
    else:
        rows = movedim(input, axis, -1)
    places = order(rows, rows.ndim - 1, False)
    rows = gather(rows, -1, places)

    # (..., 1) and (..., q): how many count in each row, and the ranks wanted there
    size, numbers = rows.shape[-1], _numbers_along(rows, rows.ndim - 1)
    wanted = reshape(fractions, (-1,))
    if skip_nan:
        last = cast(where(numbers == 0, 0, numbers - 1), rows.dtype)
        ranks = wanted * last
    else:
        ranks = where(numbers < size, size - 1, wanted * (size - 1))
    if how in ROUNDED:
        ranks = ROUNDED[how](ranks)
    ranks = expand(ranks, (*rows.shape[:-1], wanted.shape[0]))
    floors = floor(ranks.detach())
    result = gather(rows, -1, cast(floors, dtypes.int64))
    if how in ("linear", "midpoint"):
        above = gather(rows, -1, cast(ceil(ranks.detach()), dtypes.int64))
        weight = ranks - floors if how == "linear" else ranks * 0 + 0.5
        result = _between(result, above, weight)

    if not fractions.ndim:
        shape = kept if keepdim else rows.shape[:-1]
        return reshape(result, tuple(shape))
    result = movedim(result, -1, 0)
    return reshape(result, (wanted.shape[0], *kept)) if keepdim else result


@takes_out
@widened
def quantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """What stands at rank q (n - 1) of the n sorted elements along `dim`, or of all; NaN if one is.

    q: a number in [0, 1], or a tensor of some, along a new first dimension of the result.
    interpolation: between two ranks "linear", "lower", "higher", "midpoint" or "nearest".
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)  # type: ignore[no-any-return]


@takes_out
@widened
def nanquantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """As `quantile`, of the elements that are not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)  # type: ignore[no-any-return]
