"""What losses of classes pick, and the mean over what is counted: what `losses.cu` is given."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.loader import kernel, served, wide

Array = Any

BLOCK = 256  # as in groups.cuh


def launch(name: str, char: str, count: int, *arguments: Any) -> None:
    """A kernel with a thread for each of so many."""
    if count:
        kernel("losses.cu", name, char)((-(-count // BLOCK),), (BLOCK,), arguments)


def lines_of(shape: tuple[int, ...], target: Array, ignored: int) -> Any:
    """Classes, elements after them, and what is ignored; None unless targets fit the shape."""
    if len(shape) not in (2, 3) or target.shape != shape[:1] + shape[2:]:
        return None
    if target.dtype != np.int64:
        return None
    return np.int64(shape[1]), np.int64(math.prod(shape[2:])), np.int64(ignored)


def picked(input: Array, target: Array, ignored: int, report: Any) -> Any:
    """-input[i, target[i]] for rows of input (N, C), or at each place of (N, C, S); 0 where that is
    ignored, or reported.
    """
    import cupy

    how = lines_of(input.shape, target, ignored)
    if how is None or not served([input]):
        return NotImplemented
    ready = cupy.ascontiguousarray(input), cupy.ascontiguousarray(target)
    out = cupy.empty(target.shape, input.dtype)
    sizes = np.int64(out.size), *how
    launch("picked", input.dtype.char, out.size, *ready, out, *sizes, report)
    return out


def picked_vjp(g: Array, shape: tuple[int, ...], target: Array, ignored: int) -> Any:
    import cupy

    how = lines_of(shape, target, ignored)
    if how is None or not served([g]):
        return NotImplemented
    ready = cupy.ascontiguousarray(g), cupy.ascontiguousarray(target)
    out = cupy.empty(shape, g.dtype)
    launch("picked_vjp", g.dtype.char, out.size, *ready, out, np.int64(out.size), *how)
    return out


def counted_mean(input: Array, target: Array, ignored: int) -> Any:
    """(The sum of the input over the number of targets that are not ignored, that number)."""
    import cupy

    if not served([input]) or target.dtype != np.int64:
        return NotImplemented
    ready = cupy.ascontiguousarray(input), cupy.ascontiguousarray(target)
    mean, counted = cupy.empty((), input.dtype), cupy.empty((), wide(input.dtype))
    sizes = np.int64(input.size), np.int64(target.size), np.int64(ignored)
    launch("counted_mean", input.dtype.char, 1, *ready, mean, counted, *sizes)
    return mean, counted


def counted_mean_vjp(g: Array, shape: tuple[int, ...], counted: Array) -> Any:
    import cupy

    if not served([g]) or counted.dtype != wide(g.dtype):
        return NotImplemented
    out = cupy.empty(shape, g.dtype)
    given = cupy.ascontiguousarray(g), counted, out, np.int64(out.size)
    launch("counted_mean_vjp", g.dtype.char, out.size, *given)
    return out
