"""Softmax, log-softmax and softmax cross-entropy over a dimension that is the last in memory, and
the choice between these and `softmax_columns`. Knows arrays only.

Memory traffic, in arrays of the input's size (the compositions: 8 to 12): forward reads 1 and
writes 1, backward reads 2 and writes 1; cross-entropy reads 1 and writes none forward, reads 1 and
writes 1 backward. A row is gone over two or three times, but from cache: up to about 200,000 floats
fit the second level.
Sums add blocks of BLOCK elements, each spread over vector lanes, so rounding
grows with the block, not the row. Against the NumPy composition: 2 to 9 times on two threads.
"""

import math

import numpy as np
from numba import prange

from tensorgrad.errors import IndexRangeError
from tensorgrad.kernels.numba import softmax_columns as columns
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.math import difference, exp, log
from tensorgrad.kernels.numba.runtime import (
    FLOATS,
    INT64,
    can_launch,
    first_outside,
    larger,
    parallel,
    serial,
)

BLOCK = 1024
CHUNK = 4096  # elements a task
PARALLEL = 65536  # elements from which two threads beat one
MANY_COLUMNS = 8192  # elements below which NumPy's passes take less than a launch


# ------------------------------------------------------------------------------------------ softmax
@serial
def peak_of(row):
    peak = row[0]
    for j in range(row.size):
        peak = larger(peak, row[j])
    return peak


@serial
def sum_of_exp(row, peak):
    total = row.dtype.type(0)
    for start in range(0, row.size, BLOCK):
        block = row[start : start + BLOCK]
        part = row.dtype.type(0)
        for j in range(block.size):
            part += exp(block[j] - peak)
        total += part
    return total


@serial
def _sum_from(row, peak):
    """Of what is left of a row without its largest element."""
    total = row.dtype.type(0)
    for start in range(0, row.size, BLOCK):
        block = row[start : start + BLOCK]
        part = row.dtype.type(0)
        for j in range(block.size):
            part += difference(block[j], peak)
        total += part
    return total


@serial
def _softmax(x, out):
    for i in range(x.shape[0]):
        row, result = x[i], out[i]
        peak = peak_of(row)
        total = x.dtype.type(0)
        for start in range(0, row.size, BLOCK):
            block, target = row[start : start + BLOCK], result[start : start + BLOCK]
            part = x.dtype.type(0)
            for j in range(block.size):
                e = exp(block[j] - peak)
                target[j] = e
                part += e
            total += part
        scale = x.dtype.type(1) / total
        for j in range(row.size):
            result[j] *= scale


