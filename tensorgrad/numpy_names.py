"""NumPy's names of two arguments, which PyTorch takes as well: `axis` for `dim`, `keepdims` for
`keepdim`.

One place for all functions that have a `dim`: the public ones are wrapped when the package is
imported; inside the library the functions themselves are called.
"""

from __future__ import annotations

import functools
from types import FunctionType
from typing import Any

ALIASES = {"axis": "dim", "keepdims": "keepdim"}


def takes_dim(function: Any) -> bool:
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not isinstance(function, FunctionType):
        return False
    code = function.__code__
    return "dim" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


@functools.cache
def with_numpy_names(function: Any) -> Any:
    """The function, called by either name."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not ALIASES.keys().isdisjoint(kwargs):
            kwargs = {ALIASES.get(name, name): value for name, value in kwargs.items()}
        return function(*args, **kwargs)

    return call


def rename(space: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Those of the named functions that have a `dim`, wrapped."""
    return {
        name: with_numpy_names(space[name])
        for name in names
        if isinstance(space.get(name), FunctionType) and takes_dim(space[name])
    }
