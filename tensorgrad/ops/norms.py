"""Lengths of vectors."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad.fused import fused
from tensorgrad.ops.arithmetic import pow
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import widened
from tensorgrad.ops.pointwise import abs, sign, sqrt
from tensorgrad.ops.reduction import Dim, largest, reduced_dims, restore, smallest, total
from tensorgrad.ops.shape import one_dim

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "norm",
]


@widened
def norm(input: Tensor, p: float | str = 2, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """(sum |input|^p)^(1/p) over `dim`; p may be infinite, or "fro" (2). Gradient 0 at
    0 for p = 2.
    """
    dim = reduced_dims(input, dim)
    for d in (dim,) if isinstance(dim, int) else dim or ():
        one_dim("norm", d, input.ndim)
    if p == "fro":
        p = 2
    if isinstance(p, str):
        raise ValueError(f"norm: expected p to be a number or 'fro', got {p!r}")
    if p == 2:
        return root_of_squares(input, dim, keepdim)
    if p == math.inf:
        return largest(abs(input), dim, keepdim)
    if p == -math.inf:
        return smallest(abs(input), dim, keepdim)
    if p == 1:
        return total(abs(input), dim, keepdim)
    if p == 0:
        return total(where(input != 0, 1, input * 0), dim, keepdim)
    return root_of_powers(input, float(p), dim, keepdim)


def _along_powers(g: Any, input: Any, y: Any, p: float, dim: Any, keepdim: bool) -> Any:
    length = restore(y, input.shape, dim, keepdim)
    flat = (input == 0) | (length == 0)
    share = pow(where(flat, 1, abs(input)) / where(flat, 1, length), p - 1)
    return restore(g, input.shape, dim, keepdim) * where(flat, 0, sign(input) * share)


@fused(input=_along_powers)
def root_of_powers(input: Tensor, p: float, dim: Any, keepdim: bool) -> Tensor:
    """(sum |input|^p)^(1/p) over `dim`; its gradient at 0 is 0."""
    return pow(total(pow(abs(input), p), dim, keepdim), 1 / p)


def _along_input(g: Any, input: Any, y: Any, dim: Any, keepdim: bool) -> Any:
    length = restore(y, input.shape, dim, keepdim)
    return restore(g, input.shape, dim, keepdim) * where(
        length == 0, 0, input / where(length == 0, 1, length)
    )


@fused(input=_along_input)
def root_of_squares(input: Tensor, dim: Any, keepdim: bool) -> Tensor:
    """sqrt(sum(input^2)) over `dim`; its gradient at 0 is 0."""
    return sqrt(total(input * input, dim, keepdim))
