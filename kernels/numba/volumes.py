"""Volumes as planes in a batch, for convolution over three dimensions. Knows depths.

For each position of the window along the depth, the planes that it meets are channels of one
picture, so that a convolution of pictures does the sum over the depth too. The copy has the input's
size times the window's depth; the composition's columns have it times all of the window: 16
channels of 8 x 16 x 16 by 3 x 3 x 3, 4 samples, forward and all gradients, 18.4 ms there, 2.1 so.
"""

import numpy as np


def _inside(place, depth, count, stride, padding, dilation):
    """(first, after the last, the first one's plane) of the positions at which one place of the
    window lies within the volume.
    """
    start = place * dilation - padding
    first = min(count, max(0, -(start // stride)))
    last = max(first, min(count, (depth - 1 - start) // stride + 1))
    return first, last, first * stride + start


def stacked(x, kernel, stride, padding, dilation, count):
    """(N * count, C * kernel, H, W) from x (N, C, D, H, W)."""
    samples, channels, depth, *size = x.shape
    out = np.empty((samples, count, channels, kernel, *size), x.dtype)
    for place in range(kernel):
        first, last, plane = _inside(place, depth, count, stride, padding, dilation)
        out[:, :first, :, place] = 0
        out[:, last:, :, place] = 0
        if first < last:
            met = x[:, :, plane : plane + (last - first - 1) * stride + 1 : stride]
            out[:, first:last, :, place] = met.swapaxes(1, 2)
    return out.reshape(samples * count, channels * kernel, *size)


def unstacked(stack, shape, kernel, stride, padding, dilation, count):
    """The adjoint of `stacked`: the sums for x of `shape`."""
    samples, channels, depth, *size = shape
    parts = stack.reshape(samples, count, channels, kernel, *size)
    out = np.zeros(shape, stack.dtype)
    for place in range(kernel):
        first, last, plane = _inside(place, depth, count, stride, padding, dilation)
        if first < last:
            met = out[:, :, plane : plane + (last - first - 1) * stride + 1 : stride]
            met += parts[:, first:last, :, place].swapaxes(1, 2)
    return out


def pictures(g):
    """(N * D, O, H, W) from g (N, O, D, H, W)."""
    return np.ascontiguousarray(g.swapaxes(1, 2)).reshape(-1, g.shape[1], *g.shape[3:])


def volume(planes, samples):
    """The inverse of `pictures`."""
    apart = planes.reshape(samples, -1, *planes.shape[1:])
    return np.ascontiguousarray(apart.swapaxes(1, 2))
