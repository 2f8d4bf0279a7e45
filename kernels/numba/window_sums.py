"""Sums of windows over one or two spatial dimensions, and their adjoint. Knows planes: one channel
of one sample; and pictures whose channels are last in memory.

Reads the input and writes the sums, or the other way round. In a plane the rows of a window are
added up first, a vector of columns at a time, then its columns; with channels last every element
of a window is a line of channels. NumPy's way takes a pass over memory for each element of a
window, and copies the input with its padding: 2 to 10 times as long for (32, 64, 32, 32).
"""

import math

import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.runtime import FLOATS
from tensorgrad.kernels.numba.sums import chunks
from tensorgrad.kernels.numba.tasks import Tasks, part

# Elements below which NumPy's passes take less than a launch: for the sums, for their adjoint.
SMALL, SMALL_BACK = 32_768, 2048


# ------------------------------------------------------------------------------------------- planes
@part
def _add_rows(x, p, first, last, out):
    """The sum of some rows of plane p, in one pass where there are two."""
    if last - first == 2:
        one, other = x[p, first], x[p, first + 1]
        for w in range(out.size):
            out[w] = one[w] + other[w]
    else:
        out[:] = 0
        for h in range(first, last):
            row = x[p, h]
            for w in range(out.size):
                out[w] += row[w]


@part
def _add_columns(line, step, wide, out):
    """out[j] = the sum of `wide` elements of a line from j * step on."""
    for j in range(out.size):
        total = line[j * step]
        for k in range(1, wide):
            total += line[j * step + k]
        out[j] = total


@part
def _spread_columns(g, step, wide, line):
    """Each g[j] added to `wide` elements of a line from j * step on."""
    line[:] = 0
    for k in range(wide):
        for j in range(g.size):
            line[j * step + k] += g[j]


@Tasks
def _planes(task, planes, x, kernel, stride, padding, width, out):
    """A line is as wide as a padded row."""
    line = np.zeros(width, x.dtype)
    inside = line[padding[1] : padding[1] + x.shape[2]]
    for p in range(task * planes, min((task + 1) * planes, x.shape[0])):
        for i in range(out.shape[1]):
            top = i * stride[0] - padding[0]
            _add_rows(x, p, max(top, 0), min(top + kernel[0], x.shape[1]), inside)
            # The common steps and widths are loops of their own, of vectors.
            if stride[1] == 2 and kernel[1] == 2:
                _add_columns(line, 2, 2, out[p, i])
            elif stride[1] == 2 and kernel[1] == 3:
                _add_columns(line, 2, 3, out[p, i])
            elif stride[1] == 1 and kernel[1] == 3:
                _add_columns(line, 1, 3, out[p, i])
            else:
                _add_columns(line, stride[1], kernel[1], out[p, i])


@Tasks
def _planes_vjp(task, planes, g, kernel, stride, padding, width, out):
    line = np.empty(width, g.dtype)
    inside = line[padding[1] : padding[1] + out.shape[2]]
    for p in range(task * planes, min((task + 1) * planes, out.shape[0])):
        out[p] = 0
        for i in range(g.shape[1]):
            top = i * stride[0] - padding[0]
            if stride[1] == 1:
                _spread_columns(g[p, i], 1, kernel[1], line)
            elif stride[1] == 2:
                _spread_columns(g[p, i], 2, kernel[1], line)
            else:
                _spread_columns(g[p, i], stride[1], kernel[1], line)
            for h in range(max(top, 0), min(top + kernel[0], out.shape[1])):
                row = out[p, h]
                for w in range(row.size):
                    row[w] += inside[w]


# ------------------------------------------------------------------------------------ channels last
@Tasks
def _channels(task, x, kernel, stride, padding, out):
    """A task is one row of windows of one picture (H, W, C)."""
    n, i = divmod(task, out.shape[1])
    top = i * stride[0] - padding[0]
    for j in range(out.shape[2]):
        left, sums = j * stride[1] - padding[1], out[n, i, j]
        sums[:] = 0
        for h in range(max(top, 0), min(top + kernel[0], x.shape[1])):
            for w in range(max(left, 0), min(left + kernel[1], x.shape[2])):
                line = x[n, h, w]
                for c in range(line.size):
                    sums[c] += line[c]


