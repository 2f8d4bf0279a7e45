"""Saved tensors in the keeping of user functions, and the other things that a watched node gets.

A pair of functions may stand for what nodes save: `pack(tensor)` takes a tensor away when a node
saves it, `unpack(packed)` gives it back when a rule asks. The node's `saved` is then an iterable
that unpacks, so the rules' code does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tensorgrad import modes
from tensorgrad.graph import Node, TensorCore, call_stack, wrap

Pack = Callable[[Any], Any]
Unpack = Callable[[Any], Any]


class Held:
    """One packed tensor: what the user keeps in its place, and the history it had."""

    __slots__ = ("is_array", "node", "packed")

    def __init__(self, value: Any, pack: Pack) -> None:
        self.is_array = not isinstance(value, TensorCore)
        self.node = None if self.is_array else value._node
        self.packed = pack(wrap(value if self.is_array else value._array))

    def open(self, unpack: Unpack) -> Any:
        tensor = unpack(self.packed)
        if not isinstance(tensor, TensorCore):
            raise TypeError(
                f"saved_tensors_hooks: expected unpack to return a tensor, got "
                f"{type(tensor).__name__}"
            )
        return tensor._array if self.is_array else wrap(tensor._array, self.node)


class Packed:
    """The `saved` of a node whose tensors are in a user's keeping."""

    __slots__ = ("parts", "unpack")

    def __init__(self, parts: Any, pack: Pack, unpack: Unpack) -> None:
        table = modes.current().backends
        self.parts = _held(parts, pack, table)
        self.unpack = unpack

    def __iter__(self) -> Iterator[Any]:
        parts = _opened(self.parts, self.unpack)
        return iter(parts if isinstance(parts, tuple) else (parts,))


def _held(value: Any, pack: Pack, table: Any) -> Any:
    if isinstance(value, TensorCore) or value.__class__ in table:
        return Held(value, pack)
    if value.__class__ is tuple or value.__class__ is list:
        return value.__class__([_held(part, pack, table) for part in value])
    return value


def _opened(value: Any, unpack: Unpack) -> Any:
    if value.__class__ is Held:
        return value.open(unpack)
    if value.__class__ is tuple or value.__class__ is list:
        return value.__class__([_opened(part, unpack) for part in value])
    return value


def watch(node: Node) -> None:
    """What a fresh node gets in a mode that is watched: its stack, and hands that hold what it
    saved.
    """
    mode = modes.current()
    if mode.anomaly:
        node.trace = call_stack(3)
    if mode.packing is not None:
        node.saved = Packed(node.saved, *mode.packing)
