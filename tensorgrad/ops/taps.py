"""Weighted sums along one dimension, each of a few given places: what padding by mirroring,
interpolation and pooling to a given size have in common. Knows no shape but that of a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from tensorgrad.op import TensorFunction, primitive

Row = Sequence[tuple[int, float]]
Layer = tuple[tuple[int, ...] | None, tuple[int, ...], tuple[float, ...] | None]


class Taps:
    """For each place of the result a row of (place among `size`, weight): what it is the sum of.

    `count` is the number of rows and `weighted` whether a weight is not 1. `layers` is what a
    backend computes with: the first taps of all rows, then the second, ..., each as (the rows that
    have one, or None for all; places; weights, or None where all are 1). So no weight of 0 is made
    up for a shorter row, and no NaN or infinity reaches a sum that has no part in it.
    """

    def __init__(self, rows: Sequence[Row], size: int) -> None:
        self.rows = rows
        self.size = size
        self.count = len(rows)
        self.weighted = any(weight != 1 for row in rows for _, weight in row)

    @cached_property
    def layers(self) -> list[Layer]:
        found = [self._layer(number) for number in range(max(map(len, self.rows), default=0))]
        return found or [((), (), None)]

    def _layer(self, number: int) -> Layer:
        chosen = tuple([i for i, row in enumerate(self.rows) if len(row) > number])
        taps = [self.rows[i][number] for i in chosen]
        return (
            None if len(chosen) == self.count else chosen,
            tuple([place for place, _ in taps]),
            tuple([weight for _, weight in taps]) if self.weighted else None,
        )

    @cached_property
    def adjoint(self) -> Taps:
        """The transpose: where each place's gradient comes from."""
        rows: list[list[tuple[int, float]]] = [[] for _ in range(self.size)]
        for number, row in enumerate(self.rows):
            for place, weight in row:
                rows[place].append((number, weight))
        return Taps(rows, self.count)


combine: TensorFunction = primitive(
    "combine",
    "input",
    "dim, taps",
    "out[..., i, ...] = the sum of weight * input[..., place, ...] over the row i of taps.",
    input=lambda g, dim, taps: combine(g, dim, taps.adjoint),
)
