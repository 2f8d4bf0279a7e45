"""The gate step of an LSTM, forward and backward. Knows arrays only.

Memory traffic in arrays of (N, H): forward reads 5 (four gates, cell) and writes 7 (hidden, cell,
and the four activated gates and tanh of the cell for the backward pass); backward reads 8 and
writes 5. The composition moves over 40 and makes a fresh array a step. Each short loop below has
one output or two, as LLVM gives up on vectorising a loop with many arrays that might overlap; a row
of them stays in the first-level cache.
"""

import numpy as np
from numba import prange

from tensorgrad.kernels.numba.math import sigmoid, tanh
from tensorgrad.kernels.numba.runtime import FLOATS, can_launch, parallel, plain, serial

CHUNK = 2048  # elements of `hidden` a task
PARALLEL = 8192  # elements of `hidden` from which two threads beat one


@serial
def _gates(gates, cell, hidden, new_cell, state):
    n = cell.shape[1]
    for row in range(cell.shape[0]):
        z, a = gates[row], state[row]
        c, h, old = new_cell[row], hidden[row], cell[row]
        for j in range(2 * n):
            a[j] = sigmoid(z[j])
        z_g, a_g = z[2 * n : 3 * n], a[2 * n : 3 * n]
        for j in range(n):
            a_g[j] = tanh(z_g[j])
        z_o, a_o = z[3 * n :], a[3 * n : 4 * n]
        for j in range(n):
            a_o[j] = sigmoid(z_o[j])
        i, f, t = a[:n], a[n : 2 * n], a[4 * n :]
        for j in range(n):
            c[j] = f[j] * old[j] + i[j] * a_g[j]
        for j in range(n):
            t[j] = tanh(c[j])
        for j in range(n):
            h[j] = a_o[j] * t[j]


@parallel
def _gates_parallel(gates, cell, hidden, new_cell, state):
    rows = max(1, CHUNK // cell.shape[1])
    for c in prange((cell.shape[0] + rows - 1) // rows):
        part = slice(c * rows, (c + 1) * rows)
        _gates(gates[part], cell[part], hidden[part], new_cell[part], state[part])


@serial
def _gates_vjp(g_hidden, g_new_cell, cell, state, g_gates, g_cell):
    n = cell.shape[1]
    one = cell.dtype.type(1)
    for row in range(cell.shape[0]):
        a, gh, gc, old = state[row], g_hidden[row], g_new_cell[row], cell[row]
        i, f, g, o, t = a[:n], a[n : 2 * n], a[2 * n : 3 * n], a[3 * n : 4 * n], a[4 * n :]
        z, d = g_gates[row], g_cell[row]
        for j in range(n):  # the gradient of the new cell, whole; turned into the old cell's below
            d[j] = gc[j] + gh[j] * o[j] * (one - t[j] * t[j])
        z_i, z_f, z_g, z_o = z[:n], z[n : 2 * n], z[2 * n : 3 * n], z[3 * n :]
        for j in range(n):
            z_i[j] = d[j] * g[j] * (i[j] * (one - i[j]))
        for j in range(n):
            z_f[j] = d[j] * old[j] * (f[j] * (one - f[j]))
        for j in range(n):
            z_g[j] = d[j] * i[j] * (one - g[j] * g[j])
        for j in range(n):
            z_o[j] = gh[j] * t[j] * (o[j] * (one - o[j]))
        for j in range(n):
            d[j] *= f[j]


@parallel
def _gates_vjp_parallel(g_hidden, g_new_cell, cell, state, g_gates, g_cell):
    rows = max(1, CHUNK // cell.shape[1])
    for c in prange((cell.shape[0] + rows - 1) // rows):
        part = slice(c * rows, (c + 1) * rows)
        _gates_vjp(
            g_hidden[part], g_new_cell[part], cell[part], state[part], g_gates[part], g_cell[part]
        )


def lstm_gates(gates, cell):
    """(hidden, new cell, state for the gradient) from preactivations (N, 4H), ordered i f g o."""
    if (
        cell.dtype not in FLOATS
        or gates.dtype is not cell.dtype
        or cell.ndim != 2
        or cell.size == 0
        or gates.shape != (cell.shape[0], 4 * cell.shape[1])
    ):
        return NotImplemented
    batch, n = cell.shape
    hidden, new_cell = np.empty((batch, n), cell.dtype), np.empty((batch, n), cell.dtype)
    state = np.empty((batch, 5 * n), cell.dtype)
    kernel = _gates_parallel if cell.size >= PARALLEL and can_launch() else _gates
    kernel(plain(gates), plain(cell), hidden, new_cell, state)
    return hidden, new_cell, state


def lstm_gates_vjp(g_hidden, g_new_cell, cell, state):
    """(gradient of the preactivations, gradient of the cell); an absent gradient is None."""
    if g_hidden is None:
        g_hidden = np.zeros(cell.shape, cell.dtype)
    if g_new_cell is None:
        g_new_cell = np.zeros(cell.shape, cell.dtype)
    if g_hidden.dtype is not cell.dtype or g_new_cell.dtype is not cell.dtype:
        return NotImplemented
    g_gates = np.empty((cell.shape[0], 4 * cell.shape[1]), cell.dtype)
    g_cell = np.empty(cell.shape, cell.dtype)
    kernel = _gates_vjp_parallel if cell.size >= PARALLEL and can_launch() else _gates_vjp
    kernel(plain(g_hidden), plain(g_new_cell), plain(cell), state, g_gates, g_cell)
    return g_gates, g_cell
