"""Copies between devices, and the one way to another device or dtype.

https://docs.pytorch.org/docs/stable/generated/torch.Tensor.to.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, modes
from tensorgrad.backend import Device, backend_for
from tensorgrad.graph import Node, TensorCore, wrap
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.shape import clone

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = []


class Move(Node):
    """History of a copy to another device: the gradient travels back."""

    __slots__ = ("source",)

    op_name = "to"

    def __init__(self, input: Any, source: Device) -> None:
        self.begin((input._node,), input._array.shape)
        self.source = source

    def name(self) -> str:
        return "ToCopyBackward0"

    def pull(self, g: Any) -> tuple[Any, ...]:
        return (_moved(g, self.source),)

    def pull_tensors(self, g: Any) -> tuple[Any, ...]:
        return (move(g, self.source),)


def _moved(array: Any, device: Device) -> Any:
    table = modes.current().backends
    on_host = table[array.__class__].to_numpy(array)
    return table.on(device.type).asarray(on_host, None, device)


def move(input: Tensor, device: Device) -> Tensor:
    """A copy on another device; gradients flow back."""
    node = None
    if input._node is not None and modes.current().record:
        node = Move(input, input.device)
    return wrap(_moved(input._array, device), node)


def on_device_of(input: Tensor, value: Any) -> Any:
    """A tensor that is to be written into `input`, moved there if it lives elsewhere."""
    if isinstance(value, TensorCore):
        table = modes.current().backends
        if table[value._array.__class__] is not table[input._array.__class__]:
            return move(value, input.device)  # type: ignore[arg-type]
    return value


def convert(input: Tensor, device: Any, dtype: Any, copy: bool) -> Tensor:
    """The tensor on a device and in a dtype (None: its own), itself where nothing changes."""
    result = input
    if device is not None and (place := backend_for(device)[1]) != input.device:
        result = move(result, place)
    if dtype is not None and dtype != result.dtype:
        result = result if dtypes.is_differentiable(dtype) else result.detach()
        result = cast(result, dtype)
    return clone(result) if copy and result is input else result
