"""Writes the functions of a declared op: its call, its core, and its node's two backward passes.

Knows the shape of generated code and nothing of dtypes, devices or faults: what the code calls on
its slow and failing paths is handed in by `tensorgrad.op`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from tensorgrad import arguments, dtypes, graph, modes
from tensorgrad.first_call import Space, define
from tensorgrad.graph import Node, freed, overwritten

RAW = """
    if {no_tensor}:
        _methods = _current_mode().kinds.get({a}.__class__)
        if _methods is not None and "{name}" in _methods:
            return _methods["{name}"]({plain})
        return _coerce(({args}), ({statics}))
"""
INTO = """
    if out is not None:
        return _into(out, "{name}", _op.call, ({args}{statics}))
"""
UNWRAP_ONE = """
    _x0 = {a}._array
    _n0 = {a}._node
"""
ONLY_FLOATS = """
    _dtype = _x0.dtype
    if _dtype is not _F32 and _dtype is not _F64:
        return _coerce(({a},), ({statics}))
"""
UNWRAP_TWO = """
    if {a}.__class__ is not _Tensor:
        return _coerce(({a}, {b}), ({statics}))
    _x0 = {a}._array
    _n0 = {a}._node
    _dtype = _x0.dtype
    _class = {b}.__class__
    if _class is _Tensor:
        _x1 = {b}._array
        _n1 = {b}._node
        if _x1.dtype is not _dtype{or_not_float}:
            return _coerce(({a}, {b}), ({statics}))
    elif (_class is float or _class is int) and (_dtype is _F32 or _dtype is _F64):
        _x1 = {b}
        _n1 = None
    else:
        return _coerce(({a}, {b}), ({statics}))
"""
SAME_DTYPE = """
    if {a}.__class__ is not _Tensor or {b}.__class__ is not _Tensor:
        return _coerce(({a}, {b}), ({statics}))
    _dtype = {a}._array.dtype
    if {b}._array.dtype is not _dtype{or_not_float}:
        return _coerce(({a}, {b}), ({statics}))
"""
REFUSE = """
    if {x}.dtype is not _F32 and {x}.dtype is not _F64:
        _refuse("{name}", {x}.dtype, "{refuses}")
"""
FIRST_IS_TENSOR = """
    if {a}.__class__ is not _Tensor:
        return _coerce(({args}), ({statics}))
"""
UNWRAP_ANY = """
    if {a}.__class__ is _Tensor:
        _x{i} = {a}._array
        _n{i} = {a}._node
    else:
        _x{i} = {a}
        _n{i} = None
"""
UNWRAP_SEQUENCE = """
    {a} = _lift_sequence({a}, ({statics}))
    if {a}[0].__class__ is not _Tensor:
        return _call_raw({a}, {a}, ({statics}))
    _x0 = [x._array for x in {a}]
    _first = _x0[0]
    _n0 = [x._node for x in {a}]
"""
COMPUTE = """
    _mode = _current_mode()
    try:
        _kind = {first}.__class__
        y = _mode.kinds[_kind]["{name}"]({arrays})
        if y.__class__ is not _kind:
            y = _as_array(y, {first})
    except Exception as _error:
        if "{name}" not in _mode.kinds.get(_kind, ()):  # the first array of its kind
            _mode.backends.method(_kind, "{name}")
            return _op.call({again})
        raise _explain(_op, _error, ({args}), ({statics})) from _error
    _out = next(_blank)
    _out._array = y
    _out._version = None
"""
RECORD = """
    if _mode.record and ({any_node}):
        _node = _OpNode()
        _node.edges = {edges}
        _node.saved = ({saved})
        _node.shape = y.shape
        _node.time = next(_clock)
        _node.hooks = None{output_version}
        _out._node = _node
        if _mode.watched:
            _watch(_node)
    else:
        _out._node = None
"""
PULL = """
    _saved = _node.saved
    if _saved is None:
        raise _freed(_node)
    {names}= _saved
"""
CHECK_ARGUMENT = """
    if {a}.__class__ is _Tensor:
        _version = {a}._version
        if _version is not None and _version.written > _node.time:
            raise _overwritten(_node, "{a}", {a}._array.shape)
"""
CHECK_OUTPUT = """
    _version = _node.output_version
    if _version is not None and y is not None and _version.written > _node.time:
        raise _overwritten(_node, "result", _node.shape)
"""


def fill(space: Space, **names: Any) -> None:
    """Give one op's functions their globals, at its first call: by then there is a tensor class."""
    names |= {
        "arguments": arguments,
        "blank": graph.blank,
        "F32": dtypes.float32,
        "F64": dtypes.float64,
        "Tensor": graph.Tensor,
        "clock": graph.clock,
        "current_mode": modes.current,
        "freed": freed,
        "overwritten": overwritten,
        "refuse": dtypes.refuse,
    }
    space["__name__"] = "tensorgrad.ops"  # the package silences NumPy's warnings in its modules
    space.update({f"_{name}": value for name, value in names.items()})


