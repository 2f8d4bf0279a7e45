"""Making modules without drawing their first values."""

from __future__ import annotations

import inspect
from typing import Any

from tensorgrad.nn.module import Module


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Any:
    """A module whose `reset_parameters` has not run: its parameters hold no values in particular,
    for a state that is loaded next.
    """
    if not inspect.isclass(module_cls) or not issubclass(module_cls, Module):
        raise RuntimeError(f"skip_init: expected a class of modules, got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError(
            f"skip_init: expected a class that takes a device, got {module_cls.__name__}"
        )
    bare = type(module_cls.__name__, (module_cls,), {"reset_parameters": lambda self: None})
    module = bare(*args, **kwargs)
    module.__class__ = module_cls
    return module
