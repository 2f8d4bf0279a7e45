"""Matrix products.

https://docs.pytorch.org/docs/stable/torch.html#blas-and-lapack-operations
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.graph import unwrap
from tensorgrad.op import Number, TensorFunction, primitive
from tensorgrad.ops.arithmetic import mul, plus
from tensorgrad.ops.complex_parts import conj
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.reduction import total
from tensorgrad.ops.shape import broadcast, reshape, to_order, unsqueeze
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "addbmm",
    "addmm",
    "addmv",
    "addr",
    "baddbmm",
    "bmm",
    "dot",
    "ger",
    "inner",
    "matmul",
    "mm",
    "mv",
    "outer",
    "vdot",
]


def swap_last(x: Any) -> Any:
    """The transpose of each matrix in a stack; a view."""
    dims = list(range(x.ndim))
    dims[-2:] = dims[-1], dims[-2]
    return to_order(x, tuple(dims))


def rows(x: Any) -> Any:
    """All but the last dimension as one."""
    return reshape(x, math.prod(x.shape[:-1]), x.shape[-1]) if x.ndim != 2 else x


def times_vector(matrices: Any, vectors: Any) -> Any:
    """(*, n, k) times (*, k): as a product of matrices, since `matmul` takes one vector alone."""
    product = matmul(matrices, unsqueeze(vectors, -1))
    return reshape(product, *product.shape[:-1])


def _matmul_input(g: Any, input_shape: tuple[int, ...], other: Any) -> Any:
    if other.ndim == 1:
        return unsqueeze(g, -1) * other
    if len(input_shape) == 1:
        return times_vector(other, g)
    return matmul(g, swap_last(other))


def _matmul_other(g: Any, input: Any, other_shape: tuple[int, ...]) -> Any:
    if input.ndim == 1:
        if len(other_shape) == 1:
            return unsqueeze(g, -1) * input
        return unsqueeze(input, -1) * unsqueeze(g, -2)
    if len(other_shape) == 1:
        return times_vector(swap_last(input), g)
    if len(other_shape) == 2 and input.ndim > 2:  # one product in place of a sum of many
        return matmul(swap_last(rows(input)), rows(g))
    return matmul(swap_last(input), g)


matmul: TensorFunction = primitive(
    "matmul",
    "input other",
    "",
    "Matrix product of the last two dimensions, the others broadcast; 1-d tensors are vectors.",
    kind="same",
    expects="matrices whose inner sizes agree",
    input=_matmul_input,
    other=_matmul_other,
)


def rmatmul(input: Tensor, other: Tensor) -> Tensor:
    """other @ input."""
    return matmul(other, input)


def _check_ranks(op: str, ranks: tuple[int, ...], *tensors: Any) -> None:
    if tuple([tensor.ndim for tensor in tensors]) != ranks:
        shapes = " and ".join([str(list(tensor.shape)) for tensor in tensors])
        wanted = " and ".join([str(rank) for rank in ranks])
        raise ShapeError(f"{op}: expected tensors of {wanted} dimensions, got shapes {shapes}")


def _product(
    op: str, input: Tensor, other: Tensor, ranks: tuple[int, int], out: Tensor | None = None
) -> Tensor:
    if input.ndim != ranks[0] or other.ndim != ranks[1]:
        _check_ranks(op, ranks, input, other)
    if ranks[0] == 3 and input.shape[0] != other.shape[0]:
        raise ShapeError(
            f"{op}: expected equal batch sizes, got shapes {list(input.shape)} and "
            f"{list(other.shape)}"
        )
    return matmul(input, other, out=out)


def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """(n, k) times (k, m)."""
    return _product("mm", input, mat2, (2, 2), out)


def bmm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """(b, n, k) times (b, k, m), matrix by matrix."""
    return _product("bmm", input, mat2, (3, 3), out)


def mv(input: Tensor, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """(n, k) times (k,)."""
    return _product("mv", input, vec, (2, 1), out)


def dot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sum of the products of two vectors' elements."""
    return _product("dot", input, tensor, (1, 1), out)


def vdot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Sum of the products of two vectors' elements, those of the first conjugated."""
    return _product("vdot", conj(input), other, (1, 1), out)


@takes_out
def inner(input: Tensor, other: Tensor) -> Tensor:
    """(*, k) and (+, k) to the (*, +) of all products of rows; a 0-d tensor multiplies."""
    if not input.ndim or not other.ndim:
        return mul(input, other)
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(
            f"inner: expected equal last sizes, got shapes {list(input.shape)} and "
            f"{list(other.shape)}"
        )
    product = matmul(rows(input), swap_last(rows(other)))
    return reshape(product, *input.shape[:-1], *other.shape[:-1])


@takes_out
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """(n,) and (m,) to the (n, m) of all products."""
    _check_ranks("outer", (1, 1), input, vec2)
    return mul(unsqueeze(input, 1), unsqueeze(vec2, 0))


ger = outer

# ---- beta * input + alpha * product


def _scaled(value: Any, factor: Number) -> Any:
    if not dtypes.is_differentiable(value.dtype) and not isinstance(factor, bool):
        factor = int(factor)  # as PyTorch: whole numbers are not scaled by fractions
    return value if factor == 1 else mul(value, factor)


def _sum(op: str, input: Any, product: Any, beta: Number, alpha: Number) -> Tensor:
    shape = tuple(product.shape)
    if input.dtype != product.dtype:
        raise DTypeError(
            f"{op}: expected tensors of one dtype, got {input.dtype} and {product.dtype}"
        )
    extra = len(shape) - input.ndim
    if extra < 0 or any(n not in (1, m) for n, m in zip(input.shape, shape[extra:])):
        raise ShapeError(
            f"{op}: expected an input that broadcasts to {list(shape)}, got {list(input.shape)}"
        )
    product = _scaled(product, alpha)
    # A factor of 0 leaves the input out, NaN and all.
    return product if beta == 0 else plus(broadcast(_scaled(input, beta), shape), product)


@takes_out
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2): (n, k) times (k, m)."""
    return _sum("addmm", input, _product("addmm", mat1, mat2, (2, 2)), beta, alpha)


@takes_out
def addmv(
    input: Tensor, mat: Tensor, vec: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """beta * input + alpha * (mat @ vec): (n, k) times (k,)."""
    return _sum("addmv", input, _product("addmv", mat, vec, (2, 1)), beta, alpha)


@takes_out
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """beta * input + alpha * (batch1 @ batch2): (b, n, k) times (b, k, m)."""
    return _sum("baddbmm", input, _product("baddbmm", batch1, batch2, (3, 3)), beta, alpha)


@takes_out
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """beta * input + alpha * the sum over b of batch1 @ batch2: (b, n, k) times (b, k, m)."""
    product = total(_product("addbmm", batch1, batch2, (3, 3)), 0, False)
    return _sum("addbmm", input, product, beta, alpha)


@takes_out
def addr(
    input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2); of bools by `and` and `or`."""
    dtype = dtypes.result_type(unwrap(input), unwrap(vec1), unwrap(vec2))
    if dtype == dtypes.bool_:
        beta, alpha = bool(beta), bool(alpha)
    elif not dtypes.is_differentiable(dtype) and (beta % 1 or alpha % 1):
        raise DTypeError(f"addr: expected whole factors for {dtype}, got {beta} and {alpha}")
    return _sum("addr", cast(input, dtype), cast(outer(vec1, vec2), dtype), beta, alpha)
