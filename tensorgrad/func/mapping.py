"""A function mapped over a dimension of its arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from tensorgrad.func import trees
from tensorgrad.graph import TensorCore
from tensorgrad.ops.cutting import select
from tensorgrad.ops.joining import stack
from tensorgrad.ops.shape import one_dim
from tensorgrad.random import default_generator


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """The function that calls `func` for each place along a dimension of its arguments and stacks
    the results.

    It is a loop: it saves writing, not time, and `chunk_size` changes nothing. in_dims: for each
    argument the dimension that is mapped over, or None for one that all calls share; a number holds
    for all, a nested structure for nested arguments. All calls share keyword arguments. out_dims:
    where the stacked dimension stands in the results. randomness: "error" refuses random
    numbers in func, "different" draws anew for each place, "same" the same for all.
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            f"vmap: expected randomness to be 'error', 'different' or 'same', got {randomness!r}"
        )

    @functools.wraps(func)
    def over(*args: Any, **kwargs: Any) -> Any:
        values = trees.leaves(args)
        prefix = list(in_dims) if isinstance(in_dims, tuple | list) else in_dims
        if not isinstance(in_dims, int | tuple | list):
            raise ValueError(f"vmap: expected in_dims to be an int or a tuple, got {in_dims!r}")
        dims = trees.spread("vmap", prefix, args)
        count, places = _mapped_size(values, dims)
        results = []
        start, state = default_generator.position(), default_generator.get_state()
        for number in range(count):
            if randomness == "same":
                default_generator.set_state(state)
            chosen = [
                value if place is None else select(value, place, number)
                for value, place in zip(values, places)
            ]
            results.append(func(*trees.replaced(args, iter(chosen)), **kwargs))
        if randomness == "error" and default_generator.position() != start:
            raise RuntimeError(
                "vmap: expected func to draw no random numbers, got some "
                "(pass randomness='different' or 'same')"
            )
        return _stacked(results, out_dims)

    return over


def _mapped_size(values: list[Any], dims: list[Any]) -> tuple[int, list[int | None]]:
    """How many calls there are, and the dimension of each leaf counted from the front."""
    places: list[int | None] = []
    sizes = set()
    for value, dim in zip(values, dims):
        if dim is None:
            places.append(None)
            continue
        if not isinstance(value, TensorCore):
            raise ValueError(
                f"vmap: expected a tensor where in_dims is {dim}, got {type(value).__name__} "
                "(use None for what is not mapped)"
            )
        shape = value._array.shape
        if not shape or not -len(shape) <= dim < len(shape):
            raise ValueError(
                f"vmap: expected in_dims within the dimensions of {list(shape)}, got {dim}"
            )
        places.append(one_dim("vmap", dim, len(shape)))
        sizes.add(shape[dim])
    if not sizes:
        raise ValueError("vmap: expected at least one tensor to map over, got none")
    if len(sizes) > 1:
        raise ValueError(f"vmap: expected mapped dimensions of one size, got {sorted(sizes)}")
    (count,) = sizes
    if not count:
        raise ValueError("vmap: expected at least one place to map over, got a dimension of size 0")
    return count, places


def _stacked(results: list[Any], out_dims: Any) -> Any:
    first = results[0]
    columns = list(zip(*[trees.leaves(result) for result in results]))
    prefix = list(out_dims) if isinstance(out_dims, tuple | list) else out_dims
    if isinstance(prefix, list) and trees.children(first) is None:
        (prefix,) = prefix
    dims = trees.spread("vmap", prefix, first)
    joined = []
    for column, dim in zip(columns, dims):
        if not isinstance(column[0], TensorCore):
            raise ValueError(
                f"vmap: expected func to return tensors, got {type(column[0]).__name__}"
            )
        joined.append(column[0] if dim is None else stack(column, dim))
    return trees.replaced(first, iter(joined))
