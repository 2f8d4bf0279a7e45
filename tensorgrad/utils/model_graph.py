"""The graph of a model as TensorBoard draws it: the ops that autograd records in one call, each
within the module that it ran in, with the parameters and inputs that it took.

What needs no gradient, such as the indices that an embedding takes, is not recorded and not drawn.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from tensorboardX.proto.graph_pb2 import GraphDef

from tensorgrad import dtypes, modes
from tensorgrad._tensor import Tensor
from tensorgrad.graph import Leaf, Node, Pick

__all__ = []


def model_graph(model: Any, inputs: Any) -> Any:
    """The GraphDef of `model(*inputs)`, called in eval mode."""
    given = [_as_leaf(value) for value in (inputs if isinstance(inputs, tuple) else (inputs,))]
    root = type(model).__name__
    names = {id(value): f"input_{place}" for place, value in enumerate(given)}
    for name, parameter in model.named_parameters():
        names[id(parameter)] = f"{root}/{name.replace('.', '/')}"
    scopes: dict[Node, str] = {}
    handles = [
        module.register_forward_hook(_Claim(scopes, f"{root}/{path.replace('.', '/')}".strip("/")))
        for path, module in model.named_modules()
    ]
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with modes.enable_grad():
            output = model(*given)
    finally:
        for handle in handles:
            handle.remove()
        for module in training:
            module.training = True
    return _drawn(_nodes_between([], _ends(output)), scopes, names)


def _as_leaf(value: Any) -> Any:
    if isinstance(value, Tensor) and dtypes.is_differentiable(value.dtype):
        return value.detach().requires_grad_()
    return value


class _Claim:
    """A hook after a module: the ops of its call that no module inside has claimed are its own."""

    def __init__(self, scopes: dict[Node, str], scope: str) -> None:
        self.scopes = scopes
        self.scope = scope

    def __call__(self, module: Any, args: Any, output: Any) -> None:
        for node in _nodes_between(_ends(args), _ends(output)):
            self.scopes.setdefault(node, self.scope)


def _ends(value: Any) -> list[Node]:
    """The nodes that the tensors in a value come from, at any depth."""
    if isinstance(value, Tensor):
        node = value.grad_fn
        return [] if node is None else [node.source if isinstance(node, Pick) else node]
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, tuple | list):
        return []
    return [node for part in value for node in _ends(part)]


def _before(node: Node) -> list[Node]:
    return [known for known, _ in node.next_functions if known is not None]


def _nodes_between(starts: list[Node], ends: list[Node]) -> set[Node]:
    """`ends` and the nodes that lead there, from `starts` on, which are left out."""
    found: set[Node] = set()
    waiting = list(ends)
    while waiting:
        node = waiting.pop()
        if node not in starts and node not in found:
            found.add(node)
            waiting += _before(node)
    return found


def _drawn(nodes: set[Node], scopes: dict[Node, str], names: dict[int, str]) -> Any:
    graph = GraphDef()
    graph.versions.producer = 22
    counts: Counter[str] = Counter()
    called: dict[Node, str] = {}
    for node in sorted(nodes, key=lambda node: node.time):
        if isinstance(node, Leaf):
            op, name = "Tensor", names.get(id(node.variable), "tensor")
        else:
            op = node.name().removesuffix("Backward0")
            name = f"{scopes[node]}/{op}"
        counts[name] += 1
        called[node] = f"{name}_{counts[name]}" if counts[name] > 1 else name
        drawn = graph.node.add(name=called[node], op=op)
        drawn.input.extend([called[before] for before in _before(node)])
        for shape in getattr(node, "shapes", [node.shape]):
            sizes = drawn.attr["_output_shapes"].list.shape.add().dim
            for size in shape:
                sizes.add(size=size)
    return graph
