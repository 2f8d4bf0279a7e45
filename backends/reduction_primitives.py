"""Reduction primitives for a NumPy-like array module: sums, products, extremes, tests."""

from __future__ import annotations

from typing import Any, TypeAlias

from tensorgrad import dtypes

Array: TypeAlias = Any
Dim: TypeAlias = int | tuple[int, ...] | None

# Sums over a leading dimension add whole rows; past this many, in blocks, so that rounding errors
# do not pile up.
SUM_BLOCK = 256


class ReductionPrimitives:
    """Part of ArrayBackend."""

    xp: Any

    def sum(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        dtype = input.dtype
        if dtype is dtypes.bfloat16 or dtype is dtypes.float16:  # they would round at every step
            return self.sum(input.astype("float32"), dim, keepdim).astype(dtype)
        if dim is None:
            return self.xp.add.reduce(input, None, None, None, keepdim)
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
        return self.xp.multiply.reduce(input, axis=dim, dtype=input.dtype, keepdims=keepdim)

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
