"""The error function, element by element: one call into the C library for each, of double precision
inside.

The reference's formulas are thirty array operations, which small arrays feel and large ones pay in
memory traffic.
"""

import math

import numpy as np
from numba import prange

from tensorgrad.kernels.numba.runtime import FLOATS, can_launch, parallel, plain, serial

CHUNK = 4096  # elements a task
PARALLEL = 16384  # elements from which two threads beat one


@serial
def _erf(x, out):
    size, x, out = x.size, x.flat, out.flat
    for i in range(size):
        out[i] = math.erf(x[i])


@parallel
def _erf_parallel(x, out):
    for c in prange((x.size + CHUNK - 1) // CHUNK):
        part = slice(c * CHUNK, (c + 1) * CHUNK)
        _erf(x[part], out[part])


def erf(input):
    """2 / sqrt(pi) * the integral of exp(-t^2) from 0 to each element."""
    if input.dtype not in FLOATS:
        return NotImplemented
    x = plain(input).reshape(-1)
    out = np.empty_like(x)
    (_erf_parallel if x.size >= PARALLEL and can_launch() else _erf)(x, out)
    return out.reshape(input.shape)
