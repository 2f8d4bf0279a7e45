"""Launches of kernels over lines of elements, as `lines.cuh` has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.loader import kernel

Array = Any

BLOCK = 256  # as in groups.cuh
WARP = 1024  # bytes of a line of neighbours up to which a warp keeps it
APART = 4  # threads for a line of elements that lie apart


def ready(arrays: Sequence[Array]) -> list[Array]:
    """The arrays, each dense in memory and in order."""
    import cupy

    return [cupy.ascontiguousarray(array) for array in arrays]


def group_of(size: int, inner: int, itemsize: int) -> int:
    """How many threads work on a line."""
    if inner > 1:
        return APART
    return 32 if size * itemsize <= WARP else BLOCK


def lines_a_block(group: int) -> int:
    return BLOCK // group


def launch(
    source: str,
    name: str,
    shape: tuple[int, ...],
    dim: int,
    arrays: Sequence[Array],
    *numbers: Any,
) -> None:
    """A kernel over all lines along `dim` of arrays of this shape, which is that of the first."""
    dim %= len(shape)
    size, inner = shape[dim], math.prod(shape[dim + 1 :])
    lines = math.prod(shape[:dim]) * inner
    group = group_of(size, inner, arrays[0].dtype.itemsize)
    sizes = np.int64(lines), np.int32(size), np.int64(inner)
    run = kernel(source, name, arrays[0].dtype.char, group)
    run((-(-lines // lines_a_block(group)),), (BLOCK,), (*arrays, *sizes, *numbers))
