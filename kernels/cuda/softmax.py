"""Softmax, log-softmax and cross-entropy of rows: what `softmax.cu` is given. Other dimensions than
the last are left to the compositions, and so is the smoothing of labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.loader import kernel, served

Array = Any

BLOCK = 256  # as in softmax.cu
WARP = 512  # columns up to which a warp goes over a row


def launch(name: str, rows: int, columns: int, *arguments: Any) -> None:
    """A kernel over all rows; the first argument has the elements' dtype."""
    group = 32 if columns <= WARP else BLOCK
    blocks = -(-rows // (BLOCK // group))
    kernel("softmax.cu", name, arguments[0].dtype.char, group)((blocks,), (BLOCK,), arguments)


def over_rows(name: str, dim: int, *inputs: Array) -> Any:
    """An array like the inputs, of which each row is a function of theirs."""
    import cupy

    shape = inputs[0].shape
    if not served(inputs) or dim % len(shape) != len(shape) - 1 or 0 in shape:
        return NotImplemented
    if any(input.shape != shape for input in inputs):
        return NotImplemented
    ready = [cupy.ascontiguousarray(input) for input in inputs]
    out = cupy.empty(shape, ready[0].dtype)
    rows = out.size // shape[-1]
    launch(name, rows, shape[-1], *ready, out, np.int64(rows), np.int32(shape[-1]))
    return out


def cross_entropy(input: Array, target: Array, ignored: int) -> Any:
    """(loss of each row of input (N, C), state for the gradient). A target that is out of range is
    left to the composition, which names it.
    """
    import cupy

    if input.ndim != 2 or 0 in input.shape or not served([input]) or target.dtype != np.int64:
        return NotImplemented
    outside = (target < 0) | (target >= input.shape[1])
    if target.shape != input.shape[:1] or bool(cupy.any(outside & (target != ignored))):
        return NotImplemented
    rows, columns = input.shape
    ready = cupy.ascontiguousarray(input), cupy.ascontiguousarray(target)
    loss, state = cupy.empty(rows, input.dtype), cupy.empty((rows, 2), input.dtype)
    sizes = np.int64(rows), np.int32(columns), np.int64(ignored)
    launch("cross_entropy", rows, columns, *ready, loss, state, *sizes)
    return loss, state


def cross_entropy_vjp(g: Array, input: Array, target: Array, ignored: int, state: Array) -> Any:
    """g (softmax(input) - target) of each row, 0 where the target is ignored."""
    import cupy

    if not served([g, input]):
        return NotImplemented
    rows, columns = input.shape
    ready = [cupy.ascontiguousarray(array) for array in (g, input, target)]
    out = cupy.empty(input.shape, input.dtype)
    sizes = np.int64(rows), np.int32(columns), np.int64(ignored)
    launch("cross_entropy_vjp", rows, columns, *ready, state, out, *sizes)
    return out
