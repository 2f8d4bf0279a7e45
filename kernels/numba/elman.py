"""A layer of Elman's units over all steps, h = tanh or relu of the preactivations, forward and
backward. Knows arrays only.

Memory traffic in arrays of (rows, H), but for the weights: forward reads 2 and writes 2, h twice;
backward reads 2 and writes 1.
"""

import numpy as np

from tensorgrad.kernels.numba import gemm, recurrent
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.math import tanh
from tensorgrad.kernels.numba.microkernel import columns
from tensorgrad.kernels.numba.recurrent import (
    add_units,
    copy_units,
    multiply_gradients,
    multiply_states,
    span,
)
from tensorgrad.kernels.numba.runtime import larger
from tensorgrad.kernels.numba.tasks import Tasks


@Tasks
def _forward(
    task, projected, weight, zero, rectified, steps, output_row, read_rows, write_rows,
    hidden, output, batch, numbers,
):  # fmt: skip
    """Some steps, sequences and units. hidden (total + batch, H), the others by row."""
    n = hidden.shape[1]
    turns, rows, panels, units = span(task, batch, len(steps), numbers)
    first, end = units
    for s in range(turns[0], turns[1]):
        row, there = multiply_states(
            s, steps, rows, hidden, read_rows, weight, panels, numbers[3],
            zero, 0, hidden, output_row * n, write_rows,
        )  # fmt: skip
        for i in range(row, row + there):
            h, x = hidden[output_row + i, first:end], projected[i, first:end]
            if rectified:
                for j in range(end - first):
                    h[j] = larger(h[j] + x[j], x.dtype.type(0))
            else:
                for j in range(end - first):
                    h[j] = tanh(h[j] + x[j])
            copy_units(hidden[output_row + i], output[i], units)


@Tasks
def _backward(
    task, g_output, weight, rectified, steps, output_row, read_rows, write_rows,
    hidden, g_x, g_hidden, numbers,
):  # fmt: skip
    """Some steps, sequences and units. g_hidden (batch, H) runs from the end to the beginning. A
    turn is the product of the step after it, which needs the gradients of all units, and then the
    gradients of the step.
    """
    batch = len(g_hidden)
    one, nothing = hidden.dtype.type(1), hidden.dtype.type(0)
    length = len(steps)
    turns, rows, panels, units = span(task, batch, length + 1, numbers)
    first, end = units
    for turn in range(turns[0], turns[1]):
        if turn > 0:
            multiply_gradients(
                length - turn, steps, rows, g_x, read_rows, weight, panels, g_hidden, write_rows
            )
        if turn < length:
            s = length - 1 - turn
            for r in range(rows[0], min(rows[1], steps[s, 1])):
                i = steps[s, 0] + r
                add_units(g_output, i, g_hidden[r], units)
                gh, h = g_hidden[r, first:end], hidden[output_row + i, first:end]
                g = g_x[i, first:end]
                if rectified:
                    for j in range(end - first):
                        g[j] = nothing if h[j] <= nothing else gh[j]
                else:
                    for j in range(end - first):
                        g[j] = gh[j] * (one - h[j] * h[j])
                for j in range(end - first):
                    gh[j] = 0


def rnn(projected, hidden, weight, rectified, sizes, backwards):
    """(h of all steps, last h, what the gradient needs)."""
    if not recurrent.served(projected, hidden, weight):
        return NotImplemented
    batch, n = hidden.shape
    where = recurrent.course(projected.shape, sizes, backwards)
    total, length = where.total, len(where.steps)
    how = recurrent.split(weight, batch, length)
    states, dtype = where.states(hidden), hidden.dtype
    output = np.empty(projected.shape, dtype)
    _forward.rounds(
        how.rounds, how.tasks(batch),
        plain(projected).reshape(total, n), recurrent.packed(weight, 1),
        np.zeros((1, n), dtype), int(rectified),
        where.steps, where.output,
        where.before * n, np.arange(total) * n,
        states, output.reshape(total, n), batch,
        how.numbers(length, n, columns(dtype)),
    )  # fmt: skip
    return output, states[where.ends], (where, states)


def rnn_vjp(g, shape, weight, rectified, aux, needs):
    """The gradients of projected (of `shape`), hidden and weight;
    those of the outputs may be None.
    """
    where, states = aux
    (_, n), dtype, total = states.shape, states.dtype, where.total
    if any(part is not None and part.dtype is not dtype for part in g):
        return NotImplemented
    batch, length = where.batch, len(where.steps)
    how = recurrent.split(weight, batch, length + 1)
    g_output = recurrent.output_gradient(g[0], total, n, dtype)
    g_hidden, g_x = recurrent.gradient(g[1], (batch, n), dtype), np.empty((total, n), dtype)
    _backward.rounds(
        how.rounds, how.tasks(batch),
        g_output, gemm.panels_of(weight), int(rectified),
        where.steps, where.output,
        np.arange(total) * n, np.arange(batch) * n,
        states, g_x, g_hidden,
        how.numbers(length + 1, n, columns(dtype)),
    )  # fmt: skip
    g_weight = gemm.product(g_x.T, states[where.read]) if needs[2] else None
    return g_x.reshape(shape), g_hidden, g_weight
