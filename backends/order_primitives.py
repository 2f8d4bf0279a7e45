"""Primitives for a NumPy-like array module that go through elements in order: sorting, running
sums and extremes, places in sorted numbers, counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from tensorgrad import dtypes

Array: TypeAlias = Any


class OrderPrimitives:
    """Part of ArrayBackend."""

    xp: Any
    copy: Callable[[Array], Array]

    # ---- sorting

    def argsort(self, input: Array, dim: int, descending: bool) -> Array:
        """Stable. Descending keeps equal elements in their order too, and puts NaN first, as
        PyTorch does.
        """
        if not input.ndim:
            return self.xp.zeros((), "int64")
        if input.dtype is dtypes.bfloat16:  # ml_dtypes leaves NaN anywhere
            input = input.astype("float32")
        if not descending:
            return self.xp.argsort(input, axis=dim, kind="stable")
        flipped = self.xp.argsort(self.xp.flip(input, dim), axis=dim, kind="stable")
        return input.shape[dim] - 1 - self.xp.flip(flipped, dim)

    def first_in_order(self, input: Array, dim: int, count: int, descending: bool) -> Array:
        """The first `count` places of `argsort` along `dim`, in memory of their own."""
        places = self.argsort(input, dim, descending)
        return self.copy(places[(slice(None),) * dim + (slice(count),)])

    def median(self, input: Array) -> Array:
        """The lower median of all elements, NaN if there is one."""
        flat = input.reshape(-1)
        rising = flat[self.argsort(flat, 0, False)]
        middle, last = rising[(flat.size - 1) // 2], rising[-1]
        return self.xp.where(last == last, middle, last)  # NaN goes last

    def lexsort(self, input: Array) -> Array:
        """(rows, columns) -> the order of the rows, by the first column, at ties by the next."""
        if input.dtype is dtypes.bfloat16:
            input = input.astype("float32")
        return self.xp.lexsort(self.xp.flip(input, 1).transpose())

    # ---- running along a dimension

    def cumsum(self, input: Array, dim: int, backwards: bool = False) -> Array:
        """The sum of the elements up to each, or of those from each on."""
        if backwards:
            return self.copy(self.xp.flip(self.cumsum(self.xp.flip(input, dim), dim), dim))
        total = self.xp.cumsum(input, axis=dim, dtype=self._of_sums(input))
        return total.astype(input.dtype, copy=False)

    def cumprod(self, input: Array, dim: int) -> Array:
        product = self.xp.cumprod(input, axis=dim, dtype=self._of_sums(input))
        return product.astype(input.dtype, copy=False)

    def _of_sums(self, input: Array) -> Any:
        """The dtype in which what runs along a dimension is kept: its roundings add up."""
        return "float64" if input.dtype == "float32" else input.dtype

    def cummax(self, input: Array, dim: int) -> Array:
        """Where the largest of the elements up to each is: the last of equal ones, or of NaN."""
        return self._places_of(self._running(self.xp.maximum, input, dim), input, dim)

    def cummin(self, input: Array, dim: int) -> Array:
        """Where the smallest of the elements up to each is: the last of equal ones, or of NaN."""
        return self._places_of(self._running(self.xp.minimum, input, dim), input, dim)

    def logcumsumexp(self, input: Array, dim: int) -> Array:
        wide = input.astype(self._of_sums(input), copy=False)
        return self._running(self.xp.logaddexp, wide, dim).astype(input.dtype, copy=False)

    def _running(self, function: Any, input: Array, dim: int) -> Array:
        return function.accumulate(input, axis=dim)

    def _places_of(self, extreme: Array, input: Array, dim: int) -> Array:
        own = [1] * input.ndim
        own[dim] = input.shape[dim]
        place = self.xp.arange(input.shape[dim]).reshape(own)
        found = (input == extreme) | (input != input)
        return self._running(self.xp.maximum, self.xp.where(found, place, 0), dim)

    # ---- among sorted numbers, and counts

    def searchsorted(self, sorted_sequence: Array, input: Array, right: bool) -> Array:
        """For each number how many of the sequence come before it, equal ones included if `right`.

        The sequence has one dimension, or rows as `input` has them.
        """
        if sorted_sequence.ndim == 1:
            return self.xp.searchsorted(sorted_sequence, input, side="right" if right else "left")
        count = sorted_sequence.shape[-1]
        low = self.xp.zeros(input.shape, "int64")
        high = self.xp.full(input.shape, count, "int64")
        for _ in range(count.bit_length()):
            middle = (low + high) // 2
            place = self.xp.minimum(middle, count - 1)
            known = self.xp.take_along_axis(sorted_sequence, place, -1)
            after = (known > input) if right else (known >= input)
            searching = low < high
            high = self.xp.where(searching & after, middle, high)
            low = self.xp.where(searching & ~after, middle + 1, low)
        return low

    def bincount(self, input: Array, weights: Array | None, minlength: int) -> Array:
        """How often each number from 0 stands in `input`, or the sum of its weights (float64)."""
        counts = self.xp.bincount(input, weights, minlength)
        return counts if weights is None else counts.astype("float64", copy=False)
