"""Reductions: sums, means, extremes, tests, counts.

`dim` is None (all dimensions), a number or a tuple; negative numbers count from the end. Names and
arguments: https://docs.pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad import dtypes, walk
from tensorgrad.arguments import whole
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import TensorCore
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import maximum, minimum, where
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.creation import whole_numbers
from tensorgrad.ops.indexing import gather
from tensorgrad.ops.logic import isnan, logical_not
from tensorgrad.ops.shape import broadcast, clone_of, one_dim, reshape
from tensorgrad.out import into, takes_out, takes_out_apart

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "all",
    "amax",
    "amin",
    "aminmax",
    "any",
    "argmax",
    "argmin",
    "count_nonzero",
    "max",
    "mean",
    "min",
    "nanmean",
    "nansum",
    "sum",
]

Dim = int | Sequence[int] | None


class ValuesIndices(NamedTuple):
    """What `max`, `min`, `sort` and `topk` along a dimension return."""

    values: Any
    indices: Any


class MinMax(NamedTuple):
    """What `aminmax` returns."""

    min: Any
    max: Any


def restore(g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """A reduced array or tensor in a shape that broadcasts to what was reduced."""
    if keepdim or dim is None or not shape:  # a number broadcasts as it is
        return g
    dims = {d % len(shape) for d in ((dim,) if isinstance(dim, int) else dim)}
    return reshape(g, tuple([1 if d in dims else n for d, n in enumerate(shape)]))


def reduced_dims(input: Any, dim: Dim) -> Any:
    """None, a number or a tuple; a 0-d tensor has no dimension to name, but PyTorch
    takes 0 and -1.
    """
    if dim is None:
        return None
    if not isinstance(dim, int):
        dim = whole_numbers("dim", (dim,)) or None
    return None if not input.ndim and dim in (0, -1, (0,), (-1,)) else dim


total = primitive(
    "sum",
    "input",
    "dim=None, keepdim=False",
    input=lambda g, input_shape, dim, keepdim: broadcast(
        restore(g, input_shape, dim, keepdim), input_shape
    ),
)


def sum(
    input: Tensor,
    dim: Dim = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Sum over `dim`. Integers and bools are summed as int64; `dtype` converts first."""
    if isinstance(input, TensorCore):
        if dtype is None and input._array.dtype.kind in "iub":
            dtype = dtypes.int64
        if dtype is not None and input.dtype != dtype:
            input = cast(input, dtype)
        dim = reduced_dims(input, dim)
    return total(input, dim, keepdim, out)


