"""Elements, or whole channels, set to zero by chance.

https://docs.pytorch.org/docs/stable/nn.functional.html#dropout-functions
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad.inplace import inplace as inplace_of
from tensorgrad.ops.conversion import cast
from tensorgrad.ops.sampling import rand

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor
    from tensorgrad.random import Generator

__all__ = [
    "dropout",
]


def dropout(
    input: Tensor,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Zero each element with probability p and scale the others by 1 / (1 - p); the identity when
    not training.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: expected a probability in [0, 1], got {p}")
    if not training or p == 0:
        return input
    if inplace:
        return dropout_(input, p, generator=generator)  # type: ignore[no-any-return]
    if p == 1:
        return input * 0
    drawn = rand(tuple(input.shape), generator=generator, device=input.device)
    kept = cast(drawn >= p, input.dtype)
    return input * (kept * (1 / (1 - p)))


dropout_ = inplace_of(dropout)
