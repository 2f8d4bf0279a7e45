"""Which convolutions `winograd` does, and what makes more of them its own: a dilation parts an
image into smaller ones, groups are convolutions of their own. Knows planes and their phases.

With a dilation of d, the places of a window are d apart: every d-th row and column of the image are
an image of which the window reads neighbours. So d * d images stand in a batch for one, which costs
a copy of input and output. Forward and both gradients of 3 x 3 on two threads, all products summed
and this: 128 channels of 16 x 16 with d = 2 25.0 and 13.9 ms, 256 of 16 x 16 in 4 groups 24.4 and
15.9.
"""

import numpy as np

from tensorgrad.kernels.numba import winograd
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.lines import add_to_every_second, copy_every_second
from tensorgrad.kernels.numba.tasks import Tasks

# By side of the window and stride the channels, in and out, from which on it wins.
CHANNELS = {(2, 1): 16, (3, 1): 16, (5, 1): 32, (3, 2): 16, (4, 2): 16, (5, 2): 16, (6, 2): 16}
GROUPED = 32  # channels of one of several groups, whose planes have to be copied


def served(weight, positions, stride, padding, dilation, groups):
    """Whether Winograd's filtering wins, where the output fills a tile."""
    outputs, channels, side, across = weight.shape
    apart = dilation[0]
    return (
        weight.dtype == np.float32
        and side == across
        and stride[0] == stride[1]
        and dilation[1] == apart
        and (apart == 1 or (stride[0] == 1 and not (padding[0] % apart or padding[1] % apart)))
        and (groups == 1 or min(channels, outputs // groups) >= GROUPED)
        and min(channels, outputs // groups) >= CHANNELS.get((side, stride[0]), np.inf)
        and min(positions) > 3 * apart
        and max(padding) <= apart * (side - stride[0])
    )


# -------------------------------------------------------------------------------- phases of planes
@Tasks
def _part(plane, x, size, apart, of_phase, parts):
    """parts (apart ** 2, planes, numbers) from x (planes, numbers): rows and columns `apart`."""
    height, width = of_phase
    source = x[plane]
    for phase in range(apart * apart):
        target = parts[phase, plane]
        down, across = phase // apart, phase % apart
        rows = (size[0] - down + apart - 1) // apart
        columns = (size[1] - across + apart - 1) // apart
        for i in range(height):
            at = (i * apart + down) * size[1] + across
            if i >= rows:
                for j in range(width):
                    target[i * width + j] = 0
                continue
            if apart == 2:
                copy_every_second(source, at, target, i * width, columns)
            else:
                for j in range(columns):
                    target[i * width + j] = source[at + j * apart]
            for j in range(columns, width):
                target[i * width + j] = 0


@Tasks
def _join(plane, parts, size, apart, of_phase, out):
    """The inverse of `_part`."""
    target = out[plane]
    zero, lowest = out.dtype.type(0), out.dtype.type(-np.inf)
    for phase in range(apart * apart):
        source = parts[phase, plane]
        down, across = phase // apart, phase % apart
        rows = (size[0] - down + apart - 1) // apart
        columns = (size[1] - across + apart - 1) // apart
        for i in range(rows):
            at = (i * apart + down) * size[1] + across
            if apart == 2:
                add_to_every_second(source, i * of_phase[1], zero, lowest, target, at, columns)
            else:
                for j in range(columns):
                    target[at + j * apart] = source[i * of_phase[1] + j]


def _room(shape, apart):
    """The shape of all phases of (N, C, H, W): (apart ** 2 * N, C, H', W')."""
    samples, channels, height, width = shape
    return apart * apart * samples, channels, -(-height // apart), -(-width // apart)


def _phases(x, apart):
    if apart == 1:
        return x
    parts = np.empty(_room(x.shape, apart), x.dtype)
    planes = x.shape[0] * x.shape[1]
    given = x.reshape(planes, -1), x.shape[2:], apart, parts.shape[2:]
    _part(planes, *given, parts.reshape(apart * apart, planes, -1))
    return parts


# ----------------------------------------------------------------------------------------- products
def _groups(array, groups):
    """Each group's channels of (N, C, H, W)."""
    if groups == 1:
        return [array]
    return [plain(part) for part in np.split(array, groups, 1)]


def _each(weight, groups):
    """Each group's windows."""
    return [weight] if groups == 1 else np.split(weight, groups)


def convolve(x, weight, turned, bias, stride, padding, dilation, groups, rectified, out):
    """Fills out as `winograd.convolve` does, which says whether all is finite."""
    apart = dilation[0]
    inner = tuple(p // apart for p in padding)
    finite = True
    each = out.shape[1] // groups
    inputs, weights = _groups(x, groups), _each(weight, groups)
    for group, (part, of_weight) in enumerate(zip(inputs, weights, strict=True)):
        own = slice(group * each, (group + 1) * each)
        shape = out.shape[0], each, *out.shape[2:]
        whole = out if groups == 1 else np.empty(shape, out.dtype)
        found = whole if apart == 1 else np.empty(_room(shape, apart), out.dtype)
        given = _phases(part, apart), of_weight, turned, bias[own], stride, inner, rectified
        finite = winograd.convolve(*given, found) and finite
        if apart > 1:
            planes = shape[0] * shape[1]
            parts = found.reshape(apart * apart, planes, -1)
            how = shape[2:], apart, found.shape[2:]
            _join(planes, parts, *how, whole.reshape(planes, -1))
        if groups > 1:
            out[:, own] = whole
    return finite


def weight_gradient(g, x, stride, padding, dilation, groups, weight):
    """Fills weight (O, C / groups, K, K) from g (N, O, H', W') and x (N, C, H, W)."""
    apart = dilation[0]
    inner = tuple(p // apart for p in padding)
    parts = zip(_groups(g, groups), _groups(x, groups), _each(weight, groups), strict=True)
    for of_output, of_input, of_weight in parts:
        given = _phases(of_output, apart), _phases(of_input, apart), stride, inner
        winograd.weight_gradient(*given, of_weight)
