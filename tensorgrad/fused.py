"""How a fused op is declared: a composition of other ops, with optional kernels on a backend.

    @fused(input=lambda g, y, dim: y * (g - sum(g * y, dim, keepdim=True)))
    def softmax(input: Tensor, dim: int) -> Tensor:
        e = exp(input - amax(input, dim, keepdim=True))
        return e / sum(e, dim, keepdim=True)

The composition is written in ops and operators, not in methods of tensors, as rules are: it runs on
arrays where nothing needs recording. It is the specification, the oracle that kernels are tested
against, what a backend without the kernel runs, and what is differentiated where there is no rule.
Parameters annotated `Tensor` are the tensor arguments.

A kernel is a backend's method of the op's name with the op's parameters. It returns the output, or
one more value: the output(s) and `aux`, which is handed to the backward kernel. It may return
NotImplemented, and the composition runs. A backward kernel is a method `<op>_vjp(g, ...)` whose
parameters name what it needs: arguments, `y`, `aux`, `<argument>_shape`, `needs` (which tensor
arguments want a gradient). It returns one gradient a tensor argument, and is used only where no
graph of the backward is wanted: kernels never need second derivatives. It judges its arrays for
itself: unless it asks for `aux` it is called after a composition's forward too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from tensorgrad import engine, modes
from tensorgrad.arguments import settling
from tensorgrad.codegen import (
    CHECK_ARGUMENT,
    CHECK_OUTPUT,
    INTO,
    PULL,
    REFUSE,
    check_names,
    check_rules,
    comma,
    define_pulls,
    fill,
    node_class,
    parameters_of,
    rule_needs,
)
from tensorgrad.explain import explain
from tensorgrad.first_call import Space, define
from tensorgrad.graph import Leaf, Multi, Pick, TensorCore, unwrap, wrap
from tensorgrad.op import OPS, alias, as_array
from tensorgrad.out import into
from tensorgrad.saved import watch
from tensorgrad.walk import turned

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

STARRED = 0x0C  # the flags of *args and **kwargs in `co_flags`
UNWRAP = """
    if {a}.__class__ is _Tensor:
        _x{i} = {a}._array
        _n{i} = {a}._node
    elif isinstance({a}, _TensorCore):
        {a} = _alias({a})
        _x{i} = {a}._array
        _n{i} = {a}._node
    else:
        _x{i} = {a}
        _n{i} = None
"""
COMPUTE = """
    _mode = _current_mode()
    _plain = {plain}
    _recording = _mode.record and ({any_node})
    try:
        _offer = _kernels[_mode.backends[_x0.__class__]]
{refusal}
        y = NotImplemented
        if _offer.forward is not None:
            y = _offer.forward({arrays})
        if y is NotImplemented:
            if _plain:
                return _composition({arrays})
            if {needs_tensors}:
                return _composition({arguments})
            y = _composition({arrays})
    except Exception as _error:
        raise _fault(_error, ({args}), ({statics})) from _error
"""
ONE_OUTPUT = """
    aux = None
    if y.__class__ is tuple:
        y, aux = y
    if _plain:
        return y
    if y.__class__ is not _x0.__class__:
        y = _as_array(y, _x0)
    _out = next(_blank)
    _out._array = y
    _out._version = None
    if _recording:
        _node = _OpNode()
        _node.shape = y.shape
        _out._node = _node
{record}
    else:
        _out._node = None
    return _out
"""
SEVERAL_OUTPUTS = """
    aux = y[{outputs}] if len(y) > {outputs} else None
    y = y[:{outputs}]
    if _plain:
        return y
    if not _recording:
        return tuple([_wrap(_part) for _part in y])
    _node = _OpNode()
    _node.shape = ()
    _node.shapes = tuple([_part.shape for _part in y])
{record}
    return tuple([_wrap(_part, _Pick(_node, _number)) for _number, _part in enumerate(y)])
"""
RECORD = """
        _keep = _offer.keep
        _node.edges = ({nodes})
        _node.saved = ({saved})
        _node.time = next(_clock)
        _node.hooks = None
        _node.output_version = None
        _node.kernel = _offer
        if _mode.watched:
            _watch(_node)
"""
BY_KERNEL = """
    _offer = _node.kernel
    if _offer.backward is not None and (aux is not None or not _offer.needs_aux):
        _needs = ({wants})
        _everything = ({names}_needs,)
        _results = _offer.backward(g, *[_everything[i] for i in _offer.places])
        if _results is not NotImplemented:
            return _results if _results.__class__ is tuple else (_results,)
