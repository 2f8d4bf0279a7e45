"""Linear algebra by PyTorch's names: https://docs.pytorch.org/docs/stable/linalg.html.

The ops are declared in `tensorgrad.ops`; some of those in the namespace above have the same name
and other defaults.
"""

from __future__ import annotations

from tensorgrad.errors import LinAlgError
from tensorgrad.ops.decompositions import eig, eigh, eigvals, eigvalsh, svdvals
from tensorgrad.ops.decompositions import qr_of as qr
from tensorgrad.ops.decompositions import svd_of as svd
from tensorgrad.ops.factors import cholesky, cholesky_ex
from tensorgrad.ops.least_squares import (
    lstsq,
    matrix_exp,
    matrix_power,
    matrix_rank,
    pinv,
    tensorinv,
    tensorsolve,
)
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.lu import inv_ex, lu_factor, lu_factor_ex, solve_ex
from tensorgrad.ops.lu import lu_of as lu
from tensorgrad.ops.lu import solve_by_lu as lu_solve
from tensorgrad.ops.matrix_norms import cond, matrix_norm, norm, vector_norm
from tensorgrad.ops.products import cross_of as cross
from tensorgrad.ops.products import diagonal_of as diagonal
from tensorgrad.ops.products import multi_dot, vander, vecdot
from tensorgrad.ops.solving import det, inv, slogdet, solve, solve_triangular
from tensorgrad.public import functions

__all__ = [
    "LinAlgError",
    "cholesky",
    "cholesky_ex",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "inv_ex",
    "lstsq",
    "lu",
    "lu_factor",
    "lu_factor_ex",
    "lu_solve",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_ex",
    "solve_triangular",
    "svd",
    "svdvals",
    "tensorinv",
    "tensorsolve",
    "vander",
    "vecdot",
    "vector_norm",
]

globals().update(functions(globals(), __all__))
