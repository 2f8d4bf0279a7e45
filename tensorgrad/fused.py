"""How a fused op is declared: a composition of other ops, with optional kernels on a backend.

    @fused(input=lambda g, y, dim: y * (g - sum(g * y, dim, keepdim=True)))
    def softmax(input: Tensor, dim: int) -> Tensor:
        e = exp(input - amax(input, dim, keepdim=True))
        return e / sum(e, dim, keepdim=True)

The composition is the specification, the oracle that kernels are tested against, what a backend without a kernel
runs, and what is differentiated where there is no rule. Parameters annotated `Tensor` are the tensor arguments.

A kernel is a backend's method of the op's name with the op's parameters. It returns the output, or one more value:
the output(s) and `aux`, which is handed to the backward kernel. It may return NotImplemented, and the composition
runs. A backward kernel is a method `<op>_vjp(g, ...)` whose parameters name what it needs: arguments, `y`, `aux`,
`<argument>_shape`, `needs` (which tensor arguments want a gradient). It returns one gradient a tensor argument, and
is used only where no graph of the backward is wanted: kernels never need second derivatives.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from tensorgrad import dtypes, engine, graph, modes
from tensorgrad.codegen import UNWRAP_ANY, comma, define, new_space, node_class, rule_needs
from tensorgrad.explain import explain
from tensorgrad.graph import (
    Leaf,
    Multi,
    Node,
    Pick,
    TensorCore,
    freed,
    new,
    overwritten,
    tick,
    unwrap,
    wrap,
)
from tensorgrad.op import OPS, alias, as_array, call_stack

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

ENDING = """
    m = mode()
    return run(m, ({tensors}), ({arrays}), ({nodes}), ({statics}))
