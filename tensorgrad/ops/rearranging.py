"""Copies whose elements stand in another order, or several times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.graph import unwrap
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.creation import whole_numbers
from tensorgrad.ops.shape import (
    broadcast,
    clone_of,
    one_dim,
    pick,
    reshape,
    to_shape,
    transpose,
)

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "flip",
    "fliplr",
    "flipud",
    "repeat",
    "repeat_interleave",
    "roll",
    "rot90",
    "tile",
]

reverse: TensorFunction = primitive(
    "flip", "input", "dims", input=lambda g, dims: reverse(g, dims), expects="existing dimensions"
)


def flip(input: Tensor, *along: Any, dims: Any = None) -> Tensor:
    """The order along `dims` reversed; a copy."""
    given = whole_numbers("flip", along if dims is None else (dims,))
    places = tuple([one_dim("flip", d, input.ndim) for d in given])
    if len(set(places)) < len(places):
        raise ShapeError(f"flip: expected each dimension once, got {list(given)}")
    return reverse(input, places if input.ndim else ())


def fliplr(input: Tensor) -> Tensor:
    """The second dimension reversed: left and right exchanged."""
    if input.ndim < 2:
        raise ShapeError(f"fliplr: expected at least 2 dimensions, got shape {list(input.shape)}")
    return reverse(input, (1,))


def flipud(input: Tensor) -> Tensor:
    """The first dimension reversed: up and down exchanged."""
    if input.ndim < 1:
        raise ShapeError("flipud: expected at least 1 dimension, got a 0-d tensor")
    return reverse(input, (0,))


rolled: TensorFunction = primitive(
    "roll",
    "input",
    "shifts, dims",
    input=lambda g, shifts, dims: rolled(g, tuple([-n for n in shifts]), dims),
)


def roll(
    input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None
) -> Tensor:
    """Elements moved by `shifts` places along `dims`, those past the end to the front; without
    dims all elements in a row.
    """
    steps = whole_numbers("roll", (shifts,))
    if not steps:
        raise ShapeError("roll: expected shifts, got none")
    along = () if dims is None else whole_numbers("roll", (dims,))
    if not along:
        if len(steps) > 1:
            raise ShapeError(f"roll: expected as many dims as shifts, got {steps} and no dims")
        flat = rolled(reshape(input, (-1,)), steps, (0,))
        return to_shape(flat, tuple(input.shape))
    if len(steps) != len(along):
        raise ShapeError(f"roll: expected as many dims as shifts, got {steps} and {along}")
    if not input.ndim:
        raise IndexRangeError("roll: expected a tensor with dimensions, got a 0-d tensor")
    return rolled(input, steps, tuple([one_dim("roll", d, input.ndim) for d in along]))


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned by k times 90 degrees in the plane of two dimensions, from the first to the second."""
    given = whole_numbers("rot90", (dims,))
    if len(given) != 2 or input.ndim < 2:
        raise ShapeError(
            f"rot90: expected two of at least 2 dimensions, got {list(given)} for shape "
            f"{list(input.shape)}"
        )
    first, second = [one_dim("rot90", d, input.ndim) for d in given]
    if first == second:
        raise ShapeError(f"rot90: expected two dimensions, got {list(given)}")
    if k % 4 == 1:
        return transpose(reverse(input, (second,)), first, second)
    if k % 4 == 2:
        return reverse(input, (first, second))
    if k % 4 == 3:
        return transpose(reverse(input, (first,)), first, second)
    return clone_of(input)


# ---- several times


def repeat(input: Tensor, *sizes: Any, repeats: Any = None) -> Tensor:
    """The tensor repeated along each dimension, new ones in front; a copy."""
    times = whole_numbers("repeat", sizes if repeats is None else (repeats,))
    if len(times) < input.ndim:
        raise ShapeError(
            f"repeat: expected at least {input.ndim} numbers for shape "
            f"{list(input.shape)}, got {list(times)}"
        )
    if any(n < 0 for n in times):
        raise ShapeError(f"repeat: expected numbers >= 0, got {list(times)}")
    shape = (1,) * (len(times) - input.ndim) + tuple(input.shape)
    if all(n == 1 for n in times):
        return clone_of(to_shape(input, shape))
    apart = to_shape(input, tuple([m for n in shape for m in (1, n)]))
    wide = broadcast(apart, tuple([m for r, n in zip(times, shape) for m in (r, n)]))
    return to_shape(clone_of(wide), tuple([r * n for r, n in zip(times, shape)]))


def tile(input: Tensor, *reps: Any, dims: Any = None) -> Tensor:
    """As `repeat`; dimensions in front that have no number are repeated once."""
    times = whole_numbers("tile", reps if dims is None else (dims,))
    return repeat(input, (*(1,) * (input.ndim - len(times)), *times))


counts_to_places = primitive("repeat_interleave", "repeats", "output_size=None")


def repeat_interleave(
    input: Tensor,
    repeats: int | Tensor | None = None,
    dim: int | None = None,
    *,
    output_size: int | None = None,
) -> Tensor:
    """Each element along `dim` repeated `repeats` times (one number, or one for each place) in a
    row; without `dim` of the flattened tensor.

    `repeat_interleave(repeats)` gives the places themselves: 0 repeats[0] times, then 1, ...
    """
    if repeats is None:
        _check_counts(input)
        return counts_to_places(input, output_size)
    if dim is None:
        input, dim = reshape(input, (-1,)), 0
    place = one_dim("repeat_interleave", dim, input.ndim)
    if not input.ndim:
        input = reshape(input, (1,))
    if not isinstance(repeats, int):
        _check_counts(repeats)
        size = input.shape[place]
        if repeats.shape not in ((), (1,), (size,)):
            raise ShapeError(
                f"repeat_interleave: expected one number or {size} of them, got shape "
                f"{list(repeats.shape)}"
            )
        counts = broadcast(reshape(repeats, (-1,)), (size,))
        places = counts_to_places(counts, output_size)
        return pick(input, (*(slice(None),) * place, unwrap(places)))
    if repeats < 0:
        raise ShapeError(f"repeat_interleave: expected repeats >= 0, got {repeats}")
    shape = tuple(input.shape)
    apart = to_shape(input, (*shape[: place + 1], 1, *shape[place + 1 :]))
    if repeats == 1:
        return clone_of(input)
    wide = broadcast(apart, (*shape[: place + 1], repeats, *shape[place + 1 :]))
    size = shape[place] * repeats
    return to_shape(clone_of(wide), (*shape[:place], size, *shape[place + 1 :]))


def _check_counts(repeats: Any) -> None:
    if repeats.ndim > 1:
        raise ShapeError(
            f"repeat_interleave: expected a vector of repeats, got shape {list(repeats.shape)}"
        )
    if repeats.dtype.kind != "i":
        raise DTypeError(f"repeat_interleave: expected whole numbers, got {repeats.dtype}")
    if bool((repeats < 0).any()):
        raise ShapeError("repeat_interleave: expected repeats >= 0, got negative ones")
