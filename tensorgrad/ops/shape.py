"""Ops that rearrange: views where the memory allows it, as in PyTorch.

Names and arguments: https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing-joining-
mutating-ops
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import IndexRangeError, ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.creation import whole_numbers
from tensorgrad.ops.pieces import cut

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "broadcast_to",
    "cat",
    "chunk",
    "clone",
    "concat",
    "flatten",
    "flip",
    "movedim",
    "narrow",
    "permute",
    "repeat",
    "reshape",
    "select",
    "split",
    "squeeze",
    "stack",
    "swapaxes",
    "t",
    "transpose",
    "unbind",
    "unflatten",
    "unsqueeze",
]


def one_dim(op: str, dim: int, rank: int) -> int:
    """A dimension counted from the front, or IndexRangeError."""
    rank = rank or 1
    if not -rank <= dim < rank:
        raise IndexRangeError(
            f"{op}: expected a dimension in [{-rank}, {rank - 1}], got {dim} (Dimension "
            "out of range)"
        )
    return dim % rank


def refuse_number(op: str, input: Any) -> None:
    """A 0-d tensor has no dimension to cut."""
    if not input.ndim:
        raise IndexRangeError(f"{op}: expected a tensor with dimensions, got a 0-d tensor")


to_shape: TensorFunction = primitive(
    "reshape",
    "input",
    "shape",
    view=True,
    expects="a shape of as many elements",
    input=lambda g, input_shape: to_shape(g, input_shape),
)


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements in another shape; one size may be -1. A view where the memory allows it."""
    return to_shape(input, whole_numbers("reshape", shape))


def view(input: Tensor, *shape: Any) -> Tensor:
    """As `reshape`, but always a view: ShapeError where that would need a copy."""
    result = to_shape(input, whole_numbers("view", shape))
    if result.numel() and result._version is None:
        raise ShapeError(
            f"view: expected a memory layout that shape {list(result.shape)} can be a "
            "view of, got a tensor of shape "
            f"{list(input.shape)} with strides {input.stride()} (use reshape)"
        )
    return result


def _inverse(dims: tuple[int, ...]) -> tuple[int, ...]:
    order = [0] * len(dims)
    for place, dim in enumerate(dims):
        order[dim] = place
    return tuple(order)


to_order: TensorFunction = primitive(
    "permute",
    "input",
    "dims",
    view=True,
    expects="each dimension once",
    input=lambda g, dims: to_order(g, _inverse(dims)),
)


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order; a view."""
    rank = input.ndim
    given = whole_numbers("permute", dims)
    order = tuple([one_dim("permute", d, rank) for d in given])
    if sorted(order) != list(range(rank)):
        raise ShapeError(f"permute: expected each of {rank} dimensions once, got {given}")
    return to_order(input, order)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged; a view."""
    rank = input.ndim
    if not rank:
        return to_shape(input, ())
    order = list(range(rank))
    first, second = one_dim("transpose", dim0, rank), one_dim("transpose", dim1, rank)
    order[first], order[second] = second, first
    return to_order(input, tuple(order))


