"""Scaled dot-product attention: what is handed to the tasks of `attention_tiles`, as what.

Knows arrays, the order of their dimensions in memory, and which of them the tasks serve. Results
are laid out as the queries, keys or values are that they belong to: heads that are views of a
projection give gradients that need no copy to become its own.

Measured on two threads, 16 x 128 rows and 4 heads of 32, causal, against the composition in
NumPy: 3.6 times forward, 2 times backward. About two thirds of the time are products, most of the
rest exponentials.
"""

import numpy as np

from tensorgrad.kernels.numba.attention_tiles import (
    ADDED,
    CHUNK,
    HIDING,
    KEYS,
    NO_MASK,
    backward,
    forward,
)
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.microkernel import columns
from tensorgrad.kernels.numba.runtime import FLOATS

SMALL = 32768  # products of queries and keys below which, unmasked, the composition is as fast
TASKS = 16  # tasks below which the keys of a head are shared out over several, in the backward pass


def _heads(x):
    """x as (batch, heads, rows, size), the numbers of a row side by side and no row over another:
    a view if it can be one.
    """
    x = x.reshape(-1, *x.shape[-3:]) if x.ndim > 4 else x[(None,) * (4 - x.ndim)]
    item, size = x.itemsize, x.shape[3]
    *_, row, step = x.strides
    if (
        (step != item and size > 1)
        or row < size * item
        or min(x.strides) < 0
        or row % item
        or not x.flags.aligned
    ):
        return plain(x)
    return x


