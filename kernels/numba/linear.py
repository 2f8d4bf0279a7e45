"""The gradients of a linear map's input, weight and bias, in one pass over that of its output.

Composed, the gradient of the output is read from memory three times, and both threads pack and
read the other operand of the long sum for the weight. Here a task takes PART rows or more, and of
these at most TERMS at a time, which stay in the second-level cache for all three: nothing that one
thread wrote is read by another but the weight. Each task sums a gradient of the weight of its own,
and these are added at the end; how many there are does not depend on the number of threads.

For 2048 rows of 128 to 512 numbers and back the composition takes 1.03 to 1.1 times as long, of 64
to 128 numbers 1.2 to 1.7 (two cores with AVX-512). What is left is four fifths of the processor's
peak: the rest goes into packing and memory.
"""

import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.gemm import BLOCK_ROWS, TERMS, block_of, pack_panels, panels_of
from tensorgrad.kernels.numba.runtime import FLOATS
from tensorgrad.kernels.numba.tasks import Tasks

PART = 2 * TERMS  # rows a task has at least
PARTS = 16  # tasks at most, which are a power of two: each has a gradient of the weight
WEIGHTS = 100_000  # elements of a weight, up to which a thread keeps a gradient of it in its cache
CHUNK = 8192  # elements a task of the last sum


@Tasks
def _gradients(task, g, x, packed, zeros, wants_input, g_input, g_weights, g_biases, rows):
    """Of the `rows` rows of one task; g_weights and g_biases have an entry a task."""
    n, k = g.shape[1], x.shape[1]
    width = packed.shape[2]
    panels = -(-k // width)
    last = min(g.shape[0], (task + 1) * rows)
    g_weight, g_bias = g_weights[task].reshape(-1), g_biases[task]
    g_bias[:] = 0
    pieces = -(-rows // TERMS)
    each = -(-rows // pieces)
    for start in range(task * rows, last, each):
        some = min(each, last - start)
        if wants_input:
            here = start, start + some
            block_of(
                g.reshape(-1), False, packed, 0, zeros, 0,
                g_input.reshape(-1), k, here, (0, panels),
            )  # fmt: skip
        inputs = np.empty((panels, some, width), x.dtype)
        pack_panels(x[start : start + some], k, inputs, 0)
        outputs = g[start : start + some]
        before, by_row = (g_weight, 1) if start > task * rows else (zeros, 0)
        for row in range(0, n, BLOCK_ROWS):
            these = row, min(n, row + BLOCK_ROWS)
            block_of(
                outputs.reshape(-1), True, inputs, 0, before, by_row,
                g_weight, k, these, (0, panels),
            )  # fmt: skip
        sums = np.zeros(n, g.dtype)
        for i in range(some):
            for j in range(n):
                sums[j] += outputs[i, j]
        for j in range(n):
            g_bias[j] += sums[j]


@Tasks
def _add_parts(task, parts, total):
    """total = the sum of the parts, a chunk of it."""
    first, last = task * CHUNK, min(total.size, (task + 1) * CHUNK)
    for i in range(first, last):
        total[i] = parts[0, i]
    for p in range(1, parts.shape[0]):
        for i in range(first, last):
            total[i] += parts[p, i]


def linear_vjp(g, x, weight, wants_input):
    """(gradient of x or None, of weight, of bias) for g (rows, N), x (rows, K), weight (N, K).

    NotImplemented where a thread for itself is no gain.
    """
    (rows, n), k = g.shape, x.shape[1]
    if rows < 2 * PART or n * k > WEIGHTS or min(n, k) < 4 or g.dtype not in FLOATS:
        return NotImplemented
    parts = 1
    while parts < PARTS and 2 * parts * PART <= rows:
        parts *= 2
    g_input = np.empty((rows, k) if wants_input else (0, k), g.dtype)
    g_weights = np.empty((parts, n, k), g.dtype)
    g_biases = np.empty((parts, n), g.dtype)
    packed = panels_of(plain(weight))
    zeros = np.zeros(max(n, k), g.dtype)
    arrays = plain(g), plain(x), packed, zeros, int(wants_input), g_input, g_weights, g_biases
    _gradients(parts, *arrays, -(-rows // parts))
    g_weight = np.empty((n, k), g.dtype)
    _add_parts(-(-n * k // CHUNK), g_weights.reshape(parts, -1), g_weight.reshape(-1))
    return g_input if wants_input else None, g_weight, np.add.reduce(g_biases, 0)
