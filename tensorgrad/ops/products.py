"""Products of several matrices, of blocks, of vectors in space; distances between rows."""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.ops.arithmetic import mul, pow
from tensorgrad.ops.choice import where
from tensorgrad.ops.complex_parts import conj
from tensorgrad.ops.creation import arange, ones_like
from tensorgrad.ops.cutting import select
from tensorgrad.ops.diagonals import diagonal
from tensorgrad.ops.joining import cat, stack
from tensorgrad.ops.linalg import matmul, swap_last
from tensorgrad.ops.norms import row_lengths
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.ops.reduction import sum, total
from tensorgrad.ops.shape import one_dim, pad_constant, reshape, unsqueeze
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "block_diag",
    "cdist",
    "chain_matmul",
    "cross",
    "kron",
    "trace",
]

# From so many rows on, Euclidean distances are found by a matrix product, as in PyTorch.
MANY_ROWS = 25


@takes_out
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker product: each element of `input` times the whole of `other`, block by block."""
    rank = max(input.ndim, other.ndim)
    a = (1,) * (rank - input.ndim) + tuple(input.shape)
    b = (1,) * (rank - other.ndim) + tuple(other.shape)
    blocks = reshape(input, tuple([size for n in a for size in (n, 1)]))
    product = mul(blocks, reshape(other, tuple([size for n in b for size in (1, n)])))
    return reshape(product, tuple([n * m for n, m in zip(a, b)]))


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal."""
    if input.ndim != 2:
        raise ShapeError(f"trace: expected a matrix, got shape {list(input.shape)}")
    dtypes.refuse("trace", input.dtype, "bool")
    return sum(diagonal(input))


def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given ones along its diagonal; vectors and numbers are rows."""
    for tensor in tensors:
        if tensor.ndim > 2:
            raise ShapeError(
                f"block_diag: expected at most 2 dimensions, got shape {list(tensor.shape)}"
            )
    blocks = [x if x.ndim == 2 else reshape(x, 1, math.prod(x.shape)) for x in tensors]
    width = builtins.sum([x.shape[1] for x in blocks])
    wide = []
    start = 0
    for x in blocks:
        end = start + x.shape[1]
        wide.append(pad_constant(x, ((0, 0), (start, width - end)), 0))
        start = end
    return cat(wide, 0)


@takes_out
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Vector product along `dim`, of size 3: without one the first dimension of that size."""
    if dim is None:
        if 3 not in input.shape:
            raise ShapeError(f"cross: expected a dimension of size 3, got {list(input.shape)}")
        dim = input.shape.index(3)
    return _cross("cross", input, other, dim)


