"""What stands around public functions: NumPy's names of two arguments, which PyTorch takes as well
(`axis` for `dim`, `keepdims` for `keepdim`), and the words for an argument that is no tensor.

One place for all: functions are wrapped when the package is imported (0.1 us a call); inside the
library the functions themselves are called. Declared ops need no wrapper, they look at their
arguments themselves.
"""

from __future__ import annotations

import functools
from types import FunctionType
from typing import Any

from tensorgrad.op import OPS

ALIASES = {"axis": "dim", "keepdims": "keepdim"}


def parameters_inside(function: Any) -> tuple[str, ...]:
    """The parameters of a plain function, under its decorators; of anything else none."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not isinstance(function, FunctionType):
        return ()
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


@functools.cache
def public(function: Any) -> Any:
    """The function, called by either name, and with its words for what is no tensor."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not ALIASES.keys().isdisjoint(kwargs):
            kwargs = {ALIASES.get(name, name): value for name, value in kwargs.items()}
        try:
            return function(*args, **kwargs)
        except AttributeError as error:
            if not is_argument(error.obj, (args, list(kwargs.values()))):
                raise
            kind = type(error.obj).__name__
            raise TypeError(f"{function.__name__}: expected a tensor, got {kind}") from error

    return call


def is_argument(value: Any, arguments: Any) -> bool:
    """Whether a value that lacks an attribute is what the caller gave, at any depth."""
    if isinstance(arguments, tuple | list):
        return any(is_argument(value, part) for part in arguments)
    return value is arguments


def with_dim(space: dict[str, Any]) -> dict[str, Any]:
    """The functions that have a `dim`, for methods: their first argument is a tensor."""
    return {
        name: public(value)
        for name, value in space.items()
        if isinstance(value, FunctionType) and "dim" in parameters_inside(value)
    }


def functions(space: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The named functions of the ops that are no declared ops, for a module's namespace."""
    declared = {op.call for op in OPS.values()}
    return {
        name: public(space[name])
        for name in names
        if isinstance(space.get(name), FunctionType)
        and space[name].__module__.startswith("tensorgrad.ops.")
        and space[name] not in declared
    }
