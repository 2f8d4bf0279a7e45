"""What integers name, on the Numba backend: elements and rows picked, and added in their places."""

from __future__ import annotations

import math
from typing import Any

from tensorgrad.backends.array_backend import Array
from tensorgrad.backends.numpy_backend import NumpyBackend

# Elements from which sums at places, elements picked one by one, and lines of them are faster than
# NumPy's.
MANY_ADDED = 2048
MANY_PICKED = 16_384
MANY_IN_LINES = 262_144


class NumbaIndexing(NumpyBackend):
    """Part of NumbaBackend."""

    _bags: Any
    _embedding: Any
    _scattering: Any

    # ---- elements

    def add_at(self, target: Array, index: Any, value: Array) -> None:
        many = isinstance(index, tuple) and getattr(value, "size", 0) >= MANY_ADDED
        if not (many and self._scattering.add_at(target, index, value)):
            super().add_at(target, index, value)

    def scatter_add(self, input: Array, index: Array, src: Array, dim: int) -> Array:
        if index.size >= MANY_ADDED and -input.ndim <= dim < input.ndim:
            out = self.copy(input)
            if self._scattering.add_along(out, index, src, dim % input.ndim):
                return out
        return super().scatter_add(input, index, src, dim)

    def gather(self, input: Array, index: Array, dim: int) -> Array:
        if index.size >= MANY_PICKED and -input.ndim <= dim < input.ndim:
            out = self._scattering.take_along(input, index, dim % input.ndim)
            if out is not NotImplemented:
                return out
        return super().gather(input, index, dim)

    def index(self, input: Array, index: tuple[Any, ...]) -> Array:
        if input.ndim > 1 and input.size >= MANY_PICKED:
            count = max([getattr(part, "size", 0) for part in index])
            sides = zip(input.shape, index)
            places = math.prod([n for n, part in sides if not isinstance(part, slice)])
            if count * input.size >= MANY_IN_LINES * places:
                out = self._scattering.take_at(input, index)
                if out is not NotImplemented:
                    return out
        return super().index(input, index)

    # ---- embedding

    def embedding(self, input: Array, weight: Array, padding_idx: int | None) -> Array:
        out = self._embedding.take_rows(weight, input)
        return super().embedding(input, weight, padding_idx) if out is NotImplemented else out

    def embedding_add(
        self, input: Array, index: Array, padding_idx: int | None, rows: int
    ) -> Array:
        values = input.reshape(index.size, input.shape[-1])
        out = self._embedding.scatter_rows(values, index, rows)
        if out is NotImplemented:
            return super().embedding_add(input, index, padding_idx, rows)
        if padding_idx is not None:
            out[padding_idx] = 0
        return out

    def embedding_bags(
        self,
        input: Array,
        weight: Array,
        offsets: Array,
        padding_idx: int | None,
        mean: bool,
        sparse: bool,
    ) -> Any:
        return self._bags.bags(weight, input, offsets, padding_idx, mean)

    def embedding_bags_add(
        self,
        values: Array,
        index: Array,
        offsets: Array,
        padding_idx: int | None,
        mean: bool,
        rows: int,
    ) -> Any:
        return self._bags.add_bags(values, index, offsets, padding_idx, mean, rows)

    def distinct_rows(self, index: Array, rows: int) -> tuple[Array, Array]:
        found = self._embedding.distinct_rows(index, rows)
        return super().distinct_rows(index, rows) if found is NotImplemented else found
