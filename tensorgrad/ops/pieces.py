"""Cutting a tensor into views: one node for all of them, whose backward pass joins their gradients.

A node for each view would fill a gradient of the whole tensor for each of them. Knows the graph and
the backend's slicing; which pieces are cut is said in ops/shape.py.
"""

from __future__ import annotations

from typing import Any

from tensorgrad import modes
from tensorgrad.graph import Multi, Pick, TensorCore, wrap
from tensorgrad.op import OPS, link_view
from tensorgrad.ops.creation import zeros_of

Index = tuple[Any, ...]


class Pieces(Multi):
    """The node of `split` and `unbind`; `dim` is where the pieces lay, and `dropped` says whether
    they have lost it.
    """

    __slots__ = ("dim", "dropped")

    dim: int
    dropped: bool

    def __init__(
        self, input: TensorCore, dim: int, dropped: bool, shapes: tuple[tuple[int, ...], ...]
    ) -> None:
        self.begin((input._node,), ())
        self.shapes = shapes
        self.dim = dim
        self.dropped = dropped

    def name(self) -> str:
        return "UnbindBackward0" if self.dropped else "SplitBackward0"

    def pull(self, g: Any) -> tuple[Any, ...]:
        parts = self.parts(g)
        return (modes.current().backends[parts[0].__class__].join(parts, self.dim),)

    def pull_tensors(self, g: Any) -> tuple[Any, ...]:
        return (OPS["cat"].call(self.parts(g), self.dim),)

    def parts(self, g: Any) -> list[Any]:
        """A gradient for each piece, as the pieces lay in the whole."""
        known = next(part for part in g if part is not None)
        parts = [
            zeros_of(known, shape) if part is None else part
            for part, shape in zip(g, self.shapes, strict=True)
        ]
        if self.dropped:
            reshape, dim = OPS["reshape"].call, self.dim
            parts = [
                reshape(part, (*shape[:dim], 1, *shape[dim:]))
                for part, shape in zip(parts, self.shapes, strict=True)
            ]
        return parts


def cut(input: Any, dim: int, indices: list[Index], dropped: bool) -> tuple[Any, ...]:
    """input[index] for each of `indices`, which divide it along `dim`; views."""
    take = OPS["getitem"].call
    if not (isinstance(input, TensorCore) and input._node is not None and modes.current().record):
        return tuple([take(input, index) for index in indices])
    array = input._array
    backend = modes.current().backends[array.__class__]
    arrays = [backend.getitem(array, index) for index in indices]
    node = Pieces(input, dim, dropped, tuple([part.shape for part in arrays]))
    views = [wrap(part, Pick(node, number)) for number, part in enumerate(arrays)]
    for view, index in zip(views, indices, strict=True):
        link_view(view, input, array, take, (index,))
    return tuple(views)