@takes_out
def cross_of(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Vector product along `dim`, of size 3."""
    return _cross("linalg.cross", input, other, dim)


def _cross(op: str, input: Any, other: Any, dim: int) -> Tensor:
    if input.ndim != other.ndim:
        raise ShapeError(
            f"{op}: expected tensors of as many dimensions, got shapes {list(input.shape)} and "
            f"{list(other.shape)}"
        )
    dtypes.refuse(op, input.dtype, "bool")
    dtypes.refuse_mixed(op, input.dtype, other.dtype)
    place = one_dim(op, dim, input.ndim)
    if input.shape[place] != 3 or other.shape[place] != 3:
        raise ShapeError(
            f"{op}: expected size 3 in dimension {dim}, got shapes {list(input.shape)} and "
            f"{list(other.shape)}"
        )
    a = [select(input, place, i) for i in range(3)]
    b = [select(other, place, i) for i in range(3)]
    parts = [a[i] * b[j] - a[j] * b[i] for i, j in ((1, 2), (2, 0), (0, 1))]
    return stack(parts, place)


@takes_out
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Products of vectors along `dim`, the other dimensions broadcast; of complex ones x is
    conjugated.
    """
    if not dtypes.is_differentiable(x.dtype):
        raise DTypeError(f"linalg.vecdot: expected floating point numbers, got {x.dtype}")
    if x.dtype != y.dtype:
        raise DTypeError(
            f"linalg.vecdot: expected tensors of one dtype, got {x.dtype} and {y.dtype}"
        )
    return sum(mul(conj(x), y), dim)


def diagonal_of(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """As `diagonal`, of the last two dimensions unless told; a view."""
    return diagonal(A, offset, dim1, dim2)


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """(*, n) to (*, n, N): the powers 0 to N - 1 of each element; N is n unless told."""
    x = reshape(x, 1) if not x.ndim else x
    count = x.shape[-1] if N is None else N
    if count <= 1:
        raise ShapeError(f"linalg.vander: expected N > 1, got {count}")
    powers = arange(1, count, dtype=x.dtype, device=x.device)
    return cat([unsqueeze(ones_like(x), -1), pow(unsqueeze(x, -1), powers)], -1)


# ---- chains


@takes_out
def chain_matmul(*matrices: Tensor) -> Tensor:
    """Product of matrices, in the order that takes the fewest multiplications."""
    for matrix in matrices:
        if matrix.ndim != 2:
            raise ShapeError(f"chain_matmul: expected matrices, got shape {list(matrix.shape)}")
    if not matrices:
        raise ShapeError("chain_matmul: expected at least one matrix, got none")
    return product_of_chain("chain_matmul", matrices)


def product_of_chain(op: str, matrices: Sequence[Any]) -> Tensor:
    for left, right in itertools.pairwise(matrices):
        if left.shape[1] != right.shape[0]:
            raise ShapeError(
                f"{op}: expected matrices whose inner sizes agree, got shapes "
                f"{list(left.shape)} and {list(right.shape)}"
            )
    return _multiply(
        matrices, _best_splits([matrices[0].shape[0], *[x.shape[1] for x in matrices]])
    )


def _best_splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split each range of the chain: Cormen et al., matrix-chain multiplication."""
    count = len(sizes) - 1
    cost = {(i, i + 1): 0 for i in range(count)}
    splits = {}
    for length in range(2, count + 1):
        for i in range(count - length + 1):
            j = i + length
            costs = [
                (cost[i, k] + cost[k, j] + sizes[i] * sizes[k] * sizes[j], k)
                for k in range(i + 1, j)
            ]
            cost[i, j], splits[i, j] = min(costs)
    return splits


def _multiply(matrices: Sequence[Any], splits: dict[tuple[int, int], int]) -> Tensor:
    def between(i: int, j: int) -> Tensor:
        if j == i + 1:
            return matrices[i]  # type: ignore[no-any-return]
        return matmul(between(i, splits[i, j]), between(splits[i, j], j))

    return between(0, len(matrices))


@takes_out
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """Product of matrices in the cheapest order; the first and the last may be vectors."""
    if len(tensors) < 2:
        raise ShapeError(f"multi_dot: expected at least 2 tensors, got {len(tensors)}")
    ranks = [x.ndim for x in tensors]
    if any(rank != 2 for rank in ranks[1:-1]) or any(r not in (1, 2) for r in ranks):
        raise ShapeError(
            "multi_dot: expected matrices, and vectors only at the ends, got "
            f"{' and '.join(str(list(x.shape)) for x in tensors)}"
        )
    first, last = tensors[0], tensors[-1]
    shape = (*first.shape[:-1], *last.shape[1:])
    matrices = list(tensors)
    matrices[0] = first if first.ndim == 2 else unsqueeze(first, 0)
    matrices[-1] = last if last.ndim == 2 else unsqueeze(last, 1)
    return reshape(product_of_chain("multi_dot", matrices), shape)


# ---- distances


def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str | None = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """(*, n, k) and (*, m, k) to the (*, n, m) of the rows' distances in the p-norm.

    Euclidean distances of more than 25 rows come from a matrix product, unless `compute_mode` says
    "donot_use_mm_for_euclid_dist"; the gradient at distance 0 is 0.
    """
    modes = {
        None: None,
        "use_mm_for_euclid_dist_if_necessary": None,
        "use_mm_for_euclid_dist": True,
        "donot_use_mm_for_euclid_dist": False,
    }
    if compute_mode not in modes:
        raise ValueError(f"cdist: expected one of {list(modes)}, got {compute_mode!r}")
    dtypes.refuse_mixed("cdist", x1.dtype, x2.dtype)
    for x in (x1, x2):
        if not dtypes.is_floating_point(x.dtype):
            raise DTypeError(f"cdist: expected floating dtypes, got {x.dtype}")
        if x.ndim < 2:
            raise ShapeError(f"cdist: expected at least 2 dimensions, got {list(x.shape)}")
    if x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(
            f"cdist: expected rows of one size, got {list(x1.shape)} and {list(x2.shape)}"
        )
    if p < 0:
        raise ShapeError(f"cdist: expected p >= 0, got {p}")
    many = modes[compute_mode]
    if many is None:
        many = x1.shape[-2] > MANY_ROWS or x2.shape[-2] > MANY_ROWS
    if p == 2 and many:
        return _euclidean(x1, x2)  # type: ignore[no-any-return]
    return row_lengths(unsqueeze(x1, -2) - unsqueeze(x2, -3), p)


def _euclidean(x1: Any, x2: Any) -> Any:
    """sqrt(|a|^2 + |b|^2 - 2 a b)."""
    squares = total(x1 * x1, -1, True) + swap_last(total(x2 * x2, -1, True))
    squares = squares - 2 * matmul(x1, swap_last(x2))
    near = squares <= 0  # of equal rows rounding may leave less than 0
    return where(near, 0, sqrt(where(near, 1, squares)))
