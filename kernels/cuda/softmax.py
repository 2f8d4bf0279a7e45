"""Softmax, log-softmax and cross-entropy along a dimension: what `softmax.cu` is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.lines import launch, ready
from tensorgrad.kernels.cuda.loader import served, wide

Array = Any


def over_lines(name: str, dim: int, *inputs: Array) -> Any:
    """An array like the inputs, each of whose lines along `dim` is a function of theirs."""
    import cupy

    shape = inputs[0].shape
    if not served(inputs) or 0 in shape or any(input.shape != shape for input in inputs):
        return NotImplemented
    out = cupy.empty(shape, inputs[0].dtype)
    launch("softmax.cu", name, shape, dim, [*ready(inputs), out])
    return out


def cross_entropy(input: Array, target: Array, ignored: int, smoothing: float, report: Any) -> Any:
    """(loss of each line of input (N, C) or (N, C, S), state for the gradient). A target that is
    out of range is reported.
    """
    import cupy

    if input.ndim not in (2, 3) or 0 in input.shape or not served([input]):
        return NotImplemented
    if target.shape != input.shape[:1] + input.shape[2:] or target.dtype != np.int64:
        return NotImplemented
    loss = cupy.empty(target.shape, input.dtype)
    state = cupy.empty((target.size, 2), wide(input.dtype))
    given = *ready([input, target]), loss, state
    how = np.int64(ignored), smoothing, report
    launch("softmax.cu", "cross_entropy", input.shape, 1, given, *how)
    return loss, state


def cross_entropy_vjp(
    g: Array, input: Array, target: Array, ignored: int, smoothing: float, state: Array
) -> Any:
    """g (softmax(input) - target, smoothed) of each line, 0 where the target is ignored."""
    import cupy

    if not served([g, input]):
        return NotImplemented
    out = cupy.empty(input.shape, input.dtype)
    given = *ready([g, input, target]), state, out
    launch("softmax.cu", "cross_entropy_vjp", input.shape, 1, given, np.int64(ignored), smoothing)
    return out
