"""An LSTM: one step's gates, and a layer over all steps, forward and backward. Knows arrays only.

Memory traffic of the gates in arrays of (N, H): forward reads 5 (four preactivations, cell) and
writes 7 (hidden, cell, and the four activated gates and tanh of the cell for the backward pass);
backward reads 8 and writes 5. The composition moves over 40 and makes a fresh array a step. Each
short loop below has one output or two, as LLVM gives up on vectorising a loop with many arrays that
might overlap; a row of them stays in the first-level cache.

A layer adds nothing to this but the product of a step, which reads the weights (see recurrent.py),
and a second copy of h: the output belongs to the caller. The product starts from the projected
inputs, so that each gate's loop has one array. That gains a sixth forward at 64 units and loses a
fiftieth at 256, where rows of a page each meet in the same lines of the first-level cache; without
asking for them ahead it loses a twentieth.

What bounds a step of training, two threads, 1600 rows of 64 units: of 2.1 ms the products before
and after the loops take 0.8 (0.5 at the peak of both cores: of 32 and 64 terms, they are short),
those in them 0.5, the gates 0.3, and 0.45 Python and 9 launches, which 4 rows take as well. Of 2048
rows of 256: 22 of 26 ms are products, 20 at the peak, 1.6 gates. Tried without gain that lasts:
asking ahead for the rows that a product writes, or for those of its next block; blocks of half as
many terms; pages of 2 MB.
"""

import numpy as np
from numba import prange

from tensorgrad.kernels.numba import gemm, recurrent
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.math import sigmoid, tanh
from tensorgrad.kernels.numba.microkernel import columns
from tensorgrad.kernels.numba.recurrent import (
    add_units,
    ask_for_rows,
    copy_units,
    multiply_gradients,
    multiply_states,
    span,
)
from tensorgrad.kernels.numba.runtime import FLOATS, can_launch, parallel, serial
from tensorgrad.kernels.numba.tasks import Tasks, part

CHUNK = 2048  # elements of `hidden` a task
PARALLEL = 8192  # elements of `hidden` from which two threads beat one


@part
def _activate(a, old, c, t, h, first, end):
    """Units from `first` to `end` of a row: the preactivations a (4H,) become the gates."""
    n = old.size
    i, f = a[first:end], a[n + first : n + end]
    g, o = a[2 * n + first : 2 * n + end], a[3 * n + first : 3 * n + end]
    for j in range(end - first):
        i[j] = sigmoid(i[j])
    for j in range(end - first):
        f[j] = sigmoid(f[j])
    for j in range(end - first):
        g[j] = tanh(g[j])
    for j in range(end - first):
        o[j] = sigmoid(o[j])
    old, c, t, h = old[first:end], c[first:end], t[first:end], h[first:end]
    for j in range(end - first):
        c[j] = f[j] * old[j] + i[j] * g[j]
    for j in range(end - first):
        t[j] = tanh(c[j])
    for j in range(end - first):
        h[j] = o[j] * t[j]


@serial
def _gates(gates, cell, hidden, new_cell, state, tanhs):
    n = cell.shape[1]
    for row in range(cell.shape[0]):
        a, x = state[row], gates[row]
        for j in range(4 * n):
            a[j] = x[j]
        _activate(a, cell[row], new_cell[row], tanhs[row], hidden[row], 0, n)


