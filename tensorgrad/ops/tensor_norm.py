"""The norm of a tensor: of the vector of its elements, or of the matrices in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tensorgrad.ops.conversion import cast
from tensorgrad.ops.matrix_norms import matrix_norm
from tensorgrad.ops.norms import p_norm
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.dtypes import DType

__all__ = [
    "norm",
]


@takes_out
def norm(
    input: Tensor,
    p: float | str | None = "fro",
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
) -> Tensor:
    """(sum |input|^p)^(1/p) over `dim`, or of all elements; p may be infinite; "fro" is 2, "nuc"
    the sum of the singular values of matrices in two dimensions. `dtype` converts first.
    """
    if dtype is not None and dtype != input.dtype:
        input = cast(input, dtype)
    dims = (dim,) if isinstance(dim, int) else None if dim is None else tuple(dim)
    if p is None or (p == "fro" and (dims is None or len(dims) <= 2)):
        p = 2
    if isinstance(p, str):
        return matrix_norm(input, p, tuple(range(input.ndim)) if dims is None else dims, keepdim)
    return p_norm(input, p, dims, keepdim)
