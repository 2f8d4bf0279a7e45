"""Max pooling over one to three spatial dimensions. Knows planes: one channel of one sample, flat.

Reads one plane and writes the largest elements and their places, which the way back reads. Windows
go a vector of them at a time, see `largest`; where a row has fewer windows than one of them is
wide, a vector of its elements at a time. On two threads 16 x 64 x 28 x 28 by 3 x 3 with stride 1
took 16 ms window by window.
"""

import math

import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.largest import (
    largest_of_line,
    three_by_three,
    two_by_two,
    windows_apart,
    windows_beside,
    windows_two_apart,
)
from tensorgrad.kernels.numba.microkernel import BYTES
from tensorgrad.kernels.numba.runtime import FLOATS, serial
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
def _row_of_windows(source, i, first, last, result, place, size, kernel, stride, padding, dilation):
    """Row i of the windows, from number `first` to before `last`."""
    top = i * stride[0] - padding[0]
    begin = max(0, -(top // dilation[0]))
    rows = max(begin, min(kernel[0], (size[0] - 1 - top) // dilation[0] + 1)) - begin
    line = (top + begin * dilation[0]) * size[1]
    for j in range(first, last, BYTES // result.itemsize):
        left, some = j * stride[1] - padding[1], min(BYTES // result.itemsize, last - j)
        if stride[1] == 1:
            windows_beside(
                source, line, left, size[1], dilation[0], dilation[1], rows, kernel[1], stride[1],
                result, place, j, some,
            )  # fmt: skip
        elif stride[1] == 2:
            windows_two_apart(
                source, line, left, size[1], dilation[0], dilation[1], rows, kernel[1], stride[1],
                result, place, j, some,
            )  # fmt: skip
        else:
            windows_apart(
                source, line, left, size[1], dilation[0], dilation[1], rows, kernel[1], stride[1],
                result, place, j, some,
            )  # fmt: skip


@serial
def _wide_windows(source, i, result, place, size, kernel, stride, padding, dilation, best, where):
    """Row i of windows wider than there are of them: a vector of a window's elements at a time."""
    top = i * stride[0] - padding[0]
    for j in range(result.size):
        left = j * stride[1] - padding[1]
        first, last = max(0, left), min(size[1], left + kernel[1])
        where[:] = -1
        for k in range(kernel[0]):
            h = top + k * dilation[0]
            if 0 <= h < size[0] and first < last:
                largest_of_line(source, h * size[1] + first, last - first, best, where)
        value, found = result.dtype.type(-np.inf), -1  # padding counts as -inf
        for lane in range(best.size):
            here, at = best[lane], where[lane]
            if at < 0:
                continue
            if found < 0:
                better = True
            elif here != here:
                better = value == value or at > found
            else:
                better = here > value or (here == value and at < found)
            if better:
                value, found = here, at
        result[j], place[j] = value, found


def _windows_of_planes(
    task, planes, x, out, places, size, kernel, stride, padding, dilation, positions
):  # fmt: skip
    rows, row = positions
    side = kernel[0]
    common = kernel[1] == side and 2 <= side <= 3 and stride[1] == 2 and max(dilation) == 1
    # The windows of a row that lie within the plane, if its rows do.
    first = min(row, (padding[1] + 1) // 2) if common else row
    last = max(first, min(row, (size[1] + padding[1] - side) // 2 + 1))
    width = BYTES // x.itemsize
    wide = kernel[1] > row and dilation[1] == 1
    best, where = np.empty(width, x.dtype), np.empty(width, np.int64)
    how = size, kernel, stride, padding, dilation
    for p in range(task * planes, min((task + 1) * planes, x.shape[0])):
        source = x[p]
        for i in range(rows):
            result, place = out[p, i * row : (i + 1) * row], places[p, i * row : (i + 1) * row]
            top = i * stride[0] - padding[0]
            start, stop = first, last
            if top < 0 or top + side > size[0]:
                start, stop = row, row
            if wide:
                _wide_windows(source, i, result, place, *how, best, where)
                continue
            if start:
                _row_of_windows(source, i, 0, start, result, place, *how)
            for j in range(start, stop, width):
                at, some = top * size[1] + j * 2 - padding[1], min(width, stop - j)
                if side == 2:
                    two_by_two(source, at, size[1], result, place, j, some)
                else:
                    three_by_three(source, at, size[1], result, place, j, some)
            if stop < row:
                _row_of_windows(source, i, stop, row, result, place, *how)


@Tasks
def _uneven(task, planes, x, width, target, out, places):
    """The windows that cover a plane, as even as can be: number i of m along n places is from
    floor(i n / m) to before ceil((i + 1) n / m).
    """
    height, (rows, row) = x.shape[1] // width, target
    for p in range(task * planes, min((task + 1) * planes, x.shape[0])):
        source = x[p]
        for i in range(rows):
            top, bottom = i * height // rows, -(-(i + 1) * height // rows)
            for j in range(row):
                left, right = j * width // row, -(-(j + 1) * width // row)
                where = top * width + left
                best = source[where]
                for h in range(top, bottom):
                    for w in range(h * width + left, h * width + right):
                        value = source[w]
                        taken = (value > best) | (value != value)  # a branch would be mispredicted
                        best = value if taken else best
                        where = w if taken else where
                out[p, i * row + j], places[p, i * row + j] = best, where


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
    """(the largest element of each window of (..., W), (..., H, W) or (..., D, H, W), its place in
    the plane; -1: padding).
    """
    if x.dtype not in FLOATS or len(kernel) > 3 or x.ndim < 2 or not x.size or min(stride) < 1:
        return NotImplemented
    shape, spatial = x.shape, len(kernel)
    if spatial == 3:
        return _max_of_volumes(x, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
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


def _max_of_volumes(x, *geometry, ceil_mode):
    """The largest in planes, then along the depth, where each place of a plane is a column."""
    kernel, stride, padding, dilation = [numbers[1:] for numbers in geometry]
    found = max_windows(x, kernel, stride, padding, dilation, ceil_mode)
    if found is NotImplemented or found[1].min() < 0:
        return NotImplemented
    values, places = found
    lead, points = x.shape[:-3], math.prod(values.shape[-2:])
    columns = values.reshape(-1, x.shape[-3], points)
    kernel, stride, padding, dilation = [numbers[:1] for numbers in geometry]
    along = (*kernel, 1), (*stride, 1), (*padding, 0), (*dilation, 1)
    found = max_windows(columns, *along, ceil_mode)
    if found is NotImplemented:
        return NotImplemented
    out, depths = found
    shape = *lead, out.shape[-2], *values.shape[-2:]
    lines, chosen = places.reshape(len(columns), -1), depths.reshape(len(columns), -1)
    in_plane = np.take_along_axis(lines, np.maximum(chosen, 0), 1)
    whole = chosen // points * math.prod(x.shape[-2:]) + in_plane
    return out.reshape(shape), np.where(chosen < 0, -1, whole).reshape(shape)


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


def max_of_target(x, target):
    """(the largest element of each of `target` windows that cover the last one or two dimensions,
    its place in the plane).
    """
    spatial = len(target)
    if x.dtype not in FLOATS or spatial > 2 or not x.size or min(target) < 1:
        return NotImplemented
    lead, width = x.shape[: x.ndim - spatial], x.shape[-1]
    planes = plain(x).reshape(math.prod(lead), -1)
    both = (1, *target)[-2:]
    out = np.empty((len(planes), math.prod(both)), x.dtype)
    places = np.empty(out.shape, np.int64)
    each, tasks = chunks(*planes.shape)
    _uneven(tasks, each, planes, width, both, out, places)
    return out.reshape(*lead, *target), places
