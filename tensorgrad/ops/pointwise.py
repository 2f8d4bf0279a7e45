"""Functions of one number, applied to every element. Gradients at the awkward points are PyTorch's.

Names and
arguments: https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError
from tensorgrad.fused import fused
from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import clamp_to, where
from tensorgrad.ops.complex_parts import conjugate, is_complex, sgn
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.creation import zeros_of
from tensorgrad.ops.logic import isnan
from tensorgrad.ops.shape import clone_of
from tensorgrad.out import takes_out

WORTH_FUSING = 16384  # bytes

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "deg2rad",
    "exp",
    "exp2",
    "expm1",
    "fix",
    "floor",
    "frac",
    "log",
    "log1p",
    "log2",
    "log10",
    "logit",
    "nan_to_num",
    "positive",
    "rad2deg",
    "reciprocal",
    "relu",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
]

LOG_2, LOG_10 = math.log(2), math.log(10)


def level(g: Any) -> Any:
    """The gradient of what is constant but for jumps: zeros, also where g is not finite."""
    return zeros_of(g, g.shape)


_float = partial(primitive, kind="float")
_number = partial(primitive, kind="number")
_rounded = partial(primitive, kind="number", refuses="bool complex", input=level)

# ---- parts and rounding

abs = absolute = _number(
    "abs",
    "input",
    "",
    "|input|; gradient 0 at 0.",
    refuses="bool",
    input=lambda g, input: g * (conjugate(sgn(input)) if is_complex(input) else sign(input)),
)
sign: TensorFunction = _number("sign", "input", "", "-1, 0 or 1.", refuses="complex", input=level)
floor: TensorFunction = _rounded("floor", "input", "", "Largest integer <= input.")
ceil = _rounded("ceil", "input", "", "Smallest integer >= input.")
nearest = _rounded("round", "input", "", "Nearest integer, ties to even.")
trunc = fix = _rounded("trunc", "input", "", "Integer part.")


@takes_out
def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest multiple of 10^-decimals, ties to even; integers as they are."""
    if not dtypes.is_differentiable(input.dtype):
        dtypes.refuse("round", input.dtype, "bool")
        if decimals:
            raise DTypeError(f"round: expected floats to round to decimals, got {input.dtype}")
        return clone_of(input)
    if not decimals:
        return nearest(input)
    scale = 10.0 ** math.fabs(decimals)
    scaled: Any = nearest(input * scale if decimals > 0 else input / scale)
    result: Tensor = scaled / scale if decimals > 0 else scaled * scale
    return result


@takes_out
def frac(input: Tensor) -> Tensor:
    """input - trunc(input)."""
    if not dtypes.is_differentiable(input.dtype):
        raise DTypeError(f"frac: expected floats, got {input.dtype}")
    return input - trunc(input)


def positive(input: Tensor) -> Tensor:
    """The tensor itself. Boolean tensors are refused."""
    if input.dtype == dtypes.bool_:
        raise DTypeError("positive: expected numbers, got bool")
    return input


