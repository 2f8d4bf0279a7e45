"""Orthogonal decompositions: QR, eigenvalues of symmetric matrices, singular values.

https://docs.pytorch.org/docs/stable/linalg.html; the gradients are those of Giles, "Collected
matrix derivative results for forward and reverse mode algorithmic differentiation", 2008.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad.errors import GraphError, ShapeError
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.complex_parts import conjugate, is_complex, real_part
from tensorgrad.ops.creation import zeros_of
from tensorgrad.ops.diagonals import diag_embed, diagonal
from tensorgrad.ops.diagonals import upper as upper_part
from tensorgrad.ops.joining import cat
from tensorgrad.ops.linalg import matmul, swap_last
from tensorgrad.ops.matrices import check_matrix, check_square, identity
from tensorgrad.ops.shape import take_slice, unsqueeze
from tensorgrad.ops.solving import solution, triangular
from tensorgrad.out import takes_out
from tensorgrad.several import primitive_of_several

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "qr",
    "svd",
]


class Orthogonal(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


class Singular(NamedTuple):
    """What `linalg.svd` returns."""

    U: Any
    S: Any
    Vh: Any


class SingularV(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    V: Any


class Eigen(NamedTuple):
    """What `eig` and `eigh` return."""

    eigenvalues: Any
    eigenvectors: Any


# ---- QR


def _qr_rule(g: Any, y: Any, complete: bool) -> Any:
    Q, R = y
    if Q.shape[-1] != R.shape[-1]:
        raise GraphError(
            "linalg.qr: expected mode 'reduced' where a gradient of a tall matrix is wanted, got "
            "'complete'"
        )
    g_q, g_r = g
    middle: Any = 0
    if g_r is not None:
        middle = matmul(g_r, swap_last(R))
    if g_q is not None:
        middle = middle - matmul(swap_last(Q), g_q)
    middle = upper_part(middle, 0)
    middle = middle + swap_last(upper_part(middle, 1))
    slope = matmul(Q, middle)
    if g_q is not None:
        slope = slope + g_q
    # Times the inverse transpose of R, from the right.
    return swap_last(triangular(R, swap_last(slope), True, False))


orthogonal = primitive_of_several("qr", "input", "complete", outputs=2, input=_qr_rule)


@takes_out
def qr_of(A: Tensor, mode: str = "reduced") -> Orthogonal:
    """A = Q @ R with orthonormal columns of Q and upper triangular R. mode "complete" makes Q
    square, "r" leaves it empty.
    """
    check_matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise ShapeError(f"linalg.qr: expected mode 'reduced', 'complete' or 'r', got {mode!r}")
    m, n = A.shape[-2:]
    if m >= n:
        Q, R = orthogonal(A, mode == "complete")
    else:  # the square part decides, the rest is turned by its Q
        Q, R = orthogonal(A[..., :m], False)
        R = cat([R, matmul(swap_last(Q), A[..., m:])], -1)
    return Orthogonal(zeros_of(A, (0,)), R.detach()) if mode == "r" else Orthogonal(Q, R)


def qr(input: Tensor, some: bool = True, *, out: Any = None) -> Orthogonal:
    """As `linalg.qr`; `some=False` makes Q square."""
    found: Orthogonal = qr_of(input, "reduced" if some else "complete", out=out)
    return found


# ---- eigenvalues of symmetric matrices


def _skew(x: Any) -> Any:
    return x - swap_last(x)


def _differences(values: Any) -> Any:
    """values[j] - values[i], and 1 on the diagonal."""
    apart = unsqueeze(values, -2) - unsqueeze(values, -1)
    return apart + identity(apart)


def _eigh_rule(g: Any, y: Any) -> Any:
    values, vectors = y
    turned = swap_last(vectors)
    middle: Any = 0
    if g[1] is not None:
        middle = _skew(matmul(turned, g[1])) / (2 * _differences(values))
    if g[0] is not None:
        middle = middle + diag_embed(g[0])
    return matmul(matmul(vectors, middle), turned)


eigen = primitive_of_several("eigh", "input", "lower", outputs=2, input=_eigh_rule)


def _is_lower(op: str, UPLO: str) -> bool:
    if not isinstance(UPLO, str) or UPLO.upper() not in ("L", "U"):
        raise ShapeError(f"{op}: expected UPLO 'L' or 'U', got {UPLO!r}")
    return UPLO.upper() == "L"


@takes_out
def eigh(A: Tensor, UPLO: str = "L") -> Eigen:
    """(eigenvalues in ascending order, eigenvectors as columns) of symmetric matrices, of which
    the triangle UPLO is read.
    """
    check_square("linalg.eigh", A)
    return Eigen(*eigen(A, _is_lower("linalg.eigh", UPLO)))


@takes_out
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, in ascending order."""
    check_square("linalg.eigvalsh", A)
    return eigen(A, _is_lower("linalg.eigvalsh", UPLO))[0]


