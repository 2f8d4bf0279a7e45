"""Differences between neighbours, the slopes and areas that they give, and places in a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.ops.arithmetic import floor_divide, remainder
from tensorgrad.ops.creation import whole_numbers
from tensorgrad.ops.joining import cat
from tensorgrad.ops.logic import logical_xor
from tensorgrad.ops.reduction import sum
from tensorgrad.ops.scan import cumsum
from tensorgrad.ops.shape import clone_of, one_dim, reshape, slice_of, take_slice
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "cumulative_trapezoid",
    "diff",
    "gradient",
    "trapezoid",
    "trapz",
    "unravel_index",
]


def sum_to_size(input: Tensor, *size: Any) -> Tensor:
    """The sum over what broadcasting from `size` to the input's shape would repeat."""
    shape = whole_numbers("sum_to_size", size)
    own = tuple(input.shape)
    extra = len(own) - len(shape)
    if extra < 0 or any(n not in (1, m) for n, m in zip(shape, own[extra:])):
        raise ShapeError(
            f"sum_to_size: expected a size that broadcasts to {list(own)}, got {list(shape)}"
        )
    dims = [d for d in range(len(own)) if d < extra or own[d] != shape[d - extra]]
    if not shape:
        return sum(input)
    if not dims:
        return clone_of(input)
    return reshape(sum(input, dims, keepdim=True), shape)


# ---- differences


def _between(input: Any, dim: int) -> tuple[Any, Any]:
    """All places along `dim` but the last, and all but the first."""
    return take_slice(input, slice_of(dim, 0, -1)), take_slice(input, slice_of(dim, 1, None))


@takes_out
def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """The n-th differences x[i + 1] - x[i] along `dim`, of bools whether the two differ; `prepend`
    and `append` are joined to input before.
    """
    if not input.ndim:
        raise ShapeError("diff: expected a tensor with dimensions, got a 0-d tensor")
    if n < 0:
        raise ShapeError(f"diff: expected an order >= 0, got {n}")
    place = one_dim("diff", dim, input.ndim)
    for name, part in (("prepend", prepend), ("append", append)):
        if part is not None and part.ndim != input.ndim:
            raise ShapeError(
                f"diff: expected {name} with {input.ndim} dimensions, got shape {list(part.shape)}"
            )
    if n == 0:
        return clone_of(input)
    parts = [part for part in (prepend, input, append) if part is not None]
    result = cat(parts, place) if len(parts) > 1 else input
    for _ in range(min(n, result.shape[place])):
        before, after = _between(result, place)
        result = logical_xor(after, before) if result.dtype == dtypes.bool_ else after - before
    return result


def gradient(
    input: Tensor,
    *,
    spacing: Any = 1,
    dim: int | Sequence[int] | None = None,
    edge_order: int = 1,
) -> tuple[Tensor, ...]:
    """The slope along each of `dim` (all): central differences inside, and at the edges one-sided
    ones of order `edge_order` (1 or 2).

    spacing: the distance of neighbours, one number or one for each dim; or for each dim a vector
    of coordinates.
    """
    op = "gradient"
    spacing = 1 if spacing is None else spacing
    if edge_order not in (1, 2):
        raise ShapeError(f"{op}: expected edge_order 1 or 2, got {edge_order}")
    if dim is None and isinstance(spacing, list | tuple) and len(spacing) != input.ndim:
        raise ShapeError(f"{op}: expected a spacing for each dimension, got {len(spacing)}")
    given = range(input.ndim) if dim is None else whole_numbers(op, (dim,))
    dims = [one_dim(op, d, input.ndim) for d in given]
    if len(set(dims)) < len(dims):
        raise ShapeError(f"{op}: expected each dimension once, got {list(given)}")
    if any(input.shape[d] <= edge_order for d in dims):
        raise ShapeError(
            f"{op}: expected at least {edge_order + 1} places along dims {list(given)}, got shape "
            f"{list(input.shape)}"
        )
    each = list(spacing) if isinstance(spacing, list | tuple) else [spacing] * len(dims)
    if len(each) != len(dims):
        raise ShapeError(f"{op}: expected a spacing for each of {len(dims)} dims, got {len(each)}")
    devices = {str(x.device) for x in (input, *each) if hasattr(x, "device")}
    if len(devices) > 1:
        raise ShapeError(f"{op}: expected tensors on one device, got {sorted(devices)}")
    return tuple([_slope(input, d, step, edge_order) for d, step in zip(dims, each)])


