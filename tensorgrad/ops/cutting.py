"""Cutting tensors into views, and copies in which one such piece is replaced."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import inplace
from tensorgrad.errors import IndexRangeError, ShapeError
from tensorgrad.ops.creation import whole_numbers
from tensorgrad.ops.pieces import cut
from tensorgrad.ops.shape import clone, one_dim, slice_of, take_slice
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "chunk",
    "dsplit",
    "hsplit",
    "narrow",
    "select",
    "select_scatter",
    "slice_scatter",
    "split",
    "split_with_sizes",
    "tensor_split",
    "unbind",
    "unsafe_chunk",
    "unsafe_split",
    "unsafe_split_with_sizes",
    "vsplit",
]


def refuse_number(op: str, input: Any, error: type[Exception] = IndexRangeError) -> None:
    """A 0-d tensor has no dimension to cut."""
    if not input.ndim:
        raise error(f"{op}: expected a tensor with dimensions, got a 0-d tensor")


def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """`length` elements from `start` along `dim`; a view."""
    refuse_number("narrow", input, ShapeError)
    place = one_dim("narrow", dim, input.ndim)
    size = input.shape[place]
    if not isinstance(start, int):
        if start.ndim or start.dtype.kind not in "iu":
            raise ShapeError(
                f"narrow: expected start to be a 0-d integer tensor, got {start.dtype} of shape "
                f"{list(start.shape)}"
            )
        start = int(start)
    if length < 0:
        raise ShapeError(f"narrow: expected length >= 0, got {length}")
    if not -size <= start <= size:
        raise IndexRangeError(f"narrow: expected start in [{-size}, {size}], got {start}")
    start = start + size if start < 0 else start
    if start + length > size:
        raise ShapeError(
            f"narrow: expected a range within [0, {size}), got start {start} and length {length}"
        )
    return take_slice(input, slice_of(place, start, start + length))


def _selection(op: str, input: Any, dim: int, index: int) -> tuple[Any, ...]:
    refuse_number(op, input)
    place = one_dim(op, dim, input.ndim)
    size = input.shape[place]
    if not -size <= index < size:
        raise IndexRangeError(f"{op}: expected an index in [{-size}, {size}), got {index}")
    return (*(slice(None),) * place, index)


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One place along `dim`, without that dimension; a view."""
    return take_slice(input, _selection("select", input, dim, index))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Each place along `dim` as a tensor of its own; views."""
    refuse_number("unbind", input)
    place = one_dim("unbind", dim, input.ndim)
    before = (slice(None),) * place
    return cut(input, place, [(*before, i) for i in range(input.shape[place])], dropped=True)


# ---- pieces that lie side by side


def _cut_at(input: Any, place: int, ends: Sequence[int]) -> tuple[Tensor, ...]:
    """The pieces between `ends`, of which the first is 0 and the last the size."""
    pairs = itertools.pairwise(ends)
    indices = [slice_of(place, start, max(start, stop)) for start, stop in pairs]
    if list(ends) != sorted(ends):  # pieces that overlap
        return tuple([take_slice(input, index) for index in indices])
    return cut(input, place, indices, dropped=False)


def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Pieces of the given size (the last may be smaller), or of the given sizes, along `dim`;
    views.
    """
    if not isinstance(split_size_or_sections, int):
        return split_with_sizes(tensor, split_size_or_sections, dim)
    refuse_number("split", tensor)
    place = one_dim("split", dim, tensor.ndim)
    size, step = tensor.shape[place], split_size_or_sections
    if step < 0 or (step == 0 and size):
        raise RuntimeError(f"split: expected a split size > 0, got {step}")
    return _cut_at(tensor, place, [*range(0, size, step or 1), size] if size else [0, 0])


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of the given sizes along `dim`; views."""
    refuse_number("split", input)
    place = one_dim("split", dim, input.ndim)
    sections, size = whole_numbers("split", (split_sizes,)), input.shape[place]
    if any(n < 0 for n in sections) or sum(sections) != size:
        raise ShapeError(
            f"split: expected sizes that sum to {size} (dimension {dim} of "
            f"{list(input.shape)}), got {list(sections)}"
        )
    return _cut_at(input, place, [0, *itertools.accumulate(sections)])


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size (the last may be smaller) along `dim`; views."""
    if chunks <= 0:
        raise RuntimeError(f"chunk: expected chunks > 0, got {chunks}")
    refuse_number("chunk", input)
    size = input.shape[one_dim("chunk", dim, input.ndim)]
    if not size:
        return split_with_sizes(input, (0,) * chunks, dim)
    return split(input, -(-size // chunks), dim)


# PyTorch's unsafe forms differ in what they check when pieces are written in place; here all are
# checked.
unsafe_split = split
unsafe_split_with_sizes = split_with_sizes
unsafe_chunk = chunk


def tensor_split(
    input: Tensor, indices_or_sections: int | Sequence[int] | Tensor, dim: int = 0
) -> tuple[Tensor, ...]:
    """That many pieces along `dim`, as equal as can be, the larger ones first; or the pieces
    between the given indices, which are counted as in slices; views.
    """
    return _split_evenly("tensor_split", input, indices_or_sections, dim)


def _split_evenly(op: str, input: Any, given: Any, dim: int) -> tuple[Tensor, ...]:
    refuse_number(op, input, ShapeError)
    place = one_dim(op, dim, input.ndim)
    size = input.shape[place]
    if hasattr(given, "dtype"):
        if given.ndim > 1 or given.dtype.kind != "i":
            raise ShapeError(
                f"{op}: expected indices as an int64 tensor of at most one dimension, got "
                f"{given.dtype} of shape {list(given.shape)}"
            )
        given = given.tolist()
    if isinstance(given, int):
        if given <= 0:
            raise ShapeError(f"{op}: expected sections > 0, got {given}")
        least, more = divmod(size, given)
        ends = [least * n + min(n, more) for n in range(given + 1)]
    else:
        inside = [slice(n).indices(size)[1] for n in whole_numbers(op, (given,))]
        ends = [0, *inside, size]
    return _cut_at(input, place, ends)


def _along(op: str, input: Any, given: Any, dim: int, rank: int) -> tuple[Tensor, ...]:
    if input.ndim < rank:
        raise ShapeError(
            f"{op}: expected at least {rank} dimensions, got shape {list(input.shape)}"
        )
    if isinstance(given, int) and (given <= 0 or input.shape[dim] % given):
        raise ShapeError(
            f"{op}: expected sections that divide {input.shape[dim]} (dimension {dim} of "
            f"{list(input.shape)}), got {given}"
        )
    return _split_evenly(op, input, given, dim)


def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """`tensor_split` into equal pieces side by side: along the second dimension, of a vector along
    its only one.
    """
    return _along("hsplit", input, indices_or_sections, 0 if input.ndim == 1 else 1, 1)


def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """`tensor_split` into equal pieces along the first of at least two dimensions."""
    return _along("vsplit", input, indices_or_sections, 0, 2)


def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """`tensor_split` into equal pieces along the third of at least three dimensions."""
    return _along("dsplit", input, indices_or_sections, 2, 3)


# ---- a copy with one piece replaced


def replaced(op: str, input: Any, src: Any, view: Any) -> Tensor:
    """A copy of input in whose part `view(copy)` stands `src`, of the same shape."""
    result = clone(input)
    part = view(result)
    if tuple(part.shape) != tuple(src.shape):
        raise ShapeError(f"{op}: expected src of shape {list(part.shape)}, got {list(src.shape)}")
    inplace.set_item(part, (Ellipsis,), src, op)
    return result


@takes_out
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of input with `src` at place `index` along `dim`."""
    place = _selection("select_scatter", input, dim, index)
    return replaced("select_scatter", input, src, lambda copy: take_slice(copy, place))


@takes_out
def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> Tensor:
    """A copy of input with `src` at the places start, start + step, ... below `end` along `dim`."""
    if step <= 0:
        raise ShapeError(f"slice_scatter: expected step > 0, got {step}")
    place = slice_of(one_dim("slice_scatter", dim, input.ndim), start, end, step)
    return replaced("slice_scatter", input, src, lambda copy: take_slice(copy, place))
