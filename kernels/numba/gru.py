"""A layer of gated recurrent units over all steps, forward and backward. Knows arrays only.

Memory traffic in arrays of (rows, H), but for the weights: forward reads 4 (three preactivations of
the input, h) and writes 6 (h twice, the gates r z n, and the candidate's part q = W_hn h + b_hn);
backward reads 6 and writes 6, the gradients of both kinds of preactivations, which differ in n.
Each short loop has one output or two, as in lstm.py.
"""

import numpy as np

from tensorgrad.kernels.numba import gemm, recurrent
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.math import sigmoid, tanh
from tensorgrad.kernels.numba.microkernel import columns
from tensorgrad.kernels.numba.recurrent import (
    add_units,
    copy_units,
    multiply_gradients,
    multiply_states,
    span,
)
from tensorgrad.kernels.numba.tasks import Tasks, part


@part
def _activate(x, a, old, n, h, first, end):
    """Units from `first` to `end` of a row: a (3H,) has W h + b, and takes the gates r and z."""
    size = old.size
    r, x_r = a[first:end], x[first:end]
    for j in range(end - first):
        r[j] = sigmoid(r[j] + x_r[j])
    z, x_z = a[size + first : size + end], x[size + first : size + end]
    for j in range(end - first):
        z[j] = sigmoid(z[j] + x_z[j])
    q, x_n = a[2 * size + first : 2 * size + end], x[2 * size + first : 2 * size + end]
    old, n, h = old[first:end], n[first:end], h[first:end]
    for j in range(end - first):
        n[j] = tanh(x_n[j] + r[j] * q[j])
    for j in range(end - first):
        h[j] = n[j] + z[j] * (old[j] - n[j])


@part
def _activate_vjp(gh, old, a, n, g_x, g_h, first, end):
    """Units from `first` to `end` of a row: the gradients of both parts of the preactivations
    (3H,), and in place of gh, that of the new h, what comes straight to the old one.
    """
    size = old.size
    one = old.dtype.type(1)
    gh, old, n = gh[first:end], old[first:end], n[first:end]
    r, z = a[first:end], a[size + first : size + end]
    q = a[2 * size + first : 2 * size + end]
    g_r, g_z = g_x[first:end], g_x[size + first : size + end]
    g_n = g_x[2 * size + first : 2 * size + end]
    for j in range(end - first):
        g_n[j] = (gh[j] * (one - z[j])) * (one - n[j] * n[j])
    for j in range(end - first):
        g_z[j] = gh[j] * (old[j] - n[j]) * (z[j] * (one - z[j]))
    for j in range(end - first):
        g_r[j] = g_n[j] * q[j] * (r[j] * (one - r[j]))
    for j in range(end - first):
        gh[j] *= z[j]
    h_r, h_z = g_h[first:end], g_h[size + first : size + end]
    h_q = g_h[2 * size + first : 2 * size + end]
    for j in range(end - first):
        h_r[j] = g_r[j]
    for j in range(end - first):
        h_z[j] = g_z[j]
    for j in range(end - first):
        h_q[j] = g_n[j] * r[j]


@Tasks
def _forward(
    task, projected, weight, bias, steps, before, output_row, read_rows, write_rows,
    hidden, state, candidates, output, batch, numbers,
):  # fmt: skip
    """Some steps, sequences and units. hidden (total + batch, H), the others by row."""
    n = hidden.shape[1]
    turns, rows, panels, units = span(task, batch, len(steps), numbers)
    units = units[0], min(units[1], n)
    for s in range(turns[0], turns[1]):
        row, there = multiply_states(
            s, steps, rows, hidden, read_rows, weight, panels, numbers[3],
            bias, 0, state, 0, write_rows,
        )  # fmt: skip
        for i in range(row, row + there):
            h = hidden[output_row + i]
            _activate(
                projected[i], state[i], hidden[before[i]], candidates[i], h, units[0], units[1]
            )
            copy_units(h, output[i], units)


@Tasks
def _backward(
    task, g_output, weight, steps, before, read_rows, write_rows,
    hidden, state, candidates, g_x, g_h, g_hidden, numbers,
):  # fmt: skip
    """Some steps, sequences and units. g_hidden (batch, H) runs from the end to the beginning. A
    turn is the product of the step after it, which needs all units' gates, and then the gates of
    the step.
    """
    batch, length = len(g_hidden), len(steps)
    turns, rows, panels, units = span(task, batch, length + 1, numbers)
    for turn in range(turns[0], turns[1]):
        if turn > 0:
            multiply_gradients(
                length - turn, steps, rows, g_h, read_rows, weight, panels, g_hidden, write_rows
            )
        if turn < length:
            s = length - 1 - turn
            for r in range(rows[0], min(rows[1], steps[s, 1])):
                i = steps[s, 0] + r
                gh = g_hidden[r]
                add_units(g_output, i, gh, units)
                _activate_vjp(
                    gh, hidden[before[i]], state[i], candidates[i], g_x[i], g_h[i],
                    units[0], units[1],
                )  # fmt: skip


def gru(projected, hidden, weight, bias, sizes, backwards):
    """(h of all steps, last h, what the gradient needs)."""
    given = [array for array in (projected, hidden, weight, bias) if array is not None]
    if not recurrent.served(*given):
        return NotImplemented
    batch, n = hidden.shape
    where = recurrent.course(projected.shape, sizes, backwards)
    total, length = where.total, len(where.steps)
    how = recurrent.split(weight, batch, length)
    groups = 1 if how.parts == 1 else 3
    states, dtype = where.states(hidden), hidden.dtype
    state, candidates = np.empty((total, 3 * n), dtype), np.empty((total, n), dtype)
    output = np.empty((*projected.shape[:-1], n), dtype)
    _forward.rounds(
        how.rounds, how.tasks(batch),
        plain(projected).reshape(total, 3 * n), recurrent.packed(weight, groups),
        np.zeros((1, 3 * n), dtype) if bias is None else plain(bias)[None],
        where.steps, where.before, where.output,
        where.before * n, np.arange(total) * (3 * n),
        states, state, candidates, output.reshape(total, n), batch,
        how.numbers(length, 3 * n // groups, columns(dtype)),
    )  # fmt: skip
    return output, states[where.ends], (where, states, state, candidates)


def gru_vjp(g, shape, weight, aux, needs):
    """The gradients of projected (of `shape`), hidden, weight and bias;
    those of the outputs may be None.
    """
    where, states, state, candidates = aux
    (total, n), dtype = candidates.shape, candidates.dtype
    if any(one is not None and one.dtype is not dtype for one in g):
        return NotImplemented
    batch, length = where.batch, len(where.steps)
    how = recurrent.split(weight, batch, length + 1)
    g_output = recurrent.output_gradient(g[0], total, n, dtype)
    g_hidden = recurrent.gradient(g[1], (batch, n), dtype)
    g_x, g_h = np.empty((total, 3 * n), dtype), np.empty((total, 3 * n), dtype)
    _backward.rounds(
        how.rounds, how.tasks(batch),
        g_output, gemm.panels_of(weight),
        where.steps, where.before,
        np.arange(total) * (3 * n), np.arange(batch) * n,
        states, state, candidates, g_x, g_h, g_hidden,
        how.numbers(length + 1, n, columns(dtype)),
    )  # fmt: skip
    g_weight = gemm.product(g_h.T, states[where.read]) if needs[2] else None
    g_bias = g_h.sum(0) if needs[3] else None
    return g_x.reshape(shape), g_hidden, g_weight, g_bias
