"""Elements written or added at the places that integer tensors and masks name.

Each function gives a copy; the in-place methods are in `tensorgrad.inplace_ops`.
https://docs.pytorch.org/docs/stable/generated/torch.Tensor.scatter_.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, modes
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.graph import TensorCore, unwrap, wrap
from tensorgrad.op import Number, TensorFunction, fitting, number_of, primitive
from tensorgrad.ops.arithmetic import div
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.creation import zeros_of
from tensorgrad.ops.index_forms import tensor_indices
from tensorgrad.ops.indexing import (
    broadcast_shapes,
    check_along,
    check_integers,
    check_range,
    gather_along,
    put_at,
    scatter_add_along,
)
from tensorgrad.ops.shape import clone, expand, one_dim, reshape, take_slice
from tensorgrad.out import takes_out_apart

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "index_add",
    "index_copy",
    "index_fill",
    "index_put",
    "index_reduce",
    "masked_scatter",
    "put",
    "scatter",
    "scatter_add",
    "scatter_reduce",
]

REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")
# ---- scatter: an index for each element


def _counts(g: Any, index: Any, dim: int, include_self: bool) -> Any:
    """How many elements a place is the mean of; 1 where none is."""
    start = zeros_of(g, unwrap(g).shape) + (1 if include_self else 0)
    ones = zeros_of(g, unwrap(index).shape) + 1
    found = scatter_add_along(start, index, ones, dim)
    return where(found == 0, 1, found)


def _kept(g: Any, index: Any, dim: int, include_self: bool) -> Any:
    """The gradient of the input: none at places whose own element does not count."""
    return g if include_self else scatter_along(g, index, 0, dim)


def _shares(input: Any, index: Any, src: Any, y: Any, dim: int) -> tuple[Any, Any, Any]:
    """For a greatest or least element: whether the input's own is the one, whether each of src is,
    and how many there are at each place.
    """
    dtype = input.dtype
    own, found = cast(input == y, dtype), cast(src == gather_along(y, index, dim), dtype)
    return own, found, scatter_add_along(own, index, found, dim)


def _reduce_input(
    g: Any, input: Any, index: Any, src: Any, y: Any, dim: int, reduce: str, include_self: bool
) -> Any:
    if reduce == "prod":
        operand = where(input == 0, 1, input)
        others = reduce_along(operand, index, src, dim, "prod", include_self) / operand
        return _kept(g * others, index, dim, include_self)
    own, _, count = _shares(input, index, src, y, dim)
    return _kept(own * (g / count), index, dim, include_self)


def _reduce_src(
    g: Any, input: Any, index: Any, src: Any, y: Any, dim: int, reduce: str, include_self: bool
) -> Any:
    if reduce == "prod":
        # A single zero at a place gets the product of the others; several get none.
        zero = src == 0
        empty = zeros_of(src, unwrap(input).shape)
        count = scatter_add_along(empty, index, cast(zero, src.dtype), dim)
        single = zero & (gather_along(count, index, dim) == 1)
        others = reduce_along(input, index, where(single, 1, src), dim, "prod", include_self)
        return where(
            single,
            gather_along(g * others, index, dim),
            gather_along(g * y, index, dim) / where(zero, 1, src),
        )
    _, found, count = _shares(input, index, src, y, dim)
    return found * gather_along(g / count, index, dim)


reduce_along: TensorFunction = primitive(
    "scatter_reduce",
    "input index src",
    "dim, reduce, include_self",
    input=_reduce_input,
    src=_reduce_src,
)

scatter_along: TensorFunction = primitive(
    "scatter",
    "input index src",
    "dim",
    input=lambda g, index, dim: scatter_along(g, index, 0, dim),
    src=lambda g, index, dim: gather_along(g, index, dim),
)


def _prepared(
    op: str, input: Tensor, dim: int, index: Tensor, src: Any
) -> tuple[Tensor, int, Tensor, Any]:
    """The arguments of a scatter, checked: with a dimension at least, and src cut to the index."""
    if isinstance(src, TensorCore):
        if src._array.dtype != input.dtype:
            raise DTypeError(f"{op}: expected src of dtype {input.dtype}, got {src._array.dtype}")
        if max(src._array.ndim, 1) != max(index.ndim, 1) or any(
            n > m for n, m in zip(index.shape, src._array.shape)
        ):
            raise ShapeError(
                f"{op}: expected an index no larger than src, got shapes {list(index.shape)} "
                f"and {list(src._array.shape)}"
            )
        if src._array.ndim and src._array.shape != tuple(index.shape):
            src = take_slice(src, tuple([slice(n) for n in index.shape]))
        src = src if src._array.ndim else reshape(src, (1,))
    place = check_along(op, input, dim, index)
    index = index if index.ndim else reshape(index, (1,))
    return input if input.ndim else reshape(input, (1,)), place, index, src


def _value(op: str, src: Any, value: Any, dtype: dtypes.DType) -> Any:
    """What is scattered: a tensor, or a number in the category of the dtype."""
    if (src is None) == (value is None):
        raise TypeError(f"{op}: expected src or value, got {'neither' if src is None else 'both'}")
    given = value if src is None else src
    return fitting(op, given, dtype) if isinstance(given, Number) else given


@takes_out_apart
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor | Number | None = None,
    *,
    value: Number | None = None,
    reduce: str | None = None,
) -> Tensor:
    """A copy of input with src[i][j] at [index[i][j]][j] for dim 0; src may be a number.

    reduce "add" or "multiply": what is there is added to or multiplied. Of several elements for
    one place the last one is written, and each of them gets the gradient of the place.
    """
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError(f"scatter: expected reduce to be 'add' or 'multiply', got {reduce!r}")
    given = _value("scatter", src, value, input.dtype)
    if not unwrap(index).size:
        one_dim("scatter", dim, input.ndim)
        return clone(input)
    operand, place, index, given = _prepared("scatter", input, dim, index, given)
    if reduce is None:
        result = scatter_along(operand, index, given, place)
    else:
        if not isinstance(given, TensorCore):
            given = put_at(zeros_of(operand, tuple(index.shape)), given, (...,), False)
        if reduce == "add":
            result = scatter_add_along(operand, index, given, place)
        else:
            result = reduce_along(operand, index, given, place, "prod", True)
    return result if input.ndim else reshape(result, ())


@takes_out_apart
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy of input with src[i][j] added at [index[i][j]][j] for dim 0; places named twice
    receive both.
    """
    return scatter(input, dim, index, src, reduce="add")


