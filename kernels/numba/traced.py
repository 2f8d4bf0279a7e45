"""The functions that a trace may call, on single elements. Each computes what the op of its name
does, also of nan, of infinities and where pieces meet.
"""

import math

import numba

from tensorgrad.kernels.numba.math import exp, log, log1p, sigmoid
from tensorgrad.kernels.numba.runtime import larger

# A function without flags of its own would inherit those of what calls it.
_exact = numba.njit(error_model="numpy", forceinline=True, fastmath=False)


@_exact
def where(condition, a, b):
    return a if condition else b


@_exact
def clamp_to(x, low, high):
    x = low if x < low else x
    return high if x > high else x


@_exact
def sign(x):
    one = type(x)(1)
    if x > 0:
        return one
    if x < 0:
        return -one
    return x - x if x == 0 else x  # nan stays


@_exact
def maximum(a, b):
    return larger(a, b)


@_exact
def xlogy(x, y):
    product = x * log(y)
    return y if y != y else (type(x)(0) if x == 0 else product)


FUNCTIONS = {
    "abs": abs,
    "clamp_to": clamp_to,
    "exp": exp,
    "log": log,
    "log1p": log1p,
    "maximum": maximum,
    "sigmoid": sigmoid,
    "sign": sign,
    "sqrt": math.sqrt,
    "where": where,
    "xlogy": xlogy,
}
