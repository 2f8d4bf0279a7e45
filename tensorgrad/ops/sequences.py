"""Evenly spaced numbers, powers of them, and the identity matrix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.backend import backend_for
from tensorgrad.errors import ShapeError
from tensorgrad.ops.creation import Where, finish, making, number, sizes

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = ["eye", "linspace", "logspace", "range"]


def _spaced(op: str, start: Any, end: Any, steps: Any, dtype: DType, device: Where) -> Any:
    """`steps` float64 numbers from start to end, counted from the nearer end. Whole numbers are
    between whole ends.
    """
    start, end = number(op, start), number(op, end)
    if not hasattr(steps, "__index__"):
        raise TypeError(f"{op}: expected a whole number of steps, got {steps!r}")
    if steps < 0:
        raise RuntimeError(f"{op}: expected steps >= 0, got {steps}")
    if not dtypes.is_floating_point(dtype):
        start, end = int(start), int(end)
    steps = int(steps)
    backend, place = backend_for(device)
    gap = (end - start) / (steps - 1) if steps > 1 else 0.0
    near = backend.arange(start, gap, steps // 2, dtypes.float64, place)
    far = backend.arange(
        end if steps > 1 else start, -gap, steps - steps // 2, dtypes.float64, place
    )
    return backend, backend.cat([near, backend.flip(far, (0,))], 0)


@making
def range(
    start: Any = 0,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, ... up to `end`, which is included, in the default dtype: `arange` is
    what PyTorch, too, would have you use.
    """
    if end is None:
        raise TypeError(f"range: expected start and end, got {start!r} alone")
    start, end, step = (number("range", value) for value in (start, end, step))
    if not all(math.isfinite(value) for value in (start, end, step)):
        raise RuntimeError(f"range: expected finite numbers, got {start}, {end}, {step}")
    if step == 0 or (end - start) / step < 0:
        raise ShapeError(
            f"range: expected a step that leads from start to end, got {start}, {end}, {step}"
        )
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype("range", dtype)
    count = math.floor((end - start) / step) + 1
    if not dtypes.is_floating_point(dtype):
        start, step = int(start), int(step)
    backend, place = backend_for(device)
    return finish(backend.arange(start, step, count, dtype, place), requires_grad)


@making
def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """`steps` numbers from start to end, both included, evenly spaced; cut for integer dtypes."""
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype("linspace", dtype)
    backend, array = _spaced("linspace", start, end, steps, dtype, device)
    return finish(backend.cast(array, dtype), requires_grad)


@making
def logspace(
    start: Any,
    end: Any,
    steps: int,
    base: float = 10.0,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """base ** `linspace(start, end, steps)`; cut for integer dtypes."""
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype("logspace", dtype)
    backend, array = _spaced("logspace", start, end, steps, dtype, device)
    return finish(backend.cast(backend.pow(float(base), array), dtype), requires_grad)


@making
def eye(
    n: int,
    m: int | None = None,
    *,
    dtype: DType | None = None,
    device: Where = None,
    requires_grad: bool = False,
) -> Tensor:
    """(n, m) with ones on the diagonal."""
    rows, columns = sizes("eye", (n, n if m is None else m))
    dtype = dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype("eye", dtype)
    backend, place = backend_for(device)
    row = backend.arange(0, 1, rows, dtypes.int64, place).reshape(rows, 1)
    column = backend.arange(0, 1, columns, dtypes.int64, place)
    return finish(backend.cast(backend.eq(row, column), dtype), requires_grad)
