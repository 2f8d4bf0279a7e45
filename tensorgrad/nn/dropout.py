"""Dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad.nn.functional import dropout
from tensorgrad.nn.module import Module

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class Dropout(Module):
    """In training each element is 0 with probability p and otherwise scaled by 1 / (1 - p).
    Srivastava et al. 2014.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: expected a probability in [0, 1], got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
