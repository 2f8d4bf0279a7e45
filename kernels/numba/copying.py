"""Copies of transposed arrays, on all threads, by squares of a vector's width that are turned in
registers. Knows sizes and strides only.

NumPy reads or writes a line of the cache for each element where another dimension than the last
lies side by side in the source; everything else it copies as fast. Dimensions that follow each
other in memory count as one, and four are enough. Elements of 4 and 8 bytes are moved, whatever
they mean. On two threads 2048 x 2048 floats take 2.3 ms (NumPy 23), 64 images of 64 x 32 x 32 with
channels put last 2.4 (13).
"""

import ctypes
from typing import Any

import numpy as np

from tensorgrad.kernels.numba.microkernel import lanes, transpose_part, transpose_square
from tensorgrad.kernels.numba.tasks import Tasks

MANY = 131_072  # elements from which on this beats NumPy's copy
SQUARES = 4  # squares of a stripe: so many whole lines of the cache are written at a time
KINDS: dict[int, Any] = {4: np.dtype(np.float32), 8: np.dtype(np.float64)}


@Tasks
def _transpose(task, source, target, sizes, strides, steps, width):
    """A stripe of SQUARES * `width` places of the last dimension, and all of the one before, which
    lies side by side in the source. `steps` are the first three dimensions' strides in the copy.
    """
    stripe = SQUARES * width
    stripes = -(-sizes[3] // stripe)
    outer, first = task // stripes, task % stripes * stripe
    last = min(sizes[3], first + stripe)
    a = outer // sizes[1] * strides[0] + outer % sizes[1] * strides[1]
    b = outer // sizes[1] * steps[0] + outer % sizes[1] * steps[1]
    down, across = steps[2], strides[3]
    for j in range(0, sizes[2], width):
        some = min(width, sizes[2] - j)
        for i in range(first, last, width):
            count = min(width, last - i)
            here, there = a + i * across + j, b + j * down + i
            if some == width and count == width:
                transpose_square(source, here, across, target, there, down)
            else:
                transpose_part(source, here, across, count, some, target, there, down, some, count)


def _merged(shape, strides):
    """Sizes and strides with dimensions that follow each other as one, those of size 1 left out."""
    sizes: list[int] = []
    steps: list[int] = []
    for n, step in zip(shape, strides, strict=True):
        if n == 1:
            continue
        if sizes and steps[-1] == n * step:
            sizes[-1] *= n
            steps[-1] = step
        else:
            sizes.append(n)
            steps.append(step)
    return sizes, steps


def ordered(array):
    """A C-contiguous copy."""
    if array.size < MANY or array.itemsize not in KINDS:
        return np.array(array, order="C")
    kind, size = KINDS[array.itemsize], array.itemsize
    shape, strides = _merged(array.shape, array.strides)
    if (
        size not in strides[:-1]
        or len(shape) > 4
        or any(step < 0 or step % size for step in strides)
        or array.ctypes.data % size
    ):
        return np.array(array, order="C")
    strides = [step // size for step in strides]
    span = 1 + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    # Read-only arrays too: what is expanded cannot be written.
    memory: Any = (ctypes.c_char * (span * size)).from_address(array.ctypes.data)
    source = np.frombuffer(memory, kind)
    out = np.empty(array.shape, array.dtype)
    _by_squares(source, out.reshape(-1).view(kind), shape, strides)
    return out


def _by_squares(source, target, shape, strides):
    """The dimension that lies side by side is put last but one; the others' order is open."""
    rank = len(shape)
    steps = [int(np.prod(shape[d + 1 :])) for d in range(rank)]
    beside = strides.index(1)
    order = [d for d in range(rank - 1) if d != beside] + [beside, rank - 1]
    extra = 4 - rank
    sizes = (*(1,) * extra, *(shape[d] for d in order))
    a = (*(0,) * extra, *(strides[d] for d in order))
    b = (*(0,) * extra, *(steps[d] for d in order))
    width = lanes(source.dtype)
    tasks = sizes[0] * sizes[1] * -(-sizes[3] // (SQUARES * width))
    _transpose(tasks, source, target, sizes, a, b[:3], width)


def plain(array):
    """The array itself if it is C-contiguous, aligned and writable, otherwise a copy that is."""
    return array if array.flags.carray else ordered(array)
