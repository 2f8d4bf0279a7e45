"""Primitives of windows and neighbourhoods for a NumPy-like array module: padding, sliding windows
and their adjoint, the largest element of each, weighted sums along a dimension.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, TypeAlias

Array: TypeAlias = Any
Tuple: TypeAlias = tuple[int, ...]


class WindowPrimitives:
    """Part of ArrayBackend."""

    xp: Any
    amax: Any
    any: Any

    def pad_constant(self, input: Array, widths: tuple[tuple[int, int], ...], value: Any) -> Array:
        """`widths` has (before, after) for every dimension; none is negative."""
        shape = [before + n + after for n, (before, after) in zip(input.shape, widths)]
        out = self.xp.full(shape, value, input.dtype)
        out[tuple(slice(w[0], w[0] + n) for n, w in zip(input.shape, widths))] = input
        return out

    # ---- sliding windows over the last len(kernel) dimensions

    def windows(self, input: Array, kernel: Tuple, stride: Tuple, dilation: Tuple) -> Array:
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
        self, input: Array, size: Tuple, kernel: Tuple, stride: Tuple, dilation: Tuple
    ) -> Array:
        """(..., *positions, *kernel) -> (..., *size): each element added where it came from;
        adjoint of `windows`.
        """
        spatial = len(kernel)
        lead = input.ndim - 2 * spatial
        positions = input.shape[lead : lead + spatial]
        out = self.xp.zeros((*input.shape[:lead], *size), input.dtype)
        for place in itertools.product(*map(range, kernel)):
            target = tuple(
                slice(o * d, o * d + (p - 1) * s + 1, s)
                for o, d, p, s in zip(place, dilation, positions, stride)
            )
            out[(..., *target)] += input[(..., *place)]
        return out

    def largest_in_windows(
        self,
        input: Array,
        kernel: Tuple,
        stride: Tuple,
        padding: Tuple,
        dilation: Tuple,
        ceil_mode: bool,
    ) -> Array:
        """(..., *size) -> (..., *positions), int64: where in the flattened plane of `size` each
        window's largest element lies. Of several the first, of NaNs the last; -1 where a window
        lies in the padding alone.
        """
        lead = input.ndim - len(kernel)
        size = input.shape[lead:]
        geometry = list(zip(size, kernel, stride, padding, dilation))
        places = [self._places_along(*numbers, ceil_mode) for numbers in geometry]
        after = [
            max(0, (len(at) - 1) * s + d * (k - 1) + 1 - n - p)
            for at, (n, k, s, p, d) in zip(places, geometry)
        ]
        widths = ((0, 0),) * lead + tuple(zip(padding, after))
        padded = self.pad_constant(input, widths, self._smallest(input.dtype))
        flat, valid = self._in_plane(places, size)
        w = self.windows(padded, kernel, stride, dilation)
        rows = w.reshape(*input.shape[:lead], *flat.shape)
        best = self.amax(rows, -1, True)
        chosen = self.xp.argmax((rows == best) & valid, axis=-1)
        nan = rows != rows
        if bool(self.any(nan, None, False)):
            last = rows.shape[-1] - 1 - self.xp.argmax(self.xp.flip(nan, -1), axis=-1)
            chosen = self.xp.where(self.any(nan, -1, False), last, chosen)
        found = flat[self.xp.arange(len(flat)), chosen]
        return found.reshape(*input.shape[:lead], *[len(at) for at in places])

    def _places_along(
        self, n: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
    ) -> Array:
        """(positions, kernel): the places of window elements along one dimension of size n."""
        room = n + 2 * padding - dilation * (kernel - 1) - 1
        count = -(-room // stride) + 1 if ceil_mode else room // stride + 1
        if ceil_mode and (count - 1) * stride >= n + padding:  # it would start past the input
            count -= 1
        starts = self.xp.arange(count) * stride - padding
        return starts[:, None] + self.xp.arange(kernel) * dilation

    def _in_plane(self, places: list[Array], size: Tuple) -> tuple[Array, Array]:
        """(positions, kernel elements): places in the flattened plane, -1 outside of it; and
        whether they lie inside.
        """
        spatial = len(size)
        flat: Any = 0
        valid: Any = True
        for axis, (at, n) in enumerate(zip(places, size)):
            shape = [1] * (2 * spatial)
            shape[axis], shape[spatial + axis] = at.shape
            along = at.reshape(shape)
            flat = flat * n + along
            valid = (along >= 0) & (along < n) & valid
        rows = (math.prod([len(at) for at in places]), -1)
        return self.xp.where(valid, flat, -1).reshape(rows), valid.reshape(rows)

    def _smallest(self, dtype: Any) -> Any:
        if dtype.kind == "i":
            return -(2 ** (8 * dtype.itemsize - 1))
        return 0 if dtype.kind in "bu" else -math.inf

    # ---- weighted sums along a dimension

    def combine(self, input: Array, dim: int, taps: Any) -> Array:
        """out[..., i, ...] = the sum of weight * input[..., place, ...] over the (place, weight) of
        taps.rows[i]; see `tensorgrad.ops.taps`.
        """
        sums = taps.weighted or len(taps.layers) > 1
        if sums and input.dtype.itemsize == 2 and input.dtype.kind in "fV":
            return self.combine(input.astype("float32"), dim, taps).astype(input.dtype)
        before = (slice(None),) * (dim % input.ndim)
        column = (-1, *(1,) * (input.ndim - len(before) - 1))
        out = None
        for rows, places, weights in taps.layers:
            part = self.xp.take(input, self.xp.asarray(places, "int64"), axis=dim)
            if weights is not None:
                part *= self.xp.asarray(weights, input.dtype).reshape(column)
            if out is None and rows is None:
                out = part
            elif rows is None:
                out += part
            else:
                if out is None:
                    after = input.shape[len(before) + 1 :]
                    shape = (*input.shape[: len(before)], taps.count, *after)
                    out = self.xp.zeros(shape, input.dtype)
                out[(*before, self.xp.asarray(rows, "int64"))] += part
        return out
