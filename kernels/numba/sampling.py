"""Images sampled at places between their elements, and the gradients by image and places. Knows
arrays only.

First it is found out once what a place is the sum of: four elements, and two weights along each
dimension. Then planes are gone over one by one, in cache: an element of the result takes four reads
and one write, and so does each gradient. The composition moves about 60 arrays of the result's
size: with its gradients 4 to 5 times as long for (16, 64, 32, 32) and (4, 3, 224, 224).
"""

import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.runtime import FLOATS
from tensorgrad.kernels.numba.sums import chunks
from tensorgrad.kernels.numba.tasks import Tasks, part

BLOCK = 4096  # places a task


@part
def _locate(u, size, aligned, border):
    """A coordinate in elements, and by how much it grows with the one in [-1, 1]."""
    one, half = type(u)(1), type(u)(0.5)
    known = u == u
    u = u if known else -one  # nan stands for -1
    if aligned:
        slope = type(u)(size - 1) * half
        x = (u + one) * slope
    else:
        slope = type(u)(size) * half
        x = ((u + one) * type(u)(size) - one) * half
    if border:
        last = type(u)(size - 1)
        slope = slope if 0 < x < last else type(u)(0)
        x = x if x < last else last
        x = x if x > 0 else type(u)(0)
    return x, slope if known else type(u)(0)


@Tasks
def _find(task, parts, height, width, aligned, border, grid, corners, weights):
    """corners (N, P, 4): places in the plane, -1 outside. weights (N, P, 6): of the columns left
    and right, of the rows above and below, and how the coordinates grow.
    """
    n, block = divmod(task, parts)
    one = grid.dtype.type(1)
    for p in range(block * BLOCK, min((block + 1) * BLOCK, grid.shape[1])):
        x, along = _locate(grid[n, p, 0], width, aligned, border)
        y, down = _locate(grid[n, p, 1], height, aligned, border)
        left, top = np.floor(x), np.floor(y)
        near = weights[n, p]
        near[0], near[1] = left + one - x, x - left
        near[2], near[3] = top + one - y, y - top
        near[4], near[5] = along, down
        for corner in range(4):
            row, column = top + (corner >> 1), left + (corner & 1)
            inside = 0 <= row <= height - 1 and 0 <= column <= width - 1
            corners[n, p, corner] = int(row) * width + int(column) if inside else -1


@Tasks
def _sample(task, planes, channels, x, corners, weights, out):
    for plane in range(task * planes, min((task + 1) * planes, x.shape[0])):
        n, source, target = plane // channels, x[plane], out[plane]
        for p in range(target.size):
            near, places = weights[n, p], corners[n, p]
            total = x.dtype.type(0)
            for corner in range(4):
                place = places[corner]
                value = source[place] if place >= 0 else x.dtype.type(0)
                total += value * (near[corner & 1] * near[2 + (corner >> 1)])
            target[p] = total


@Tasks
def _by_image(task, planes, channels, g, corners, weights, out):
    for plane in range(task * planes, min((task + 1) * planes, out.shape[0])):
        n, slopes, target = plane // channels, g[plane], out[plane]
        target[:] = 0
        for p in range(slopes.size):
            near, places = weights[n, p], corners[n, p]
            for corner in range(4):
                if places[corner] >= 0:
                    weight = near[corner & 1] * near[2 + (corner >> 1)]
                    target[places[corner]] += slopes[p] * weight


@Tasks
def _by_place(task, parts, channels, g, x, corners, weights, out):
    """A task is a block of the places of one sample: over them channel after channel."""
    n, block = divmod(task, parts)
    first, last = block * BLOCK, min((block + 1) * BLOCK, out.shape[1])
    zero = out.dtype.type(0)
    out[n, first:last] = 0
    for c in range(n * channels, (n + 1) * channels):
        source, slopes = x[c], g[c]
        for p in range(first, last):
            near, places = weights[n, p], corners[n, p]
            a = source[places[0]] if places[0] >= 0 else zero
            b = source[places[1]] if places[1] >= 0 else zero
            c_ = source[places[2]] if places[2] >= 0 else zero
            d = source[places[3]] if places[3] >= 0 else zero
            out[n, p, 0] += slopes[p] * ((b - a) * near[2] + (d - c_) * near[3])
            out[n, p, 1] += slopes[p] * ((c_ - a) * near[0] + (d - b) * near[1])
    for p in range(first, last):
        for d in range(2):  # where it does not grow no gradient passes, not even nan
            slope = weights[n, p, 4 + d]
            out[n, p, d] = out[n, p, d] * slope if slope != 0 else zero


def sampled(x, grid, border, aligned):
    """The bilinear samples of (N, C, H, W) at (N, OH, OW, 2), and what the gradient needs."""
    if x.dtype not in FLOATS or x.ndim != 4 or not x.size or not grid.size:
        return NotImplemented
    samples, channels, height, width = x.shape
    places = grid.shape[1] * grid.shape[2]
    corners = np.empty((samples, places, 4), np.int64)
    weights = np.empty((samples, places, 6), x.dtype)
    parts, flat = -(-places // BLOCK), plain(grid).reshape(samples, places, 2)
    how = int(aligned), int(border)
    _find(samples * parts, parts, height, width, *how, flat, corners, weights)
    out = np.empty((samples * channels, places), x.dtype)
    planes, tasks = chunks(len(out), places)
    values = plain(x).reshape(samples * channels, height * width)
    _sample(tasks, planes, channels, values, corners, weights, out)
    return out.reshape(*x.shape[:2], *grid.shape[1:3]), (corners, weights)


def sampled_vjp(g, x, grid_shape, needs, aux):
    """The gradients by image and by places, where they are wanted."""
    corners, weights = aux
    samples, channels, height, width = x.shape
    places = corners.shape[1]
    slopes = plain(g).reshape(samples * channels, places)
    by_image = by_place = None
    if needs[0]:
        by_image = np.empty((samples * channels, height * width), x.dtype)
        planes, tasks = chunks(len(by_image), places)
        _by_image(tasks, planes, channels, slopes, corners, weights, by_image)
        by_image = by_image.reshape(x.shape)
    if needs[1]:
        by_place = np.empty((samples, places, 2), x.dtype)
        parts, values = -(-places // BLOCK), plain(x).reshape(samples * channels, -1)
        how = parts, channels, slopes, values, corners, weights
        _by_place(samples * parts, *how, by_place)
        by_place = by_place.reshape(grid_shape)
    return by_image, by_place
