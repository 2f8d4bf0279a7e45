"""Norms and limits of all gradients at once.

`foreach`, PyTorch's choice between two implementations, changes no number here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tensorgrad import modes
from tensorgrad.backend import CPU
from tensorgrad.graph import TensorCore, wrap, written
from tensorgrad.ops.choice import clamp_to
from tensorgrad.ops.creation import tensor
from tensorgrad.ops.joining import stack
from tensorgrad.ops.linalg import matmul
from tensorgrad.ops.logic import isfinite, logical_not
from tensorgrad.ops.norms import p_norm
from tensorgrad.ops.pointwise import sqrt
from tensorgrad.ops.shape import reshape
from tensorgrad.stepping import Stepper

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


def _gradients(parameters: Any) -> list[Tensor]:
    """The gradients that there are, without their history; of a sparse one its values, each row
    once.
    """
    several: Any = [parameters] if isinstance(parameters, TensorCore) else parameters
    found = []
    for parameter in several:
        gradient = parameter.grad
        if gradient is not None:
            if gradient.is_sparse:
                parameter.grad = gradient.coalesce()
                gradient = parameter.grad.values()
            found.append(gradient.detach())
    return found


def _length(gradient: Tensor) -> Tensor:
    """The 2-norm, as a product with itself: the squares need no memory of their own."""
    if gradient.dtype.itemsize == 2:  # whose squares overflow
        gradient = gradient.float()
    flat = reshape(gradient, -1)
    return sqrt(matmul(flat, flat))


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all tensors, as if they were one vector.

    Raises RuntimeError if it is not finite and error_if_nonfinite is set.
    """
    several: Any = [tensors] if isinstance(tensors, TensorCore) else list(tensors)
    if not several:
        return tensor(0.0)
    norm_type = float(norm_type)
    together = _together(several) if norm_type == 2.0 else None
    if together is not None:
        return _finite(together, norm_type, error_if_nonfinite)
    if norm_type == 2.0:
        lengths = [_length(part.detach()) for part in several]
    else:
        lengths = [p_norm(part.detach(), norm_type) for part in several]
    device = lengths[0].device
    total = p_norm(stack([length.to(device) for length in lengths]), norm_type)
    return _finite(total, norm_type, error_if_nonfinite)


def _together(tensors: list[Tensor]) -> Tensor | None:
    """The 2-norm of all, if the backend has it in one pass."""
    arrays = [part._array for part in tensors]
    kernel = getattr(modes.current().backends[arrays[0].__class__], "total_norm", None)
    total = NotImplemented if kernel is None else kernel(arrays)
    return None if total is NotImplemented else wrap(total)


def _finite(total: Tensor, norm_type: float, wanted: bool) -> Tensor:
    if wanted and bool(logical_not(isfinite(total))):
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
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients, in place and by one factor, so that their total norm is at most
    max_norm.

    Returns the total norm before. See `get_total_norm`; Pascanu, Mikolov and Bengio 2013.
    """
    gradients = _gradients(parameters)
    total = get_total_norm(gradients, norm_type, error_if_nonfinite)
    _scale(gradients, max_norm, total)
    return total


clip_grad_norm = clip_grad_norm_  # PyTorch's older name


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """`clip_grad_norm_` where the total norm is known: see `get_total_norm`."""
    _scale(_gradients(parameters), max_norm, total_norm)


def _scale(gradients: list[Tensor], max_norm: float, total: Tensor) -> None:
    if all(part.device == CPU for part in [total, *gradients]):
        known = float(max_norm) / (total.item() + 1e-6)
        if not known >= 1:  # so nan spreads
            _write(SCALE, gradients, factor=known)
        return
    factor = (max_norm / (total + 1e-6)).clamp(max=1.0)
    # Multiplied by 1 too: asking whether the factor is below would wait for the device.
    for gradient in gradients:
        gradient.mul_(factor.to(device=gradient.device, dtype=gradient.dtype))


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value], in place."""
    limit = float(clip_value)
    _write(LIMIT, _gradients(parameters), limit=limit)


def _write(stepper: Stepper, gradients: list[Tensor], **numbers: float) -> None:
    """Put what a rule makes of each gradient in its place."""
    if gradients:
        stepper.step([[gradient._array for gradient in gradients]], numbers, compiled=True)
    for gradient in gradients:
        written(gradient)


def _scaled(gradient: Any, *, factor: float) -> tuple[Any]:
    return (gradient * factor,)


def _limited(gradient: Any, *, limit: float) -> tuple[Any]:
    return (clamp_to(gradient, -limit, limit),)


SCALE, LIMIT = Stepper(_scaled), Stepper(_limited)