@parallel
def _softmax_parallel(x, out):
    rows = max(1, CHUNK // x.shape[1])
    for c in prange((x.shape[0] + rows - 1) // rows):
        _softmax(x[c * rows : (c + 1) * rows], out[c * rows : (c + 1) * rows])


@serial
def _softmax_vjp(g, y, out):
    for i in range(y.shape[0]):
        g_row, y_row, result = g[i], y[i], out[i]
        total = y.dtype.type(0)
        for start in range(0, y_row.size, BLOCK):
            g_block, y_block = g_row[start : start + BLOCK], y_row[start : start + BLOCK]
            part = y.dtype.type(0)
            for j in range(y_block.size):
                part += g_block[j] * y_block[j]
            total += part
        for j in range(y_row.size):
            result[j] = y_row[j] * (g_row[j] - total)


@parallel
def _softmax_vjp_parallel(g, y, out):
    rows = max(1, CHUNK // y.shape[1])
    for c in prange((y.shape[0] + rows - 1) // rows):
        part = slice(c * rows, (c + 1) * rows)
        _softmax_vjp(g[part], y[part], out[part])


# -------------------------------------------------------------------------------------- log-softmax
@serial
def _log_softmax(x, out):
    for i in range(x.shape[0]):
        row, result = x[i], out[i]
        peak = peak_of(row)
        log_total = log(sum_of_exp(row, peak))
        for j in range(row.size):
            result[j] = difference(row[j] - peak, log_total)


@parallel
def _log_softmax_parallel(x, out):
    rows = max(1, CHUNK // x.shape[1])
    for c in prange((x.shape[0] + rows - 1) // rows):
        _log_softmax(x[c * rows : (c + 1) * rows], out[c * rows : (c + 1) * rows])


@serial
def _log_softmax_vjp(g, y, out):
    for i in range(y.shape[0]):
        g_row, y_row, result = g[i], y[i], out[i]
        total = y.dtype.type(0)
        for start in range(0, g_row.size, BLOCK):
            block = g_row[start : start + BLOCK]
            part = y.dtype.type(0)
            for j in range(block.size):
                part += block[j]
            total += part
        for j in range(y_row.size):
            result[j] = g_row[j] - exp(y_row[j]) * total


@parallel
def _log_softmax_vjp_parallel(g, y, out):
    rows = max(1, CHUNK // y.shape[1])
    for c in prange((y.shape[0] + rows - 1) // rows):
        part = slice(c * rows, (c + 1) * rows)
        _log_softmax_vjp(g[part], y[part], out[part])


def _rows(array):
    """The array as a C-contiguous matrix of its last dimension's rows."""
    array = plain(array)
    return array if array.ndim == 2 else array.reshape(-1, array.shape[-1])


def _is_last(x, dim):
    """Whether a dimension, counted from the front, is the last in memory."""
    return math.prod(x.shape[dim + 1 :]) == 1 or (
        not x.flags.c_contiguous and np.moveaxis(x, dim, -1).flags.c_contiguous
    )


def _mapped(kernels, dim, *arrays):
    """What a kernel of rows, its parallel twin, or one of columns makes of the arrays."""
    x = arrays[-1]
    if x.dtype not in FLOATS or any(array.dtype is not x.dtype for array in arrays):
        return NotImplemented
    if not (x.size and -x.ndim <= dim < x.ndim):
        return NotImplemented
    one, many, of_columns = kernels
    dim %= x.ndim
    last = dim == x.ndim - 1
    if not (last or _is_last(x, dim)):
        return of_columns(*arrays, dim) if x.size >= MANY_COLUMNS else NotImplemented
    rows = [_rows(array if last else np.moveaxis(array, dim, -1)) for array in arrays]
    out = np.empty_like(rows[0])
    (many if x.size >= PARALLEL and can_launch() else one)(*rows, out)
    if last:
        return out if x.ndim == 2 else out.reshape(x.shape)
    return np.moveaxis(out.reshape(np.moveaxis(x, dim, -1).shape), -1, dim)


def softmax(x, dim):
    """exp(x) / sum(exp(x)) along a dimension."""
    return _mapped((_softmax, _softmax_parallel, columns.softmax), dim, x)


def softmax_vjp(g, y, dim):
    """y (g - sum(g y))."""
    return _mapped((_softmax_vjp, _softmax_vjp_parallel, columns.softmax_vjp), dim, g, y)


def log_softmax(x, dim):
    """x - log(sum(exp(x))) along a dimension."""
    return _mapped((_log_softmax, _log_softmax_parallel, columns.log_softmax), dim, x)


def log_softmax_vjp(g, y, dim):
    """g - exp(y) sum(g)."""
    kernels = _log_softmax_vjp, _log_softmax_vjp_parallel, columns.log_softmax_vjp
    return _mapped(kernels, dim, g, y)


# ------------------------------------------------------------------------------------ cross-entropy
# What the backward pass needs of a row is its largest logit and 1 / sum(exp(x - largest)): with
# their sum, log-sum-exp, alone it would lose the digits that subtracting the largest logit saves.
@serial
def _cross_entropy(x, target, ignore_index, smoothing, loss, state):
    share = x.dtype.type(smoothing)
    for i in range(x.shape[0]):
        loss[i] = 0
        if target[i] != ignore_index:
            row = x[i]
            peak = peak_of(row)
            total = sum_of_exp(row, peak)
            state[i, 0] = peak
            state[i, 1] = x.dtype.type(1) / total
            own = row[target[i]] - peak
            if share > 0:
                own = (1 - share) * own + share * (_sum_from(row, peak) / x.dtype.type(row.size))
            loss[i] = difference(log(total), own)


@parallel
def _cross_entropy_parallel(x, target, ignore_index, smoothing, loss, state):
    rows = max(1, CHUNK // x.shape[1])
    for c in prange((x.shape[0] + rows - 1) // rows):
        part = slice(c * rows, (c + 1) * rows)
        _cross_entropy(x[part], target[part], ignore_index, smoothing, loss[part], state[part])


@serial
def _cross_entropy_vjp(g, x, target, ignore_index, smoothing, state, out):
    share = x.dtype.type(smoothing)
    for i in range(x.shape[0]):
        row, result = x[i], out[i]
        if target[i] == ignore_index:
            for j in range(row.size):
                result[j] = 0
        else:
            peak, scale = state[i, 0], state[i, 1] * g[i]
            even = x.dtype.type(0)
            if share > 0:
                even = g[i] * (share / x.dtype.type(row.size))
            for j in range(row.size):
                result[j] = exp(row[j] - peak) * scale - even
            result[target[i]] -= (1 - share) * g[i]


@parallel
def _cross_entropy_vjp_parallel(g, x, target, ignore_index, smoothing, state, out):
    rows = max(1, CHUNK // x.shape[1])
    for c in prange((x.shape[0] + rows - 1) // rows):
        part = slice(c * rows, (c + 1) * rows)
        _cross_entropy_vjp(
            g[part], x[part], target[part], ignore_index, smoothing, state[part], out[part]
        )


def _classes_last(x):
    """(N, C) as it is, (N, C, S) as (N, S, C), and back: less time than NumPy's `moveaxis`."""
    return x if x.ndim == 2 else x.transpose(0, 2, 1)


def checked(op, target, classes, ignore_index):
    """The targets, plain, all of them classes or ignore_index."""
    target = plain(target)
    bad = first_outside(target, classes, ignore_index)
    if bad >= 0:
        raise IndexRangeError(f"{op}: expected targets in [0, {classes}), got {target[bad]}")
    return target


def softmax_cross_entropy(x, target, ignore_index, smoothing=0.0):
    """(-log softmax(x)[target] of x (N, C) and targets (N,), or (N, C, S) and (N, S), the target
    mixed with `smoothing` of the uniform one, 0 where it is ignore_index; state for the gradient).
    """
    if (
        x.dtype not in FLOATS
        or target.dtype is not INT64
        or x.ndim not in (2, 3)
        or x.size == 0
        or target.shape != x.shape[:1] + x.shape[2:]
    ):
        return NotImplemented
    classes = checked("softmax_cross_entropy", target.reshape(-1), x.shape[1], ignore_index)
    how = ignore_index, float(smoothing)
    if not _is_last(x, 1):
        return columns.cross_entropy(plain(x), classes.reshape(target.shape), *how)
    rows = _rows(_classes_last(x))
    loss, state = np.empty(len(rows), x.dtype), np.empty((len(rows), 2), x.dtype)
    kernel = _cross_entropy_parallel if x.size >= PARALLEL and can_launch() else _cross_entropy
    kernel(rows, classes, *how, loss, state)
    return loss.reshape(target.shape), state


def softmax_cross_entropy_vjp(g, x, target, ignore_index, state, smoothing=0.0):
    """g (softmax(x) - target) of each row, 0 where the target is ignore_index."""
    if g.dtype is not x.dtype:
        return NotImplemented
    g, classes, how = plain(g), plain(target), (ignore_index, float(smoothing))
    if not _is_last(x, 1):
        return columns.cross_entropy_vjp(g, plain(x), classes, *how, state)
    moved = _classes_last(x)
    rows = _rows(moved)
    out = np.empty_like(rows)
    wide = x.size >= PARALLEL and can_launch()
    kernel = _cross_entropy_vjp_parallel if wide else _cross_entropy_vjp
    kernel(g.reshape(-1), rows, classes.reshape(-1), *how, state, out)
    return _classes_last(out.reshape(moved.shape))
