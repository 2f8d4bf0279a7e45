"""Views by strides for a NumPy-like array module, and what is computed with them: diagonals,
triangles, rolls.

A geometry is (sizes, strides, offset) in elements of the memory behind an array, the offset
counted from where that memory begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

Array: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]
Geometry: TypeAlias = tuple[Shape, Shape, int]


class ViewPrimitives:
    """Part of ArrayBackend."""

    xp: Any

    # ---- the memory behind an array: overridden where it is not the host's

    def address(self, input: Array) -> int:
        """Where the first element lies, in bytes."""
        return input.__array_interface__["data"][0]  # type: ignore[no-any-return]

    def memory_of(self, input: Array) -> tuple[int, int]:
        """Where the memory behind an array, which its views share, begins, and its bytes."""
        flat = self._memory(input)
        return self.address(flat), flat.nbytes

    def strided(self, input: Array, size: Shape, steps: Sequence[int], start: int) -> Array:
        """A view of the memory behind `input`: `start` bytes from its first element, `steps` bytes
        from place to place.
        """
        if not input.size:
            return self.xp.empty(size, input.dtype)
        flat = self._memory(input)
        start += self.address(input) - self.address(flat)
        return self.xp.ndarray(size, input.dtype, flat.view("u1"), start, steps)

    def _memory(self, input: Array) -> Array:
        """The memory behind an array in one dimension."""
        while isinstance(input.base, self.xp.ndarray):
            input = input.base
        flat = input.ravel(order="K")
        if self.address(flat) == self.address(input):
            return flat
        # Somebody else's memory, of which an array with gaps is all that is known.
        item = input.dtype.itemsize
        count = 1 + sum((n - 1) * step // item for n, step in zip(input.shape, input.strides))
        return self.xp.lib.stride_tricks.as_strided(input, (count,), (item,))

    # ---- views

    def view_dtype(self, input: Array, dtype: Any) -> Array:
        """The same bytes as elements of another dtype."""
        return input.view(dtype)

    def as_strided(
        self, input: Array, size: Shape, stride: Shape, storage_offset: int, geometry: Any
    ) -> Array:
        """A view of the memory behind `input`, whose own strides and offset are `geometry`; of an
        array that lies otherwise (a gradient of the input, say) the elements found there.
        """
        item = input.dtype.itemsize
        strides, offset = geometry
        if tuple([n // item for n in input.strides]) != strides:
            source = (input.shape, strides, offset)
            return self.restride(input, source, (size, stride, storage_offset), source)
        start = (storage_offset - offset) * item
        return self.strided(input, size, [n * item for n in stride], start)

    def restride(
        self: Any, input: Array, source: Geometry, target: Geometry, shared: Geometry
    ) -> Array:
        """The elements at `target` of a memory of zeros to which `input` was added at `source`;
        what lies several times in `shared` is divided by how often: the adjoint of `as_strided`.
        """
        places = [self._places(*geometry) for geometry in (source, target, shared)]
        filled = [place for place in places if place.size]
        low = min([int(place.min()) for place in filled], default=0)
        high = max([int(place.max()) for place in filled], default=-1)
        memory = self.xp.zeros((high + 1 - low,), input.dtype)
        self.add_at(memory, places[0].reshape(-1) - low, input.reshape(-1))
        if shared[0] and _overlaps(*shared[:2]):
            counts = self.xp.zeros(memory.shape, input.dtype)
            ones = self.xp.ones((places[2].size,), input.dtype)
            self.add_at(counts, places[2].reshape(-1) - low, ones)
            memory = memory / self.xp.where(counts == 0, counts + 1, counts)
        return memory[places[1] - low]

    def _places(self, size: Shape, stride: Shape, offset: int) -> Array:
        places = self.xp.full((), offset, "int64")
        for n, step in zip(size, stride):
            places = places[..., None] + self.xp.arange(n) * step
        return places

    def unfold_dim(self, input: Array, dimension: int, size: int, step: int) -> Array:
        """Slices of `size` places every `step` places along a dimension; they lie in a new last
        one.
        """
        place = input.strides[dimension]
        shape, steps = list(input.shape), list(input.strides)
        shape[dimension] = (shape[dimension] - size) // step + 1
        steps[dimension] = place * step
        return self.strided(input, (*shape, size), (*steps, place), 0)

    def diagonal(self, input: Array, offset: int, dim1: int, dim2: int) -> Array:
        """The elements [..., i, i + offset] of two dimensions, in a new last one; a view that can
        be written.
        """
        rows, columns = input.strides[dim1], input.strides[dim2]
        count = min(input.shape[dim1] - max(-offset, 0), input.shape[dim2] - max(offset, 0))
        rest = [d for d in range(input.ndim) if d not in (dim1, dim2)]
        start = max(offset, 0) * columns + max(-offset, 0) * rows if count > 0 else 0
        shape = (*[input.shape[d] for d in rest], max(count, 0))
        return self.strided(
            input, shape, (*[input.strides[d] for d in rest], rows + columns), start
        )

    def embed_diagonal(
        self, input: Array, shape: Shape, offset: int, dim1: int, dim2: int
    ) -> Array:
        """Zeros of `shape` with `input` on a diagonal: the adjoint of `diagonal`."""
        out = self.xp.zeros(shape, input.dtype)
        self.diagonal(out, offset, dim1, dim2)[...] = input
        return out

    # ---- copies

    def clone(self, input: Array) -> Array:
        """A copy without gaps whose dimensions lie in the order of the input's; of repeated
        elements in C order.
        """
        return self.xp.array(input, order="C" if 0 in input.strides else "K")

    def tril(self, input: Array, diagonal: int) -> Array:
        return self.xp.tril(input, diagonal)

    def triu(self, input: Array, diagonal: int) -> Array:
        return self.xp.triu(input, diagonal)

    def roll(self, input: Array, shifts: Shape, dims: Shape) -> Array:
        return self.xp.roll(input, shifts, dims)

    def repeat_interleave(self, repeats: Array, output_size: int | None) -> Array:
        """0, 1, ... each as often as its number in `repeats` says; int64."""
        ends = self.xp.cumsum(repeats, axis=0, dtype="int64")
        total = output_size if output_size is not None else int(ends[-1]) if ends.size else 0
        return self.xp.searchsorted(ends, self.xp.arange(total), side="right")


def _overlaps(size: Shape, stride: Shape) -> bool:
    """Whether two places of a geometry may be one element."""
    reach = 0
    for step, n in sorted((abs(step), n) for n, step in zip(size, stride) if n > 1):
        if step <= reach:
            return True
        reach += step * (n - 1)
    return False
