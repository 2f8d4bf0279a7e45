"""exp, log, tanh, sigmoid, sines and their kin for use inside kernels, in a form LLVM vectorises.

Knows scalars of float32 and float64 only; must not know arrays, kernels or NumPy's ufuncs. Numba's
own `np.exp` is a call per element (its wheels carry no vector math library), which a loop cannot be
vectorised across. These are straight-line code: a loop around them becomes vector code of the
host's full width, 5 to 20 times as fast. Each name is one function to a kernel; the element type
chooses the variant.

Largest error seen over the whole range, in units in the last place (tests/test_kernel_math.py):

    function        float32   float64
    exp             1.1       1.1       subnormal results included; inf above, 0 below, nan kept
    log             1.0       1.0       subnormal arguments included; log 0 = -inf, negative: nan
    tanh            2.7       2.7       +-0 and +-inf exact
    sigmoid         2.5       2.5       relative error also where the result is tiny
    expm1           1.6       2.2       -1 below, inf above
    log1p           1.5       1.5       log 0 = -inf, below that nan
    cos_sin_turns   1e-7      2e-16     absolute, of cos(2 pi u) and sin(2 pi u) for u in [0, 1)

Polynomials are minimax fits made for this file (Remez's algorithm in 200-bit arithmetic). `FLAGS`
lets the compiler fuse a multiply and an add but not reorder: the rounding trick of `_exp_parts`
needs its order kept. A function here never meets the fast-math flags of the kernel that calls it,
as LLVM keeps flags per instruction; so never mark one `inline="always"`, which would splice it
before the flags are set.
"""

from functools import partial
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

FLAGS = {"contract"}
_OPTIONS: Any = {"fastmath": FLAGS, "forceinline": True, "error_model": "numpy"}

# Any: what a kernel's types are is Numba's business, not a type checker's.
_inlined: Any = njit(**_OPTIONS)
_instruction: Any = intrinsic
_define: Any = partial(overload, jit_options=_OPTIONS)

F = np.float32
D = np.float64


@_inlined
def difference(a, b):
    """a - b as written. Under a kernel's flags (a - b) - c may become a - (b + c), which loses the
    digits of c where a and b are large.
    """
    return a - b


@_instruction
def as_bits(typing_context, x):
    """The bits of a float as a signed integer of its width."""
    result, width = (types.int32, 32) if x == types.float32 else (types.int64, 64)

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(width))

    return result(x), generate


@_instruction
def as_float32(typing_context, bits):
    """The float32 whose bits are the low half of `bits`: Numba's sum of two int32 is an int64."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(builder.trunc(arguments[0], ir.IntType(32)), ir.FloatType())

    return types.float32(types.int64), generate


@_instruction
def as_float64(typing_context, bits):
    """The float64 whose bits these are."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


def _by_dtype(single, double):
    """The implementation for the argument's type; other types are a compile-time error."""

    def choose(x):
        if x == types.float32:
            return lambda x: single(x)
        if x == types.float64:
            return lambda x: double(x)
        return None

    return choose


# ---------------------------------------------------------------------------------------------- exp
# exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln(2) / 2. Adding 1.5 * 2^23 leaves n in the low
# bits of the sum, so no float-to-int conversion is needed (undefined for nan) and nan flows
# through. ln 2 is subtracted in two parts, the first with enough trailing zero bits that n *
# _LN2_HIGH is exact.
_MAGIC32, _MAGIC64 = F(1.5 * 2**23), D(1.5 * 2**52)
_MAGIC32_BITS, _MAGIC64_BITS = _MAGIC32.view(np.int32), _MAGIC64.view(np.int64)
_PER_LN2_32, _PER_LN2_64 = F(1.44269504088896341), D(1.44269504088896341)
_LN2_HIGH32, _LN2_LOW32 = F(0.693145751953125), F(1.42860682030941723e-6)
_LN2_HIGH64, _LN2_LOW64 = D(6.93147180369123816490e-01), D(1.90821492927058770002e-10)


