"""Functions whose source is written and compiled at their first call.

A program calls few of the ops, and compiling all took most of the time of the import.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

Space = dict[str, Any]


def define(
    space: Space, title: str, head: str, arguments: list[str], write: Callable[[], str]
) -> Callable[..., Any]:
    """The function `def {head}:` with the body that `write` returns, compiled at its first call.

    Until then it is a stub with the right signature, which functions of equal parameters share;
    then it gets the code, and stays itself. `arguments` are its parameters, `title` the op's name
    and, but for the call, which part of it this is. `space` is a plain dict: look-ups in a subclass
    are not specialised.
    """

    def settle() -> None:
        found: dict[str, Any] = {}
        exec(compile(f"def {head}:\n{write()}", f"<op {title}>", "exec"), space, found)
        function.__code__ = found.popitem()[1].__code__

    def first_call(*values: Any) -> Any:
        settle()
        return function(*values)

    name, _, parameters = head.removesuffix(")").partition("(")
    part = title.rpartition(" ")[2] if " " in title else "call"
    space[f"_first_{part}"] = first_call
    space[f"_settle_{part}"] = settle
    stub = _stub(part, parameters, ", ".join(arguments))
    function = FunctionType(stub.__code__, space, name, stub.__defaults__)
    function.__qualname__ = name
    function.__module__ = "tensorgrad"
    return function


def settled(function: FunctionType) -> FunctionType:
    """The function with the code that it has from its first call on, if it is one of these."""
    if not is_settled(function):
        function.__globals__["_settle_call"]()
    return function


def is_settled(function: FunctionType) -> bool:
    """Whether the function has that code."""
    return function.__code__.co_name != "stub"


@functools.cache
def _stub(part: str, parameters: str, arguments: str) -> FunctionType:
    found: dict[str, Any] = {}
    exec(f"def stub({parameters}):\n    return _first_{part}({arguments})", found)
    return found["stub"]  # type: ignore[no-any-return]