"""


class Kernel:
    """What one backend offers for one op, and what a node must keep for it."""

    __slots__ = ("backward", "forward", "keep", "needs_aux", "places")

    def __init__(self, op: FusedOp, backend: Any) -> None:
        self.forward = getattr(backend, op.name, None)
        self.backward = getattr(backend, op.name + "_vjp", None)
        needs = rule_needs(self.backward) if self.backward is not None else []
        self.needs_aux = "aux" in needs
        self.places = [[*op.names, "needs"].index(name) for name in needs]
        keep = set(needs)
        for rule in op.rules.values():
            keep.update(rule_needs(rule))
        if not op.rules:  # then the composition is differentiated
            keep.update(op.args, op.statics)
        self.keep = tuple([name in keep for name in op.names])


class Kernels(dict[Any, Kernel]):
    """The kernels of one op, by backend; looked up once each."""

    def __init__(self, op: FusedOp) -> None:
        super().__init__()
        self.op = op

    def __missing__(self, backend: Any) -> Kernel:
        kernel = self[backend] = Kernel(self.op, backend)
        return kernel


class FusedOp:
    """One declared fused op."""

    expects = ""

    def __init__(
        self,
        name: str,
        composition: Callable[..., Any],
        outputs: int,
        check: Callable[..., None] | None,
        rules: dict[str, Callable[..., Any]],
        refuses: str,
    ) -> None:
        self.name = name
        self.composition = composition
        self.outputs = outputs
        self.check = check
        self.rules = rules
        self.refuses = refuses
        # An annotation is text in a module that postpones its evaluation, else a class or a union.
        self.parameters = parameters_of(composition)
        kinds = composition.__annotations__
        self.kinds = {p: str(kinds.get(p, "")) for p in self.parameters}
        self.args = [p for p, kind in self.kinds.items() if re.search(r"\bTensor\b", kind)]
        self.statics = [p for p in self.parameters if p not in self.args]
        shapes = [f"{arg}_shape" for arg in self.args]
        self.names = [*self.args, *self.statics, "y", "aux", *shapes]
        self.kernels = Kernels(self)
        self.call: Callable[..., Any]

    def fault(self, error: Exception, args: tuple[Any, ...], statics: tuple[Any, ...]) -> Exception:
        """The exception to raise: `check` may know better words than the op inside that failed."""
        if self.check is not None and type(error) is not TypeError:  # of no tensor at all
            self.check(*args, *statics)
        return explain(self, error, args, statics)

    # ---- the source of its functions

    def forward_source(self) -> str:
        args, statics = self.args, self.statics
        arrays = [f"_x{i}" for i in range(len(args))]
        body = INTO.format(name=self.name, args=comma(args), statics=comma(statics))
        body += settling(self.name, self.kinds)
        body += "".join(UNWRAP.format(a=arg, i=i) for i, arg in enumerate(args))
        # Arrays of one plain floating dtype: nothing to promote, so the composition may run on
        # arrays and one node with the rules stand for the whole. Without rules it must record
        # itself.
        d, *tested = [i for i, arg in enumerate(args) if arg in self.rules or not self.rules]
        uniform = [f"(_x{d}.dtype is _F32 or _x{d}.dtype is _F64)"]
        uniform += [
            f"(_x{i} is None or getattr(_x{i}, 'dtype', None) is _x{d}.dtype)" for i in tested
        ]
        needs_tensors = f"not ({' and '.join(uniform)})"
        if not self.rules:
            needs_tensors = f"_recording or {needs_tensors}"
        refusal = REFUSE.format(x="_x0", name=self.name, refuses=self.refuses)
        body += COMPUTE.format(
            refusal=refusal.replace("\n", "\n    ") if self.refuses else "",
            plain=" and ".join(f"_x{i} is {arg}" for i, arg in enumerate(args)),
            any_node=" or ".join(f"_n{i} is not None" for i in range(len(args))),
            arrays=", ".join([*arrays, *statics]),
            arguments=", ".join([*args, *statics]),
            needs_tensors=needs_tensors,
            args=comma(args),
            statics=comma(statics),
        )
        saved = [
            f"{name} if _keep[{i}] else None"
            for i, name in enumerate([*args, *statics, "y", "aux"])
        ]
        start = len(saved)
        saved += [f"_x{i}.shape if _keep[{start + i}] else None" for i in range(len(args))]
        record = RECORD.format(
            nodes=comma([f"_n{i}" for i in range(len(args))]), saved=comma(saved)
        )
        if self.outputs == 1:
            return body + ONE_OUTPUT.format(record=record)
        record = "\n".join(line.removeprefix("    ") for line in record.split("\n"))
        return body + SEVERAL_OUTPUTS.format(outputs=self.outputs, record=record)

    def backward_source(self, recording: bool) -> str:
        body = PULL.format(names=comma(self.names))
        for arg in self.args:
            body += CHECK_ARGUMENT.format(a=arg)
            body += "" if recording else f"        {arg} = {arg}._array\n"
        if self.outputs == 1:
            body += CHECK_OUTPUT
        edges = [f"_e{i}" for i in range(len(self.args))]
        body += f"    {comma(edges)}= _node.edges\n"
        if recording:
            body += "    y = _output_tensor(y, _node)\n" if self.outputs == 1 else ""
        else:
            wants = comma([f"{edge} is not None" for edge in edges])
            body += BY_KERNEL.format(names=comma(self.names), wants=wants)
        if not self.rules:
            values, statics = comma(self.args), comma(self.statics)
            return (
                body + f"    return _node.by_composition(g, ({values}), ({statics}), {recording})\n"
            )
        calls = [
            f"_rule_{arg}({', '.join(['g', *rule_needs(self.rules[arg])])}) if {edge} is "
            "not None else None"
            if arg in self.rules
            else "None"
            for arg, edge in zip(self.args, edges)
        ]
        return body + f"    return ({comma(calls)})\n"


class FusedNode(Multi):
    """The node of a fused op: `saved` follows the op's `names`, None for what nobody needs."""

    __slots__ = ("kernel",)

    op: FusedOp
    kernel: Kernel

    def by_composition(
        self, g: Any, values: tuple[Any, ...], statics: tuple[Any, ...], recording: bool
    ) -> tuple[Any, ...]:
        """Run the composition again, recorded, and walk back through it."""
        inputs = [
            self._input(value, edge is not None, recording)
            for value, edge in zip(values, self.edges)
        ]
        with modes.ModeContext(grad=True, autocast=None):
            outputs = self.op.composition(*inputs, *statics)
        gradients = g if isinstance(g, list) else [g]
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [
            (out, turned(part if recording else wrap(part)))
            for out, part in zip(outputs, gradients)
            if part is not None and out._node is not None
        ]
        found = engine.grad(
            [out for out, _ in pairs],
            [x for x, edge in zip(inputs, self.edges) if edge is not None],
            [part for _, part in pairs],
            retain_graph=recording,
            create_graph=recording,
            allow_unused=True,
        )
        remaining = iter(turned([g if recording else unwrap(g) for g in found]))
        return tuple(None if edge is None else next(remaining) for edge in self.edges)

    @staticmethod
    def _input(value: Any, wanted: bool, recording: bool) -> Any:
        """An argument for the second run: alone with its gradient, though another may depend on the
        same tensor.
        """
        if value is None:
            return None
        if not isinstance(value, TensorCore):
            value = wrap(value)
        if wanted and recording:
            return OPS["reshape"].call(value, value._array.shape)
        if wanted:
            value._node = Leaf(value)
        return value