swapaxes = transpose


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; tensors of fewer dimensions as they are."""
    if input.ndim > 2:
        raise ShapeError(f"t: expected at most 2 dimensions, got shape {list(input.shape)}")
    return transpose(input, 0, 1) if input.ndim == 2 else input


def movedim(input: Tensor, source: int, destination: int) -> Tensor:
    """One dimension moved to another place, the others in order; a view."""
    rank = input.ndim
    order = [d for d in range(rank) if d != one_dim("movedim", source, rank)]
    order.insert(one_dim("movedim", destination, rank), one_dim("movedim", source, rank))
    return to_order(input, tuple(order))


broadcast = primitive(
    "expand",
    "input",
    "size",
    view=True,
    expects="a size that the input's shape broadcasts to",
    input=lambda g: g,  # the engine sums over what was expanded
)


def expand(input: Tensor, *size: Any) -> Tensor:
    """Dimensions of size 1 repeated without copying; -1 keeps a size."""
    wanted = list(whole_numbers("expand", size))
    extra = len(wanted) - input.ndim
    for place, n in enumerate(wanted):
        if n == -1:
            if place < extra:
                raise ShapeError(f"expand: expected -1 for existing dimensions only, got {wanted}")
            wanted[place] = input.shape[place - extra]
    return broadcast(input, tuple(wanted))


broadcast_to = expand


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """`input` expanded to the shape of `other`."""
    return broadcast(input, tuple(other.shape))


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Without dimensions of size 1: all of them, or those named."""
    rank = input.ndim
    if dim is None:
        dims = set(range(rank))
    else:
        dims = {one_dim("squeeze", d, rank) for d in ((dim,) if isinstance(dim, int) else dim)}
    return to_shape(input, tuple([n for d, n in enumerate(input.shape) if n != 1 or d not in dims]))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """With a dimension of size 1 more, at `dim`."""
    place = one_dim("unsqueeze", dim, input.ndim + 1)
    shape = tuple(input.shape)
    return to_shape(input, (*shape[:place], 1, *shape[place:]))


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from start_dim to end_dim (included) as one."""
    rank = input.ndim
    first, last = one_dim("flatten", start_dim, rank), one_dim("flatten", end_dim, rank)
    if first > last:
        raise ShapeError(f"flatten: expected start_dim <= end_dim, got {start_dim} and {end_dim}")
    shape = tuple(input.shape)
    middle = math.prod(shape[first : last + 1])
    return to_shape(input, (*shape[:first], middle, *shape[last + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dimension as several; one of `sizes` may be -1."""
    place = one_dim("unflatten", dim, input.ndim)
    shape = tuple(input.shape)
    return to_shape(input, (*shape[:place], *sizes, *shape[place + 1 :]))


# ---- copies


clone_of = primitive("copy", "input", "", "A copy of its own memory.", input=lambda g: g)


def clone(input: Tensor) -> Tensor:
    """A copy with its own memory; gradients flow through."""
    return clone_of(input)


def contiguous(input: Tensor) -> Tensor:
    """The tensor itself where its elements lie in order, else a copy in which they do."""
    return input if input.is_contiguous() else clone_of(input)


# ---- joining and splitting


def _slice(dim: int, start: int, stop: int, step: int = 1) -> tuple[Any, ...]:
    return (slice(None),) * dim + (slice(start, stop, step),)


def _parts(g: Any, tensors_shape: list[tuple[int, ...]], dim: int) -> list[Any]:
    dim %= len(tensors_shape[0])
    ends = itertools.accumulate([shape[dim] for shape in tensors_shape], initial=0)
    return [take_slice(g, _slice(dim, a, b)) for a, b in itertools.pairwise(ends)]


cat_same = primitive(
    "cat",
    "*tensors",
    "dim=0",
    expects="tensors of equal sizes but for the joined dimension",
    tensors=_parts,
)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors one behind the other along `dim`."""
    if isinstance(tensors, TensorCore):
        raise TypeError("cat: expected a list or tuple of tensors, got a tensor")
    return cat_same(tensors, dim)


concat = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new dimension."""
    for tensor in tensors:
        if not hasattr(tensor, "shape"):
            raise TypeError(f"stack: expected tensors only, got {type(tensor).__name__}")
    shapes = {tuple(tensor.shape) for tensor in tensors}
    if len(shapes) > 1:
        raise ShapeError(
            "stack: expected tensors of equal size, got "
            f"{' and '.join(str(list(s)) for s in sorted(shapes))}"
        )
    return cat([unsqueeze(tensor, dim) for tensor in tensors], dim)


def _basic_adjoint(g: Any, input_shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:
    return put_slice(g, index, input_shape)


# Basic indexing stands here because joining and splitting are written with it; ops/indexing.py has
# the rest.
take_slice: TensorFunction = primitive("getitem", "input", "index", view=True, input=_basic_adjoint)
put_slice: TensorFunction = primitive(
    "embed", "input", "index, shape", input=lambda g, index: regain(g, index)
)


def regain(g: Any, index: tuple[Any, ...]) -> Any:
    """What `embed` put at `index`."""
    basic = all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in index)
    return take_slice(g, index) if basic else pick(g, index)


