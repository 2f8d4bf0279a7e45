"""Weighted sums along one dimension, each of a few given places: what interpolation, pooling to
uneven windows and their gradients are made of. Knows arrays and tables only.

An array is seen as (A, K, B), summed over K. The input is read and the result written once;
NumPy's way reads or writes five arrays of the result's size for each tap. Of bilinear interpolation
of (16, 64, 32, 32) to twice the size, forward and backward, it took 4 times as long.
"""

import math
from functools import lru_cache

import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.runtime import FLOATS
from tensorgrad.kernels.numba.sums import chunks
from tensorgrad.kernels.numba.tasks import Tasks


@Tasks
def _lines(task, parts, size, x, starts, places, weights, out):
    """A task is one of `parts` of the results of one a, each a line of B."""
    a, part = divmod(task, parts)
    for i in range(part * size, min((part + 1) * size, out.shape[1])):
        target, first, last = out[a, i], starts[i], starts[i + 1]
        if first == last:
            target[:] = 0
            continue
        one, weight = x[a, places[first]], weights[first]
        if last - first == 1:
            for b in range(target.size):
                target[b] = weight * one[b]
            continue
        other, share = x[a, places[first + 1]], weights[first + 1]
        for b in range(target.size):
            target[b] = weight * one[b] + share * other[b]
        for t in range(first + 2, last):
            one, weight = x[a, places[t]], weights[t]
            for b in range(target.size):
                target[b] += weight * one[b]


@Tasks
def _elements(task, rows, x, starts, places, weights, out):
    """The last dimension is summed over: B is 1."""
    for a in range(task * rows, min((task + 1) * rows, out.shape[0])):
        source, target = x[a], out[a]
        for i in range(target.size):
            total = x.dtype.type(0)
            for t in range(starts[i], starts[i + 1]):
                total += weights[t] * source[places[t]]
            target[i] = total


@Tasks
def _evenly(task, rows, x, places, weights, out):
    """The same of one or two taps each, in vectors: all first ones, then all others."""
    for a in range(task * rows, min((task + 1) * rows, out.shape[0])):
        source, target = x[a], out[a]
        if places.shape[0] == 1:
            for i in range(target.size):
                target[i] = weights[0, i] * source[places[0, i]]
        else:
            for i in range(target.size):
                one, other = source[places[0, i]], source[places[1, i]]
                target[i] = weights[0, i] * one + weights[1, i] * other


@lru_cache(256)
def _table(taps, char):
    """Where each row of taps begins, its places and its weights."""
    lengths = np.array([len(row) for row in taps.rows], np.int64)
    flat = [tap for row in taps.rows for tap in row]
    places = np.array([place for place, _ in flat], np.int64)
    weights = np.array([weight for _, weight in flat], char)
    return np.concatenate([[0], lengths.cumsum()]).astype(np.int64), places, weights


@lru_cache(256)
def _even_table(taps, char):
    """Places and weights of all first taps, and all others, if there are one or two everywhere."""
    starts, places, weights = _table(taps, char)
    count = places.size // taps.count
    if count not in (1, 2) or (np.diff(starts) != count).any():
        return None
    return [np.ascontiguousarray(x.reshape(-1, count).T) for x in (places, weights)]


def combine(x, dim, taps):
    """The sum of weight * x[..., place, ...] over each row of taps."""
    shape = (*x.shape[:dim], taps.count, *x.shape[dim + 1 :])
    if x.dtype not in FLOATS or not x.size or not math.prod(shape):
        return NotImplemented
    outer, inner = math.prod(shape[:dim]), math.prod(shape[dim + 1 :])
    values, out = plain(x), np.empty(shape, x.dtype)
    if inner > 1:
        size, parts = chunks(taps.count, inner)
        planes = values.reshape(outer, -1, inner), out.reshape(outer, -1, inner)
        _lines(outer * parts, parts, size, planes[0], *_table(taps, x.dtype.char), planes[1])
        return out
    rows, tasks = chunks(outer, taps.count)
    lines = values.reshape(outer, -1), out.reshape(outer, -1)
    even = _even_table(taps, x.dtype.char)
    if even is not None:
        _evenly(tasks, rows, lines[0], *even, lines[1])
    else:
        _elements(tasks, rows, lines[0], *_table(taps, x.dtype.char), lines[1])
    return out
