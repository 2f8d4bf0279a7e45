"""Standardising by channel, and scaling by numbers of channels. Knows arrays only; see `norms`."""

import math

import numpy as np

from tensorgrad.kernels.numba import column_norms
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.math import difference
from tensorgrad.kernels.numba.runtime import FLOATS
from tensorgrad.kernels.numba.sums import (
    chunks,
    sum_of,
    sum_of_products,
    sum_of_squares,
    write,
    write_vjp,
)
from tensorgrad.kernels.numba.tasks import Tasks

SMALL = 16384  # elements below which NumPy's three passes take less than a launch


# ----------------------------------------------------------------------------------------- channels
@Tasks
def _channels(task, x, weight, bias, eps, out, mean, variance):
    samples, places = x.shape[0], x.shape[2]
    means = np.empty(samples)
    squares = 0.0
    for i in range(samples):
        row = x[i, task]
        own = sum_of(row) / x.dtype.type(places)
        means[i] = own
        squares += sum_of_squares(row, own)
    middle = 0.0
    for i in range(samples):
        middle += means[i]
    middle /= samples
    for i in range(samples):
        rest = difference(means[i], middle)
        squares += rest * rest * places
    mean[task], variance[task] = middle, squares / (samples * places)
    gain = weight[task] / np.sqrt(variance[task] + eps[0])
    for i in range(samples):
        write(x[i, task], mean[task], gain, bias[task], out[i, task])


@Tasks
def _channels_vjp(task, g, x, weight, mean, variance, eps, out, g_weight, g_bias):
    samples, places = x.shape[0], x.shape[2]
    first, second = 0.0, 0.0
    m = mean[task]
    for i in range(samples):
        first += sum_of(g[i, task])
        second += sum_of_products(g[i, task], x[i, task], m)
    scale = x.dtype.type(1) / np.sqrt(variance[task] + eps[0])
    g_weight[task], g_bias[task] = x.dtype.type(second) * scale, first
    w = weight[task]
    one = w * x.dtype.type(first / (samples * places))
    two = w * g_weight[task] / x.dtype.type(samples * places)
    for i in range(samples):
        write_vjp(g[i, task], x[i, task], m, scale, w, one, two, out[i, task])


@Tasks
def _apply_channels(task, x, mean, gain, bias, out):
    """A task is one sample."""
    for c in range(x.shape[1]):
        write(x[task, c], mean[c], gain[c], bias[c], out[task, c])


@Tasks
def _channel_sums(task, g, x, mean, sums):
    """As `_column_sums`, of one sample."""
    for c in range(x.shape[1]):
        sums[task, 0, c] = sum_of_products(g[task, c], x[task, c], mean[c])
        sums[task, 1, c] = sum_of(g[task, c])


# ------------------------------------------------------------------------------------------ columns
@Tasks
def _column_statistics(task, x, rows, means, squares):
    """The mean and the sum of squares around it of each column in the rows of a task."""
    stop = min((task + 1) * rows, x.shape[0])
    mean, square = means[task], squares[task]
    mean[:] = 0
    square[:] = 0
    for i in range(task * rows, stop):
        row = x[i]
        for j in range(row.size):
            mean[j] += row[j]
    share = x.dtype.type(1) / x.dtype.type(stop - task * rows)
    for j in range(mean.size):
        mean[j] *= share
    for i in range(task * rows, stop):
        row = x[i]
        for j in range(row.size):
            rest = difference(row[j], mean[j])
            square[j] += rest * rest


@Tasks
def _apply_columns(task, x, rows, mean, gain, bias, out):
    for i in range(task * rows, min((task + 1) * rows, x.shape[0])):
        row, target = x[i], out[i]
        for j in range(row.size):
            target[j] = difference(row[j], mean[j]) * gain[j] + bias[j]


@Tasks
def _column_sums(task, g, x, mean, rows, sums):
    """Of the gradient times the input less its mean, and of the gradient."""
    products, plain_sums = sums[task, 0], sums[task, 1]
    products[:] = 0
    plain_sums[:] = 0
    for i in range(task * rows, min((task + 1) * rows, x.shape[0])):
        row, source = x[i], g[i]
        for j in range(row.size):
            products[j] += source[j] * difference(row[j], mean[j])
        for j in range(row.size):
            plain_sums[j] += source[j]


@Tasks
def _columns_vjp(task, g, x, rows, mean, scale, weight, first, second, out):
    for i in range(task * rows, min((task + 1) * rows, x.shape[0])):
        row, source, target = x[i], g[i], out[i]
        for j in range(row.size):
            along = difference(row[j], mean[j]) * scale[j] * second[j]
            target[j] = (source[j] * weight[j] - first[j] - along) * scale[j]


# ---- forms


def by_channel(x, dim, affine):
    """Whether all dimensions but the second are standardised, with weights of the second."""
    return dim == (0, *range(2, x.ndim)) and affine in (
        None,
        (1, x.shape[1], *(1,) * (x.ndim - 2)),
        x.shape[1:] if x.ndim == 2 else None,
    )


def _channels_last(x):
    return x.ndim > 2 and not x.flags.c_contiguous and np.moveaxis(x, 1, -1).flags.c_contiguous


def _channel_form(x, last):
    """(N, C, S), or (M, C) where channels are last in memory or have one place."""
    if last:
        return plain(np.moveaxis(x, 1, -1)).reshape(-1, x.shape[1])
    places = math.prod(x.shape[2:])
    return plain(x).reshape(*x.shape[:2], places) if places > 1 else plain(x).reshape(x.shape[:2])


