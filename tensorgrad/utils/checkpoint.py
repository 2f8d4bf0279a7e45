"""Memory against time: a function whose saved tensors are computed again in the backward pass.

https://docs.pytorch.org/docs/stable/checkpoint.html
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tensorgrad import modes
from tensorgrad.random import default_generator

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential"]

Contexts = tuple[contextlib.AbstractContextManager[Any], contextlib.AbstractContextManager[Any]]


class CheckpointError(RuntimeError):
    """The second run of a checkpointed function saved other tensors than the first."""


class _Enough(BaseException):
    """Ends the second run: everything that was saved has been computed again."""


def noop_context_fn() -> Contexts:
    """Two contexts that do nothing: for the first run and for the second."""
    return contextlib.nullcontext(), contextlib.nullcontext()


class _Segment:
    """One call of a checkpointed function: its arguments in place of what its ops saved."""

    def __init__(
        self,
        run: Callable[[], Any],
        again: contextlib.AbstractContextManager[Any],
        keep_random: bool,
        compare: bool,
    ) -> None:
        self.run = run
        self.again = again
        self.autocast = modes.current().autocast
        self.random_state = default_generator.get_state() if keep_random else None
        self.compare = compare
        self.kinds: list[tuple[tuple[int, ...], Any]] = []  # shape and dtype of what was saved
        self.found: dict[int, Any] = {}

    def pack(self, tensor: Any) -> int:
        self.kinds.append((tuple(tensor.shape), tensor.dtype))
        return len(self.kinds) - 1

    def unpack(self, number: int) -> Any:
        if number not in self.found:
            self.compute_again()
        return self.found.pop(number)

    def compute_again(self) -> None:
        found: dict[int, Any] = {}

        def keep(tensor: Any) -> None:
            number = len(found)
            kind = (tuple(tensor.shape), tensor.dtype)
            if self.compare and kind != self.kinds[number]:
                raise CheckpointError(
                    f"checkpoint: expected the second run to save {self.kinds[number]} at place "
                    f"{number}, got {kind}"
                )
            found[number] = tensor
            if len(found) == len(self.kinds):
                raise _Enough

        now = default_generator.get_state()
        if self.random_state is not None:
            default_generator.set_state(self.random_state)
        mode = modes.ModeContext(grad=True, inference=False, packing=(keep, self.unpack))
        cast = contextlib.nullcontext() if self.autocast is None else self.autocast.again()
        try:
            with self.again, mode, cast, contextlib.suppress(_Enough):
                self.run()
        finally:
            if self.random_state is not None:
                default_generator.set_state(now)
        if len(found) < len(self.kinds):
            raise CheckpointError(
                f"checkpoint: expected the second run to save {len(self.kinds)} tensors, got "
                f"{len(found)}"
            )
        self.found = found


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], Contexts] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), of which nothing is saved but the arguments: the backward pass
    runs it again for what its rules need, as far as the last tensor of these.

    preserve_rng_state: the second run draws the same random numbers. context_fn gives two contexts,
    one for each run. determinism_check: "default" compares shapes and dtypes of the two runs,
    "none" does not. Gradients are those of PyTorch's use_reentrant=False, whatever is asked for;
    `debug` changes nothing.
    """
    if determinism_check not in ("default", "none"):
        raise ValueError(
            "checkpoint: expected determinism_check to be 'default' or 'none', got "
            f"{determinism_check!r}"
        )
    first, again = context_fn()
    if not modes.current().record:
        with first:
            return function(*args, **kwargs)
    segment = _Segment(
        lambda: function(*args, **kwargs),
        again,
        preserve_rng_state,
        determinism_check == "default",
    )
    with first, modes.ModeContext(packing=(segment.pack, segment.unpack)):
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Iterable[Callable[..., Any]],
    segments: int,
    input: Any,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """The functions (a Sequential's modules, say) one after another, in `segments` parts of which
    all but the last are checkpointed.
    """
    chain = list(functions)
    if not 0 < segments <= max(len(chain), 1):
        raise ValueError(
            f"checkpoint_sequential: expected from 1 to {len(chain)} segments, got {segments}"
        )
    size = len(chain) // segments
    start = 0
    for _ in range(segments - 1):
        part = chain[start : start + size]
        input = checkpoint(_one_by_one(part), input, use_reentrant=use_reentrant, **kwargs)
        start += size
    return _one_by_one(chain[start:])(input)


def _one_by_one(functions: Sequence[Callable[..., Any]]) -> Callable[[Any], Any]:
    def run(input: Any) -> Any:
        for function in functions:
            input = function(input)
        return input

    return run
