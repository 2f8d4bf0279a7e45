"""Products with Jacobians and Hessians, and these themselves, of functions of tensors.

https://docs.pytorch.org/docs/stable/autograd.html#functional-higher-level-api
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorgrad import engine, modes
from tensorgrad.errors import GraphError, ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.ops.creation import zeros_like, zeros_of
from tensorgrad.ops.joining import stack
from tensorgrad.ops.shape import reshape, to_shape

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = tuple[Any, ...]


# ---- arguments and results


def _tuple(op: str, what: str, values: Any) -> tuple[bool, Tensors]:
    """Whether `values` was a tuple, and its tensors."""
    several = isinstance(values, tuple)
    found = tuple(values) if isinstance(values, tuple | list) else (values,)
    for value in found:
        if not isinstance(value, TensorCore):
            raise TypeError(
                f"{op}: expected {what} to be a tensor or a tuple of them, got "
                f"{type(value).__name__}"
            )
    return several, found


def _fresh(tensor: Any, create_graph: bool) -> Any:
    """An input to differentiate by: still tied to the caller's graph where a graph is wanted."""
    if create_graph and tensor._node is not None:
        return to_shape(tensor, tuple(tensor.shape))
    return tensor.detach().requires_grad_()


def _inputs(op: str, inputs: Any, create_graph: bool) -> tuple[bool, Tensors]:
    several, tensors = _tuple(op, "inputs", inputs)
    return several, tuple([_fresh(tensor, create_graph) for tensor in tensors])


def _call(op: str, func: Callable[..., Any], inputs: Tensors) -> tuple[bool, Tensors]:
    return _tuple(op, "the function's result", func(*inputs))


def _vectors(op: str, v: Any, like: Tensors, what: str) -> Tensors:
    """The vectors of a product, of the shapes of `like`; None is 1 for a single number."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise GraphError(
                f"{op}: expected v for {what} of more than one number, got None "
                "(The vector v can only be None if it is a single number)"
            )
        return (zeros_of(like[0], tuple(like[0].shape)) + 1,)
    _, vectors = _tuple(op, "v", v)
    if len(vectors) != len(like):
        raise ShapeError(f"{op}: expected {len(like)} tensors as v, got {len(vectors)}")
    for vector, tensor in zip(vectors, like):
        if vector.shape != tensor.shape:
            raise ShapeError(
                f"{op}: expected v of the shape of {what}, {list(tensor.shape)}, got "
                f"{list(vector.shape)}"
            )
    return vectors


def _gradients(
    op: str, outputs: Tensors, inputs: Tensors, weights: Any, create_graph: bool, strict: bool
) -> Tensors:
    """Gradients, with zeros for what does not depend."""
    pairs = [(y, v) for y, v in zip(outputs, weights) if y._node is not None]
    if strict and len(pairs) < len(outputs):
        raise GraphError(f"{op}: expected outputs that depend on the inputs, got one that does not")
    found: Tensors = (None,) * len(inputs)
    if pairs:
        found = engine.grad(
            [y for y, _ in pairs], inputs, [v for _, v in pairs], True, create_graph, True
        )
    if strict and any(g is None or (create_graph and g._node is None) for g in found):
        raise GraphError(f"{op}: expected outputs that depend on every input, got one independent")
    return tuple([zeros_like(x) if g is None else g for x, g in zip(inputs, found)])


def _result(values: Tensors, several: bool, create_graph: bool) -> Any:
    """What users get: without a history unless they want one."""
    given = values if create_graph else tuple([value.detach() for value in values])
    return given if several else given[0]


# ---- products


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(func(*inputs), v^T J): the product of a vector with the Jacobian of func at `inputs`."""
    with modes.enable_grad():
        several, given = _inputs("vjp", inputs, create_graph)
        many, outputs = _call("vjp", func, given)
        vectors = _vectors("vjp", v, outputs, "the result")
        found = _gradients("vjp", outputs, given, vectors, create_graph, strict)
    return _result(outputs, many, create_graph), _result(found, several, create_graph)


