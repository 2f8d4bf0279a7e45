"""Lengths of rows, rows of length 1, and the cosines of angles between rows. Knows arrays only.

Traffic: forward each array is read once (a row once more, from cache) and what is returned is
written; backward the inputs are read and their gradients written. The compositions move 4 to 14
arrays and 20 to 40. Sums go by blocks (see `sums`), rows longer than CHUNK by pieces.
"""

from typing import Any

import numba
import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.runtime import FLOATS, larger, serial
from tensorgrad.kernels.numba.sums import CHUNK, chunks, sum_of_products, sum_of_squares
from tensorgrad.kernels.numba.tasks import Tasks


@numba.njit(error_model="numpy", forceinline=True, fastmath=False)
def _part(a, length, factor):
    """a / length * factor as written: by a kernel's flags a * factor would come first and overflow.
    The flags are inherited unless there are others.
    """
    return a / length * factor


@serial
def _length(row):
    return np.sqrt(sum_of_squares(row, row.dtype.type(0)))


# ---------------------------------------------------------------------------------------- lengths
@Tasks
def _squares(task, size, x, out):
    """out (R, P): of piece p of row r."""
    r, p = divmod(task, out.shape[1])
    out[r, p] = sum_of_squares(x[r, p * size : (p + 1) * size], x.dtype.type(0))


@Tasks
def _lengths(task, rows, x, out):
    for r in range(task * rows, min((task + 1) * rows, x.shape[0])):
        out[r] = _length(x[r])


