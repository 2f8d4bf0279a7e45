"""Element types: `numpy.dtype` objects under PyTorch's names, and PyTorch's promotion table.

NumPy takes no subclass of its dtypes and no attribute for them, so that of what PyTorch has on a
dtype only `itemsize` is there; a tensor has `is_floating_point()` and `is_complex()`.

Knows nothing of tensors; an operand of `result_type` is anything with `dtype` and `ndim`, or a
Python number.
"""

from __future__ import annotations

import builtins
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np

from tensorgrad.errors import DTypeError

__all__ = [
    "bfloat16",
    "can_cast",
    "cdouble",
    "cfloat",
    "complex64",
    "complex128",
    "double",
    "finfo",
    "float16",
    "float32",
    "float64",
    "get_default_dtype",
    "half",
    "iinfo",
    "int8",
    "int16",
    "int32",
    "int64",
    "long",
    "promote_types",
    "result_type",
    "set_default_dtype",
    "short",
    "uint8",
]

DType: TypeAlias = np.dtype[Any]

bool_ = np.dtype("bool")
uint8 = np.dtype("uint8")
int8 = np.dtype("int8")
int16 = short = np.dtype("int16")
int32 = int_ = np.dtype("int32")
int64 = long = np.dtype("int64")
float16 = half = np.dtype("float16")
bfloat16: DType = np.dtype(ml_dtypes.bfloat16)
float32 = float_ = np.dtype("float32")
float64 = double = np.dtype("float64")
complex64 = cfloat = np.dtype("complex64")
complex128 = cdouble = np.dtype("complex128")

BOOL, INTEGRAL, FLOATING, COMPLEX = range(4)
_CATEGORY_OF_KIND = {"b": BOOL, "i": INTEGRAL, "u": INTEGRAL, "f": FLOATING, "c": COMPLEX}

_SHARED = {
    kind: kind
    for kind in (
        bool_, uint8, int8, int16, int32, int64,
        float16, bfloat16, float32, float64, complex64, complex128,
    )
}  # fmt: skip

_default = float32


def with_shared(array: Any) -> Any:
    """The array, under the one object of its dtype that kernels compare with: NumPy gives what it
    unpickles another one, which is equal only.
    """
    kind = array.dtype
    shared = _SHARED.get(kind, kind)
    return array if shared is kind else array.view(shared)


def as_dtype(op: str, dtype: Any) -> DType:
    """What stands for an element type (a dtype, NumPy's class of numbers, Python's float, int or
    bool) as that type.
    """
    if dtype is None or isinstance(dtype, str):
        raise TypeError(f"{op}: expected a dtype, got {dtype!r}")
    try:
        found: DType = np.dtype(dtype)
    except TypeError as error:
        raise TypeError(f"{op}: expected a dtype, got {dtype!r}") from error
    if found.kind not in _CATEGORY_OF_KIND and found != bfloat16:
        raise TypeError(f"{op}: expected a dtype of numbers, got {dtype!r}")
    return _SHARED.get(found, found)


def category(dtype: DType) -> int:
    """0 bool, 1 integral, 2 floating, 3 complex: the first thing that promotion looks at."""
    if dtype is bfloat16:  # NumPy sees its kind as "V", void
        return FLOATING
    return _CATEGORY_OF_KIND[dtype.kind]


def is_floating_point(dtype: DType) -> builtins.bool:
    return category(dtype) == FLOATING


def is_differentiable(dtype: DType) -> builtins.bool:
    """Only floating and complex tensors can require gradients."""
    return category(dtype) >= FLOATING


_LETTERS = {"bool": "b", "integers": "iu", "complex": "c"}


def refuse(op: str, dtype: DType, kinds: str) -> None:
    """Raise where an op is not defined for such numbers; `kinds` are some of "bool", "integers" and
    "complex", separated by spaces.
    """
    if dtype.kind in "".join([_LETTERS[kind] for kind in kinds.split()]):
        if "integers" in kinds:
            expected = "a floating point dtype"
        else:
            expected = "numbers" if dtype == bool_ else "real numbers"
        raise DTypeError(f"{op}: expected {expected}, got {dtype}")


def refuse_mixed(op: str, *found: DType) -> None:
    """Raise where an op takes tensors of one dtype only."""
    if len(set(found)) > 1:
        raise DTypeError(
            f"{op}: expected tensors of one dtype, got {' and '.join(map(str, found))}"
        )