def _pushed(op: str, outputs: Tensors, inputs: Tensors, vectors: Tensors, strict: bool) -> Tensors:
    """J v, as the gradient of u^T J by u: the walk runs backward only."""
    weights = tuple([zeros_like(y).requires_grad_() for y in outputs])
    back = _gradients(op, outputs, inputs, weights, True, strict)
    return _gradients(op, back, weights, vectors, True, False)


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(func(*inputs), J v): the product of the Jacobian of func at `inputs` with a vector.

    Computed by two backward passes, as the gradient of u^T J by u.
    """
    with modes.enable_grad():
        _, given = _inputs("jvp", inputs, create_graph)
        vectors = _vectors("jvp", v, given, "the inputs")
        many, outputs = _call("jvp", func, given)
        found = _pushed("jvp", outputs, given, vectors, strict)
    return _result(outputs, many, create_graph), _result(found, many, create_graph)


def _scalar(op: str, func: Callable[..., Any], inputs: Tensors) -> Any:
    _, outputs = _call(op, func, inputs)
    if len(outputs) != 1 or outputs[0].numel() != 1:
        raise GraphError(
            f"{op}: expected a function of one number, got {len(outputs)} results, the first of "
            f"shape {list(outputs[0].shape)} (should return a single-element Tensor)"
        )
    return outputs[0]


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(func(*inputs), v^T H): the product of a vector with the Hessian of a scalar function."""
    with modes.enable_grad():
        several, given = _inputs("vhp", inputs, create_graph)
        vectors = _vectors("vhp", v, given, "the inputs")
        value = _scalar("vhp", func, given)
        slope = _gradients("vhp", (value,), given, (None,), True, strict)
        found = _gradients("vhp", slope, given, vectors, create_graph, strict)
    return _result((value,), False, create_graph), _result(found, several, create_graph)


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(func(*inputs), H v): the product of the Hessian of a scalar function with a vector."""
    with modes.enable_grad():
        several, given = _inputs("hvp", inputs, create_graph)
        vectors = _vectors("hvp", v, given, "the inputs")
        value = _scalar("hvp", func, given)
        slope = _gradients("hvp", (value,), given, (None,), True, strict)
        found = _pushed("hvp", slope, given, vectors, strict)
    return _result((value,), False, create_graph), _result(found, several, create_graph)


# ---- whole matrices


def _check_choices(op: str, strict: bool, vectorize: bool, strategy: str, name: str) -> None:
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(
            f"{op}: expected {name} to be 'reverse-mode' or 'forward-mode', got {strategy!r}"
        )
    if strategy == "forward-mode" and not vectorize:
        raise NotImplementedError(f"{op}: expected vectorize=True with forward-mode, got False")
    if strict and vectorize:
        raise RuntimeError(f"{op}: expected strict without vectorize, got both")


def _unit(like: Any, number: int) -> Any:
    """Zeros but for a one at one place of the flattened tensor."""
    unit = zeros_like(like)
    flat = reshape(unit, -1)
    flat[number] = 1
    return unit


def _rows(
    op: str, output: Any, inputs: Tensors, create_graph: bool, strict: bool
) -> tuple[Any, ...]:
    """The Jacobian of one output by each input: (*output shape, *input shape)."""
    count = output.numel()
    rows = [
        _gradients(op, (output,), inputs, (_unit(output, number),), create_graph, strict)
        for number in range(count)
    ]
    shape = tuple(output.shape)
    blocks = []
    for place, x in enumerate(inputs):
        if rows:
            block = stack([row[place] for row in rows])
        else:
            block = zeros_of(x, (0, *x.shape))
        blocks.append(reshape(block, *shape, *x.shape))
    return tuple(blocks)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of func at `inputs`: of one output by one input a tensor (*output shape, *input
    shape), of several a tuple of them, by outputs first.

    One backward pass a number of the outputs; `vectorize` and `strategy` do not change that.
    """
    _check_choices("jacobian", strict, vectorize, strategy, "strategy")
    with modes.enable_grad():
        several, given = _inputs("jacobian", inputs, create_graph)
        many, outputs = _call("jacobian", func, given)
        blocks = [_rows("jacobian", y, given, create_graph, strict) for y in outputs]
    rows = tuple([_result(row, several, create_graph) for row in blocks])
    return rows if many else rows[0]


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a scalar function at `inputs`: the Jacobian of its gradient.

    Of one input a tensor (*shape, *shape), of several a tuple of tuples.
    """
    _check_choices("hessian", strict, vectorize, outer_jacobian_strategy, "outer_jacobian_strategy")
    with modes.enable_grad():
        several, given = _inputs("hessian", inputs, create_graph)
        value = _scalar("hessian", func, given)
        slope = _gradients("hessian", (value,), given, (None,), True, strict)
        blocks = [_rows("hessian", g, given, create_graph, strict) for g in slope]
    rows = tuple([_result(row, several, create_graph) for row in blocks])
    return rows if several else rows[0]
