"""What losses of classes pick of each row of scores, and the mean over what is counted. Knows
arrays only. A number of each row is read, where NumPy goes over rows a dozen times.
"""

import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.runtime import FLOATS, INT64, serial
from tensorgrad.kernels.numba.sums import sum_of


@serial
def _pick(x, target, ignored, out):
    """-x[n, target[n, s], s]; whether all targets are classes."""
    known = True
    for n in range(target.shape[0]):
        for s in range(target.shape[1]):
            place = target[n, s]
            if place == ignored:
                out[n, s] = 0
            elif 0 <= place < x.shape[1]:
                out[n, s] = -x[n, place, s]
            else:
                known = False
    return known


@serial
def _put_back(g, target, ignored, out):
    for n in range(target.shape[0]):
        for s in range(target.shape[1]):
            if target[n, s] != ignored:
                out[n, target[n, s], s] = -g[n, s]


@serial
def _mean(x, target, ignored, found):
    """The sum over the number of targets that are not ignored, and that number."""
    count = 0
    for i in range(target.size):
        count += target[i] != ignored
    found[1] = count
    found[0] = sum_of(x) / found[1]


def _form(x):
    """As (N, C, S)."""
    return x.reshape(*x.shape[:2], -1)


def picked(x, target, ignored):
    """Of scores (N, C) or (N, C, S) the one of each target's class, with its sign turned."""
    if x.dtype not in FLOATS or target.dtype is not INT64 or not target.size:
        return NotImplemented
    out, classes = np.empty(target.shape, x.dtype), plain(target).reshape(len(x), -1)
    if not _pick(_form(plain(x)), classes, ignored, out.reshape(classes.shape)):
        return NotImplemented
    return out


def picked_vjp(g, shape, target, ignored):
    if g.dtype not in FLOATS or target.dtype is not INT64 or not target.size:
        return NotImplemented
    out, classes = np.zeros(shape, g.dtype), plain(target).reshape(shape[0], -1)
    _put_back(plain(g).reshape(classes.shape), classes, ignored, _form(out))
    return out


def counted_mean(x, target, ignored):
    """And the number of what is counted."""
    if x.dtype not in FLOATS or target.dtype is not INT64 or not x.size:
        return NotImplemented
    found = np.empty(2, x.dtype)
    _mean(plain(x).reshape(-1), plain(target).reshape(-1), ignored, found)
    return found[0], found[1]
