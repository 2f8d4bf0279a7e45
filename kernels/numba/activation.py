"""Activation functions, forward and backward: each a line or two of text and one pass over memory.

Traffic, in arrays of the input's size: forward reads 1 and writes 1, backward reads 2 and writes 1.
The compositions move 6 to 30. Against them on two threads: 15 to 100 times on 1M floats (softplus
3), and from 20 elements on where there is an exponential.

A text is what `generated` makes a loop of: forward it says y1 of x0, the input; backward y2 of x0,
the gradient of the output, and x1, the input (of `relu`, `sigmoid` and `tanh` the output). Where
pieces meet, and of nan, the values and slopes are those of the ops in `tensorgrad.ops`.
"""

import numba

from tensorgrad.kernels.numba.generated import Loops
from tensorgrad.kernels.numba.math import FLAGS, exp, expm1, log1p, sigmoid
from tensorgrad.kernels.numba.normal import below, normal

_inlined = numba.njit(error_model="numpy", forceinline=True, fastmath=FLAGS)


@_inlined
def softplus(x):
    """log(1 + exp(x))."""
    return (x if x > 0 else type(x)(0)) + log1p(exp(-abs(x)))


@_inlined
def clamp(x, low, high):
    x = low if x < low else x
    return high if x > high else x


FUNCTIONS = {
    "abs": abs,
    "below": below,
    "clamp": clamp,
    "exp": exp,
    "expm1": expm1,
    "normal": normal,
    "sigmoid": sigmoid,
    "softplus": softplus,
}

# (1 + tanh(u / 2)) / 2 is sigmoid(u), without loss where the two nearly cancel.
TANH_GATE = """
u = {x} * ({x} * {x} * real(0.044715) + real(1)) * real(1.5957691216057308)
"""
# tanh(log(1 + e)) = n / (n + 2) with n = (1 + e)^2 - 1; beyond 20 it rounds to 1.
MISH = """
e = exp(real(20) if {x} > real(20) else {x})
n = e * (e + real(2))
gate = n / (n + real(2))
"""
WITHIN = "y2 = real(0) if -c0 <= x1 <= c0 else x0"

# The numbers c0, c1, ... are the op's in their order; of `elu` the factor of the exponential, that
# of the line, and that of the input.
FORWARD = {
    "elu": "y1 = x0 * c1 if x0 > 0 else expm1(x0 * c2) * c0",
    "gelu": "y1 = x0 * below(x0)",
    "gelu_tanh": TANH_GATE.format(x="x0") + "y1 = x0 * sigmoid(u)",
    "hardshrink": "y1 = real(0) if -c0 <= x0 <= c0 else x0",
    "hardsigmoid": "y1 = clamp(x0 + real(3), real(0), real(6)) / real(6)",
    "hardswish": "y1 = x0 * clamp(x0 + real(3), real(0), real(6)) / real(6)",
    "hardtanh": "y1 = clamp(x0, c0, c1)",
    "leaky_relu": "y1 = x0 if x0 > 0 else x0 * c0",
    "logsigmoid": "y1 = -softplus(-x0)",
    "mish": MISH.format(x="x0") + "y1 = x0 * gate",
    "relu": "y1 = real(0) if x0 <= 0 else x0",
    "sigmoid": "y1 = sigmoid(x0)",
    "silu": "y1 = x0 * sigmoid(x0)",
    "softplus": "s = x0 * c0\ny1 = x0 if s > c1 else softplus(s) / c0",
    "softshrink": "y1 = x0 - c0 if x0 > c0 else (x0 + c0 if x0 < -c0 else x0 * real(0))",
    "threshold": "y1 = c1 if x0 <= c0 else x0",
}
BACKWARD = {
    "elu": """
curve = exp(x1 * c2 if x1 < 0 else real(0)) * c0 * c2
y2 = x0 * (c1 if not x1 <= 0 else curve)
""",
    "gelu": "share, density = normal(x1)\ny2 = x0 * (share + x1 * density)",
    "gelu_tanh": TANH_GATE.format(x="x1")
    + """
slope = (x1 * x1 * real(3 * 0.044715) + real(1)) * real(1.5957691216057308)
e = exp(-abs(u))
large = real(1) / (real(1) + e)
y2 = x0 * ((e * large if u < 0 else large) + x1 * (e * large * large) * slope)
""",
    "hardshrink": WITHIN,
    "hardsigmoid": "y2 = x0 / real(6) if -3 < x1 < 3 else real(0)",
    "hardswish": """
middle = x0 * (x1 / real(3) + real(0.5)) if x1 < 3 else x0
y2 = real(0) if x1 <= -3 else middle
""",
    "hardtanh": "y2 = real(0) if x1 <= c0 or x1 >= c1 else x0",
    "leaky_relu": "y2 = x0 if x1 > 0 else x0 * c0",
    "logsigmoid": "y2 = x0 * sigmoid(-x1)",
    "mish": MISH.format(x="x1") + "y2 = x0 * (gate + x1 * sigmoid(x1) * (real(1) - gate * gate))",
    "relu": "y2 = real(0) if x1 <= 0 else x0",
    "sigmoid": "y2 = x0 * (x1 * (real(1) - x1))",
    "silu": "s = sigmoid(x1)\ny2 = x0 * s * (x1 * (real(1) - s) + real(1))",
    "softplus": "s = x1 * c0\ny2 = x0 if s > c1 else x0 * sigmoid(s)",
    "softshrink": WITHIN,
    "tanh": "y2 = x0 * (real(1) - x1 * x1)",
    "threshold": "y2 = real(0) if x1 <= c0 else x0",
}


_loops = Loops(FUNCTIONS, __file__)

# Elements up to which the composition is as fast, of functions made of straight pieces.
FEW = 2048
PIECES = {
    "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "softshrink", "threshold",
}  # fmt: skip


def forward(name, input, *numbers):
    """The activation of every element."""
    if input.size < FEW and name in PIECES:
        return NotImplemented
    return _loops(FORWARD[name], (input,), numbers)


def backward(name, g, kept, *numbers):
    """g times the slope, from the input (of `relu`, `sigmoid` and `tanh` the output)."""
    if g.size < FEW and name in PIECES:
        return NotImplemented
    return _loops(BACKWARD[name], (g, kept), numbers)
