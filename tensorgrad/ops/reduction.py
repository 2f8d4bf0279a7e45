"""Reductions: sums, products, extremes, and what is computed from them.

`dim` is None (all dimensions), a number or a tuple; negative numbers count from the end. Names and
arguments: https://docs.pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad import dtypes, engine
from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tensorgrad.fused import Parameters, Result, fused
from tensorgrad.graph import TensorCore
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.creation import whole_numbers
from tensorgrad.ops.elementwise import (
    abs,
    cast,
    exp,
    isfinite,
    log,
    maximum,
    minimum,
    minus,
    pow,
    sign,
    sqrt,
    where,
)
from tensorgrad.ops.indexing import gather
from tensorgrad.ops.shape import broadcast, flip, one_dim, reshape

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

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


def _one_form(input: Any, dim: Dim) -> Any:
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
        dim = _one_form(input, dim)
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


def widened(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """A reduction whose 16-bit floats are computed as float32: their squares and sums overflow."""

    call: Callable[..., Any] = function

    @functools.wraps(function)
    def in_float32(input: Any, *args: Any, **kwargs: Any) -> Any:
        dtype = input.dtype
        if dtype.itemsize != 2 or not dtypes.is_floating_point(dtype):
            return call(input, *args, **kwargs)
        wide = cast(input, dtypes.float32)
        return cast(call(wide, *args, **kwargs), kwargs.get("dtype") or dtype)

    return in_float32  # type: ignore[return-value]


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
    return average(input, _one_form(input, dim), keepdim)


@widened
def var(
    input: Tensor,
    dim: Dim = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Sum of squared distances from the mean, over (n - correction); correction 1 unless told."""
    if isinstance(dim, bool):  # PyTorch's var(unbiased)
        dim, unbiased = None, dim
    if correction is None:
        correction = 0 if unbiased is False else 1
    dim = _one_form(input, dim)
    centred = input - mean(input, dim, True)
    degrees = _count(input.shape, dim) - correction
    return sum(centred * centred, dim, keepdim) / builtins.max(degrees, 0)


def _through_root(g: Any, y: Any) -> Any:
    return where(y == 0, 0, g / where(y == 0, 1, 2 * y))


@fused(input=_through_root)
def root(input: Tensor) -> Tensor:
    """Square root with gradient 0 at 0."""
    return sqrt(input)


@widened
def std(
    input: Tensor,
    dim: Dim = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Square root of `var`; gradient 0 where that is 0."""
    return root(var(input, dim, unbiased, keepdim, correction=correction))


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
    return product(input, _one_form(input, dim), keepdim)


# ---- extremes


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
    return largest(input, _one_form(input, dim), keepdim)


def amin(input: Tensor, dim: Dim = (), keepdim: bool = False) -> Tensor:
    """Smallest element over `dim`; equal ones share the gradient."""
    _check_choice("amin", input, dim)
    return smallest(input, _one_form(input, dim), keepdim)


index_of_largest = primitive("argmax", "input", "dim=None, keepdim=False")
index_of_smallest = primitive("argmin", "input", "dim=None, keepdim=False")


def _check_choice(op: str, input: Tensor, dim: Dim) -> None:
    shape = input.shape
    dim = _one_form(input, dim)
    dims = range(len(shape)) if dim is None else (dim,) if isinstance(dim, int) else dim
    if 0 in [shape[one_dim(op, d, len(shape))] for d in dims]:
        raise IndexRangeError(f"{op}: expected elements to choose from, got shape {list(shape)}")


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index (int64) of the first largest element along `dim`, or in the flattened tensor."""
    _check_choice("argmax", input, dim)
    return index_of_largest(input, _one_form(input, dim), keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """Index (int64) of the first smallest element along `dim`, or in the flattened tensor."""
    _check_choice("argmin", input, dim)
    return index_of_smallest(input, _one_form(input, dim), keepdim)


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


order = primitive("argsort", "input", "dim=-1, descending=False")


def argsort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = True
) -> Tensor:
    """Indices that sort along `dim`. Always stable."""
    axis = one_dim("argsort", dim, input.ndim)
    return order(input, axis, descending) if input.ndim else index_of_largest(input, None, False)


def sort(
    input: Tensor, dim: int = -1, descending: bool = False, *, stable: bool = True
) -> ValuesIndices:
    """(values, indices) sorted along `dim`. Always stable."""
    axis = one_dim("sort", dim, input.ndim)
    if not input.ndim:
        return ValuesIndices(reshape(input, ()), index_of_largest(input, None, False))
    indices = order(input, axis, descending)
    return ValuesIndices(gather(input, axis, indices), indices)


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True) -> ValuesIndices:
    """(values, indices) of the k largest (or smallest) along `dim`, in order."""
    axis = one_dim("topk", dim, input.ndim)
    size = input.shape[axis] if input.ndim else 1
    if not 0 <= k <= size:
        raise RuntimeError(f"topk: expected k in [0, {size}], got {k}")
    if not input.ndim:
        return sort(input)
    sorted_indices = order(input, axis, largest)
    indices = sorted_indices[(slice(None),) * axis + (slice(k),)]
    return ValuesIndices(gather(input, dim, indices), indices)


