"""Automatic differentiation for users: `grad`, `backward`, `Function`, modes, and numerical checks.

https://docs.pytorch.org/docs/stable/autograd.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import engine
from tensorgrad.autograd import functional, graph
from tensorgrad.autograd.function import Function, once_differentiable
from tensorgrad.autograd.gradcheck import gradcheck, gradgradcheck
from tensorgrad.errors import GraphError
from tensorgrad.graph import TensorCore
from tensorgrad.modes import (
    detect_anomaly,
    enable_grad,
    inference_mode,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
)

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "Function",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]


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


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of sum(output * grad_output) with respect to `inputs`, as a tuple; `grad`
    fields stay untouched.

    An input that the outputs do not depend on raises GraphError, or gives None with allow_unused,
    or zeros with materialize_grads.
    """
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
    found = engine.grad(results, wanted, gradients, retain_graph, create_graph, unused)
    if materialize_grads:
        found = tuple(x.new_zeros(x.shape) if g is None else g for x, g in zip(wanted, found))
    return found
