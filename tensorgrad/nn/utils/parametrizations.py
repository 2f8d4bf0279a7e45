"""Ready parametrizations: weights of a learned length, of spectral norm 1, or orthogonal.

https://docs.pytorch.org/docs/stable/nn.html#parametrizations-implemented-using-the-new-parametrization-functionality-in-torch-nn-utils-parametrize-register-parametrization
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.autograd import no_grad
from tensorgrad.errors import IndexRangeError, ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.nn.conv import _ConvTranspose
from tensorgrad.nn.functional import normalize
from tensorgrad.nn.module import Module
from tensorgrad.nn.utils.parametrize import register_parametrization
from tensorgrad.ops.creation import zeros_like
from tensorgrad.ops.decompositions import qr_of
from tensorgrad.ops.diagonals import diagonal, tril
from tensorgrad.ops.joining import cat
from tensorgrad.ops.least_squares import matrix_exp
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.matrix_norms import vector_norm
from tensorgrad.ops.sampling import randn
from tensorgrad.ops.sequences import eye
from tensorgrad.ops.shape import flatten, movedim
from tensorgrad.ops.solving import solve

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


def _tensor_of(op: str, module: Module, name: str) -> Any:
    value = getattr(module, name, None)
    if not isinstance(value, TensorCore):
        raise ValueError(f"{op}: expected the name of a parameter or buffer, got {name!r}")
    return value


# ---- length and direction


def norm_except_dim(tensor: Tensor, dim: int) -> Tensor:
    """The lengths of the slices along `dim`, its other dimensions kept with size 1; of the whole
    tensor, without dimensions, for dim -1.
    """
    if dim == -1:
        return vector_norm(tensor)
    others = tuple([d for d in range(tensor.ndim) if d != dim % tensor.ndim])
    return vector_norm(tensor, dim=others, keepdim=True) if others else tensor.abs()


def of_length(direction: Tensor, length: Tensor, dim: int) -> Tensor:
    """length * direction / ||direction||, slice by slice along `dim`."""
    return direction * (length / norm_except_dim(direction, dim))


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return of_length(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except_dim(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Parametrize a weight by its lengths g along `dim` (original0) and its directions v
    (original1): g * v / ||v||. dim None: one length. Salimans and Kingma 2016.
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


# ---- spectral norm


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """The weight with `dim` first and all others as one."""
    return flatten(movedim(weight, dim, 0), 1)


def iterate(matrix: Tensor, u: Tensor, v: Tensor, steps: int, eps: float) -> None:
    """Move u and v, in place, towards the matrix's first singular vectors, by power iteration."""
    with no_grad():
        for _ in range(steps):
            u.copy_(normalize(matmul(matrix, v), dim=0, eps=eps))
            v.copy_(normalize(matmul(matrix.t(), u), dim=0, eps=eps))


