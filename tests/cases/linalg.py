"""Solutions and decompositions of matrices."""

from __future__ import annotations

import math

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import DTypeError, GraphError, LinAlgError, ShapeError
from tensorgrad.op import OPS
from tests.cases.table import *

L = tg.linalg


def well(*size):
    """Well-conditioned matrices: roundings are not magnified."""
    n = min(size[-2:])
    return Sample(lambda rng: rng.uniform(-1, 1, size) / n + 1.5 * np.eye(*size[-2:]))


def spread(*size):
    """Singular values far from each other and from 0."""

    def draw(rng):
        left, _, right = np.linalg.svd(rng.standard_normal(size), full_matrices=False)
        return (left * np.arange(1.0, min(size[-2:]) + 1)) @ right

    return Sample(draw)


def symmetric(x):
    return (x + x.mT) / 2


def definite(x):
    return x @ x.mT + 1.0 * eye_of(x)


def eye_of(x):
    n = x.shape[-2]
    if isinstance(x, np.ndarray):
        return np.eye(n)
    return tg.eye(n, dtype=x.dtype, device=x.device)


# A case is read as one line.
# fmt: off

def call(name, *statics):
    """The primitive of that name with its settings."""
    return lambda *x: OPS[name].call(*x, *statics)


# ---- inverses, determinants, solutions

case("inv", L.inv, well(3, 3), ref=np.linalg.inv, torch="")
case("inv batch", L.inv, well(2, 4, 4), ref=np.linalg.inv, torch="inverse")
case("inv empty", L.inv, well(2, 3, 3), torch="inverse")
case("inverse", tg.inverse, well(3, 3), ref=np.linalg.inv)
case("inv_ex", lambda x: L.inv_ex(x).inverse, well(2, 3, 3), ref=np.linalg.inv, torch="")
case("det", tg.det, well(2, 3, 3), ref=np.linalg.det)
case("det singular", lambda x: tg.det(x[..., None] * x[..., None, :]), normal(3),
     ref=lambda x: np.zeros(()), second=False, torch="")
case("cofactors", OPS["cofactors"].call, well(3, 3), torch="",
     ref=lambda x: np.linalg.det(x) * np.linalg.inv(x).T)
case("slogdet", tg.slogdet, well(2, 3, 3), ref=lambda x: tuple(np.linalg.slogdet(x)))
case("logdet", tg.logdet, well(3, 3), ref=lambda x: np.log(np.linalg.det(x)))
case("solve", L.solve, well(3, 3), normal(3, 2), ref=np.linalg.solve, torch="")
case("solve vector", L.solve, well(3, 3), normal(3), ref=np.linalg.solve, torch="")
case("solve batch", L.solve, well(2, 3, 3), normal(3, 2), ref=np.linalg.solve, torch="")
case("solve batch of vectors", L.solve, well(2, 3, 3), normal(2, 3), torch="",
     ref=lambda a, b: np.linalg.solve(a, b[..., None])[..., 0])
case("solve right", L.solve, well(3, 3), normal(2, 3), left=False, torch="",
     ref=lambda a, b, left: b @ np.linalg.inv(a))
case("solve_ex", lambda a, b: L.solve_ex(a, b).result, well(3, 3), normal(3, 2),
     ref=np.linalg.solve, torch="")
case("solve_triangular", L.solve_triangular, well(5, 5), normal(5, 2), upper=True, torch="",
     ref=lambda a, b, upper: np.linalg.solve(np.triu(a), b))
case("solve_triangular lower", L.solve_triangular, well(2, 4, 4), normal(4, 2), upper=False,
     torch="", ref=lambda a, b, upper: np.linalg.solve(np.tril(a), b))
case("solve_triangular right", L.solve_triangular, well(3, 3), normal(2, 3), upper=False,
     left=False, torch="", ref=lambda a, b, upper, left: b @ np.linalg.inv(np.tril(a)))
case("solve_triangular unit", L.solve_triangular, well(3, 3), normal(3, 2), upper=True,
     unitriangular=True, torch="",
     ref=lambda a, b, upper, unitriangular: np.linalg.solve(np.triu(a, 1) + np.eye(3), b))
case("triangular_solve", tg.triangular_solve, normal(3, 2), well(3, 3), transpose=True,
     torch="", ref=lambda b, a, transpose: (np.linalg.solve(np.triu(a).T, b), a))