@takes_out_apart
def scatter_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """A copy of input in which each place that `index` names along `dim` is the "sum", "prod",
    "mean", "amax" or "amin" of the elements of src for it; and of its own, with `include_self`.

    Equal greatest or least elements share the gradient.
    """
    if reduce not in REDUCTIONS:
        raise RuntimeError(f"scatter_reduce: expected reduce in {REDUCTIONS}, got {reduce!r}")
    if not unwrap(index).size:
        one_dim("scatter_reduce", dim, input.ndim)
        return clone(input)
    operand, place, index, src = _prepared("scatter_reduce", input, dim, index, src)
    result = _reduced(operand, index, src, place, reduce, include_self)
    return result if input.ndim else reshape(result, ())


def _reduced(
    input: Tensor, index: Tensor, src: Tensor, dim: int, reduce: str, include_self: bool
) -> Tensor:
    if reduce not in ("sum", "mean"):
        return reduce_along(input, index, src, dim, reduce, include_self)
    start = input if include_self else scatter_along(input, index, 0, dim)
    total = scatter_add_along(start, index, src, dim)
    if reduce == "sum":
        return total
    count = wrap(_counts(input._array, index._array, dim, include_self))
    if dtypes.is_differentiable(input.dtype):
        return div(total, count)
    return div(total, count, rounding_mode="floor")


# ---- an index for each place along a dimension


def _along(
    op: str, input: Tensor, dim: int, index: Tensor, source: Tensor | None, first: int | None = 0
) -> tuple[Tensor, int, Any]:
    """The arguments, checked: the input with a dimension at least, the dimension from the front,
    and the index as an array of one dimension.
    """
    place = one_dim(op, dim, input.ndim)
    check_integers(op, index)
    if index.ndim > 1:
        raise IndexRangeError(
            f"{op}: expected an index of one dimension, got shape {list(index.shape)}"
        )
    places = unwrap(index).reshape(-1)
    operand = input if input.ndim else reshape(input, (1,))
    size = operand.shape[place]
    check_range(op, places, size, -size if first is None else first)
    if source is not None:
        if source.dtype != input.dtype:
            raise DTypeError(f"{op}: expected a source of dtype {input.dtype}, got {source.dtype}")
        expected = [*operand.shape]
        expected[place] = places.size
        given = [*source.shape] or [1]
        if given != expected:
            raise ShapeError(f"{op}: expected a source of shape {expected}, got {given}")
    return operand, place, places


def _put_along(input: Tensor, dim: int, places: Any, source: Any, accumulate: bool) -> Tensor:
    return put_at(input, source, (*(slice(None),) * dim, places), accumulate)


