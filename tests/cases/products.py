"""Matrix products."""

from __future__ import annotations

import math
import operator

import numpy as np

import tensorgrad as tg
from tensorgrad.errors import DTypeError, ShapeError
from tests.cases.table import *

# A case is read as one line.
# fmt: off

# ---- products

case("matmul", tg.matmul, normal(3, 4), normal(4, 5), ref=np.matmul, dtypes=NARROW)
case("matmul vector", tg.matmul, normal(3, 4), normal(4), ref=np.matmul)
case("matmul by vector", tg.matmul, normal(3), normal(3, 4), ref=np.matmul)
case("matmul vectors", operator.matmul, normal(5), normal(5), ref=np.matmul)
case("matmul batch", tg.matmul, normal(2, 3, 4), normal(2, 4, 5), ref=np.matmul)
case("matmul broadcast", tg.matmul, normal(2, 1, 3, 4), normal(5, 4, 2), ref=np.matmul)
case("matmul batch by matrix", tg.matmul, normal(2, 3, 4), normal(4, 5), ref=np.matmul)
case("matmul matrix by batch", tg.matmul, normal(3, 4), normal(2, 4, 5), ref=np.matmul)
case("matmul batch by vector", tg.matmul, normal(2, 3, 4), normal(4), ref=np.matmul)
case("matmul vector by batch", tg.matmul, normal(4), normal(2, 4, 5), ref=np.matmul)
case("matmul no inner", tg.matmul, normal(3, 0), normal(0, 2), ref=np.matmul)
case("matmul integers", tg.matmul, integers(0, 9, 3, 4), integers(0, 9, 4, 2), ref=np.matmul,
     grad=False)
case("mm", tg.mm, normal(3, 4), normal(4, 5), ref=np.matmul)
case("bmm", tg.bmm, normal(2, 3, 4), normal(2, 4, 5), ref=np.matmul)
case("mv", tg.mv, normal(3, 4), normal(4), ref=np.matmul)
case("dot", tg.dot, normal(5), normal(5), ref=np.dot)
case("outer", tg.outer, normal(3), normal(4), ref=np.outer)
case("matmul no inner batch", tg.matmul, normal(2, 3, 0), normal(0, 2), ref=np.matmul)
case("matmul no rows by vector", tg.matmul, normal(0, 4), normal(4), ref=np.matmul)
case("rmatmul", tg.Tensor.__rmatmul__, normal(4, 5), normal(3, 4), ref=lambda x, y: y @ x, torch="")
case("vdot", tg.vdot, normal(5), normal(5), ref=np.dot)
case("inner", tg.inner, normal(2, 3, 4), normal(5, 4), ref=np.inner, dtypes=NARROW)
case("inner number", tg.inner, normal(), normal(3), ref=np.inner)
case("ger", tg.ger, normal(3), normal(4), ref=np.outer)
case("kron", tg.kron, normal(2, 3), normal(3, 2), ref=np.kron, dtypes=INT)
case("kron ranks", tg.kron, normal(3), normal(2, 1, 2), ref=np.kron)
case("cross", tg.cross, normal(3, 4), normal(3, 4), torch="", ref=lambda x, y: np.cross(x.T, y.T).T)
case("trace", tg.trace, normal(3, 5), ref=np.trace, dtypes=NUMERIC)
case("block_diag", tg.block_diag, normal(2, 3), normal(2), normal(), normal(0, 2),
     ref=lambda a, b, c, d: np.block([
         [a, np.zeros((2, 5))], [np.zeros((1, 3)), b[None], np.zeros((1, 3))],
         [np.zeros((1, 5)), c[None, None], np.zeros((1, 2))]]))
case("chain_matmul", tg.chain_matmul, normal(2, 7), normal(7, 3), normal(3, 5), normal(5, 2),
     torch="", ref=lambda *x: np.linalg.multi_dot(x))
case("multi_dot", tg.linalg.multi_dot, [normal(6), normal(6, 3), normal(3, 5), normal(5)],
     ref=np.linalg.multi_dot, torch="")
case("vecdot", tg.linalg.vecdot, normal(2, 3), normal(3), torch="",
     ref=lambda x, y: (x * y).sum(-1))
case("vander", tg.linalg.vander, normal(2, 3), N=4, torch="",
     ref=lambda x, N: x[..., None] ** np.arange(N))
