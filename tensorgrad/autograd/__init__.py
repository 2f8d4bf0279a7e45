"""Automatic differentiation for users: `grad`, `backward`, `Function`, modes, and numerical checks.

https://docs.pytorch.org/docs/stable/autograd.html
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import engine
from tensorgrad.autograd import functional, graph
from tensorgrad.autograd.function import Function, once_differentiable
from tensorgrad.autograd.gradcheck import gradcheck, gradgradcheck
from tensorgrad.autograd.variable import Variable
from tensorgrad.errors import GraphError, ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    is_anomaly_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)
from tensorgrad.ops.joining import stack

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.autograd import profiler

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "is_anomaly_enabled",
    "no_grad",
    "once_differentiable",
    "profiler",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def __getattr__(name: str) -> Any:
    if name == "profiler":  # few programs ask for it
        return importlib.import_module("tensorgrad.autograd.profiler")
    raise AttributeError(f"module 'tensorgrad.autograd' has no attribute {name!r}")


def _sequence(values: Any) -> list[Any]:
    return [values] if values is None or isinstance(values, TensorCore) else list(values)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of sum(tensor * grad_tensor) to the `grad` of every leaf, or of `inputs`
    alone.

    grad_tensors: one a tensor; None for a scalar means 1. retain_graph: keep what was saved for
    another backward (default: create_graph). create_graph: record the backward, for higher
    derivatives.
    """
    outputs = _sequence(tensors)
    gradients = [None] * len(outputs) if grad_tensors is None else _sequence(grad_tensors)
    limits = None if inputs is None else _sequence(inputs)
    engine.backward(outputs, gradients, retain_graph, create_graph, limits)


def _one_by_one(
    outputs: list[Any], batched: list[Any], once: Callable[[list[Any], bool], tuple[Any, ...]]
) -> tuple[Any, ...]:
    """The gradients for each place along the first dimension of `batched`, stacked; `once` takes
    the weights of a place and whether others follow.
    """
    shapes = [None if g is None else list(g.shape) for g in batched]
    counts = {None if not shape else shape[0] for shape in shapes}
    count = counts.pop()
    rest = [shape[1:] for shape in shapes if shape is not None]
    if counts or not count or rest != [list(y.shape) for y in outputs]:
        raise ShapeError(
            "grad: expected grad_outputs of shapes (n, *shape of the output) for one n >= 1, got "
            f"{shapes} for outputs of {[list(y.shape) for y in outputs]}"
        )
    rows = [once([g[row] for g in batched], row + 1 < count) for row in range(count)]
    return tuple(None if parts[0] is None else stack(parts) for parts in zip(*rows))


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of sum(output * grad_output) with respect to `inputs`, as a tuple; `grad`
    fields stay untouched.

    An input that the outputs do not depend on raises GraphError, or gives None with allow_unused,
    or zeros with materialize_grads. is_grads_batched: each grad_output has one more dimension in
    front, along which the gradients are found one after another and stacked. only_inputs is
    PyTorch's former name of what always holds: `backward` is for the other leaves.
    """
    if not only_inputs:
        raise ValueError("grad: expected only_inputs=True, got False (use backward)")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "grad: expected allow_unused with materialize_grads, got allow_unused=False"
        )
    results = _sequence(outputs)
    gradients = [None] * len(results) if grad_outputs is None else _sequence(grad_outputs)
    wanted = _sequence(inputs)
    if not wanted:
        raise GraphError("grad: expected at least one input, got none")
    unused = bool(allow_unused) or materialize_grads

    def once(weights: list[Any], retain: bool | None) -> tuple[Any, ...]:
        return engine.grad(results, wanted, weights, retain, create_graph, unused)

    if is_grads_batched:
        retain = create_graph if retain_graph is None else retain_graph
        found = _one_by_one(results, gradients, lambda weights, more: once(weights, more or retain))
    else:
        found = once(gradients, retain_graph)
    if materialize_grads:
        found = tuple(
            x.new_zeros(x.shape, requires_grad=create_graph) if g is None else g
            for x, g in zip(wanted, found)
        )
    return found
