"""Scaled dot-product attention: what `attention.cu` is given. Knows the order of dimensions in
memory, and which arrays the kernels serve.

Heads may lie in any order and distance: slices of one projection are read where they are. Results
are laid out as the queries, keys or values are that they belong to.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.loader import kernel, served, structure, wide

Array = Any

THREADS = 256  # as in tiles.cuh
NO_MASK, HIDING, ADDED = range(3)


def heads_of(array: Array) -> Array:
    """(batch, heads, rows, size) with the numbers of a row side by side: a view if it can be."""
    import cupy

    array = array.reshape((-1, *array.shape[-3:]) if array.ndim > 4 else _four(array.shape))
    step, item = array.strides[3], array.dtype.itemsize
    return array if step == item or array.shape[3] == 1 else cupy.ascontiguousarray(array)


def _four(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1,) * (4 - len(shape)) + shape


def like(array: Array, size: int) -> Array:
    """An empty array of heads of this size, in the memory order of another one's."""
    import cupy

    batch, heads, rows, _ = array.shape
    if array.strides[1] < array.strides[2]:  # the heads of a row side by side, as in a projection
        return cupy.empty((batch, rows, heads, size), array.dtype).transpose(0, 2, 1, 3)
    return cupy.empty((batch, heads, rows, size), array.dtype)


def places(array: Array) -> Any:
    """The structure Heads."""
    steps = [step // array.dtype.itemsize for step in array.strides[:3]]
    aligned = not any(number % 16 for number in (array.data.ptr, *array.strides[:3]))
    return structure([array.data.ptr, *steps, *array.shape[2:], aligned], "i8")


def mask_of(mask: Array | None, heads: Array, keys: int) -> Any:
    """The structure Mask of what broadcasts to (batch, heads, queries, keys); NotImplemented if
    no kernel serves it.
    """
    if mask is None:
        return structure([0] * 5 + [NO_MASK], "i8")
    kind = HIDING if mask.dtype == np.bool_ else ADDED
    if mask.ndim > 4 or (kind == ADDED and mask.dtype != heads.dtype):
        return NotImplemented
    mask = mask.reshape(_four(mask.shape))
    if any(n not in (1, wanted) for n, wanted in zip(mask.shape, (*heads.shape[:3], keys))):
        return NotImplemented
    steps = [
        0 if n == 1 else step // mask.dtype.itemsize for n, step in zip(mask.shape, mask.strides)
    ]
    return structure([mask.data.ptr, *steps, kind], "i8")


class Tiles:
    """One call: the arrays as heads, and what all its kernels are given."""

    def __init__(
        self,
        query: Array,
        key: Array,
        value: Array,
        mask: Array | None,
        scale: float,
        causal: bool,
    ) -> None:
        self.q, self.k, self.v = heads_of(query), heads_of(key), heads_of(value)
        self.batch, self.heads, self.queries, size = self.q.shape
        self.own, self.keys, value_size = self.v.shape[1:]
        self.mask = mask_of(mask, self.q, self.keys)
        sizes = self.heads, self.own, self.queries, self.keys, causal
        self.sizes = structure(sizes, "i8")
        self.kept = wide(self.q.dtype)  # of what is added up, and kept for the gradient
        self.scale = self.kept.type(scale)
        self.tile = 16 * 16 // self.kept.itemsize  # rows of a block
        self.chunks = -(-max(size, value_size) // self.tile)
        self.served = self.chunks <= 2 and self.mask is not NotImplemented

    def __call__(self, name: str, rows: int, heads: int, *arguments: Any, chunks: int = 1) -> None:
        blocks = -(-rows // self.tile) * self.batch * heads
        function = kernel("attention.cu", name, self.q.dtype.char)
        function((blocks, chunks), (THREADS,), arguments)


def fits(query: Array, key: Array, value: Array, mask: Array | None, grouped: bool) -> bool:
    """Whether the shapes, which have passed the op's checks, are those of plain heads."""
    shapes = query.shape, key.shape, value.shape
    if not served([query, key, value]) or 0 in sum(shapes, ()):
        return False
    if min(map(len, shapes)) < 2 or (mask is not None and query.ndim > 4):
        return False
    if query.shape[-1] != key.shape[-1] or key.shape[:-1] != value.shape[:-1]:
        return False
    if query.shape[:-3] != key.shape[:-3] or query.ndim != key.ndim:
        return False
    own = 1 if query.ndim == 2 else key.shape[-3]
    heads = 1 if query.ndim == 2 else query.shape[-3]
    return heads == own or (grouped and heads % own == 0)


def attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    scale: float,
    causal: bool,
    grouped: bool,
) -> Any:
    """(softmax(query key' scale + mask) value, state for the gradient); see the op."""
    import cupy

    if not fits(query, key, value, mask, grouped):
        return NotImplemented
    tiles = Tiles(query, key, value, mask, scale, causal)
    if not tiles.served:
        return NotImplemented
    out = like(tiles.q, tiles.v.shape[3])
    state = cupy.empty((tiles.batch * tiles.heads * tiles.queries, 2), tiles.kept)
    arrays = tiles.q, tiles.k, tiles.v, out
    given = *map(places, arrays), tiles.mask, tiles.sizes, tiles.scale, state
    tiles("attention", tiles.queries, tiles.heads, *given)
    return out.reshape((*query.shape[:-1], out.shape[3])), state


def attention_vjp(
    g: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    scale: float,
    causal: bool,
    needs: tuple[bool, ...],
    y: Array,
    aux: Array,
) -> Any:
    """The gradients of query, key and value; of a mask by composition alone."""
    import cupy

    if needs[3] or not served([g, query]):
        return NotImplemented
    tiles = Tiles(query, key, value, mask, scale, causal)
    out, gradient, state = heads_of(y), heads_of(g), aux
    found = like(tiles.q, tiles.q.shape[3]), like(tiles.k, tiles.k.shape[3])
    g_query, g_key, g_value = *found, like(tiles.v, tiles.v.shape[3])
    slopes = cupy.empty(len(state), state.dtype)
    arrays = gradient, tiles.q, tiles.k, tiles.v
    common = tiles.mask, tiles.sizes, tiles.scale, state, slopes
    given = *map(places, (*arrays, out, g_query)), *common
    tiles("attention_query_vjp", tiles.queries, tiles.heads, *given)
    given = *map(places, (*arrays, g_key, g_value)), *common
    tiles("attention_key_vjp", tiles.keys, tiles.own, *given, chunks=tiles.chunks)
    return (
        g_query.reshape(query.shape),
        g_key.reshape(key.shape),
        g_value.reshape(value.shape),
        None,
    )
