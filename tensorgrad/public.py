"""What stands around public functions: second names of arguments that PyTorch takes as well (`axis`
for `dim`, `input` for the first tensor whatever it is called), and the words for an argument that
is no tensor, or not of the kind that its annotation names; the latter around layers' constructors
as well.

One place for all: functions are wrapped when the package is imported (0.1 us a call); inside the
library the functions themselves are called. Declared ops need no wrapper, they look at their
arguments themselves.
"""

from __future__ import annotations

import functools
import inspect
import operator
from numbers import Integral, Number, Real
from types import FunctionType
from typing import Any

from tensorgrad.errors import ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.op import OPS

# What the words of annotations stand for; what has others is not looked at.
KINDS: dict[str, Any] = {
    "Tensor": TensorCore,
    "int": Integral,
    "float": Real,
    "Number": Number,
    "bool": bool,
    "str": str,
    "None": type(None),
    "Sequence[int]": tuple | list,
    "Dim": int | tuple | list | None,
}
WORDS = {
    "Tensor": "a tensor",
    "int": "a whole number",
    "float": "a number",
    "Number": "a number",
    "str": "a string",
    "Sequence[int]": "several whole numbers",
    "Dim": "a whole number, several, or None",
}
PLAIN = int | float | str | None

ALIASES = {
    "axis": "dim",
    "keepdims": "keepdim",
    "train": "training",
    "sections": "indices_or_sections",
    "indices": "indices_or_sections",
}


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
    parameters = parameters_inside(function)
    aliases = {alias: name for alias, name in ALIASES.items() if name in parameters}
    if parameters:
        aliases["input"] = parameters[0]
    aliases = {alias: name for alias, name in aliases.items() if alias not in parameters}

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not aliases.keys().isdisjoint(kwargs):
            kwargs = {aliases.get(name, name): value for name, value in kwargs.items()}
        try:
            return function(*args, **kwargs)
        except (AttributeError, TypeError, ValueError) as error:
            if again := in_python_numbers(args, kwargs):
                return call(*again[0], **again[1])
            told = isinstance(error, TypeError | ValueError) and ": expected " in str(error)
            if not told and (words := misfit(function, args, kwargs)):
                raise TypeError(f"{function.__name__}: {words}") from error
            values = args, list(kwargs.values())
            if isinstance(error, AttributeError) and is_argument(error.obj, values):
                kind = type(error.obj).__name__
                raise TypeError(f"{function.__name__}: expected a tensor, got {kind}") from error
            raise

    return call


def constructor(init: Any) -> Any:
    """A layer's `__init__`, whose errors name the layer and the argument, whatever has failed on
    the way: an argument of another kind, or a size below 0.
    """

    @functools.wraps(init)
    def call(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            init(self, *args, **kwargs)
        except (AttributeError, RuntimeError, TypeError, ValueError) as error:
            layer = type(self).__name__
            if again := in_python_numbers(args, kwargs):
                call(self, *again[0], **again[1])
                return
            if str(error).startswith(f"{layer}: expected "):
                raise
            if words := misfit(init, (self, *args), kwargs):
                raise TypeError(f"{layer}: {words}") from error
            for name, value in given(init, (self, *args), kwargs).items():
                if isinstance(error, ShapeError) and isinstance(value, Integral) and value < 0:
                    words = f"{layer}: expected {name} >= 0, got {value}"
                    raise ShapeError(words) from error
            raise

    return call


def in_python_numbers(args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
    """The arguments with Python's whole numbers in place of NumPy's, which few calls can tell
    apart, so that only what has failed is called again; None where there are none.
    """
    values = *args, *kwargs.values()
    plain = python_numbers(values)
    if plain is values:
        return None
    return plain[: len(args)], dict(zip(kwargs, plain[len(args) :], strict=True))


def python_numbers(value: Any) -> Any:
    if isinstance(value, Integral) and not isinstance(value, int):
        return int(value)
    if not isinstance(value, tuple | list):
        return value
    parts = [python_numbers(part) for part in value]
    if all(map(operator.is_, parts, value)):
        return value
    return parts if isinstance(value, list) else tuple(parts)


def given(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments by their names; nothing if they are not the function's."""
    try:
        return inspect.signature(function).bind(*args, **kwargs).arguments
    except TypeError:
        return {}


def misfit(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """What to say of the first argument that is not of the kind that its annotation names; nothing
    if there is none. For calls that failed.
    """
    parameters = inspect.signature(function).parameters
    for name, value in given(function, args, kwargs).items():
        names = str(parameters[name].annotation).split(" | ")
        kinds = [KINDS.get(part) for part in names]
        if not any(kind is None or isinstance(value, kind) for kind in kinds):
            expected = " or ".join([WORDS.get(part, part) for part in names])
            got = repr(value) if isinstance(value, PLAIN) else type(value).__name__
            return f"expected {name} to be {expected}, got {got}"
    return ""


def is_argument(value: Any, arguments: Any) -> bool:
    """Whether a value that lacks an attribute is what the caller gave, at any depth."""
    if value is arguments:
        return True
    inside = arguments if isinstance(arguments, tuple | list) else ()
    return any(is_argument(value, part) for part in inside)


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
