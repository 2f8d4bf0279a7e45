"""Convolution over one to three spatial dimensions: forward, transposed, and their gradients.

Chooses who computes. Windows that do not meet are a product of matrices (`disjoint`); square
windows of 2 to 6, with stride 1 or 2, over many channels are for Winograd's filtering (`minimal`);
all others, and their gradients by the input, are sums of terms that are read at fixed distances
from a position, which `gathered` does. Knows arrays, not how a tile is multiplied.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numba import get_num_threads

from tensorgrad.kernels.numba import disjoint, gathered, minimal, volumes
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.microkernel import ROWS, columns
from tensorgrad.kernels.numba.pooling import positions_of
from tensorgrad.kernels.numba.runtime import FLOATS

PARALLEL = 500_000  # multiply-adds from which two threads beat one
SUMS = 8  # tasks of a weight gradient: fixed, as their sums are added up


def _served(input, weight, bias, stride, padding, dilation, groups):
    return (
        input.ndim == weight.ndim == 4
        and input.dtype in FLOATS
        and weight.dtype is input.dtype
        and (bias is None or (bias.dtype is input.dtype and bias.shape == weight.shape[:1]))
        and input.size
        and weight.size
        and input.shape[1] == weight.shape[1] * groups
        and weight.shape[0] % groups == 0
        and min(stride) > 0
        and min(positions_of(input.shape[2:], weight.shape[2:], stride, padding, dilation)) > 0
    )


def _along(of, kernel):
    """Arrays over the window's elements, from those of its rows and its columns."""
    down, across = of
    return np.repeat(down, kernel[1]), np.tile(across, kernel[0])


def _steps(channels, cells, offsets):
    """Places in the buffer, channel by channel, each `cells` apart, of a window's elements."""
    return (np.arange(channels)[:, None] * cells + offsets).reshape(-1)


