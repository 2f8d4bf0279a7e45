"""Standardising by mean and variance, and its gradient. Knows arrays only.

Memory traffic in arrays of the input's size (the composition: 12 forward, over 20 backward):
forward reads 1 and writes 1, backward reads 2 and writes 1. What shares its statistics is read once
more, from cache where it fits: a row of layer norm, the places of a channel of a batch. Forward
asks for the next row while one is in cache: a tenth less of 4096 rows of 1024 floats (backward,
which reads two arrays, takes a seventh more with it).

Three forms, by what shares statistics:

- rows (R, Q * S): a row does. Weights are (P, Q), each for S elements, those of row r in line
  r % P. Layer norm has P = S = 1, instance norm P = C and Q = 1, group norm P groups of Q channels.
- channels (N, C, S): all of a channel does. One task a channel.
- columns (M, C), which are channels last in memory: chunks of rows say their mean and sum of
  squares, which are put together in float64, and a second launch writes.

Variances are of the numbers less their mean, as in the composition.
"""

import math

import numpy as np

from tensorgrad.kernels.numba import channels
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.math import difference
from tensorgrad.kernels.numba.sums import (
    BLOCK,
    chunks,
    prefetch,
    sum_of,
    sum_of_products,
    sum_of_squares,
    write,
    write_vjp,
)
from tensorgrad.kernels.numba.tasks import Tasks, part

LINES = 64  # rows at least whose gradients of the weight a task adds up


# --------------------------------------------------------------------------------------------- rows
@Tasks
def _rows(task, x, weight, bias, eps, centred, rows, out, mean, variance):
    places = x.shape[1] // weight.shape[1]
    for r in range(task * rows, min((task + 1) * rows, x.shape[0])):
        row, target = x[r], out[r]
        count = x.dtype.type(row.size)
        m = sum_of(row) / count if centred else x.dtype.type(0)
        prefetch(row)
        v = sum_of_squares(row, m) / count
        mean[r], variance[r] = m, v
        scale = x.dtype.type(1) / np.sqrt(v + eps[0])
        w, b = weight[r % weight.shape[0]], bias[r % weight.shape[0]]
        if places == 1:
            for j in range(row.size):
                target[j] = difference(row[j], m) * scale * w[j] + b[j]
        else:
            for q in range(w.size):
                part = slice(q * places, (q + 1) * places)
                write(row[part], m, scale * w[q], b[q], target[part])


@part
def _sums_by_weight(g, w, row, mean):
    """Sums of the gradient of a standardised row, and of it times the row less its mean."""
    first, second = row.dtype.type(0), row.dtype.type(0)
    for start in range(0, row.size, BLOCK):
        block, factor = row[start : start + BLOCK], g[start : start + BLOCK]
        gain = w[start : start + BLOCK]
        one, two = row.dtype.type(0), row.dtype.type(0)
        for j in range(block.size):
            part = factor[j] * gain[j]
            one += part
            two += part * difference(block[j], mean)
        first += one
        second += two
    return first, second


@part
def _add_by_weight(g, row, mean, scale, g_weight, g_bias):
    for j in range(row.size):
        g_weight[j] += g[j] * (difference(row[j], mean) * scale)
    for j in range(row.size):
        g_bias[j] += g[j]


@part
def _write_each_vjp(g, row, mean, scale, weight, first, second, out):
    """`_write_vjp` with a weight for each element."""
    for j in range(row.size):
        along = difference(row[j], mean) * scale * second
        out[j] = (g[j] * weight[j] - first - along) * scale


@Tasks
def _rows_vjp(task, g, step, x, weight, mean, variance, eps, centred, rows, out, by_weight):
    """The gradient of row r lies in row r * step of g.

    by_weight (.., 2, Q): gradients of weight and bias, of a task's rows if S is 1, else of one
    row.
    """
    places = x.shape[1] // weight.shape[1]
    if places == 1:
        by_weight[task, :, :] = 0
    for r in range(task * rows, min((task + 1) * rows, x.shape[0])):
        row, source, target = x[r], g[r * step], out[r]
        w = weight[r % weight.shape[0]]
        m = mean[r]
        scale = x.dtype.type(1) / np.sqrt(variance[r] + eps[0])
        first, second = x.dtype.type(0), x.dtype.type(0)
        if places == 1:
            first, second = _sums_by_weight(source, w, row, m)
            _add_by_weight(source, row, m, scale, by_weight[task, 0], by_weight[task, 1])
        else:
            for q in range(w.size):
                part = slice(q * places, (q + 1) * places)
                one, two = sum_of(source[part]), sum_of_products(source[part], row[part], m)
                by_weight[r, 0, q], by_weight[r, 1, q] = two * scale, one
                first += w[q] * one
                second += w[q] * two
        count = x.dtype.type(row.size)
        second = second * scale / count
        first = first / count if centred else x.dtype.type(0)
        if places == 1:
            _write_each_vjp(source, row, m, scale, w, first, second, target)
        else:
            for q in range(w.size):
                part = slice(q * places, (q + 1) * places)
                write_vjp(source[part], row[part], m, scale, w[q], first, second, target[part])


