"""Indexing primitives for a NumPy-like array module: views, gathers, scatters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from tensorgrad import dtypes
from tensorgrad.errors import IndexRangeError

Array: TypeAlias = Any

ALL = slice(None)


class IndexPrimitives:
    """Part of ArrayBackend."""

    xp: Any
    copy: Callable[[Array], Array]

    def getitem(self, input: Array, index: tuple[Any, ...]) -> Array:
        """Basic indexing: a view. The Ellipsis keeps a full set of numbers from giving a scalar."""
        return input[index if Ellipsis in index else (*index, Ellipsis)]

    def index(self, input: Array, index: tuple[Any, ...]) -> Array:
        """Indexing with at least one array among slices: a copy that lies in order."""
        chosen = [d for d, part in enumerate(index) if type(part) is not slice or part != ALL]
        if len(chosen) == 1 and getattr(index[chosen[0]], "dtype", None) == "int64":
            return input.take(index[chosen[0]], chosen[0])
        found = input[index]
        return found if found.flags.c_contiguous else self.copy(found)

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
        if target.dtype.itemsize == 2 and target.dtype.kind not in "iu":  # rounded once, at the end
            wide = target.astype("float32")
            self.xp.add.at(wide, index, value)
            target[...] = wide
        else:
            self.xp.add.at(target, index, value)

    def assign_at(self, target: Array, index: tuple[Any, ...], value: Any) -> None:
        target[index] = value

    def index_put(
        self, input: Array, values: Any, index: tuple[Any, ...], accumulate: bool
    ) -> Array:
        """A copy of input with `values` at `index`, which holds arrays; or added there."""
        out = self.copy(input)
        if accumulate:
            self.add_at(out, index, values)
        else:
            self.assign_at(out, index, values)
        return out

    def from_dlpack(self, value: Any) -> Array:
        """An array over the memory of another library's array on this backend's device."""
        return self.xp.from_dlpack(value)

    def overlap(self, first: Array, second: Array) -> bool:
        """Whether two arrays may share memory."""
        return bool(self.xp.may_share_memory(first, second))

    def isin(self, elements: Array, test_elements: Array, invert: bool) -> Array:
        """Which elements are among the others (or are not, if `invert` says so)."""
        return self.xp.isin(elements, test_elements, invert=invert)

    def nonzero(self, input: Array) -> Array:
        """(number of elements that are not 0, number of dimensions), int64."""
        if not input.ndim:
            return self.xp.zeros((int(input != 0), 0), "int64")
        return self.xp.stack(self.xp.nonzero(input), axis=-1)

    def gather(self, input: Array, index: Array, dim: int) -> Array:
        if not input.ndim:
            return self.gather(input.reshape(1), index.reshape(1), 0).reshape(())
        self.check_range("gather", index, input.shape[dim])
        return input[self._along(index, dim)]

    def scatter(self, input: Array, index: Array, src: Any, dim: int) -> Array:
        """A copy of input with src (an array, or a number) at the places `index` along `dim`."""
        self.check_range("scatter", index, input.shape[dim])
        out = self.copy(input)
        self.assign_at(out, self._along(index, dim), src)
        return out

    def scatter_add(self, input: Array, index: Array, src: Array, dim: int) -> Array:
        if not input.ndim:
            one, place, added = (array.reshape(1) for array in (input, index, src))
            return self.scatter_add(one, place, added, 0).reshape(())
        self.check_range("scatter_add", index, input.shape[dim])
        out = self.copy(input)
        self.add_at(out, self._along(index, dim), src)
        return out

    def scatter_reduce(
        self, input: Array, index: Array, src: Array, dim: int, reduce: str, include_self: bool
    ) -> Array:
        """A copy of input reduced with src at the places `index` along `dim`. `reduce`: "prod",
        "amax" or "amin"; without the input's own elements if `include_self` is false.
        """
        self.check_range("scatter_reduce", index, input.shape[dim])
        narrow = input.dtype.itemsize == 2 and input.dtype.kind not in "iu"
        out = input.astype("float32") if narrow else self.copy(input)
        places = self._along(index, dim)
        if not include_self:
            self.assign_at(out, places, self._neutral(reduce, out.dtype))
        self._reduce_at(reduce, out, places, src.astype("float32") if narrow else src)
        return out.astype(input.dtype) if narrow else out

    def _neutral(self, reduce: str, dtype: Any) -> Any:
        """What changes nothing: 1, the least or the greatest number."""
        if reduce == "prod":
            return 1
        if dtype.kind == "b":
            return reduce == "amin"
        if dtype.kind == "f":
            return -math.inf if reduce == "amax" else math.inf
        limits = dtypes.iinfo(dtype)
        return limits.min if reduce == "amax" else limits.max

    def _reduce_at(
        self, reduce: str, target: Array, index: tuple[Array, ...], value: Array
    ) -> None:
        names = {"prod": "multiply", "amax": "maximum", "amin": "minimum"}
        getattr(self.xp, names[reduce]).at(target, index, value)

    def embedding(self, input: Array, weight: Array, padding_idx: int | None) -> Array:
        """Rows of `weight` named by `input`; a number outside [0, rows) raises IndexRangeError."""
        self.check_range("embedding", input, weight.shape[0])
        return self.xp.take(weight, input, axis=0)

    def embedding_sparse(
        self, input: Array, weight: Array, padding_idx: int | None, scaled: bool
    ) -> Array:
        """`embedding`; `scaled` concerns its gradient alone."""
        return self.embedding(input, weight, padding_idx)

    def embedding_add(
        self, input: Array, index: Array, padding_idx: int | None, rows: int
    ) -> Array:
        """Zeros (rows, D) with row i of `input` (..., D) added at row index[i]: the adjoint of
        `embedding`.
        """
        narrow = input.dtype.itemsize == 2 and dtypes.is_floating_point(input.dtype)
        out = self.xp.zeros((rows, input.shape[-1]), "float32" if narrow else input.dtype)
        self.add_at(out, index.reshape(-1), input.reshape(index.size, input.shape[-1]))
        if padding_idx is not None:
            out[padding_idx] = 0
        return out.astype(input.dtype, copy=False)

    def distinct_rows(self, index: Array, rows: int) -> tuple[Array, Array]:
        """The numbers in `index`, all in [0, rows), in order and each once; and the place of each
        of `index` among these.
        """
        found, places = self.xp.unique(index, return_inverse=True)
        return found, places

    def _along(self, index: Array, dim: int) -> tuple[Array, ...]:
        """The full index that picks `index` along `dim` and each element's own place elsewhere."""
        dim %= index.ndim
        ones = [1] * index.ndim
        return tuple(
            index
            if axis == dim
            else self.xp.arange(n).reshape([*ones[:axis], n, *ones[axis + 1 :]])
            for axis, n in enumerate(index.shape)
        )

    def check_range(self, op: str, index: Array, size: int, first: int = 0) -> None:
        """IndexRangeError unless all of `index` lie in [first, size)."""
        if not index.size:
            return
        # As unsigned numbers the negative ones are the largest: one pass tells.
        if first or int(index.view(f"u{index.dtype.itemsize}").max()) >= size:
            low, high = self._bounds([index])
            if low < first or high >= size:
                wrong = low if low < first else high
                raise IndexRangeError(
                    f"{op}: expected indices in [{first}, {size}), got {wrong} "
                    f"(index {wrong} is out of bounds)"
                )

    def check_all(self, good: Array, sentence: str) -> None:
        """RuntimeError of this sentence unless all of `good` are true."""
        if not bool(good.all()):
            raise RuntimeError(sentence)

    def check_classes(self, op: str, target: Array, classes: int, ignored: int) -> None:
        """IndexRangeError unless all of `target` lie in [0, classes) or are `ignored`."""
        wrong = ((target < 0) | (target >= classes)) & (target != ignored)
        if bool(wrong.any()):
            raise IndexRangeError(
                f"{op}: expected targets in [0, {classes}), got {int(target[wrong][0])} "
                "(Target is out of bounds)"
            )

    def _bounds(self, arrays: Sequence[Array]) -> list[int]:
        """Smallest and largest element of each array, on the host."""
        return [int(end) for array in arrays for end in (array.min(), array.max())]
