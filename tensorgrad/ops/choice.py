"""One of several numbers at each place: by a mask, the larger, the smaller, within limits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import TensorCore, unwrap
from tensorgrad.op import Number, fitting, primitive
from tensorgrad.ops.conversion import all_widened, cast
from tensorgrad.ops.creation import zeros_of
from tensorgrad.ops.logic import isnan
from tensorgrad.ops.places import nonzero
from tensorgrad.out import into, takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "fmax",
    "fmin",
    "heaviside",
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


def where(
    condition: Tensor,
    input: Tensor | Number | None = None,
    other: Tensor | Number | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """input where condition (bool) holds, else other. No gradient, not even NaN, reaches the one
    not taken. Of the condition alone: the indices where it is not 0, a tensor for each dimension.
    """
    if out is not None:
        return into(out, "where", where, (condition, input, other))  # type: ignore[no-any-return]
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)  # type: ignore[no-any-return]
    if isinstance(condition, TensorCore) and condition._array.dtype is not dtypes.bool_:
        condition = _mask(condition)
    if isinstance(input, TensorCore) or isinstance(other, TensorCore):
        dtype = dtypes.result_type(unwrap(input), unwrap(other))
        return choose(condition, _in("where", input, dtype), _in("where", other, dtype))
    if isinstance(condition, TensorCore):
        dtype = dtypes.result_type(input, other)
        return cast(choose(condition, input, other), dtype)
    return choose(condition, input, other)


def _mask(condition: Any) -> Any:
    if condition.dtype != dtypes.uint8:  # which PyTorch still takes
        raise DTypeError(f"where: expected a condition of dtype bool, got {condition.dtype}")
    return cast(condition, dtypes.bool_)


def _in(op: str, value: Any, dtype: dtypes.DType) -> Any:
    """A tensor or a number in a dtype; what the dtype cannot hold is refused."""
    if hasattr(value, "dtype"):
        return value if value.dtype == dtype else cast(value, dtype)
    if not isinstance(value, int | float | complex):
        raise TypeError(f"{op}: expected a tensor or a number, got {type(value).__name__}")
    return fitting(op, value, dtype)


@takes_out
def masked_fill(input: Tensor, mask: Tensor, value: Tensor | Number) -> Tensor:
    """value (a number or a 0-d tensor) where mask (bool) holds, input elsewhere, in input's
    dtype.
    """
    shape = getattr(value, "shape", ())
    if shape:
        raise ShapeError(f"masked_fill: expected a 0-d value, got shape {list(shape)}")
    if mask.dtype != dtypes.bool_:
        raise DTypeError(f"masked_fill: expected a mask of dtype bool, got {mask.dtype}")
    kind = value.dtype if hasattr(value, "dtype") else dtypes.bool_
    if dtypes.category(kind) == dtypes.COMPLEX != dtypes.category(input.dtype):
        raise DTypeError(f"masked_fill: expected a value for {input.dtype}, got {kind}")
    return choose(mask, _in("masked_fill", value, input.dtype), input)


_number = partial(primitive, kind="number", refuses="complex")
maximum = _number(
    "maximum",
    "input other",
    "",
    "The larger of two; NaN if either is. At a tie each gets half the gradient.",
    only_tensors="input other",
    input=lambda g, input, other: where(input < other, 0, where(input == other, g / 2, g)),
    other=lambda g, input, other: where(other < input, 0, where(input == other, g / 2, g)),
)
minimum = _number(
    "minimum",
    "input other",
    "",
    "The smaller of two; NaN if either is. At a tie each gets half the gradient.",
    only_tensors="input other",
    input=lambda g, input, other: where(input > other, 0, where(input == other, g / 2, g)),
    other=lambda g, input, other: where(other > input, 0, where(input == other, g / 2, g)),
)
fmax = _number(
    "fmax",
    "input other",
    "",
    "The larger of two; of NaN and a number the number. At a tie `input` gets the gradient.",
    only_tensors="input other",
    input=lambda g, input, other: where((input >= other) | isnan(other), g, 0),
    other=lambda g, input, other: where((input >= other) | isnan(other), 0, g),
)
fmin = _number(
    "fmin",
    "input other",
    "",
    "The smaller of two; of NaN and a number the number. At a tie `input` gets the gradient.",
    only_tensors="input other",
    input=lambda g, input, other: where((input <= other) | isnan(other), g, 0),
    other=lambda g, input, other: where((input <= other) | isnan(other), 0, g),
)


@takes_out
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 where input < 0, values where it is 0, 1 where it is more; dtypes must be equal."""
    if isinstance(input, Number) or isinstance(values, Number):
        raise TypeError("heaviside: expected two tensors, got a number")
    if input.dtype != values.dtype:
        raise DTypeError(
            f"heaviside: expected tensors of one dtype, got {input.dtype} and {values.dtype}"
        )
    return choose(input == 0, values, cast(input > 0, input.dtype))


# ---- limits


def _within(input: Any, min: Any, max: Any) -> Any:
    if min is None or max is None:
        return input <= max if min is None else input >= min
    return (input >= min) & (input <= max)


def _of_min(g: Any, input: Any, min: Any, max: Any) -> Any:
    below = input < min
    return where(below if max is None else below & (min < max), g, 0)


def _of_max(g: Any, input: Any, min: Any, max: Any) -> Any:
    above = input > max
    return where(above if min is None else above | (max < min), g, 0)


clamp_to = primitive(
    "clamp_to",
    "input",
    "min, max",
    "input limited by two numbers, or one and None.",
    refuses="complex",
    input=lambda g, input, min, max: where(_within(input, min, max), g, 0),
)


@fused(
    input=lambda g, input, min, max: where(_within(input, min, max), g, 0), min=_of_min, max=_of_max
)
def clamp_between(input: Tensor, min: Tensor | None, max: Tensor | None) -> Tensor:
    """input limited by two tensors, or one and None."""
    if min is not None:
        input = maximum(input, min)
    return input if max is None else minimum(input, max)


limited = all_widened(clamp_between)  # where both agree, the composition splits the gradient


@takes_out
def clamp(
    input: Tensor, min: Tensor | Number | None = None, max: Tensor | Number | None = None
) -> Tensor:
    """input limited to [min, max]; either may be None. The gradient passes where min <= input <=
    max, and else goes to the limit that was taken.
    """
    limits = [limit for limit in (min, max) if limit is not None]
    if not limits:
        raise RuntimeError("clamp: expected min or max, got neither (must not be None)")
    dtype = dtypes.result_type(unwrap(input), *[unwrap(limit) for limit in limits])
    dtypes.refuse("clamp", dtype, "complex")
    if input.dtype != dtype:
        input = cast(input, dtype)
    numbers = not any(hasattr(limit, "dtype") for limit in limits)
    ends = [None if limit is None else _in("clamp", limit, dtype) for limit in (min, max)]
    if numbers:
        return clamp_to(input, *ends)
    whole = [
        zeros_of(input, ()) + end if isinstance(limit, Number) else end
        for limit, end in zip((min, max), ends)
    ]
    return limited(input, *whole)


clip = clamp


@takes_out
def clamp_min(input: Tensor, min: Tensor | Number) -> Tensor:
    """max(input, min), by number or tensor."""
    return clamp(input, min)


@takes_out
def clamp_max(input: Tensor, max: Tensor | Number) -> Tensor:
    """min(input, max), by number or tensor."""
    return clamp(input, None, max)
