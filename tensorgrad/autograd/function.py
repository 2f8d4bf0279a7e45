"""Ops that users write as a class with `forward` and `backward`.

https://docs.pytorch.org/docs/stable/notes/extending.html#extending-torch-autograd
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from tensorgrad import dtypes, modes
from tensorgrad.detours import shown
from tensorgrad.errors import GraphError, ShapeError
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
    version_of,
    wrap,
)
from tensorgrad.inplace import check_writable, finish
from tensorgrad.ops.creation import zeros_of
from tensorgrad.saved import Packed
from tensorgrad.walk import turned


class Saved:
    """One saved tensor. An output is kept as its array and number: the tensor itself would make a
    cycle.
    """

    def __init__(self, tensor: Any, number: int | None) -> None:
        self.version = version_of(tensor)
        self.time = tick()
        self.number = number
        packing = modes.current().packing
        self.packed: Any = () if packing is None else Packed(tensor, *packing)
        self.array = tensor._array if packing is None else None
        self.tensor = tensor if packing is None and number is None else None

    def open(self, node: Multi) -> Any:
        """The tensor with its history, if nobody has written into it since."""
        if self.array is None:
            (tensor,) = self.packed
            return tensor if self.number is None else wrap(tensor._array, Pick(node, self.number))
        if self.version.written > self.time:
            raise overwritten(node, "saved tensor", self.array.shape)
        if self.number is None:
            return self.tensor
        return wrap(self.array, Pick(node, self.number))


class Context:
    """The `ctx` that `forward` and `backward` of one call share; any attribute may be set on it."""

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self._to_save: tuple[Any, ...] = ()
        self._saved: list[Saved | None] = []
        self._dirty: tuple[Any, ...] = ()
        self._not_differentiable: tuple[Any, ...] = ()
        self._materialize = True
        self._node: weakref.ref[Node] | None = None

    def save_for_backward(self, *tensors: Any) -> None:
        """Keep tensors (or None) for backward. In-place changes to them are then noticed."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, TensorCore):
                raise TypeError(
                    f"save_for_backward: expected tensors or None, got {type(tensor).__name__}"
                )
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` kept."""
        if self._node is None:
            return self._to_save
        node: Any = self._node()
        return tuple(None if kept is None else kept.open(node) for kept in self._saved)

    def mark_dirty(self, *tensors: Any) -> None:
        """Say which inputs `forward` changed in place; it must return them."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Say which outputs never require gradients."""
        self._not_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether `backward` sees zeros (default) or None for outputs that got no gradient."""
        self._materialize = value


class FunctionNode(Multi):
    """The node of one call of a Function."""

    __slots__ = ("function", "likes")

    saved: Context | None
    function: type[Function]
    likes: list[Any]  # an array of no elements for each output: its dtype and device

    @property
    def frees(self) -> bool:  # type: ignore[override]
        return self.saved is not None and bool(self.saved._saved)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` kept."""
        if self.saved is None:
            raise freed(self)
        return self.saved.saved_tensors

    def pull(self, g: list[Any]) -> tuple[Any, ...]:
        with modes.no_grad():
            results = self.call([None if part is None else wrap(turned(part)) for part in g])
        return tuple([turned(unwrap(result)) for result in results])

    def pull_tensors(self, g: list[Any]) -> tuple[Any, ...]:
        return tuple([turned(result) for result in self.call(turned(g))])

    def call(self, gradients: list[Any]) -> tuple[Any, ...]:
        context = self.saved
        if context is None:
            raise freed(self)
        if context._materialize:
            gradients = [
                wrap(zeros_of(like, shape)) if part is None else part
                for part, like, shape in zip(gradients, self.likes, self.shapes)
            ]
        results = self.function.backward(context, *gradients)
        results = results if isinstance(results, tuple) else (results,)
        expected = len(self.edges)
        if len(results) > expected and all(part is None for part in results[expected:]):
            results = results[:expected]
        if len(results) != expected:
            raise GraphError(
                f"{self.name()}: expected {expected} gradients from backward, one an "
                f"input, got {len(results)}"
            )
        for number, (edge, result) in enumerate(zip(self.edges, results)):
            if edge is None or result is None:
                continue
            if not isinstance(result, TensorCore):
                raise TypeError(
                    f"{self.name()}: expected tensors from backward, got "
                    f"{type(result).__name__} as gradient {number}"
                )
            if not _sums_to(result._array.shape, edge.shape):
                raise ShapeError(
                    f"{self.name()}: expected gradient {number} of shape "
                    f"{list(edge.shape)}, got {list(result._array.shape)}"
                )
        return results


def _sums_to(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    if len(target) > len(shape):
        return False
    return all(m in (1, n) for n, m in zip(reversed(shape), reversed(target)))


class Function:
    """Base of custom ops: subclasses have static methods `forward(ctx, *args)` and `backward(ctx,
    *gradients)`.

    `apply(*args)` runs forward without recording and leaves one node; backward gets a gradient an
    output and returns one an input (None for what is no tensor). Instead of `forward(ctx, ...)` a
    subclass may define `forward(*args)` and `setup_context(ctx, inputs, output)`.
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("Function: expected the subclass to define forward")

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise NotImplementedError("Function: expected the subclass to define backward")

    setup_context: Any = None
    _node_type: type[FunctionNode]

    @classmethod
    @shown(lambda cls, *args: cls.__name__)
    def apply(cls, *args: Any) -> Any:
        """Run the op and record it."""
        nodes = tuple([x._node if isinstance(x, TensorCore) else None for x in args])
        recording = modes.current().record and any(node is not None for node in nodes)
        context = Context(tuple([node is not None for node in nodes]))
        with modes.no_grad():
            if cls.setup_context is None:
                result = cls.forward(context, *args)
            else:
                result = cls.forward(*args)
                cls.setup_context(context, args, result)
        outputs = result if isinstance(result, tuple) else (result,)
        for tensor in context._dirty:
            if not any(tensor is output for output in outputs):
                raise GraphError(
                    f"{cls.__name__}: expected every tensor marked dirty to be returned, "
                    "got one that is not"
                )
            check_writable(tensor, cls.__name__)
        if recording:
            outputs = cls._record(context, args, nodes, outputs)
        else:
            for tensor in context._dirty:
                finish(tensor, None)
        return tuple(outputs) if isinstance(result, tuple) else outputs[0]

    @classmethod
    def _node_class(cls) -> type[FunctionNode]:
        """The class of this function's nodes, named after it; made at the first call."""
        known: type[FunctionNode] | None = cls.__dict__.get("_node_type")
        if known is None:
            known = type(f"{cls.__name__}Backward", (FunctionNode,), {"__slots__": ()})
            cls._node_type = known
        return known

    @classmethod
    def _record(
        cls,
        context: Context,
        args: tuple[Any, ...],
        nodes: tuple[Node | None, ...],
        outputs: tuple[Any, ...],
    ) -> tuple[Any, ...]:
        tensors = [output for output in outputs if isinstance(output, TensorCore)]
        node = new(cls._node_class())
        node.begin(nodes, ())
        node.saved = context
        node.shapes = tuple([output._array.shape for output in tensors])
        node.likes = [zeros_of(output._array, (0,)) for output in tensors]
        node.function = cls
        numbers: dict[int, int] = {}
        results = []
        for output in outputs:
            if isinstance(output, TensorCore):
                number = numbers[id(output)] = len(numbers)
                output = cls._output(context, args, output, node, number)
            results.append(output)
        saved = [
            None if tensor is None else Saved(tensor, numbers.get(id(tensor)))
            for tensor in context._to_save
        ]
        context._saved = saved
        context._to_save = ()
        context._node = weakref.ref(node)  # the node holds the context
        return tuple(results)

    @staticmethod
    def _output(
        context: Context, args: tuple[Any, ...], output: Any, node: FunctionNode, number: int
    ) -> Any:
        if not dtypes.is_differentiable(output._array.dtype) or any(
            output is tensor for tensor in context._not_differentiable
        ):
            return output
        if any(output is tensor for tensor in context._dirty):
            finish(output, Pick(node, number))
            return output
        if any(output is arg for arg in args) or output._node.__class__ is Leaf:
            output = wrap(output._array)  # an input returned as it is: a new tensor over its memory
        output._node = Pick(node, number)
        return output


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a `backward` that cannot be differentiated: a second derivative then raises
    GraphError.
    """

    @functools.wraps(function)
    def backward(ctx: Any, *gradients: Any) -> Any:
        recording = modes.current().record
        with modes.no_grad():
            results = function(ctx, *gradients)
        if not recording or not any(
            isinstance(g, TensorCore) and g._node is not None for g in gradients
        ):
            return results
        several = isinstance(results, tuple)
        refused = tuple(
            Refusal.apply(result, *gradients) if isinstance(result, TensorCore) else result
            for result in (results if several else (results,))
        )
        return refused if several else refused[0]

    return backward


class Refusal(Function):
    """Passes a gradient on and refuses to be differentiated."""

    @staticmethod
    def forward(ctx: Any, result: Any, *gradients: Any) -> Any:
        return wrap(result._array)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise GraphError(
            "once_differentiable: expected a single backward, got a second one "
            "(trying to differentiate twice a function that was marked with @once_differentiable)"
        )