case("vander falling", tg.vander, normal(4), N=3, torch="", ref=np.vander)
case("vander rising", tg.vander, normal(4), increasing=True, torch="",
     ref=lambda x, increasing: np.vander(x, increasing=True))
case("linalg.cross", tg.linalg.cross, normal(4, 3), normal(1, 3), torch="", ref=np.cross)
case("linalg.diagonal", tg.linalg.diagonal, normal(2, 3, 4), offset=1, torch="",
     ref=lambda x, offset: np.diagonal(x, offset, -2, -1))

# ---- with a tensor added

case("addmm", tg.addmm, normal(3, 1), normal(3, 4), normal(4, 5), beta=0.5, alpha=2.0,
     ref=lambda x, a, b, beta, alpha: beta * x + alpha * (a @ b), dtypes=NARROW)
case("addmm beta 0", lambda a, b: tg.addmm(tg.full_like(a[:, :1], math.nan), a, b, beta=0),
     normal(3, 4), normal(4, 5), ref=np.matmul, torch="")
case("addmv", tg.addmv, normal(3), normal(3, 4), normal(4), alpha=3.0,
     ref=lambda x, a, b, alpha: x + alpha * (a @ b))
case("addr", tg.addr, normal(3, 4), normal(3), normal(4), beta=2.0,
     ref=lambda x, a, b, beta: beta * x + np.outer(a, b))
case("baddbmm", tg.baddbmm, normal(5), normal(2, 3, 4), normal(2, 4, 5), beta=0.5,
     ref=lambda x, a, b, beta: beta * x + a @ b)
case("addbmm", tg.addbmm, normal(3, 5), normal(2, 3, 4), normal(2, 4, 5),
     ref=lambda x, a, b: x + (a @ b).sum(0))

# ---- einsum


def by_einsum(name, equation, *inputs, **options):
    case(f"einsum {name}", lambda *x: tg.einsum(equation, *x), *inputs,
         ref=lambda *x: np.einsum(equation, *x), torch="", **options)


by_einsum("product", "ik,kj->ij", normal(3, 4), normal(4, 5), dtypes=NARROW)
by_einsum("batch", "bij,bjk->bik", normal(2, 3, 4), normal(2, 4, 5))
by_einsum("implicit", "ba,cb", normal(3, 4), normal(5, 3))
by_einsum("diagonal", "bii->bi", normal(2, 3, 3))
by_einsum("trace", "ii", normal(4, 4))
by_einsum("three equal", "iii,i->i", normal(3, 3, 3), normal(3))
by_einsum("ellipsis", "...ij,...jk->...ik", normal(2, 1, 3, 4), normal(5, 4, 2))
by_einsum("ellipsis implicit", "i...,i...", normal(3, 2), normal(3, 4, 1))
case("einsum ellipsis summed", lambda x: tg.einsum("...i->i", x), normal(2, 3, 4), torch="",
     ref=lambda x: x.sum((0, 1)))
by_einsum("many", "ab,bc,cd,de->ae", normal(2, 7), normal(7, 3), normal(3, 6), normal(6, 2))
by_einsum("bilinear", "bn,anm,bm->ba", normal(2, 3), normal(4, 3, 5), normal(2, 5))
by_einsum("outer", "i,j,k->kji", normal(2), normal(3), normal(4))
by_einsum("dots", "bi,bi->b", normal(3, 4), normal(3, 4))
by_einsum("sum of one", "ij,jk->k", normal(3, 4), normal(4, 5))
by_einsum("size one", "ij,kj->ik", normal(2, 3), normal(4, 1))
by_einsum("empty", "ij,jk->ik", normal(2, 0), normal(0, 3))
case("einsum lists", lambda x, y: tg.einsum(x, [0, 1], y, [1, 2], [2, 0]), normal(3, 4),
     normal(4, 5), ref=lambda x, y: (x @ y).T, torch="")
case("tensordot", tg.tensordot, normal(2, 3, 4), normal(4, 3, 5), dims=([1, 2], [1, 0]),
     ref=lambda x, y, dims: np.tensordot(x, y, dims))
case("tensordot number", tg.tensordot, normal(2, 3, 4), normal(3, 4, 5), dims=2,
     ref=lambda x, y, dims: np.tensordot(x, y, dims))
case("tensordot none", tg.tensordot, normal(2), normal(3), dims=0,
     ref=lambda x, y, dims: np.tensordot(x, y, dims))

