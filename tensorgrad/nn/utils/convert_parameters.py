"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tensorgrad.errors import ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.ops.joining import cat
from tensorgrad.ops.shape import reshape

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of all parameters, one behind the other."""
    return cat([reshape(parameter, -1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Write the elements of `vec` (as many as there are in all) into the parameters, in order."""
    if not isinstance(vec, TensorCore):
        raise TypeError(f"vector_to_parameters: expected a tensor, got {type(vec).__name__}")
    parameters = list(parameters)
    count = sum(parameter.numel() for parameter in parameters)
    if tuple(vec.shape) != (count,):
        raise ShapeError(
            f"vector_to_parameters: expected a vector of {count} elements, got shape "
            f"{list(vec.shape)}"
        )
    start, values = 0, vec.detach()
    for parameter in parameters:
        end = start + parameter.numel()
        parameter.detach().copy_(reshape(values[start:end], parameter.shape))
        start = end
