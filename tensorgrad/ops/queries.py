"""Questions about a tensor that are answered by a Python number; most are methods too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.graph import TensorCore

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "get_device",
    "is_floating_point",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "is_tensor",
    "numel",
]


def is_tensor(obj: Any) -> bool:
    """Whether the object is a tensor."""
    return isinstance(obj, TensorCore)


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are of a floating dtype."""
    return input.is_floating_point()


def is_signed(input: Tensor) -> bool:
    """Whether the dtype holds negative numbers."""
    return input.is_signed()


def get_device(input: Tensor) -> int:
    """The number of the GPU that holds the tensor; -1 for the CPU."""
    return input.get_device()


def is_nonzero(input: Tensor) -> bool:
    """Whether the one element is not 0."""
    return input.is_nonzero()


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape."""
    return input.is_same_size(other)


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()
