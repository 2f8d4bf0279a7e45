"""How work along a dimension that others follow in memory is cut into tasks. Knows shapes only.

An array is seen as (A, N, B), the N along the dimension. A task does some columns of one a, or all
columns of several: as many as leave its lines in the second level of the cache.
"""

import math

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.sums import CHUNK, chunks
from tensorgrad.kernels.numba.tasks import part

NARROW, WIDE = 64, 512  # columns of a task


def form(x, dim):
    """(A, N, B)."""
    return plain(x).reshape(math.prod(x.shape[:dim]), x.shape[dim], math.prod(x.shape[dim + 1 :]))


def shares_of(x):
    """(tasks, (samples of a task, blocks of columns, columns of a block))."""
    outer, length, size = x.shape
    width = min(size, max(NARROW, min(WIDE, CHUNK // length)))
    blocks = -(-size // width)
    each, parts = chunks(outer, length * width) if blocks == 1 else (1, outer)
    return parts * blocks, (each, blocks, width)


@part
def span(task, shares, outer, size):
    """The samples and the columns of a task."""
    each, blocks, width = shares
    first, block = divmod(task, blocks)
    samples = range(first * each, min((first + 1) * each, outer))
    return samples, slice(block * width, min((block + 1) * width, size))
