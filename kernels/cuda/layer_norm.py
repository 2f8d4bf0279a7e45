"""Standardising the last dimensions of arrays: what `layer_norm.cu` is given."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.kernels.cuda.lines import APART, BLOCK, group_of, lines_a_block, ready
from tensorgrad.kernels.cuda.loader import kernel, served_in_full

Array = Any

BLOCKS = 256  # that sum up gradients of weights


class Rows(NamedTuple):
    """Rows of `size` elements. Their weights are one for each place; or, of row r, those of the
    channels of group r % groups, each of so many places.
    """

    number: int
    size: int
    places: int = 1
    groups: int = 1
    channels: int = 0  # of a row; 0 if each place has a weight

    @property
    def weights(self) -> int:
        return self.groups * self.channels or self.size


class State(NamedTuple):
    """What a gradient needs of the forward pass."""

    mean: Array
    variance: Array
    rows: Rows
    affine: tuple[int, ...] | None  # the shape of the weights


def rows_of(
    shape: tuple[int, ...], dim: tuple[int, ...], affine: tuple[int, ...] | None
) -> Rows | None:
    """How an array lies whose last dimensions are standardised, and its weights of the shape
    `affine`; None for what no kernel knows.
    """
    first = len(shape) - len(dim)
    if tuple(d % len(shape) for d in dim) != tuple(range(first, len(shape))) or 0 in shape:
        return None
    count, size = math.prod(shape[:first]), math.prod(shape[first:])
    if affine is None or affine == shape[first:]:
        return Rows(count, size)
    if len(affine) != len(shape) or affine[0] != 1 or first == 0:
        return None
    stop = max(first, *[d + 1 for d, n in enumerate(affine) if n != 1], 1)
    if affine[1:stop] != shape[1:stop]:
        return None
    groups, places = math.prod(shape[1:first]), math.prod(shape[stop:])
    return Rows(count, size, places, groups, size // places)


def standardize(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    dim: tuple[int, ...],
    eps: float,
    centred: bool,
) -> Any:
    """(out, mean, variance, state for the gradient); mean and variance by row, the variance about 0
    if not centred.
    """
    import cupy

    given = [array for array in (weight, bias) if array is not None]
    affine = given[0].shape if given else None
    rows = rows_of(input.shape, dim, affine)
    if rows is None or not served_in_full([input, *given]) or any(w.shape != affine for w in given):
        return NotImplemented
    out = cupy.empty(input.shape, input.dtype)
    mean, variance = (cupy.empty(rows.number, input.dtype) for _ in range(2))
    arrays = ready([input, *[input if w is None else w for w in (weight, bias)]])
    group = group_of(rows.size, 1, input.dtype.itemsize)
    kernel("layer_norm.cu", "standardize", input.dtype.char, group)(
        (-(-rows.number // lines_a_block(group)),),
        (BLOCK,),
        (
            *(*arrays, out, mean, variance, np.int64(rows.number)),
            *map(np.int32, (rows.size, rows.places, rows.groups)),
            *(float(eps), *map(np.bool_, (weight is not None, bias is not None, centred))),
        ),
    )
    return out, mean, variance, State(mean, variance, rows, affine)


def standardize_vjp(
    g: Array,
    input: Array,
    weight: Array | None,
    eps: float,
    state: State,
    centred: bool,
    summed: bool,
) -> Any:
    """Gradients of the input, and of a weight and a bias; None for these if not `summed`."""
    import cupy

    mean, variance, rows, affine = state
    if not served_in_full([g, input]):
        return NotImplemented
    out = cupy.empty(input.shape, input.dtype)
    arrays = ready([g, input, input if weight is None else weight])
    char, itemsize = input.dtype.char, input.dtype.itemsize
    if rows.channels:
        # A warp for each of several channels, or the block for one after another.
        group = 32 if rows.channels >= BLOCK // 32 else BLOCK
        blocks = rows.number
        parts = rows.number // rows.groups
        partial = cupy.empty((parts, 2, rows.weights), input.dtype)
        sizes = map(np.int32, (rows.channels, rows.places, rows.groups))
        numbers = *sizes, float(eps), np.bool_(weight is not None)
        name = "standardize_channels_vjp"
    else:
        group = group_of(rows.size, 1, itemsize)
        parts = blocks = min(-(-rows.number // lines_a_block(group)), BLOCKS)
        partial = cupy.empty((parts if summed else 0, 2, rows.size), input.dtype)
        how = map(np.bool_, (weight is not None, centred, summed))
        numbers = np.int64(rows.number), np.int32(rows.size), float(eps), *how
        name = "standardize_vjp"
    run = kernel("layer_norm.cu", name, char, group)
    run((blocks,), (BLOCK,), (*arrays, mean, variance, out, partial, *numbers))
    if not summed or affine is None:
        return out, None, None
    sums = column_sums(partial.reshape(parts, -1)).reshape(2, *affine)
    return out, sums[0], sums[1]


def column_sums(input: Array) -> Array:
    """Sums over the first dimension of (n, columns), in the order of the numbers."""
    import cupy

    count, columns = input.shape
    out = cupy.empty(columns, input.dtype)
    run = kernel("layer_norm.cu", "column_sums", input.dtype.char)
    blocks = -(-columns // lines_a_block(APART))
    run((blocks,), (BLOCK,), (input, out, np.int32(count), np.int32(columns)))
    return out
