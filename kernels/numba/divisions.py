"""Remainders and whole quotients of floats. Reads two arrays, or one and a number, and writes one.

The C library finds a remainder bit by bit: on 1M floats NumPy takes 40 to 70 times as long. Here a
quotient is rounded to a whole number and a fused multiply-add gives what is left, exactly; where
the quotient itself was rounded up to a whole number, what is left has the other sign, and one step
back is exact too. All of it is vectors. Chunks with quotients too large for that, zeros to divide
by, infinities or NaN are left to NumPy.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from tensorgrad.kernels.numba.runtime import FLOATS
from tensorgrad.kernels.numba.tasks import Tasks, part

_instruction: Any = intrinsic

FMOD, REMAINDER, FLOOR = range(3)
KINDS = {"fmod": FMOD, "remainder": REMAINDER, "floor_divide": FLOOR}
CHUNK = 16384  # elements a task


@_instruction
def _fused(typing_context, a, b, c):
    """a b + c, rounded once."""

    def generate(context, builder, signature, arguments):
        kind = arguments[0].type
        name = "llvm.fma.f32" if isinstance(kind, ir.FloatType) else "llvm.fma.f64"
        function = ir.FunctionType(kind, (kind, kind, kind))
        return builder.call(
            cgutils.get_or_insert_function(builder.module, function, name), arguments
        )

    return a(a, b, c), generate


@part
def _divided(a, b, one, limit, kind):
    """(the result, whether it is one)."""
    ratio = a / b
    quotient = np.trunc(ratio)
    rest = _fused(-quotient, b, a)
    step = one if (a < 0) == (b < 0) else -one
    if rest != 0 and (rest < 0) != (a < 0):
        rest += b * step
        quotient -= step
    right = abs(quotient) < limit and rest == rest
    below = rest != 0 and (rest < 0) != (b < 0)
    if kind == FMOD:
        value = math.copysign(rest, a)
    elif kind == REMAINDER:
        value = rest + b if below else math.copysign(rest, b)
    else:
        value = quotient - one if below else math.copysign(quotient, ratio)
    return value, right


@Tasks
def _divide(task, kind, x, y, limits, out, odd):
    """y may be a single number."""
    span = slice(task * CHUNK, (task + 1) * CHUNK)
    a, result = x[span], out[span]
    one, limit = limits[0], limits[1]
    wrong = 0
    if y.size == 1:
        b = y[0]
        for i in range(a.size):
            value, right = _divided(a[i], b, one, limit, kind)
            result[i] = value
            wrong += 0 if right else 1
    else:
        others = y[span]
        for i in range(a.size):
            value, right = _divided(a[i], others[i], one, limit, kind)
            result[i] = value
            wrong += 0 if right else 1
    odd[task] = wrong


def divided(name, x, y):
    """`fmod`, `remainder` or `floor_divide` of an array by an array of its shape, or a number."""
    if not isinstance(x, np.ndarray) or x.dtype not in FLOATS:
        return NotImplemented
    if type(y) in (int, float):
        y = np.array([y], x.dtype)
    fits = getattr(y, "dtype", None) is x.dtype and (
        y.shape == x.shape or (y.size == 1 and y.ndim <= x.ndim)
    )
    if not (fits and x.size and x.flags.carray and y.flags.carray):
        return NotImplemented
    out = np.empty_like(x)
    odd = np.empty(-(-x.size // CHUNK), np.int64)
    limits = np.array([1, 1 / (2 * np.finfo(x.dtype).eps)], x.dtype)
    flat = x.reshape(-1), y.reshape(-1), limits, out.reshape(-1)
    _divide(odd.size, KINDS[name], *flat, odd)
    for chunk in np.flatnonzero(odd):
        span = slice(chunk * CHUNK, (chunk + 1) * CHUNK)
        other = flat[1] if y.size == 1 else flat[1][span]
        getattr(np, name)(flat[0][span], other, out=flat[3][span])
    return out
