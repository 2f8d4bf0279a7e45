"""Complex numbers by length and angle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.op import TensorFunction, primitive
from tensorgrad.ops.choice import where
from tensorgrad.ops.complex_parts import check_parts, is_complex, join
from tensorgrad.ops.pointwise import cos, sin
from tensorgrad.out import takes_out

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "angle",
    "polar",
]


def _angle_input(g: Any, input: Any) -> Any:
    if not is_complex(input):
        return g * 0
    nowhere = input == 0
    return where(nowhere, 0, g / where(nowhere, 1, input) * -1j)


angle: TensorFunction = primitive(
    "angle",
    "input",
    "",
    "Angle of a complex number in (-pi, pi], in radians; 0 or pi of a real one.",
    kind="float",
    input=_angle_input,
)


@takes_out
def _from_polar(abs: Tensor, angle: Tensor) -> Tensor:
    return join(abs * cos(angle), abs * sin(angle))


def polar(abs: Tensor, angle: Tensor, *, out: Tensor | None = None) -> Tensor:
    """abs * (cos(angle) + i sin(angle)), of two tensors of float32 or of float64."""
    check_parts("polar", abs, angle, out)
    return _from_polar(abs, angle, out=out)
