"""Recurrent layers and cells as array operations, and the sizes at which their kernels are compared
with them; for bench/kernels.py. Knows arrays only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from tensorgrad.backends.numba_backend import NumbaBackend

Array = Any

# ---- the compositions


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, x.dtype.type(1)) / (1 + e)


def lstm_gates(gates: Array, cell: Array) -> tuple[Array, Array]:
    i, f, g, o = np.split(gates, 4, 1)
    new_cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(new_cell), new_cell


def lstm_gates_vjp(gh: Array, gc: Array, gates: Array, cell: Array) -> tuple[Array, Array]:
    i, f, g, o = np.split(gates, 4, 1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    t = np.tanh(f * cell + i * g)
    d = gc + gh * o * (1 - t * t)
    parts = (
        d * g * i * (1 - i),
        d * cell * f * (1 - f),
        d * i * (1 - g * g),
        gh * t * o * (1 - o),
    )
    return np.concatenate(parts, 1), d * f


def gru_gates(x: Array, a: Array, h: Array) -> Array:
    (x_r, x_z, x_n), (r, z, q) = np.split(x, 3, 1), np.split(a, 3, 1)
    n = np.tanh(x_n + sigmoid(x_r + r) * q)
    return n + sigmoid(x_z + z) * (h - n)


def over_steps(step: Callable[..., Any], x: Array, *state: Array) -> Array:
    """h of all steps; step(x, *state) gives the next state."""
    out = []
    for now in x:
        state = step(now, *state)
        out.append(state[0])
    return np.stack(out)


def lstm(x: Array, h: Array, c: Array, weight: Array) -> Array:
    return over_steps(lambda now, h, c: lstm_gates(now + h @ weight.T, c), x, h, c)


def gru(x: Array, h: Array, weight: Array, bias: Array) -> Array:
    return over_steps(lambda now, h: (gru_gates(now, h @ weight.T + bias, h),), x, h)


def rnn(x: Array, h: Array, weight: Array) -> Array:
    return over_steps(lambda now, h: (np.tanh(now + h @ weight.T),), x, h)


def lstm_vjp(g: Array, x: Array, h: Array, c: Array, weight: Array) -> tuple[Array, ...]:
    gates, read, cells = [], [], []
    for now in x:
        read.append(h)
        cells.append(c)
        gates.append(now + h @ weight.T)
        h, c = lstm_gates(gates[-1], c)
    gh, gc, out = np.zeros_like(h), np.zeros_like(c), np.empty_like(x)
    for t in range(len(x))[::-1]:
        out[t], gc = lstm_gates_vjp(g[t] + gh, gc, gates[t], cells[t])
        gh = out[t] @ weight
    return out, gh, gc, out.reshape(-1, x.shape[2]).T @ np.concatenate(read)


# ---- the cases, as bench/kernels.py has them


def cases(rng: Any, dtype: Any) -> Iterator[tuple[str, str, Callable[[], Any], Callable[[], Any]]]:
    ours = NumbaBackend()

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(dtype)

    for batch, hidden in (1, 16), (16, 64), (20, 200), (32, 256), (64, 512), (256, 512):
        size = f"{batch} x {hidden}"
        gates, cell = normal(batch, 4 * hidden), normal(batch, hidden)
        g = normal(batch, hidden), normal(batch, hidden)
        aux = ours.lstm_gates(gates, cell)[2]
        yield (
            "lstm_gates",
            size,
            partial(ours.lstm_gates, gates, cell),
            partial(lstm_gates, gates, cell),
        )
        yield (
            "lstm_gates_vjp",
            size,
            partial(ours.lstm_gates_vjp, g, cell, aux),
            partial(lstm_gates_vjp, *g, gates, cell),
        )
    for length, batch, n in (5, 2, 16), (100, 16, 64), (35, 20, 200), (64, 32, 256), (10, 1, 512):
        size = f"{length}x{batch}x{n}"
        x, h, c = (normal(*shape, n) for shape in ((length, batch), (batch,), (batch,)))
        weight = normal(4 * n, n) / dtype.type(n**0.5)
        wide = np.tile(x, 4)
        kernel = partial(ours.lstm, wide, h, c, weight, None, None, False)
        yield "lstm", size, kernel, partial(lstm, wide, h, c, weight)
        given = (x, None, None), wide.shape, weight, kernel()[3], (True,) * 5
        kernel = partial(ours.lstm_vjp, *given)
        yield "lstm_vjp", size, kernel, partial(lstm_vjp, x, wide, h, c, weight)
        given = wide[..., n:], h, weight[n:], wide[0, 0, n:]
        yield "gru", size, partial(ours.gru, *given, None, False), partial(gru, *given)
        given = x, h, weight[:n]
        yield "rnn", size, partial(ours.rnn, *given, False, None, False), partial(rnn, *given)
