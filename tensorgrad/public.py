"""What stands around public functions: second names of arguments that PyTorch takes as well (`axis`
for `dim`, `input` for the first tensor whatever it is called), flags and numbers settled by their
annotations, and the words for an argument that is no tensor, or not of its annotation's kind; the
last around layers' constructors as well.

One place for all: functions are wrapped when the package is imported (0.1 us a call); inside the
library the functions themselves are called. Declared ops need no wrapper, they look at their
arguments themselves.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
from numbers import Integral, Number, Real
from types import FunctionType
from typing import Any

from tensorgrad import arguments
from tensorgrad.arguments import said
from tensorgrad.detours import undetoured
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

ALIASES = {
    "axis": "dim",
    "keepdims": "keepdim",
    "train": "training",
    "sections": "indices_or_sections",
    "indices": "indices_or_sections",
}


def parameters_inside(function: Any) -> tuple[str, ...]:
    """The parameters of a plain function, under its decorators; of anything else none."""
    function = undetoured(inside(function))
    if not isinstance(function, FunctionType):
        return ()
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def settled_parameters(function: Any) -> list[tuple[int, str, arguments.Kind]]:
    """The parameters of a plain function that are looked at: place, name, kind. One that can be
    given by its name alone has a place that no argument has.
    """
    function = undetoured(inside(function))
    if not isinstance(function, FunctionType):
        return []
    kinds = [(name, str(kind)) for name, kind in function.__annotations__.items()]
    looked = {name: arguments.KINDS[kind] for name, kind in kinds if kind in arguments.KINDS}
    by_place = function.__code__.co_argcount
    return [
        (place if place < by_place else sys.maxsize, name, looked[name])
        for place, name in enumerate(parameters_inside(function))
        if name in looked
    ]


def inside(function: Any) -> Any:
    """A function without its decorators."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


@functools.cache
def public(function: Any) -> Any:
    """The function, called by either name, and with its words for what is no tensor."""
    parameters = parameters_inside(function)
    aliases = {alias: name for alias, name in ALIASES.items() if name in parameters}
    if parameters:
        aliases["input"] = parameters[0]
    aliases = {alias: name for alias, name in aliases.items() if alias not in parameters}
    looked = settled_parameters(function)
    first = looked[0][0] if looked else sys.maxsize

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not aliases.keys().isdisjoint(kwargs):
            kwargs = {aliases.get(name, name): value for name, value in kwargs.items()}
        if kwargs or len(args) > first:
            for place, name, kind in looked:
                if place < len(args):
                    if args[place].__class__ not in kind.classes:
                        value = kind.settle(function.__name__, name, args[place])
                        args = (*args[:place], value, *args[place + 1 :])
                elif name in kwargs and kwargs[name].__class__ not in kind.classes:
                    kwargs[name] = kind.settle(function.__name__, name, kwargs[name])
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
                got = type(error.obj).__name__
                raise TypeError(f"{function.__name__}: expected a tensor, got {got}") from error
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
        return signature_of(function).bind(*args, **kwargs).arguments
    except TypeError:
        return {}


def signature_of(function: Any) -> inspect.Signature:
    return inspect.signature(undetoured(function))


def misfit(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """What to say of the first argument that is not of the kind that its annotation names; nothing
    if there is none. For calls that failed.
    """
    parameters = signature_of(function).parameters
    for name, value in given(function, args, kwargs).items():
        names = str(parameters[name].annotation).split(" | ")
        kinds = [KINDS.get(part) for part in names]
        if not any(kind is None or isinstance(value, kind) for kind in kinds):
            expected = " or ".join([WORDS.get(part, part) for part in names])
            return f"expected {name} to be {expected}, got {said(value)}"
    return ""


def is_argument(value: Any, arguments: Any) -> bool:
    """Whether a value that lacks an attribute is what the caller gave, at any depth."""
    if value is arguments:
        return True
    inside = arguments if isinstance(arguments, tuple | list) else ()
    return any(is_argument(value, part) for part in inside)


def methods(space: dict[str, Any]) -> dict[str, Any]:
    """Those methods among a class's that something must stand around: that have a `dim`, or
    parameters that are looked at.
    """
    declared = {op.call for op in OPS.values()}
    return {
        name: public(value)
        for name, value in space.items()
        if isinstance(value, FunctionType)
        and (
            "dim" in parameters_inside(value)
            or (value not in declared and settled_parameters(value))
        )
    }


def functions(space: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The named functions of the ops that are no declared ops, and the module's own, for its
    namespace.
    """
    declared = {op.call for op in OPS.values()}
    return {
        name: public(space[name])
        for name in names
        if isinstance(space.get(name), FunctionType)
        and (
            space[name].__module__.startswith("tensorgrad.ops.")
            or space[name].__module__ == space.get("__name__")
        )
        and space[name] not in declared
    }
