"""The graph: what a tensor holds, and the nodes that ops leave behind.

A tensor is an array, a node and a version. The node is None where no gradient is wanted, a `Leaf`
where the tensor is a starting point that collects one, else the record of the op that made it.
Edges lead from node to node, never to tensors, so a node keeps no array alive but those its
gradient rules name. Nothing here knows an op or a backend.
"""

from __future__ import annotations

import itertools
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from tensorgrad import modes
from tensorgrad.errors import GraphError

if TYPE_CHECKING:
    from tensorgrad import _tensor

Array: TypeAlias = Any
new = object.__new__

# One clock for nodes and in-place writes. A node's consumers are younger than the node, so
# descending time is a topological order; and a saved array was overwritten exactly when its last
# write is younger than the node.
clock = itertools.count(1)
tick = clock.__next__


def call_stack(depth: int = 2) -> traceback.StackSummary:
    """The stack of the user's call, `depth` frames up, for anomaly mode."""
    stack = traceback.StackSummary.extract(traceback.walk_stack(sys._getframe(depth)))
    stack.reverse()
    return stack


class Version:
    """When memory was last written in place. Shared by a tensor, its views and its detached
    aliases.

    Made at the first view or in-place write, so plain tensors pay nothing for it.
    """

    __slots__ = ("views", "written")

    def __init__(self) -> None:
        self.written = 0
        self.views: list[weakref.ref[TensorCore]] = []

    def add_view(self, view: TensorCore) -> None:
        """Remember a view, so that an in-place op on its base can renew its history."""
        views = self.views
        count = len(views)
        if count >= 64 and not count & (count - 1):  # at every doubling: forget the dead
            views[:] = [known for known in views if known() is not None]
        views.append(weakref.ref(view))


class TensorCore:
    """The fields of a tensor. `Tensor` adds the methods; there are no other subclasses that ops
    make.

    `_grad`, `_view` and `_role` stay unset until they are needed: an unset slot costs an op
    nothing. `__dict__` holds what programs hang on a tensor: 11 ns, while it is empty, of 180.
    """

    __slots__ = (
        "__dict__", "__weakref__", "_array", "_grad", "_node", "_role", "_version", "_view",
    )  # fmt: skip

    _array: Array
    _node: Node | None
    _version: Version | None
    _grad: Any
    _view: tuple[
        TensorCore, Callable[..., Any], tuple[Any, ...]
    ]  # parent, view op, its static arguments
    _role: type


