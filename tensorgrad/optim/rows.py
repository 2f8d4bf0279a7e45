"""Steps of the rows that a sparse gradient names. Knows no optimizer: it is given its steps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from tensorgrad import modes
from tensorgrad.graph import written
from tensorgrad.stepping import OnDevice, Stepper

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


def step_rows(
    stepper: Stepper,
    param: Tensor,
    state: Sequence[Any],
    numbers: dict[str, Any],
    compiled: bool,
    device: OnDevice | None,
) -> None:
    """Step these rows of parameter and states; the others stay as they are, without decay of any
    kind.
    """
    gradient: Any = param.grad
    gradient = gradient.coalesce()
    rows = gradient._rows
    backend = modes.current().backends[rows.__class__]
    targets = [getattr(value, "_array", value) for value in (param, *state)]

    def by_rule(lists: Sequence[Any], numbers: dict[str, Any]) -> None:
        # States that are no arrays, numbers and None, have no rows.
        parts = [
            backend.embedding(rows, target, None) if hasattr(target, "shape") else target
            for target in targets
        ]
        if stepper.count is not None:
            (parts[stepper.count - 1],) = lists[stepper.count]  # a device may have counted
        results = stepper.rule(parts[0], gradient._data, *parts[1:], **numbers)
        for target, value in zip(targets, results, strict=False):
            if target is not None:
                backend.assign_at(target, (rows,), value)

    lists = [None if target is None else [target] for target in targets]
    lists.insert(1, [gradient._data])
    kernel = getattr(backend, "step_rows", None) if compiled else None
    if kernel is None:
        by_rule(lists, numbers)
    else:
        stepper.by_trace(partial(kernel, rows), lists, numbers, by_rule, device)
    written(param)