@takes_out_apart
def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1
) -> Tensor:
    """A copy of input with alpha * source added: its i-th place along `dim` at index[i]."""
    operand, place, places = _along("index_add", input, dim, index, source)
    if alpha != 1:
        source = source * number_of(alpha, source.dtype)
    result = _put_along(operand, place, places, source, True)
    return result if input.ndim else reshape(result, ())


@takes_out_apart
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy of input with the i-th place of source along `dim` written at index[i]."""
    operand, place, places = _along("index_copy", input, dim, index, source)
    result = _put_along(operand, place, places, source, False)
    return result if input.ndim else reshape(result, ())


def index_fill(input: Tensor, dim: int, index: Tensor, value: Tensor | Number) -> Tensor:
    """A copy of input with `value`, a number or a 0-d tensor, at the places `index` along `dim`."""
    if shape := getattr(value, "shape", ()):
        raise ShapeError(f"index_fill: expected a 0-d value, got shape {list(shape)}")
    operand, place, places = _along("index_fill", input, dim, index, None, None)
    named = put_at(zeros_of(places, (operand.shape[place],)), 1, (places,), False)
    mask = wrap(reshape(named != 0, tuple([-1 if d == place else 1 for d in range(operand.ndim)])))
    if isinstance(value, Number):
        value = fitting("index_fill", value, input.dtype)
    else:
        value = cast(value, input.dtype)
    result = where(mask, value, operand)
    return result if input.ndim else reshape(result, ())


@takes_out_apart
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """As `scatter_reduce` ("prod", "mean", "amax", "amin") with index[i] for all elements of the
    i-th place of source along `dim`.
    """
    if reduce not in REDUCTIONS[1:]:
        raise RuntimeError(f"index_reduce: expected reduce in {REDUCTIONS[1:]}, got {reduce!r}")
    operand, place, _ = _along("index_reduce", input, dim, index, source)
    source = source if source.ndim else reshape(source, (1,))
    shape = tuple([-1 if d == place else 1 for d in range(operand.ndim)])
    places = expand(reshape(index, shape), tuple(source.shape))
    if not unwrap(places).size:
        return clone(input)
    result = _reduced(operand, places, source, place, reduce, include_self)
    return result if input.ndim else reshape(result, ())


# ---- flat places, indices of several dimensions, masks


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy of input with the elements of source written, or added, at the places `index` of the
    flattened input; negative ones count from the end.
    """
    check_integers("put", index, (dtypes.int64,))
    if source.dtype != input.dtype:
        raise DTypeError(f"put: expected a source of dtype {input.dtype}, got {source.dtype}")
    places, count = unwrap(index).reshape(-1), unwrap(input).size
    if unwrap(source).size != places.size:
        raise IndexRangeError(
            f"put: expected a source with an element for each of {places.size} places, got shape "
            f"{list(source.shape)}"
        )
    check_range("put", index, count, -count)
    flat, values = reshape(input, (-1,)), reshape(source, (-1,))
    return reshape(put_at(flat, values, (places,), accumulate), tuple(input.shape))


def index_put(
    input: Tensor, indices: tuple[Tensor, ...], values: Tensor, accumulate: bool = False
) -> Tensor:
    """A copy of input with values written, or added, at `input[indices]`, to which they broadcast.

    `indices` holds integer tensors and masks, and None for a whole dimension.
    """
    if unwrap(values).dtype != input.dtype:
        raise DTypeError(f"index_put: expected values of dtype {input.dtype}, got {values.dtype}")
    places = tensor_indices("index_put", input, indices)
    return (
        put_at(input, values, places, accumulate)
        if places
        else put_at(input, values, (...,), accumulate)
    )


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy of input, broadcast with mask, with the elements of source in their order at the
    places where mask (bool) holds.
    """
    if unwrap(mask).dtype != "bool":
        raise DTypeError(f"masked_scatter: expected a mask of dtype bool, got {mask.dtype}")
    if source.dtype != input.dtype:
        raise DTypeError(
            f"masked_scatter: expected a source of dtype {input.dtype}, got {source.dtype}"
        )
    shape = broadcast_shapes("masked_scatter", input.shape, mask.shape)
    operand, chosen = expand(input, shape), unwrap(expand(mask, shape))
    places = modes.current().backends[chosen.__class__].nonzero(chosen.reshape(-1))[:, 0]
    values = reshape(source, (-1,))
    if unwrap(values).size < places.size:
        raise ShapeError(
            f"masked_scatter: expected a source of at least {places.size} elements, got shape "
            f"{list(source.shape)}"
        )
    values = take_slice(values, (slice(places.size),))
    return reshape(put_at(reshape(operand, (-1,)), values, (places,), False), shape)
