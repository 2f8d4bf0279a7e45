"""Indexing primitives for a NumPy-like array module: views, gathers, scatters, sliding windows."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

from tensorgrad.errors import IndexRangeError

Array: TypeAlias = Any


class IndexPrimitives:
    """Part of ArrayBackend."""

    xp: Any

    def getitem(self, input: Array, index: tuple[Any, ...]) -> Array:
        """Basic indexing: a view. The Ellipsis keeps a full set of numbers from giving a scalar."""
        return input[index if Ellipsis in index else (*index, Ellipsis)]

    def index(self, input: Array, index: tuple[Any, ...]) -> Array:
        """Indexing with at least one array among slices: a copy."""
        return input[index]

    def embed(self, input: Array, index: tuple[Any, ...], shape: tuple[int, ...]) -> Array:
        """Zeros of `shape` with `input` added at `index`: the adjoint of `getitem` and `index`."""
        out = self.xp.zeros(shape, input.dtype)
        if all(part is None or isinstance(part, int | slice | type(...)) for part in index):
            out[index] = input
        else:
            self.add_at(out, index, input)
        return out

    def add_at(self, target: Array, index: Any, value: Array) -> None:
        """target[index] += value, where an element that is named twice receives both."""
        self.xp.add.at(target, index, value)

    def assign_at(self, target: Array, index: tuple[Any, ...], value: Any) -> None:
        target[index] = value

    def nonzero(self, input: Array) -> Array:
        """(number of elements that are not 0, number of dimensions), int64."""
        if not input.ndim:
            return self.xp.zeros((int(input != 0), 0), "int64")
        return self.xp.stack(self.xp.nonzero(input), axis=-1)

    def gather(self, input: Array, index: Array, dim: int) -> Array:
        if not input.ndim:
            return self.gather(input.reshape(1), index.reshape(1), 0).reshape(())
        self._check_range("gather", index, input.shape[dim])
        return input[self._along(index, dim)]

    def scatter_add(self, input: Array, index: Array, src: Array, dim: int) -> Array:
        if not input.ndim:
            one, place, added = (array.reshape(1) for array in (input, index, src))
            return self.scatter_add(one, place, added, 0).reshape(())
        self._check_range("scatter_add", index, input.shape[dim])
        out = input.copy()
        self.add_at(out, self._along(index, dim), src)
        return out

    def embedding(self, input: Array, weight: Array, padding_idx: int | None) -> Array:
        """Rows of `weight` named by `input`; a number outside [0, rows) raises IndexRangeError."""
        self._check_range("embedding", input, weight.shape[0])
        return self.xp.take(weight, input, axis=0)

    def embedding_add(
        self, input: Array, index: Array, padding_idx: int | None, rows: int
    ) -> Array:
        """Zeros (rows, D) with row i of `input` (..., D) added at row index[i]: the adjoint of
        `embedding`.
        """
        out = self.xp.zeros((rows, input.shape[-1]), input.dtype)
        self.add_at(out, index.reshape(-1), input.reshape(-1, input.shape[-1]))
        if padding_idx is not None:
            out[padding_idx] = 0
        return out

    def _along(self, index: Array, dim: int) -> tuple[Array, ...]:
        """The full index that picks `index` along `dim` and each element's own place elsewhere."""
        dim %= index.ndim
        grid = self.xp.ogrid[tuple(slice(n) for n in index.shape)]
        return tuple(index if axis == dim else own for axis, own in enumerate(grid))

    def _check_range(self, op: str, index: Array, size: int) -> None:
        if index.size:
            low, high = int(index.min()), int(index.max())
            if low < 0 or high >= size:
                raise IndexRangeError(
                    f"{op}: expected indices in [0, {size}), got {low if low < 0 else high}"
                )

    # ---- sliding windows over the last len(kernel) dimensions

    def windows(
        self,
        input: Array,
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
    ) -> Array:
        """(..., *size) -> (..., *positions, *kernel): a view in which window elements repeat."""
        spatial = len(kernel)
        lead = input.ndim - spatial
        sizes, steps = input.shape[lead:], input.strides[lead:]
        positions = tuple(
            (n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(sizes, kernel, stride, dilation)
        )
        return self.xp.lib.stride_tricks.as_strided(
            input,
            (*input.shape[:lead], *positions, *kernel),
            (
                *input.strides[:lead],
                *(step * s for step, s in zip(steps, stride)),
                *(step * d for step, d in zip(steps, dilation)),
            ),
        )

    def fold_windows(
        self,
        input: Array,
        size: tuple[int, ...],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
    ) -> Array:
        """(..., *positions, *kernel) -> (..., *size): each element added where it came from;
        adjoint of `windows`.
        """
        spatial = len(kernel)
        lead = input.ndim - 2 * spatial
        positions = input.shape[lead : lead + spatial]
        out = self.xp.zeros((*input.shape[:lead], *size), input.dtype)
        for number in range(math.prod(kernel)):
            place: list[int] = []
            rest = number
            for k in reversed(kernel):
                rest, offset = divmod(rest, k)
                place.insert(0, offset)
            target = tuple(
                slice(o * d, o * d + (p - 1) * s + 1, s)
                for o, d, p, s in zip(place, dilation, positions, stride)
            )
            out[(..., *target)] += input[(..., *place)]
        return out