case("tensorinv", L.tensorinv, Sample(lambda rng: (
    rng.uniform(-1, 1, (6, 6)) / 6 + 1.5 * np.eye(6)).reshape(2, 3, 6)), torch="",
     ref=np.linalg.tensorinv)
case("tensorsolve", L.tensorsolve, Sample(lambda rng: (
    rng.uniform(-1, 1, (6, 6)) / 6 + 1.5 * np.eye(6)).reshape(2, 3, 6)), normal(2, 3), torch="",
     ref=np.linalg.tensorsolve)

# ---- factors

case("cholesky", lambda x: tg.cholesky(definite(x)), normal(3, 3), torch="",
     ref=lambda x: np.linalg.cholesky(definite(x)))
case("cholesky upper", lambda x: L.cholesky(definite(x), upper=True), normal(2, 3, 3), torch="",
     ref=lambda x: np.linalg.cholesky(definite(x)).mT)
case("cholesky_ex", lambda x: L.cholesky_ex(definite(x)).L, normal(3, 3), torch="",
     ref=lambda x: np.linalg.cholesky(definite(x)))
case("indefinite_minor", OPS["indefinite_minor"].call, given([
    [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]], [[1, 2, 0], [2, 1, 0], [0, 0, 1]],
    [[-1, 0, 0], [0, 1, 0], [0, 0, 1]]]), ref=lambda x: np.array([0, 2, 1]), grad=False, torch="")
case("cholesky_inverse", lambda x: tg.cholesky_inverse(tg.cholesky(definite(x))), normal(3, 3),
     torch="", ref=lambda x: np.linalg.inv(definite(x)))
case("cholesky_solve", lambda b, x: tg.cholesky_solve(b, tg.cholesky(definite(x), True), True),
     normal(3, 2), normal(3, 3), torch="", ref=lambda b, x: np.linalg.solve(definite(x), b))
for size in ((4, 4), (2, 3, 5), (5, 3)):
    case(f"lu_factor {size}", call("lu_factor", True), spread(*size), torch="")
case("lu_factor unpivoted", call("lu_factor", False), well(4, 4), torch="")
case("lu_unpack", lambda x: (lambda f: f.P @ f.L @ f.U)(tg.lu_unpack(*tg.lu(x))), spread(2, 4, 4),
     torch="", ref=lambda x: x)
case("lu", lambda x: (lambda f: f.P @ f.L @ f.U)(L.lu(x)), spread(5, 3), torch="", ref=lambda x: x)
case("lu_solve", lambda b, x: tg.lu_solve(b, *tg.lu(x)), normal(3, 2), well(2, 3, 3), torch="",
     ref=lambda b, x: np.linalg.solve(x, b))
case("lu_solve adjoint", lambda x, b: L.lu_solve(*L.lu_factor(x), b, left=False, adjoint=True),
     well(3, 3), normal(2, 3), torch="", ref=lambda x, b: b @ np.linalg.inv(x.T))
case("pivots_to_order", OPS["pivots_to_order"].call, given([3, 3, 3]), 4, grad=False, torch="",
     ref=lambda x, n: np.array([2, 0, 1, 3]))

# ---- orthogonal decompositions: vectors are determined up to their signs

case("qr", tg.qr, spread(4, 3), torch="")
case("qr wide", lambda x: L.qr(x), spread(2, 3, 4), torch="")
case("qr complete", lambda x: L.qr(x, "complete"), normal(4, 3), grad=False, torch="")
case("eigh", lambda x: (lambda f: (f[0], f[1].abs()))(L.eigh(symmetric(x))), spread(4, 4), torch="",
     ref=lambda x: (lambda f: (f[0], np.abs(f[1])))(np.linalg.eigh(symmetric(x))))
case("eigvalsh", lambda x: L.eigvalsh(symmetric(x), "U"), spread(2, 3, 3), torch="",
     ref=lambda x: np.linalg.eigvalsh(symmetric(x)))
case("eig", lambda x: (lambda f: tg.real(f[1] * f[0].unsqueeze(-2) @ L.inv(f[1])))(L.eig(x)),
     spread(2, 3, 3), torch="", ref=lambda x: x)
case("eigvals", lambda x: (lambda e: tg.real((e * e * e).sum(-1)))(L.eigvals(x)), spread(3, 3),
     torch="", ref=lambda x: np.trace(x @ x @ x))


