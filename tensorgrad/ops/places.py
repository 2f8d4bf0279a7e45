"""Where a condition holds: the indices of elements that are not 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.graph import TensorCore, unwrap, wrap
from tensorgrad.modes import current
from tensorgrad.ops.cutting import unbind
from tensorgrad.out import takes_out, takes_out_apart

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = ["argwhere", "nonzero", "nonzero_static"]


@takes_out_apart
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """(count, ndim) int64: the indices of the elements that are not 0.

    `as_tuple` gives a tensor of (count,) for each dimension, which together are an index; a 0-d
    tensor counts as one of one element.
    """
    array = unwrap(input)
    if as_tuple and not array.ndim:
        array = array.reshape(1)
    found: Any = current().backends[array.__class__].nonzero(array)
    if isinstance(input, TensorCore):
        found = wrap(found)
    return unbind(found, 1) if as_tuple else found


@takes_out_apart
def argwhere(input: Tensor) -> Tensor:
    """(count, ndim) int64: the indices of the elements that are not 0."""
    return nonzero(input)  # type: ignore[no-any-return]


@takes_out
def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """As `nonzero` with exactly `size` rows: the first ones, or `fill_value` for those missing."""
    if size < 0:
        raise RuntimeError(f"nonzero_static: expected size >= 0, got {size}")
    array = unwrap(input)
    backend = current().backends[array.__class__]
    found = backend.nonzero(array)[:size]
    padded = backend.full((size, array.ndim), fill_value, found.dtype, backend.device_of(array))
    backend.assign(padded[: found.shape[0]], found)
    return wrap(padded)
