"""Ops that give the same elements another shape or order of dimensions: views where the memory
allows it, as in PyTorch.

Names and arguments: https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing-joining-
mutating-ops
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import IndexRangeError, ShapeError
from tensorgrad.formats import check_format, contiguous_format
from tensorgrad.op import OPS, TensorFunction, primitive
from tensorgrad.ops.creation import whole_numbers

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "adjoint",
    "broadcast_to",
    "clone",
    "flatten",
    "moveaxis",
    "movedim",
    "permute",
    "ravel",
    "reshape",
    "squeeze",
    "swapaxes",
    "swapdims",
    "t",
    "transpose",
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


to_shape: TensorFunction = primitive(
    "reshape",
    "input",
    "shape",
    view=True,
    expects="a shape of as many elements",
    input=lambda g, input_shape: to_shape(g, input_shape),
)


def reshape(input: Tensor, *size: Any, shape: Any = None) -> Tensor:
    """The same elements in another shape; one size may be -1. A view where the memory allows it."""
    return to_shape(input, whole_numbers("reshape", size if shape is None else (shape,)))


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """`input` in the shape of `other`."""
    return to_shape(input, tuple(other.shape))


bytes_as: TensorFunction = primitive("view_dtype", "input", "dtype", view=True)


def view(input: Tensor, *shape: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """As `reshape`, but always a view: ShapeError where that would need a copy.

    `view(dtype)` shows the same bytes as elements of another dtype; no gradient flows through it.
    """
    if len(shape) == 1 and hasattr(shape[0], "itemsize") and not hasattr(shape[0], "__index__"):
        (dtype,) = shape
    if dtype is not None:
        return _as_dtype(input, dtype)
    result = to_shape(input, whole_numbers("view", shape if size is None else (size,)))
    if result.numel() and result._version is None:
        raise ShapeError(
            f"view: expected a memory layout that shape {list(result.shape)} can be a "
            "view of, got a tensor of shape "
            f"{list(input.shape)} with strides {input.stride()} (use reshape)"
        )
    return result


def _as_dtype(input: Tensor, dtype: Any) -> Tensor:
    old, new = input.dtype.itemsize, dtype.itemsize
    if old != new:
        fits = input.ndim and input.stride(-1) == 1
        if fits and new > old:
            numbers = (input.shape[-1], *input.stride()[:-1], input.storage_offset())
            fits = all(n % (new // old) == 0 for n in numbers)
        if not fits:
            raise ShapeError(
                f"view: expected a last dimension whose bytes are elements of {dtype}, got shape "
                f"{list(input.shape)} of {input.dtype} with strides {input.stride()}"
            )
    return bytes_as(input, dtype)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """A view of `input` in the shape of `other`."""
    return view(input, tuple(other.shape))


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


def permute(input: Tensor, *order: Any, dims: Any = None) -> Tensor:
    """The dimensions in another order; a view."""
    rank = input.ndim
    given = whole_numbers("permute", order if dims is None else (dims,))
    places = tuple([one_dim("permute", d, rank) for d in given])
    if sorted(places) != list(range(rank)):
        raise ShapeError(f"permute: expected each of {rank} dimensions once, got {given}")
    return to_order(input, places)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two dimensions exchanged; a view."""
    rank = input.ndim
    first, second = one_dim("transpose", dim0, rank), one_dim("transpose", dim1, rank)
    if not rank:
        return to_shape(input, ())
    order = list(range(rank))
    order[first], order[second] = second, first
    return to_order(input, tuple(order))


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """Two dimensions exchanged, by NumPy's name; a view."""
    return transpose(input, axis0, axis1)