def absolute(found):
    return abs(found[0]), found[1], abs(found[2])


for size in ((3, 3), (2, 5, 3), (3, 4)):
    case(f"svd {size}", lambda x: absolute(L.svd(x, full_matrices=False)), spread(*size), torch="",
         ref=lambda x: absolute(np.linalg.svd(x, full_matrices=False)))
case("svd full", lambda x: (lambda f: (f.U[..., :3] * f.S.unsqueeze(-2)) @ f.V.mT)(
    tg.svd(x, some=False)), spread(5, 3), torch="", ref=lambda x: x)
case("svdvals", L.svdvals, spread(2, 4, 3), torch="",
     ref=lambda x: np.linalg.svd(x, compute_uv=False))

# ---- what singular values decide

case("pinv", L.pinv, spread(4, 3), ref=np.linalg.pinv, torch="")
case("pinv hermitian", lambda x: L.pinv(symmetric(x), hermitian=True), spread(3, 3), torch="",
     ref=lambda x: np.linalg.pinv(symmetric(x)))
case("pinv singular", lambda x, y: L.pinv(x @ y), spread(4, 2), spread(2, 3), torch="",
     ref=lambda x, y: np.linalg.pinv(x @ y))
case("pinverse", tg.pinverse, spread(2, 3, 4), ref=np.linalg.pinv)
case("matrix_rank", L.matrix_rank, given([[[1.0, 2], [2, 4]], [[1, 0], [0, 1]]]), grad=False,
     torch="", ref=np.linalg.matrix_rank)
case("lstsq", lambda a, b: L.lstsq(a, b).solution, spread(5, 3), normal(5, 2), torch="",
     ref=lambda a, b: np.linalg.lstsq(a, b, rcond=None)[0])
case("lstsq wide", lambda a, b: L.lstsq(a, b, driver="gelsd").solution, spread(3, 5), normal(3, 2),
     torch="", ref=lambda a, b: np.linalg.lstsq(a, b, rcond=None)[0])
case("matrix_exp", tg.matrix_exp, well(2, 3, 3))
# Of 16 bits PyTorch's result is infinite.
case("matrix_exp narrow", tg.matrix_exp, well(2, 3, 3), dtypes=NARROW, torch="")
case("matrix_exp large", lambda x: tg.matrix_exp(x * 8) / 1e6, well(3, 3), torch="")
case("matrix_power", tg.matrix_power, well(2, 3, 3), n=5, ref=np.linalg.matrix_power)
case("matrix_power negative", tg.matrix_power, well(3, 3), n=-2, ref=np.linalg.matrix_power)
case("matrix_power zero", tg.matrix_power, well(3, 3), n=0, ref=np.linalg.matrix_power)

# ---- norms

for order in (0.5, 1, 2, 3, math.inf, -math.inf):
    case(f"vector_norm {order}", L.vector_norm, distinct(3, 4), ord=order, dim=1, keepdim=True,
         torch="", ref=lambda x, ord, dim, keepdim: np.linalg.norm(x, ord, dim, keepdim))
for order in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
    case(f"matrix_norm {order}", L.matrix_norm, spread(3, 4), ord=order, torch="",
         ref=lambda x, ord: np.linalg.norm(x, ord))
case("matrix_norm dim", L.matrix_norm, spread(2, 3, 4), ord=1, dim=(2, 0), keepdim=True, torch="",
     ref=lambda x, ord, dim, keepdim: np.linalg.norm(x, ord, dim, keepdim))
case("linalg.norm", L.norm, normal(2, 3, 4), torch="", ref=lambda x: np.linalg.norm(x))
case("linalg.norm of matrix", L.norm, spread(3, 4), ord=2, torch="",
     ref=lambda x, ord: np.linalg.norm(x, ord))
case("cond", L.cond, spread(3, 3), torch="", ref=np.linalg.cond)
case("cond 1", L.cond, well(3, 3), p=1, torch="", ref=lambda x, p: np.linalg.cond(x, p))

# ---- calls that must fail

SQUARE, SINGULAR = floats(3, 3), np.ones((2, 2), "float32")
bad("linalg.inv shape", lambda m, x: m.linalg.inv(x), X, error=ShapeError,
    words="linalg.inv: expected square matrices, got shape [3, 4]")
bad("linalg.inv rank", lambda m, x: m.linalg.inv(x), floats(3), error=ShapeError,
    words="linalg.inv: expected at least 2 dimensions, got shape [3]")
