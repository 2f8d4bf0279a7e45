"""The two ways into a backward pass: `backward` adds to the `grad` of leaves, `grad` returns.

Here they are checked, begun and finished; between lies `tensorgrad.walk`.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from tensorgrad import modes
from tensorgrad.detours import shown
from tensorgrad.errors import DTypeError, GraphError, ShapeError
from tensorgrad.graph import Leaf, Node, TensorCore, tick, version_of, wrap
from tensorgrad.sparse_rows import SparseRows, as_dense
from tensorgrad.walk import Walk, increase, turned

_accumulating = threading.Lock()


def _finished(
    caller: str,
    tensors: Sequence[Any],
    gradients: Sequence[Any],
    retain_graph: bool | None,
    create_graph: bool,
    wanted: set[Node] | None,
) -> Walk:
    """The walk from `tensors`. Rules on arrays cannot record; rules on tensors must."""
    walk = Walk(create_graph, create_graph if retain_graph is None else retain_graph, wanted)
    if create_graph:
        with modes.ModeContext(grad=True):
            walk.run(_seeds(caller, tensors, gradients, True))
    else:
        walk.run(_seeds(caller, tensors, gradients, False))
    return walk


@shown("backward")
def backward(
    tensors: Sequence[Any],
    gradients: Sequence[Any],
    retain_graph: bool | None,
    create_graph: bool,
    inputs: Sequence[Any] | None,
) -> None:
    """Add the gradient of sum(tensor * gradient) to the `grad` of every leaf, or of
    `inputs` alone.
    """
    wanted = None if inputs is None else {_node_of(tensor, "backward") for tensor in inputs}
    if wanted is not None and not wanted:
        raise GraphError(
            "backward: expected `inputs` to name at least one tensor, got an empty list"
        )
    walk = _finished("backward", tensors, gradients, retain_graph, create_graph, wanted)
    holders: dict[Node, Any] = {}
    if inputs is not None:
        holders = {tensor._node: tensor for tensor in inputs}
    # Only now, so that a walk that failed has changed no gradient; and one thread at a time.
    finished = []
    with _accumulating:
        while walk.found:
            node, g = walk.found.popitem()
            tensor = holders.get(node)
            if tensor is None and isinstance(node, Leaf):
                tensor = node.tensor()
            if tensor is None or (node.hooks is not None and node.hooks.of("retain")):
                continue  # nobody can see its gradient any more, or `retain_grad` has kept it
            dtype = tensor._array.dtype
            if g.dtype is not dtype:
                g = _in_dtype_of(tensor, g)
            if dtype.kind == "c":
                g = turned(g)
            _accumulate(tensor, g, create_graph, node in walk.shared)
            if node.hooks is not None and node.hooks.accumulated:
                finished.append((node.hooks, tensor))
    for hooks, tensor in finished:
        for hook in list(hooks.accumulated.values()):
            hook(tensor)


def _in_dtype_of(tensor: Any, g: Any) -> Any:
    """The gradient in the tensor's dtype: rules may compute narrow floats wider."""
    dtype = tensor._array.dtype
    if g.dtype == dtype:
        return g
    if isinstance(g, TensorCore | SparseRows):
        return g.to(dtype)  # type: ignore[union-attr]
    return modes.current().backends[g.__class__].cast(g, dtype)


def _accumulate(tensor: Any, g: Any, create_graph: bool, shared: bool) -> None:
    known = getattr(tensor, "_grad", None)
    if create_graph:
        tensor._grad = g if known is None else known + g
        return
    if known.__class__ is SparseRows or (known is None and g.__class__ is SparseRows):
        total = g if known is None else known + g
        tensor._grad = total if total.__class__ is SparseRows else wrap(total)
        return
    if known is None:
        # A gradient must own its memory: `clip_grad_norm_` and `grad.zero_()` write into it.
        tensor._grad = wrap(modes.current().backends[g.__class__].own(g, shared))
        return
    if 0 in known._array.strides:  # an expanded tensor that was assigned cannot be written
        known._array = known._array + g
    else:
        increase(known._array, g)
    version_of(known).written = tick()


@shown("grad")
def grad(
    outputs: Sequence[Any],
    inputs: Sequence[Any],
    grad_outputs: Sequence[Any],
    retain_graph: bool | None,
    create_graph: bool,
    allow_unused: bool,
) -> tuple[Any, ...]:
    """Gradients of sum(output * grad_output) with respect to `inputs`; no tensor's `grad` is
    touched.
    """
    nodes = [_node_of(tensor, "grad") for tensor in inputs]
    walk = _finished("grad", outputs, grad_outputs, retain_graph, create_graph, set(nodes))
    results = []
    for number, node in enumerate(nodes):
        g = walk.found.get(node)
        if g is None and not allow_unused:
            raise GraphError(
                f"grad: expected every input to be used in the graph, got input {number} unused "
                "(One of the differentiated Tensors appears to not have been used in the graph; "
                "pass allow_unused=True to get None for it)"
            )
        if g is not None:
            g = turned(_in_dtype_of(inputs[number], as_dense(g)))
        if g is not None and not create_graph:
            g = wrap(modes.current().backends[g.__class__].own(g, False))
        results.append(g)
    return tuple(results)


def _node_of(tensor: Any, caller: str) -> Node:
    if not isinstance(tensor, TensorCore):
        raise TypeError(f"{caller}: expected tensors as inputs, got {type(tensor).__name__}")
    if tensor._node is None:
        raise GraphError(
            f"{caller}: expected inputs that require gradients, got one that does not "
            "(One of the differentiated Tensors does not require grad)"
        )
    return tensor._node


def _seeds(
    caller: str, tensors: Sequence[Any], gradients: Sequence[Any], create_graph: bool
) -> dict[Node, Any]:
    """The gradients that a walk starts from: one an output, ones for a scalar output
    without one.
    """
    if len(tensors) != len(gradients):
        raise GraphError(
            f"{caller}: expected one gradient for each of {len(tensors)} outputs, got "
            f"{len(gradients)}"
        )
    seeds: dict[Node, Any] = {}
    for tensor, g in zip(tensors, gradients):
        node = tensor._node
        if node is None:
            raise GraphError(
                f"{caller}: expected a tensor with a history, got one for which "
                "element 0 of tensors does not require grad and does not have a grad_fn"
            )
        array = tensor._array
        if g is None:
            if array.size != 1 or array.dtype.kind == "c":
                raise GraphError(
                    f"{caller}: expected a gradient for an output of shape "
                    f"{list(array.shape)}, got none (grad can be implicitly created only for real "
                    f"scalar outputs, not for {array.dtype})"
                )
            backend = modes.current().backends[array.__class__]
            g = backend.full(array.shape, 1, array.dtype, backend.device_of(array))
            g = wrap(g) if create_graph else g
        else:
            _check_gradient(caller, g, array)
            g = turned(g if create_graph else g._array)
        seeds[node] = seeds[node] + g if node in seeds else g
    return seeds


def _check_gradient(caller: str, g: Any, array: Any) -> None:
    """Refuse what is no gradient of an output that is `array`."""
    if not isinstance(g, TensorCore):
        raise TypeError(f"{caller}: expected tensors or None as gradients, got {type(g).__name__}")
    if g._array.shape != array.shape:
        raise ShapeError(
            f"{caller}: expected a gradient of shape {list(array.shape)}, got "
            f"{list(g._array.shape)}"
        )
    dtype = g._array.dtype
    if dtype is not array.dtype and (dtype.kind == "c") != (array.dtype.kind == "c"):
        raise DTypeError(f"{caller}: expected a gradient of dtype {array.dtype}, got {dtype}")