@parallel
def _gates_parallel(gates, cell, hidden, new_cell, state, tanhs):
    rows = max(1, CHUNK // cell.shape[1])
    for c in prange((cell.shape[0] + rows - 1) // rows):
        some = slice(c * rows, (c + 1) * rows)
        _gates(gates[some], cell[some], hidden[some], new_cell[some], state[some], tanhs[some])


@part
def _activate_vjp(d, old, a, t, z, first, end):
    """Units from `first` to `end` of a row: z (4H,) becomes the gradient of the preactivations, and
    d, the gradient of the new cell but for what comes through h, that of the old one. z's last part
    comes in as the gradient of h.
    """
    n = old.size
    one = old.dtype.type(1)
    d, old, t = d[first:end], old[first:end], t[first:end]
    i, f = a[first:end], a[n + first : n + end]
    g, o = a[2 * n + first : 2 * n + end], a[3 * n + first : 3 * n + end]
    z_i, z_f = z[first:end], z[n + first : n + end]
    z_g, z_o = z[2 * n + first : 2 * n + end], z[3 * n + first : 3 * n + end]
    for j in range(end - first):
        d[j] += z_o[j] * o[j] * (one - t[j] * t[j])
    for j in range(end - first):
        z_o[j] *= t[j] * (o[j] * (one - o[j]))
    for j in range(end - first):
        z_i[j] = d[j] * g[j] * (i[j] * (one - i[j]))
        z_g[j] = d[j] * i[j] * (one - g[j] * g[j])
    for j in range(end - first):
        z_f[j] = d[j] * old[j] * (f[j] * (one - f[j]))
        d[j] *= f[j]


@serial
def _gates_vjp(g_hidden, cell, state, tanhs, g_gates, g_cell):
    """g_cell comes in as the gradient of the new cell."""
    n = cell.shape[1]
    for row in range(cell.shape[0]):
        z, gh = g_gates[row], g_hidden[row]
        for j in range(n):
            z[3 * n + j] = gh[j]
        _activate_vjp(g_cell[row], cell[row], state[row], tanhs[row], z, 0, n)


@parallel
def _gates_vjp_parallel(g_hidden, cell, state, tanhs, g_gates, g_cell):
    rows = max(1, CHUNK // cell.shape[1])
    for c in prange((cell.shape[0] + rows - 1) // rows):
        some = slice(c * rows, (c + 1) * rows)
        _gates_vjp(
            g_hidden[some], cell[some], state[some], tanhs[some], g_gates[some], g_cell[some]
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
    state, tanhs = np.empty((batch, 4 * n), cell.dtype), np.empty((batch, n), cell.dtype)
    kernel = _gates_parallel if cell.size >= PARALLEL and can_launch() else _gates
    kernel(plain(gates), plain(cell), hidden, new_cell, state, tanhs)
    return hidden, new_cell, (state, tanhs)


def lstm_gates_vjp(g_hidden, g_new_cell, cell, state):
    """(gradient of the preactivations, gradient of the cell); an absent gradient is None."""
    if any(g is not None and g.dtype is not cell.dtype for g in (g_hidden, g_new_cell)):
        return NotImplemented
    g_hidden = np.zeros(cell.shape, cell.dtype) if g_hidden is None else plain(g_hidden)
    g_cell = recurrent.gradient(g_new_cell, cell.shape, cell.dtype)
    g_gates = np.empty((cell.shape[0], 4 * cell.shape[1]), cell.dtype)
    kernel = _gates_vjp_parallel if cell.size >= PARALLEL and can_launch() else _gates_vjp
    kernel(g_hidden, plain(cell), *state, g_gates, g_cell)
    return g_gates, g_cell


# ----------------------------------------------------------------------------------------- a layer
@Tasks
def _forward(
    task, projected, weight, steps, before, output_row, read_rows, write_rows,
    hidden, cells, state, tanhs, output, batch, numbers,
):  # fmt: skip
    """Some steps, sequences and units. hidden and cells (total + batch, H), the others by row."""
    n = hidden.shape[1]
    turns, rows, panels, units = span(task, batch, len(steps), numbers)
    units = units[0], min(units[1], n)
    for s in range(turns[0], turns[1]):
        ask_for_rows(projected, s, steps, rows)
        row, there = multiply_states(
            s, steps, rows, hidden, read_rows, weight, panels, numbers[3],
            projected, 1, state, 0, write_rows,
        )  # fmt: skip
        for i in range(row, row + there):
            new = output_row + i
            _activate(
                state[i], cells[before[i]], cells[new], tanhs[i], hidden[new], units[0], units[1]
            )
            copy_units(hidden[new], output[i], units)


@Tasks
def _backward(
    task, g_output, weight, steps, before, read_rows, write_rows,
    cells, state, tanhs, g_gates, g_hidden, g_cell, numbers,
):  # fmt: skip
    """Some steps, sequences and units. g_hidden and g_cell (batch, H) run from the end to the
    beginning. A turn is the product of the step after it, which needs all units' gates, and then
    the gates of the step.
    """
    batch, n = g_hidden.shape
    length = len(steps)
    turns, rows, panels, units = span(task, batch, length + 1, numbers)
    for turn in range(turns[0], turns[1]):
        if turn > 0:
            multiply_gradients(
                length - turn, steps, rows, g_gates, read_rows, weight, panels, g_hidden, write_rows
            )
        if turn < length:
            s = length - 1 - turn
            for r in range(rows[0], min(rows[1], steps[s, 1])):
                i = steps[s, 0] + r
                add_units(g_output, i, g_hidden[r], units)
                copy_units(g_hidden[r], g_gates[i, 3 * n :], units)
                g_hidden[r, units[0] : units[1]] = 0
                _activate_vjp(
                    g_cell[r], cells[before[i]], state[i], tanhs[i], g_gates[i], units[0], units[1]
                )


def lstm(projected, hidden, cell, weight, projection, sizes, backwards):
    """(h of all steps, last h, last c, what the gradient needs)."""
    if projection is not None or not recurrent.served(projected, hidden, cell, weight):
        return NotImplemented
    batch, n = hidden.shape
    where = recurrent.course(projected.shape, sizes, backwards)
    total, length = where.total, len(where.steps)
    how = recurrent.split(weight, batch, length)
    groups = 1 if how.parts == 1 else 4
    states, cells = where.states(hidden), where.states(cell)
    state, tanhs = np.empty((total, 4 * n), hidden.dtype), np.empty((total, n), hidden.dtype)
    output = np.empty((*projected.shape[:-1], n), hidden.dtype)
    _forward.rounds(
        how.rounds, how.tasks(batch),
        plain(projected).reshape(total, 4 * n), recurrent.packed(weight, groups),
        where.steps, where.before, where.output,
        where.before * n, np.arange(total) * (4 * n),
        states, cells, state, tanhs, output.reshape(total, n), batch,
        how.numbers(length, 4 * n // groups, columns(hidden.dtype)),
    )  # fmt: skip
    aux = where, states, cells, state, tanhs
    return output, states[where.ends], cells[where.ends], aux


def lstm_vjp(g, shape, weight, aux, needs):
    """The gradients of projected (of `shape`), hidden, cell and weight;
    those of the outputs may be None.
    """
    where, states, cells, state, tanhs = aux
    (total, n), dtype = tanhs.shape, tanhs.dtype
    if any(one is not None and one.dtype is not dtype for one in g):
        return NotImplemented
    batch, length = where.batch, len(where.steps)
    how = recurrent.split(weight, batch, length + 1)
    g_output = recurrent.output_gradient(g[0], total, n, dtype)
    g_hidden, g_cell = (recurrent.gradient(one, (batch, n), dtype) for one in g[1:])
    g_gates = np.empty((total, 4 * n), dtype)
    _backward.rounds(
        how.rounds, how.tasks(batch),
        g_output, gemm.panels_of(weight),
        where.steps, where.before,
        np.arange(total) * (4 * n), np.arange(batch) * n,
        cells, state, tanhs, g_gates, g_hidden, g_cell,
        how.numbers(length + 1, n, columns(dtype)),
    )  # fmt: skip
    g_weight = gemm.product(g_gates.T, states[where.read]) if needs[3] else None
    return g_gates.reshape(shape), g_hidden, g_cell, g_weight, None
