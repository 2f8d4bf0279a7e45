"""Conversions of a tensor's dtype, by themselves and as a step of other ops."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tensorgrad import dtypes, modes
from tensorgrad.backend import Device
from tensorgrad.formats import Layout
from tensorgrad.fused import Parameters, Result
from tensorgrad.graph import TensorCore, unwrap
from tensorgrad.op import TensorFunction, primitive

__all__ = []

cast: TensorFunction = primitive(
    "cast",
    "input",
    "dtype",
    "input in another dtype.",
    input=lambda g, input_dtype: cast(g, input_dtype),
)


def widens(name: str, input: Any) -> bool:
    """Whether the backend's kernel of this op computes 16-bit floats in float32 by itself."""
    backend: Any = modes.current().backends[unwrap(input).__class__]
    return name in getattr(backend, "widens", ())


def widened(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """An op whose 16-bit floats are computed as float32: their squares and sums overflow."""

    call: Callable[..., Any] = function
    name = getattr(function, "__name__", "")

    @functools.wraps(function)
    def in_float32(input: Any, *args: Any, **kwargs: Any) -> Any:
        dtype = input.dtype
        if dtype.itemsize != 2 or not dtypes.is_floating_point(dtype) or widens(name, input):
            return call(input, *args, **kwargs)
        wide = cast(input, dtypes.float32)
        return cast(call(wide, *args, **kwargs), kwargs.get("dtype") or dtype)

    return in_float32  # type: ignore[return-value]


def all_widened(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """`widened` where several arguments are floating tensors: they must be of one 16-bit dtype."""

    call: Callable[..., Any] = function
    name = getattr(function, "__name__", "")

    @functools.wraps(function)
    def in_float32(*args: Any, **kwargs: Any) -> Any:
        floats = [x for x in (*args, *kwargs.values()) if _floats(x)]
        kinds = {x._array.dtype for x in floats}
        if len(kinds) != 1 or (dtype := kinds.pop()).itemsize != 2 or widens(name, floats[0]):
            return call(*args, **kwargs)
        return cast(
            call(
                *[cast(x, dtypes.float32) if _floats(x) else x for x in args],
                **{k: cast(x, dtypes.float32) if _floats(x) else x for k, x in kwargs.items()},
            ),
            dtype,
        )

    return in_float32


def _floats(value: Any) -> bool:
    return isinstance(value, TensorCore) and dtypes.is_floating_point(value._array.dtype)


# ---- what the arguments of conversions name


def destination(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, bool]:
    """The device, the dtype (None where they stay) and whether to copy, from the arguments of
    `to`.
    """
    known = {"device", "dtype", "non_blocking", "copy", "memory_format"}
    if unknown := set(kwargs) - known:
        raise TypeError(f"to: expected keywords among {sorted(known)}, got {sorted(unknown)}")
    device, dtype = kwargs.get("device"), kwargs.get("dtype")
    flags = [arg for arg in args if isinstance(arg, bool)]
    copy = flags[1] if len(flags) > 1 else kwargs.get("copy", False)
    for arg in args:
        if isinstance(arg, TensorCore):
            other: Any = arg
            device, dtype = other.device, other.dtype
        elif isinstance(arg, bool | Layout) or arg is None:
            continue
        elif isinstance(arg, str | Device | int):
            device = arg
        else:
            dtype = arg
    return device, None if dtype is None else dtypes.as_dtype("to", dtype), bool(copy)


_TYPE_NAMES: dict[dtypes.DType, str] = {
    dtypes.float32: "FloatTensor",
    dtypes.float64: "DoubleTensor",
    dtypes.float16: "HalfTensor",
    dtypes.bfloat16: "BFloat16Tensor",
    dtypes.uint8: "ByteTensor",
    dtypes.int8: "CharTensor",
    dtypes.int16: "ShortTensor",
    dtypes.int32: "IntTensor",
    dtypes.int64: "LongTensor",
    dtypes.bool_: "BoolTensor",
    dtypes.complex64: "ComplexFloatTensor",
    dtypes.complex128: "ComplexDoubleTensor",
}


def type_name(dtype: dtypes.DType) -> str:
    """PyTorch's old name of a dtype: "FloatTensor"."""
    return _TYPE_NAMES[dtype]


def dtype_of_type(kind: Any) -> dtypes.DType:
    """The dtype that a dtype, a typed tensor such as `FloatTensor`, or its name
    "torch.FloatTensor" stands for.
    """
    if isinstance(kind, type) and hasattr(kind, "dtype"):
        kind = kind.dtype
    if isinstance(kind, str):
        name = kind.rpartition(".")[2]
        for dtype, known in _TYPE_NAMES.items():
            if known == name:
                return dtype
        raise ValueError(
            f"type: expected a dtype or one of {list(_TYPE_NAMES.values())}, got {kind!r}"
        )
    return dtypes.as_dtype("type", kind)
