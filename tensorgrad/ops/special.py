"""Special functions: errors of the normal law, gamma and Bessel functions, logarithms at 0.

Names: https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.fused import fused
from tensorgrad.op import Number, TensorFunction, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.pointwise import exp, log, log1p, sign
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "digamma",
    "erf",
    "erfc",
    "erfinv",
    "i0",
    "igamma",
    "igammac",
    "lgamma",
    "mvlgamma",
    "polygamma",
    "xlogy",
]

_float = partial(primitive, kind="float", refuses="complex")
TWO_BY_ROOT_PI = 2 / math.sqrt(math.pi)

# ---- errors of the normal law

erf = _float(
    "erf",
    "input",
    "",
    "2 / sqrt(pi) * integral of exp(-t^2) from 0 to input.",
    input=lambda g, input: g * TWO_BY_ROOT_PI * exp(-(input * input)),
)
erfc = _float(
    "erfc",
    "input",
    "",
    "1 - erf(input), exact where that is tiny.",
    input=lambda g, input: g * -TWO_BY_ROOT_PI * exp(-(input * input)),
)
erfcx: TensorFunction = _float(
    "erfcx",
    "input",
    "",
    "exp(input^2) * erfc(input).",
    input=lambda g, input, y: g * (2 * input * y - TWO_BY_ROOT_PI),
)
erfinv = _float(
    "erfinv",
    "input",
    "",
    "The number whose erf is input.",
    input=lambda g, y: g * (1 / TWO_BY_ROOT_PI) * exp(y * y),
)
ndtri = _float(
    "ndtri",
    "input",
    "",
    "The normal law's quantile: below the result lies the share input.",
    input=lambda g, y: g * math.sqrt(2 * math.pi) * exp(y * y / 2),
)
log_ndtr = _float(
    "log_ndtr",
    "input",
    "",
    "log(ndtr(input)), exact where ndtr is tiny.",
    input=lambda g, input: g / erfcx(input * -math.sqrt(0.5)) * math.sqrt(2 / math.pi),
)


@fused(
    refuses="complex",
    input=lambda g, input: g * exp(input * input * -0.5) * (1 / math.sqrt(2 * math.pi)),
)
def ndtr(input: Tensor) -> Tensor:
    """The share of the normal law below input: erfc(-input / sqrt(2)) / 2."""
    return erfc(input * -math.sqrt(0.5)) / 2


# ---- gamma functions

lgamma = _float(
    "lgamma",
    "input",
    "",
    "log |Gamma(input)|.",
    input=lambda g, input: g * digamma(input),
)
digamma: TensorFunction = _float(
    "digamma",
    "input",
    "",
    "The derivative of lgamma.",
    input=lambda g, input: g * derivative_of_digamma(input, 1),
)
derivative_of_digamma: TensorFunction = _float(
    "polygamma",
    "input",
    "n",
    "The n-th derivative of digamma.",
    input=lambda g, input, n: g * derivative_of_digamma(input, n + 1),
)


@takes_out
def polygamma(n: int, input: Tensor) -> Tensor:
    """The n-th derivative of digamma; n >= 0."""
    if n < 0:
        raise RuntimeError(f"polygamma: expected n >= 0, got {n}")
    return derivative_of_digamma(input, n) if n else digamma(input)


def polygamma_of(input: Tensor, n: int) -> Tensor:
    """`polygamma` as a method: the tensor comes first."""
    return polygamma(n, input)


polygamma_of.__name__ = "polygamma"


@takes_out
def mvlgamma(input: Tensor, p: int) -> Tensor:
    """log of the multivariate gamma function of dimension p:
    p (p - 1) / 4 log(pi) + sum of lgamma(input - j / 2) over 0 <= j < p.
    """
    if p < 1:
        raise RuntimeError(f"mvlgamma: expected p >= 1, got {p}")
    result = lgamma(input)
    for j in range(1, p):
        result = result + lgamma(input - j / 2)
    return result + p * (p - 1) / 4 * math.log(math.pi)


def _igamma_other(g: Any, input: Any, other: Any) -> Any:
    return g * exp((input - 1) * log(other) - other - lgamma(input))


igamma = _float(
    "igamma",
    "input other",
    "",
    "The share of Gamma(input), the integral of t^(input - 1) exp(-t), below other. No gradient "
    "for input.",
    only_tensors="input other",
    other=_igamma_other,
)
igammac = _float(
    "igammac",
    "input other",
    "",
    "1 - igamma(input, other), exact for a large other.",
    only_tensors="input other",
    other=lambda g, input, other: -_igamma_other(g, input, other),
)

# ---- modified Bessel functions of the first kind


def _slope_of_i1(input: Any, of_i0: Any, of_i1: Any) -> Any:
    """I0 - I1 / input, 1/2 at 0."""
    nowhere = input == 0
    return where(nowhere, 0.5, of_i0 - of_i1 / where(nowhere, 1, input))


i0: TensorFunction = _float("i0", "input", "", "Of order 0.", input=lambda g, input: g * i1(input))
i0e: TensorFunction = _float(
    "i0e",
    "input",
    "",
    "Of order 0, times exp(-|input|).",
    input=lambda g, input, y: g * (i1e(input) - sign(input) * y),
)
i1: TensorFunction = _float(
    "i1",
    "input",
    "",
    "Of order 1.",
    input=lambda g, input, y: g * _slope_of_i1(input, i0(input), y),
)
i1e: TensorFunction = _float(
    "i1e",
    "input",
    "",
    "Of order 1, times exp(-|input|).",
    input=lambda g, input, y: g * (_slope_of_i1(input, i0e(input), y) - sign(input) * y),
)

# ---- products with a logarithm, where 0 times anything is 0


def _log(value: Any) -> Any:
    if not isinstance(value, Number):
        return log(value)
    return math.log(value) if value > 0 else -math.inf if value == 0 else math.nan


def _log1p(value: Any) -> Any:
    return _log(value + 1) if isinstance(value, Number) else log1p(value)


xlogy = _float(
    "xlogy",
    "input other",
    "",
    "input * log(other), 0 where input is 0.",
    input=lambda g, input, other: where((input == 0) & (other <= 0), 0, g * _log(other)),
    other=lambda g, input, other: g * input / other,
)
xlog1py = _float(
    "xlog1py",
    "input other",
    "",
    "input * log1p(other), 0 where input is 0.",
    input=lambda g, input, other: where((input == 0) & (other <= -1), 0, g * _log1p(other)),
    other=lambda g, input, other: g * input / (other + 1),
)


@fused(refuses="complex", input=lambda g, input: -g * (_log(input) + 1))
def entr(input: Tensor) -> Tensor:
    """-input * log(input), 0 at 0 and -inf below."""
    if not dtypes.is_differentiable(input.dtype):
        input = cast(input, dtypes.get_default_dtype())
    return where(input < 0, -math.inf, -xlogy(input, where(input < 0, 1, input)))
