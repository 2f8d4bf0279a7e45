"""Rows looked up in a table, and added back into one. Knows arrays only.

Memory traffic for N rows of D out of V: the look-up reads and writes N x D; the sum reads N x D
twice (values, and the rows they go to), writes N x D and zeros V x D. The sum runs on one thread:
sharing out columns or rows over two gave 0.6 to 0.9 of its speed up to a million elements and at
most 1.3 beyond. So it adds in the order of the index, as `np.add.at` does at a tenth of the speed.
"""

import numpy as np
from numba import prange

from tensorgrad.errors import IndexRangeError
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.runtime import (
    FLOATS,
    INT64,
    can_launch,
    first_outside,
    parallel,
    serial,
)

DENSE = 64  # rows of a table for each that is named, up to which a mark a row beats a sort
ROWS = 64  # a task's rows in the look-up
PARALLEL = 131072  # elements from which two threads beat one


@serial
def _scatter(values, index, out):
    for i in range(index.size):
        source, target = values[i], out[index[i]]
        for j in range(source.size):
            target[j] += source[j]


@serial
def _take(table, index, out):
    for i in range(index.size):
        source, target = table[index[i]], out[i]
        for j in range(source.size):
            target[j] = source[j]


@parallel
def _take_parallel(table, index, out):
    for c in prange((index.size + ROWS - 1) // ROWS):
        part = slice(c * ROWS, (c + 1) * ROWS)
        _take(table, index[part], out[part])


@serial
def _distinct(index, marks, words, numbers, found, places):
    """How many numbers are found. marks: zeros, a byte for each; words: the same memory."""
    for i in range(index.size):
        marks[index[i]] = 1
    count = 0
    for word in range(words.size):
        if words[word]:  # of eight marks most are zeros
            for row in range(8 * word, 8 * word + 8):
                if marks[row]:
                    found[count] = row
                    numbers[row] = count
                    count += 1
    for i in range(index.size):
        places[i] = numbers[index[i]]
    return count


def checked(index, size):
    """The index as a flat array of numbers in [0, size)."""
    index = plain(index)
    if index.ndim != 1:
        index = index.reshape(-1)
    bad = first_outside(index, size, 0 if size else -1)
    if bad >= 0:
        raise IndexRangeError(f"embedding: expected indices in [0, {size}), got {index[bad]}")
    return index


def scatter_rows(values, index, rows):
    """Zeros (rows, D) with values[i] of (N, D) added to row index[i] for every i."""
    if values.dtype not in FLOATS or index.dtype is not INT64 or values.ndim != 2:
        return NotImplemented
    index, values = checked(index, rows), plain(values)
    if index.size != values.shape[0]:
        return NotImplemented
    out = np.zeros((rows, values.shape[1]), values.dtype)
    _scatter(values, index, out)
    return out


def take_rows(table, index):
    """table[index] along the first dimension, (*index.shape, D)."""
    if table.dtype not in FLOATS or index.dtype is not INT64 or table.ndim != 2:
        return NotImplemented
    flat, table = checked(index, table.shape[0]), plain(table)
    out = np.empty((flat.size, table.shape[1]), table.dtype)
    kernel = _take_parallel if out.size >= PARALLEL and can_launch() else _take
    kernel(table, flat, out)
    return out if index.ndim == 1 else out.reshape(*index.shape, table.shape[1])


def distinct_rows(index, rows):
    """(the numbers in `index`, all in [0, rows), in order and each once; where each of it went)."""
    if index.dtype is not INT64 or rows > DENSE * index.size:
        return NotImplemented
    index = checked(index, rows)
    words = np.zeros(-(-rows // 8), np.int64)
    numbers = np.empty(8 * words.size, np.int64)
    found, places = np.empty(min(rows, index.size), np.int64), np.empty(index.size, np.int64)
    count = _distinct(index, words.view(np.int8), words, numbers, found, places)
    return found[:count], places