@_inlined
def _exp_parts32(x):
    """n (as int32) and expm1(r) such that exp(x) = 2^n (1 + expm1(r))."""
    shifted = x * _PER_LN2_32 + _MAGIC32
    n = shifted - _MAGIC32
    r = (x - n * _LN2_HIGH32) - n * _LN2_LOW32
    q = F(0.00139517193523454009)
    q = q * r + F(0.00836959820141579855)
    q = q * r + F(0.04166618725421453)
    q = q * r + F(0.166665128906914197)
    q = q * r + F(0.500000010098695909)
    return np.int32(as_bits(shifted) - _MAGIC32_BITS), q * (r * r) + r


@_inlined
def _exp_parts64(x):
    shifted = x * _PER_LN2_64 + _MAGIC64
    n = shifted - _MAGIC64
    r = (x - n * _LN2_HIGH64) - n * _LN2_LOW64
    q = D(2.51290508731241118e-8)
    q = q * r + D(2.76210165498056568e-7)
    q = q * r + D(2.75571958020438387e-6)
    q = q * r + D(0.0000248015193283659759)
    q = q * r + D(0.000198412699240330813)
    q = q * r + D(0.0013888888918490742)
    q = q * r + D(0.00833333333331125683)
    q = q * r + D(0.041666666666621549)
    q = q * r + D(0.16666666666666683)
    q = q * r + D(0.50000000000000011)
    return as_bits(shifted) - _MAGIC64_BITS, q * (r * r) + r


# 2^n is applied in two halves: each is a normal number, so only the last product rounds or
# overflows and subnormal results come out right.
@_inlined
def _exp32(x):
    x = F(89.0) if x > F(89.0) else x
    x = F(-104.0) if x < F(-104.0) else x
    n, p = _exp_parts32(x)
    half = n >> np.int32(1)
    first = as_float32((half + np.int32(127)) << np.int32(23))
    second = as_float32((n - half + np.int32(127)) << np.int32(23))
    return (p * first + first) * second


@_inlined
def _exp64(x):
    x = D(710.0) if x > D(710.0) else x
    x = D(-746.0) if x < D(-746.0) else x
    n, p = _exp_parts64(x)
    half = n >> np.int64(1)
    first = as_float64((half + np.int64(1023)) << np.int64(52))
    second = as_float64((n - half + np.int64(1023)) << np.int64(52))
    return (p * first + first) * second


def exp(x):
    """e to the x."""
    raise NotImplementedError("for use inside compiled kernels")


_define(exp)(_by_dtype(_exp32, _exp64))


# --------------------------------------------------------------------------------- tanh and sigmoid
# tanh |x| = -m / (m + 2) with m = expm1(-2 |x|), and the sign of x is put in last: m keeps its
# relative precision near 0, where 1 - 2 / (exp(2x) + 1) would cancel. Beyond the clamp the result
# rounds to 1.
@_inlined
def _tanh32(x):
    y = F(-2.0) * abs(x)
    y = F(-20.0) if y < F(-20.0) else y
    n, p = _exp_parts32(y)
    scale = as_float32((n + np.int32(127)) << np.int32(23))
    m = p * scale + (scale - F(1.0))
    size = as_bits(m / (m + F(2.0))) & np.int32(2**31 - 1)
    return as_float32(size | (as_bits(x) & np.int32(-(2**31))))


@_inlined
def _tanh64(x):
    y = D(-2.0) * abs(x)
    y = D(-40.0) if y < D(-40.0) else y
    n, p = _exp_parts64(y)
    scale = as_float64((n + np.int64(1023)) << np.int64(52))
    m = p * scale + (scale - D(1.0))
    size = as_bits(m / (m + D(2.0))) & np.int64(2**63 - 1)
    return as_float64(size | (as_bits(x) & np.int64(-(2**63))))


def tanh(x):
    """Hyperbolic tangent."""
    raise NotImplementedError("for use inside compiled kernels")


