"""Whether tensors are equal, exactly or nearly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.logic import eq, isfinite, isnan
from tensorgrad.ops.pointwise import abs
from tensorgrad.ops.reduction import all

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "allclose",
    "equal",
    "isclose",
]


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """|input - other| <= atol + rtol * |other|, as bool; equal_nan lets NaN be close to NaN."""
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: expected rtol and atol >= 0, got {rtol} and {atol}")
    _refuse_numbers("isclose", input, other)
    if input.dtype != other.dtype:
        raise DTypeError(
            f"isclose: expected tensors of one dtype, got {input.dtype} and {other.dtype}"
        )
    close = eq(input, other)
    if equal_nan and dtypes.is_differentiable(input.dtype):
        close = close | (isnan(input) & isnan(other))
    if not dtypes.is_differentiable(input.dtype):
        input, other = cast(input, dtypes.float64), cast(other, dtypes.float64)
    distance = abs(input - other)
    return close | (isfinite(distance) & (distance <= atol + abs(other * rtol)))


def allclose(
    input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all elements are close: see `isclose`."""
    return bool(all(isclose(input, other, rtol, atol, equal_nan)))


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and elements."""
    _refuse_numbers("equal", input, other)
    return input.shape == other.shape and bool(all(eq(input, other)))


def _refuse_numbers(op: str, *values: Any) -> None:
    for value in values:
        if not hasattr(value, "dtype"):
            raise TypeError(f"{op}: expected two tensors, got {type(value).__name__}")