bad("linalg.inv integers", lambda m, x: m.linalg.inv(x), ints([1, 2], [3, 4]), error=DTypeError,
    words="linalg.inv: expected float32, float64 or complex numbers, got int64")
bad("linalg.svd complex", lambda m, x: m.linalg.svd(x), X.astype("complex64"), error=DTypeError,
    words="linalg.svd: expected float32 or float64, got complex64", in_torch=False)
bad("linalg.inv singular", lambda m, x: m.linalg.inv(x), SINGULAR, error=LinAlgError,
    words="inv: expected an invertible matrix, got a singular one", in_torch=False)
bad("linalg.solve singular", lambda m, x: m.linalg.solve(x, x), SINGULAR, error=LinAlgError,
    words="solve: expected an invertible matrix, got a singular one", in_torch=False)
bad("linalg.inv_ex checked", lambda m, x: m.linalg.inv_ex(x, check_errors=True), SINGULAR,
    error=LinAlgError, words="expected an invertible matrix, got", in_torch=False)
bad("linalg.cholesky", lambda m, x: m.linalg.cholesky(x), -np.eye(2), error=LinAlgError,
    words="cholesky: expected a positive-definite matrix, got another", in_torch=False)
bad("linalg.svd not finite", lambda m, x: m.linalg.svd(x * math.nan), X, error=LinAlgError,
    words="svd: expected finite numbers, got a matrix", in_torch=False)
bad("linalg.solve sizes", lambda m, x, y: m.linalg.solve(x, y), SQUARE, floats(4, 2),
    error=ShapeError, words="linalg.solve: expected sizes that fit, got shapes [3, 3] and [4, 2]")
bad("linalg.solve batch", lambda m, x, y: m.linalg.solve(x, y), floats(2, 3, 3), floats(5, 3, 2),
    error=ShapeError, words="linalg.solve: expected batch sizes that broadcast")
bad("linalg.solve dtypes", lambda m, x, y: m.linalg.solve(x, y), SQUARE, np.ones((3, 3)),
    error=DTypeError, words="linalg.solve: expected tensors of one dtype")
bad("linalg.solve vector right", lambda m, x, y: m.linalg.solve(x, y, left=False), SQUARE,
    floats(3), error=ShapeError, words="linalg.solve: expected matrices on the left")
bad("linalg.qr mode", lambda m, x: m.linalg.qr(x, "some"), X, error=ShapeError,
    words="linalg.qr: expected mode 'reduced', 'complete' or 'r', got 'some'")
bad("linalg.qr complete", lambda m, x: m.linalg.qr((x * 1).requires_grad_(), "complete")[0]
    .sum().backward(), floats(4, 3), error=GraphError,
    words="linalg.qr: expected mode 'reduced' where a gradient")
bad("linalg.eigh triangle", lambda m, x: m.linalg.eigh(x, "M"), SQUARE, error=ShapeError,
    words="linalg.eigh: expected UPLO 'L' or 'U', got 'M'")
bad("linalg.matrix_norm order", lambda m, x: m.linalg.matrix_norm(x, 3), X, error=ShapeError,
    words="linalg.matrix_norm: expected order 'fro'")
bad("linalg.norm rank", lambda m, x: m.linalg.norm(x, 2), floats(2, 3, 4), error=ShapeError,
    words="linalg.norm: expected a vector or a matrix")
bad("linalg.vector_norm empty", lambda m, x: m.linalg.vector_norm(x, math.inf), floats(0),
    error=ShapeError, words="linalg.vector_norm: expected elements for order inf, got [0]")
bad("linalg.lstsq rows", lambda m, x, y: m.linalg.lstsq(x, y), X, floats(2, 2), error=ShapeError,
    words="linalg.lstsq: expected as many rows")
bad("linalg.lu_solve pivots", lambda m, x, p: m.linalg.lu_solve(x, p, x), SQUARE, LONG,
    error=DTypeError, words="linalg.lu_solve: expected int32 pivots, got int64")
bad("linalg.tensorinv", lambda m, x: m.linalg.tensorinv(x, 1), X, error=ShapeError,
    words="linalg.tensorinv: expected as many elements before dimension 1")
bad("matrix_exp shape", lambda m, x: m.matrix_exp(x), X, error=ShapeError,
    words="matrix_exp: expected square matrices")