def _restored(out, x, last):
    if not last:
        return out.reshape(x.shape)
    return np.moveaxis(out.reshape(x.shape[0], *x.shape[2:], x.shape[1]), -1, 1)


def served(x, weight, bias):
    return (
        x.dtype in FLOATS
        and x.size > 0
        and (weight is None or weight.dtype is x.dtype)
        and (bias is None or bias.dtype is x.dtype)
    )


def filled(values, shape, number, dtype):
    return np.full(shape, number, dtype) if values is None else plain(values).reshape(shape)


def standardize(x, weight, bias, eps):
    last = _channels_last(x)
    values = _channel_form(x, last)
    channels = values.shape[1]
    weight = filled(weight, (channels,), 1, x.dtype)
    bias = filled(bias, (channels,), 0, x.dtype)
    if values.ndim == 3:
        out = np.empty_like(values)
        mean, variance = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
        small = np.array([eps], x.dtype)
        _channels(channels, values, weight, bias, small, out, mean, variance)
    elif len(values) <= column_norms.TALL:
        out, mean, variance = column_norms.standardize(values, weight, bias, eps)
    else:
        mean, variance = _of_columns(values)
        gain = weight / np.sqrt(variance + x.dtype.type(eps))
        out = _applied(values, mean, gain, bias)
    return _restored(out, x, last), mean, variance


def _of_columns(values):
    """Mean and variance of each column."""
    length, channels = values.shape
    rows, tasks = chunks(length, channels)
    means, squares = (np.empty((tasks, channels), values.dtype) for _ in range(2))
    _column_statistics(tasks, values, rows, means, squares)
    counts = np.full((tasks, 1), rows, np.float64)
    counts[-1] = length - (tasks - 1) * rows
    mean = (means * counts).sum(0) / length
    between = ((means - mean) ** 2 * counts).sum(0)
    variance = (squares.sum(0, dtype=np.float64) + between) / length
    return mean.astype(values.dtype), variance.astype(values.dtype)


def _numbers_of_channels(x, mean, gain, bias):
    shape = (1, *x.shape[1:2], *(1,) * (x.ndim - 2))
    return (
        x.ndim > 1
        and x.size >= SMALL
        and served(x, gain, bias)
        and mean.dtype is x.dtype
        and all(part is None or part.shape == shape for part in (mean, gain, bias))
    )


def shift_and_scale(x, mean, gain, bias):
    """(x - mean) * gain + bias, numbers of channels."""
    if not _numbers_of_channels(x, mean, gain, bias):
        return NotImplemented
    last = _channels_last(x)
    values = _channel_form(x, last)
    channels = (x.shape[1],)
    mean, gain = plain(mean).reshape(channels), plain(gain).reshape(channels)
    return _restored(_applied(values, mean, gain, filled(bias, channels, 0, x.dtype)), x, last)


def _applied(values, mean, gain, bias):
    """(values - mean) * gain + bias by channel."""
    out = np.empty_like(values)
    if values.ndim == 3:
        _apply_channels(len(values), values, mean, gain, bias, out)
    else:
        rows, tasks = chunks(*values.shape)
        _apply_columns(tasks, values, rows, mean, gain, bias, out)
    return out


def standardize_vjp(g, x, weight, mean, variance, eps):
    last = _channels_last(x)
    values, source = _channel_form(x, last), _channel_form(g, last)
    channels = values.shape[1]
    out = np.empty_like(values)
    weight = filled(weight, (channels,), 1, x.dtype)
    if values.ndim == 3:
        g_weight, g_bias = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
        small = np.array([eps], x.dtype)
        _channels_vjp(
            channels, source, values, weight, mean, variance, small, out, g_weight, g_bias
        )
    elif len(values) <= column_norms.TALL:
        given = source, values, weight, mean, variance, eps
        out, g_weight, g_bias = column_norms.standardize_vjp(*given)
    else:
        rows, tasks = chunks(*values.shape)
        products, g_bias = _sums_by_channel(source, values, mean)
        scale = 1 / np.sqrt(variance + x.dtype.type(eps))
        g_weight = products * scale
        taken = weight * g_bias / len(values), weight * g_weight / len(values)
        _columns_vjp(tasks, source, values, rows, mean, scale, weight, *taken, out)
    return _restored(out, x, last), g_weight, g_bias


def _sums_by_channel(source, values, mean):
    """The sums of a gradient times the values less their mean, and of the gradient."""
    channels = values.shape[1]
    if values.ndim == 3:
        sums = np.empty((len(values), 2, channels), values.dtype)
        _channel_sums(len(values), source, values, mean, sums)
    else:
        rows, tasks = chunks(*values.shape)
        sums = np.empty((tasks, 2, channels), values.dtype)
        _column_sums(tasks, source, values, mean, rows, sums)
    return sums.sum(0)


def shift_and_scale_vjp(g, x, mean, gain, bias):
    """The gradients of x, mean, gain and bias."""
    if g.dtype is not x.dtype or not _numbers_of_channels(x, mean, gain, bias):
        return NotImplemented
    last = _channels_last(x)
    values, source = _channel_form(x, last), _channel_form(g, last)
    shape, flat = gain.shape, plain(gain).reshape(-1)
    products, summed = _sums_by_channel(source, values, plain(mean).reshape(-1))
    zero = np.zeros_like(flat)
    out = _applied(source, zero, flat, zero)
    by_bias = None if bias is None else summed.reshape(shape)
    return (
        _restored(out, x, last),
        (-summed * flat).reshape(shape),
        products.reshape(shape),
        by_bias,
    )