def get_default_dtype() -> DType:
    """The type of tensors made from Python floats; `float32` unless set."""
    return _default


def set_default_dtype(d: DType) -> None:
    """Make `d` (a floating type) the type of tensors made from Python floats."""
    global _default
    if not is_floating_point(np.dtype(d)):
        raise TypeError(f"set_default_dtype: expected a floating-point dtype, got {d}")
    _default = np.dtype(d)


def promote_types(type1: DType, type2: DType) -> DType:
    """The smallest type that PyTorch lets both operands be converted to.

    Unlike NumPy a floating type is never widened by an integral one: `int64` with `float32` is
    `float32`.
    """
    if type1 is type2:
        return type1
    a, b = category(type1), category(type2)
    if a != b:
        if max(a, b) == COMPLEX and min(a, b) == FLOATING:
            return np.promote_types(type1, type2)
        return type1 if a > b else type2
    if bfloat16 in (type1, type2):
        other = type2 if type1 == bfloat16 else type1
        return float32 if other == float16 else other
    return np.promote_types(type1, type2)


def _combine(higher: DType | None, lower: DType | None) -> DType | None:
    """The type of operands of unequal rank: the lower one counts only where its
    category is higher.
    """
    if higher is None or lower is None:
        return higher if lower is None else lower
    if category(lower) > category(higher):
        return promote_types(higher, lower)
    return higher


def scalar_dtype(value: Any) -> DType:
    """The type that a Python number stands for on its own."""
    if isinstance(value, builtins.bool):
        return bool_
    if isinstance(value, int):
        return int64
    if isinstance(value, complex):
        return complex128 if _default is float64 else complex64
    return _default


def result_type(*operands: Any) -> DType:
    """The type in which `operands` are computed together, by PyTorch's rules.

    Tensors with dimensions decide; 0-d tensors, and after them Python numbers, count only where
    they are of a higher category (bool < integral < floating < complex). See
    https://docs.pytorch.org/docs/stable/tensor_attributes.html#type-promotion-doc
    """
    ranks: list[DType | None] = [None, None, None]
    for operand in operands:
        dtype = getattr(operand, "dtype", None)
        if dtype is None:
            rank, dtype = 2, scalar_dtype(operand)
        else:
            rank = 0 if operand.ndim else 1
        known = ranks[rank]
        ranks[rank] = dtype if known is None else promote_types(known, dtype)
    result = _combine(ranks[0], _combine(ranks[1], ranks[2]))
    if result is None:
        raise TypeError("result_type: expected at least one operand, got none")
    return result


def can_cast(from_: DType, to: DType) -> builtins.bool:
    """Whether PyTorch stores a result of type `from_` into a tensor of type `to`."""
    return category(from_) <= category(to)


# ---- limits


class iinfo:
    """The limits of an integer dtype: `bits`, `min`, `max`, `dtype`."""

    def __init__(self, dtype: DType) -> None:
        found = as_dtype("iinfo", dtype)
        if category(found) != INTEGRAL:
            raise TypeError(f"iinfo: expected an integer dtype, got {found} (see finfo)")
        limits = np.iinfo(found)
        self.bits = int(limits.bits)
        self.min = int(limits.min)
        self.max = int(limits.max)
        self.dtype = str(found)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


class finfo:
    """The limits of a floating dtype, the default one unless told.

    `bits`, `min`, `max`, `dtype`; `eps`, the gap from 1 to the next number; `tiny` and
    `smallest_normal`, the least positive number of full precision; `resolution`, the decimal one.
    """

    def __init__(self, dtype: DType | None = None) -> None:
        found = _default if dtype is None else as_dtype("finfo", dtype)
        if not is_differentiable(found):
            raise TypeError(f"finfo: expected a floating point dtype, got {found} (see iinfo)")
        limits: Any = ml_dtypes.finfo(found)  # type: ignore[no-untyped-call]
        self.bits = int(limits.bits)
        self.eps = builtins.float(limits.eps)
        self.min = builtins.float(limits.min)
        self.max = builtins.float(limits.max)
        self.tiny = self.smallest_normal = builtins.float(limits.smallest_normal)
        self.resolution = 10.0 ** -int(limits.precision)
        self.dtype = str(limits.dtype)

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        values = ", ".join(f"{name}={getattr(self, name):.6g}" for name in names)
        return f"finfo({values}, dtype={self.dtype})"