@Tasks
def _channels_vjp(task, g, kernel, stride, padding, out):
    """A task is one row of one picture: of the windows over each place the gradients are added."""
    n, h = divmod(task, out.shape[1])
    below = h + padding[0]
    first = max(0, -(-(below - kernel[0] + 1) // stride[0]))
    for w in range(out.shape[2]):
        beside, sums = w + padding[1], out[n, h, w]
        start = max(0, -(-(beside - kernel[1] + 1) // stride[1]))
        sums[:] = 0
        for i in range(first, min(below // stride[0] + 1, g.shape[1])):
            for j in range(start, min(beside // stride[1] + 1, g.shape[2])):
                line = g[n, i, j]
                for c in range(line.size):
                    sums[c] += line[c]


def _as_planes(spatial, *numbers):
    """Kernel, stride and padding of one dimension as of two, of which the first has one place."""
    if spatial == 2:
        return numbers
    return [(n, *given) for n, given in zip((1, 1, 0, 0), numbers, strict=True)]


def _is_channels_last(x):
    return x.ndim == 4 and not x.flags.c_contiguous and np.moveaxis(x, 1, -1).flags.c_contiguous


def _positions(size, kernel, stride, before, after):
    sides = zip(size, kernel, stride, before, after, strict=True)
    return tuple([(n + b + a - k) // s + 1 for n, k, s, b, a in sides])


def window_sum(x, kernel, stride, before, after):
    """The sums of windows over (..., H, W), or (..., W), widened by zeros before and after."""
    spatial = len(kernel)
    if x.dtype not in FLOATS or spatial > 2 or x.size < SMALL:
        return NotImplemented
    size = x.shape[x.ndim - spatial :]
    positions = _positions(size, kernel, stride, before, after)
    if min(positions) < 1:
        return NotImplemented
    kernel, stride, before, after = _as_planes(spatial, kernel, stride, before, after)
    if spatial == 2 and _is_channels_last(x):
        values = np.moveaxis(x, 1, -1)
        out = np.empty((len(x), *positions, x.shape[1]), x.dtype)
        _channels(len(x) * positions[0], values, kernel, stride, before, out)
        return np.moveaxis(out, -1, 1)
    height = size[0] if spatial == 2 else 1
    values = plain(x).reshape(-1, height, size[-1])
    out = np.empty((len(values), *((1,) * (2 - spatial)), *positions), x.dtype)
    planes, tasks = chunks(len(values), height * size[-1])
    width = before[1] + size[-1] + after[1]
    _planes(tasks, planes, values, kernel, stride, before, width, out)
    return out.reshape(*x.shape[: x.ndim - spatial], *positions)


def window_sum_vjp(g, shape, kernel, stride, before, after):
    """Each g added to all elements of its window."""
    spatial = len(kernel)
    if g.dtype not in FLOATS or spatial > 2 or math.prod(shape) < SMALL_BACK:
        return NotImplemented
    positions, size = g.shape[g.ndim - spatial :], shape[len(shape) - spatial :]
    kernel, stride, before, after = _as_planes(spatial, kernel, stride, before, after)
    if spatial == 2 and _is_channels_last(g):
        out = np.empty((len(g), *size, g.shape[1]), g.dtype)
        _channels_vjp(len(g) * size[0], np.moveaxis(g, 1, -1), kernel, stride, before, out)
        return np.moveaxis(out, -1, 1)
    height, rows = (size[0], positions[0]) if spatial == 2 else (1, 1)
    values = plain(g).reshape(-1, rows, positions[-1])
    out = np.empty((len(values), height, size[-1]), g.dtype)
    planes, tasks = chunks(len(values), height * size[-1])
    width = before[1] + size[-1] + after[1]
    _planes_vjp(tasks, planes, values, kernel, stride, before, width, out)
    return out.reshape(shape)
