"""PyTorch's first names of tensors by their dtype: `FloatTensor`, `LongTensor` and so on.

https://docs.pytorch.org/docs/stable/tensors.html. They make tensors, of sizes or of data, and
`isinstance` asks by them for a dtype on the CPU; tensors themselves are of the one class `Tensor`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tensorgrad import dtypes
from tensorgrad._tensor import Tensor, constructed
from tensorgrad.backend import Device
from tensorgrad.ops.conversion import dtype_of_type

__all__ = [
    "BFloat16Tensor",
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "set_default_tensor_type",
    "typename",
]

CPU = Device("cpu")


class _Typed(type):
    dtype: dtypes.DType

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dtype == cls.dtype and value.is_cpu


class _Making(metaclass=_Typed):
    dtype: ClassVar[dtypes.DType]

    def __new__(cls, *args: Any) -> Any:
        return constructed(cls.__name__, args, cls.dtype, CPU)


class FloatTensor(_Making):
    """`FloatTensor(2, 3)`, uninitialised, or `FloatTensor([2, 3])`: a float32 tensor on the CPU."""

    dtype = dtypes.float32


class DoubleTensor(_Making):
    """The same in float64."""

    dtype = dtypes.float64


class HalfTensor(_Making):
    """The same in float16."""

    dtype = dtypes.float16


class BFloat16Tensor(_Making):
    """The same in bfloat16."""

    dtype = dtypes.bfloat16


class ByteTensor(_Making):
    """The same in uint8."""

    dtype = dtypes.uint8


class CharTensor(_Making):
    """The same in int8."""

    dtype = dtypes.int8


class ShortTensor(_Making):
    """The same in int16."""

    dtype = dtypes.int16


class IntTensor(_Making):
    """The same in int32."""

    dtype = dtypes.int32


class LongTensor(_Making):
    """The same in int64."""

    dtype = dtypes.int64


class BoolTensor(_Making):
    """The same in bool."""

    dtype = dtypes.bool_


def set_default_tensor_type(t: Any) -> None:
    """Make the dtype of a typed tensor, or of its name, that of tensors made from Python floats."""
    dtypes.set_default_dtype(dtype_of_type(t))


def typename(obj: Any) -> str:
    """A tensor's type by its first name, "torch.FloatTensor"; of anything else the class."""
    if isinstance(obj, Tensor):
        return str(obj.type())
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", None)
    return kind.__qualname__ if module in (None, "builtins") else f"{module}.{kind.__qualname__}"
