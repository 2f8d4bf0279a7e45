"""Running sums and the like along one dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad import dtypes
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.shape import flip, reshape

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "cumsum",
]

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