# ---- tests

some = primitive("any", "input", "dim=None, keepdim=False")
every = primitive("all", "input", "dim=None, keepdim=False")


def any(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether an element over `dim` is not 0."""
    return some(input, _one_form(input, dim), keepdim)


def all(input: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """Whether every element over `dim` is not 0."""
    return every(input, _one_form(input, dim), keepdim)


# ---- along one dimension

running_sum: TensorFunction = primitive(
    "cumsum",
    "input",
    "dim",
    input=lambda g, dim: flip(running_sum(flip(g, (dim,)), dim), (dim,)),
)


@widened
def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Sums of the elements up to and including each, along `dim`."""
    if dtype is None and not dtypes.is_differentiable(input.dtype):
        dtype = dtypes.int64
    if dtype is not None and input.dtype != dtype:
        input = cast(input, dtype)
    return running_sum(input, dim) if input.ndim else reshape(input, ())


def _finite_largest(input: Any, dim: Any) -> Any:
    """The largest along `dim`, or 0 where that is infinite: what may be subtracted before exp."""
    top = largest(input, dim, True)
    return where(isfinite(top), top, 0)


def _softmax_of_input(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    level = restore(y, input.shape, dim, keepdim)
    safe = where(level == -math.inf, 0, level)  # nothing but -inf there: gradient 0
    return restore(g, input.shape, dim, keepdim) * exp(input - safe)


@fused(input=_softmax_of_input)
def logsumexp(input: Tensor, dim: int | tuple[int, ...], keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) over `dim`, without overflow."""
    if 0 in input.shape:
        return log(total(exp(input), dim, keepdim))
    top = _finite_largest(input, dim)
    summed = log(total(exp(input - top), dim, True)) + top
    return summed if keepdim else total(summed, dim, False)


def _through_softmax(g: Any, y: Any, dim: int) -> Any:
    return y * (g - total(g * y, dim, True))


@fused(input=_through_softmax)
def softmax(input: Tensor, dim: int) -> Tensor:
    """exp(input) / sum(exp(input)) along `dim`, without overflow."""
    if 0 in input.shape:
        return exp(input)
    e = exp(minus(input, largest(input, dim, True)))
    return e / total(e, dim, True)


def _through_log_softmax(g: Any, y: Any, dim: int) -> Any:
    probabilities: Any = exp(y)
    return g - probabilities * total(g, dim, True)


@fused(input=_through_log_softmax)
def log_softmax(input: Tensor, dim: int) -> Tensor:
    """input - log(sum(exp(input))) along `dim`, without overflow."""
    if 0 in input.shape:
        return exp(input)
    centred = minus(input, largest(input, dim, True))
    return centred - log(total(exp(centred), dim, True))


@widened
def norm(input: Tensor, p: float | str = 2, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """(sum |input|^p)^(1/p) over `dim`; p may be infinite, or "fro" (2). Gradient 0 at
    0 for p = 2.
    """
    dim = _one_form(input, dim)
    for d in (dim,) if isinstance(dim, int) else dim or ():
        one_dim("norm", d, input.ndim)
    if p == "fro":
        p = 2
    if isinstance(p, str):
        raise ValueError(f"norm: expected p to be a number or 'fro', got {p!r}")
    if p == 2:
        return root_of_squares(input, dim, keepdim)
    if p == math.inf:
        return largest(abs(input), dim, keepdim)
    if p == -math.inf:
        return smallest(abs(input), dim, keepdim)
    if p == 1:
        return total(abs(input), dim, keepdim)
    if p == 0:
        return total(where(input != 0, 1, input * 0), dim, keepdim)
    return root_of_powers(input, float(p), dim, keepdim)


def _along_powers(g: Any, input: Any, y: Any, p: float, dim: Any, keepdim: bool) -> Any:
    length = restore(y, input.shape, dim, keepdim)
    flat = (input == 0) | (length == 0)
    share = pow(where(flat, 1, abs(input)) / where(flat, 1, length), p - 1)
    return restore(g, input.shape, dim, keepdim) * where(flat, 0, sign(input) * share)


@fused(input=_along_powers)
def root_of_powers(input: Tensor, p: float, dim: Any, keepdim: bool) -> Tensor:
    """(sum |input|^p)^(1/p) over `dim`; its gradient at 0 is 0."""
    return pow(total(pow(abs(input), p), dim, keepdim), 1 / p)


def _along_input(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    length = restore(y, input.shape, dim, keepdim)
    return restore(g, input.shape, dim, keepdim) * where(
        length == 0, 0, input / where(length == 0, 1, length)
    )


@fused(input=_along_input)
def root_of_squares(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """sqrt(sum(input^2)) over `dim`; its gradient at 0 is 0."""
    return sqrt(total(input * input, dim, keepdim))
