"""Steps of the rows that a sparse gradient names. Knows no optimizer: it is given the rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import modes
from tensorgrad.graph import written

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


def step_rows(
    rule: Callable[..., tuple[Any, ...]], param: Tensor, state: Sequence[Any], numbers: Any
) -> None:
    """Step by the rule these rows of parameter and states; the others stay as they are, without
    decay of any kind.
    """
    gradient: Any = param.grad
    gradient = gradient.coalesce()
    rows = gradient._rows
    backend = modes.current().backends[rows.__class__]
    targets = [getattr(value, "_array", value) for value in (param, *state)]
    # States that are no arrays, numbers and None, have no rows.
    parts = [
        backend.embedding(rows, target, None) if hasattr(target, "shape") else target
        for target in targets
    ]
    results = rule(parts[0], gradient._data, *parts[1:], **numbers)
    for target, value in zip(targets, results, strict=False):
        if target is not None:
            backend.assign_at(target, (rows,), value)
    written(param)
