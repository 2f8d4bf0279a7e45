"""Matrix products.

https://docs.pytorch.org/docs/stable/torch.html#blas-and-lapack-operations
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.op import primitive
from tensorgrad.ops.shape import reshape, to_order, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "bmm",
    "dot",
    "matmul",
    "mm",
    "mv",
    "outer",
]


def swap_last(x: Any) -> Any:
    """The transpose of each matrix in a stack; a view."""
    dims = list(range(x.ndim))
    dims[-2:] = dims[-1], dims[-2]
    return to_order(x, tuple(dims))


def rows(x: Any) -> Any:
    """All but the last dimension as one."""
    return reshape(x, -1, x.shape[-1]) if x.ndim != 2 else x


def _matmul_input(g: Any, input_shape: tuple[int, ...], other: Any) -> Any:
    if other.ndim == 1:
        return unsqueeze(g, -1) * other
    if len(input_shape) == 1:
        return reshape(matmul(other, unsqueeze(g, -1)), *g.shape[:-1], -1)
    return matmul(g, swap_last(other))


def _matmul_other(g: Any, input: Any, other_shape: tuple[int, ...]) -> Any:
    if input.ndim == 1:
        if len(other_shape) == 1:
            return unsqueeze(g, -1) * input
        return unsqueeze(input, -1) * unsqueeze(g, -2)
    if len(other_shape) == 1:
        return reshape(matmul(swap_last(input), unsqueeze(g, -1)), *input.shape[:-2], -1)
    if len(other_shape) == 2 and input.ndim > 2:  # one product in place of a sum of many
        return matmul(swap_last(rows(input)), rows(g))
    return matmul(swap_last(input), g)


matmul = primitive(
    "matmul",
    "input other",
    "",
    "Matrix product of the last two dimensions, the others broadcast; 1-d tensors are vectors.",
    kind="same",
    expects="matrices whose inner sizes agree",
    input=_matmul_input,
    other=_matmul_other,
)


def _product(op: str, input: Tensor, other: Tensor, ranks: tuple[int, int]) -> Tensor:
    if (input.ndim, other.ndim) != ranks:
        raise ShapeError(
            f"{op}: expected tensors of {ranks[0]} and {ranks[1]} dimensions, got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    return matmul(input, other)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """(n, k) times (k, m)."""
    return _product("mm", input, mat2, (2, 2))


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """(b, n, k) times (b, k, m), matrix by matrix."""
    if input.ndim == 3 and mat2.ndim == 3 and input.shape[0] != mat2.shape[0]:
        raise ShapeError(
            f"bmm: expected equal batch sizes, got shapes {list(input.shape)} and "
            f"{list(mat2.shape)}"
        )
    return _product("bmm", input, mat2, (3, 3))


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """(n, k) times (k,)."""
    return _product("mv", input, vec, (2, 1))


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Sum of the products of two vectors' elements."""
    return _product("dot", input, tensor, (1, 1))


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """(n,) and (m,) to the (n, m) of all products."""
    return unsqueeze(input, 1) * unsqueeze(vec2, 0)
