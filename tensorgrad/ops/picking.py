"""What losses of classes pick of each row of scores, and the mean over what is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import modes
from tensorgrad.fused import fused
from tensorgrad.graph import unwrap
from tensorgrad.ops.choice import where
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.indexing import gather_along
from tensorgrad.ops.reduction import sum
from tensorgrad.ops.shape import broadcast, reshape, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


def check_classes(op: str, target: Any, classes: int, ignore_index: int) -> None:
    array = unwrap(target)
    modes.current().backends[array.__class__].check_classes(op, array, classes, ignore_index)


def picked_of(logs: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """-logs[i, target[i]], 0 where that is ignored."""
    counted: Any = target != ignore_index
    picked = gather_along(logs, unsqueeze(where(counted, target, 0), 1), 1)
    return where(counted, -reshape(picked, target.shape), 0)


@fused()
def picked(input: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """-input[i, target[i]] for rows of input (N, C), or at each place of (N, C, S); 0 where that is
    ignored.
    """
    check_classes("nll_loss", target, input.shape[1], ignore_index)
    return picked_of(input, target, ignore_index)


def _counted(target: Any, ignore_index: int, dtype: Any) -> Any:
    return sum(cast(target != ignore_index, dtype))


def _shared_among_counted(g: Any, input_shape: Any, target: Any, ignore_index: int) -> Any:
    return broadcast(g / _counted(target, ignore_index, g.dtype), input_shape)


@fused(input=_shared_among_counted)
def counted_mean(input: Tensor, target: Tensor, ignore_index: int) -> Tensor:
    """The sum of the input over the number of targets that are not ignored."""
    result: Tensor = sum(input) / _counted(target, ignore_index, input.dtype)
    return result
