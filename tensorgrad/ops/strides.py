"""Views by strides, and what a tensor says of its memory.

A stride counts elements, not bytes; an offset is counted from where the memory begins that a
tensor shares with its views.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import inplace
from tensorgrad.errors import GraphError, ShapeError
from tensorgrad.formats import channels_last, channels_last_3d, check_format
from tensorgrad.graph import written
from tensorgrad.op import OPS, TensorFunction, primitive
from tensorgrad.ops.creation import sizes, whole_numbers
from tensorgrad.ops.shape import clone, movedim, one_dim, reshape, slice_of, take_slice
from tensorgrad.out import backend_of, takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "as_strided",
    "as_strided_scatter",
]

# ---- what a tensor says of its memory


def stride(input: Tensor, dim: int | None = None) -> Any:
    """Elements (not bytes) from one place to the next, along each dimension or one."""
    array = input._array
    size = array.dtype.itemsize
    steps = [n // size for n in array.strides]
    following = 1
    for d in reversed(range(len(steps))):
        if array.shape[d] == 1 and not steps[d]:  # a new dimension: NumPy says 0
            steps[d] = following
        following = steps[d] * array.shape[d]
    strides = tuple(steps)
    return strides if dim is None else strides[one_dim("stride", dim, input.ndim)]


def is_contiguous(input: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements lie in order, without gaps; or in that of `memory_format`."""
    if memory_format in (channels_last, channels_last_3d):
        rank = 4 if memory_format is channels_last else 5
        return input.ndim == rank and is_contiguous(movedim(input.detach(), 1, -1))
    return bool(input._array.flags.c_contiguous)


def data_ptr(input: Tensor) -> int:
    """The address of the first element; 0 where there is none."""
    return int(backend_of(input).address(input._array)) if input.numel() else 0


def storage_offset(input: Tensor) -> int:
    """Elements between where the memory begins and the first element."""
    backend, array = backend_of(input), input._array
    start, _ = backend.memory_of(array)
    return int((backend.address(array) - start) // array.dtype.itemsize)


# ---- views

view_by_strides: TensorFunction = primitive(
    "as_strided",
    "input",
    "size, stride, storage_offset, geometry",
    view=True,
    input=lambda g, input_shape, size, stride, storage_offset, geometry: through_memory(
        g,
        (size, stride, storage_offset),
        (tuple(input_shape), *geometry),
        (tuple(input_shape), *geometry),
    ),
)
through_memory: TensorFunction = primitive(
    "restride",
    "input",
    "source, target, shared",
    input=lambda g, source, target, shared: through_memory(g, target, source, shared),
)


def as_strided(
    input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Tensor:
    """The elements that lie at storage_offset + sum(stride * index) in the memory of input, which
    begins where that of its base does; a view. `storage_offset` None is the input's own.

    Elements of the view that lie in no element of input have no gradient.
    """
    shape = sizes("as_strided", (size,))
    steps = whole_numbers("as_strided", (stride,))
    own = input.storage_offset()
    offset = own if storage_offset is None else storage_offset
    if len(shape) != len(steps) or offset < 0 or any(n < 0 for n in steps):
        raise ShapeError(
            f"as_strided: expected a stride >= 0 for each size and an offset >= 0, got {shape}, "
            f"{steps} and {offset}"
        )
    _, held = backend_of(input).memory_of(input._array)
    last = offset + sum([(n - 1) * step for n, step in zip(shape, steps)])
    if math.prod(shape) and (last + 1) * input.element_size() > held:
        raise ShapeError(
            f"as_strided: expected places within the {held // input.element_size()} elements of "
            f"the memory, got size {list(shape)}, stride {list(steps)} and offset {offset} "
            "(out of bounds for storage)"
        )
    return view_by_strides(input, shape, steps, offset, (input.stride(), own))


@takes_out
def as_strided_scatter(
    input: Tensor,
    src: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:
    """A copy of input in whose view `as_strided(copy, size, stride, storage_offset)` stands
    `src`; the input's elements must lie in order.
    """
    if not input.is_contiguous():
        raise ShapeError(
            "as_strided_scatter: expected elements that lie in order, got strides "
            f"{input.stride()} (use contiguous())"
        )
    result = clone(input)
    start = None if storage_offset is None else storage_offset - input.storage_offset()
    part = as_strided(result, size, stride, start)
    if tuple(part.shape) != tuple(src.shape):
        raise ShapeError(
            f"as_strided_scatter: expected src of shape {list(part.shape)}, got {list(src.shape)}"
        )
    inplace.set_item(part, (Ellipsis,), src, "as_strided_scatter")
    return result


def _fold(g: Any, input_shape: tuple[int, ...], dimension: int, size: int, step: int) -> Any:
    places = movedim(g, dimension, -2)
    ones = OPS["fold_windows"].call(places, (input_shape[dimension],), (size,), (step,), (1,))
    return movedim(ones, -1, dimension)


slices: TensorFunction = primitive(
    "unfold_dim", "input", "dimension, size, step", view=True, input=_fold
)


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Every slice of `size` places, `step` apart, along a dimension of n places:
    (..., (n - size) // step + 1, ..., size); a view.
    """
    place = one_dim("unfold", dimension, input.ndim)
    length = input.shape[place] if input.ndim else 1
    if not 0 <= size <= length:
        raise ShapeError(f"unfold: expected a size in [0, {length}], got {size}")
    if step <= 0:
        raise ShapeError(f"unfold: expected a step > 0, got {step}")
    if not input.ndim:
        return take_slice(reshape(input, (1,)), slice_of(0, 0, size))
    return slices(input, place, size, step)


# ---- other memory for the same tensor


def resize_(input: Tensor, *size: Any, memory_format: Any = None) -> Tensor:
    """Another shape in place: the elements of the memory in order, more of it where they do not
    suffice (their values are whatever was there).
    """
    check_format("resize_", memory_format)
    shape = sizes("resize_", size)
    if input.requires_grad:
        raise GraphError("resize_: expected a tensor that does not require grad, got one that does")
    if shape == input.shape:
        return input
    backend, array = backend_of(input), input._array
    start, held = backend.memory_of(array)
    count, item = math.prod(shape), array.dtype.itemsize
    steps = [math.prod(shape[place + 1 :]) * item for place in range(len(shape))]
    if backend.address(array) + count * item <= start + held:
        input._array = backend.strided(array, shape, steps, 0)
    else:
        flat = backend.empty((count,), array.dtype, backend.device_of(array))
        backend.assign(flat[: array.size], backend.copy(array).reshape(-1))
        input._array = flat.reshape(shape)
    inplace.forget_views(input)
    written(input)
    return input


def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """`resize_` to the shape of another tensor."""
    return resize_(input, tuple(the_template.shape), memory_format=memory_format)