def fused(
    *,
    name: str = "",
    outputs: int = 1,
    check: Callable[..., None] | None = None,
    refuses: str = "",
    **rules: Callable[..., Any],
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Declare the decorated composition as an op. See the module's docstring.

    name: what the op is called, where the composition cannot have that name.
    outputs: how many tensors it returns.
    check: called with the op's arguments when a call failed, to raise an exception with better
    words.
    refuses: kinds of numbers that the first argument must not be of, as in `primitive`.
    rules: gradient rules by argument, as in `primitive`: one for each differentiable argument, or
        none at all, and then the composition is differentiated.
    """

    def declare(composition: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        op = FusedOp(name or composition.__name__, composition, outputs, check, rules, refuses)
        check_names(op.name, op.args + op.statics)
        check_rules(op.name, op.args, op.statics, rules, ("y", "aux"))
        code = composition.__code__
        if not op.args or code.co_kwonlyargcount or code.co_flags & STARRED:
            raise ValueError(
                f"{op.name}: expected plain parameters, one at least annotated Tensor, got "
                f"{op.parameters}"
            )
        space: Space = {}

        def source() -> str:
            """What the first call needs: the call's body, the other functions and their globals."""
            fill(
                space,
                op=op,
                Pick=Pick,
                TensorCore=TensorCore,
                alias=alias,
                as_array=as_array,
                composition=composition,
                fault=op.fault,
                into=into,
                kernels=op.kernels,
                output_tensor=wrap,
                watch=watch,
                wrap=wrap,
                **{f"rule_{arg}": rule for arg, rule in rules.items()},
            )
            pulls = define_pulls(space, op.name, op.backward_source)
            space["_OpNode"] = node_class(op.name, outputs == 1, True, FusedNode, op=op, **pulls)
            return op.forward_source()

        defaults = composition.__defaults__ or ()
        required = len(op.parameters) - len(defaults)
        heads = [p if i < required else f"{p}=None" for i, p in enumerate(op.parameters)]
        head = f"{op.name}({', '.join([*heads, 'out=None'])})"
        op.call = define(space, op.name, head, [*op.parameters, "out"], source)
        op.call.__defaults__ = (*defaults, None)
        op.call.__doc__ = composition.__doc__
        op.call.__wrapped__ = composition  # type: ignore[attr-defined]
        OPS[op.name] = op
        return op.call

    return declare