# -------------------------------------------------------------------------------------------- forms
def _row_form(shape, dim, affine):
    """((R, Q * S), (P, Q)) where the last dimensions from one on are standardised; else None.

    affine: the shape of the weights, which broadcasts to `shape`, or None.
    """
    first = len(shape) - len(dim)
    if dim != tuple(range(first, len(shape))):
        return None
    rows, size = math.prod(shape[:first]), math.prod(shape[first:])
    if affine is None:
        return (rows, size), (1, 1)
    affine = (1,) * (len(shape) - len(affine)) + affine
    long = [d for d, n in enumerate(affine) if n != 1]
    start, stop = (min(long), max(long) + 1) if long else (first, first)
    start, stop = min(start, first), max(stop, first)
    if affine[start:stop] != shape[start:stop]:
        return None
    lines, each = math.prod(shape[start:first]), math.prod(shape[first:stop])
    if lines > 1 and size == each:
        return None
    return (rows, size), (lines, each)


# ------------------------------------------------------------------------------------------ forward
def _affine_shape(weight, bias):
    """The one shape of what there is; () where they differ."""
    if weight is None or bias is None or weight.shape == bias.shape:
        given = bias if weight is None else weight
        return None if given is None else given.shape
    return ()


def standardize(x, weight, bias, dim, eps, centred=True):
    """((x - mean) / sqrt(variance + eps) * weight + bias, mean, variance, state for the gradient);
    not centred: as if the mean were 0.
    """
    if not channels.served(x, weight, bias):
        return NotImplemented
    affine = _affine_shape(weight, bias)
    if affine == ():
        return NotImplemented
    dim = tuple(sorted(d % x.ndim for d in dim))
    kept = tuple([1 if d in dim else n for d, n in enumerate(x.shape)])
    form = _row_form(x.shape, dim, affine)
    if form is not None:
        out, mean, variance = _standardize_rows(plain(x), weight, bias, eps, centred, *form)
    elif centred and x.ndim > 1 and channels.by_channel(x, dim, affine):
        out, mean, variance = channels.standardize(x, weight, bias, eps)
    else:
        return NotImplemented
    state = mean, variance, None if bias is None else bias.shape
    return out, mean.reshape(kept), variance.reshape(kept), state


def _standardize_rows(x, weight, bias, eps, centred, form, lines):
    values = x.reshape(form)
    out = np.empty_like(values)
    mean, variance = np.empty(form[0], x.dtype), np.empty(form[0], x.dtype)
    rows, tasks = chunks(*form)
    weight = channels.filled(weight, lines, 1, x.dtype)
    bias = channels.filled(bias, lines, 0, x.dtype)
    small = np.array([eps], x.dtype)
    _rows(tasks, values, weight, bias, small, int(centred), rows, out, mean, variance)
    return out.reshape(x.shape), mean, variance


# ----------------------------------------------------------------------------------------- backward
def standardize_vjp(g, x, weight, dim, eps, state, centred=True):
    """The gradients of x, weight and bias; None for weights that there are not."""
    if g.dtype is not x.dtype:
        return NotImplemented
    mean, variance, bias_shape = state
    affine = bias_shape if weight is None else weight.shape
    dim = tuple(sorted(d % x.ndim for d in dim))
    form = _row_form(x.shape, dim, affine)
    if form is not None:
        out, g_weight, g_bias = _rows_backward(g, x, weight, mean, variance, eps, centred, *form)
    else:
        out, g_weight, g_bias = channels.standardize_vjp(g, x, weight, mean, variance, eps)
    return (
        out,
        None if weight is None else g_weight.reshape(weight.shape),
        None if bias_shape is None else g_bias.reshape(bias_shape),
    )


def _gradient_rows(g, form):
    """g by rows, and how many of its rows are one of x: of a sum over all rows it has one."""
    size, place = 1, g.ndim
    while size < form[1]:
        place -= 1
        size *= g.shape[place]
    if form[0] > 1 and size == form[1] and not any(g.strides[:place]):
        return plain(g[(0,) * place]).reshape(1, size), 0
    return plain(g).reshape(form), 1


def _rows_backward(g, x, weight, mean, variance, eps, centred, form, lines):
    weight = channels.filled(weight, lines, 1, x.dtype)
    out = np.empty(form, x.dtype)
    rows, tasks = chunks(*form)
    parts = form[0]
    if form[1] == lines[1]:
        rows = max(rows, LINES)
        parts = tasks = -(-form[0] // rows)
    by_weight = np.empty((parts, 2, lines[1]), x.dtype)
    small = np.array([eps], x.dtype)
    _rows_vjp(
        tasks, *_gradient_rows(g, form), plain(x).reshape(form),
        weight, mean, variance, small, int(centred), rows, out, by_weight,
    )  # fmt: skip
    # Part i is of line i % P: where a part is of many rows, P is 1.
    g_weight, g_bias = by_weight.reshape(-1, lines[0], 2, lines[1]).sum(0).swapaxes(0, 1)
    return out.reshape(x.shape), g_weight, g_bias
