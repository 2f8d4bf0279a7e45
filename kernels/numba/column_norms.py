"""Standardising a matrix by column, as batch norm of (N, C). Knows arrays only; see `norms`.

A task does everything for a block of columns, whose lines the second level of the cache keeps: the
matrix is read and written once, by one launch. Of (128, 256) the three launches of `channels`, and
what NumPy does between them, take twice the time; from 1024 rows on they are faster.
"""

import numpy as np

from tensorgrad.kernels.numba.math import difference
from tensorgrad.kernels.numba.tasks import Tasks, part

WIDTH = 128  # columns of a task
LINES = 64  # at most so many are added one by one
TALL = 512  # rows up to which this is the faster way


def _tasks(values):
    return -(-values.shape[1] // WIDTH)


@part
def _add_up(block, total):
    for j in range(total.size):
        total[j] += block[j]
        block[j] = 0


@Tasks
def _standardize(task, x, weight, bias, eps, out, mean, variance):
    columns = slice(task * WIDTH, min((task + 1) * WIDTH, x.shape[1]))
    middle, spread = mean[columns], variance[columns]
    block, gain, total = np.zeros_like(middle), np.empty_like(middle), np.zeros(middle.size)
    for start in range(0, x.shape[0], LINES):
        for i in range(start, min(start + LINES, x.shape[0])):
            row = x[i, columns]
            for j in range(row.size):
                block[j] += row[j]
        _add_up(block, total)
    for j in range(middle.size):
        middle[j] = total[j] / x.shape[0]
        total[j] = 0
    for start in range(0, x.shape[0], LINES):
        for i in range(start, min(start + LINES, x.shape[0])):
            row = x[i, columns]
            for j in range(row.size):
                rest = difference(row[j], middle[j])
                block[j] += rest * rest
        _add_up(block, total)
    own, shift = weight[columns], bias[columns]
    for j in range(middle.size):
        spread[j] = total[j] / x.shape[0]
        gain[j] = own[j] / np.sqrt(spread[j] + eps[0])
    for i in range(x.shape[0]):
        row, result = x[i, columns], out[i, columns]
        for j in range(row.size):
            result[j] = difference(row[j], middle[j]) * gain[j] + shift[j]


@Tasks
def _standardize_vjp(task, g, x, weight, mean, variance, eps, out, g_weight, g_bias):
    columns = slice(task * WIDTH, min((task + 1) * WIDTH, x.shape[1]))
    middle, own = mean[columns], weight[columns]
    sums, products = np.zeros_like(middle), np.zeros_like(middle)
    first, second = np.zeros(middle.size), np.zeros(middle.size)
    for start in range(0, x.shape[0], LINES):
        for i in range(start, min(start + LINES, x.shape[0])):
            row, source = x[i, columns], g[i, columns]
            for j in range(row.size):
                sums[j] += source[j]
                products[j] += source[j] * difference(row[j], middle[j])
        _add_up(sums, first)
        _add_up(products, second)
    scale, along = np.empty_like(middle), np.empty_like(middle)
    of_weight, of_bias, spread = g_weight[columns], g_bias[columns], variance[columns]
    for j in range(middle.size):
        scale[j] = x.dtype.type(1) / np.sqrt(spread[j] + eps[0])
        of_weight[j] = second[j] * scale[j]
        of_bias[j] = first[j]
        sums[j] = own[j] * of_bias[j] / x.dtype.type(x.shape[0])
        along[j] = scale[j] * (own[j] * of_weight[j] / x.dtype.type(x.shape[0]))
    for i in range(x.shape[0]):
        row, source, result = x[i, columns], g[i, columns], out[i, columns]
        for j in range(row.size):
            rest = difference(row[j], middle[j]) * along[j]
            result[j] = (source[j] * own[j] - sums[j] - rest) * scale[j]


def standardize(values, weight, bias, eps):
    """(out, mean, variance) of a matrix."""
    out = np.empty_like(values)
    mean, variance = (np.empty(values.shape[1], values.dtype) for _ in range(2))
    small = np.array([eps], values.dtype)
    _standardize(_tasks(values), values, weight, bias, small, out, mean, variance)
    return out, mean, variance


def standardize_vjp(g, values, weight, mean, variance, eps):
    """The gradients of the matrix, the weights and the biases."""
    out = np.empty_like(values)
    g_weight, g_bias = np.empty_like(mean), np.empty_like(mean)
    small = np.array([eps], values.dtype)
    given = g, values, weight, mean, variance, small
    _standardize_vjp(_tasks(values), *given, out, g_weight, g_bias)
    return out, g_weight, g_bias
