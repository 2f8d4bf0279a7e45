"""Second paths to modules, where PyTorch keeps a name elsewhere: the same module, never a copy.

`import tensorgrad.utils.data.sampler` finds `tensorgrad.data.sampler`.
"""

from __future__ import annotations

import importlib
import sys


def also_found_in(package: str, modules: dict[str, str]) -> None:
    """Let each named module be found as a part of `package` as well, under the name given to it."""
    for name, target in modules.items():
        module = importlib.import_module(target)
        sys.modules[f"{package}.{name}"] = module
        setattr(sys.modules[package], name, module)
