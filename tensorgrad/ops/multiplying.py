"""The product over a dimension, with gradients that are right where elements are 0."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.reduction import reduced_dims, restore
from tensorgrad.ops.scan import first_zeros
from tensorgrad.ops.shape import reshape
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "prod",
]


def _others(input: Any, y: Any, dim: int) -> Any:
    """The product of all but each: y over it, and where it is 0 multiplied again. With a third 0
    it is 0, and so are its derivatives.
    """
    zero, first, second = first_zeros(input, dim)
    without_first = product(where(first, 1, input), dim, True)
    without_second = product(where(second, 1, input), dim, True)
    rest = where(second, without_second, y / where(zero, 1, input))
    return where(first, without_first, rest)


def _product_rest(g: Any, input: Any, y: Any, dim: int | None, keepdim: bool) -> Any:
    if dim is not None:
        y = restore(y, input.shape, dim, keepdim)
        return restore(g, input.shape, dim, keepdim) * _others(input, y, dim)
    flat = reshape(input, (math.prod(input.shape),))
    return g * reshape(_others(flat, reshape(y, (1,)), 0), input.shape)


product: TensorFunction = primitive("prod", "input", "dim=None, keepdim=False", input=_product_rest)


@takes_out
@widened
def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """Product over `dim`, or of all; integers and bools as int64."""
    if dtype is None and not dtypes.is_differentiable(input.dtype):
        dtype = dtypes.int64
    if dtype is not None and input.dtype != dtype:
        input = cast(input, dtype)
    if not isinstance(dim, int | None):
        raise TypeError(f"prod: expected dim to be a number, got {dim!r}")
    return product(input, reduced_dims(input, dim), keepdim)
