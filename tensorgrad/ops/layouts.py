"""Memory whose elements lie in an order that the caller names, and memory that the caller has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import dtypes
from tensorgrad.backend import backend_for
from tensorgrad.errors import ShapeError
from tensorgrad.ops.creation import Where, finish, making, sizes, whole_numbers

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = ["empty_permuted", "empty_strided", "frombuffer"]


@making
def empty_strided(
    size: Any,
    stride: Any,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uninitialised memory of `size`, with `stride` elements from place to place along each
    dimension.
    """
    shape, steps = sizes("empty_strided", (size,)), sizes("empty_strided", (stride,))
    if len(shape) != len(steps):
        raise ShapeError(
            f"empty_strided: expected a stride for each dimension of {list(shape)}, got "
            f"{list(steps)}"
        )
    backend, place = backend_for(device)
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype("empty_strided", dtype)
    if not all(shape):
        return finish(backend.empty(shape, dtype, place), requires_grad)
    last = sum((n - 1) * step for n, step in zip(shape, steps))
    memory = backend.empty((last + 1,), dtype, place)
    return finish(
        backend.strided(memory, shape, [n * dtype.itemsize for n in steps], 0), requires_grad
    )


@making
def empty_permuted(size: Any, physical_layout: Any, **options: Any) -> Tensor:
    """Uninitialised memory of `size` whose dimensions lie in the order `physical_layout`, the last
    of which is contiguous.
    """
    shape, order = (
        sizes("empty_permuted", (size,)),
        whole_numbers("empty_permuted", (physical_layout,)),
    )
    if sorted(order) != list(range(len(shape))):
        raise ShapeError(
            f"empty_permuted: expected each of {len(shape)} dimensions once, got {list(order)}"
        )
    steps, step = [0] * len(shape), 1
    for dim in reversed(order):
        steps[dim] = step
        step *= max(shape[dim], 1)
    return empty_strided(shape, steps, **options)


def frombuffer(
    buffer: Any,
    *,
    dtype: DType,
    count: int = -1,
    offset: int = 0,
    requires_grad: bool = False,
) -> Tensor:
    """A one-dimensional tensor over the memory of an object with a buffer (bytes, bytearray, mmap):
    `count` elements from byte `offset` on, all there are unless told.
    """
    kind = dtypes.as_dtype("frombuffer", dtype)
    size = memoryview(buffer).nbytes
    if not size or not count:
        raise ValueError(f"frombuffer: expected elements, got {size} bytes and count {count}")
    if not 0 <= offset < size:
        raise ValueError(f"frombuffer: expected an offset within {size} bytes, got {offset}")
    left = size - offset
    if count < 0 and left % kind.itemsize:
        raise ValueError(
            f"frombuffer: expected whole elements of {kind.itemsize} bytes, got {left} bytes"
        )
    if count * kind.itemsize > left:
        raise ValueError(f"frombuffer: expected {count} elements of {kind}, got {left} bytes")
    return finish(np.frombuffer(buffer, kind, count, offset), requires_grad)