class Node:
    """What an op leaves behind: where its gradients go, and what its rules need.

    Each op has a subclass of its own, whose `pull` (arrays) and `pull_tensors` (recording) turn the
    gradient of the op's output into those of its inputs.
    """

    __slots__ = (
        "__weakref__",
        "edges",
        "hooks",
        "output_version",
        "saved",
        "shape",
        "time",
        "trace",
    )

    op_name: ClassVar[str] = "Node"
    saves_output: ClassVar[bool] = False
    frees: bool = False  # whether a backward drops what was saved, so that a second one is refused

    edges: tuple[Node | None, ...]
    saved: Any
    shape: tuple[int, ...]
    time: int
    hooks: Hooks | None
    output_version: Version | None
    trace: traceback.StackSummary

    def begin(self, edges: tuple[Node | None, ...], shape: tuple[int, ...]) -> None:
        """Fill the fields of a node that is not made by generated code, which does so itself."""
        self.edges = edges
        self.saved = ()
        self.shape = shape
        self.time = tick()
        self.hooks = None
        if modes.current().anomaly:
            self.trace = call_stack()

    def pull(self, g: Any) -> tuple[Any, ...]:
        """Gradients of the inputs, as arrays, aligned with `edges`."""
        raise NotImplementedError

    def pull_tensors(self, g: Any) -> tuple[Any, ...]:
        """The same as tensors, recorded."""
        raise NotImplementedError

    def name(self) -> str:
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """(node, output number) of each input, as PyTorch has it."""
        return tuple(
            (edge.source, edge.number) if isinstance(edge, Pick) else (edge, 0)
            for edge in self.edges
        )

    def register_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call `hook(grad_inputs, grad_outputs)` after the node ran; a tuple it returns replaces
        grad_inputs.
        """
        return hooks_of(self).add("post", hook)

    def register_prehook(self, hook: Callable[..., Any]) -> HookHandle:
        """Call `hook(grad_outputs)` before the node runs; a tuple it returns replaces
        grad_outputs.
        """
        return hooks_of(self).add("pre", hook)

    def __repr__(self) -> str:
        return f"<{self.name()}>"


class Leaf(Node):
    """Where a gradient ends up: the `grad` of a tensor that the user made."""

    __slots__ = ("tensor",)

    op_name = "leaf"

    def __init__(self, tensor: TensorCore) -> None:
        self.begin((), tensor._array.shape)
        # Weak: the tensor holds its leaf, and a cycle would keep both until the garbage collector
        # runs.
        self.tensor = weakref.ref(tensor)

    def name(self) -> str:
        return "AccumulateGrad"

    @property
    def variable(self) -> TensorCore | None:
        return self.tensor()


class Multi(Node):
    """Base of nodes with several outputs; `shapes` has one entry an output. Each output hangs on a
    `Pick`.
    """

    __slots__ = ("shapes",)

    shapes: tuple[tuple[int, ...], ...]


class Pick(Node):
    """One output of a node that has several: the pair (node, output number)."""

    __slots__ = ("number", "source")

    op_name = "pick"

    def __init__(self, source: Multi, number: int) -> None:
        self.begin((source,), source.shapes[number])
        self.source = source
        self.number = number

    def name(self) -> str:
        return self.source.name()


class Hooks:
    """User functions on a node: on the gradient of its output, and around its run."""

    __slots__ = ("accumulated", "entries")

    def __init__(self) -> None:
        self.entries: dict[int, tuple[str, Callable[..., Any]]] = {}
        self.accumulated: dict[int, Callable[..., Any]] = {}

    def add(self, kind: str, hook: Callable[..., Any]) -> HookHandle:
        return HookHandle(self.entries, (kind, hook))

    def of(self, kind: str) -> list[Callable[..., Any]]:
        return [hook for its_kind, hook in list(self.entries.values()) if its_kind == kind]


class HookHandle:
    """What registering a hook returns: `remove()` takes the hook away. Also a context manager."""

    number = itertools.count().__next__

    def __init__(self, entries: dict[int, Any], entry: Any) -> None:
        self.entries = entries
        self.id = HookHandle.number()
        entries[self.id] = entry

    def remove(self) -> None:
        self.entries.pop(self.id, None)

    def __enter__(self) -> HookHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


_hook_lock = threading.Lock()


def hooks_of(node: Node) -> Hooks:
    """The hooks of a node, made if there are none yet."""
    with _hook_lock:
        if node.hooks is None:
            node.hooks = Hooks()
        return node.hooks


def shares_memory(value: Any, tensor: TensorCore) -> bool:
    """Whether a value is a tensor over memory of which `tensor` shows a part, too."""
    version = tensor._version
    return version is not None and getattr(value, "_version", None) is version


def version_of(tensor: TensorCore) -> Version:
    """The version cell of a tensor, made if there is none yet."""
    version = tensor._version
    if version is None:
        version = tensor._version = Version()
        node = tensor._node
        if node is not None and node.saves_output and node.saved.__class__ is tuple:
            # The node keeps the output's array, not the tensor (a cycle), so it must be told where
            # writes show.
            node.output_version = version
    return version


def give_history(tensor: TensorCore, node: Node | None) -> None:
    """Let `node` be the tensor's history from now on. What `retain_grad` asked for goes with it."""
    old = tensor._node
    tensor._node = node
    if node is None or old is None or old.hooks is None:
        return
    entries = old.hooks.entries
    for number in [n for n, (kind, _) in entries.items() if kind == "retain"]:
        hooks_of(node).entries[number] = entries.pop(number)


def written(tensor: TensorCore) -> None:
    """Note that the tensor's memory was changed in place just now."""
    version_of(tensor).written = tick()


def has_repeats(array: Array) -> bool:
    """Whether several elements of an expanded array are one place in memory."""
    return bool(
        array.size
        and 0 in array.strides
        and any(step == 0 and n > 1 for n, step in zip(array.shape, array.strides))
    )


# ---- faults that generated code raises


def freed(node: Node) -> GraphError:
    return GraphError(
        f"{node.op_name}: expected a graph that still holds its saved tensors, got one "
        "that an earlier backward "
        "freed (Trying to backward through the graph a second time; pass "
        "retain_graph=True to the first)"
    )


def overwritten(node: Node, what: str, shape: tuple[int, ...]) -> GraphError:
    return GraphError(
        f"{node.op_name}: expected its saved '{what}' of shape {list(shape)} unchanged "
        "until backward, got a "
        "tensor modified by an inplace operation"
    )


# ---- making tensors: the class is registered by tensor.py, which stands above

Tensor: Any = TensorCore
blank: Iterator[Any]  # `next(blank)` is `new(Tensor)`, and 20 ns of 85 quicker: no tuple is packed


def register_tensor_class(cls: type) -> type:
    """Class decorator: ops make their results of this class."""
    global Tensor, blank
    Tensor = cls
    blank = itertools.starmap(new, itertools.repeat((cls,)))
    return cls


def wrap(array: Array, node: Node | None = None) -> _tensor.Tensor:
    """A tensor over `array`, without a history unless `node` is given."""
    tensor: _tensor.Tensor = next(blank)
    tensor._array = array
    tensor._version = None
    tensor._node = node
    return tensor


def unwrap(value: Any) -> Any:
    """The array of a tensor; anything else as it is."""
    return value._array if isinstance(value, TensorCore) else value
