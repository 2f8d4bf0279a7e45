"""Arguments that are no tensors: what PyTorch takes for a flag, a number or a dtype, as Python's
own or NumPy's, and the words for what it does not take.

What an annotation says is looked at, for declared ops by generated code, for plain functions by
`tensorgrad.public`; an annotation that is not in the table is not looked at.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from tensorgrad import dtypes

PLAIN = int | float | str | None


def said(value: Any) -> str:
    """An argument in an error's words: plain ones themselves, of others the type."""
    parts = value if isinstance(value, tuple) else (value,)
    plain = all(isinstance(part, PLAIN) for part in parts)
    return repr(value) if plain else type(value).__name__


def flag(op: str, name: str, value: Any) -> NoReturn:
    """What is merely as good as True or False, NumPy's too."""
    raise TypeError(f"{op}: expected {name} to be True or False, got {said(value)}")


def whole(op: str, name: str, value: Any) -> int:
    """A whole number, also of NumPy or in a tensor."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{op}: expected {name} to be a whole number, got {said(value)}")
    return operator.index(value)


def real(op: str, name: str, value: Any) -> Any:
    """A number of NumPy, whose dtype would count beside an array's, or in a tensor as Python's."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def one_or_several(op: str, name: str, value: Any) -> Any:
    """A whole number, or what may be several."""
    alone = isinstance(value, bool | float) or (
        hasattr(value, "__index__") and not getattr(value, "ndim", 0)
    )
    return whole(op, name, value) if alone else value


def dtype(op: str, name: str, value: Any) -> dtypes.DType:
    """A dtype, or what stands for one."""
    return dtypes.as_dtype(op, value)


class Kind(NamedTuple):
    """An annotation: the classes of what is taken as it is, their test in generated code, and what
    is called for anything else.
    """

    classes: tuple[type, ...]
    differs: str
    settle: Callable[[str, str, Any], Any]


KINDS = {
    "DType": Kind((), "True", dtype),
    "bool": Kind((bool,), "{0} is not True and {0} is not False", flag),
    "int": Kind((int,), "{0}.__class__ is not int", whole),
    "float": Kind((float, int), "{0}.__class__ is not float and {0}.__class__ is not int", real),
}
KINDS |= {
    name: Kind((int, tuple, list, type(None)), "{0}.__class__ is not int", one_or_several)
    for name in ("Dim", "OutputSize", "Sizes", "int | Sequence[int]")
}
KINDS |= {
    f"{name} | None": Kind(
        (*kind.classes, type(None)), f"{{0}} is not None and {kind.differs}", kind.settle
    )
    for name, kind in KINDS.items()
    if name != "bool"  # PyTorch's deprecated flags, of which it asks whether they are true
}


def settling(op: str, kinds: dict[str, str]) -> str:
    """The generated code that settles parameters of an op, by their annotations."""
    return "".join(
        f"    if {KINDS[kind].differs.format(name)}:\n"
        f'        {name} = _arguments.{KINDS[kind].settle.__name__}("{op}", "{name}", {name})\n'
        for name, kind in kinds.items()
        if kind in KINDS
    )
