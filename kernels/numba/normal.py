"""The error function and the normal distribution for use inside kernels, as those of
`math`: straight-line code of float32 and float64 that LLVM vectorises.

Largest error seen over the whole range, in units in the last place (tests/test_kernel_math.py):

    function    float32   float64
    erf         1.3       1.2       +-0 and +-inf exact
    normal      6         6         the probability, relative also in the tail; the density the same

All rest on the tail without its exponential, erfcx(a) = exp(a^2) erfc(a) for a >= 0, as Shepherd
and Laframboise (1981) have it: (1 + 2 a) erfcx(a) is nearly constant, and a polynomial of u = (a -
k) / (a + k). One division serves both. exp(-a^2) gets the digits that rounding a^2 lost. The
polynomials are minimax fits made for this file.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

from tensorgrad.kernels.numba.math import (
    _MAGIC32,
    _MAGIC32_BITS,
    D,
    F,
    _by_dtype,
    _define,
    _exp32,
    _exp64,
    _inlined,
    as_bits,
    as_float32,
    difference,
)

_instruction: Any = intrinsic


@_instruction
def multiply_add(typing_context, a, b, c):
    """a * b + c, rounded once."""

    def generate(context, builder, signature, arguments):
        kind = arguments[0].type
        name = "llvm.fma.f32" if isinstance(kind, ir.FloatType) else "llvm.fma.f64"
        function = ir.FunctionType(kind, [kind] * 3)
        return builder.call(
            cgutils.get_or_insert_function(builder.module, function, name), arguments
        )

    return a(a, a, a), generate


@_inlined
def _scaled_tail32(a):
    wide = a + a + F(1.0)
    r = F(1.0) / ((a + F(2.0)) * wide)
    u = (a - F(2.0)) * wide * r
    w = F(-0.0003994466768)
    w = w * u + F(-0.001227997318)
    w = w * u + F(0.001313308921)
    w = w * u + F(0.008630092702)
    w = w * u + F(-0.008060143525)
    w = w * u + F(-0.05420388236)
    w = w * u + F(0.1640554257)
    w = w * u + F(-0.1660314612)
    w = w * u + F(-0.09276398504)
    w = w * u + F(1.276978394)
    return w * ((a + F(2.0)) * r)


@_inlined
def _scaled_tail64(a):
    wide = a + a + D(1.0)
    r = D(1.0) / ((a + D(4.0)) * wide)
    u = (a - D(4.0)) * wide * r
    w = D(-1.776234504490029023e-9)
    w = w * u + D(-1.357303477887605475e-8)
    w = w * u + D(-7.822026283465059591e-9)
    w = w * u + D(1.149875465502337591e-7)
    w = w * u + D(6.274068111656511143e-8)
    w = w * u + D(-8.346171968576074634e-7)
    w = w * u + D(3.014727297325285053e-7)
    w = w * u + D(5.717443279613909195e-6)
    w = w * u + D(-0.00001122495501560178042)
    w = w * u + D(-0.00002440295220621462587)
    w = w * u + D(0.0001506223422163367246)
    w = w * u + D(-0.0001992555736812859247)
    w = w * u + D(-0.000757773373792654461)
    w = w * u + D(0.005031969768475274383)
    w = w * u + D(-0.01619773405294182483)
    w = w * u + D(0.0371675155610436737)
    w = w * u + D(-0.0663303658121861407)
    w = w * u + D(0.09373283499688785064)
    w = w * u + D(-0.1010390660363173115)
    w = w * u + D(0.06809705425473443859)
    w = w * u + D(0.01537965210262003566)
    w = w * u + D(-0.139621116840562866)
    w = w * u + D(1.232995118625552509)
    return w * ((a + D(4.0)) * r)


# Near 0 an odd polynomial keeps the relative precision that 1 - erfc(|x|) would cancel.
@_inlined
def _erf32(x):
    a = abs(x)
    z = x * x
    s = F(-0.00061156143)
    s = s * z + F(0.005016586026)
    s = s * z + F(-0.02678184273)
    s = s * z + F(0.1128221592)
    s = s * z + F(-0.3761252991)
    s = s * z + F(0.1283791547)
    near = x * s + x
    a = F(10.0) if a > F(10.0) else a
    square = a * a
    tail = _exp32(-square) * (F(1.0) - multiply_add(a, a, -square)) * _scaled_tail32(a)
    far = math.copysign(F(1.0) - tail, x)
    return near if z < F(0.8) else far


@_inlined
def _erf64(x):
    a = abs(x)
    z = x * x
    s = D(-8.520571049690460166e-10)
    s = s * z + D(1.406249443572729967e-8)
    s = s * z + D(-1.627848759721065393e-7)
    s = s * z + D(1.645552494303784872e-6)
    s = s * z + D(-0.00001492531964228374566)
    s = s * z + D(0.0001205532185850412327)
    s = s * z + D(-0.0008548326776367509268)
    s = s * z + D(0.005223977621953568002)
    s = s * z + D(-0.02686617064483992085)
    s = s * z + D(0.1128379167095386571)
    s = s * z + D(-0.3761263890318373106)
    s = s * z + D(0.1283791670955125733)
    near = x * s + x
    a = D(27.0) if a > D(27.0) else a
    square = a * a
    tail = _exp64(-square) * (D(1.0) - multiply_add(a, a, -square)) * _scaled_tail64(a)
    far = math.copysign(D(1.0) - tail, x)
    return near if z < D(0.8) else far


def erf(x):
    """2 / sqrt(pi) * the integral of exp(-t^2) from 0 to x."""
    raise NotImplementedError("for use inside compiled kernels")


_define(erf)(_by_dtype(_erf32, _erf64))


# Beyond the limit the tail is 0 in the dtype.
@_inlined
def _normal32(x):
    a = abs(x)
    a = F(14.4) if a > F(14.4) else a
    half = a * F(0.5)
    square = half * a
    e = _exp32(-square) * (F(1.0) - multiply_add(half, a, -square))
    tail = e * _scaled_tail32(a * F(0.70710678118654752)) * F(0.5)
    return (tail if x < F(0.0) else F(1.0) - tail), e * F(0.39894228040143268)


@_inlined
def _normal64(x):
    a = abs(x)
    a = D(38.6) if a > D(38.6) else a
    half = a * D(0.5)
    square = half * a
    e = _exp64(-square) * (D(1.0) - multiply_add(half, a, -square))
    tail = e * _scaled_tail64(a * D(0.70710678118654752)) * D(0.5)
    return (tail if x < D(0.0) else D(1.0) - tail), e * D(0.39894228040143268)


def normal(x):
    """(the probability that a standard normal number is below x, its density at x)."""
    raise NotImplementedError("for use inside compiled kernels")


_define(normal)(_by_dtype(_normal32, _normal64))


# The probability alone takes half as long, by a fit of the logarithm to base 2 of the tail whose
# error the tail itself makes small: 2^p without a division.
@_inlined
def _below32(x):
    a = abs(x)
    p = F(-1.834101612e-6)
    p = p * a + F(2.776652368e-5)
    p = p * a + F(-0.0001331776942)
    p = p * a + F(-0.00025874468)
    p = p * a + F(0.00721312686)
    p = p * a + F(-0.05259255402)
    p = p * a + F(-0.4591787537)
    p = p * a + F(-1.151108562)
    p = p * a + F(-0.9999999303)
    p = F(-126.0) if p < F(-126.0) else p
    shifted = p + _MAGIC32
    r = p - difference(shifted, _MAGIC32)
    t = F(0.0001534578842)
    t = t * r + F(0.00133999321)
    t = t * r + F(0.009618489069)
    t = t * r + F(0.05550328774)
    t = t * r + F(0.2402264689)
    t = t * r + F(0.6931472057)
    t = t * r + F(1.000000001)
    tail = t * as_float32((as_bits(shifted) - _MAGIC32_BITS + np.int32(127)) << np.int32(23))
    tail = F(0.0) if a > F(14.0) else tail
    return tail if x < F(0.0) else F(1.0) - tail


@_inlined
def _below64(x):
    return _normal64(x)[0]


def below(x):
    """The probability that a standard normal number is below x; float32: to 5e-8."""
    raise NotImplementedError("for use inside compiled kernels")


_define(below)(_by_dtype(_below32, _below64))
