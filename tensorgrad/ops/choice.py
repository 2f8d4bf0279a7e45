"""One of several numbers at each place: by a mask, the larger, the smaller, within limits."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import TensorCore, unwrap
from tensorgrad.op import Number, number_of, primitive
from tensorgrad.ops.conversion import cast

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "clamp",
    "masked_fill",
    "maximum",
    "minimum",
    "where",
]

choose = primitive(
    "where",
    "condition input other",
    "",
    "input where condition holds, other elsewhere, of one dtype.",
    input=lambda g, condition: where(condition, g, 0),
    other=lambda g, condition: where(condition, 0, g),
)


def where(condition: Tensor, input: Tensor | Number, other: Tensor | Number) -> Tensor:
    """input where condition (bool) holds, else other. No gradient, not even NaN, reaches the one
    not taken.
    """
    if isinstance(input, TensorCore) or isinstance(other, TensorCore):
        dtype = dtypes.result_type(unwrap(input), unwrap(other))
        input, other = _in(input, dtype), _in(other, dtype)
    elif isinstance(condition, TensorCore):
        dtype = dtypes.result_type(input, other)
        return cast(choose(condition, input, other), dtype)
    return choose(condition, input, other)


def _in(value: Any, dtype: dtypes.DType) -> Any:
    if isinstance(value, TensorCore):
        return value if value._array.dtype == dtype else cast(value, dtype)
    return number_of(value, dtype) if isinstance(value, Number) else value


def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """value (a number or a 0-d tensor) where mask (bool) holds, input elsewhere, in input's
    dtype.
    """
    shape = getattr(value, "shape", ())
    if shape:
        raise ShapeError(f"masked_fill: expected a 0-d value, got shape {list(shape)}")
    if isinstance(value, Number):
        kind = dtypes.category(input.dtype)
        if kind == dtypes.INTEGRAL and not math.isfinite(value):
            raise DTypeError(f"masked_fill: expected a value for {input.dtype}, got {value}")
        value = bool(value) if kind == dtypes.BOOL else value
    return where(mask, _in(value, input.dtype), input)


_number = partial(primitive, kind="number")
maximum = _number(
    "maximum",
    "input other",
    "",
    "The larger of two; NaN if either is. At a tie each gets half the gradient.",
    input=lambda g, input, other: where(input < other, 0, where(input == other, g / 2, g)),
    other=lambda g, input, other: where(other < input, 0, where(input == other, g / 2, g)),
)
minimum = _number(
    "minimum",
    "input other",
    "",
    "The smaller of two; NaN if either is. At a tie each gets half the gradient.",
    input=lambda g, input, other: where(input > other, 0, where(input == other, g / 2, g)),
    other=lambda g, input, other: where(other > input, 0, where(input == other, g / 2, g)),
)


def _within(g: Any, input: Any, min: Any, max: Any) -> Any:
    if min is None or max is None:
        inside = input <= max if min is None else input >= min
    else:
        inside = (input >= min) & (input <= max)
    return where(inside, g, 0)


@fused(input=_within)
def clamp_to(input: Tensor, min: Any, max: Any) -> Tensor:
    """input limited by two numbers."""
    if min is not None:
        input = maximum(input, min)
    return input if max is None else minimum(input, max)


def clamp(
    input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None
) -> Tensor:
    """input limited to [min, max]; either may be None. The gradient passes where min <= input <=
    max.
    """
    if min is None and max is None:
        raise ValueError("clamp: expected min or max, got neither")
    if not isinstance(min, TensorCore) and not isinstance(max, TensorCore):
        return clamp_to(input, min, max)
    result = input
    if min is not None:
        result = where(result < min, min, result)
    if max is not None:
        result = where(result > max, max, result)
    return result
