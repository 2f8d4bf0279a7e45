"""What a program's own tests call: https://docs.pytorch.org/docs/stable/testing.html."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tensorgrad import dtypes
from tensorgrad._tensor import Tensor
from tensorgrad.ops.closeness import isclose
from tensorgrad.ops.creation import as_tensor

__all__ = ["assert_close"]

# The relative and the absolute difference that a dtype allows; others must be equal.
_TOLERANCE = {
    dtypes.float16: (1e-3, 1e-5),
    dtypes.bfloat16: (1.6e-2, 1e-5),
    dtypes.float32: (1.3e-6, 1e-5),
    dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7),
    dtypes.complex128: (1e-7, 1e-7),
}


class _Rules(NamedTuple):
    """What one call of `assert_close` asks of every pair."""

    rtol: float | None
    atol: float | None
    equal_nan: bool
    check_device: bool
    check_dtype: bool
    check_stride: bool

    def tolerance(self, *kinds: dtypes.DType) -> tuple[float, float]:
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        by_kind = [_TOLERANCE.get(kind, (0.0, 0.0)) for kind in kinds]
        return max(rtol for rtol, _ in by_kind), max(atol for _, atol in by_kind)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """|actual - expected| <= atol + rtol * |expected| for tensors, arrays and numbers, and for
    those in sequences and mappings; AssertionError says where it does not hold.

    Without `rtol` and `atol` the dtypes say how close is close: float32 1.3e-6 and 1e-5, float64
    1e-7 both, integers and bools equal. All tensors have one layout, and a tensor's subclass is its
    tensor, so `check_layout` and `allow_subclasses` change nothing. `msg` is said in place of the
    message, or made from it.
    """
    if (rtol is None) != (atol is None):
        raise ValueError(f"assert_close: expected both rtol and atol, got {rtol} and {atol}")
    rules = _Rules(rtol, atol, equal_nan, check_device, check_dtype, check_stride)
    fault = _fault(actual, expected, rules)
    if fault is not None:
        text = fault if msg is None else msg(fault) if callable(msg) else msg
        raise AssertionError(text)


def _fault(actual: Any, expected: Any, rules: _Rules) -> str | None:
    """What is wrong with a pair of values; None if nothing is."""
    if actual is expected is None:
        return None
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        if set(actual) != set(expected):
            missing, more = [*expected.keys() - actual], [*actual.keys() - expected]
            return f"expected the same keys, got {missing} missing and {more} unexpected"
        return _first_fault({key: (actual[key], expected[key]) for key in expected}, rules)
    if _is_sequence(actual) and _is_sequence(expected):
        if len(actual) != len(expected):
            return f"expected {len(expected)} items, got {len(actual)}"
        return _first_fault(dict(enumerate(zip(actual, expected, strict=True))), rules)
    if isinstance(actual, bool) and isinstance(expected, bool):
        return None if actual is expected else f"expected {expected}, got {actual}"
    if isinstance(actual, numbers.Number) and isinstance(expected, numbers.Number):
        if rules.check_dtype and type(actual) is not type(expected):
            return f"expected a {type(expected).__name__}, got a {type(actual).__name__}"
        as_numbers = rules._replace(check_dtype=False)
        return _tensor_fault(_as_number(actual), _as_number(expected), as_numbers)
    if _is_array(actual) and _is_array(expected):
        return _tensor_fault(as_tensor(actual), as_tensor(expected), rules)
    raise TypeError(
        "assert_close: expected two tensors, arrays, numbers, sequences or mappings, got "
        f"{type(actual).__name__} and {type(expected).__name__}"
    )


def _as_number(value: Any) -> Tensor:
    """A 0-d tensor in which no Python number is rounded."""
    wide = {float: dtypes.float64, complex: dtypes.complex128}
    return as_tensor(value, dtype=wide.get(type(value)))


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or hasattr(value, "__array__")


def _first_fault(pairs: dict[Any, tuple[Any, Any]], rules: _Rules) -> str | None:
    for place, (actual, expected) in pairs.items():
        fault = _fault(actual, expected, rules)
        if fault is not None:
            return f"{fault}\nat item [{place!r}]"
    return None


def _tensor_fault(actual: Tensor, expected: Tensor, rules: _Rules) -> str | None:
    """What differs between two tensors; None if nothing does."""
    actual, expected = actual.detach(), expected.detach()
    checks = {"shape": True, "device": rules.check_device, "dtype": rules.check_dtype}
    for name, checked in checks.items():
        mine, wanted = getattr(actual, name), getattr(expected, name)
        if checked and mine != wanted:
            return f"expected {name} {wanted}, got {mine}"
    if rules.check_stride and actual.stride() != expected.stride():
        return f"expected strides {expected.stride()}, got {actual.stride()}"
    rtol, atol = rules.tolerance(actual.dtype, expected.dtype)
    common = dtypes.promote_types(actual.dtype, expected.dtype)
    actual, expected = actual.cpu().to(common), expected.cpu().to(common)
    close = isclose(actual, expected, rtol, atol, rules.equal_nan)
    if bool(close.all()):
        return None
    wide = dtypes.complex128 if common.kind == "c" else dtypes.float64
    distance = (actual.to(wide) - expected.to(wide)).abs()
    distance = distance.masked_fill(close, 0.0)
    worst = int(distance.nan_to_num(float("inf")).argmax())
    place = tuple(int(index) for index in _place(worst, actual.shape))
    return (
        f"expected values within {atol:g} + {rtol:g} * |expected|, got "
        f"{int((~close).sum())} of {actual.numel()} beyond that; the farthest is "
        f"{actual[place].item()} for {expected[place].item()} at index {place}"
    )


def _place(number: int, shape: Sequence[int]) -> list[int]:
    """The index of the element with this number in a shape's order."""
    place = []
    for size in reversed(shape):
        number, index = divmod(number, size)
        place.append(index)
    return place[::-1]
