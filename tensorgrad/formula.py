"""An elementwise formula of a few tensors, and its gradient, as texts that a backend may compile.

The formula is run once on tensors that hold symbols in place of arrays, recorded, and walked back
through: what the ops and their gradient rules did is the text. So a loss is written once, as a
composition of ops, and has loops of its own, forward and backward, that move each array once. See
`tensorgrad.elementwise` for what such a formula may call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from tensorgrad import engine, modes
from tensorgrad.elementwise import Symbol, Tape, table
from tensorgrad.graph import Leaf, wrap

_recording = modes.Mode(backends=table)


class Text(NamedTuple):
    """`lines`: assignments of x0, x1, ... (an element of each tensor), of g (one of the gradient)
    and of c0, c1, ..., which are `numbers`. `names`: which of these tensors there are; `results`:
    what is computed, with commas between, `many` of it.
    """

    names: str
    lines: str
    results: str
    numbers: tuple[float, ...]
    many: int


class Formula:
    """`function` of tensors, with its numbers given."""

    def __init__(self, function: Callable[..., Any], numbers: dict[str, Any]) -> None:
        self.function = function
        self.numbers = numbers
        self.texts: dict[Any, Text] = {}

    def __call__(self, *tensors: Any) -> Any:
        return self.function(*tensors, **self.numbers)

    def value(self, count: int) -> Text:
        """Of so many tensors."""
        known = self.texts.get(count)
        if known is None:
            known = self.texts[count] = self._traced(count, None)
        return known

    def slopes(self, wanted: tuple[bool, ...]) -> Text:
        """The gradients of the tensors that are wanted."""
        known = self.texts.get(wanted)
        if known is None:
            known = self.texts[wanted] = self._traced(len(wanted), wanted)
        return known

    def _traced(self, count: int, wanted: tuple[bool, ...] | None) -> Text:
        tape = Tape()
        tensors = [wrap(Symbol(f"x{k}", tape)) for k in range(count)]
        leaves = [x for x, want in zip(tensors, wanted or ()) if want]
        for leaf in leaves:
            leaf._node = Leaf(leaf)
        token = modes.variable.set(_recording)
        try:
            results = (self(*tensors),)
            if wanted is not None:
                seed = wrap(Symbol("g", tape))
                results = engine.grad(results, leaves, [seed], False, False, False)
        finally:
            modes.variable.reset(token)
        names = [f"x{k}" for k in range(count)] + ["g"] * (wanted is not None)
        found = [tape.operand(result._array) for result in results]
        lines, numbers = "\n".join(tape.lines), tuple(tape.numbers)
        return Text(" ".join(names), lines, ", ".join(found), numbers, len(found))


@lru_cache(maxsize=256)
def _formula(function: Callable[..., Any], numbers: tuple[tuple[str, Any], ...]) -> Formula:
    return Formula(function, dict(numbers))


def formula(function: Callable[..., Any], **numbers: Any) -> Formula:
    """The formula of a function and its numbers, the same one each time."""
    return _formula(function, tuple(numbers.items()))
