"""Layouts and memory formats, under PyTorch's names, and the class of shapes.

Every tensor here is strided, and results lie in C order: the names are taken where PyTorch takes
them, and mean what is done anyway. What is not done has a name so that it is refused in words.
"""

from __future__ import annotations

import math
from typing import Any, SupportsIndex, overload

__all__ = [
    "Size",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "preserve_format",
    "strided",
]

item: Any = tuple.__getitem__


class Size(tuple[int, ...]):
    """A shape that can count its elements: what `Tensor.shape` and `Tensor.size()` are. Slices and
    sums of it are shapes, too.
    """

    __slots__ = ()

    def numel(self) -> int:
        """The product of the sizes."""
        return math.prod(self)

    @overload
    def __getitem__(self, key: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, key: slice) -> Size: ...
    def __getitem__(self, key: Any) -> Any:
        part = item(self, key)
        return Size(part) if part.__class__ is tuple else part

    def __add__(self, other: Any) -> Size:
        return Size(tuple(self) + other)

    def __radd__(self, other: Any) -> Size:
        return Size(other + tuple(self))

    def __mul__(self, count: SupportsIndex) -> Size:
        return Size(tuple(self) * count)

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"tensorgrad.Size({list(self)})"


class Layout:
    """`tg.strided`, the layout of every tensor."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"tensorgrad.{self.name}"


class MemoryFormat(Layout):
    """`tg.contiguous_format` or `tg.preserve_format`."""


strided = Layout("strided")
contiguous_format = MemoryFormat("contiguous_format")
preserve_format = MemoryFormat("preserve_format")
channels_last = MemoryFormat("channels_last")
channels_last_3d = MemoryFormat("channels_last_3d")


def check_format(op: str, memory_format: Any) -> None:
    """Refuse an order of elements that this library does not make."""
    if memory_format not in (None, contiguous_format, preserve_format):
        raise NotImplementedError(
            f"{op}: expected contiguous_format or preserve_format, got {memory_format}"
        )
