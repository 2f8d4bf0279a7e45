"""Softmax, its logarithm, and the logarithm of a sum of exponentials, without overflow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError
from tensorgrad.fused import fused
from tensorgrad.ops.arithmetic import minus
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast, widened, widens
from tensorgrad.ops.logic import isfinite
from tensorgrad.ops.pointwise import exp, log
from tensorgrad.ops.reduction import Dim, largest, reduced_dims, restore, total
from tensorgrad.out import into, takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "log_softmax",
    "logsumexp",
    "softmax",
]


def _finite_largest(input: Any, dim: Any) -> Any:
    """The largest along `dim`, or 0 where that is infinite: what may be subtracted before exp."""
    top = largest(input, dim, True)
    return where(isfinite(top), top, 0)


def _softmax_of_input(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    level = restore(y, input.shape, dim, keepdim)
    safe = where(level == -math.inf, 0, level)  # nothing but -inf there: gradient 0
    return restore(g, input.shape, dim, keepdim) * exp(input - safe)


@fused(name="logsumexp", input=_softmax_of_input)
def log_of_sum(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """log(sum(exp(input))) over `dim`, in one form."""
    if 0 in input.shape:
        return log(total(exp(input), dim, keepdim))
    top = _finite_largest(input, dim)
    summed = log(total(exp(input - top), dim, True)) + top
    return summed if keepdim else total(summed, dim, False)


@takes_out
@widened
def logsumexp(input: Tensor, dim: Dim, keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) over `dim`, without overflow; of integers as floats."""
    if dim is None:
        raise TypeError("logsumexp: expected dim to be a number or several, got None")
    if not dtypes.is_differentiable(input.dtype):
        input = cast(input, dtypes.get_default_dtype())
    return log_of_sum(input, reduced_dims(input, dim), keepdim)


def _through_softmax(g: Any, y: Any, dim: int) -> Any:
    return y * (g - total(g * y, dim, True))


@fused(name="softmax", input=_through_softmax)
def normalized_exponentials(input: Tensor, dim: int) -> Tensor:
    """exp(input) / sum(exp(input)) along `dim`, in one form."""
    if 0 in input.shape:
        return exp(input)
    e = exp(minus(input, largest(input, dim, True)))
    return e / total(e, dim, True)


def _through_log_softmax(g: Any, y: Any, dim: int) -> Any:
    probabilities: Any = exp(y)
    return g - probabilities * total(g, dim, True)


@fused(name="log_softmax", input=_through_log_softmax)
def log_of_normalized(input: Tensor, dim: int) -> Tensor:
    """input - log(sum(exp(input))) along `dim`, in one form."""
    if 0 in input.shape:
        return exp(input)
    centred = minus(input, largest(input, dim, True))
    return centred - log(total(exp(centred), dim, True))


def _converted(op: Any, name: str, input: Any, dim: int, dtype: DType | None, out: Any) -> Any:
    """`op` of the input converted to `dtype`, computed in float32 where that is narrower."""
    if out is not None:
        return into(out, name, _converted, (op, name, input, dim, dtype, None))
    dtype = input.dtype if dtype is None else dtypes.as_dtype(name, dtype)
    if not dtypes.is_differentiable(dtype):
        raise DTypeError(f"{name}: expected a floating point dtype, got {dtype}")
    narrow = dtype.itemsize == 2 and not (input.dtype == dtype and widens(name, input))
    computed = dtypes.float32 if narrow else dtype
    if input.dtype != computed:
        input = cast(input, computed)
    result = op(input, dim)
    return result if computed == dtype else cast(result, dtype)


def softmax(
    input: Tensor, dim: int, dtype: DType | None = None, *, out: Tensor | None = None
) -> Tensor:
    """exp(input) / sum(exp(input)) along `dim`, without overflow; `dtype` converts first."""
    if dim is None:
        raise TypeError("softmax: expected dim to be a whole number, got None")
    if dtype is None and input.dtype.itemsize != 2 and input.dtype.kind == "f":
        return normalized_exponentials(input, dim, out)  # type: ignore[call-arg]
    return _converted(normalized_exponentials, "softmax", input, dim, dtype, out)  # type: ignore[no-any-return]


def log_softmax(
    input: Tensor, dim: int, dtype: DType | None = None, *, out: Tensor | None = None
) -> Tensor:
    """input - log(sum(exp(input))) along `dim`, without overflow; `dtype` converts first."""
    if dim is None:
        raise TypeError("log_softmax: expected dim to be a whole number, got None")
    if dtype is None and input.dtype.itemsize != 2 and input.dtype.kind == "f":
        return log_of_normalized(input, dim, out)  # type: ignore[call-arg]
    return _converted(log_of_normalized, "log_softmax", input, dim, dtype, out)  # type: ignore[no-any-return]
