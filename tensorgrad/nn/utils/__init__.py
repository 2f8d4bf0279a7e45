"""What is done to all gradients, or all parameters, at once.

https://docs.pytorch.org/docs/stable/nn.html#utilities
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tensorgrad.errors import ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.nn.utils import rnn as rnn
from tensorgrad.ops.creation import tensor
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.logic import isfinite, logical_not
from tensorgrad.ops.norms import p_norm
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.ops.joining import cat, stack
from tensorgrad.ops.shape import reshape

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


def _gradients(parameters: Any) -> list[Tensor]:
    """The gradients that there are, without their history."""
    several: Any = [parameters] if isinstance(parameters, TensorCore) else parameters
    return [parameter.grad.detach() for parameter in several if parameter.grad is not None]


def _length(gradient: Tensor) -> Tensor:
    """The 2-norm, as a product with itself: the squares need no memory of their own."""
    if gradient.dtype.itemsize == 2:  # whose squares overflow
        gradient = gradient.float()
    flat = reshape(gradient, -1)
    return sqrt(matmul(flat, flat))


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """The norm of all elements of all tensors, as if they were one vector.

    Raises RuntimeError if it is not finite and error_if_nonfinite is set.
    """
    several: Any = [tensors] if isinstance(tensors, TensorCore) else list(tensors)
    if not several:
        return tensor(0.0)
    norm_type = float(norm_type)
    if norm_type == 2.0:
        lengths = [_length(part.detach()) for part in several]
    else:
        lengths = [p_norm(part.detach(), norm_type) for part in several]
    device = lengths[0].device
    total = p_norm(stack([length.to(device) for length in lengths]), norm_type)
    if error_if_nonfinite and bool(logical_not(isfinite(total))):
        raise RuntimeError(
            f"clip_grad_norm_: expected a finite norm of order {norm_type}, got {total.item()} "
            "(the total norm for gradients is non-finite, so it cannot be clipped)"
        )
    return total


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients, in place and by one factor, so that their total norm is at most
    max_norm.

    Returns the total norm before. See `get_total_norm`; Pascanu, Mikolov and Bengio 2013.
    """
    gradients = _gradients(parameters)
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    # Always multiplied: asking whether the factor is below 1 would wait for the device.
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.to(device=gradient.device, dtype=gradient.dtype))
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value], in place."""
    limit = float(clip_value)
    for gradient in _gradients(parameters):
        gradient.clamp_(-limit, limit)


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
