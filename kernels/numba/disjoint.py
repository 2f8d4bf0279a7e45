"""Convolution whose windows share no element, as one matrix product: 1 x 1, patches of an image, a
window as large as the image, and their gradients and transposes. Knows matrices.

Each element of the input is in one column at most, so that columns take no more memory than the
input: a copy, and a copy of the result. In `gathered` a row of positions must fill vectors, and
an input that a stride skips is read all the same. Forward and both gradients on two threads: 512
channels of 7 x 7 by 1 x 1 14.7 ms there, 8.5 here; 256 of 14 x 14 to 512 by 1 x 1 with stride 2
24.2 and 5.0; 3 channels of 64 x 64 in patches of 8 x 8 6.2 and 2.7.
"""

import math

import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.gemm import product
from tensorgrad.kernels.numba.lines import (
    add_to_every_second,
    add_to_line,
    copy_every_second,
    copy_line,
)
from tensorgrad.kernels.numba.tasks import Tasks

POINTS = 200  # positions of one image from which on 1 x 1 needs no columns


def served(positions, weight, stride, padding, dilation, groups):
    """Whether no two windows meet, and a product is faster than to gather."""
    kernel = weight.shape[2:]
    return (
        groups == 1
        and not any(padding)
        and weight.shape[0] >= 4
        and weight[0].size >= 4
        and all(
            (n == 1 or s >= k) and (d == 1 or k == 1)
            for n, k, s, d in zip(positions, kernel, stride, dilation, strict=True)
        )
        and (max(kernel) > 1 or max(stride) > 1 or math.prod(positions) < POINTS)
    )


@Tasks
def _to_columns(channel, x, size, kernel, stride, positions, columns):
    """One channel's rows of columns (channels, places of the window, samples and positions) from x
    (N, C, numbers).
    """
    across = positions[1]
    for k in range(columns.shape[1]):
        target = columns[channel, k]
        for line in range(x.shape[0] * positions[0]):
            sample, i = line // positions[0], line % positions[0]
            source = x[sample, channel]
            at = (i * stride[0] + k // kernel[1]) * size[1] + k % kernel[1]
            if stride[1] == 1:
                copy_line(source, at, target, line * across, across)
            elif stride[1] == 2:
                copy_every_second(source, at, target, line * across, across)
            else:
                for j in range(across):
                    target[line * across + j] = source[at + j * stride[1]]


@Tasks
def _from_columns(channel, columns, bias, size, kernel, stride, positions, rectified, out):
    """The inverse of `_to_columns`, into out (N, C, numbers), plus bias by channel; if rectified, 0
    in place of what is below.
    """
    across, added = positions[1], bias[channel]
    least = out.dtype.type(0 if rectified else -np.inf)
    for line in range(out.shape[0] * positions[0]):
        sample, i = line // positions[0], line % positions[0]
        target = out[sample, channel]
        for k in range(columns.shape[1]):
            source = columns[channel, k]
            at = (i * stride[0] + k // kernel[1]) * size[1] + k % kernel[1]
            if stride[1] == 1:
                add_to_line(source, line * across, added, least, target, at, across)
            elif stride[1] == 2:
                add_to_every_second(source, line * across, added, least, target, at, across)
            else:
                for j in range(across):
                    value = source[line * across + j] + added
                    target[at + j * stride[1]] = least if value <= least else value


def _columns(x, kernel, stride, positions):
    """(channels and places of the window, samples and positions)."""
    samples, channels, *size = x.shape
    if max(*kernel, *stride) == 1:  # a plane is a line
        size, positions = [1, math.prod(size)], (1, math.prod(positions))
    out = np.empty((channels, math.prod(kernel), samples * math.prod(positions)), x.dtype)
    flat = plain(x).reshape(samples, channels, -1)
    _to_columns(channels, flat, tuple(size), tuple(kernel), stride, positions, out)
    return out.reshape(-1, out.shape[2])


def _spread(columns, bias, kernel, stride, positions, rectified, out):
    """Fills what the windows have of out (N, C, H, W) from its columns, see `_from_columns`."""
    samples, channels, *size = out.shape
    if max(*kernel, *stride) == 1:
        size, positions = [1, math.prod(size)], (1, math.prod(positions))
    apart = columns.reshape(channels, math.prod(kernel), -1)
    flat = out.reshape(samples, channels, -1)
    how = tuple(size), tuple(kernel), stride, positions, int(rectified)
    _from_columns(channels, apart, bias, *how, flat)


def _lines(x, kernel):
    """(samples, channels and places of the only window)."""
    return plain(x[:, :, : kernel[0], : kernel[1]]).reshape(len(x), -1)


def _flat(g):
    """(N, O, H', W') as (O, samples and positions)."""
    return _columns(g, (1, 1), (1, 1), g.shape[2:])


def convolve(x, weight, bias, stride, positions, rectified):
    """(N, O, *positions); bias may be None. rectified: 0 in place of what is below."""
    kernel, matrix = weight.shape[2:], weight.reshape(len(weight), -1)
    shape = len(x), len(weight), *positions
    if math.prod(positions) == 1:
        out = product(_lines(x, kernel), matrix.T, bias).reshape(shape)
        return np.maximum(out, 0, out=out) if rectified else out
    found = product(matrix, _columns(x, kernel, stride, positions))
    out = np.empty(shape, x.dtype)
    bias = np.zeros(len(weight), x.dtype) if bias is None else plain(bias)
    _spread(found, bias, (1, 1), (1, 1), positions, rectified, out)
    return out


def input_gradient(g, weight, bias, stride, out):
    """Fills out (N, C, H, W), bias added by channel."""
    kernel, positions = weight.shape[2:], g.shape[2:]
    matrix = weight.reshape(len(weight), -1)
    added = bias[:, None, None]
    if math.prod(positions) == 1:
        lines = product(g.reshape(g.shape[:2]), matrix)
        found = lines.reshape(len(g), weight.shape[1], *kernel)
        if out.shape[2:] != kernel:
            out[...] = added
        np.add(found, added, out=out[:, :, : kernel[0], : kernel[1]])
        return
    covered = zip(out.shape[2:], kernel, stride, positions, strict=True)
    if any(s != k or n != k * p for n, k, s, p in covered):
        out[...] = added
    _spread(product(matrix.T, _flat(g)), bias, kernel, stride, positions, False, out)


def weight_gradient(g, x, stride, weight):
    """Fills weight (O, C, *kernel)."""
    kernel, positions = weight.shape[2:], g.shape[2:]
    if math.prod(positions) == 1:
        found = product(g.reshape(g.shape[:2]).T, _lines(x, kernel))
    else:
        found = product(_flat(g), _columns(x, kernel, stride, positions).T)
    weight[...] = found.reshape(weight.shape)
