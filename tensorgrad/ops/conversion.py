"""Conversions of a tensor's dtype, by themselves and as a step of other ops."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tensorgrad import dtypes
from tensorgrad.fused import Parameters, Result
from tensorgrad.op import TensorFunction, primitive

__all__ = []

cast: TensorFunction = primitive(
    "cast",
    "input",
    "dtype",
    "input in another dtype.",
    input=lambda g, input_dtype: cast(g, input_dtype),
)


def widened(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """A reduction whose 16-bit floats are computed as float32: their squares and sums overflow."""

    call: Callable[..., Any] = function

    @functools.wraps(function)
    def in_float32(input: Any, *args: Any, **kwargs: Any) -> Any:
        dtype = input.dtype
        if dtype.itemsize != 2 or not dtypes.is_floating_point(dtype):
            return call(input, *args, **kwargs)
        wide = cast(input, dtypes.float32)
        return cast(call(wide, *args, **kwargs), kwargs.get("dtype") or dtype)

    return in_float32  # type: ignore[return-value]
