"""Reductions: sums, products, extremes, tests.

`dim` is None (all dimensions), a number or a tuple; negative numbers count from the end. Names and
arguments: https://docs.pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad import dtypes, engine
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import TensorCore
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import maximum, minimum, where
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.creation import whole_numbers
from tensorgrad.ops.indexing import gather
from tensorgrad.ops.shape import broadcast, one_dim, reshape

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "all",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "max",
    "mean",
    "min",
    "prod",
    "sum",
]

Dim = int | Sequence[int] | None


class ValuesIndices(NamedTuple):
    """What `max`, `min`, `sort` and `topk` along a dimension return."""

    values: Any
    indices: Any


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
    if isinstance(dim, int):
        return None if not input.ndim and dim in (0, -1) else dim
    return whole_numbers("dim", (dim,)) or None


total = primitive(
    "sum",
    "input",
    "dim=None, keepdim=False",
    input=lambda g, input_shape, dim, keepdim: broadcast(
        restore(g, input_shape, dim, keepdim), input_shape
    ),
)


def sum(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Sum over `dim`. Integers and bools are summed as int64; `dtype` converts first."""
    if isinstance(input, TensorCore):
        if dtype is None and input._array.dtype.kind in "iub":
            dtype = dtypes.int64
        if dtype is not None and input.dtype != dtype:
            input = cast(input, dtype)
        dim = reduced_dims(input, dim)
    return total(input, dim, keepdim)


def sum_to_size(input: Any, size: tuple[int, ...]) -> Any:
    """Sum over the dimensions in which `size` broadcasts to the input's shape."""
    extra = len(input.shape) - len(size)
    dims = list(range(extra))
    dims += [d + extra for d, n in enumerate(size) if n == 1 and input.shape[d + extra] != 1]
    if dims:
        input = total(input, tuple(dims), True)
    return reshape(input, size) if extra else input


engine.sum_to_shape = sum_to_size


def _count(shape: tuple[int, ...], dim: Any) -> int:
    if dim is None:
        return math.prod(shape)
    return math.prod([shape[d] for d in ((dim,) if isinstance(dim, int) else dim)])


@fused(
    name="mean",
    input=lambda g, input_shape, dim, keepdim: broadcast(
        restore(g / _count(input_shape, dim), input_shape, dim, keepdim), input_shape
    ),
)
def average(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """Arithmetic mean over `dim`, in one form."""
    return total(input, dim, keepdim) / _count(input.shape, dim)


@widened
def mean(
    input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Arithmetic mean over `dim`, of floating tensors."""
    if dtype is not None and input.dtype != dtype:
        input = cast(input, dtype)
    if not dtypes.is_differentiable(input.dtype):
        raise DTypeError(f"mean: expected a floating point dtype, got {input.dtype}")
    return average(input, reduced_dims(input, dim), keepdim)


def _product_rest(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    """d prod / d x is the product of the others: y / x, or where x is 0 computed without it."""
    zero = input == 0
    safe = where(zero, 1, input)
    zeros = total(cast(zero, input.dtype), dim, True)
    others = product(safe, dim, True)
    slope = where(zeros == 0, others, where((zeros == 1) & zero, others, 0))
    return restore(g, input.shape, dim, keepdim) * slope / where(zero, 1, safe)


product = primitive("prod", "input", "dim=None, keepdim=False", input=_product_rest)


def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Product over `dim`; right gradients where elements are 0."""
    if dtype is None and not dtypes.is_differentiable(input.dtype):
        dtype = dtypes.int64
    if dtype is not None and input.dtype != dtype:
        input = cast(input, dtype)
    return product(input, reduced_dims(input, dim), keepdim)


def _shared_among_ties(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    chosen = cast(input == restore(y, input.shape, dim, keepdim), input.dtype)
    share = restore(g, input.shape, dim, keepdim) / total(chosen, dim, True)
    return chosen * share


largest: TensorFunction = primitive(
    "amax", "input", "dim=None, keepdim=False", input=_shared_among_ties
)
smallest = primitive("amin", "input", "dim=None, keepdim=False", input=_shared_among_ties)


def amax(input: Tensor, dim: Dim = (), keepdim: bool = False) -> Tensor:
    """Largest element over `dim`; equal ones share the gradient."""
    _check_choice("amax", input, dim)
    return largest(input, reduced_dims(input, dim), keepdim)


def amin(input: Tensor, dim: Dim = (), keepdim: bool = False) -> Tensor:
    """Smallest element over `dim`; equal ones share the gradient."""
    _check_choice("amin", input, dim)
    return smallest(input, reduced_dims(input, dim), keepdim)


index_of_largest = primitive("argmax", "input", "dim=None, keepdim=False")
index_of_smallest = primitive("argmin", "input", "dim=None, keepdim=False")


def _check_choice(op: str, input: Tensor, dim: Dim) -> None:
    shape = input.shape
    dim = reduced_dims(input, dim)
    dims = range(len(shape)) if dim is None else (dim,) if isinstance(dim, int) else dim
    if 0 in [shape[one_dim(op, d, len(shape))] for d in dims]:
        raise IndexRangeError(f"{op}: expected elements to choose from, got shape {list(shape)}")


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index (int64) of the first largest element along `dim`, or in the flattened tensor."""
    _check_choice("argmax", input, dim)
    return index_of_largest(input, reduced_dims(input, dim), keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index (int64) of the first smallest element along `dim`, or in the flattened tensor."""
    _check_choice("argmin", input, dim)
    return index_of_smallest(input, reduced_dims(input, dim), keepdim)


def _extreme(input: Any, dim: int, keepdim: bool, index_of: Any) -> ValuesIndices:
    if not input.ndim:
        return ValuesIndices(reshape(input, ()), index_of(input, None, False))
    indices = index_of(input, dim, True)
    values = gather(input, dim, indices)
    if not keepdim:
        shape = restore(values, input.shape, dim, True).shape
        flat = tuple([n for d, n in enumerate(shape) if d != dim % input.ndim])
        values, indices = reshape(values, flat), reshape(indices, flat)
    return ValuesIndices(values, indices)


def max(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element; with `dim` the pair (values, indices) along it; with a tensor the
    elementwise maximum.
    """
    if isinstance(dim, TensorCore):
        return maximum(input, dim)
    if dim is None:
        if 0 in input.shape:  # another class than along a dimension, as in PyTorch
            raise ShapeError(f"max: expected elements to choose from, got {list(input.shape)}")
        return largest(input, None, False)
    _check_choice("max", input, dim)
    return _extreme(input, dim, keepdim, index_of_largest)


def min(input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; with `dim` the pair (values, indices) along it; with a tensor the
    elementwise minimum.
    """
    if isinstance(dim, TensorCore):
        return minimum(input, dim)
    if dim is None:
        if 0 in input.shape:  # another class than along a dimension, as in PyTorch
            raise ShapeError(f"min: expected elements to choose from, got {list(input.shape)}")
        return smallest(input, None, False)
    _check_choice("min", input, dim)
    return _extreme(input, dim, keepdim, index_of_smallest)


some = primitive("any", "input", "dim=None, keepdim=False")
every = primitive("all", "input", "dim=None, keepdim=False")


def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether an element over `dim` is not 0."""
    return some(input, reduced_dims(input, dim), keepdim)


def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element over `dim` is not 0."""
    return every(input, reduced_dims(input, dim), keepdim)