"""


class Kernel:
    """What one backend offers for one op, and what a node must keep for it."""

    __slots__ = ("backward", "forward", "keep", "needs")

    def __init__(self, op: FusedOp, backend: Any) -> None:
        self.forward = getattr(backend, op.name, None)
        self.backward = getattr(backend, op.name + "_vjp", None)
        self.needs = rule_needs(self.backward) if self.backward is not None else []
        keep = set(self.needs)
        for rule in op.rules.values():
            keep.update(rule_needs(rule))
        if not op.has_every_rule:  # then the composition is differentiated
            keep.update(op.args, op.statics)
        self.keep = tuple(keep - {"needs"})


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
        composition: Callable[..., Any],
        outputs: int,
        check: Callable[..., None] | None,
        rules: dict[str, Callable[..., Any]],
    ) -> None:
        self.name = composition.__name__
        self.composition = composition
        self.outputs = outputs
        self.check = check
        self.rules = rules
        parameters = inspect.signature(composition).parameters.values()
        self.args = [p.name for p in parameters if str(p.annotation).startswith("Tensor")]
        self.statics = [p.name for p in parameters if p.name not in self.args]
        # An op with rules has one for each argument that can want a gradient.
        self.differentiable = [arg for arg in self.args if arg in rules] or self.args
        self.has_every_rule = bool(rules)
        self.kernels = Kernels(self)
        self.call: Callable[..., Any]
        self.node_class: type[FusedNode]

    def run(
        self,
        m: modes.Mode,
        tensors: tuple[Any, ...],
        arrays: tuple[Any, ...],
        nodes: tuple[Node | None, ...],
        statics: tuple[Any, ...],
    ) -> Any:
        """Kernel or composition, then one node for the whole."""
        first = arrays[0]
        if isinstance(first, TensorCore):  # a subclass of Tensor that users made
            return self.call(*[alias(t) if isinstance(t, TensorCore) else t for t in tensors], *statics)
        plain = first is tensors[0] and not any(isinstance(t, TensorCore) for t in tensors)
        recording = m.record and any(node is not None for node in nodes)
        kernel = self.kernels[m.backends[first.__class__]]
        try:
            result = NotImplemented
            if kernel.forward is not None:
                result = kernel.forward(*arrays, *statics)
            if result is NotImplemented:
                if plain:
                    return self.composition(*arrays, *statics)
                if (recording and not self.has_every_rule) or not self.is_uniform(arrays):
                    return self.composition(*tensors, *statics)
                result = self.composition(*arrays, *statics)
        except Exception as error:
            raise self.fault(error, tensors, statics) from error
        aux = None
        if self.outputs == 1:
            if result.__class__ is tuple:
                result, aux = result
            if plain:
                return result
            if result.__class__ is not first.__class__:
                result = as_array(result, first)
            out = new(graph.Tensor)
            out._array = result
            out._version = None
            out._node = (
                self.record(m, kernel, tensors, arrays, nodes, statics, result, aux)
                if recording
                else None
            )
            return out
        outputs = result[: self.outputs]
        if plain:
            return outputs
        if len(result) > self.outputs:
            aux = result[-1]
        if not recording:
            return tuple([wrap(y) for y in outputs])
        node = self.record(m, kernel, tensors, arrays, nodes, statics, outputs, aux)
        return tuple([wrap(y, Pick(node, number)) for number, y in enumerate(outputs)])  # type: ignore[arg-type]

    def is_uniform(self, arrays: tuple[Any, ...]) -> bool:
        """Whether the composition gives the same on the arrays as on tensors: one floating dtype, nothing to promote."""
        floating = {a.dtype for a in arrays if hasattr(a, "dtype") and a.dtype.kind in "fV"}
        return len(floating) == 1 and all(
            not hasattr(a, "dtype") or a.dtype in floating or arg not in self.differentiable
            for arg, a in zip(self.args, arrays)
        )

    def record(
        self,
        m: modes.Mode,
        kernel: Kernel,
        tensors: tuple[Any, ...],
        arrays: tuple[Any, ...],
        nodes: tuple[Node | None, ...],
        statics: tuple[Any, ...],
        y: Any,
        aux: Any,
    ) -> FusedNode:
        values: dict[str, Any] = dict(zip(self.args, tensors))
        values.update(zip(self.statics, statics))
        values["y"] = y
        values["aux"] = aux
        node = new(self.node_class)
        node.edges = nodes
        node.saved = {
            name: values[name]
            if name in values
            else arrays[self.args.index(name.removesuffix("_shape"))].shape
            for name in kernel.keep
        }
        if self.outputs == 1:
            node.shape = y.shape
        else:
            node.shape = ()
            node.shapes = tuple([part.shape for part in y])
        node.time = tick()
        node.hooks = None
        node.output_version = None
        node.kernel = kernel
        if m.anomaly:
            node.trace = call_stack()
        return node  # type: ignore[no-any-return]

    def fault(self, error: Exception, args: tuple[Any, ...], statics: tuple[Any, ...]) -> Exception:
        """The exception to raise: `check` may know better words than the op inside that failed."""
        if self.check is not None:
            self.check(*args, *statics)
        return explain(self, error, args, statics)


class FusedNode(Multi):
    """The node of a fused op: `saved` is a dict, by name."""

    __slots__ = ("kernel",)

    op: FusedOp
    kernel: Kernel

    def pull(self, g: Any) -> tuple[Any, ...]:
        saved = self.opened(recording=False)
        kernel = self.kernel
        if kernel.backward is not None and not ("aux" in kernel.needs and saved["aux"] is None):
            needs = tuple([edge is not None for edge in self.edges])
            values = [needs if name == "needs" else saved[name] for name in kernel.needs]
            results = kernel.backward(g, *values)
            if results is not NotImplemented:
                return results if results.__class__ is tuple else (results,)
        return self.by_rules(g, saved, recording=False)

    def pull_tensors(self, g: Any) -> tuple[Any, ...]:
        return self.by_rules(g, self.opened(recording=True), recording=True)

    def opened(self, recording: bool) -> dict[str, Any]:
        """What was saved, unchanged since: as arrays, or as tensors with their history."""
        if self.saved is None:
            raise freed(self)
        opened = {}
        for name, value in self.saved.items():
            if isinstance(value, TensorCore):
                version = value._version
                if version is not None and version.written > self.time:
                    raise overwritten(self, name, value._array.shape)
                if not recording:
                    value = value._array
            elif name == "y":
                version = self.output_version
                if version is not None and version.written > self.time:
                    raise overwritten(self, "result", value.shape)
                if recording and self.op.outputs == 1:
                    value = wrap(value, self)
            opened[name] = value
        return opened

    def by_rules(self, g: Any, saved: dict[str, Any], recording: bool) -> tuple[Any, ...]:
        """Each wanted gradient by its rule; those without one together, through the composition."""
        op = self.op
        results: list[Any] = [None] * len(op.args)
        missing = []
        for i, (arg, edge) in enumerate(zip(op.args, self.edges)):
            if edge is None:
                continue
            rule = op.rules.get(arg)
            if rule is None:
                missing.append(i)
            else:
                results[i] = rule(g, *[saved[name] for name in rule_needs(rule)])
        if missing:
            for i, result in zip(missing, self.by_composition(g, saved, missing, recording)):
                results[i] = result
        return tuple(results)

    def by_composition(
        self, g: Any, saved: dict[str, Any], wanted: list[int], recording: bool
    ) -> tuple[Any, ...]:
        """Run the composition again, recorded, and walk back through it."""
        op = self.op
        inputs = []
        for i, arg in enumerate(op.args):
            value = saved[arg]
            if i in wanted:
                if recording:
                    # A node of its own between the argument and the composition: the gradient of this argument
                    # alone is asked for, though another may depend on the same tensor.
                    value = OPS["reshape"].call(value, value._array.shape)
                else:
                    value = wrap(value)
                    value._node = Leaf(value)
            elif hasattr(value, "dtype") and not isinstance(value, TensorCore):
                value = wrap(value)
            inputs.append(value)
        with modes.enable_grad():
            outputs = op.composition(*inputs, *[saved[name] for name in op.statics])
        gradients = g if isinstance(g, list) else [g]
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        pairs = [
            (out, part if recording else wrap(part))
            for out, part in zip(outputs, gradients)
            if part is not None and out._node is not None
        ]
        found = engine.grad(
            [out for out, _ in pairs],
            [inputs[i] for i in wanted],
            [part for _, part in pairs],
            retain_graph=False,
            create_graph=recording,
            allow_unused=True,
        )
        return found if recording else tuple(unwrap(result) for result in found)


def fused(
    *, outputs: int = 1, check: Callable[..., None] | None = None, **rules: Callable[..., Any]
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Declare the decorated composition as an op. See the module's docstring.

    outputs: how many tensors it returns.
    check: called with the op's arguments when a call failed, to raise an exception with better words.
    rules: gradient rules by argument, as in `primitive`; where one is missing the composition is differentiated.
    """

    def declare(composition: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        op = FusedOp(composition, outputs, check, rules)
        space = new_space(op=op, run=op.run)
        body = "".join(UNWRAP_ANY.format(a=arg, i=i) for i, arg in enumerate(op.args))
        body += ENDING.format(
            tensors=comma(op.args),
            arrays=comma([f"x{i}" for i in range(len(op.args))]),
            nodes=comma([f"n{i}" for i in range(len(op.args))]),
            statics=comma(op.statics),
        )
        signature = inspect.signature(composition)
        bare = signature.replace(
            parameters=[p.replace(annotation=p.empty) for p in signature.parameters.values()],
            return_annotation=signature.empty,
        )
        op.call = define(space, op.name, f"def {op.name}{bare}:", body)
        op.call.__doc__ = composition.__doc__
        op.call.__wrapped__ = composition  # type: ignore[attr-defined]
        op.node_class = node_class(op.name, outputs == 1, FusedNode, op=op)  # type: ignore[assignment]
        OPS[op.name] = op
        return op.call

    return declare
