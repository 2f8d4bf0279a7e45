"""Reverse mode: walk the nodes from the youngest to the oldest and sum what reaches each.

The walk holds arrays where no graph of the backward is wanted and recording tensors where it is;
both answer to the same operators. Within it the gradient of a complex tensor is the conjugate of
what users see, so that the rules of real numbers hold for complex ones; it is conjugated where it
enters and leaves. The walk knows no op; the two it needs, summing a gradient to its input's shape
and conjugating, are registered from above.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush, heappushpop
from operator import attrgetter
from typing import Any

from tensorgrad import modes
from tensorgrad.errors import DTypeError, GraphError, ShapeError
from tensorgrad.graph import Hooks, Leaf, Node, Pick, TensorCore, hooks_of, unwrap, wrap
from tensorgrad.sparse_rows import SparseRows, as_dense

# Set by ops/reduction.py: (gradient, shape) -> the gradient summed over the dimensions that were
# broadcast.
sum_to_shape: Callable[[Any, tuple[int, ...]], Any] = NotImplemented
# Set by ops/complex_parts.py: the complex conjugate.
conjugate: Callable[[Any], Any] = NotImplemented

# Set while a profile is taken: (node, pull, gradient) -> what `pull` gives, its time noted.
noted: Callable[[Node, Callable[[Any], Any], Any], Any] | None = None

# Elements from which on adding in place beats a fresh array (measured: 0.15 us of look-ups).
WORTH_ADDING_IN_PLACE = 4096

_oldest_first = attrgetter("time")


def leading_to(wanted: set[Node], roots: Iterable[Node]) -> set[Node]:
    """The nodes below `roots` whose rules must run for the gradient of some wanted node."""
    seen = set(roots)
    stack = list(seen)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge not in seen:
                seen.add(edge)
                stack.append(edge)
    leading: set[Node] = set()
    for node in sorted(seen, key=_oldest_first):
        for edge in node.edges:
            if edge in leading or edge in wanted:
                leading.add(node)
                break
    return leading


def turned(g: Any) -> Any:
    """A gradient of the walk as users see it, and the other way round; or a list of them."""
    if isinstance(g, list):
        return [turned(part) for part in g]
    return conjugate(g) if g is not None and g.dtype.kind == "c" else g


class Walk:
    """One backward pass. `wanted` limits it to the nodes that lead to these; None
    means all leaves.
    """

    def __init__(self, create_graph: bool, retain_graph: bool, wanted: set[Node] | None) -> None:
        self.create_graph = create_graph
        self.retain_graph = retain_graph
        self.wanted = wanted
        self.found: dict[Node, Any] = {}  # gradients of leaves, or of the wanted nodes
        self.gathered: dict[Any, Any] = {}  # by hooks on several tensors, each its own
        self.shared: set[Node] = set()  # those whose gradient's memory somebody else holds too

    def run(self, grads: dict[Node, Any]) -> None:
        """Walk from the nodes of `grads`, given with the gradients of their outputs.

        A node is queued when its first gradient arrives and taken when it is the youngest left, so
        all its consumers have run by then: they are younger. No recursion, and no pass over the
        graph beforehand.
        """
        leading = None if self.wanted is None else leading_to(self.wanted, grads)
        self.shared.update(grads)  # the caller's own arrays
        recording, free = self.create_graph, not self.retain_graph
        watched = modes.current().anomaly or noted is not None
        shared = self.shared
        # Those whose gradient is an array of the walk's own; whether the next is added in place.
        summed: dict[Node, bool] = {}
        take, known_of = grads.pop, grads.get
        pending: Node | None  # the queue's latest, which mostly is the next: not queued
        pending, *others = grads
        queue = [(-node.time, node) for node in others]
        heapify(queue)
        while queue or pending is not None:
            if pending is None:
                node = heappop(queue)[1]
            elif queue:
                node = heappushpop(queue, (-pending.time, pending))[1]
            else:
                node = pending
            pending = None
            g = take(node)
            hooks = node.hooks
            if hooks is not None:
                g = self.call_tensor_hooks(node, g)
            kind = node.__class__
            if leading is None:
                if kind is Leaf:
                    self.found[node] = g
                    continue
            else:
                if node in self.wanted:  # type: ignore[operator]
                    self.found[node] = g
                    shared.add(node)
                if node not in leading:
                    continue
            if kind is Pick:
                self.hand_to_source(node, g, grads, queue)  # type: ignore[arg-type]
                continue
            if watched or hooks is not None:
                results = self.call_watched(node, g)
            else:
                results = node.pull_tensors(g) if recording else node.pull(g)
            if free and node.frees:
                node.saved = None
            place = -1
            for edge in node.edges:  # `zip` would cost 0.16 us a node
                place += 1
                if edge is None or (result := results[place]) is None:
                    continue
                if result.shape != edge.shape:
                    result = sum_to_shape(result, edge.shape)
                known = known_of(edge)
                if known is None:
                    grads[edge] = result
                    if pending is not None:
                        heappush(queue, (-pending.time, pending))
                    pending = edge
                    if result is g:
                        shared.add(edge)
                    continue
                in_place = summed.get(edge)
                if in_place:
                    increase(known, result)
                    continue
                grads[edge] = known + result
                if in_place is None:
                    shared.discard(edge)
                    plain = not recording and result.__class__ is not SparseRows
                    summed[edge] = plain and result.size >= WORTH_ADDING_IN_PLACE
        for hook, gradients in self.gathered.items():
            hook.finish(gradients)

    @staticmethod
    def hand_to_source(pick: Pick, g: Any, grads: dict[Node, Any], queue: list[Any]) -> None:
        """A node with several outputs receives a list with one gradient (or None) an output."""
        source = pick.source
        received = grads.get(source)
        if received is None:
            received = grads[source] = [None] * len(source.shapes)
            heappush(queue, (-source.time, source))
        known = received[pick.number]
        received[pick.number] = g if known is None else known + g

    def call_watched(self, node: Node, g: Any) -> tuple[Any, ...]:
        """Run the rules with the node's hooks around, and in a profile its clock; in anomaly mode
        name the forward line of a fault or a NaN.
        """
        hooks, mode = node.hooks, modes.current()
        if hooks is not None:
            g = self.call_prehooks(hooks, g)
        pull = node.pull_tensors if self.create_graph else node.pull
        try:
            results = pull(g) if noted is None else noted(node, pull, g)
        except Exception as error:
            if mode.anomaly:
                error.add_note(_forward_line(node))
            raise
        if mode.anomaly and mode.check_nan:
            for number, result in enumerate(results):
                if result is not None and _has_nan(unwrap(as_dense(result))):
                    raise GraphError(
                        f"{node.op_name}: expected gradients without NaN, got NaN in its "
                        f"gradient number {number} "
                        f"(Function '{node.name()}' returned nan values)\n{_forward_line(node)}"
                    )
        if hooks is not None:
            results = self.call_posthooks(hooks, results, g)
        return results

    # ---- hooks see tensors in either kind of walk

    def call_tensor_hooks(self, node: Node, g: Any) -> Any:
        hooks, g = hooks_of(node), as_dense(g)
        for hook in [*hooks.of("tensor"), *hooks.of("retain")]:
            given = turned(g)
            given = given if self.create_graph else wrap(given)
            with modes.ModeContext(grad=self.create_graph):
                returned = hook(given)
            if returned is not None:
                if not isinstance(returned, TensorCore):
                    raise TypeError(
                        f"hook: expected a tensor or None, got {type(returned).__name__}"
                    )
                if tuple(returned._array.shape) != node.shape:
                    raise ShapeError(
                        f"hook: expected a gradient of shape {list(node.shape)}, got "
                        f"{list(returned._array.shape)}"
                    )
                if returned._array.dtype != given._array.dtype:
                    raise DTypeError(
                        f"hook: expected a gradient of {given._array.dtype}, got "
                        f"{returned._array.dtype}"
                    )
                g = turned(returned if self.create_graph else returned._array)
            self.shared.add(node)  # the hook may have kept what it was given
        for hook in hooks.of("several"):
            hook(self.gathered, turned(g) if self.create_graph else wrap(turned(g)))
            self.shared.add(node)
        return g

    def call_prehooks(self, hooks: Hooks, g: Any) -> Any:
        several = isinstance(g, list)
        for hook in hooks.of("pre"):
            with modes.ModeContext(grad=self.create_graph):
                returned = hook(self.as_tensors(g if several else (g,)))
            if returned is not None:
                values = self.from_tensors(returned)
                g = list(values) if several else values[0]
        return g

    def call_posthooks(self, hooks: Hooks, results: tuple[Any, ...], g: Any) -> tuple[Any, ...]:
        for hook in hooks.of("post"):
            outputs = self.as_tensors(g if isinstance(g, list) else (g,))
            with modes.ModeContext(grad=self.create_graph):
                returned = hook(self.as_tensors(results), outputs)
            if returned is not None:
                results = self.from_tensors(returned)
        return results

    def as_tensors(self, values: Sequence[Any]) -> tuple[Any, ...]:
        if self.create_graph:
            return tuple([turned(value) for value in values])
        return tuple([None if value is None else wrap(turned(as_dense(value))) for value in values])

    def from_tensors(self, values: Any) -> tuple[Any, ...]:
        values = values if isinstance(values, tuple) else (values,)
        values = values if self.create_graph else tuple([unwrap(value) for value in values])
        return tuple([turned(value) for value in values])


def increase(array: Any, value: Any) -> None:
    modes.current().backends[array.__class__].increase(array, as_dense(value))


def _has_nan(array: Any) -> bool:
    backend = modes.current().backends[array.__class__]
    return bool(backend.any(backend.isnan(array), None, False))


def _forward_line(node: Node) -> str:
    trace = getattr(node, "trace", None)
    if trace is None:
        return f"{node.op_name} was called outside detect_anomaly, so its line is not known"
    return f"{node.op_name} was called here:\n" + "".join(trace.format())