def _steps(x):
    """Elements from one batch, head and row to the next. Of a single row NumPy keeps any stride,
    where the tasks count on one that spans the row.
    """
    batch, head, row, _ = (step // x.itemsize for step in x.strides)
    return batch, head, row if x.shape[2] > 1 else x.shape[3]


def _like(x, size, parts=0):
    """An empty array of heads of another size in the memory order of x, flat, and a view of it that
    has x's order of dimensions; `parts` of them, if given.
    """
    batch, heads, rows, _ = x.shape
    lead = (parts,) if parts else ()
    if x.strides[1] < x.strides[2]:  # the heads of a row side by side, as in a projection
        memory = np.empty((*lead, batch, rows, heads, size), x.dtype)
        return memory.reshape(-1), memory.swapaxes(-2, -3)
    memory = np.empty((*lead, batch, heads, rows, size), x.dtype)
    return memory.reshape(-1), memory


def _beside(q, k, v):
    """Empty arrays like q, k and v as `_like` gives them; of slices of one projection, which lie
    side by side, such slices, so that the gradient of the projection needs no copy.
    """
    batch, heads, rows, size = q.shape
    width = heads * size * q.itemsize
    places = [x.ctypes.data for x in (q, k, v)]
    if (
        q.strides != (rows * 3 * width, size * q.itemsize, 3 * width, q.itemsize)
        or not q.strides == k.strides == v.strides
        or not q.shape == k.shape == v.shape
        or places[1] - places[0] != width
        or places[2] - places[1] != width
    ):
        return _like(q, size), _like(k, size), _like(v, v.shape[3])
    memory = np.empty((batch, rows, 3, heads, size), q.dtype)
    flat, count = memory.reshape(-1), heads * size
    return [(flat[i * count :], memory[:, :, i].swapaxes(1, 2)) for i in range(3)]


def _mask(mask, q, keys):
    """(kind, address, strides, the array that must live) of a mask, or NotImplemented."""
    if mask is None:
        return NO_MASK, 0, (0, 0, 0), None
    kind = HIDING if mask.dtype == np.bool_ else ADDED
    if kind == ADDED and mask.dtype is not q.dtype:
        return NotImplemented
    shape = q.shape[:3]
    if mask.ndim > 4 or mask.shape[-1:] not in ((keys,), (1,)):
        return NotImplemented
    mask = mask[(None,) * (4 - mask.ndim)]
    if any(n not in (1, wanted) for n, wanted in zip(mask.shape, shape, strict=False)):
        return NotImplemented
    if mask.shape[3] != keys or mask.strides[3] != mask.itemsize or not mask.flags.aligned:
        mask = np.ascontiguousarray(np.broadcast_to(mask, (*mask.shape[:3], keys)))
    if min(mask.strides) < 0 or any(step % mask.itemsize for step in mask.strides):
        mask = np.ascontiguousarray(mask)
    steps = zip(_steps(mask), mask.shape, strict=False)
    return kind, mask.ctypes.data, tuple(0 if n == 1 else step for step, n in steps), mask


def _served(q, k, v, grouped):
    """Whether the shapes, which have passed the op's checks, are those of plain heads."""
    if not (q.dtype in FLOATS and k.dtype is q.dtype and v.dtype is q.dtype):
        return False
    if min(q.ndim, k.ndim, v.ndim) < 2 or 0 in q.shape + k.shape + v.shape:
        return False
    if q.shape[-1] != k.shape[-1] or k.shape[:-1] != v.shape[:-1]:
        return False
    if q.shape[:-3] != k.shape[:-3] or q.ndim != k.ndim:
        return False
    if q.ndim == 2 or q.shape[-3] == k.shape[-3]:
        return True
    return grouped and q.shape[-3] % k.shape[-3] == 0


def attention(query, key, value, mask, scale, causal, grouped):
    """(softmax(query key' scale + mask) value, state for the gradient); see the op."""
    if not _served(query, key, value, grouped):
        return NotImplemented
    q, k, v = _heads(query), _heads(key), _heads(value)
    batch, heads, queries, size = q.shape
    keys, value_size = v.shape[2:]
    found = _mask(mask, q, keys)
    if found is NotImplemented or (mask is not None and query.ndim > 4):
        return NotImplemented
    if mask is None and not causal and batch * heads * queries * keys * size < SMALL:
        return NotImplemented
    kind, mask_at, mask_strides, _ = found
    memory, out = _like(q, value_size)
    state = np.empty((batch * heads * queries, 2), q.dtype)
    forward(
        batch * heads * -(-queries // CHUNK),
        (heads, heads // k.shape[1], queries, keys, size, value_size),
        q.ctypes.data, _steps(q), k.ctypes.data, _steps(k), v.ctypes.data, _steps(v),
        memory, _steps(out), kind, mask_at, mask_strides, int(causal),
        np.array([scale], q.dtype), state, columns(q.dtype),
    )  # fmt: skip
    return out.reshape(*query.shape[:-1], value_size), state


def attention_vjp(g, query, key, value, mask, scale, causal, needs, y, state):
    """The gradients of query, key and value; of a mask by composition alone."""
    if needs[3] or g.dtype is not query.dtype:
        return NotImplemented
    q, k, v, g, out = (_heads(x) for x in (query, key, value, g, y))
    batch, heads, queries, size = q.shape
    own, keys, value_size = v.shape[1:]
    kind, mask_at, mask_strides, _ = _mask(mask, q, keys)
    parts = max(1, min(TASKS // (batch * own), -(-keys // (2 * KEYS))))
    part_keys = -(-keys // (parts * KEYS)) * KEYS
    (q_memory, g_q), (k_memory, g_k), (v_memory, g_v) = _beside(q, k, v)
    if parts > 1:
        q_memory, shares = _like(q, size, parts)
        g_q = shares[0]
    backward(
        batch * own * parts,
        (heads, heads // own, queries, keys, size, value_size),
        (parts, part_keys, q.size),
        g.ctypes.data, _steps(g), q.ctypes.data, _steps(q),
        k.ctypes.data, _steps(k), v.ctypes.data, _steps(v),
        out.ctypes.data, _steps(out), kind, mask_at, mask_strides, int(causal),
        np.array([scale], q.dtype), state,
        q_memory, _steps(g_q), k_memory, _steps(g_k), v_memory, _steps(g_v),
        columns(q.dtype),
    )  # fmt: skip
    if parts > 1:
        g_q = shares.sum(0)
    return g_q.reshape(query.shape), g_k.reshape(key.shape), g_v.reshape(value.shape), None
