"""How far vectors are from each other, and how alike they point.

https://docs.pytorch.org/docs/stable/nn.functional.html#distance-functions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.ops.choice import clamp_to
from tensorgrad.ops.conversion import all_widened, widened
from tensorgrad.ops.creation import arange
from tensorgrad.ops.indexing import index_select
from tensorgrad.ops.joining import broadcast_tensors
from tensorgrad.ops.norms import p_norm, row_lengths
from tensorgrad.ops.places import nonzero
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shape import one_dim, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "cosine_similarity",
    "pairwise_distance",
    "pdist",
]


@fused(input=lambda g: g)
def floored(input: Tensor, least: float) -> Tensor:
    """max(input, least), with the gradient of input itself everywhere."""
    return clamp_to(input, least, None)


@fused()
def cosines(x1: Tensor, x2: Tensor, dim: int, eps: float) -> Tensor:
    """`cosine_similarity` of one shape."""
    one, two = [x / floored(p_norm(x, 2, dim, True), eps) for x in (x1, x2)]
    return total(one * two, dim, False)


@all_widened
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`; the shapes broadcast."""
    if not dtypes.is_differentiable(dtypes.result_type(x1._array, x2._array)):
        raise DTypeError(
            f"cosine_similarity: expected a floating point dtype, got {x1.dtype} and {x2.dtype}"
        )
    x1, x2 = broadcast_tensors(x1, x2)
    dim = one_dim("cosine_similarity", dim, x1.ndim)
    return cosines(x1, x2, dim, eps)


@all_widened
def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last dimension."""
    return p_norm(x1 - x2 + eps, p, -1, keepdim)


@widened
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm of input[i] - input[j] for all rows i < j: (N, M) to (N (N - 1) / 2,)."""
    if input.ndim != 2:
        raise ShapeError(f"pdist: expected 2 dimensions, got shape {list(input.shape)}")
    if p < 0:
        raise ShapeError(f"pdist: expected p >= 0, got {p}")
    places = arange(input.shape[0], device=input.device)
    pairs = nonzero(unsqueeze(places, 1) < places)
    first, second = (index_select(input, 0, pairs[:, side]) for side in (0, 1))
    return row_lengths(first - second, p)
