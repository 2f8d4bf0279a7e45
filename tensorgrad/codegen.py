"""Writes and compiles the functions of a declared op: its call, its core, and its node's two
backward passes.

Knows the shape of generated code and nothing of dtypes, devices or faults: what the code calls on
its slow and failing paths is handed in by `tensorgrad.op`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorgrad import dtypes, graph, modes
from tensorgrad.graph import Node, freed, new, overwritten

Space = dict[str, Any]
_spaces: list[Space] = []  # globals of generated functions, until the tensor class can be filled in

RAW = """
    if {no_tensor}:
        b = mode().backends.get({a}.__class__)
        if b is not None:
            return b.{name}({plain})
        return coerce(({args}), ({statics}))
"""
UNWRAP_ONE = """
    x0 = {a}._array
    n0 = {a}._node
"""
ONLY_FLOATS = """
    t = x0.dtype
    if t is not F32 and t is not F64:
        return coerce(({a},), ({statics}))
"""
UNWRAP_TWO = """
    if {a}.__class__ is not Tensor:
        return coerce(({a}, {b}), ({statics}))
    x0 = {a}._array
    n0 = {a}._node
    t = x0.dtype
    c = {b}.__class__
    if c is Tensor:
        x1 = {b}._array
        n1 = {b}._node
        if x1.dtype is not t{or_not_float}:
            return coerce(({a}, {b}), ({statics}))
    elif (c is float or c is int) and (t is F32 or t is F64):
        x1 = {b}
        n1 = None
    else:
        return coerce(({a}, {b}), ({statics}))
"""
SAME_DTYPE = """
    if {a}.__class__ is not Tensor or {b}.__class__ is not Tensor:
        return coerce(({a}, {b}), ({statics}))
    if {a}._array.dtype is not {b}._array.dtype:
        return coerce(({a}, {b}), ({statics}))
"""
FIRST_IS_TENSOR = """
    if {a}.__class__ is not Tensor:
        return coerce(({args}), ({statics}))
"""
UNWRAP_ANY = """
    if {a}.__class__ is Tensor:
        x{i} = {a}._array
        n{i} = {a}._node
    else:
        x{i} = {a}
        n{i} = None
"""
UNWRAP_SEQUENCE = """
    {a} = lift_sequence({a}, ({statics}))
    if {a}[0].__class__ is not Tensor:
        return call_raw({a}, {a}, ({statics}))
    x0 = [x._array for x in {a}]
    k = x0[0]
    n0 = [x._node for x in {a}]
"""
COMPUTE = """
    m = mode()
    try:
        y = m.backends[{first}.__class__].{name}({arrays})
        if y.__class__ is not {first}.__class__:
            y = as_array(y, {first})
    except Exception as error:
        raise explain(op, error, ({args}), ({statics})) from error
    out = new(Tensor)
    out._array = y
    out._version = None
"""
RECORD = """
    if m.record and ({any_node}):
        node = OpNode()
        node.edges = {edges}
        node.saved = ({saved})
        node.shape = y.shape
        node.time = tick()
        node.hooks = None{output_version}
        out._node = node
        if m.anomaly:
            node.trace = stack()
    else:
        out._node = None
"""
PULL = """
    saved = node.saved
    if saved is None:
        raise freed(node)
    {names}= saved
"""
CHECK_ARGUMENT = """
    if {a}.__class__ is Tensor:
        v = {a}._version
        if v is not None and v.written > node.time:
            raise overwritten(node, "{a}", {a}._array.shape)
"""
CHECK_OUTPUT = """
    v = node.output_version
    if v is not None and y is not None and v.written > node.time:
        raise overwritten(node, "result", node.shape)
"""


def new_space(**names: Any) -> Space:
    """The globals of one op's functions. `Tensor` is filled in when its class exists."""
    space: Space = {
        "__name__": "tensorgrad.ops",  # the package silences NumPy's warnings in its own modules
        "F32": dtypes.float32,
        "F64": dtypes.float64,
        "Tensor": graph.Tensor,
        "freed": freed,
        "mode": modes.current,
        "new": new,
        "overwritten": overwritten,
        "tick": graph.tick,
        **names,
    }
    _spaces.append(space)
    return space


def fill_in_tensor_class() -> None:
    """Called once by tensor.py: from here on generated functions know what a tensor is."""
    for space in _spaces:
        space["Tensor"] = graph.Tensor


# What generated code calls its own variables; an op's parameters must have other names.
LOCAL_NAMES = {*"bcgkmtvy", "everything", "keep", "needs", "node", "offer", "out", "plain"}
LOCAL_NAMES |= {"recording", "saved"}


def check_names(op: str, names: list[str]) -> None:
    """A declaration whose parameters would collide with the generated code's variables
    is an error.
    """
    if taken := LOCAL_NAMES & set(names):
        raise ValueError(f"{op}: expected other parameter names than {sorted(taken)}, got {names}")


