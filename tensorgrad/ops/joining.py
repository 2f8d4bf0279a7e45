"""Joining tensors: one behind the other, along a new dimension, over a grid; and the shapes that
they broadcast to.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, modes
from tensorgrad.errors import ShapeError
from tensorgrad.formats import Size
from tensorgrad.graph import TensorCore, unwrap
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.creation import tensor
from tensorgrad.ops.shape import (
    broadcast,
    pick,
    reshape,
    slice_of,
    take_slice,
    to_shape,
    transpose,
    unsqueeze,
)
from tensorgrad.out import into, takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_shapes",
    "broadcast_tensors",
    "cartesian_prod",
    "cat",
    "column_stack",
    "combinations",
    "concat",
    "concatenate",
    "dstack",
    "hstack",
    "meshgrid",
    "row_stack",
    "stack",
    "vstack",
]


def _parts(g: Any, tensors_shape: list[tuple[int, ...]], dim: int) -> list[Any]:
    rank = max([len(shape) for shape in tensors_shape])
    dim %= rank
    sizes = [shape[dim] if len(shape) == rank else 0 for shape in tensors_shape]
    ends = itertools.accumulate(sizes, initial=0)
    parts = [take_slice(g, slice_of(dim, a, b)) for a, b in itertools.pairwise(ends)]
    return [
        part if len(shape) == rank else to_shape(part, shape)
        for part, shape in zip(parts, tensors_shape)
    ]


cat_same: TensorFunction = primitive(
    "cat",
    "*tensors",
    "dim=0",
    expects="tensors of equal sizes but for the joined dimension",
    tensors=_parts,
)


def _check_list(op: str, tensors: Any) -> None:
    if not isinstance(tensors, list | tuple):
        raise TypeError(f"{op}: expected a list or tuple of tensors, got {type(tensors).__name__}")
    if not tensors:
        raise ShapeError(f"{op}: expected a non-empty list of tensors, got an empty one")


def cat(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Tensors one behind the other along `dim`; empty ones of one dimension join anything."""
    _check_list("cat", tensors)
    if out is not None:
        _check_apart(tensors, out)
        return into(out, "cat", cat, (tensors, dim))  # type: ignore[no-any-return]
    return cat_same(tensors, dim)


def _check_apart(tensors: Any, out: Any) -> None:
    if not isinstance(out, TensorCore):
        return
    table = modes.current().backends
    memories = [table[x._array.__class__].memory_of(x._array) for x in (out, *tensors)]
    start, held = memories[0]
    if any(
        start == other or (other < start + held and start < other + n) for other, n in memories[1:]
    ):
        raise ShapeError(
            "cat: expected out with memory of its own, got that of an input (the written-to "
            "tensor refers to a single memory location with it)"
        )


concat = cat
concatenate = cat


@takes_out
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new dimension."""
    _check_list("stack", tensors)
    for part in tensors:
        if not hasattr(part, "shape"):
            raise TypeError(f"stack: expected tensors only, got {type(part).__name__}")
    shapes = {tuple(part.shape) for part in tensors}
    if len(shapes) > 1:
        raise ShapeError(
            "stack: expected tensors of equal size, got "
            f"{' and '.join(str(list(s)) for s in sorted(shapes))}"
        )
    return cat_same([unsqueeze(part, dim) for part in tensors], dim)


@takes_out
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side: along the second dimension, vectors along their only one."""
    _check_list("hstack", tensors)
    parts = atleast_1d(*tensors)
    return cat(parts, 0 if parts and parts[0].ndim == 1 else 1)


@takes_out
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors one below the other; vectors are rows."""
    _check_list("vstack", tensors)
    return cat(atleast_2d(*tensors), 0)


row_stack = vstack


@takes_out
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors one behind the other along the third dimension."""
    _check_list("dstack", tensors)
    return cat(atleast_3d(*tensors), 2)