def check_names(op: str, names: list[str]) -> None:
    """Refuse parameters that have a meaning in rules and kernels, or that generated code uses: all
    its own names begin with an underscore.
    """
    taken = [name for name in names if name in ("g", "y", "aux", "needs", "out") or name[0] == "_"]
    if taken:
        raise ValueError(f"{op}: expected other parameter names than {taken}, got {names}")


def check_rules(
    op: str,
    args: list[str],
    statics: list[str],
    rules: dict[str, Callable[..., Any]],
    more: tuple[str, ...],
) -> None:
    """Refuse a rule for what is no argument, or that asks for what there is not."""
    if unknown := [arg for arg in rules if arg not in args]:
        raise ValueError(f"{op}: expected rules for {args}, got one for {unknown[0]!r}")
    known = {*args, *statics, *more}
    known |= {f"{arg}_{what}" for arg in args for what in ("shape", "dtype")}
    for arg, rule in rules.items():
        if unknown := [need for need in rule_needs(rule) if need not in known]:
            raise ValueError(
                f"{op}: expected the rule of {arg!r} to ask for some of {sorted(known)}, got "
                f"{unknown[0]!r}"
            )


def comma(names: list[str]) -> str:
    """Names as the inside of a tuple display."""
    return "".join(f"{name}, " for name in names)


def parameters_of(function: Callable[..., Any]) -> list[str]:
    """The names of a Python function's parameters, without a method's `self`."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return list(names[1:] if hasattr(function, "__self__") else names)


def rule_needs(rule: Callable[..., Any]) -> list[str]:
    """What a rule's parameters name, without the gradient itself."""
    return [name for name in parameters_of(rule) if name != "g"]