def _slope(input: Any, dim: int, spacing: Any, edge_order: int) -> Tensor:
    def at(start: int | None, stop: int | None) -> Any:
        return take_slice(input, slice_of(dim, start, stop))

    first, second, third = at(0, 1), at(1, 2), at(2, 3)
    last, before, earlier = at(-1, None), at(-2, -1), at(-3, -2)
    if getattr(spacing, "ndim", 0):
        gaps = reshape(diff(spacing), (-1, *(1,) * (input.ndim - dim - 1)))
        left, right = _between(gaps, 0)
        inside = (
            at(0, -2) * (-right / (left * (left + right)))
            + at(1, -1) * ((right - left) / (left * right))
            + at(2, None) * (left / (right * (left + right)))
        )
        start, after = gaps[:1], gaps[1:2]
        end, ahead = gaps[-1:], gaps[-2:-1]
    else:
        inside = (at(2, None) - at(0, -2)) / spacing / 2
        start = after = end = ahead = spacing
    if edge_order == 1:
        edges = [(second - first) / start, (last - before) / end]
    else:
        edges = [
            _one_sided(first, second, third, start, after),
            -_one_sided(last, before, earlier, end, ahead),
        ]
    return cat([edges[0], inside, edges[1]], dim)


def _one_sided(first: Any, second: Any, third: Any, near: Any, far: Any) -> Any:
    """The slope at `first` of the parabola through three places, `near` and `far` their gaps."""
    both = near + far
    return (
        first * (-(near + both) / (near * both))
        + second * (both / (near * far))
        - third * (near / (far * both))
    )


# ---- areas


def _strips(op: str, y: Any, x: Any, dx: Any, dim: int) -> Any:
    """The areas under y between neighbours along `dim`."""
    place = one_dim(op, dim, y.ndim)
    before, after = _between(y, place)
    if x is None:
        return (before + after) * (dx / 2)
    if x.ndim == 1 and y.ndim != 1:
        if x.shape[0] != y.shape[place]:
            raise ShapeError(
                f"{op}: expected as many x as y along dimension {dim}, got {x.shape[0]} and "
                f"{y.shape[place]}"
            )
        x = reshape(x, (-1, *(1,) * (y.ndim - place - 1)))
    along = place - y.ndim
    start, end = _between(x, x.ndim + along)
    return (before + after) * (end - start) / 2


def trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """The area under y along `dim` by the trapezoidal rule: the sum of
    (y[i] + y[i + 1]) / 2 * (x[i + 1] - x[i]), or of `dx` (1) for the latter.
    """
    _check_area("trapezoid", y, x, dx)
    place = one_dim("trapezoid", dim, y.ndim)
    if not y.shape[place]:
        return sum(y, place)
    return sum(_strips("trapezoid", y, x, 1 if dx is None else dx, dim), place)


trapz = trapezoid


def cumulative_trapezoid(
    y: Tensor, x: Tensor | None = None, *, dx: float | None = None, dim: int = -1
) -> Tensor:
    """The areas of `trapezoid` from the first place to each later one."""
    _check_area("cumulative_trapezoid", y, x, dx)
    strips = _strips("cumulative_trapezoid", y, x, 1 if dx is None else dx, dim)
    return cumsum(strips, one_dim("cumulative_trapezoid", dim, y.ndim))


def _check_area(op: str, y: Any, x: Any, dx: Any) -> None:
    if x is not None and dx is not None:
        raise TypeError(f"{op}: expected x or dx, got both")
    if any(part is not None and part.dtype == dtypes.bool_ for part in (y, x)):
        raise DTypeError(f"{op}: expected numbers, got bool")


# ---- places in a grid


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Places in the flattened grid as one index for each of its dimensions."""
    if indices.dtype.kind not in "iu":
        raise DTypeError(f"unravel_index: expected integer indices, got {indices.dtype}")
    sizes = whole_numbers("unravel_index", (shape,))
    if any(n < 0 for n in sizes):
        raise ValueError(f"unravel_index: expected sizes >= 0, got {list(sizes)}")
    return tuple(
        [
            remainder(floor_divide(indices, math.prod(sizes[place + 1 :])), n)
            for place, n in enumerate(sizes)
        ]
    )
