"""The first elements in order, and the median, without sorting the rest. Knows arrays only.

Reads the input once and writes what is asked for. A block of a row is passed over where nothing in
it comes before the last of those found, which is vector code; else its elements are put in one by
one. Of a million random floats the first 10 take a few hundred looks, and sorting them all a
hundred times as long. Many elements of a long row are those up to the last one's value, which a
partition finds; they alone are sorted.
"""

import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.runtime import FLOATS, serial
from tensorgrad.kernels.numba.sums import chunks
from tensorgrad.kernels.numba.tasks import Tasks

BLOCK = 64
FEW = 64  # elements found by putting in
SHORT = 64  # elements of a row up to which NumPy sorts them as fast
LONG = 8192  # elements of a row from which a partition of each is faster than sorting all


@serial
def _precedes(value, other, descending):
    """Whether `value` comes before an equal or other element that stands before it. NaN is larger
    than every number.
    """
    if descending:
        return (value > other) | ((value != value) & (other == other))
    return (value < other) | ((value == value) & (other != other))


@serial
def _any_precedes(block, other, descending):
    found = False
    for j in range(block.size):
        found |= _precedes(block[j], other, descending)
    return found


@Tasks
def _first_in_order(task, rows, x, descending, places, values):
    count = places.shape[1]
    for r in range(task * rows, min((task + 1) * rows, x.shape[0])):
        row, place, best = x[r], places[r], values[r]
        have = 0
        for start in range(0, row.size, BLOCK):
            block = row[start : start + BLOCK]
            if have == count and not _any_precedes(block, best[count - 1], descending):
                continue
            for j in range(block.size):
                value = block[j]
                if have == count and not _precedes(value, best[count - 1], descending):
                    continue
                k = min(have, count - 1)
                while k > 0 and _precedes(value, best[k - 1], descending):
                    best[k], place[k] = best[k - 1], place[k - 1]
                    k -= 1
                best[k], place[k] = value, start + j
                have = min(have + 1, count)


def _stable(values, descending):
    """Where the elements of a row stand in order, equal ones as they stood."""
    if not descending:
        return np.argsort(values, kind="stable")
    return len(values) - 1 - np.argsort(values[::-1], kind="stable")[::-1]


def _first_of_row(row, count, descending):
    place = len(row) - count if descending else count - 1
    last = np.partition(row, place)[place]
    # Not what comes after the last one, so that comparisons with NaN keep it.
    near = np.flatnonzero(~(row < last) if descending else ~(row > last))
    return near[_stable(row[near], descending)[:count]]


def first_in_order(x, dim, count, descending):
    """Where along `dim` the first `count` elements in order are, as a stable sort has them."""
    length = x.shape[dim]
    if x.dtype not in FLOATS or not 0 < count < length or length <= SHORT or not x.size:
        return NotImplemented
    turned = np.moveaxis(x, dim, -1)
    rows = plain(turned).reshape(-1, length)
    places = np.empty((len(rows), count), np.int64)
    if count <= FEW:
        each, tasks = chunks(*rows.shape)
        _first_in_order(tasks, each, rows, int(descending), places, np.empty_like(places, x.dtype))
    elif length >= LONG:
        for row, found in zip(rows, places, strict=True):
            found[:] = _first_of_row(row, count, descending)
    else:
        return NotImplemented
    return np.moveaxis(places.reshape(*turned.shape[:-1], count), -1, dim)


def median(x):
    """The lower median of all elements, NaN if there is one."""
    if x.dtype not in FLOATS:
        return NotImplemented
    middle, last = (x.size - 1) // 2, x.size - 1
    found = np.partition(x.reshape(-1), (middle, last))  # NaN goes last
    return np.asarray(found[middle] if found[last] == found[last] else found[last])