def define(
    space: Space, title: str, head: str, arguments: list[str], write: Callable[[], str]
) -> Callable[..., Any]:
    """The function `def {head}:` with the body that `write` returns, compiled at its first call.

    A program calls few of the ops, and compiling all took most of the time of the import. Until
    then the function is a stub with the right signature; then it gets the code, and stays itself.
    `arguments` are its parameters. `space` is a plain dict: look-ups in a subclass are not
    specialised.
    """

    def compiled(body: str) -> Any:
        found: dict[str, Any] = {}
        exec(compile(f"def {head}:\n{body}", f"<op {title}>", "exec"), space, found)
        return found.popitem()[1]

    def first_call(*values: Any) -> Any:
        function.__code__ = compiled(write()).__code__
        return function(*values)

    name = f"first_call_of_{title.replace(' ', '_')}"
    space[name] = first_call
    function = compiled(f"    return {name}({', '.join(arguments)})")
    function.__module__ = "tensorgrad"
    return function  # type: ignore[no-any-return]


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
    a sequence.
    """

    def __init__(
        self,
        name: str,
        args: list[str],
        statics: list[str],
        rules: dict[str, Callable[..., Any]],
        *,
        kind: str,
        view: bool,
        sequence: bool,
    ) -> None:
        self.name = name
        self.args = args
        self.statics = statics
        self.rules = rules
        self.kind = kind
        self.view = view
        self.sequence = sequence
        self.keep: list[str] = []
        for rule in rules.values():
            self.keep += [need for need in rule_needs(rule) if need not in self.keep]

    # ---- forward

    def call(self) -> str:
        """The function users call: the checks of the fast path, then the computation."""
        statics = comma(self.statics)
        if self.sequence:
            return self.core()
        if len(self.args) == 1:
            body = self.raw() + UNWRAP_ONE.format(a=self.args[0], statics=statics)
            if self.kind == "float":
                body += ONLY_FLOATS.format(a=self.args[0], statics=statics)
            return body + self.compute("x0")
        if self.kind == "any":
            first = FIRST_IS_TENSOR.format(a=self.args[0], args=comma(self.args), statics=statics)
            return self.raw() + first + self.core()
        a, b = self.args
        if self.kind == "same":
            return self.raw() + SAME_DTYPE.format(a=a, b=b, statics=statics) + self.core()
        float_test = " or (t is not F32 and t is not F64)" if self.kind == "float" else ""
        body = UNWRAP_TWO.format(a=a, b=b, statics=statics, or_not_float=float_test)
        return body + self.compute("x0")

    def raw(self) -> str:
        """Rules and compositions call ops on arrays: straight to the backend."""
        return RAW.format(
            no_tensor=" and ".join(f"{arg}.__class__ is not Tensor" for arg in self.args),
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
            return UNWRAP_SEQUENCE.format(a=a, statics=comma(self.statics)) + self.compute("k")
        body = "".join(UNWRAP_ANY.format(a=arg, i=i) for i, arg in enumerate(self.args))
        if self.kind != "any" and len(self.args) == 2:  # a number may stand on the left
            body += f"\n    k = x0 if {self.args[0]}.__class__ is Tensor else x1\n"
            return body + self.compute("k")
        return body + self.compute("x0")

    def compute(self, first: str) -> str:
        """Ask the backend of the array `first`, wrap and record."""
        arrays = [f"x{i}" for i in range(len(self.args))]
        body = COMPUTE.format(
            first=first,
            name=self.name,
            arrays=", ".join(arrays + self.statics),
            args=f"*{self.args[0]}," if self.sequence else comma(self.args),
            statics=comma(self.statics),
        )
        body += self.record() if self.rules else "    out._node = None\n"
        if self.view:
            body += f"    link_view(out, {self.args[0]}, x0, op.call, ({comma(self.statics)}))\n"
        return body + "    return out\n"

    def record(self) -> str:
        indices = [i for i, arg in enumerate(self.args) if arg in self.rules]
        if self.sequence:
            any_node, edges = "any([n is not None for n in n0])", "tuple(n0)"
        else:
            any_node = " or ".join(f"n{i} is not None" for i in indices)
            each = [f"n{i}" if i in indices else "None" for i in range(len(self.args))]
            edges = f"({comma(each)})"
        return RECORD.format(
            any_node=any_node,
            edges=edges,
            saved=comma([self.kept(name) for name in self.keep]),
            output_version="\n        node.output_version = None" if "y" in self.keep else "",
        )

    def kept(self, name: str) -> str:
        """The expression that saves `name`; an argument only where some input whose rule names it
        wants a gradient.
        """
        if name in self.statics or name == "y":
            return name
        if name not in self.args:
            arg, _, attribute = name.rpartition("_")
            array = f"x{self.args.index(arg)}"
            return f"[x.{attribute} for x in {array}]" if self.sequence else f"{array}.{attribute}"
        users = [arg for arg, rule in self.rules.items() if name in rule_needs(rule)]
        if self.sequence or len(users) == len(self.rules):
            return name
        condition = " or ".join(f"n{self.args.index(user)} is not None" for user in users)
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
                body += "    y = output_tensor(y, node)\n" if recording else ""
        calls = [self.rule_call(arg) for arg in self.args]
        if self.sequence:
            return body + f"    return tuple({calls[0]})\n"
        if len(self.args) > 1:
            body += f"    {comma([f'e{i}' for i in range(len(self.args))])}= node.edges\n"
            calls = [
                f"{call} if e{i} is not None else None" if call != "None" else call
                for i, call in enumerate(calls)
            ]
        return body + f"    return ({', '.join(calls)},)\n"

    def rule_call(self, arg: str) -> str:
        if arg not in self.rules:
            return "None"
        return f"rule_{arg}({', '.join(['g', *rule_needs(self.rules[arg])])})"


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
