"""Convolution and max pooling over two spatial dimensions. Knows arrays only.

All kernels go through planes: one channel of one sample, flat. A convolution is a product with
columns (N, C, KH KW, OH OW), which NumPy multiplies; here they are written, and added back, with
the padding built in. Memory traffic in planes: columns read 1 and write KH KW, the way back reads
KH KW and adds them to 1 that stays in cache; the composition copies the padded input too and adds
KH KW times to planes out of cache. With stride 1 and a plane that keeps its width, a window
element's columns are the plane itself, shifted: one long copy, its border zeroed. Pooling reads 1
plane and writes the largest elements and their places, which the way back reads; it runs on one
thread, for the twin took longer to compile than it would save.
Against the NumPy composition: convolution 1.1 to 1.7 times forward (half of it is the product),
1.5 to 2.1 backward; pooling 1.3 to 2.5 forward, 50 and more backward.
"""

import math

import numpy as np
from numba import prange

from tensorgrad.kernels.numba.runtime import FLOATS, can_launch, parallel, plain, serial

CHUNK = 16384  # elements a task
PARALLEL = 131072  # elements from which two threads beat one
NARROW = 12  # positions a row below which NumPy copies windows as fast


@serial
def _inside(shift, step, size, count):
    """The positions from .. to of [0, count) with 0 <= position * step + shift < size."""
    start = min(count, max(0, (step - 1 - shift) // step))
    return start, max(start, min(count, (size + step - 1 - shift) // step))


# ---------------------------------------------------------------------------------------- columns
@serial
def _im2col(x, columns, size, kernel, stride, padding, dilation, positions):
    width, (rows, row) = size[1], positions
    for p in range(x.shape[0]):
        for k in range(columns.shape[1]):
            source, target = x[p], columns[p, k]
            down = k // kernel[1] * dilation[0] - padding[0]
            across = k % kernel[1] * dilation[1] - padding[1]
            top, bottom = _inside(down, stride[0], size[0], rows)
            left, right = _inside(across, stride[1], width, row)
            for j in range(top * row):
                target[j] = 0
            for j in range(bottom * row, target.size):
                target[j] = 0
            if stride[0] == 1 and stride[1] == 1 and row == width:
                shift = down * width + across
                start = max(top * row, -shift)
                to = target[start : max(start, min(bottom * row, source.size - shift))]
                values = source[start + shift :]
                for j in range(to.size):
                    to[j] = values[j]
            else:
                step = np.uint64(stride[1])
                for i in range(top, bottom):
                    first = np.uint64(i * row + left)
                    start = np.uint64((i * stride[0] + down) * width + left * stride[1] + across)
                    for j in range(np.uint64(right - left)):
                        target[first + j] = source[start + j * step]
            for j in range(row):
                if j < left or j >= right:
                    for i in range(top, bottom):
                        target[i * row + j] = 0


@parallel
def _im2col_parallel(x, columns, size, kernel, stride, padding, dilation, positions):
    planes = max(1, CHUNK // (columns.shape[1] * columns.shape[2]))
    for c in prange((x.shape[0] + planes - 1) // planes):
        part = slice(c * planes, (c + 1) * planes)
        _im2col(x[part], columns[part], size, kernel, stride, padding, dilation, positions)


@serial
def _col2im(columns, out, size, kernel, stride, padding, dilation, positions):
    width, (rows, row) = size[1], positions
    for p in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[p, j] = 0
        for k in range(columns.shape[1]):
            source, target = columns[p, k], out[p]
            down = k // kernel[1] * dilation[0] - padding[0]
            across = k % kernel[1] * dilation[1] - padding[1]
            top, bottom = _inside(down, stride[0], size[0], rows)
            left, right = _inside(across, stride[1], width, row)
            if stride[0] == 1 and stride[1] == 1 and row == width:
                # What the shift would carry over into a neighbouring row is zeroed before.
                for j in range(row):
                    if j < left or j >= right:
                        for i in range(top, bottom):
                            source[i * row + j] = 0
                shift = down * width + across
                start = max(top * row, -shift)
                values = source[start : max(start, min(bottom * row, target.size - shift))]
                to = target[start + shift :]
                for j in range(values.size):
                    to[j] += values[j]
            else:
                step = np.uint64(stride[1])
                for i in range(top, bottom):
                    first = np.uint64(i * row + left)
                    start = np.uint64((i * stride[0] + down) * width + left * stride[1] + across)
                    for j in range(np.uint64(right - left)):
                        target[start + j * step] += source[first + j]


@parallel
def _col2im_parallel(columns, out, size, kernel, stride, padding, dilation, positions):
    planes = max(1, CHUNK // (columns.shape[1] * columns.shape[2]))
    for c in prange((out.shape[0] + planes - 1) // planes):
        part = slice(c * planes, (c + 1) * planes)
        _col2im(columns[part], out[part], size, kernel, stride, padding, dilation, positions)


def _positions(size, kernel, stride, padding, dilation, ceil_mode=False):
    """Positions of the window along both dimensions: below 1 where it does not fit. ceil_mode
    counts one that reaches past the padding too, if it starts before.
    """
    found = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = -(-room // s) + 1 if ceil_mode else room // s + 1
        found.append(count - 1 if ceil_mode and (count - 1) * s >= n + p else count)
    return tuple(found)


def _served(input, weight, bias, stride, padding, dilation, groups):
    return (
        input.ndim == weight.ndim == 4
        and input.dtype in FLOATS
        and weight.dtype is input.dtype
        and (bias is None or (bias.dtype is input.dtype and bias.shape == weight.shape[:1]))
        and input.size
        and weight.size
        and input.shape[1] == weight.shape[1] * groups
        and weight.shape[0] % groups == 0
        and min(stride) > 0
        and min(_positions(input.shape[2:], weight.shape[2:], stride, padding, dilation)) > 0
    )


def _columns(input, kernel, stride, padding, dilation):
    """(N, C, KH KW, OH OW), and the tuples that describe them."""
    size = input.shape[2:]
    positions = _positions(size, kernel, stride, padding, dilation)
    geometry = size, kernel, stride, padding, dilation, positions
    shape = input.shape[0] * input.shape[1], kernel[0] * kernel[1], positions[0] * positions[1]
    return np.empty(shape, input.dtype), geometry


def _filled(input, *geometry):
    x = plain(input)
    columns, geometry = _columns(x, *geometry)
    function = _im2col_parallel if columns.size >= PARALLEL and can_launch() else _im2col
    function(x.reshape(len(columns), -1), columns, *geometry)
    return columns, geometry


def convolution(input, weight, bias, stride, padding, dilation, groups):
    """Cross-correlation of (N, C, H, W) with (O, C / groups, KH, KW), plus bias by channel."""
    if not _served(input, weight, bias, stride, padding, dilation, groups):
        return NotImplemented
    kernel, size = weight.shape[2:], input.shape[2:]
    row = _positions(size, kernel, stride, padding, dilation)[1]
    if row < NARROW and (row != size[1] or stride != (1, 1)):
        return NotImplemented
    columns, geometry = _filled(input, kernel, stride, padding, dilation)
    samples, channels = input.shape[0], weight.shape[0]
    flat = weight.reshape(groups, channels // groups, -1)
    out = np.matmul(flat, columns.reshape(samples, groups, flat.shape[2], -1))
    if bias is not None:
        out += bias.reshape(groups, -1, 1)
    return out.reshape(samples, channels, *geometry[-1])


def convolution_vjp(g, input, weight, stride, padding, dilation, groups, needs):
    """Gradients of input, weight and bias, None where `needs` asks for none."""
    if not _served(input, weight, None, stride, padding, dilation, groups):
        return NotImplemented
    if g.dtype is not input.dtype:
        return NotImplemented
    samples, channels = g.shape[:2]
    g = g.reshape(samples, groups, channels // groups, -1)
    g_input = g_weight = g_bias = None
    if needs[1]:
        columns, geometry = _filled(input, weight.shape[2:], stride, padding, dilation)
    elif needs[0]:
        columns, geometry = _columns(input, weight.shape[2:], stride, padding, dilation)
    if needs[0] or needs[1]:
        matrices = columns.reshape(samples, groups, -1, g.shape[-1])
    if needs[1]:
        g_weight = np.matmul(g, matrices.swapaxes(2, 3)).sum(0).reshape(weight.shape)
    if needs[0]:
        flat = weight.reshape(*g.shape[1:3], -1)
        np.matmul(flat.swapaxes(1, 2), g, out=matrices)
        g_input = np.empty(input.shape, input.dtype)
        function = _col2im_parallel if columns.size >= PARALLEL and can_launch() else _col2im
        function(columns, g_input.reshape(len(columns), -1), *geometry)
    if needs[2]:
        g_bias = g.sum((0, 3)).reshape(-1)
    return g_input, g_weight, g_bias


def transposed_convolution(input, weight, bias, stride, padding, dilation, groups, size):
    """The adjoint of `convolution` in its input, plus bias by channel."""
    if weight.ndim != 4 or input.ndim != 4:
        return NotImplemented
    if bias is not None and bias.dtype is not input.dtype:
        return NotImplemented
    how = stride, padding, dilation
    if _positions(size, weight.shape[2:], *how) != input.shape[2:]:
        return NotImplemented
    # Of the array whose gradient this is only shape and dtype are read.
    shape = input.shape[0], weight.shape[1] * groups, *size
    like = np.broadcast_to(input.dtype.type(0), shape)
    found = convolution_vjp(input, like, weight, *how, groups, (True, False, False))
    if found is NotImplemented:
        return NotImplemented
    if bias is not None:
        found[0][...] += bias.reshape(-1, 1, 1)
    return found[0]


def transposed_convolution_vjp(g, input, weight, stride, padding, dilation, groups, needs):
    """Gradients of input, weight and bias, None where `needs` asks for none."""
    how = stride, padding, dilation, groups
    g_input = g_weight = g_bias = None
    if needs[0]:
        g_input = convolution(g, weight, None, *how)
    if needs[1]:
        g_weight = convolution_vjp(input, g, weight, *how, (False, True, False))
    if g_input is NotImplemented or g_weight is NotImplemented:
        return NotImplemented
    if needs[2]:
        g_bias = g.sum((0, 2, 3))
    return g_input, None if g_weight is None else g_weight[1], g_bias


# ---------------------------------------------------------------------------------------- pooling
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
    positions = _positions(size, kernel, stride, padding, dilation, ceil_mode)
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
