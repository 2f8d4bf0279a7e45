"""Max pooling over one or two spatial dimensions. Knows planes: one channel of one sample, flat.

Reads one plane and writes the largest elements and their places, which the way back reads. Windows
of 2 x 2 and 3 x 3 a step of 2 apart go many at a time, away from the border; any other one by one,
at a third of the speed. Against the NumPy composition: 9 to 13 times forward, 58 and more backward.
"""

import math

import numpy as np

from tensorgrad.kernels.numba.runtime import FLOATS, plain, serial
from tensorgrad.kernels.numba.sums import CHUNK, chunks
from tensorgrad.kernels.numba.tasks import Tasks


def positions_of(size, kernel, stride, padding, dilation, ceil_mode=False):
    """Positions of the window along both dimensions: below 1 where it does not fit. ceil_mode
    counts one that reaches past the padding too, if it starts before.
    """
    found = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = -(-room // s) + 1 if ceil_mode else room // s + 1
        found.append(count - 1 if ceil_mode and (count - 1) * s >= n + p else count)
    return tuple(found)


@serial
def _better(value, best):
    """The first element stands until one is larger, the last NaN to the end."""
    return (value > best) | (value != value)


# Steps within a window are of 32 bits, as most elements are: with wider ones the loop does not
# become vector code.
@serial
def _whole_by_two(plane, start, row, out, places):
    """Windows of 2 x 2, a step of 2 apart, the first from place `start` on."""
    upper, lower = plane[start:], plane[start + row :]
    down, beside = np.int32(row), np.int32(row + 1)
    for j in range(out.size):
        best, step = upper[2 * j], np.int32(0)
        value = upper[2 * j + 1]
        larger = _better(value, best)
        best = value if larger else best
        step = np.int32(1) if larger else step
        value = lower[2 * j]
        larger = _better(value, best)
        best = value if larger else best
        step = down if larger else step
        value = lower[2 * j + 1]
        larger = _better(value, best)
        out[j] = value if larger else best
        places[j] = start + 2 * j + (beside if larger else step)


@serial
def _row_of_three(row, down, best, step):
    """Go on with the best of each window and its step through a row of it."""
    for j in range(best.size):
        found, at = best[j], step[j]
        value = row[2 * j]
        larger = _better(value, found)
        found = value if larger else found
        at = down if larger else at
        value = row[2 * j + 1]
        larger = _better(value, found)
        found = value if larger else found
        at = np.int32(down + 1) if larger else at
        value = row[2 * j + 2]
        larger = _better(value, found)
        best[j] = value if larger else found
        step[j] = np.int32(down + 2) if larger else at


@serial
def _whole_by_three(plane, start, row, out, places, step):
    """Windows of 3 x 3, a step of 2 apart, the first from place `start` on."""
    for j in range(out.size):
        out[j], step[j] = plane[start + 2 * j], 0
    for k in range(3):
        down = k * row
        _row_of_three(plane[start + down :], np.int32(down), out, step)
    for j in range(out.size):
        places[j] = start + 2 * j + step[j]


@serial
def _any_windows(source, i, first, last, result, place, size, kernel, stride, padding, dilation):
    """Row i of the windows, from number `first` to before `last`."""
    top = i * stride[0] - padding[0]
    for j in range(first, last):
        left = j * stride[1] - padding[1]
        best, where = source.dtype.type(-np.inf), -1  # padding counts as -inf
        for k in range(kernel[0]):
            h = top + k * dilation[0]
            if 0 <= h < size[0]:
                for m in range(kernel[1]):
                    w = left + m * dilation[1]
                    if 0 <= w < size[1]:
                        value = source[h * size[1] + w]
                        if _better(value, best) or where < 0:
                            best, where = value, h * size[1] + w
        result[j] = best
        place[j] = where


def _windows_of_planes(
    task, planes, x, out, places, size, kernel, stride, padding, dilation, positions
):  # fmt: skip
    rows, row = positions
    side = kernel[0]
    common = kernel[1] == side and 2 <= side <= 3 and stride[1] == 2 and max(dilation) == 1
    # The windows of a row that lie within the plane, if its rows do.
    first = min(row, (padding[1] + 1) // 2) if common else row
    last = max(first, min(row, (size[1] + padding[1] - side) // 2 + 1))
    step = np.empty(row, np.int32)
    for p in range(task * planes, min((task + 1) * planes, x.shape[0])):
        source = x[p]
        for i in range(rows):
            result, place = out[p, i * row : (i + 1) * row], places[p, i * row : (i + 1) * row]
            top = i * stride[0] - padding[0]
            start, stop = first, last
            if top < 0 or top + side > size[0]:
                start, stop = row, row
            how = size, kernel, stride, padding, dilation
            _any_windows(source, i, 0, start, result, place, *how)
            at = top * size[1] + start * 2 - padding[1]
            if start < stop and side == 2:
                _whole_by_two(source, at, size[1], result[start:stop], place[start:stop])
            elif start < stop:
                _whole_by_three(
                    source, at, size[1], result[start:stop], place[start:stop], step[: stop - start]
                )
            _any_windows(source, i, stop, row, result, place, *how)


def _add_at_places(task, planes, g, places, out):
    for p in range(task * planes, min((task + 1) * planes, out.shape[0])):
        source, place, target = g[p], places[p], out[p]
        for j in range(target.size):
            target[j] = 0
        for j in range(source.size):
            if place[j] >= 0:
                target[place[j]] += source[j]


# A launch takes longer than all the work on a small array.
_max_windows, _max_windows_at_once = Tasks(_windows_of_planes), serial(_windows_of_planes)
_max_windows_vjp, _max_windows_vjp_at_once = Tasks(_add_at_places), serial(_add_at_places)


def max_windows(x, kernel, stride, padding, dilation, ceil_mode=False):
    """(the largest element of each window of (..., H, W) or (..., W), its place in the plane; -1:
    padding).
    """
    if x.dtype not in FLOATS or len(kernel) > 2 or x.ndim < 2 or not x.size or min(stride) < 1:
        return NotImplemented
    shape, spatial = x.shape, len(kernel)
    if spatial == 1:
        x, (kernel, stride, padding, dilation) = _as_plane(x, kernel, stride, padding, dilation)
    if x.ndim < 3:
        x = x[None]
    size = x.shape[-2:]
    positions = positions_of(size, kernel, stride, padding, dilation, ceil_mode)
    if min(positions) < 1:
        return NotImplemented
    planes = plain(x).reshape(-1, size[0] * size[1])
    out = np.empty((len(planes), positions[0] * positions[1]), x.dtype)
    places = np.empty(out.shape, np.int64)
    how = size, kernel, stride, padding, dilation, positions
    if x.size < CHUNK:
        _max_windows_at_once(0, len(planes), planes, out, places, *how)
    else:
        each, tasks = chunks(*planes.shape)
        _max_windows(tasks, each, planes, out, places, *how)
    shape = *shape[: len(shape) - spatial], *positions[2 - spatial :]
    return out.reshape(shape), places.reshape(shape)


def _as_plane(x, kernel, stride, padding, dilation):
    """One dimension as two, of which the first has one place."""
    numbers = (1, *kernel), (1, *stride), (0, *padding), (1, *dilation)
    return x.reshape(*x.shape[:-1], 1, x.shape[-1]), numbers


def max_windows_vjp(g, input_shape, spatial, places):
    """Zeros of input_shape with g added at the place of each window's largest element."""
    out = np.empty(input_shape, g.dtype)
    planes = math.prod(input_shape[: out.ndim - spatial])
    rows = plain(g).reshape(planes, -1), places.reshape(planes, -1), out.reshape(planes, -1)
    if out.size < CHUNK:
        _max_windows_vjp_at_once(0, planes, *rows)
    else:
        each, tasks = chunks(*rows[2].shape)
        _max_windows_vjp(tasks, each, *rows)
    return out
