"""The wrappers by which PyTorch's programs train on several devices; here there is one, and they
pass through.

https://docs.pytorch.org/docs/stable/generated/torch.nn.DataParallel.html. As in PyTorch the model
is their `module`, so that the keys of their `state_dict` begin with "module.".
"""

from __future__ import annotations

import contextlib
from typing import Any

from tensorgrad.nn.module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class _Wrapper(Module):
    """A model that is called as it is."""

    def __init__(self, module: Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)


class DataParallel(_Wrapper):
    """The module itself, computing on one device: a batch is not split."""

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
    ) -> None:
        super().__init__(module)


class DistributedDataParallel(_Wrapper):
    """The module itself, training in one process: there are no gradients to average. Options are
    PyTorch's, and change nothing.
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, **options: Any
    ) -> None:
        super().__init__(module)

    def no_sync(self) -> contextlib.AbstractContextManager[None]:
        """A context that does nothing: there is nothing to synchronise."""
        return contextlib.nullcontext()