_define(tanh)(_by_dtype(_tanh32, _tanh64))


# The exponential never overflows, and the small side keeps its relative precision.
@_inlined
def _sigmoid32(x):
    e = _exp32(-abs(x))
    return (e if x < F(0.0) else F(1.0)) / (F(1.0) + e)


@_inlined
def _sigmoid64(x):
    e = _exp64(-abs(x))
    return (e if x < D(0.0) else D(1.0)) / (D(1.0) + e)


def sigmoid(x):
    """1 / (1 + exp(-x))."""
    raise NotImplementedError("for use inside compiled kernels")


_define(sigmoid)(_by_dtype(_sigmoid32, _sigmoid64))


# ---------------------------------------------------------------------------------------------- log
# x = 2^e m with m in [sqrt(1/2), sqrt(2)); log m = 2 atanh(s) with s = (m - 1) / (m + 1).
# Subtracting the bits of sqrt(1/2) before taking the exponent field puts the cut there.
_ROOT32, _ROOT64 = F(0.5**0.5).view(np.int32), D(0.5**0.5).view(np.int64)


@_inlined
def _log32(x):
    small = x < F(2.0**-126)
    bits = as_bits(x * F(2.0**23) if small else x)
    e = np.int32(np.int32(bits - _ROOT32) >> np.int32(23))
    m = as_float32(bits - (e << np.int32(23)))
    scale = F(e) - (F(23.0) if small else F(0.0))
    f = m - F(1.0)
    s = f / (m + F(1.0))
    z = s * s
    q = F(0.296028760610037553)
    q = q * z + F(0.399882534517530057)
    q = q * z + F(0.666666864239527661)
    # 2 s = f - s f: adding the correction last to the exact f keeps the error near 1 where log is
    # small
    y = f + (scale * _LN2_LOW32 - s * (f - z * q)) + scale * _LN2_HIGH32
    y = x if x == F(np.inf) else y
    y = F(-np.inf) if x == F(0.0) else y
    return y if x >= F(0.0) else F(np.nan)


@_inlined
def _log64(x):
    small = x < D(2.0**-1022)
    bits = as_bits(x * D(2.0**52) if small else x)
    e = (bits - _ROOT64) >> np.int64(52)
    m = as_float64(bits - (e << np.int64(52)))
    scale = D(e) - (D(52.0) if small else D(0.0))
    f = m - D(1.0)
    s = f / (m + D(1.0))
    z = s * s
    q = D(0.146449710247712986)
    q = q * z + D(0.153293798664382196)
    q = q * z + D(0.181829606901184361)
    q = q * z + D(0.222222101357385757)
    q = q * z + D(0.285714286322111335)
    q = q * z + D(0.399999999998854639)
    q = q * z + D(0.666666666666667019)
    y = f + (scale * _LN2_LOW64 - s * (f - z * q)) + scale * _LN2_HIGH64
    y = x if x == D(np.inf) else y
    y = D(-np.inf) if x == D(0.0) else y
    return y if x >= D(0.0) else D(np.nan)


def log(x):
    """Natural logarithm."""
    raise NotImplementedError("for use inside compiled kernels")


_define(log)(_by_dtype(_log32, _log64))


# ---------------------------------------------------------------------------------- expm1 and log1p
# 2^n (1 + p) - 1 with 2^n in two halves as above, the second taken out: the 1 becomes its inverse.
@_inlined
def _expm1_32(x):
    x = F(89.0) if x > F(89.0) else x
    x = F(-104.0) if x < F(-104.0) else x
    n, p = _exp_parts32(x)
    half = n >> np.int32(1)
    first = as_float32((half + np.int32(127)) << np.int32(23))
    second = as_float32((n - half + np.int32(127)) << np.int32(23))
    inverse = as_float32((half - n + np.int32(127)) << np.int32(23))
    return (p * first + (first - inverse)) * second


