"""Brackets, writes through them, and elements picked by integer tensors.

https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, inplace, modes
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.graph import TensorCore, unwrap
from tensorgrad.op import OPS, Number, TensorFunction, fitting, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.creation import tensor, zeros_of
from tensorgrad.ops.index_forms import PLACES, is_one_mask, one_form
from tensorgrad.ops.moving import on_device_of
from tensorgrad.ops.shape import expand, one_dim, pick, regain, reshape, take_slice
from tensorgrad.out import takes_out_apart

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "fill",
    "gather",
    "index_select",
    "isin",
    "masked_select",
    "take",
    "take_along_dim",
]


def getitem(input: Tensor, index: Any) -> Tensor:
    """input[index]: a view for numbers, slices, None and Ellipsis, a copy where tensors or lists
    take part.
    """
    if index.__class__ is int:
        return take_slice(input, (index,))
    basic, arrays = one_form(input, index)
    if not arrays:
        return take_slice(input, basic)
    if any(part != slice(None) for part in basic):
        input = take_slice(input, basic)
    return pick(input, arrays)


def setitem(input: Tensor, index: Any, value: Any) -> None:
    """input[index] = value, in place; the value broadcasts.

    Where numbers and slices say the place, or the value is a number, it is converted to the
    tensor's dtype; integer tensors take a tensor of the same dtype.
    """
    if not isinstance(value, TensorCore | int | float | bool | complex):
        value = tensor(value, dtype=input.dtype, device=input.device)
    if isinstance(value, complex) and dtypes.category(input.dtype) != dtypes.COMPLEX:
        raise DTypeError(f"setitem: expected a value for {input.dtype}, got {value}")
    if index is False:  # no place
        return
    basic, arrays = one_form(input, ... if index is True else index)
    inplace.check_writable(input, "setitem")
    value = on_device_of(input, value)
    if not arrays:
        inplace.set_item(input, basic, value)
        return
    if isinstance(value, TensorCore) and value._array.dtype != input.dtype:
        _check_value(input, index, value._array)
    if any(part != slice(None) for part in basic):
        input = take_slice(input, basic)
    inplace.set_item(input, arrays, value)


def _check_value(input: Tensor, index: Any, value: Any) -> None:
    """Of another dtype only one element may be, for the places of a mask."""
    if value.size != 1 or not is_one_mask(index):
        raise DTypeError(
            f"setitem: expected a value of dtype {input.dtype} where tensors are the index, got "
            f"{value.dtype} (Index put requires the source and destination dtypes match)"
        )


# ---- writing everywhere


def copy_(input: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Write `src`, a tensor or a number, into this tensor, broadcast and converted."""
    if isinstance(src, int | float):
        return fill_(input, src)
    if not isinstance(src, TensorCore):
        raise TypeError(f"copy_: expected a tensor, got {type(src).__name__}")
    src = on_device_of(input, src)
    if src.dtype != input.dtype:
        src = OPS["cast"].call(src, input.dtype)
    inplace.set_item(input, (Ellipsis,), src, "copy_")
    return input


def fill_(input: Tensor, value: Any) -> Tensor:
    """Write one number, or a tensor of one, everywhere."""
    if shape := getattr(value, "shape", ()):
        raise ShapeError(f"fill_: expected a number or a 0-d tensor, got shape {list(shape)}")
    inplace.set_item(input, (Ellipsis,), on_device_of(input, value), "fill_")
    return input


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor of the input's shape and dtype with one number, or a tensor of one, everywhere."""
    if shape := getattr(value, "shape", ()):
        raise ShapeError(f"fill: expected a number or a 0-d tensor, got shape {list(shape)}")
    if isinstance(value, TensorCore):
        value = OPS["cast"].call(value, input.dtype)
    else:
        value = fitting("fill", value, input.dtype)
    return put_at(input, value, (Ellipsis,), False)


def zero_(input: Tensor) -> Tensor:
    """Write zeros."""
    inplace.set_item(input, (Ellipsis,), 0, "zero_")
    return input


put_at: TensorFunction = primitive(
    "index_put",
    "input values",
    "index, accumulate",
    expects="values that broadcast to the places of the index",
    input=lambda g, index, accumulate: g if accumulate else put_at(g, 0, index, False),
    values=lambda g, index: regain(g, index),
)


# ---- along a dimension

gather_along = primitive(
    "gather",
    "input index",
    "dim",
    input=lambda g, input_shape, index, dim: scatter_add_along(
        zeros_of(g, input_shape), index, g, dim
    ),
)
scatter_add_along: TensorFunction = primitive(
    "scatter_add",
    "input index src",
    "dim",
    input=lambda g: g,
    src=lambda g, index, dim: gather_along(g, index, dim),
)


def check_along(op: str, input: Any, dim: int, index: Any) -> int:
    """The dimension counted from the front, if `index` says places along it for each place of the
    others.
    """
    place = one_dim(op, dim, input.ndim)
    check_integers(op, index)
    if max(index.ndim, 1) != max(input.ndim, 1):
        raise ShapeError(
            f"{op}: expected an index with {input.ndim} dimensions, got shape {list(index.shape)}"
        )
    if any(n > m for d, (n, m) in enumerate(zip(index.shape, input.shape)) if d != place):
        raise ShapeError(
            f"{op}: expected an index no larger than {list(input.shape)} but along {dim}, "
            f"got {list(index.shape)}"
        )
    return place