class Writer:
    """The source of the functions of one op.

    `args` are its tensor arguments, `statics` the others; `sequence` says that the one argument is
    a sequence; `only_tensors` those arguments that no number may stand for; `refuses` the kinds of
    numbers that the op is not defined for.
    """

    def __init__(
        self,
        name: str,
        args: list[str],
        statics: list[str],
        rules: dict[str, Callable[..., Any]],
        *,
        kind: str,
        refuses: str,
        only_tensors: list[str],
        view: bool,
        sequence: bool,
    ) -> None:
        self.name = name
        self.args = args
        self.statics = statics
        self.rules = rules
        self.kind = kind
        self.refuses = refuses
        self.only_tensors = only_tensors
        self.view = view
        self.sequence = sequence
        self.keep: list[str] = []
        for rule in rules.values():
            self.keep += [need for need in rule_needs(rule) if need not in self.keep]

    # ---- forward

    def call(self) -> str:
        """The function users call: `out`, the checks of the fast path, then the computation."""
        if self.view:
            return self.checked()
        names = {"args": comma(self.args), "statics": comma(self.statics)}
        return INTO.format(name=self.name, **names) + self.checked()

    def checked(self) -> str:
        statics = comma(self.statics)
        if self.sequence:
            return self.core()
        if len(self.args) == 1:
            body = self.raw() + UNWRAP_ONE.format(a=self.args[0], statics=statics)
            if self.kind == "float":
                body += ONLY_FLOATS.format(a=self.args[0], statics=statics)
            elif self.refuses:
                body += REFUSE.format(x="_x0", name=self.name, refuses=self.refuses)
            return body + self.compute("_x0")
        if self.kind == "any":
            first = FIRST_IS_TENSOR.format(a=self.args[0], args=comma(self.args), statics=statics)
            return self.raw() + first + self.core()
        a, b = self.args
        floats = " or (_dtype is not _F32 and _dtype is not _F64)" if self.kind == "float" else ""
        checks = {"a": a, "b": b, "statics": statics, "or_not_float": floats}
        if self.kind == "same" or b in self.only_tensors:
            return self.raw() + SAME_DTYPE.format(**checks) + self.refusal() + self.core()
        return UNWRAP_TWO.format(**checks) + self.refusal() + self.compute("_x0")

    def refusal(self) -> str:
        """The check of two tensors of one dtype."""
        if not self.refuses or self.kind == "float":  # there the slow path looks
            return ""
        x = f"{self.args[0]}._array"
        return REFUSE.format(x=x, name=self.name, refuses=self.refuses)

    def raw(self) -> str:
        """Rules and compositions call ops on arrays: straight to the backend."""
        return RAW.format(
            no_tensor=" and ".join(f"{arg}.__class__ is not _Tensor" for arg in self.args),
            a=self.args[0],
            name=self.name,
            plain=", ".join(self.args + self.statics),
            args=comma(self.args),
            statics=comma(self.statics),
        )

    def core(self) -> str:
        """The same for arguments that have been made to fit: no checks."""
        if self.sequence:
            (a,) = self.args
            return UNWRAP_SEQUENCE.format(a=a, statics=comma(self.statics)) + self.compute("_first")
        body = "".join(UNWRAP_ANY.format(a=arg, i=i) for i, arg in enumerate(self.args))
        if self.kind != "any" and len(self.args) == 2:  # a number may stand on the left
            body += f"\n    _first = _x0 if {self.args[0]}.__class__ is _Tensor else _x1\n"
            return body + self.compute("_first")
        return body + self.compute("_x0")

    def compute(self, first: str) -> str:
        """Ask the backend of the array `first`, wrap and record."""
        arrays = [f"_x{i}" for i in range(len(self.args))]
        body = COMPUTE.format(
            first=first,
            name=self.name,
            arrays=", ".join(arrays + self.statics),
            again=", ".join(self.args + self.statics),
            args=f"*{self.args[0]}," if self.sequence else comma(self.args),
            statics=comma(self.statics),
        )
        body += self.record() if self.rules else "    _out._node = None\n"
        if self.view:
            body += (
                f"    _link_view(_out, {self.args[0]}, _x0, _op.call, ({comma(self.statics)}))\n"
            )
        return body + "    return _out\n"

    def record(self) -> str:
        indices = [i for i, arg in enumerate(self.args) if arg in self.rules]
        if self.sequence:
            any_node, edges = "any([n is not None for n in _n0])", "tuple(_n0)"
        else:
            any_node = " or ".join(f"_n{i} is not None" for i in indices)
            each = [f"_n{i}" if i in indices else "None" for i in range(len(self.args))]
            edges = f"({comma(each)})"
        return RECORD.format(
            any_node=any_node,
            edges=edges,
            saved=comma([self.kept(name) for name in self.keep]),
            output_version="\n        _node.output_version = None" if "y" in self.keep else "",
        )

    def kept(self, name: str) -> str:
        """The expression that saves `name`; an argument only where some input whose rule names it
        wants a gradient.
        """
        if name in self.statics or name == "y":
            return name
        if name not in self.args:
            arg, _, attribute = name.rpartition("_")
            array = f"_x{self.args.index(arg)}"
            return f"[x.{attribute} for x in {array}]" if self.sequence else f"{array}.{attribute}"
        users = [arg for arg, rule in self.rules.items() if name in rule_needs(rule)]
        if self.sequence or len(users) == len(self.rules):
            return name
        condition = " or ".join(f"_n{self.args.index(user)} is not None" for user in users)
        return f"({name} if {condition} else None)"

    # ---- backward

    def pull(self, recording: bool) -> str:
        """Unpack what was saved, check that nobody wrote into it, and call the rule of each input
        that wants one.
        """
        body = PULL.format(names=comma(self.keep)) if self.keep else ""
        for name in self.keep:
            if name in self.args:
                body += CHECK_ARGUMENT.format(a=name)
                body += "" if recording else f"        {name} = {name}._array\n"
            elif name == "y":
                body += CHECK_OUTPUT
                body += "    y = _output_tensor(y, _node)\n" if recording else ""
        calls = [self.rule_call(arg) for arg in self.args]
        if self.sequence:
            return body + f"    return tuple({calls[0]})\n"
        if len(self.args) > 1:
            body += f"    {comma([f'_e{i}' for i in range(len(self.args))])}= _node.edges\n"
            calls = [
                f"{call} if _e{i} is not None else None" if call != "None" else call
                for i, call in enumerate(calls)
            ]
        return body + f"    return ({', '.join(calls)},)\n"

    def rule_call(self, arg: str) -> str:
        if arg not in self.rules:
            return "None"
        return f"_rule_{arg}({', '.join(['g', *rule_needs(self.rules[arg])])})"


def define_pulls(
    space: Space, op: str, write: Callable[[bool], str]
) -> dict[str, Callable[..., Any]]:
    """A node's `pull` and `pull_tensors`; `write(recording)` gives the body of each."""
    return {
        method: define(
            space,
            f"{op} {method}",
            f"{method}(_node, g)",
            ["_node", "g"],
            partial(write, method == "pull_tensors"),
        )
        for method in ("pull", "pull_tensors")
    }


def node_class(
    name: str, saves_output: bool, frees: bool, base: type[Node] = Node, **members: Any
) -> type[Node]:
    """The class of the nodes that an op leaves behind, named as PyTorch names its own."""
    title = "".join(part.capitalize() for part in name.split("_")) + "Backward0"
    body = {
        "__slots__": (),
        "__module__": "tensorgrad.op",
        "op_name": name,
        "saves_output": saves_output,
        "frees": frees,
    }
    return type(title, (base,), body | members)