@takes_out
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors side by side; vectors are columns."""
    _check_list("column_stack", tensors)
    columns = [reshape(x, (math.prod(x.shape), 1)) if x.ndim < 2 else x for x in tensors]
    return cat(columns, 1)


# ---- at least so many dimensions, and shapes that broadcast


def _each(function: Any, tensors: tuple[Any, ...]) -> Any:
    """Of one tensor its result, of several, or of a sequence, a tuple."""
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        return tuple([function(x) for x in tensors[0]])
    return function(tensors[0]) if len(tensors) == 1 else tuple([function(x) for x in tensors])


def atleast_1d(*tensors: Any) -> Any:
    """Tensors with one dimension at least; several, or a sequence, give a tuple."""
    return _each(lambda x: x if x.ndim else reshape(x, (1,)), tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Tensors with two dimensions at least: vectors are rows."""
    return _each(lambda x: x if x.ndim >= 2 else reshape(x, (1, math.prod(x.shape))), tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Tensors with three dimensions at least: a vector is (1, n, 1), a matrix (m, n, 1)."""

    def deep(x: Any) -> Any:
        if x.ndim >= 3:
            return x
        return unsqueeze(x, -1) if x.ndim == 2 else reshape(x, (1, math.prod(x.shape), 1))

    return _each(deep, tensors)


def broadcast_shapes(*shapes: int | Sequence[int]) -> Size:
    """The shape that all of these broadcast to."""
    each = [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes]
    rank = max([len(shape) for shape in each], default=0)
    result = [1] * rank
    for shape in each:
        for place, n in enumerate(shape, rank - len(shape)):
            if n < 0:
                raise ShapeError(f"broadcast_shapes: expected sizes >= 0, got {list(shape)}")
            if n != 1 and result[place] not in (1, n):
                raise ShapeError(
                    "broadcast_shapes: expected shapes that broadcast, got "
                    f"{' and '.join(str(list(shape)) for shape in each)}"
                )
            result[place] = n if n != 1 else result[place]
    return Size(result)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors expanded to the shape that all broadcast to; views."""
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        (tensors,) = tensors
    shape = tuple(broadcast_shapes(*[tuple(x.shape) for x in tensors]))
    return tuple([broadcast(x, shape) for x in tensors])


# ---- grids


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Of n vectors the n grids of their coordinates: grid k has vector k along dimension k.

    indexing "xy" exchanges the first two dimensions of every grid, as for images. The grids are
    views in which elements repeat.
    """
    if len(tensors) == 1 and isinstance(tensors[0], list | tuple):
        (tensors,) = tensors
    if indexing not in ("ij", "xy"):
        raise ShapeError(f"meshgrid: expected indexing 'ij' or 'xy', got {indexing!r}")
    if not tensors or any(x.ndim > 1 for x in tensors):
        raise ShapeError(
            "meshgrid: expected vectors, got "
            f"{' and '.join(str(list(x.shape)) for x in tensors) or 'none'}"
        )
    if len({x.dtype for x in tensors}) > 1:
        raise ShapeError(
            "meshgrid: expected tensors of one dtype, got "
            f"{' and '.join(str(x.dtype) for x in tensors)}"
        )
    count = len(tensors)
    shape = tuple([math.prod(x.shape) for x in tensors])
    grids = [
        broadcast(to_shape(x, (*(1,) * k, n, *(1,) * (count - 1 - k))), shape)
        for k, (x, n) in enumerate(zip(tensors, shape))
    ]
    if indexing == "xy" and count >= 2:
        grids = [transpose(grid, 0, 1) for grid in grids]
    return tuple(grids)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Every choice of one element from each vector: (number of choices, number of vectors); of one
    vector itself.
    """
    for x in tensors:
        if x.ndim != 1:
            raise ShapeError(f"cartesian_prod: expected vectors, got shape {list(x.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(grid, (-1,)) for grid in meshgrid(*tensors)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Every choice of `r` elements of a vector, in order: (number of choices, r)."""
    if input.ndim != 1:
        raise ShapeError(f"combinations: expected a vector, got shape {list(input.shape)}")
    if r < 0:
        raise ShapeError(f"combinations: expected r >= 0, got {r}")
    if r == 0:
        return take_slice(input, (slice(0, 0),))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    numbers = itertools.chain.from_iterable(choose(range(input.shape[0]), r))
    places = tensor(list(numbers), dtype=dtypes.int64, device=input.device)
    return pick(input, (unwrap(reshape(places, (places.numel() // r, r))),))
