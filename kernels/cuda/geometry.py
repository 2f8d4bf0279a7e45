"""Windows over planes as `windows.cuh` has them: three dimensions, and what divides by a size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from tensorgrad.kernels.cuda.loader import structure

Array = Any
Sizes = tuple[int, ...]

LIMIT = 2**31  # of the numbers of a kernel


class Windows(NamedTuple):
    """Windows of one to three dimensions, and the structure that kernels take."""

    plane: Sizes
    grid: Sizes
    kernel: Sizes
    given: Any

    @property
    def places(self) -> int:
        return math.prod(self.plane)

    @property
    def positions(self) -> int:
        return math.prod(self.grid)

    @property
    def elements(self) -> int:
        return math.prod(self.kernel)


def positions_along(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False
) -> int:
    """How many windows a dimension has: below 1 where they do not fit. ceil_mode counts one that
    reaches past the padding too, if it starts before.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def divisor(number: int) -> Sizes:
    """The structure `Divisor`."""
    shift = (number - 1).bit_length()
    return number, (2**32 * (2**shift - number)) // number + 1, shift


def box(size: Sequence[int]) -> Sizes:
    """The structure `Box`."""
    volume = math.prod(size)
    by = [number for part in (volume, size[1], size[2]) for number in divisor(part)]
    return *size, volume, *by


def _three(numbers: Sequence[int], missing: int) -> Sizes:
    return *[missing] * (3 - len(numbers)), *numbers


@lru_cache(256)
def windows_of(
    plane: Sizes, grid: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes
) -> Windows:
    boxes = [number for size in (plane, grid, kernel) for number in box(_three(size, 1))]
    steps = [*_three(stride, 1), *_three(dilation, 1)]
    numbers = [*boxes, *_three(padding, 0), *[part for step in steps for part in divisor(step)]]
    return Windows(plane, grid, kernel, structure(numbers, "u4"))


@lru_cache(256)
def even_windows(plane: Sizes, grid: Sizes) -> Any:
    """The structure `EvenWindows`."""
    return structure([*box(_three(plane, 1)), *box(_three(grid, 1))], "u4")


def numbered(*counts: int) -> bool:
    """Whether kernels can number so many elements, of which there are some."""
    return min(counts) > 0 and max(counts) < LIMIT
