"""Max pooling over one or two spatial dimensions. Knows planes: one channel of one sample, flat.

Reads one plane and writes the largest elements and their places, which the way back reads. Windows
of 2 x 2 and 3 x 3 a step of 2 apart go a vector at a time, away from the border; any other one by
one. A vector of windows is written by hand: rows of windows are shorter than the loops that LLVM
would make vectors of (12 windows a row: 4 times the speed, 4 a row: 2.3 times).
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.microkernel import BYTES, Emit
from tensorgrad.kernels.numba.runtime import FLOATS, serial
from tensorgrad.kernels.numba.sums import CHUNK, chunks
from tensorgrad.kernels.numba.tasks import Tasks

_instruction: Any = intrinsic
_INT32 = ir.IntType(32)


def positions_of(size, kernel, stride, padding, dilation, ceil_mode=False):
    """Positions of the window along both dimensions: below 1 where it does not fit. ceil_mode
    counts one that reaches past the padding too, if it starts before.
    """
    found = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = -(-room // s) + 1 if ceil_mode else room // s + 1
        found.append(count - 1 if ceil_mode and (count - 1) * s >= n + p else count)
    return tuple(found)


@serial
def _better(value, best):
    """The first element stands until one is larger, the last NaN to the end."""
    return (value > best) | (value != value)


def _spread(builder, number, width):
    """A number in every lane."""
    kind = ir.VectorType(number.type, width)
    undefined, zero = ir.Constant(kind, ir.Undefined), ir.IntType(32)(0)
    first = builder.insert_element(undefined, number, zero)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    return builder.shuffle_vector(first, undefined, zeros)


def _first_largest(side):
    """The instruction that does a vector of windows of `side` x `side`, a step of 2 apart, the
    first from place `start` of a plane on: `count` of them go to out and places from `at` on.
    """

    def instruction(typing_context, plane, start, row, out, places, at, count):
        n = types.intp
        signature = types.void(plane, n, n, out, places, n, n)

        def generate(context, builder, signature, values):
            emit = Emit(context, builder, signature.args[0].dtype)
            kinds, (plane, start, row, out, places, at, count) = signature.args, values
            source = emit.at(emit.data(kinds[0], plane), start)
            width, needed = emit.width, builder.mul(count, emit.number(2))
            halves = [range(first, 2 * width, 2) for first in (0, 1)]
            halves = [ir.Constant(ir.VectorType(_INT32, width), list(half)) for half in halves]
            best, step = None, None
            for down in range(side):
                line = builder.mul(row, emit.number(down))
                for beside in range(side):
                    if beside % 2 == 0:
                        place = emit.at(source, line, emit.number(beside))
                        inside = builder.sub(needed, emit.number(beside // 2))
                        pair = [
                            emit.masked_load(
                                emit.at(place, emit.number(first)), emit.mask(inside, first)
                            )
                            for first in (0, width)
                        ]
                    value = builder.shuffle_vector(*pair, halves[beside % 2])
                    far = builder.trunc(builder.add(line, emit.number(beside)), _INT32)
                    far = _spread(builder, far, width)
                    if best is None:
                        best, step = value, far
                        continue
                    larger = builder.or_(
                        builder.fcmp_ordered(">", value, best),
                        builder.fcmp_unordered("uno", value, value),
                    )
                    best = builder.select(larger, value, best)
                    step = builder.select(larger, far, step)
            there = emit.mask(count, 0)
            emit.masked_store(best, emit.at(emit.data(kinds[3], out), at), there)
            kind = ir.VectorType(ir.IntType(64), width)
            firsts = ir.Constant(kind, [2 * lane for lane in range(width)])
            found = builder.add(builder.zext(step, kind), firsts)
            found = builder.add(found, _spread(builder, start, width))
            target = emit.at(emit.data(kinds[4], places), at)
            target = builder.bitcast(target, kind.as_pointer())
            name = f"llvm.masked.store.v{width}i64.p0v{width}i64"
            emit.call(name, ir.VoidType(), (found, target, _INT32(8), there))
            return context.get_dummy_value()

        return signature, generate

    return _instruction(instruction)


_by_two, _by_three = _first_largest(2), _first_largest(3)


@serial
def _any_windows(source, i, first, last, result, place, size, kernel, stride, padding, dilation):
    """Row i of the windows, from number `first` to before `last`."""
    top = i * stride[0] - padding[0]
    for j in range(first, last):
        left = j * stride[1] - padding[1]
        best, where = source.dtype.type(-np.inf), -1  # padding counts as -inf
        for k in range(kernel[0]):
            h = top + k * dilation[0]
            if 0 <= h < size[0]:
                for m in range(kernel[1]):
                    w = left + m * dilation[1]
                    if 0 <= w < size[1]:
                        value = source[h * size[1] + w]
                        if _better(value, best) or where < 0:
                            best, where = value, h * size[1] + w
        result[j] = best
        place[j] = where


def _windows_of_planes(
    task, planes, x, out, places, size, kernel, stride, padding, dilation, positions
):  # fmt: skip
    rows, row = positions
    side = kernel[0]
    common = kernel[1] == side and 2 <= side <= 3 and stride[1] == 2 and max(dilation) == 1
    # The windows of a row that lie within the plane, if its rows do.
    first = min(row, (padding[1] + 1) // 2) if common else row
    last = max(first, min(row, (size[1] + padding[1] - side) // 2 + 1))
    width = BYTES // x.itemsize
    for p in range(task * planes, min((task + 1) * planes, x.shape[0])):
        source = x[p]
        for i in range(rows):
            result, place = out[p, i * row : (i + 1) * row], places[p, i * row : (i + 1) * row]
            top = i * stride[0] - padding[0]
            start, stop = first, last
            if top < 0 or top + side > size[0]:
                start, stop = row, row
            how = size, kernel, stride, padding, dilation
            if start:  # a call takes as long as some windows
                _any_windows(source, i, 0, start, result, place, *how)
            for j in range(start, stop, width):
                at, some = top * size[1] + j * 2 - padding[1], min(width, stop - j)
                if side == 2:
                    _by_two(source, at, size[1], result, place, j, some)
                else:
                    _by_three(source, at, size[1], result, place, j, some)
            if stop < row:
                _any_windows(source, i, stop, row, result, place, *how)


def _add_at_places(task, planes, g, places, out):
    for p in range(task * planes, min((task + 1) * planes, out.shape[0])):
        source, place, target = g[p], places[p], out[p]
        for j in range(target.size):
            target[j] = 0
        for j in range(source.size):
            if place[j] >= 0:
                target[place[j]] += source[j]


# A launch takes longer than all the work on a small array.
_max_windows, _max_windows_at_once = Tasks(_windows_of_planes), serial(_windows_of_planes)
_max_windows_vjp, _max_windows_vjp_at_once = Tasks(_add_at_places), serial(_add_at_places)


def max_windows(x, kernel, stride, padding, dilation, ceil_mode=False):
    """(the largest element of each window of (..., H, W) or (..., W), its place in the plane; -1:
    padding).
    """
    if x.dtype not in FLOATS or len(kernel) > 2 or x.ndim < 2 or not x.size or min(stride) < 1:
        return NotImplemented
    shape, spatial = x.shape, len(kernel)
    if spatial == 1:
        x, (kernel, stride, padding, dilation) = _as_plane(x, kernel, stride, padding, dilation)
    if x.ndim < 3:
        x = x[None]
    size = x.shape[-2:]
    positions = positions_of(size, kernel, stride, padding, dilation, ceil_mode)
    if min(positions) < 1:
        return NotImplemented
    planes = plain(x).reshape(-1, size[0] * size[1])
    out = np.empty((len(planes), positions[0] * positions[1]), x.dtype)
    places = np.empty(out.shape, np.int64)
    how = size, kernel, stride, padding, dilation, positions
    if x.size < CHUNK:
        _max_windows_at_once(0, len(planes), planes, out, places, *how)
    else:
        each, tasks = chunks(*planes.shape)
        _max_windows(tasks, each, planes, out, places, *how)
    shape = *shape[: len(shape) - spatial], *positions[2 - spatial :]
    return out.reshape(shape), places.reshape(shape)


def _as_plane(x, kernel, stride, padding, dilation):
    """One dimension as two, of which the first has one place."""
    numbers = (1, *kernel), (1, *stride), (0, *padding), (1, *dilation)
    return x.reshape(*x.shape[:-1], 1, x.shape[-1]), numbers


def max_windows_vjp(g, input_shape, spatial, places):
    """Zeros of input_shape with g added at the place of each window's largest element."""
    out = np.empty(input_shape, g.dtype)
    planes = math.prod(input_shape[: out.ndim - spatial])
    rows = plain(g).reshape(planes, -1), places.reshape(planes, -1), out.reshape(planes, -1)
    if out.size < CHUNK:
        _max_windows_vjp_at_once(0, planes, *rows)
    else:
        each, tasks = chunks(*rows[2].shape)
        _max_windows_vjp(tasks, each, *rows)
    return out