@lru_cache(256)
def _forward(channels, size, kernel, stride, padding, dilation):
    """(planes, grid, steps) of a convolution with this window, of so many channels a group."""
    rows, across = positions_of(size, kernel, stride, padding, dilation)
    reach = [np.arange(k) * d for k, d in zip(kernel, dilation, strict=True)]
    lines = [int(way[-1] // s) + n for way, s, n in zip(reach, stride, (rows, across), strict=True)]
    down, right = _along(reach, kernel)
    phase = down % stride[0] * stride[1] + right % stride[1]
    offsets = (phase * lines[0] + down // stride[0]) * lines[1] + right // stride[1]
    steps = _steps(channels, stride[0] * stride[1] * lines[0] * lines[1], offsets)
    planes = channels, *size, -padding[0], -padding[1], *stride, *lines
    return planes, (rows, across, lines[1]), steps


def _packed(weight, groups, row_step, places, rows):
    """(groups, blocks, terms, ROWS) of weight (O, C / groups, KH, KW), see pack_weights."""
    each = plain(weight).reshape(groups, -1)
    packed = np.empty((groups, -(-rows // ROWS), len(places), ROWS), weight.dtype)
    gathered.pack_weights(groups * packed.shape[1], each, places, row_step, rows, packed)
    return packed


def _run(x, packed, steps, bias, planes, grid, place, rectified, out):
    """Fills out (samples, groups, numbers) from x (samples, groups, numbers)."""
    items, blocks = x.shape[0] * x.shape[1], packed.shape[1]
    few = bias.shape[1] <= gathered.FEW
    work = items * bias.shape[1] * len(steps) * grid[0] * grid[1]
    tasks = 4 * get_num_threads() if work >= PARALLEL else 1
    parts = min(blocks, -(-tasks // items))
    items *= parts
    each = -(-items // tasks)
    split = parts, each, items, int(rectified)
    width = columns(x.dtype)
    count = -(-items // each)
    convolve = gathered.convolve_few if few else gathered.convolve
    convolve(count, x, packed, steps, bias, planes, grid, place, width, out, split)


def _plane(array):
    """(N, C, L) as (N, C, 1, L)."""
    return array[:, :, None] if array.ndim == 3 else array


def _line(array):
    """The inverse of `_plane`; None and NotImplemented stay."""
    return array[:, :, 0] if isinstance(array, np.ndarray) else array


def _short(positions, weight):
    """Whether so many numbers of output are too little work for a line: the composition is one
    product there, and faster.
    """
    return positions * weight[0].size < PARALLEL


def _as_planes(stride, padding, dilation):
    return (1, *stride), (0, *padding), (1, *dilation)


def _depths(shape, weight, stride, padding, dilation):
    """(kernel, stride, padding, dilation, positions) along the depth of a volume of `shape`; None
    where there is no position, or so little work that the composition is as fast.
    """
    if not weight.size or min(shape) < 1 or min(stride) < 1:
        return None
    counts = positions_of(shape[2:], weight.shape[2:], stride, padding, dilation)
    if min(counts) < 1 or shape[0] * math.prod(counts) * weight.size < PARALLEL:
        return None
    return weight.shape[2], stride[0], padding[0], dilation[0], counts[0]


def _flat_window(weight):
    """(O, C * KD, KH, KW) of weight (O, C, KD, KH, KW)."""
    return plain(weight).reshape(len(weight), -1, *weight.shape[3:])


def _as_pictures(stride, padding, dilation):
    return tuple(stride[1:]), tuple(padding[1:]), tuple(dilation[1:])


def convolution(input, weight, bias, stride, padding, dilation, groups, rectified=False):
    """Cross-correlation of (N, C, H, W) with (O, C / groups, KH, KW), of (N, C, L) with
    (O, C / groups, K), or of (N, C, D, H, W) with (O, C / groups, KD, KH, KW), plus bias by
    channel. rectified: 0 in place of what is below.
    """
    if input.ndim == weight.ndim == 5:
        depths = _depths(input.shape, weight, stride, padding, dilation)
        if depths is None:
            return NotImplemented
        how = *_as_pictures(stride, padding, dilation), groups, rectified
        found = convolution(volumes.stacked(input, *depths), _flat_window(weight), bias, *how)
        return found if found is NotImplemented else volumes.volume(found, len(input))
    if input.ndim == weight.ndim == 3:
        if _short(input.shape[0] * len(weight) * input.shape[2] // max(1, stride[0]), weight):
            return NotImplemented
        how = *_as_planes(stride, padding, dilation), groups, rectified
        return _line(convolution(_plane(input), _plane(weight), bias, *how))
    if not _served(input, weight, bias, stride, padding, dilation, groups):
        return NotImplemented
    kernel, samples, channels = weight.shape[2:], input.shape[0], weight.shape[0]
    grid = positions_of(input.shape[2:], kernel, stride, padding, dilation)
    if disjoint.served(grid, weight, stride, padding, dilation, groups):
        return disjoint.convolve(input, plain(weight), bias, stride, grid, rectified)
    bias = np.zeros(channels, input.dtype) if bias is None else plain(bias)
    if minimal.served(weight, grid, stride, padding, dilation, groups):
        out = np.empty((samples, channels, *grid), input.dtype)
        of = plain(input), plain(weight), False, bias, stride[0], padding, dilation, groups
        if minimal.convolve(*of, rectified, out):
            return out
    how = weight.shape[1], input.shape[2:], kernel, stride, padding, dilation
    planes, grid, steps = _forward(*how)
    packed = _packed(weight, groups, len(steps), np.arange(len(steps)), channels // groups)
    out = np.empty((samples, channels, *grid[:2]), input.dtype)
    _run(
        plain(input).reshape(samples, groups, -1),
        packed,
        steps,
        bias.reshape(groups, -1),
        planes,
        grid,
        (*grid[:2], 0, 1, 0, 1),
        rectified,
        out.reshape(samples, groups, -1),
    )
    return out


def convolution_vjp(g, input, weight, stride, padding, dilation, groups, needs):
    """Gradients of input, weight and bias, None where `needs` asks for none."""
    if input.ndim == weight.ndim == 5:
        depths = _depths(input.shape, weight, stride, padding, dilation)
        if depths is None:
            return NotImplemented
        how = *_as_pictures(stride, padding, dilation), groups, needs
        stack, window = volumes.stacked(input, *depths), _flat_window(weight)
        found = convolution_vjp(volumes.pictures(g), stack, window, *how)
        if found is NotImplemented:
            return NotImplemented
        g_input, g_weight, g_bias = found
        g_input = g_input if g_input is None else volumes.unstacked(g_input, input.shape, *depths)
        return g_input, g_weight if g_weight is None else g_weight.reshape(weight.shape), g_bias
    if input.ndim == weight.ndim == 3:
        if _short(g.size, weight):
            return NotImplemented
        how = *_as_planes(stride, padding, dilation), groups, needs
        found = convolution_vjp(_plane(g), _plane(input), _plane(weight), *how)
        return found if found is NotImplemented else (_line(found[0]), _line(found[1]), found[2])
    if not _served(input, weight, None, stride, padding, dilation, groups):
        return NotImplemented
    if g.dtype is not input.dtype or (needs[0] and not _all_finite(weight)):
        return NotImplemented
    how = stride, padding, dilation, groups
    g = plain(g)
    g_input = g_weight = g_bias = None
    if needs[0]:
        g_input = _input_gradient(g, input.shape, weight, None, *how)
    if needs[1]:
        g_weight = _weight_gradient(g, input, weight, *how)
        if not _all_finite(g_weight):
            return NotImplemented
    if needs[2]:
        g_bias = np.empty(weight.shape[0], g.dtype)
        gathered.sum_planes(len(g_bias), g.reshape(*g.shape[:2], -1), g_bias)
    return g_input, g_weight, g_bias


def _all_finite(weight):
    """Whether zeros may stand for what lies beyond the border: infinity times zero is nan."""
    return bool(np.isfinite(weight).all())


def _phase(phase, size, positions, kernel, stride, padding, dilation):
    """Along one dimension, what of the output meets the input's places y with (y + padding) %
    stride == phase: (elements of the window, how far each reads from the first one, what the
    first place reads, the first such place, how many there are).
    """
    elements = np.arange(kernel)
    elements = elements[elements * dilation % stride == phase]
    first = -(-(padding - phase) // stride)
    count = (size - 1 + padding - phase) // stride - first + 1
    reads = (phase - elements * dilation) // stride
    lowest = int(reads.min()) if len(reads) else 0
    return elements, reads - lowest, first + lowest, first * stride + phase - padding, count


@lru_cache(256)
def _adjoint(channels, size, positions, kernel, stride, padding, dilation):
    """For each phase of the stride that has places in the input: (place, (planes, grid, steps,
    where in the weight the terms are)), None for the latter if no element of the window meets it.
    channels: of the output and of the input in one group.
    """
    adjoint: list[Any] = []
    of_group, per_group = channels
    window = kernel[0] * kernel[1]
    for phases in np.ndindex(stride):
        each = phases, size, positions, kernel, stride, padding, dilation
        found = [_phase(*numbers) for numbers in zip(*each, strict=True)]
        elements, reads, starts, places, counts = zip(*found, strict=True)
        if min(counts) < 1:
            continue
        place = *size, places[0], stride[0], places[1], stride[1]
        if not (len(elements[0]) and len(elements[1])):
            adjoint.append((place, None))
            continue
        lines = [n + int(read.max()) for n, read in zip(counts, reads, strict=True)]
        numbers = len(elements[0]), len(elements[1])
        down, across = _along(reads, numbers)
        steps = _steps(of_group, lines[0] * lines[1], down * lines[1] + across)
        row, column = _along(elements, numbers)
        of_weight = _steps(of_group, per_group * window, row * kernel[1] + column)
        planes = of_group, *positions, *starts, 1, 1, *lines
        adjoint.append((place, (planes, (*counts, lines[1]), steps, of_weight)))
    return adjoint


def _input_gradient(g, shape, weight, bias, stride, padding, dilation, groups):
    """The adjoint in the input: for each phase of the stride a convolution of g whose window has
    the elements that meet it.
    """
    (samples, channels), size = shape[:2], tuple(shape[2:])
    kernel, per_group = weight.shape[2:], channels // groups
    out = np.empty(shape, g.dtype)
    bias = np.zeros(channels, g.dtype) if bias is None else plain(bias)
    how = stride, padding, dilation, groups
    if disjoint.served(g.shape[2:], weight, *how):
        disjoint.input_gradient(g, plain(weight), bias, stride, out)
        return out
    if minimal.served(weight, g.shape[2:], *how) and minimal.convolve(
        g, plain(weight), True, bias, stride[0], padding, dilation, groups, False, out
    ):
        return out
    channels = weight.shape[0] // groups, per_group
    for place, terms in _adjoint(channels, size, g.shape[2:], kernel, stride, padding, dilation):
        if terms is None:
            part = out[:, :, place[2] :: stride[0], place[4] :: stride[1]]
            part[...] = bias.reshape(-1, 1, 1)
            continue
        planes, grid, steps, of_weight = terms
        _run(
            g.reshape(samples, groups, -1),
            _packed(weight, groups, kernel[0] * kernel[1], of_weight, per_group),
            steps,
            bias.reshape(groups, -1),
            planes,
            grid,
            place,
            False,
            out.reshape(samples, groups, -1),
        )
    return out


def _weight_gradient(g, input, weight, stride, padding, dilation, groups):
    samples, channels = g.shape[:2]
    shape = weight.shape
    out = np.empty(shape, g.dtype)
    if disjoint.served(g.shape[2:], weight, stride, padding, dilation, groups):
        disjoint.weight_gradient(g, input, stride, out)
        return out
    if minimal.served(weight, g.shape[2:], stride, padding, dilation, groups):
        given = g, plain(input), stride[0], padding, dilation, groups
        minimal.weight_gradient(*given, out)
        return out
    how = shape[1], input.shape[2:], shape[2:], stride, padding, dilation
    planes, grid, steps = _forward(*how)
    width = columns(g.dtype)
    panels = -(-(channels // groups) // width)
    few = channels // groups <= gathered.FEW or len(steps) <= gathered.FEW_TERMS
    each = max(1, groups * panels // SUMS) if few else 1
    tasks = -(-groups * panels // each)
    chunks = min(samples, -(-SUMS // tasks))
    sums = np.empty((groups, panels, chunks, len(steps) * width), g.dtype)
    per_group = channels // groups
    arrays = g.reshape(samples, groups, -1), plain(input).reshape(samples, groups, -1)
    terms = per_group, steps, planes, grid, width
    if few:
        gathered.few_weights(tasks * chunks, *arrays, *terms, each, sums)
    else:
        gathered.weights(tasks * chunks, *arrays, *terms, sums)
    gathered.gathered_weights(groups * panels, sums, width, out.reshape(groups, per_group, -1))
    return out


def transposed_convolution(input, weight, bias, stride, padding, dilation, groups, size):
    """The adjoint of `convolution` in its input, plus bias by channel."""
    if input.ndim == weight.ndim == 5:
        shape = input.shape[0], weight.shape[1] * groups, *size
        depths = _depths(shape, weight, stride, padding, dilation)
        if depths is None or depths[-1] != input.shape[2]:
            return NotImplemented
        how = *_as_pictures(stride, padding, dilation), groups, tuple(size[1:])
        planes = volumes.pictures(input)
        found = transposed_convolution(planes, _flat_window(weight), None, *how)
        if found is NotImplemented or (bias is not None and bias.dtype is not input.dtype):
            return NotImplemented
        found = volumes.unstacked(found, shape, *depths)
        return found if bias is None else np.add(found, bias.reshape(-1, 1, 1, 1), out=found)
    if input.ndim == weight.ndim == 3:
        if _short(input.size, weight):
            return NotImplemented
        how = *_as_planes(stride, padding, dilation), groups, (1, *size)
        return _line(transposed_convolution(_plane(input), _plane(weight), bias, *how))
    shape = input.shape[0], weight.shape[1] * groups, *size
    if weight.ndim != 4 or input.ndim != 4 or weight.shape[0] != input.shape[1]:
        return NotImplemented
    if bias is not None and (bias.dtype is not input.dtype or bias.shape != shape[1:2]):
        return NotImplemented
    # Of the array whose gradient this is only shape and dtype are read.
    like = np.broadcast_to(input.dtype.type(0), shape)
    how = stride, padding, dilation
    if not _served(like, weight, None, *how, groups):
        return NotImplemented
    if not input.size or positions_of(size, weight.shape[2:], *how) != input.shape[2:]:
        return NotImplemented
    if not _all_finite(weight):
        return NotImplemented
    return _input_gradient(plain(input), shape, weight, bias, *how, groups)


def transposed_convolution_vjp(g, input, weight, stride, padding, dilation, groups, needs):
    """Gradients of input, weight and bias, None where `needs` asks for none."""
    how = stride, padding, dilation, groups
    g_input = g_weight = g_bias = None
    if needs[0]:
        g_input = convolution(g, weight, None, *how)
    if needs[1]:
        g_weight = convolution_vjp(input, g, weight, *how, (False, True, False))
    if g_input is NotImplemented or g_weight is NotImplemented:
        return NotImplemented
    if needs[2]:
        g_bias = g.sum((0, *range(2, g.ndim)))
    return g_input, None if g_weight is None else g_weight[1], g_bias