# ---- eigenvalues of any square matrix: complex numbers


def _eig_rule(g: Any, y: Any, input: Any) -> Any:
    values, vectors = y
    # In PyTorch's convention a gradient is the conjugate of what a backward pass holds here.
    turned = conjugate(swap_last(vectors))
    middle: Any = 0
    if g[1] is not None:
        middle = matmul(turned, conjugate(g[1]))
        # Vectors have length 1, so that no gradient flows along them.
        along = real_part(diagonal(middle, 0, -2, -1))
        middle = middle - matmul(turned, vectors) * unsqueeze(along, -2)
        middle = middle / conjugate(_differences(values))
        middle = middle - diag_embed(diagonal(middle, 0, -2, -1))
    if g[0] is not None:
        middle = middle + diag_embed(conjugate(g[0]))
    slope = conjugate(solution(turned, matmul(middle, turned)))
    return slope if is_complex(input) else real_part(slope)


any_eigen = primitive_of_several("eig", "input", outputs=2, input=_eig_rule)


@takes_out
def eig(A: Tensor) -> Eigen:
    """(eigenvalues, eigenvectors as columns of length 1) of square matrices, complex and in no
    order.
    """
    check_square("linalg.eig", A, True)
    return Eigen(*any_eigen(A))


@takes_out
def eigvals(A: Tensor) -> Tensor:
    """The eigenvalues of square matrices, complex and in no order."""
    check_square("linalg.eigvals", A, True)
    return any_eigen(A)[0]


# ---- singular values


def _svd_rule(g: Any, y: Any) -> Any:
    U, S, Vh = y
    g_u, g_s, g_vh = g
    k = S.shape[-1]
    if g_u is not None:
        g_u = take_slice(g_u, (Ellipsis, slice(0, k)))
    if g_vh is not None:
        g_vh = take_slice(g_vh, (Ellipsis, slice(0, k), slice(None)))
    m, n = U.shape[-2], Vh.shape[-1]
    U, Vh = (
        take_slice(U, (Ellipsis, slice(0, k))),
        take_slice(Vh, (Ellipsis, slice(0, k), slice(None))),
    )
    row, column = unsqueeze(S, -2), unsqueeze(S, -1)
    middle = zeros_of(S, (*S.shape, k)) if g_s is None else diag_embed(g_s)
    apart = _differences(S * S) if g_u is not None or g_vh is not None else None
    if g_u is not None:
        middle = middle + _skew(matmul(swap_last(U), g_u)) / apart * row
    if g_vh is not None:
        middle = middle + column * (_skew(matmul(Vh, swap_last(g_vh))) / apart)
    slope = matmul(matmul(U, middle), Vh)
    # What leaves the space of the columns, or of the rows.
    if g_u is not None and m > k:
        outside = (g_u - matmul(U, matmul(swap_last(U), g_u))) / row
        slope = slope + matmul(outside, Vh)
    if g_vh is not None and n > k:
        outside = (g_vh - matmul(matmul(g_vh, swap_last(Vh)), Vh)) / column
        slope = slope + matmul(U, outside)
    return slope


def _svdvals_rule(g: Any, input: Any) -> Any:
    U, _, Vh = singular(input, False)
    return matmul(U * unsqueeze(g, -2), Vh)


singular = primitive_of_several("svd", "input", "full_matrices", outputs=3, input=_svd_rule)
singular_values: TensorFunction = primitive("svdvals", "input", input=_svdvals_rule)


@takes_out
def svd_of(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> Singular:
    """A = U @ diag(S) @ Vh, the singular values S in descending order; `full_matrices` makes U and
    Vh square. `driver` is PyTorch's, for GPUs: without effect.
    """
    check_matrix("linalg.svd", A)
    return Singular(*singular(A, full_matrices))


@takes_out
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, in descending order."""
    check_matrix("linalg.svdvals", A)
    return singular_values(A)


@takes_out
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> SingularV:
    """input = U @ diag(S) @ V^T; `some=False` makes U and V square, without `compute_uv` they are
    zeros.
    """
    check_matrix("svd", input)
    if compute_uv:
        U, S, Vh = singular(input, not some)
        return SingularV(U, S, swap_last(Vh))
    m, n = input.shape[-2:]
    batch = tuple(input.shape[:-2])
    left, right = zeros_of(input, (*batch, m, m)), zeros_of(input, (*batch, n, n))
    return SingularV(left, singular_values(input), right)
