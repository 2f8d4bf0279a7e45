"""Elementwise formulas of several tensors, and their sums and means: what most losses are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tensorgrad.formula import Formula, formula
from tensorgrad.fused import fused
from tensorgrad.ops.reduction import mean, sum

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


def way(op: str, reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """The reduction, which the older arguments may name too."""
    if size_average is not None or reduce is not None:
        if reduce is False:
            return "none"
        return "sum" if size_average is False else "mean"
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(
            f"{op}: expected reduction to be 'mean', 'sum' or 'none', got {reduction!r}"
        )
    return reduction


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The losses of the elements as "none", their "mean" or their "sum"."""
    if reduction == "none":
        return loss
    return mean(loss) if reduction == "mean" else sum(loss)


@fused()
def over_elements(
    input: Tensor,
    target: Tensor,
    third: Tensor | None,
    fourth: Tensor | None,
    formula: Formula,
    reduction: str,
) -> Tensor:
    """The formula of the tensors that are given, `reduced`."""
    given = [x for x in (input, target, third, fourth) if x is not None]
    return reduced(formula(*given), reduction)


def reduced_of(
    reduction: str,
    function: Callable[..., Any],
    input: Tensor,
    target: Tensor,
    third: Tensor | None = None,
    fourth: Tensor | None = None,
    **numbers: Any,
) -> Tensor:
    """`function` of two to four tensors and of numbers, `reduced`. It is written in what
    `tensorgrad.elementwise` traces, and takes the tensors that are given.
    """
    return over_elements(input, target, third, fourth, formula(function, **numbers), reduction)