@Tasks
def _along(task, rows, size, g, lengths, x, out):
    """A task is a piece of `size` columns of some rows: g times the row over its length."""
    parts = -(-x.shape[1] // size)
    group, p = divmod(task, parts)
    for r in range(group * rows, min((group + 1) * rows, x.shape[0])):
        row, target = x[r, p * size : (p + 1) * size], out[r, p * size : (p + 1) * size]
        slope, length = g[r], lengths[r]
        if length == 0:
            target[:] = slope * 0
        else:
            for j in range(row.size):
                target[j] = _part(row[j], length, slope)


def _rows(x, dim):
    """As (R, N), N being what is reduced; None unless that is all, or what is last."""
    if x.dtype not in FLOATS or not x.size or not x.ndim:
        return None
    if _is_whole(x, dim):
        return plain(x).reshape(1, -1)
    dims = (dim,) if isinstance(dim, int) else dim
    if len(dims) != 1 or dims[0] % x.ndim != x.ndim - 1:
        return None
    return plain(x).reshape(-1, x.shape[-1])


def root_of_squares(x, dim, keepdim):
    """The length of all of x, or along its last dimension."""
    values = _rows(x, dim)
    if values is None:
        return NotImplemented
    count = len(values)
    if values.shape[1] > CHUNK:
        parts = np.empty((count, -(-values.shape[1] // CHUNK)), x.dtype)
        _squares(parts.size, CHUNK, values, parts)
        out = np.sqrt(parts.sum(1))
    else:
        out = np.empty(count, x.dtype)
        rows, tasks = chunks(*values.shape)
        _lengths(tasks, rows, values, out)
    lead = () if _is_whole(x, dim) else x.shape[:-1]
    return out.reshape((*lead, *(1,) * (x.ndim - len(lead))) if keepdim else lead)


def _is_whole(x, dim):
    dims = (dim,) if isinstance(dim, int) else dim
    return dims is None or len({d % x.ndim for d in dims}) == x.ndim


def root_of_squares_vjp(g, x, y, dim):
    values = _rows(x, dim)
    if values is None:
        return NotImplemented
    out = np.empty_like(values)
    rows, tasks = chunks(*values.shape)
    size = min(values.shape[1], CHUNK)
    given = [plain(np.asarray(part)).reshape(-1) for part in (g, y)]
    _along(tasks * -(-values.shape[1] // size), rows, size, *given, values, out)
    return out.reshape(x.shape)


# ------------------------------------------------------------------------------------- directions
@Tasks
def _unit(task, rows, least, x, lengths, out):
    for r in range(task * rows, min((task + 1) * rows, x.shape[0])):
        row, target = x[r], out[r]
        lengths[r] = _length(row)
        size = larger(lengths[r], least[0])
        for j in range(row.size):
            target[j] = row[j] / size


@Tasks
def _unit_vjp(task, rows, least, g, x, lengths, out):
    zero = x.dtype.type(0)
    for r in range(task * rows, min((task + 1) * rows, x.shape[0])):
        row, slopes, target = x[r], g[r], out[r]
        length, size = lengths[r], larger(lengths[r], least[0])
        share = zero
        if not (length < least[0] or length == 0):
            share = sum_of_products(slopes, row, zero) / size / length
        for j in range(row.size):
            target[j] = (slopes[j] - row[j] * share) / size


def unit_vectors(x, dim, eps):
    """Each row over its length, or over eps if that is more; and the lengths."""
    values = _rows(x, dim)
    if values is None:
        return NotImplemented
    lengths, out = np.empty(len(values), x.dtype), np.empty_like(values)
    rows, tasks = chunks(*values.shape)
    _unit(tasks, rows, np.array([eps], x.dtype), values, lengths, out)
    return out.reshape(x.shape), lengths


def unit_vectors_vjp(g, x, dim, eps, lengths):
    values, slopes = _rows(x, dim), plain(g).reshape(len(lengths), -1)
    out = np.empty_like(values)
    rows, tasks = chunks(*values.shape)
    _unit_vjp(tasks, rows, np.array([eps], x.dtype), slopes, values, lengths, out)
    return out.reshape(x.shape)


# ---------------------------------------------------------------------------------------- cosines
@Tasks
def _cosines(task, rows, least, x, y, lengths, out):
    for r in range(task * rows, min((task + 1) * rows, x.shape[0])):
        one, other = x[r], y[r]
        lengths[r, 0], lengths[r, 1] = _length(one), _length(other)
        size = larger(lengths[r, 0], least[0])
        width = larger(lengths[r, 1], least[0])
        total, whole = x.dtype.type(0), x.dtype.type(1)
        for j in range(one.size):
            total += _part(one[j], size, _part(other[j], width, whole))
        out[r] = total


@Tasks
def _cosines_vjp(task, rows, least, g, x, y, lengths, cosines, out):
    """The gradient of the first, or with its arguments exchanged that of the other."""
    for r in range(task * rows, min((task + 1) * rows, x.shape[0])):
        one, other, target = x[r], y[r], out[r]
        size, width = larger(lengths[r, 0], least[0]), larger(lengths[r, 1], least[0])
        share = cosines[r] / lengths[r, 0] if lengths[r, 0] != 0 else x.dtype.type(0)
        scale = g[r] / size
        for j in range(one.size):
            target[j] = scale * (other[j] / width - one[j] * share)


def cosines(x, y, dim, eps):
    """Of rows, no length counted as less than eps; and the lengths."""
    if x.shape != y.shape or x.dtype is not y.dtype:
        return NotImplemented
    one, other = _rows(x, dim), _rows(y, dim)
    if one is None or (x.ndim == 1 and x.size > CHUNK):
        return NotImplemented
    lengths, out = np.empty((len(one), 2), x.dtype), np.empty(len(one), x.dtype)
    rows, tasks = chunks(*one.shape)
    _cosines(tasks, rows, np.array([eps], x.dtype), one, other, lengths, out)
    return out.reshape(x.shape[:-1]), lengths


def cosines_vjp(g, x, y, out, dim, eps, needs, lengths):
    arrays = _rows(x, dim), _rows(y, dim)
    slopes, found = plain(np.asarray(g)).reshape(-1), plain(np.asarray(out)).reshape(-1)
    least = np.array([eps], x.dtype)
    rows, tasks = chunks(*arrays[0].shape)
    results: list[Any] = []
    for turn, want in zip((1, -1), needs, strict=True):
        if not want:
            results.append(None)
            continue
        result = np.empty_like(arrays[0])
        sizes = np.ascontiguousarray(lengths[:, ::turn])
        _cosines_vjp(tasks, rows, least, slopes, *arrays[::turn], sizes, found, result)
        results.append(result.reshape(x.shape))
    return tuple(results)
