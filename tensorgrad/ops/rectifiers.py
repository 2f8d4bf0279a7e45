"""Activation functions made of straight pieces, under the names and arguments of
`torch.nn.functional`. Gradients where two pieces meet are PyTorch's.

https://docs.pytorch.org/docs/stable/nn.functional.html#non-linear-activation-functions
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.fused import fused
from tensorgrad.graph import TensorCore
from tensorgrad.inplace import inplace as inplace_of
from tensorgrad.op import TensorFunction, number_of
from tensorgrad.ops import pointwise
from tensorgrad.ops.choice import clamp_to, masked_fill, where
from tensorgrad.ops.conversion import cast, widened
from tensorgrad.ops.sampling import rand
from tensorgrad.ops.shape import reshape
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "prelu",
    "relu",
    "relu6",
    "relu_",
    "rrelu",
    "rrelu_",
    "softshrink",
    "threshold",
    "threshold_",
]


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(input, 0)."""
    return relu_(input) if inplace else pointwise.relu(input)


relu_: TensorFunction = inplace_of(pointwise.relu)


@widened
@fused(
    name="leaky_relu",
    refuses="bool integers complex",
    input=lambda g, input, negative_slope: where(input > 0, g, g * negative_slope),
)
def _leaky(input: Tensor, negative_slope: float) -> Tensor:
    return where(input > 0, input, input * negative_slope)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """input where positive, negative_slope * input elsewhere."""
    return leaky_relu_(input, negative_slope) if inplace else _leaky(input, negative_slope)


leaky_relu_: TensorFunction = inplace_of(leaky_relu)


@widened
@fused(
    name="prelu",
    input=lambda g, input, weight: where(input > 0, g, g * weight),
    weight=lambda g, input: where(input > 0, 0, g * input),
)
def _sloped(input: Tensor, weight: Tensor) -> Tensor:
    return where(input > 0, input, input * weight)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """input where positive, weight * input elsewhere; weight of one number, or of one for each
    place along dimension 1.
    """
    if not isinstance(weight, TensorCore) or input.dtype != weight.dtype:
        got = weight.dtype if isinstance(weight, TensorCore) else type(weight).__name__
        raise DTypeError(f"prelu: expected a weight of dtype {input.dtype}, got {got}")
    dtypes.refuse("prelu", input.dtype, "bool integers complex")
    if weight.ndim > 1:
        raise ShapeError(
            f"prelu: expected a weight of 0 or 1 dimensions, got shape {list(weight.shape)}"
        )
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.numel() != 1 and (not input.ndim or weight.numel() != channels):
        raise ShapeError(
            f"prelu: expected 1 or {channels} weights for input {list(input.shape)}, got "
            f"{weight.numel()}"
        )
    along = (1, -1) + (1,) * (input.ndim - 2) if input.ndim > 1 else (-1,) * input.ndim
    return _sloped(input, reshape(weight, along))


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """input where positive; elsewhere input times a number that is drawn for it from [lower, upper)
    in training, and is (lower + upper) / 2 otherwise.
    """
    if lower > upper:
        raise RuntimeError(f"rrelu: expected lower <= upper, got {lower} and {upper}")
    if inplace:
        return rrelu_(input, lower, upper, training)
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    slopes = rand(tuple(input.shape), device=input.device) * (upper - lower) + lower
    return _sloped(input, cast(slopes, input.dtype))


rrelu_: TensorFunction = inplace_of(rrelu)


# ---- limits


@widened
@fused(
    name="hardtanh",
    refuses="complex",
    input=lambda g, input, min_val, max_val: where((input <= min_val) | (input >= max_val), 0, g),
)
def _limited(input: Tensor, min_val: float, max_val: float) -> Tensor:
    low, high = number_of(min_val, input.dtype), number_of(max_val, input.dtype)
    return clamp_to(input, low, high)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """input limited to [min_val, max_val]; gradient 0 at the limits."""
    if min_val > max_val:
        raise ValueError(f"hardtanh: expected min_val <= max_val, got {min_val} and {max_val}")
    if inplace:
        return hardtanh_(input, min_val, max_val)
    if input.dtype == dtypes.bool_ or (input.dtype == dtypes.uint8 and min_val < 0):
        raise DTypeError(f"hardtanh: expected a dtype that holds {min_val}, got {input.dtype}")
    return _limited(input, min_val, max_val)


hardtanh_: TensorFunction = inplace_of(hardtanh)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(input, 0), 6); gradient 0 at both limits."""
    return hardtanh(input, 0.0, 6.0, inplace)


@widened
@fused(
    name="hardsigmoid",
    refuses="bool integers complex",
    input=lambda g, input: where((input > -3) & (input < 3), g / 6, 0),
)
def _steep(input: Tensor) -> Tensor:
    return clamp_to(input + 3, 0, 6) / 6


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(input + 3, 0), 6) / 6."""
    return hardsigmoid_(input) if inplace else _steep(input)


hardsigmoid_: TensorFunction = inplace_of(hardsigmoid)


def _along_hardswish(g: Any, input: Any) -> Any:
    return where(input <= -3, 0, where(input < 3, g * (input / 3 + 0.5), g))


@widened
@fused(name="hardswish", refuses="bool integers complex", input=_along_hardswish)
def _swished(input: Tensor) -> Tensor:
    return input * clamp_to(input + 3, 0, 6) / 6


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """input * min(max(input + 3, 0), 6) / 6."""
    return hardswish_(input) if inplace else _swished(input)


hardswish_: TensorFunction = inplace_of(hardswish)


@widened
@fused(
    name="threshold",
    refuses="bool complex",
    input=lambda g, input, threshold: where(input <= threshold, 0, g),
)
def _above(input: Tensor, threshold: float, value: float) -> Tensor:
    return masked_fill(input, input <= threshold, value)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """input where it is larger than threshold, value elsewhere."""
    return threshold_(input, threshold, value) if inplace else _above(input, threshold, value)


threshold_: TensorFunction = inplace_of(threshold)


# ---- shrinkage


def _outside(g: Any, input: Any, lambd: float) -> Any:
    return where((input >= -lambd) & (input <= lambd), 0, g)


@widened
@fused(name="hardshrink", refuses="bool integers complex", input=_outside)
def _cut(input: Tensor, lambd: float) -> Tensor:
    return where((input >= -lambd) & (input <= lambd), 0, input)


@takes_out
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """input outside [-lambd, lambd], 0 within."""
    return _cut(input, lambd)


@widened
@fused(name="softshrink", refuses="bool integers complex", input=_outside)
def _shrunk(input: Tensor, lambd: float) -> Tensor:
    within = input * 0.0  # NaN stays NaN
    return where(input > lambd, input - lambd, where(input < -lambd, input + lambd, within))


@takes_out
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """input moved by lambd towards 0, which it does not cross."""
    if lambd < 0:
        raise ShapeError(f"softshrink: expected lambd >= 0, got {lambd}")
    return _shrunk(input, lambd)
