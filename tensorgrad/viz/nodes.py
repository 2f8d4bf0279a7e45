"""The nodes that lead to a tensor, as dot's text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tensorgrad.autograd.function import Context
from tensorgrad.codegen import rule_needs
from tensorgrad.errors import GraphError
from tensorgrad.fused import FusedNode
from tensorgrad.graph import Leaf, Node, Pick, TensorCore, unwrap
from tensorgrad.op import OPS

HEAD = """digraph {
  node [shape=box, style="rounded,filled", fillcolor="#eeeeee", color="#888888",
        fontname="Helvetica", fontsize=11, margin="0.12,0.06", height=0.3]
  edge [color="#666666", arrowsize=0.7]"""
LEAF = 'fillcolor="#cfe3f7", shape=ellipse'
OUTPUT = 'fillcolor="#cdebc5"'
SAVED = 'fillcolor="#fbe2bd", style=filled'
# Ops whose result is complex where their input is not, or the other way round, and that keep
# nothing which tells.
TURNING = {"complex", "imag", "real", "view_as_complex", "view_as_real"}


def dot_source(tensors: Any, params: Mapping[str, Any], show_saved: bool, max_nodes: int) -> str:
    """The text of the graph that `viz.graph` describes."""
    outputs = list(_outputs(tensors, ""))
    if not any(tensor._node is not None for _, tensor in outputs):
        raise GraphError(
            "graph: expected a tensor that was computed from one that requires grad, got "
            f"{'no tensor' if not outputs else 'none with a history'}"
        )
    nodes = _reached([_source(tensor._node) for _, tensor in outputs], max_nodes)
    names = {id(tensor): name for name, tensor in params.items()}
    kinds = _dtypes(nodes, outputs)
    drawn = {node: f"n{number}" for number, node in enumerate(nodes)}
    lines = [HEAD]
    for node, name in drawn.items():
        lines.append(f"  {name} [{_label(_lines(node, kinds.get(node), names))}{_look(node)}]")
        for edge in node.edges:
            if edge is not None:
                lines.append(f"  {drawn[_source(edge)]} -> {name}")
        if show_saved:
            lines += _saved_lines(node, name, drawn)
    for number, (title, tensor) in enumerate(outputs):
        label = _label([title or "output", _size(tensor.shape, tensor.dtype)])
        lines.append(f"  out{number} [{label}, {OUTPUT}]")
        if tensor._node is not None:
            lines.append(f"  {drawn[_source(tensor._node)]} -> out{number}")
    return "\n".join([*lines, "}"]) + "\n"


def _outputs(value: Any, title: str) -> Iterator[tuple[str, Any]]:
    """The tensors in a value, at any depth, with the names or places that lead to each."""
    if isinstance(value, TensorCore):
        yield title, value
        return
    if isinstance(value, Mapping):
        items = [(str(key), part) for key, part in value.items()]
    elif isinstance(value, list | tuple):
        items = [(str(place), part) for place, part in enumerate(value)]
    else:
        raise TypeError(
            f"graph: expected a tensor, or several in a sequence or a dict, got "
            f"{type(value).__name__}"
        )
    for key, part in items:
        yield from _outputs(part, f"{title}.{key}" if title else key)


def _source(node: Any) -> Any:
    return node.source if isinstance(node, Pick) else node


def _reached(ends: list[Any], max_nodes: int) -> list[Node]:
    """`ends` and the nodes that lead there, the oldest first."""
    found = {node for node in ends if node is not None}
    waiting = list(found)
    while waiting:
        for edge in waiting.pop().edges:
            node = _source(edge)
            if node is not None and node not in found:
                found.add(node)
                waiting.append(node)
        if len(found) > max_nodes:
            raise GraphError(
                f"graph: expected at most {max_nodes} nodes, got more; draw what leads to a tensor "
                "further up, or give a larger max_nodes"
            )
    return sorted(found, key=lambda node: node.time)


def _dtypes(nodes: list[Node], outputs: list[tuple[str, Any]]) -> dict[Node, Any]:
    """The dtypes of the nodes' results, as far as outputs, leaves and what is saved tell: the
    tensors of an op have one dtype, but for a cast, which keeps that of its input.
    """
    known = {_source(tensor._node): tensor.dtype for _, tensor in outputs}
    for node in reversed(nodes):
        if isinstance(node, Leaf):
            variable = node.variable
            known[node] = None if variable is None else unwrap(variable).dtype
            continue
        saved = _saved(node)
        args = getattr(OPS.get(node.op_name), "args", [])
        for place, edge in enumerate(node.edges):
            arg = args[place] if len(args) == len(node.edges) else ""
            kind = getattr(unwrap(saved.get(arg)), "dtype", saved.get(f"{arg}_dtype"))
            if kind is None and node.op_name not in TURNING and "fft" not in node.op_name:
                kind = known.get(node)
            if edge is not None and known.get(_source(edge)) is None:
                known[_source(edge)] = kind
    return known


def _saved(node: Node) -> dict[str, Any]:
    """What a node keeps, by name."""
    saved: Any = node.saved
    if isinstance(saved, Context):
        tensors = saved.saved_tensors
        return {f"saved_tensors[{place}]": tensor for place, tensor in enumerate(tensors)}
    if saved is None:  # freed by a backward
        return {}
    saved = tuple(saved)
    if isinstance(node, FusedNode):
        return dict(zip(node.op.names, saved))
    names: list[str] = []
    for rule in getattr(OPS.get(node.op_name), "rules", {}).values():
        names += [need for need in rule_needs(rule) if need not in names]
    return dict(zip(names, saved)) if len(names) == len(saved) else {}


def _saved_lines(node: Node, name: str, drawn: dict[Node, str]) -> Iterator[str]:
    """Boxes for the tensors that a node keeps; a leaf is drawn already, and mostly its edge too."""
    for place, (title, value) in enumerate(_saved(node).items()):
        for part, kept in enumerate(value if isinstance(value, list | tuple) else [value]):
            array = unwrap(kept)
            if not hasattr(array, "strides"):
                continue
            leaf = getattr(kept, "_node", None)
            if leaf in node.edges and isinstance(leaf, Leaf):
                continue
            box = drawn.get(leaf) if isinstance(leaf, Leaf) else None
            if box is None:
                box = f"{name}s{place}_{part}"
                title = {"y": "result"}.get(title, title)
                label = _label([title, _size(array.shape, array.dtype)])
                yield f"  {box} [{label}, {SAVED}]"
            yield f"  {box} -> {name} [style=dashed, dir=none]"


def _lines(node: Node, dtype: Any, names: dict[int, str]) -> list[str]:
    if isinstance(node, Leaf):
        return [names.get(id(node.variable), "tensor"), _size(node.shape, dtype)]
    title = node.op_name if node.op_name in OPS else node.name()
    return [title, *[_size(shape, dtype) for shape in getattr(node, "shapes", [node.shape])]]


def _size(shape: Any, dtype: Any) -> str:
    return f"{list(shape)}" + (f" {dtype}" if dtype is not None else "")


def _look(node: Node) -> str:
    return f", {LEAF}" if isinstance(node, Leaf) else ""


def _label(lines: list[str]) -> str:
    text = "\\n".join([line.replace("\\", "\\\\").replace('"', '\\"') for line in lines])
    return f'label="{text}"'
