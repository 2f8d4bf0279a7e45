"""Standardising the channels of a batch: what `batch_norm.cu` is given."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.kernels.cuda.layer_norm import column_sums
from tensorgrad.kernels.cuda.lines import APART, BLOCK, group_of, lines_a_block, ready
from tensorgrad.kernels.cuda.loader import kernel, served_in_full

Array = Any

TALL = 4096  # samples of one place from which four threads a channel are too few


class Batch(NamedTuple):
    """Channels of samples, each of so many places."""

    samples: int
    channels: int
    places: int


class State(NamedTuple):
    """What a gradient needs of the forward pass. known: (4, channels), as `Channels` in the source
    names them.
    """

    known: Array
    batch: Batch
    affine: tuple[int, ...] | None  # the shape of the weights


def batch_of(shape: tuple[int, ...], affines: list[tuple[int, ...]]) -> Batch | None:
    """Dimension 1 as channels, whose numbers have these shapes; None if these are others."""
    if len(shape) < 2 or 0 in shape:
        return None
    alone = 1, shape[1], *(1,) * (len(shape) - 2)
    if any(affine != alone for affine in affines):
        return None
    return Batch(shape[0], shape[1], math.prod(shape[2:]))


def over_lines(name: str, count: int, size: int, arrays: list[Array], *numbers: Any) -> None:
    """A kernel over lines of neighbours; the first array has the elements' dtype."""
    group = group_of(size, 1, arrays[0].dtype.itemsize)
    run = kernel("batch_norm.cu", name, arrays[0].dtype.char, group)
    sizes = np.int64(count), np.int32(size)
    run((-(-count // lines_a_block(group)),), (BLOCK,), (*arrays, *sizes, *numbers))


def over_columns(name: str, channels: int, *arguments: Any) -> None:
    run = kernel("batch_norm.cu", name, arguments[0].dtype.char)
    run((-(-channels // lines_a_block(APART)),), (BLOCK,), arguments)


def standardize(
    input: Array, weight: Array | None, bias: Array | None, dim: tuple[int, ...], eps: float
) -> Any:
    """(out, means, variances, state for the gradient), a mean and a variance for each channel."""
    import cupy

    given = [array for array in (weight, bias) if array is not None]
    batch = batch_of(input.shape, [array.shape for array in given])
    others = [d for d in range(input.ndim) if d != 1]
    if (
        batch is None
        or [d % input.ndim for d in dim] != others
        or not served_in_full([input, *given])
    ):
        return NotImplemented
    if batch.places == 1 and batch.samples > TALL:
        return NotImplemented
    out = cupy.empty(input.shape, input.dtype)
    known = cupy.empty((4, batch.channels), input.dtype)
    x, w, b = ready([input, *[input if array is None else array for array in (weight, bias)]])
    weighted, biased = np.bool_(weight is not None), np.bool_(bias is not None)
    samples, channels, places = map(np.int32, batch)
    if batch.places == 1:
        arrays = x, w, b, out, known
        over_columns(
            *("standardize_columns", batch.channels, *arrays),
            *(samples, channels, float(eps), weighted, biased),
        )
    else:
        lines = batch.samples * batch.channels
        moments = cupy.empty((2, lines), input.dtype)
        over_lines("line_moments", lines, batch.places, [x, moments[0], moments[1]])
        over_columns(
            *("channel_moments", batch.channels, moments[0], moments[1], w, known),
            *(samples, channels, places, float(eps), weighted),
        )
        over_lines(
            *("shift_and_scale", lines, batch.places, [x, known[0], known[3], b, out]),
            *(channels, np.bool_(True), biased, np.bool_(False)),
        )
    return out, known[0], known[1], State(known, batch, given[0].shape if given else None)


def standardize_vjp(g: Array, input: Array, state: State) -> Any:
    """Gradients of the input, and of a weight and a bias where there are."""
    import cupy

    known, batch, affine = state
    if not served_in_full([g, input]):
        return NotImplemented
    out = cupy.empty(input.shape, input.dtype)
    g, input = ready([g, input])
    channels = np.int32(batch.channels)
    if batch.places == 1:
        sums = cupy.empty((2, batch.channels), input.dtype)
        arrays = g, input, known, out, sums
        over_columns(
            *("standardize_columns_vjp", batch.channels, *arrays),
            *(np.int32(batch.samples), channels),
        )
    else:
        sums = sums_of_channels(g, input, known[0], known[2], batch)
        lines = batch.samples * batch.channels
        over_lines("channels_vjp", lines, batch.places, [g, input, known, sums, out], channels)
    if affine is None:
        return out, None, None
    return out, sums[0].reshape(affine), sums[1].reshape(affine)


def sums_of_channels(
    g: Array, input: Array, mean: Array, scale: Array | None, batch: Batch
) -> Array:
    """(2, channels): sums of g * (input - mean) * scale, and of g."""
    import cupy

    partial = cupy.empty((batch.samples, 2 * batch.channels), input.dtype)
    arrays = [g, input, mean, mean if scale is None else scale, partial]
    how = np.int32(batch.channels), np.bool_(scale is not None)
    over_lines("channel_sums", batch.samples * batch.channels, batch.places, arrays, *how)
    sums = partial[0] if batch.samples == 1 else column_sums(partial)
    return sums.reshape(2, batch.channels)


def shift_and_scale(input: Array, mean: Array | None, gain: Array, bias: Array | None) -> Any:
    """(input - mean) * gain + bias, numbers of channels."""
    import cupy

    given = [array for array in (mean, gain, bias) if array is not None]
    batch = batch_of(input.shape, [array.shape for array in given])
    if batch is None or not served_in_full([input, *given]):
        return NotImplemented
    out = cupy.empty(input.shape, input.dtype)
    numbers = [gain if array is None else array for array in (mean, gain, bias)]
    alone = batch.places == 1
    count, size = batch.samples * batch.channels, batch.places
    if alone:
        count, size = batch.samples, batch.channels
    how = map(np.bool_, (mean is not None, bias is not None, alone))
    arrays = [*ready([input, *numbers]), out]
    over_lines("shift_and_scale", count, size, arrays, np.int32(batch.channels), *how)
    return out


def shift_and_scale_vjp(
    g: Array, input: Array, mean: Array, gain: Array, needs: tuple[bool, ...]
) -> Any:
    """Gradients of the input, and of the numbers of channels if any of them is needed."""
    out = shift_and_scale(g, None, gain, None)
    batch = batch_of(input.shape, [mean.shape])
    if out is NotImplemented or batch is None or not served_in_full([g, input, mean, gain]):
        return NotImplemented
    if not any(needs[1:]):
        return out, None, None, None
    if batch.places == 1:
        return NotImplemented
    g, input = ready([g, input])
    sums = sums_of_channels(g, input, mean.reshape(-1), None, batch)
    by_gain, by_bias = sums.reshape(2, *gain.shape)
    return out, -gain * by_bias, by_gain, by_bias