# ---- distances


def distances(x, y, p=2.0, **mode):
    return np.linalg.norm(x[..., :, None, :] - y[..., None, :, :], p, -1)


case("cdist", tg.cdist, normal(2, 3, 4), normal(5, 4), ref=distances)
for p in (0.5, 1.0, 3.0, math.inf):
    case(f"cdist {p}", tg.cdist, distinct(3, 2), normal(4, 2), p=p, ref=distances)
case("cdist product", tg.cdist, normal(3, 4), normal(5, 4), ref=distances,
     compute_mode="use_mm_for_euclid_dist")

# ---- calls that must fail

bad("bmm ranks", lambda m, x, y: m.bmm(x, y), X, X, error=ShapeError,
    words="bmm: expected tensors of 3 and 3 dimensions, got shapes [3, 4] and [3, 4]")
bad("vander ranks", lambda m, x: m.vander(x), floats(2, 5), error=ShapeError,
    words="vander: expected one dimension, got shape [2, 5]")
bad("vander N", lambda m, x: m.vander(x, N=-1), floats(2), error=ShapeError,
    words="vander: expected N >= 0, got -1")
bad("addmm input", lambda m, x, y, z: m.addmm(x, y, z), floats(2, 5), X, floats(4, 5),
    error=ShapeError, words="addmm: expected an input that broadcasts to [3, 5], got [2, 5]")
bad("addmm dtypes", lambda m, x, y, z: m.addmm(x, y, z), LONG[:1], X, floats(4, 5),
    error=DTypeError, words="addmm: expected tensors of one dtype, got int64 and float32")
bad("outer", lambda m, x, y: m.outer(x, y), X, floats(3), error=ShapeError,
    words="outer: expected tensors of 1 and 1 dimensions")
bad("trace", lambda m, x: m.trace(x), floats(3), error=ShapeError, words="trace: expected a matrix")
bad("cross", lambda m, x, y: m.cross(x, y, dim=1), X, X, error=ShapeError,
    words="cross: expected size 3 in dimension 1")
bad("inner", lambda m, x, y: m.inner(x, y), X, floats(3), error=ShapeError,
    words="inner: expected equal last sizes, got shapes [3, 4] and [3]")
bad("tensordot sizes", lambda m, x, y: m.tensordot(x, y, 1), X, X, error=ShapeError,
    words="tensordot: expected equal sizes in dims 1 and 0, got 4 and 3")
bad("tensordot counts", lambda m, x, y: m.tensordot(x, y, ([0, 1], [0])), X, X, error=ShapeError,
    words="tensordot: expected as many dims of a as of b")
bad("multi_dot", lambda m, x: m.linalg.multi_dot([x]), X, error=ShapeError,
    words="multi_dot: expected at least 2 tensors, got 1")
bad("cdist", lambda m, x, y: m.cdist(x, y), X, floats(3, 5), error=ShapeError,
    words="cdist: expected rows of one size, got [3, 4] and [3, 5]")
bad("block_diag", lambda m, x: m.block_diag(x), floats(2, 2, 2), error=ShapeError,
    words="block_diag: expected at most 2 dimensions")
bad("einsum operands", lambda m, x: m.einsum("ij,jk", x), X, error=ShapeError,
    words="einsum: expected an operand for each of 2 parts")
bad("einsum rank", lambda m, x: m.einsum("ijk->i", x), X, error=ShapeError,
    words="einsum: expected 3 dimensions for 'ijk'")
bad("einsum sizes", lambda m, x, y: m.einsum("ij,jk", x, y), X, X, error=ShapeError,
    words="einsum: expected equal sizes under one label, got shapes [3, 4] and [3, 4]")
bad("einsum diagonal", lambda m, x: m.einsum("ii", x), X, error=ShapeError,
    words="einsum: expected equal sizes under one label, got shape [3, 4]")
bad("einsum output", lambda m, x: m.einsum("ij->k", x), X, error=ShapeError,
    words="einsum: expected each label of the output once and in an operand")
bad("einsum letters", lambda m, x: m.einsum("i1->i", x), X, error=ShapeError,
    words="einsum: expected letters")
bad("einsum lists", lambda m, x: m.einsum(x, [0, 52]), X, error=ShapeError,
    words="einsum: expected labels in [0, 52), got 52")
