"""Nested tuples, lists and dicts of tensors: their leaves in order, and the same with others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def children(tree: Any) -> list[Any] | None:
    """What a container holds, a dict's in the order of its keys; None of a leaf."""
    if isinstance(tree, tuple | list):
        return list(tree)
    if isinstance(tree, dict):
        return list(tree.values())
    return None


def rebuilt(tree: Any, parts: list[Any]) -> Any:
    """A container of the kind of `tree` that holds `parts`."""
    if isinstance(tree, dict):
        return dict(zip(tree, parts))
    if hasattr(tree, "_fields"):  # a named tuple
        return type(tree)(*parts)
    return type(tree)(parts)


def leaves(tree: Any) -> list[Any]:
    """The leaves, in order."""
    parts = children(tree)
    return [tree] if parts is None else [leaf for part in parts for leaf in leaves(part)]


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with `function` of each leaf in its place."""
    parts = children(tree)
    if parts is None:
        return function(tree)
    return rebuilt(tree, [mapped(function, part) for part in parts])


def replaced(tree: Any, values: Iterator[Any]) -> Any:
    """The tree with the next of `values` in the place of each leaf."""
    return mapped(lambda _: next(values), tree)


def spread(op: str, prefix: Any, tree: Any) -> list[Any]:
    """For each leaf of `tree` the value that stands for it in `prefix`, a tree that may end
    earlier: a number there holds for all below.
    """
    parts = children(tree)
    given = children(prefix)
    if given is None:
        return [prefix] * len(leaves(tree))
    if parts is None or len(parts) != len(given):
        raise ValueError(f"{op}: expected a structure like that of the arguments, got {prefix!r}")
    return [value for p, t in zip(given, parts) for value in spread(op, p, t)]