def check_integers(op: str, index: Any, kinds: tuple[dtypes.DType, ...] = PLACES) -> None:
    """An index of places is a tensor of int64, or of int32 too."""
    if not hasattr(index, "dtype"):
        raise TypeError(f"{op}: expected a tensor as index, got {type(index).__name__}")
    if index.dtype not in kinds:
        raise DTypeError(f"{op}: expected an index of dtype int64, got {index.dtype}")


def check_range(op: str, index: Any, size: int, first: int = 0) -> None:
    """IndexRangeError unless all of `index` lie in [first, size)."""
    array = unwrap(index)
    modes.current().backends[array.__class__].check_range(op, array, size, first)


@takes_out_apart
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """out[i][j] = input[index[i][j]][j] for dim 0: elements picked along `dim`; no negative
    indices. `sparse_grad` changes nothing.
    """
    if not unwrap(index).size:  # of any dtype and rank
        one_dim("gather", dim, input.ndim)
        return reshape(take_slice(reshape(input, (-1,)), (slice(0, 0),)), tuple(index.shape))
    check_along("gather", input, dim, index)
    if input.ndim and index.ndim:
        return gather_along(input, index, dim)
    shape = tuple(index.shape)
    return reshape(gather_along(reshape(input, (-1,)), reshape(index, (-1,)), 0), shape)


@takes_out_apart
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The places `index` (at most one dimension) along `dim`; a copy."""
    place = one_dim("index_select", dim, input.ndim)
    check_integers("index_select", index)
    if index.ndim > 1:
        raise IndexRangeError(
            f"index_select: expected an index of one dimension, got shape {list(index.shape)}"
        )
    check_range("index_select", index, input.shape[place] if input.ndim else 1)
    places = unwrap(index).reshape(-1)
    if input.ndim:
        return pick(input, (*(slice(None),) * place, places))
    if places.size != 1:
        raise ShapeError(
            f"index_select: expected one index for a 0-d tensor, got shape {list(index.shape)}"
        )
    return reshape(pick(reshape(input, (1,)), (places,)), ())


@takes_out_apart
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements of the flattened input at `index` (any shape); negative ones count from the
    end.
    """
    check_integers("take", index, (dtypes.int64,))
    places = unwrap(index)
    flat = reshape(input, (-1,))
    count = unwrap(flat).size
    if places.size and not count:
        raise IndexRangeError("take: expected elements to take from, got an empty tensor")
    check_range("take", index, count, -count)
    return reshape(pick(flat, (places.reshape(-1),)), tuple(index.shape))


def take_along_dim(
    input: Tensor, indices: Tensor, dim: int | None = None, *, out: Any = None
) -> Tensor:
    """As `gather`, where the sizes of both broadcast but along `dim`, and negative indices count
    from the end; None flattens both.
    """
    check_integers("take_along_dim", indices)
    if dim is None:
        input, indices, dim = reshape(input, (-1,)), reshape(indices, (-1,)), 0
    if input.ndim != indices.ndim:
        raise ShapeError(
            f"take_along_dim: expected an index with {input.ndim} dimensions, got shape "
            f"{list(indices.shape)}"
        )
    place = one_dim("take_along_dim", dim, input.ndim)
    indices = where(indices < 0, indices + input.shape[place], indices)
    shapes = [list(tensor.shape) for tensor in (input, indices)]
    for shape in shapes:
        shape[place : place + 1] = [1]
    common = broadcast_shapes("take_along_dim", *shapes)

    def widened(tensor: Tensor) -> Tensor:
        return expand(
            tensor, (*common[:place], *tensor.shape[place : place + 1], *common[place + 1 :])
        )

    return gather(widened(input), place, widened(indices), out=out)


@takes_out_apart
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where the mask (bool) holds, in one dimension; the two shapes broadcast."""
    if unwrap(mask).dtype not in ("bool", "uint8"):
        raise DTypeError(f"masked_select: expected a mask of dtype bool, got {mask.dtype}")
    shape = broadcast_shapes("masked_select", input.shape, mask.shape)
    places = expand(mask, shape)
    if not shape:
        input, places = reshape(input, (1,)), reshape(places, (1,))
        shape = (1,)
    return getitem(expand(input, shape), places)


def broadcast_shapes(op: str, *shapes: Any) -> tuple[int, ...]:
    """The shape that tensors of these shapes have together."""
    rank = max(len(shape) for shape in shapes)
    sizes: list[int] = [1] * rank
    for shape in shapes:
        for place, n in enumerate(shape, rank - len(shape)):
            if sizes[place] == 1:
                sizes[place] = n
            elif n not in (1, sizes[place]):
                raise ShapeError(
                    f"{op}: expected shapes that broadcast, got "
                    f"{' and '.join(str(list(shape)) for shape in shapes)}"
                )
    return tuple(sizes)


is_among = primitive("isin", "elements test_elements", "invert=False", kind="number")


def isin(
    elements: Tensor | Number,
    test_elements: Tensor | Number,
    *,
    assume_unique: bool = False,
    invert: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Which elements are among `test_elements` (or are not, with `invert`): bool, of the shape of
    `elements`. One of the two may be a number. `assume_unique` changes nothing.
    """
    for part in (elements, test_elements):
        if isinstance(part, TensorCore):
            dtypes.refuse("isin", part._array.dtype, "bool complex")
    return is_among(elements, test_elements, invert, out=out)