swapdims = transpose


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; tensors of fewer dimensions as they are."""
    if input.ndim > 2:
        raise ShapeError(f"t: expected at most 2 dimensions, got shape {list(input.shape)}")
    return transpose(input, 0, 1) if input.ndim == 2 else to_shape(input, tuple(input.shape))


def reversed_dims(input: Tensor) -> Tensor:
    """`x.T`: the dimensions in reverse order; a view."""
    return to_order(input, tuple(range(input.ndim))[::-1])


def matrix_transpose(input: Tensor) -> Tensor:
    """`x.mT`: the last two dimensions exchanged; a view."""
    if input.ndim == 1:
        raise ShapeError(f"mT: expected matrices, got shape {list(input.shape)}")
    return transpose(input, -2, -1) if input.ndim else to_shape(input, ())


def adjoint(input: Tensor) -> Tensor:
    """`x.mH`: the last two dimensions exchanged, complex numbers conjugated."""
    result = matrix_transpose(input)
    complex_numbers = dtypes.category(input.dtype) == dtypes.COMPLEX
    return OPS["conj"].call(result) if complex_numbers else result


def matrix_adjoint(input: Tensor) -> Tensor:
    """`x.H`: the adjoint of one matrix."""
    if input.ndim not in (0, 2):
        raise ShapeError(f"H: expected a matrix, got shape {list(input.shape)}")
    return adjoint(input)


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Dimensions moved to other places, the others in order; a view."""
    rank = input.ndim
    places = [
        tuple(
            [
                one_dim("movedim", d, rank)
                for d in (dims if isinstance(dims, tuple | list) else (dims,))
            ]
        )
        for dims in (source, destination)
    ]
    if len(places[0]) != len(places[1]) or any(len(set(dims)) < len(dims) for dims in places):
        raise ShapeError(
            "movedim: expected as many sources as destinations, none of them twice, got "
            f"{source} and {destination}"
        )
    if not rank:
        return to_shape(input, ())
    order = [d for d in range(rank) if d not in places[0]]
    for place, dim in sorted(zip(places[1], places[0])):
        order.insert(place, dim)
    return to_order(input, tuple(order))


moveaxis = movedim


broadcast = primitive(
    "expand",
    "input",
    "size",
    view=True,
    expects="a size that the input's shape broadcasts to",
    input=lambda g: g,  # the engine sums over what was expanded
)


def expand(input: Tensor, *sizes: Any, size: Any = None) -> Tensor:
    """Dimensions of size 1 repeated without copying; -1 keeps a size."""
    wanted = list(whole_numbers("expand", sizes if size is None else (size,)))
    extra = len(wanted) - input.ndim
    for place, n in enumerate(wanted):
        if n == -1:
            if place < extra:
                raise ShapeError(f"expand: expected -1 for existing dimensions only, got {wanted}")
            wanted[place] = input.shape[place - extra]
    return broadcast(input, tuple(wanted))


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """As `expand`, with the size as a sequence."""
    return expand(input, size)


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


def ravel(input: Tensor) -> Tensor:
    """All elements in one dimension, in order; a view where the memory allows it."""
    return contiguous(to_shape(input, (-1,)))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One dimension as several; one of `sizes` may be -1."""
    place = one_dim("unflatten", dim, input.ndim)
    shape = tuple(input.shape)
    given = whole_numbers("unflatten", (sizes,))
    known = math.prod([n for n in given if n != -1])
    if not given or (shape[place] % max(known, 1) if -1 in given else known != shape[place]):
        raise ShapeError(
            f"unflatten: expected sizes whose product is {shape[place]} (dimension {dim} of "
            f"{list(shape)}), got {list(given)}"
        )
    return to_shape(input, (*shape[:place], *given, *shape[place + 1 :]))


# ---- copies


clone_of = primitive("copy", "input", "", "A copy that lies in order.", input=lambda g: g)
same_layout = primitive("clone", "input", "", input=lambda g: g)


def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with its own memory; gradients flow through.

    Its dimensions lie in memory in the input's order, unless it is told `contiguous_format`.
    """
    check_format("clone", memory_format)
    return clone_of(input) if memory_format is contiguous_format else same_layout(input)


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """The tensor itself where its elements lie in order, else a copy in which they do."""
    check_format("contiguous", memory_format)
    return input if input.is_contiguous() else clone_of(input)


# ---- slices


def slice_of(dim: int, start: int | None, stop: int | None, step: int = 1) -> tuple[Any, ...]:
    """The index of a range along one dimension."""
    return (*(slice(None),) * dim, slice(start, stop, step))


def _basic_adjoint(g: Any, input_shape: tuple[int, ...], index: tuple[Any, ...]) -> Any:
    return put_slice(g, index, input_shape)


# Basic indexing stands here because joining and cutting are written with it; ops/indexing.py has
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


def _unpad(g: Any, input_shape: tuple[int, ...], widths: Any) -> Any:
    index = tuple([slice(w[0], w[0] + n) for n, w in zip(input_shape, widths)])
    return take_slice(g, index)


pad_constant = primitive("pad_constant", "input", "widths, value=0", input=_unpad)