def over_norm(weight: Tensor, matrix: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """weight / (u . matrix v)."""
    # Clones: the next iteration writes into u and v, which this one's backward needs.
    return weight / matmul(u.clone(), matmul(matrix, v.clone()))


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexRangeError(
                f"spectral_norm: expected dim in [{-weight.ndim}, {weight.ndim}), got {dim}"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                f"spectral_norm: expected n_power_iterations > 0, got {n_power_iterations}"
            )
        self.dim = dim % weight.ndim
        self.eps = eps
        self.n_power_iterations = n_power_iterations
        if weight.ndim > 1:
            matrix = as_matrix(weight.detach(), self.dim)
            like: dict[str, Any] = {"dtype": weight.dtype, "device": weight.device}
            for buffer, size in zip(("_u", "_v"), matrix.shape, strict=True):
                self.register_buffer(buffer, normalize(randn(size, **like), dim=0, eps=eps))
            iterate(matrix, self._u, self._v, 15, eps)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            iterate(matrix, self._u, self._v, self.n_power_iterations, self.eps)
        return over_norm(weight, matrix, self._u, self._v)

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Parametrize a weight by itself over its largest singular value, which is followed by power
    iterations in training. Miyato et al. 2018.

    dim: of the outputs; 1 for transposed convolutions, else 0, unless told.
    """
    weight = _tensor_of("spectral_norm", module, name)
    dim = output_dim(module) if dim is None else dim
    norm = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return register_parametrization(module, name, norm)


def output_dim(module: Module) -> int:
    """Which dimension of a module's weight counts its outputs."""
    return 1 if isinstance(module, _ConvTranspose) else 0


# ---- orthogonal matrices


def _product_of_reflections(vectors: Tensor) -> Tensor:
    """The first columns of H_1 ... H_k, H_i = 1 - 2 v v^T / ||v||^2, v the column i of `vectors`
    (*, n, k) below the diagonal, with 1 on it.
    """
    n, k = vectors.shape[-2:]
    below = tril(vectors, -1)
    tau = 2.0 / (1.0 + (below * below).sum(-2))
    whole = below + eye(n, k, dtype=vectors.dtype, device=vectors.device)
    product = eye(n, k, dtype=vectors.dtype, device=vectors.device)
    for i in reversed(range(k)):
        v = whole[..., :, i : i + 1]
        product = product - tau[..., i, None, None] * matmul(v, matmul(v.mT, product))
    return product


def _reflections(matrix: Tensor) -> Tensor:
    """Of orthonormal columns (*, n, k): the vectors of `_product_of_reflections`, and on the
    diagonal the signs with which it gives them.
    """
    rest, k = matrix.clone(), matrix.shape[-1]
    vectors = zeros_like(matrix)
    for i in range(k):
        column = rest[..., i:, i : i + 1]
        length = vector_norm(column, dim=-2, keepdim=True)
        first = column[..., :1, :]
        sign = (first >= 0).to(matrix.dtype) * 2 - 1
        v = column.clone()
        v[..., :1, :] += sign * length
        v = v / v[..., :1, :]
        vectors[..., i:, i : i + 1] = v
        tau = 2.0 / (v * v).sum(-2, keepdim=True)
        tail = rest[..., i:, i:]
        rest[..., i:, i:] = tail - tau * matmul(v, matmul(v.mT, tail))
        vectors[..., i, i] = -sign[..., 0, 0]
    return vectors


def _orthonormal(matrix: Tensor) -> Tensor:
    """The nearest columns by QR, with the diagonal of R positive."""
    q, r = qr_of(matrix)
    columns: Tensor = q * diagonal(r, dim1=-2, dim2=-1).sgn()[..., None, :]
    return columns


class _Orthogonal(Module):
    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        x = X.mT if wide else X
        n, k = x.shape[-2:]
        if self.orthogonal_map == "householder":
            signs = diagonal(x, dim1=-2, dim2=-1).detach()
            q = _product_of_reflections(x) * signs.int()[..., None, :]
        else:
            lower = tril(x)
            if n != k:
                lower = cat([lower, lower.new_zeros(*lower.shape[:-1], n - k)], -1)
            skew = lower - lower.mH
            if self.orthogonal_map == "matrix_exp":
                q = matrix_exp(skew)
            else:
                one = eye(n, dtype=skew.dtype, device=skew.device)
                q = solve(one - skew / 2, one + skew / 2)
            q = q[..., :k]
        if self.use_trivialization and self.base is not None:
            q = matmul(self.base, q)
        return q.mT if wide else q

    def right_inverse(self, value: Tensor) -> Tensor:
        if value.shape != self.shape:
            raise ShapeError(
                f"orthogonal: expected a tensor of shape {list(self.shape)}, got "
                f"{list(value.shape)}"
            )
        with no_grad():
            wide = value.shape[-2] < value.shape[-1]
            q = value.mT if wide else value
            if not self.use_trivialization:
                if self.orthogonal_map != "householder":
                    raise NotImplementedError(
                        f"orthogonal: expected use_trivialization with {self.orthogonal_map!r} for "
                        "a value to be assigned, got False"
                    )
                vectors = _reflections(_orthonormal(q))
                return vectors.mT if wide else vectors
            n, k = q.shape[-2:]
            if n != k:
                more = randn(*q.shape[:-1], n - k, dtype=q.dtype, device=q.device)
                q = cat([q, more], -1)
            self.base = _orthonormal(q)
            start = -eye(*value.shape[-2:], dtype=value.dtype, device=value.device)
            return start.expand(value.shape).clone()


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Parametrize a weight (*, n, k) by one with orthonormal columns, or rows where n < k.

    orthogonal_map: "matrix_exp" (exp(A), A skew-symmetric), "cayley" ((1 - A/2)^-1 (1 + A/2)) or
    "householder" (a product of reflections); the first for square weights, else the last, unless
    told. use_trivialization: the map starts at the weight, so that values can be assigned.
    Lezcano-Casado 2019.
    """
    weight = _tensor_of("orthogonal", module, name)
    if weight.ndim < 2:
        raise ValueError(
            f"orthogonal: expected at least 2 dimensions, got shape {list(weight.shape)}"
        )
    if orthogonal_map is None:
        square = weight.shape[-2] == weight.shape[-1] or weight.is_complex()
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            "orthogonal: expected orthogonal_map 'matrix_exp', 'cayley' or 'householder', got "
            f"{orthogonal_map!r}"
        )
    if weight.is_complex() and orthogonal_map == "householder":
        raise ValueError("orthogonal: expected real numbers with 'householder', got complex ones")
    orth = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, orth, unsafe=True)