@takes_out
def nan_to_num(
    input: Tensor,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """input with NaN replaced (by 0 unless told) and the infinities (by the largest and the
    smallest number of the dtype unless told); there the gradient is 0.
    """
    if not dtypes.is_differentiable(input.dtype):
        return clone_of(input)
    largest = float(dtypes.finfo(input.dtype).max)
    result = where(isnan(input), 0.0 if nan is None else nan, input)
    result = where(input == math.inf, largest if posinf is None else posinf, result)
    return where(input == -math.inf, -largest if neginf is None else neginf, result)


# ---- exponentials, logarithms, powers

exp: TensorFunction = _float("exp", "input", "", "e ** input.", input=lambda g, y: g * y)
exp2: TensorFunction = _float("exp2", "input", "", "2 ** input.", input=lambda g, y: g * y * LOG_2)
expm1 = _float(
    "expm1", "input", "", "e ** input - 1, exact near 0.", input=lambda g, y: g * (y + 1)
)
log = _float("log", "input", "", "Natural logarithm.", input=lambda g, input: g / input)
log2 = _float(
    "log2", "input", "", "Logarithm to base 2.", input=lambda g, input: g / (input * LOG_2)
)
log10 = _float(
    "log10", "input", "", "Logarithm to base 10.", input=lambda g, input: g / (input * LOG_10)
)
log1p = _float(
    "log1p", "input", "", "log(1 + input), exact near 0.", input=lambda g, input: g / (input + 1)
)
sqrt = _float("sqrt", "input", "", "Square root.", input=lambda g, y: g / (2 * y))
rsqrt = _float("rsqrt", "input", "", "1 / sqrt(input).", input=lambda g, y: g * (y * y * y) * -0.5)
square = _number(
    "square",
    "input",
    "",
    "input ** 2; of bools as integers.",
    input=lambda g, input: g * (2 * input),
)
reciprocal = _float("reciprocal", "input", "", "1 / input.", input=lambda g, y: -g * (y * y))

# ---- trigonometry

sin = _float("sin", "input", "", "Sine of radians.", input=lambda g, input: g * cos(input))
cos: TensorFunction = _float(
    "cos", "input", "", "Cosine of radians.", input=lambda g, input: -g * sin(input)
)
tan = _float("tan", "input", "", "Tangent of radians.", input=lambda g, y: g * (1 + y * y))
asin = arcsin = _float(
    "asin",
    "input",
    "",
    "Inverse sine, in radians.",
    input=lambda g, input: g * rsqrt(1 - input * input),
)
acos = arccos = _float(
    "acos",
    "input",
    "",
    "Inverse cosine, in radians.",
    input=lambda g, input: -g * rsqrt(1 - input * input),
)
atan = arctan = _float(
    "atan",
    "input",
    "",
    "Inverse tangent, in radians.",
    input=lambda g, input: g / (input * input + 1),
)
sinh = _float("sinh", "input", "", "Hyperbolic sine.", input=lambda g, input: g * cosh(input))
cosh: TensorFunction = _float(
    "cosh", "input", "", "Hyperbolic cosine.", input=lambda g, input: g * sinh(input)
)


@fused()
def tanh_slope(gradient: Tensor, output: Tensor) -> Tensor:
    """The gradient of tanh: gradient * (1 - output^2)."""
    return gradient * (1 - output * output)


def _tanh_input(g: Any, y: Any) -> Any:
    # Of few elements the call of an op costs more than the passes over memory that it saves.
    return g * (1 - y * y) if y.nbytes < WORTH_FUSING else tanh_slope(g, y)


tanh = _float("tanh", "input", "", "Hyperbolic tangent.", input=_tanh_input)
asinh = arcsinh = _float(
    "asinh",
    "input",
    "",
    "Inverse hyperbolic sine.",
    input=lambda g, input: g * rsqrt(input * input + 1),
)
acosh = arccosh = _float(
    "acosh",
    "input",
    "",
    "Inverse hyperbolic cosine.",
    input=lambda g, input: g * rsqrt(input * input - 1),
)
atanh = arctanh = _float(
    "atanh",
    "input",
    "",
    "Inverse hyperbolic tangent.",
    input=lambda g, input: g / (1 - input * input),
)


def _sinc_input(g: Any, input: Any) -> Any:
    nowhere = input == 0
    turn = where(nowhere, 1, input) * math.pi
    return where(nowhere, 0, g * ((cos(turn) * turn - sin(turn)) / (turn * turn)) * math.pi)


@fused(input=_sinc_input)
def sinc(input: Tensor) -> Tensor:
    """sin(pi input) / (pi input), 1 at 0."""
    turn = input * math.pi
    nowhere = input == 0
    return where(nowhere, 1, sin(turn) / where(nowhere, 1, turn))


@takes_out
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians."""
    dtypes.refuse("deg2rad", input.dtype, "complex")
    return input * (math.pi / 180)


@takes_out
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees."""
    dtypes.refuse("rad2deg", input.dtype, "complex")
    return input * (180 / math.pi)


# ---- of neural networks


@fused(refuses="bool complex", input=lambda g, y: where(y <= 0, 0, g))
def relu(input: Tensor) -> Tensor:
    """max(input, 0); gradient 0 at 0."""
    if input.dtype.itemsize == 2:  # differentiated as it is here: the limit's gradient at 0 is 1
        return where(input <= 0, 0, input)
    return clamp_to(input, 0, None)


@fused(input=lambda g, y: g * (y * (1 - y)))
def sigmoid(input: Tensor) -> Tensor:
    """1 / (1 + exp(-input)), without overflow on either side."""
    if is_complex(input):
        return 1 / (1 + exp(-input))
    if input.dtype.itemsize == 2 and dtypes.is_floating_point(input.dtype):
        return cast(sigmoid(cast(input, dtypes.float32)), input.dtype)
    if not dtypes.is_differentiable(input.dtype):
        input = cast(input, dtypes.get_default_dtype())
    small = exp(-abs(input))
    return where(input >= 0, 1.0, small) / (1 + small)


def _logit_input(g: Any, input: Any, eps: float | None) -> Any:
    low, outside = (0.0, math.nan) if eps is None else (eps, 0.0)
    inside = (input >= low) & (input <= 1 - low)
    return where(inside, g / (input * (1 - input)), outside)


@widened
@fused(refuses="complex", input=_logit_input)
def logit(input: Tensor, eps: float | None = None) -> Tensor:
    """log(input / (1 - input)); with eps the input is limited to [eps, 1 - eps]."""
    if not dtypes.is_differentiable(input.dtype):
        input = cast(input, dtypes.get_default_dtype())
    if eps is not None:
        input = clamp_to(input, eps, 1 - eps)
    return log(input / (1 - input))
