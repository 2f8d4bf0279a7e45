"""The graph for users: its nodes, and hooks on what they save.

https://docs.pytorch.org/docs/stable/autograd.html#autograd-graph
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import modes
from tensorgrad.errors import GraphError
from tensorgrad.graph import HookHandle, Node, hooks_of

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "Node",
    "register_multi_grad_hook",
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


class _Handles:
    """Removes several hooks."""

    def __init__(self, handles: list[HookHandle]) -> None:
        self.handles = handles

    def remove(self) -> None:
        for handle in self.handles:
            handle.remove()

    def __enter__(self) -> _Handles:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


class _OfSeveral:
    """One hook on several tensors. What it has seen of a backward pass is kept by the pass."""

    def __init__(self, function: Callable[[Any], None], count: int, first: bool) -> None:
        self.function = function
        self.count = count
        self.first = first

    def see(self, number: int, gathered: dict[Any, Any], gradient: Tensor) -> None:
        """Take the gradient of tensor `number`."""
        known = self in gathered
        gradients = gathered.setdefault(self, [None] * self.count)
        gradients[number] = gradient
        if self.first and not known:
            self.function(gradient)

    def finish(self, gradients: list[Any]) -> None:
        """The pass has gone through the graph."""
        if not self.first:
            self.function(gradients)


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: str = "all"
) -> _Handles:
    """In each backward pass that reaches one of the tensors, call `fn` once.

    mode "all": with a list of their gradients, None for those it did not reach, when it has gone
    through the graph. "any": with the first of them, as soon as that is known.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"register_multi_grad_hook: expected mode 'all' or 'any', got {mode!r}")
    wanted = [tensor for tensor in tensors if mode == "all" or tensor.requires_grad]
    if any(tensor._node is None for tensor in wanted):
        raise GraphError(
            "register_multi_grad_hook: expected tensors that require grad, got one that does not"
        )
    hook = _OfSeveral(fn, len(wanted), mode == "any")
    return _Handles(
        [
            hooks_of(tensor._node).add("several", partial(hook.see, number))  # type: ignore[arg-type]
            for number, tensor in enumerate(wanted)
        ]
    )
