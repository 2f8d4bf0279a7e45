"""Running sums, products and extremes along one dimension.

https://docs.pytorch.org/docs/stable/torch.html#other-operations
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.indexing import gather
from tensorgrad.ops.joining import cat
from tensorgrad.ops.pointwise import exp
from tensorgrad.ops.reduction import ValuesIndices, index_of_largest
from tensorgrad.ops.shape import clone_of, one_dim, take_slice
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "logcumsumexp",
]


def part_along(input: Any, dim: int, start: int | None, stop: int | None) -> Any:
    """input[start:stop] along `dim`, which counts from the front."""
    return take_slice(input, (*(slice(None),) * dim, slice(start, stop)))


running_sum: TensorFunction = primitive(
    "cumsum",
    "input",
    "dim, backwards=False",
    input=lambda g, dim, backwards: running_sum(g, dim, not backwards),
)


def sum_from_each(g: Any, dim: int) -> Any:
    """Sums of each element and those after it: the adjoint of `cumsum`."""
    return running_sum(g, dim, True)


def first_zeros(input: Any, dim: int) -> tuple[Any, Any, Any]:
    """Where the input is 0, is so for the first time along `dim`, and for the second time."""
    zero = input == 0
    number = running_sum(cast(zero, dtypes.int64), dim)
    return zero, zero & (number == 1), zero & (number == 2)


def _through_products(g: Any, input: Any, y: Any, dim: int) -> Any:
    # Products without the element itself: y over it, and where it is 0 multiplied again. From the
    # third 0 on they are 0, and so are their derivatives.
    zero, first, second = first_zeros(input, dim)
    without_first = running_product(where(first, 1, input), dim)
    without_second = running_product(where(second, 1, input), dim)
    others = sum_from_each(g * y, dim) / where(zero, 1, input)
    others = where(second, sum_from_each(g * without_second, dim), others)
    return where(first, sum_from_each(g * without_first, dim), others)


running_product: TensorFunction = primitive("cumprod", "input", "dim", input=_through_products)


def _converted(op: str, input: Any, dim: int, dtype: DType | None) -> tuple[Any, int]:
    place = one_dim(op, dim, input.ndim)
    if dtype is None and not dtypes.is_differentiable(input.dtype):
        dtype = dtypes.int64
    return input if dtype is None or input.dtype == dtype else cast(input, dtype), place


@takes_out
@widened
def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Sums of the elements up to and including each, along `dim`. Integers give int64."""
    input, place = _converted("cumsum", input, dim, dtype)
    return running_sum(input, place) if input.ndim else clone_of(input)


@takes_out
@widened
def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Products of the elements up to and including each, along `dim`. Integers give int64."""
    input, place = _converted("cumprod", input, dim, dtype)
    return running_product(input, place) if input.ndim else clone_of(input)


place_of_largest = primitive("cummax", "input", "dim")
place_of_smallest = primitive("cummin", "input", "dim")


def _extremes(op: str, input: Any, dim: int, places: Any) -> ValuesIndices:
    dtypes.refuse(op, input.dtype, "complex")
    axis = one_dim(op, dim, input.ndim)
    if not input.ndim:
        return ValuesIndices(clone_of(input), index_of_largest(input, None, False))
    indices = places(input, axis)
    return ValuesIndices(gather(input, axis, indices), indices)


@takes_out
def cummax(input: Tensor, dim: int) -> ValuesIndices:
    """(values, indices): the largest of the elements up to each along `dim`, the last of equal
    ones.
    """
    return _extremes("cummax", input, dim, place_of_largest)


@takes_out
def cummin(input: Tensor, dim: int) -> ValuesIndices:
    """(values, indices): the smallest of the elements up to each along `dim`, the last of equal
    ones.
    """
    return _extremes("cummin", input, dim, place_of_smallest)


def _through_exponentials(g: Any, input: Any, y: Any, dim: int) -> Any:
    # The sum over j >= i of g[j] exp(x[i] - y[j]). As y grows along `dim`, exp(y[i] - y[j]) is a
    # product of numbers up to 1, one a step, and the sums grow by doubling: nothing overflows.
    dtype = input.dtype
    if dtype == dtypes.float32:  # beside 10000 it tells numbers apart by 0.001 only
        input, g = cast(input, dtypes.float64), cast(g, dtypes.float64)
        y = log_running_sum(input, dim)
    level = where(y == -math.inf, 0, y)  # nothing but -inf so far: gradient 0
    size, shift = input.shape[dim], 1
    step = part_along(level, dim, None, size - 1) - part_along(level, dim, 1, None)
    decay: Any = exp(where(step > 0, 0, step))
    while shift < size:
        reached = part_along(g, dim, None, size - shift) + decay * part_along(g, dim, shift, None)
        g = cat((reached, part_along(g, dim, size - shift, None)), dim)
        if 2 * shift < size:
            decay = part_along(decay, dim, None, size - 2 * shift) * part_along(
                decay, dim, shift, None
            )
        shift *= 2
    slope = g * exp(input - level)
    return slope if slope.dtype == dtype else cast(slope, dtype)


log_running_sum: TensorFunction = primitive(
    "logcumsumexp", "input", "dim", input=_through_exponentials
)


@takes_out
@widened
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """log(sum(exp(input))) over the elements up to and including each, along `dim`."""
    if not dtypes.is_differentiable(input.dtype):
        raise DTypeError(f"logcumsumexp: expected a floating point dtype, got {input.dtype}")
    place = one_dim("logcumsumexp", dim, input.ndim)
    return log_running_sum(input, place) if input.ndim else clone_of(input)
