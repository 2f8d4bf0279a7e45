"""How a primitive op is declared.

    exp = primitive("exp", "input", kind="float", input=lambda g, y: g * y)

The declaration does its work once and the call does none: it writes the source of a specialised
Python function and compiles it, as `dataclasses` do (see `tensorgrad.codegen`). No loop over
arguments, no dict and no keyword merging stands on the call path; a recorded call makes one node
with two small tuples. What does not fit the fast path (mixed dtypes, a number on the left, raw
arrays) goes to `Op.coerce`, which converts and calls on.

A gradient rule's parameters name what it needs and what is therefore kept: `g` (the gradient of the
output), `y` (the output), any argument, `<argument>_shape`, `<argument>_dtype`, any static
parameter. Rules are written in ops and operators only, so the same rule runs on arrays when no
graph of the backward is wanted and on recording tensors when it is.

Ops that are compositions with optional kernels are declared in `tensorgrad.fused`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from tensorgrad import dtypes, graph, modes
from tensorgrad.codegen import (
    Writer,
    check_names,
    check_rules,
    comma,
    define_pulls,
    fill,
    node_class,
)
from tensorgrad.errors import DTypeError
from tensorgrad.explain import explain
from tensorgrad.first_call import Space, define
from tensorgrad.graph import TensorCore, unwrap, version_of, wrap
from tensorgrad.out import into
from tensorgrad.saved import watch
from tensorgrad.sparse_rows import as_dense

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

TensorFunction: TypeAlias = "Callable[..., Tensor]"
OPS: dict[str, Any] = {}
KINDS = ("any", "number", "signed", "float", "same")
NUMBERS = (float, int, bool)
Number = int | float


class Op:
    """One declared primitive: its parts, and the slow path of its calls."""

    def __init__(
        self,
        name: str,
        args: list[str],
        statics: list[str],
        kind: str,
        expects: str,
        only_tensors: Sequence[str] = (),
        refuses: str = "",
    ) -> None:
        self.name = name
        self.args = args
        self.statics = statics
        self.kind = kind
        self.only_tensors = only_tensors
        self.refuses = refuses
        self.expects = expects
        self.rules: dict[str, Callable[..., Any]] = {}
        self.call: Callable[..., Any]
        self.core: Callable[..., Any]  # the call without its checks

    def coerce(self, tensors: tuple[Any, ...], statics: tuple[Any, ...]) -> Any:
        """The call with arguments that are not all tensors of one dtype."""
        if not any(isinstance(value, TensorCore) for value in tensors):
            return self.call_raw(tensors, tensors, statics)
        operands = [self.lift(value) for value in tensors]
        for arg, value in zip(self.args, operands):
            if arg in self.only_tensors and not isinstance(value, TensorCore):
                raise TypeError(
                    f"{self.name}: expected {arg} to be a tensor, got {type(value).__name__}"
                )
        if self.refuses:
            for value in operands:
                kind = getattr(unwrap(value), "dtype", None) or dtypes.scalar_dtype(value)
                dtypes.refuse(self.name, kind, self.refuses)
        if self.kind == "same":
            self.check_same_dtype(operands)
        elif self.kind != "any":
            operands = self.promote(operands)
        return self.core(*operands, *statics)

    def call_raw(self, candidates: Sequence[Any], arguments: Any, statics: tuple[Any, ...]) -> Any:
        """Rules and compositions call ops on plain arrays: straight to the backend, whose errors
        the op around them explains.
        """
        table = modes.current().backends
        for value in candidates:
            if value.__class__ in table or hasattr(value, "dtype"):
                method = table.method(value.__class__, self.name)
                if arguments is candidates and isinstance(arguments, tuple):
                    return method(*arguments, *statics)
                return method(arguments, *statics)
        kinds = ", ".join(type(value).__name__ for value in candidates)
        raise TypeError(f"{self.name}: expected at least one tensor, got {kinds or 'none'}")

    def lift(self, value: Any) -> Any:
        """A tensor of the class that ops know, or a Python number, or None."""
        if value.__class__ is graph.Tensor or value is None or value.__class__ in NUMBERS:
            return value
        if isinstance(value, TensorCore):
            return alias(value)
        if hasattr(value, "dtype") and hasattr(value, "ndim"):
            value = as_dense(value)
            return wrap(value) if value.ndim or self.kind in ("any", "same") else value.item()
        if isinstance(value, int | float | complex):
            return value
        raise TypeError(f"{self.name}: expected tensors or numbers, got {type(value).__name__}")

    def promote(self, operands: list[Any]) -> list[Any]:
        """Convert operands to their common dtype by PyTorch's table; the conversions
        are recorded.
        """
        common = dtypes.result_type(*[unwrap(value) for value in operands if value is not None])
        if self.kind == "signed":
            self.refuse_bools(operands)
        if self.kind == "float" and not dtypes.is_differentiable(common):
            common = dtypes.get_default_dtype()
        cast = OPS["cast"].call
        results = []
        for value in operands:
            if isinstance(value, TensorCore):
                results.append(value if value._array.dtype == common else cast(value, common))
            else:
                results.append(number_of(value, common))
        return results

    def check_same_dtype(self, operands: list[Any]) -> None:
        for value in operands:
            if not isinstance(value, TensorCore):
                raise TypeError(f"{self.name}: expected tensors, got {type(value).__name__}")
        kinds = [str(value._array.dtype) for value in operands]
        if len(set(kinds)) > 1:
            raise DTypeError(
                f"{self.name}: expected tensors of one dtype, got {' and '.join(kinds)}"
            )

    def refuse_bools(self, operands: list[Any]) -> None:
        for value in operands:
            if isinstance(value, bool) or getattr(unwrap(value), "dtype", None) == dtypes.bool_:
                raise DTypeError(
                    f"{self.name}: expected numbers, got bool (to invert a mask use ~ or "
                    "logical_not)"
                )

    def lift_sequence(self, tensors: Sequence[Any], statics: tuple[Any, ...]) -> Sequence[Any]:
        """A list of tensors of one dtype, or the plain arrays as they are."""
        if not isinstance(tensors, list | tuple):
            raise TypeError(
                f"{self.name}: expected a list or tuple of tensors, got {type(tensors).__name__}"
            )
        if not tensors:
            raise ValueError(f"{self.name}: expected a non-empty list of tensors, got an empty one")
        if not any(isinstance(value, TensorCore) for value in tensors):
            return list(tensors)
        for value in tensors:
            if not isinstance(value, TensorCore):
                raise TypeError(f"{self.name}: expected tensors only, got {type(value).__name__}")
        return self.promote([self.lift(value) for value in tensors])


def number_of(value: Any, dtype: dtypes.DType) -> Any:
    """A Python number in the category of `dtype`, so that the array library computes
    in that dtype.
    """
    kind = dtypes.category(dtype)
    if value is None or kind in (dtypes.BOOL, dtypes.COMPLEX):
        return value
    if dtype == dtypes.bfloat16:  # beside a Python number NumPy would compute in float32
        return dtype.type(value)
    return float(value) if kind == dtypes.FLOATING else wrapped(int(value), dtype)


def wrapped(value: int, dtype: dtypes.DType) -> int:
    """An int64 as a narrower integer dtype holds it: PyTorch keeps the low bits."""
    bits = 8 * dtype.itemsize
    if bits == 64:
        return value
    low = value & ((1 << bits) - 1)
    return low - (1 << bits) if dtype.kind == "i" and low >> (bits - 1) else low


def fitting(op: str, value: Any, dtype: dtypes.DType) -> Any:
    """A Python number as a tensor of `dtype` holds it; refused if it cannot hold it."""
    kind = dtypes.category(dtype)
    if kind == dtypes.BOOL:
        return bool(value)
    fits = kind == dtypes.COMPLEX or not isinstance(value, complex)
    if fits and kind == dtypes.INTEGRAL:
        ends = dtypes.iinfo(dtype)
        lowest = ends.min or -ends.max  # negative numbers wrap around in uint8
        fits = math.isfinite(value) and lowest <= value <= ends.max
    elif fits and kind == dtypes.FLOATING and math.isfinite(value):
        fits = abs(value) <= dtypes.finfo(dtype).max
    if not fits:
        raise DTypeError(
            f"{op}: expected a number that {dtype} holds, got {value} "
            "(value cannot be converted without overflow)"
        )
    return number_of(value, dtype)


def alias(tensor: TensorCore) -> Any:
    """The same tensor as an object of the class that ops know."""
    same = wrap(tensor._array, tensor._node)
    same._version = version_of(tensor)
    return same


def primitive(
    name: str,
    args: str,
    statics: str = "",
    doc: str = "",
    *,
    kind: str = "any",
    refuses: str = "",
    only_tensors: str = "",
    view: bool = False,
    expects: str = "",
    **rules: Callable[..., Any],
) -> TensorFunction:
    """Declare an op that every backend computes by a method of the same name; returns the function
    users call.

    args: the tensor arguments, by PyTorch's names, separated by spaces; "*tensors" takes a sequence
    of tensors.
    statics: the other parameters, as in a Python signature ("dim=None, keepdim=False").
    kind: how dtypes meet. "number": PyTorch's promotion; "signed": the same, and bools are refused;
        "float": the same, and integers become the default floating type; "same": all must have one
        dtype; "any": as they are.
    refuses: "bool", "integers", "complex" or several: numbers that the op is not defined for.
    only_tensors: those of two arguments that no number may stand for; on arrays, where rules
        and compositions run, one may.
    view: the result may share the input's memory; every other op also takes `out=`.
    expects: what shapes or types the op takes, for the message when it fails.
    rules: a gradient rule for each differentiable argument.
    """
    sequence = args.startswith("*")
    names = args.removeprefix("*").split()
    static_names = [part.partition("=")[0].strip() for part in statics.split(",") if part]
    parameters = names + static_names
    check_names(name, parameters)
    check_rules(name, names, static_names, rules, ("y",))
    if kind not in KINDS:
        raise ValueError(f"{name}: expected kind to be one of {KINDS}, got {kind!r}")
    only = only_tensors.split()
    op = Op(name, names, static_names, kind, expects, only, refuses)
    op.rules = rules
    space: Space = {}

    def source() -> str:
        """What the first call needs: the call's body, the other functions and their globals."""
        writer = Writer(
            name,
            names,
            static_names,
            rules,
            kind=kind,
            refuses=refuses,
            only_tensors=only,
            view=view,
            sequence=sequence,
        )
        fill(
            space,
            op=op,
            coerce=op.coerce,
            call_raw=op.call_raw,
            lift_sequence=op.lift_sequence,
            explain=explain,
            into=into,
            as_array=as_array,
            link_view=link_view,
            output_tensor=wrap,
            watch=watch,
            **{f"rule_{arg}": rule for arg, rule in rules.items()},
        )
        core_head = f"{name}({comma(parameters)})"
        op.core = define(space, f"{name} core", core_head, parameters, writer.core)
        if rules:
            keeps_tensors = not {"y", *names}.isdisjoint(writer.keep)
            pulls = define_pulls(space, name, writer.pull)
            space["_OpNode"] = node_class(
                name, "y" in writer.keep, keeps_tensors, graph.Node, **pulls
            )
        return writer.call()

    head = [*names, statics] if statics else names
    head, called = (head, parameters) if view else ([*head, "out=None"], [*parameters, "out"])
    op.call = define(space, name, f"{name}({', '.join(head)})", called, source)
    op.call.__doc__ = doc
    OPS[name] = op
    return op.call


# ---- what generated functions call


def as_array(value: Any, like: Any) -> Any:
    """NumPy gives scalars where PyTorch has 0-d tensors."""
    return modes.current().backends[like.__class__].of_scalar(value)


def link_view(
    view: Any, parent: Any, array: Any, function: Callable[..., Any], statics: tuple[Any, ...]
) -> None:
    """Tie a view to what it was taken from: they share a version, and histories follow in-place
    ops.
    """
    if modes.current().backends[array.__class__].is_view(view._array, array):
        version = version_of(parent)
        view._version = version
        view._view = (parent, function, statics)
        version.add_view(view)
