"""Every primitive for a NumPy-like array module: the reference that other backends extend and are
tested against.

A backend computes on arrays; it knows no tensor, no gradient and no graph. Arguments arrive in one
form: dtypes already promoted, everything positional. A method named like a fused op of
`tensorgrad.ops` is a kernel for it; it may return NotImplemented for arrays it does not serve, and
the op's composition runs. See `tensorgrad.op`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from tensorgrad import dtypes
from tensorgrad.backend import CPU, Device
from tensorgrad.backends.index_primitives import IndexPrimitives
from tensorgrad.backends.random_primitives import RandomPrimitives
from tensorgrad.errors import BackendError

Array: TypeAlias = Any
Dim: TypeAlias = int | tuple[int, ...] | None

# Sums over a leading dimension add whole rows; past this many, in blocks, so that rounding errors
# do not pile up.
SUM_BLOCK = 256


class ArrayBackend(IndexPrimitives, RandomPrimitives):
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

    def to_numpy(self, input: Array) -> Any:
        """The array as NumPy's, sharing memory where it can."""
        return input

    def full(self, shape: tuple[int, ...], value: Any, dtype: Any, device: Device) -> Array:
        return self.xp.full(shape, value, dtype)

    def empty(self, shape: tuple[int, ...], dtype: Any, device: Device) -> Array:
        return self.xp.empty(shape, dtype)

    def arange(self, start: Any, step: Any, count: int, dtype: Any, device: Device) -> Array:
        """start + step * (0 .. count-1), computed in float64 for floating dtypes."""
        if not dtypes.is_floating_point(dtype):
            return self.xp.arange(start, start + step * count, step, dtype)
        return (start + step * self.xp.arange(count, dtype="float64")).astype(dtype)

    def copy(self, input: Array) -> Array:
        """A C-contiguous copy; of NumPy's scalars, too, an array."""
        return self.xp.array(input, order="C")

    def cast(self, input: Array, dtype: Any) -> Array:
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
        if shared or not isinstance(input, self.xp.ndarray) or input.base is not None:
            return self.xp.array(input, copy=True)
        return input

    def is_view(self, view: Array, of: Array) -> bool:
        """Whether `view`, made from `of`, shares its memory."""
        base = view.base
        return base is not None and (base is of or base is of.base)

    def contiguous(self, input: Array) -> Array:
        return self.xp.ascontiguousarray(input).reshape(input.shape)

    def synchronize(self) -> None:
        """Wait until everything asked for has been computed."""

    # ---- elementwise, one argument

    def neg(self, input: Array) -> Array:
        return self.xp.negative(input)

    def abs(self, input: Array) -> Array:
        return self.xp.absolute(input)

    def sign(self, input: Array) -> Array:
        return self.xp.sign(input)

    def exp(self, input: Array) -> Array:
        return self.xp.exp(input)

    def expm1(self, input: Array) -> Array:
        return self.xp.expm1(input)

    def log(self, input: Array) -> Array:
        return self.xp.log(input)

    def log1p(self, input: Array) -> Array:
        return self.xp.log1p(input)

    def sqrt(self, input: Array) -> Array:
        return self.xp.sqrt(input)

    def sin(self, input: Array) -> Array:
        return self.xp.sin(input)

    def cos(self, input: Array) -> Array:
        return self.xp.cos(input)

    def tanh(self, input: Array) -> Array:
        return self.xp.tanh(input)

    def erf(self, input: Array) -> Array:
        exact = self.xp.frompyfunc(math.erf, 1, 1)  # slow and right: other backends have a kernel
        return self.xp.asarray(exact(input)).astype(input.dtype)

    def floor(self, input: Array) -> Array:
        return self.xp.floor(input)

    def ceil(self, input: Array) -> Array:
        return self.xp.ceil(input)

    def round(self, input: Array) -> Array:
        return input.copy() if input.dtype.kind in "biu" else self.xp.rint(input)

    def trunc(self, input: Array) -> Array:
        return self.xp.trunc(input)

    def isnan(self, input: Array) -> Array:
        return self.xp.isnan(input)

    def isinf(self, input: Array) -> Array:
        return self.xp.isinf(input)

    def isfinite(self, input: Array) -> Array:
        return self.xp.isfinite(input)

    def logical_not(self, input: Array) -> Array:
        return self.xp.logical_not(input)

    def bitwise_not(self, input: Array) -> Array:
        return self.xp.invert(input)

    # ---- elementwise, two and three arguments; one may be a Python number

    def add(self, input: Array, other: Array) -> Array:
        return self.xp.add(input, other)

    def sub(self, input: Array, other: Array) -> Array:
        return self.xp.subtract(input, other)

    def mul(self, input: Array, other: Array) -> Array:
        return self.xp.multiply(input, other)

    def div(self, input: Array, other: Array) -> Array:
        return self.xp.true_divide(input, other)

    def pow(self, input: Array, exponent: Array) -> Array:
        return self.xp.power(input, exponent)

    def floor_divide(self, input: Array, other: Array) -> Array:
        return self.xp.floor_divide(input, other)

    def remainder(self, input: Array, other: Array) -> Array:
        return self.xp.remainder(input, other)

    def fmod(self, input: Array, other: Array) -> Array:
        return self.xp.fmod(input, other)

    def atan2(self, input: Array, other: Array) -> Array:
        return self.xp.arctan2(input, other)

    def maximum(self, input: Array, other: Array) -> Array:
        return self.xp.maximum(input, other)

    def minimum(self, input: Array, other: Array) -> Array:
        return self.xp.minimum(input, other)

    def eq(self, input: Array, other: Array) -> Array:
        return self.xp.equal(input, other)

    def ne(self, input: Array, other: Array) -> Array:
        return self.xp.not_equal(input, other)

    def lt(self, input: Array, other: Array) -> Array:
        return self.xp.less(input, other)

    def le(self, input: Array, other: Array) -> Array:
        return self.xp.less_equal(input, other)

    def gt(self, input: Array, other: Array) -> Array:
        return self.xp.greater(input, other)

    def ge(self, input: Array, other: Array) -> Array:
        return self.xp.greater_equal(input, other)

    def logical_and(self, input: Array, other: Array) -> Array:
        return self.xp.logical_and(input, other)

    def logical_or(self, input: Array, other: Array) -> Array:
        return self.xp.logical_or(input, other)

    def logical_xor(self, input: Array, other: Array) -> Array:
        return self.xp.logical_xor(input, other)

    def bitwise_and(self, input: Array, other: Array) -> Array:
        return self.xp.bitwise_and(input, other)

    def bitwise_or(self, input: Array, other: Array) -> Array:
        return self.xp.bitwise_or(input, other)

    def bitwise_xor(self, input: Array, other: Array) -> Array:
        return self.xp.bitwise_xor(input, other)

    def where(self, condition: Array, input: Array, other: Array) -> Array:
        return self.xp.where(condition, input, other)

    # ---- reductions and products

    def sum(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        if input.dtype is dtypes.bfloat16:  # ml_dtypes would round at every step
            return self.sum(input.astype("float32"), dim, keepdim).astype(input.dtype)
        if isinstance(dim, tuple) and len(dim) == 1:
            dim = dim[0]
        if isinstance(dim, int) and input.ndim > 1 and input.shape[dim] >= 2 * SUM_BLOCK:
            axis = dim % input.ndim
            if axis != input.ndim - 1:
                return self._sum_in_blocks(input, axis, keepdim)
        return self.xp.add.reduce(input, axis=dim, keepdims=keepdim)

    def _sum_in_blocks(self, input: Array, axis: int, keepdim: bool) -> Array:
        starts = range(0, input.shape[axis], SUM_BLOCK)
        before = (slice(None),) * axis
        blocks = [
            self.xp.add.reduce(input[(*before, slice(s, s + SUM_BLOCK))], axis=axis, keepdims=True)
            for s in starts
        ]
        return self.sum(self.xp.concatenate(blocks, axis), axis, keepdim)

    def prod(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        return self.xp.multiply.reduce(input, axis=dim, keepdims=keepdim)

    def amax(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        return self.xp.maximum.reduce(input, axis=dim, keepdims=keepdim)

    def amin(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        return self.xp.minimum.reduce(input, axis=dim, keepdims=keepdim)

    def any(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        return self.xp.any(input, axis=dim, keepdims=keepdim)

    def all(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        return self.xp.all(input, axis=dim, keepdims=keepdim)

    def argmax(self, input: Array, dim: int | None, keepdim: bool) -> Array:
        return self.xp.argmax(input, axis=dim, keepdims=keepdim)

    def argmin(self, input: Array, dim: int | None, keepdim: bool) -> Array:
        return self.xp.argmin(input, axis=dim, keepdims=keepdim)

    def argsort(self, input: Array, dim: int, descending: bool) -> Array:
        """Stable. Descending keeps equal elements in their order too, and puts NaN first, as
        PyTorch does.
        """
        if not input.ndim:
            return self.xp.zeros((), "int64")
        if not descending:
            return self.xp.argsort(input, axis=dim, kind="stable")
        flipped = self.xp.argsort(self.xp.flip(input, dim), axis=dim, kind="stable")
        return input.shape[dim] - 1 - self.xp.flip(flipped, dim)

    def cumsum(self, input: Array, dim: int) -> Array:
        return self.xp.cumsum(input, axis=dim, dtype=input.dtype)

    def matmul(self, input: Array, other: Array) -> Array:
        out = self.xp.matmul(input, other)
        # NumPy multiplies bfloat16 as float32.
        return out.astype(input.dtype) if input.dtype is dtypes.bfloat16 else out

    # ---- shape; all but cat, pad and flip are views

    def reshape(self, input: Array, shape: tuple[int, ...]) -> Array:
        return input.reshape(shape)

    def permute(self, input: Array, dims: tuple[int, ...]) -> Array:
        return input.transpose(dims)

    def expand(self, input: Array, size: tuple[int, ...]) -> Array:
        return self.xp.broadcast_to(input, size)

    def cat(self, tensors: Sequence[Array], dim: int) -> Array:
        return self.xp.concatenate(tensors, axis=dim)

    def pad_constant(self, input: Array, widths: tuple[tuple[int, int], ...], value: Any) -> Array:
        """`widths` has (before, after) for every dimension; none is negative."""
        shape = [before + n + after for n, (before, after) in zip(input.shape, widths)]
        out = self.xp.full(shape, value, input.dtype)
        out[tuple(slice(w[0], w[0] + n) for n, w in zip(input.shape, widths))] = input
        return out

    def flip(self, input: Array, dims: tuple[int, ...]) -> Array:
        return self.xp.flip(input, dims).copy()
