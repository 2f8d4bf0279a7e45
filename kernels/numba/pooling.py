"""Max pooling over one or two spatial dimensions. Knows planes: one channel of one sample, flat.

Reads one plane and writes the largest elements and their places, which the way back reads. It runs
on one thread, for the twin took longer to compile than it would save. Against the NumPy
composition: 1.3 to 2.5 times forward, 50 and more backward.
"""

import math

import numpy as np

from tensorgrad.kernels.numba.runtime import FLOATS, plain, serial


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
def _max_windows(x, out, places, size, kernel, stride, padding, dilation, positions):
    rows, row = positions
    for p in range(x.shape[0]):
        source, result, place = x[p], out[p], places[p]
        for i in range(rows):
            for j in range(row):
                top, left = i * stride[0] - padding[0], j * stride[1] - padding[1]
                # The first element stands until one is larger, the last NaN to the end; padding
                # counts as -inf.
                best, where = x.dtype.type(-np.inf), -1
                for k in range(kernel[0]):
                    h = top + k * dilation[0]
                    if 0 <= h < size[0]:
                        for m in range(kernel[1]):
                            w = left + m * dilation[1]
                            if 0 <= w < size[1]:
                                value = source[h * size[1] + w]
                                if value > best or value != value or where < 0:
                                    best, where = value, h * size[1] + w
                result[i * row + j] = best
                place[i * row + j] = where


@serial
def _max_windows_vjp(g, places, out):
    for p in range(out.shape[0]):
        source, place, target = g[p], places[p], out[p]
        for j in range(target.size):
            target[j] = 0
        for j in range(source.size):
            if place[j] >= 0:
                target[place[j]] += source[j]


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
    _max_windows(planes, out, places, size, kernel, stride, padding, dilation, positions)
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
    _max_windows_vjp(*rows)
    return out
