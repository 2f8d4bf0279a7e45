"""Every primitive for a NumPy-like array module: the reference that other backends extend and are
tested against.

A backend computes on arrays; it knows no tensor, no gradient and no graph. Arguments arrive in one
form: dtypes already promoted, everything positional. A method named like a fused op of
`tensorgrad.ops` is a kernel for it; it may return NotImplemented for arrays it does not serve, and
the op's composition runs. See `tensorgrad.op`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from tensorgrad import dtypes
from tensorgrad.backend import CPU, Device
from tensorgrad.backends.complex_primitives import ComplexPrimitives
from tensorgrad.backends.gamma_slope_primitives import GammaSlopePrimitives
from tensorgrad.backends.index_primitives import IndexPrimitives
from tensorgrad.backends.linalg_primitives import LinalgPrimitives
from tensorgrad.backends.order_primitives import OrderPrimitives
from tensorgrad.backends.pointwise_primitives import PointwisePrimitives
from tensorgrad.backends.reduction_primitives import ReductionPrimitives
from tensorgrad.backends.rejection_primitives import RejectionPrimitives
from tensorgrad.backends.special_primitives import SpecialPrimitives
from tensorgrad.backends.view_primitives import ViewPrimitives
from tensorgrad.backends.window_primitives import WindowPrimitives
from tensorgrad.errors import BackendError

Array: TypeAlias = Any
Dim: TypeAlias = int | tuple[int, ...] | None


class ArrayBackend(
    ComplexPrimitives,
    GammaSlopePrimitives,
    IndexPrimitives,
    LinalgPrimitives,
    OrderPrimitives,
    PointwisePrimitives,
    ReductionPrimitives,
    RejectionPrimitives,
    SpecialPrimitives,
    ViewPrimitives,
    WindowPrimitives,
):
    """The primitives over the array module `xp` (NumPy, or one with NumPy's names)."""

    name: str
    device_type: str = "cpu"
    default_device: Device = CPU
    array_types: tuple[type, ...]

    def __init__(self, xp: Any) -> None:
        self.xp = xp
        # Looked up on the instance a method costs 5 ns, on the class 40: ops feel that.
        for name in dir(self):
            if not name.startswith("_") and callable(getattr(self, name)):
                self.__dict__[name] = getattr(self, name)

    # ---- data: making, copying and reading arrays

    def check_device(self, device: Device) -> Device:
        """The device in full (with its number), or BackendError if there is none such."""
        if device.index not in (None, 0):
            raise BackendError(f"device: expected 'cpu', got '{device}'")
        return self.default_device

    def device_of(self, input: Array) -> Device:
        return self.default_device

    def asarray(self, value: Any, dtype: Any, device: Device) -> Array:
        """A new array from nested sequences, numbers or a NumPy array; dtype None keeps the
        value's.
        """
        return self.xp.array(value, dtype=dtype)

    def of_scalar(self, value: Any) -> Array:
        """What an array function gave as a number of its own kind, as a 0-d array."""
        return self.xp.array(value)

    def to_numpy(self, input: Array) -> Any:
        """The array as NumPy's, sharing memory where it can."""
        return input

    def full(self, shape: tuple[int, ...], value: Any, dtype: Any, device: Device) -> Array:
        return self.xp.full(shape, value, dtype)

    def empty(self, shape: tuple[int, ...], dtype: Any, device: Device) -> Array:
        return self.xp.empty(shape, dtype)

    def free_memory(self) -> str:
        """What is to be said of the memory that is left, after a failed allocation's own words."""
        return ""

    def arange(self, start: Any, step: Any, count: int, dtype: Any, device: Device) -> Array:
        """start + step * (0 .. count-1), computed in float64 for floating dtypes."""
        if not dtypes.is_floating_point(dtype):
            return self.xp.arange(start, start + step * count, step, dtype)
        return (start + step * self.xp.arange(count, dtype="float64")).astype(dtype)

    def copy(self, input: Array) -> Array:
        """A C-contiguous copy; of NumPy's scalars, too, an array."""
        return self.xp.array(input, order="C")

    def cast(self, input: Array, dtype: Any) -> Array:
        if input.dtype.kind == "c" and dtype.kind not in "cb":
            input = input.real
        return input.astype(dtype)

    def assign(self, target: Array, value: Any) -> None:
        """target[...] = value, broadcast and cast. Arrays are written by this, `increase`,
        `assign_at` and `add_at` alone.
        """
        target[...] = value

    def increase(self, target: Array, value: Array) -> None:
        """target += value, of the same shape."""
        target += value

    def own(self, input: Array, shared: bool) -> Array:
        """An array of its own memory: a copy if `shared` says so or `input` is a view."""
        # A reduction to no dimensions gives NumPy's scalars, which cannot be written.
        if shared or not isinstance(input, self.xp.ndarray):
            return self.xp.array(input, copy=True)
        return input if input.base is None else self.xp.array(input, copy=True)

    def is_view(self, view: Array, of: Array) -> bool:
        """Whether `view`, made from `of`, shares its memory."""
        base = view.base
        return base is not None and (base is of or base is of.base)

    def synchronize(self) -> None:
        """Wait until everything asked for has been computed."""

    # ---- products

    # ---- shape; all but cat and flip are views

    def reshape(self, input: Array, shape: tuple[int, ...]) -> Array:
        return input.reshape(shape)

    def permute(self, input: Array, dims: tuple[int, ...]) -> Array:
        return input.transpose(dims)

    def expand(self, input: Array, size: tuple[int, ...]) -> Array:
        return self.xp.broadcast_to(input, size)

    def cat(self, tensors: Sequence[Array], dim: int) -> Array:
        try:
            return self.xp.concatenate(tensors, axis=dim)
        except ValueError:  # empty arrays of one dimension join anything
            filled = [array for array in tensors if array.shape != (0,)]
            if not 0 < len(filled) < len(tensors):
                raise
            return self.xp.concatenate(filled, axis=dim)

    def join(self, parts: Sequence[Array], dim: int) -> Array:
        """`cat` of arrays that nobody writes to from now on: the result may be made of them."""
        return self.cat(parts, dim)

    def flip(self, input: Array, dims: tuple[int, ...]) -> Array:
        return self.xp.flip(input, dims).copy()