@_inlined
def _expm1_64(x):
    x = D(710.0) if x > D(710.0) else x
    x = D(-746.0) if x < D(-746.0) else x
    n, p = _exp_parts64(x)
    half = n >> np.int64(1)
    first = as_float64((half + np.int64(1023)) << np.int64(52))
    second = as_float64((n - half + np.int64(1023)) << np.int64(52))
    inverse = as_float64((half - n + np.int64(1023)) << np.int64(52))
    return (p * first + (first - inverse)) * second


def expm1(x):
    """e to the x, less 1, exact near 0."""
    raise NotImplementedError("for use inside compiled kernels")


_define(expm1)(_by_dtype(_expm1_32, _expm1_64))


# log u for u = 1 + x as rounded, and the rounding's own share (x - (u - 1)) / u.
@_inlined
def _log1p(x):
    one = type(x)(1)
    u = x + one
    y = log(u)
    return y if u == np.inf or u == 0 else y + difference(x, difference(u, one)) / u


def log1p(x):
    """log(1 + x), exact near 0."""
    raise NotImplementedError("for use inside compiled kernels")


_define(log1p)(_by_dtype(_log1p, _log1p))


# -------------------------------------------------------------------------------- cos, sin of turns
# u - quarter / 4 is exact, so the only argument error is u's own; |r| <= 1/8 turn. A quarter turn
# swaps the two and changes signs.
@_inlined
def _cos_sin32(u):
    shifted = u * F(4.0) + _MAGIC32
    quarter = np.int32(as_bits(shifted) - _MAGIC32_BITS)
    r = u - (shifted - _MAGIC32) * F(0.25)
    z = r * r
    s = F(-75.4020679206685557)
    s = s * z + F(81.5925535409170201)
    s = s * z + F(-41.3416626330695853)
    s = (s * z + F(6.28318528786722555)) * r
    c = F(59.4243447380575145)
    c = c * z + F(-85.4488256857058641)
    c = c * z + F(64.9393690842111521)
    c = c * z + F(-19.7392087900159773)
    c = c * z + F(1.0)
    odd = (quarter & np.int32(1)) != np.int32(0)
    cosine, sine = (s if odd else c), (c if odd else s)
    # quarters 1 and 2 have a negative cosine, 2 and 3 a negative sine
    cosine = -cosine if ((quarter + np.int32(1)) & np.int32(2)) != np.int32(0) else cosine
    sine = -sine if (quarter & np.int32(2)) != np.int32(0) else sine
    return cosine, sine


@_inlined
def _cos_sin64(u):
    shifted = u * D(4.0) + _MAGIC64
    quarter = as_bits(shifted) - _MAGIC64_BITS
    r = u - (shifted - _MAGIC64) * D(0.25)
    z = r * r
    s = D(3.78087211440665568)
    s = s * z + D(-15.0938043578827129)
    s = s * z + D(42.0586850227606232)
    s = s * z + D(-76.7058597042956133)
    s = s * z + D(81.6052492759481123)
    s = s * z + D(-41.3417022403996363)
    s = (s * z + D(6.28318530717958646)) * r
    c = D(-1.69903549630008477)
    c = c * z + D(7.9032069632367817)
    c = c * z + D(-26.4262532767629297)
    c = c * z + D(60.2446413527093671)
    c = c * z + D(-85.4568172066438312)
    c = c * z + D(64.9393940226682428)
    c = c * z + D(-19.7392088021787172)
    c = c * z + D(1.0)
    odd = (quarter & np.int64(1)) != np.int64(0)
    cosine, sine = (s if odd else c), (c if odd else s)
    cosine = -cosine if ((quarter + np.int64(1)) & np.int64(2)) != np.int64(0) else cosine
    sine = -sine if (quarter & np.int64(2)) != np.int64(0) else sine
    return cosine, sine


def cos_sin_turns(u):
    """(cos 2 pi u, sin 2 pi u) for u in [0, 1)."""
    raise NotImplementedError("for use inside compiled kernels")


_define(cos_sin_turns)(_by_dtype(_cos_sin32, _cos_sin64))