@takes_out
def nansum(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Sum over `dim` in which NaN counts as 0."""
    dtypes.refuse("nansum", input.dtype, "complex")
    if dtypes.is_differentiable(input.dtype):
        input = where(isnan(input), 0, input)
    return sum(input, dim, keepdim, dtype=dtype)


def sum_to_shape(input: Any, size: tuple[int, ...]) -> Any:
    """Sum over the dimensions in which `size` broadcasts to the input's shape."""
    extra = len(input.shape) - len(size)
    dims = list(range(extra))
    dims += [d + extra for d, n in enumerate(size) if n == 1 and input.shape[d + extra] != 1]
    if dims:
        input = total(input, tuple(dims), True)
    return reshape(input, size) if extra else input


walk.sum_to_shape = sum_to_shape


def count_over(shape: tuple[int, ...], dim: Any) -> int:
    """How many elements are reduced to one."""
    if dim is None:
        return math.prod(shape)
    return math.prod([shape[d] for d in ((dim,) if isinstance(dim, int) else dim)])


@fused(
    name="mean",
    input=lambda g, input_shape, dim, keepdim: broadcast(
        restore(g / count_over(input_shape, dim), input_shape, dim, keepdim), input_shape
    ),
)
def average(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """Arithmetic mean over `dim`, in one form."""
    return total(input, dim, keepdim) / count_over(input.shape, dim)


def mean(
    input: Tensor,
    dim: Dim = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Arithmetic mean over `dim`, of floating tensors."""
    if out is not None:
        return into(out, "mean", mean, (input, dim, keepdim), {"dtype": dtype})  # type: ignore[no-any-return]
    dtype = input.dtype if dtype is None else dtypes.as_dtype("mean", dtype)
    if not dtypes.is_differentiable(dtype):
        raise DTypeError(f"mean: expected a floating point dtype, got {dtype}")
    computed = dtypes.float32 if dtype.itemsize == 2 else dtype  # the sum would overflow
    if input.dtype != computed:
        input = cast(input, computed)
    result = average(input, reduced_dims(input, dim), keepdim)
    return result if computed is dtype else cast(result, dtype)


@takes_out
@widened
def nanmean(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Arithmetic mean over `dim` of what is not NaN, of floating tensors."""
    dtypes.refuse("nanmean", input.dtype, "bool integers complex")
    counted = total(logical_not(isnan(input)), reduced_dims(input, dim), keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / counted


def _shared_among_ties(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    chosen = cast(input == restore(y, input.shape, dim, keepdim), input.dtype)
    share = restore(g, input.shape, dim, keepdim) / total(chosen, dim, True)
    return chosen * share


largest: TensorFunction = primitive(
    "amax", "input", "dim=None, keepdim=False", refuses="complex", input=_shared_among_ties
)
smallest = primitive(
    "amin", "input", "dim=None, keepdim=False", refuses="complex", input=_shared_among_ties
)


def amax(
    input: Tensor, dim: Dim = (), keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Largest element over `dim`; equal ones share the gradient."""
    _check_extreme("amax", input, dim, out)
    return largest(input, reduced_dims(input, dim), keepdim, out)


def amin(
    input: Tensor, dim: Dim = (), keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Smallest element over `dim`; equal ones share the gradient."""
    _check_extreme("amin", input, dim, out)
    return smallest(input, reduced_dims(input, dim), keepdim, out)


@takes_out_apart
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> MinMax:
    """(min, max) over `dim`, or of all; equal elements share the gradient."""
    _check_extreme("aminmax", input, dim)
    dims = reduced_dims(input, dim)
    return MinMax(smallest(input, dims, keepdim), largest(input, dims, keepdim))


index_of_largest = primitive("argmax", "input", "dim=None, keepdim=False")
index_of_smallest = primitive("argmin", "input", "dim=None, keepdim=False")


def check_choice(op: str, input: Tensor, dim: Dim) -> None:
    """Refuse a dimension that there is not, or in which there is nothing to choose from, and
    complex numbers, of which none is the largest.
    """
    dtypes.refuse(op, input.dtype, "complex")
    shape = input.shape
    dim = reduced_dims(input, dim)
    dims = range(len(shape)) if dim is None else (dim,) if isinstance(dim, int) else dim
    places = [one_dim(op, d, len(shape)) for d in dims]
    if len(set(places)) < len(places):
        raise ShapeError(f"{op}: expected each dimension once, got {list(dims)}")
    if 0 in [shape[d] for d in places]:
        raise IndexRangeError(f"{op}: expected elements to choose from, got shape {list(shape)}")


def refuse_empty(op: str, input: Tensor) -> None:
    """Without a dimension PyTorch raises another class of error."""
    if 0 in input.shape:
        raise ShapeError(f"{op}: expected elements to choose from, got {list(input.shape)}")


def _check_extreme(op: str, input: Tensor, dim: Dim, out: Tensor | None = None) -> None:
    if dim is None or dim == ():
        refuse_empty(op, input)
    check_choice(op, input, dim)
    if out is not None and out.dtype != input.dtype:
        raise DTypeError(f"{op}: expected out of dtype {input.dtype}, got {out.dtype}")


def argmax(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Index (int64) of the first largest element along `dim`, or in the flattened tensor."""
    dtypes.refuse("argmax", input.dtype, "bool complex")
    check_choice("argmax", input, dim)
    return index_of_largest(input, reduced_dims(input, dim), keepdim, out)


def argmin(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """Index (int64) of the first smallest element along `dim`, or in the flattened tensor."""
    dtypes.refuse("argmin", input.dtype, "bool complex")
    check_choice("argmin", input, dim)
    return index_of_smallest(input, reduced_dims(input, dim), keepdim, out)


def evenly(g: Any, input: Any, y: Any) -> Any:
    """The gradient of one chosen element of all: equal ones share it, NaN if NaN was chosen."""
    chosen = cast((input == y) | (isnan(input) & isnan(y)), input.dtype)
    return chosen * (g / total(chosen))


@widened
@fused(name="max", refuses="complex", input=evenly)
def largest_of_all(input: Tensor) -> Tensor:
    """The largest element."""
    return largest(input, None, False)


@widened
@fused(name="min", refuses="complex", input=evenly)
def smallest_of_all(input: Tensor) -> Tensor:
    """The smallest element."""
    return smallest(input, None, False)


def chosen_along(input: Any, dim: int, indices: Any, keepdim: bool) -> ValuesIndices:
    """The elements named by `indices`, which has one place along `dim`, with or without it."""
    values = gather(input, dim, indices)
    if not keepdim:
        place = dim % input.ndim
        shape = (*input.shape[:place], *input.shape[place + 1 :])
        values, indices = reshape(values, shape), reshape(indices, shape)
    return ValuesIndices(values, indices)


def _extreme(op: str, input: Any, dim: Any, keepdim: bool, index_of: Any) -> ValuesIndices:
    dim = whole(op, "dim", dim)
    check_choice(op, input, dim)
    if not input.ndim:
        return ValuesIndices(clone_of(input), index_of(input, None, False))
    return chosen_along(input, dim, index_of(input, dim, True), keepdim)


def _of_two(op: str, input: Any, other: Any, function: Any) -> Any:
    if not isinstance(input, TensorCore):
        raise TypeError(f"{op}: expected a tensor, got {type(input).__name__}")
    return function(input, other)


@takes_out
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The largest element; with `dim` the pair (values, indices) along it; with a tensor the
    elementwise maximum.
    """
    if isinstance(dim, TensorCore) or other is not None:
        return _of_two("max", input, dim if other is None else other, maximum)
    if dim is None:
        refuse_empty("max", input)
        return largest_of_all(input)
    return _extreme("max", input, dim, keepdim, index_of_largest)


@takes_out
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """The smallest element; with `dim` the pair (values, indices) along it; with a tensor the
    elementwise minimum.
    """
    if isinstance(dim, TensorCore) or other is not None:
        return _of_two("min", input, dim if other is None else other, minimum)
    if dim is None:
        refuse_empty("min", input)
        return smallest_of_all(input)
    return _extreme("min", input, dim, keepdim, index_of_smallest)


some = primitive("any", "input", "dim=None, keepdim=False")
every = primitive("all", "input", "dim=None, keepdim=False")


@takes_out
def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether an element over `dim` is not 0, over no dimension where that is (); bool, of uint8
    uint8.
    """
    found = input != 0 if dim in ((), []) else some(input, reduced_dims(input, dim), keepdim)
    return cast(found, dtypes.uint8) if input.dtype == dtypes.uint8 else found


@takes_out
def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element over `dim` is not 0, over no dimension where that is (); bool, of uint8
    uint8.
    """
    found = input != 0 if dim in ((), []) else every(input, reduced_dims(input, dim), keepdim)
    return cast(found, dtypes.uint8) if input.dtype == dtypes.uint8 else found


def count_nonzero(input: Tensor, dim: Dim = None, *further: int) -> Tensor:
    """How many elements over `dim` are not 0, as int64; several dimensions as a tuple or one by
    one.
    """
    return sum(input != 0, (dim, *further) if further else dim)  # type: ignore[arg-type]
