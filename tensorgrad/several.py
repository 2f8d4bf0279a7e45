"""How a primitive with several outputs is declared: a decomposition of one tensor.

    eigh = primitive_of_several("eigh", "input", "lower", outputs=2, input=rule)

As in `tensorgrad.op`, every backend computes it by a method of the same name, and the rule's
parameters name what it needs: `g` and `y` are here lists with one entry an output, that of `g` None
where nobody asked for the output. What is declared so takes far longer than a call does, so nothing
is generated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, modes
from tensorgrad.codegen import check_names, check_rules, node_class, rule_needs
from tensorgrad.explain import explain
from tensorgrad.graph import (
    Multi,
    Pick,
    TensorCore,
    Version,
    freed,
    overwritten,
    unwrap,
    wrap,
)
from tensorgrad.op import OPS, Op, as_array

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class SeveralNode(Multi):
    """The node: `saved` is the input (None where no rule asks for it), the outputs' arrays and the
    static arguments.
    """

    __slots__ = ()

    rule: Callable[..., Any]
    needs: list[str]
    arguments: list[str]

    def pull(self, g: Any) -> tuple[Any, ...]:
        return self.apply(g, False)

    def pull_tensors(self, g: Any) -> tuple[Any, ...]:
        return self.apply(g, True)

    def apply(self, g: Any, recording: bool) -> tuple[Any, ...]:
        if self.saved is None:
            raise freed(self)
        input, outputs, statics = self.saved
        version = getattr(input, "_version", None)
        if version is not None and version.written > self.time:
            raise overwritten(self, self.arguments[0], input._array.shape)
        if self.output_version is not None and self.output_version.written > self.time:
            raise overwritten(self, "result", self.shapes[0])
        if recording and outputs is not None:
            outputs = [wrap(part, Pick(self, place)) for place, part in enumerate(outputs)]
        if not recording:
            input = unwrap(input)
        known = dict(zip(self.arguments, (input, *statics), strict=True), y=outputs)
        return (type(self).rule(g, *[known[name] for name in self.needs]),)


def primitive_of_several(
    name: str,
    argument: str,
    statics: str = "",
    doc: str = "",
    *,
    outputs: int,
    **rules: Callable[..., Any],
) -> Callable[..., tuple[Tensor, ...]]:
    """Declare an op of one tensor with `outputs` results; returns the function to call.

    statics: the names of the other parameters, separated by spaces; all are to be given.
    rules: the gradient rule of the argument, if it has one.
    """
    names = statics.split()
    check_names(name, [argument, *names])
    check_rules(name, [argument], names, rules, ("y",))
    op = Op(name, [argument], names, "any", "")
    op.rules = rules
    kind: type[SeveralNode] | None = None
    if rules:
        rule = rules[argument]
        needs = rule_needs(rule)
        kind = node_class(  # type: ignore[assignment]
            name,
            False,
            True,
            SeveralNode,
            rule=staticmethod(rule),
            needs=needs,
            arguments=[argument, *names],
        )

    def call(input: Any, *settings: Any) -> tuple[Any, ...]:
        array = unwrap(input)
        mode = modes.current()
        try:
            found = getattr(mode.backends[array.__class__], name)(array, *settings)
        except Exception as error:
            raise explain(op, error, (input,), settings) from error
        if not isinstance(input, TensorCore):
            return tuple(found)
        parts = [
            part if part.__class__ is array.__class__ else as_array(part, array) for part in found
        ]
        if kind is None or not mode.record or input._node is None:
            return tuple([wrap(part) for part in parts])
        return _record(kind, input, parts, settings)

    call.__name__ = name
    call.__doc__ = doc
    op.call = call
    OPS[name] = op
    return call


def _record(
    kind: type[SeveralNode], input: Any, parts: Sequence[Any], settings: tuple[Any, ...]
) -> tuple[Any, ...]:
    node = kind()
    node.begin((input._node,), ())
    node.shapes = tuple([part.shape for part in parts])
    keeps_input = node.arguments[0] in node.needs
    keeps_outputs = "y" in node.needs
    node.saved = (
        input if keeps_input else None,
        list(parts) if keeps_outputs else None,
        settings,
    )
    # One cell for all outputs: a write into any of them is noticed.
    node.output_version = Version() if keeps_outputs else None
    results = [
        wrap(part, Pick(node, place) if dtypes.is_differentiable(part.dtype) else None)
        for place, part in enumerate(parts)
    ]
    for result in results:
        result._version = node.output_version
    return tuple(results)
