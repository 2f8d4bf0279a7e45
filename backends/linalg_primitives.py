"""Linear algebra for a NumPy-like array module: products, solutions, decompositions.

Matrices are the last two dimensions; the others are a batch. Arguments arrive with equal batch
sizes (but for `matmul`) and in one of the dtypes that `xp.linalg` takes. What has no answer raises
LinAlgError.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any, TypeAlias

from tensorgrad.errors import LinAlgError

Array: TypeAlias = Any

# Padé approximant of degree 13 of exp, and the norm up to which it is exact in float64: Higham,
# "The scaling and squaring method for the matrix exponential revisited", 2005.
EXP_COEFFICIENTS = (
    64764752532480000.0,
    32382376266240000.0,
    7771770303897600.0,
    1187353796428800.0,
    129060195264000.0,
    10559470521600.0,
    670442572800.0,
    33522128640.0,
    1323241920.0,
    40840800.0,
    960960.0,
    16380.0,
    182.0,
    1.0,
)
EXP_RADIUS = 5.371920351148152

# Up to this size a triangular system is solved by one call: at 50 rows that took a tenth of the
# time of halving down to single ones.
TRIANGULAR_BLOCK = 64


class LinalgPrimitives:
    """Part of ArrayBackend."""

    xp: Any

    def matmul(self, input: Array, other: Array) -> Array:
        if input.dtype.itemsize == 2 and input.dtype.kind not in "iu":
            # NumPy has no fast product of half precision, and gives float32 for bfloat16.
            wide = self.xp.matmul(input.astype("float32"), other.astype("float32"))
            return wide.astype(input.dtype)
        return self.xp.matmul(input, other)

    # ---- solutions

    def inv(self, input: Array) -> Array:
        with self._refusing("inv", "an invertible matrix, got a singular one"):
            return self.xp.linalg.inv(input)

    def solve(self, input: Array, other: Array) -> Array:
        """x of input @ x = other, where `other` is a matrix too."""
        with self._refusing("solve", "an invertible matrix, got a singular one"):
            return self.xp.linalg.solve(input, other)

    def solve_triangular(
        self, input: Array, other: Array, upper: bool, unitriangular: bool
    ) -> Array:
        """x of input @ x = other; the other triangle of `input`, and its diagonal where it is
        taken as ones, are not read.
        """
        out = other.copy()
        self._substitute(input, out, upper, unitriangular)
        return out

    def _substitute(self, input: Array, out: Array, upper: bool, unitriangular: bool) -> None:
        """By halves, so that nearly all of the work is products; small blocks at once."""
        n = input.shape[-1]
        if n < 2:
            if n and not unitriangular:
                out /= input
            return
        if n <= TRIANGULAR_BLOCK and self._substituted(input, out, upper, unitriangular):
            return
        first, last = slice(0, n // 2), slice(n // 2, n)
        known, rest = (last, first) if upper else (first, last)
        self._substitute(input[..., known, known], out[..., known, :], upper, unitriangular)
        out[..., rest, :] -= self.xp.matmul(input[..., rest, known], out[..., known, :])
        self._substitute(input[..., rest, rest], out[..., rest, :], upper, unitriangular)

    def _substituted(self, input: Array, out: Array, upper: bool, unitriangular: bool) -> bool:
        """Elimination of an upper triangle exchanges no rows and is back substitution. False where
        the diagonal has a 0, whose quotient is infinite and not refused.
        """
        turn = 1 if upper else -1  # a lower triangle is an upper one from behind
        block = self.xp.triu(input[..., ::turn, ::turn])
        if unitriangular:
            block = self.xp.triu(block, 1) + self.xp.eye(input.shape[-1], dtype=input.dtype)
        try:
            found = self.solve(block, out[..., ::turn, :])
        except LinAlgError:
            return False
        out[...] = found[..., ::turn, :]
        return True

    def det(self, input: Array) -> Array:
        return self.xp.linalg.det(input)

    def slogdet(self, input: Array) -> tuple[Array, Array]:
        sign, logarithm = self.xp.linalg.slogdet(input)
        return sign, logarithm

    def cofactors(self, input: Array) -> Array:
        """The matrix of cofactors, det(input) * inv(input)^T; of singular matrices too."""
        left, values, right = self.xp.linalg.svd(input)
        one = self.xp.ones_like(values[..., :1])
        before = self.xp.concatenate([one, values[..., :-1]], axis=-1)
        after = self.xp.concatenate([one, values[..., :0:-1]], axis=-1)
        products = self.xp.cumprod(before, axis=-1)  # of all singular values but one
        products = products * self.xp.flip(self.xp.cumprod(after, axis=-1), -1)
        sign = self.xp.linalg.slogdet(left)[0] * self.xp.linalg.slogdet(right)[0]
        return self.xp.matmul(left * (products * sign[..., None])[..., None, :], right)

    # ---- decompositions

    def cholesky(self, input: Array) -> Array:
        """The lower triangular factor."""
        with self._refusing("cholesky", "a positive-definite matrix, got another"):
            return self.xp.linalg.cholesky(input)

    def indefinite_minor(self, input: Array) -> Array:
        """The order of the first leading minor that is not positive, or 0 (int32)."""
        n = input.shape[-1]
        rest = input.reshape(math.prod(input.shape[:-2]), n, n).copy()
        found = self.xp.zeros(rest.shape[0], "int32")
        for step in range(n):
            pivot = rest[:, step, step]
            good = pivot > 0
            found = self.xp.where(good | (found > 0), found, step + 1)
            column = rest[:, step + 1 :, step]
            scaled = column / self.xp.where(good, pivot, 1)[:, None]
            rest[:, step + 1 :, step + 1 :] -= column[:, :, None] * scaled[:, None, :]
        return found.astype("int32").reshape(input.shape[:-2])

    def lu_factor(self, input: Array, pivot: bool) -> tuple[Array, Array]:
        """Both factors in one matrix, and with which row (from 1, int32) each was exchanged."""
        m, n = input.shape[-2:]
        steps = min(m, n)
        count = math.prod(input.shape[:-2])
        out = input.reshape(count, m, n).copy()
        pivots = self.xp.zeros((count, steps), "int32")
        pivots[...] = self.xp.arange(1, steps + 1)
        batch = self.xp.arange(count)
        for step in range(steps):
            if pivot:
                chosen = self.xp.argmax(abs(out[:, step:, step]), axis=1) + step
                pivots[:, step] = chosen + 1
                row = out[batch, chosen]
                out[batch, chosen] = out[:, step]
                out[:, step] = row
            head = out[:, step, step]
            column = out[:, step + 1 :, step]
            column /= self.xp.where(head == 0, 1, head)[:, None]
            right = out[:, step, step + 1 :]
            out[:, step + 1 :, step + 1 :] -= column[:, :, None] * right[:, None, :]
        return out.reshape(input.shape), pivots.reshape(*input.shape[:-2], steps)

    def pivots_to_order(self, input: Array, size: int) -> Array:
        """Which row each place has after the exchanges of `lu_factor`; int64."""
        count = math.prod(input.shape[:-1])
        pivots = input.reshape(count, input.shape[-1])
        out = self.xp.zeros((count, size), "int64")
        out[...] = self.xp.arange(size)
        batch = self.xp.arange(count)
        for step in range(pivots.shape[1]):
            chosen = pivots[:, step] - 1
            row = out[batch, chosen]
            out[batch, chosen] = out[:, step]
            out[:, step] = row
        return out.reshape(*input.shape[:-1], size)

    def qr(self, input: Array, complete: bool) -> tuple[Array, Array]:
        q, r = self.xp.linalg.qr(input, "complete" if complete else "reduced")
        return q, r

    def svd(self, input: Array, full_matrices: bool) -> tuple[Array, Array, Array]:
        with self._refusing("svd", "finite numbers, got a matrix whose svd does not converge"):
            left, values, right = self.xp.linalg.svd(input, full_matrices)
        return left, values, right

    def svdvals(self, input: Array) -> Array:
        with self._refusing("svdvals", "finite numbers, got a matrix whose svd does not converge"):
            return self.xp.linalg.svd(input, True, False)

    def eigh(self, input: Array, lower: bool) -> tuple[Array, Array]:
        with self._refusing("eigh", "finite numbers, got a matrix whose eigh does not converge"):
            values, vectors = self.xp.linalg.eigh(input, "L" if lower else "U")
        return values, vectors

    def eig(self, input: Array) -> tuple[Array, Array]:
        with self._refusing("eig", "finite numbers, got a matrix whose eig does not converge"):
            values, vectors = self.xp.linalg.eig(input)
        kind = self.xp.result_type(input.dtype, "complex64")  # NumPy's may turn out real
        return values.astype(kind), vectors.astype(kind)

    def matrix_exp(self, input: Array) -> Array:
        """By scaling, an approximant of degree 13, and as many squarings as each matrix needs."""
        n = input.shape[-1]
        if not input.size:
            return input.copy()
        norm = self.xp.amax(self.xp.sum(abs(input), axis=-2), axis=-1)
        ratio = self.xp.maximum(norm / EXP_RADIUS, 1.0)
        squarings = self.xp.ceil(self.xp.log2(ratio))
        scaled = input / self.xp.exp2(squarings)[..., None, None].astype(input.dtype)
        identity = self.xp.eye(n, dtype=input.dtype)
        c = [coefficient / EXP_COEFFICIENTS[0] for coefficient in EXP_COEFFICIENTS]
        second = self.xp.matmul(scaled, scaled)
        fourth = self.xp.matmul(second, second)
        sixth = self.xp.matmul(second, fourth)
        high = self.xp.matmul(sixth, c[13] * sixth + c[11] * fourth + c[9] * second)
        odd = self.xp.matmul(
            scaled, high + c[7] * sixth + c[5] * fourth + c[3] * second + c[1] * identity
        )
        high = self.xp.matmul(sixth, c[12] * sixth + c[10] * fourth + c[8] * second)
        even = high + c[6] * sixth + c[4] * fourth + c[2] * second + c[0] * identity
        out = self.xp.linalg.solve(even - odd, even + odd)
        most = float(self.xp.amax(squarings))
        for done in range(int(most) if most < 1100 else 0):
            more = (squarings > done)[..., None, None]
            out = self.xp.where(more, self.xp.matmul(out, out), out)
        return out

    @contextlib.contextmanager
    def _refusing(self, op: str, expected: str) -> Any:
        """What the array module refuses is refused in this library's words."""
        try:
            yield
        except self.xp.linalg.LinAlgError as error:
            raise LinAlgError(f"{op}: expected {expected} ({error})") from error
