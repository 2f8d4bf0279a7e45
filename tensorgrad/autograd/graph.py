"""The graph for users: its nodes, and hooks on what they save.

https://docs.pytorch.org/docs/stable/autograd.html#autograd-graph
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorgrad import modes
from tensorgrad.graph import Node

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "Node",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class saved_tensors_hooks(modes.ModeContext):
    """While the block runs, `pack_hook(tensor)` says what stands for each tensor that ops save for
    backward, and `unpack_hook(packed)` gives the tensor back when backward asks.

    Hooks of the innermost block hold. In-place changes to what was packed are not noticed.
    """

    def __init__(
        self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]
    ) -> None:
        super().__init__(packing=(pack_hook, unpack_hook))


class save_on_cpu(saved_tensors_hooks):
    """While the block runs, saved tensors are moved to the CPU until backward asks for them.

    pin_memory and device_type are PyTorch's; here they change nothing.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(
            lambda tensor: (tensor.device, tensor.cpu()),
            lambda packed: packed[1].to(packed[0]),
        )