pick: TensorFunction = primitive(
    "index",
    "input",
    "index",
    input=lambda g, input_shape, index: put_slice(g, index, input_shape),
)


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`length` elements from `start` along `dim`; a view."""
    place = one_dim("narrow", dim, input.ndim)
    refuse_number("narrow", input)
    size = input.shape[place]
    if length < 0 or not -size <= start <= size or start % max(size, 1) + length > size:
        raise IndexRangeError(
            f"narrow: expected a range within [0, {size}), got start {start} and length {length}"
        )
    start = start + size if start < 0 else start
    return take_slice(input, _slice(place, start, start + length))


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One place along `dim`, without that dimension; a view."""
    place = one_dim("select", dim, input.ndim)
    return take_slice(input, (*(slice(None),) * place, index))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Each place along `dim` as a tensor of its own; views."""
    place = one_dim("unbind", dim, input.ndim)
    refuse_number("unbind", input)
    before = (slice(None),) * place
    return cut(input, place, [(*before, i) for i in range(input.shape[place])], dropped=True)


def split(
    tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Pieces of the given size (the last may be smaller), or of the given sizes, along `dim`;
    views.
    """
    place = one_dim("split", dim, tensor.ndim)
    refuse_number("split", tensor)
    size = tensor.shape[place]
    if isinstance(split_size_or_sections, int):
        step = split_size_or_sections
        if step <= 0:
            raise RuntimeError(f"split: expected a split size > 0, got {step}")
        sections = [min(step, size - start) for start in range(0, size, step)] or [0]
    else:
        sections = list(split_size_or_sections)
        if sum(sections) != size:
            raise ShapeError(
                f"split: expected sizes that sum to {size} (dimension {dim} of "
                f"{list(tensor.shape)}), got {sections}"
            )
    ends = [0, *itertools.accumulate(sections)]
    indices = [_slice(place, start, stop) for start, stop in itertools.pairwise(ends)]
    return cut(tensor, place, indices, dropped=False)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` pieces of equal size (the last may be smaller) along `dim`; views."""
    if chunks <= 0:
        raise RuntimeError(f"chunk: expected chunks > 0, got {chunks}")
    place = one_dim("chunk", dim, input.ndim)
    refuse_number("chunk", input)
    size = input.shape[place]
    return split(input, max(-(-size // chunks), 1), dim)


reverse: TensorFunction = primitive(
    "flip", "input", "dims", input=lambda g, dims: reverse(g, dims), expects="existing dimensions"
)


def flip(input: Tensor, *dims: Any) -> Tensor:
    """The order along `dims` reversed; a copy."""
    given = whole_numbers("flip", dims)
    return reverse(input, tuple([one_dim("flip", d, input.ndim) for d in given]))


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """The tensor repeated along each dimension, new ones in front; a copy."""
    times = whole_numbers("repeat", repeats)
    if len(times) < input.ndim:
        raise ShapeError(
            f"repeat: expected at least {input.ndim} numbers for shape "
            f"{list(input.shape)}, got {list(times)}"
        )
    shape = (1,) * (len(times) - input.ndim) + tuple(input.shape)
    apart = to_shape(input, tuple([m for n in shape for m in (1, n)]))
    wide = broadcast(apart, tuple([m for r, n in zip(times, shape) for m in (r, n)]))
    return to_shape(wide, tuple([r * n for r, n in zip(times, shape)]))


def _unpad(g: Any, input_shape: tuple[int, ...], widths: Any) -> Any:
    index = tuple([slice(w[0], w[0] + n) for n, w in zip(input_shape, widths)])
    return take_slice(g, index)


pad_constant = primitive("pad_constant", "input", "widths, value=0", input=_unpad)
