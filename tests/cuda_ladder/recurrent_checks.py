"""Checks of recurrent layers: near to the compositions in double precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.ops import recurrent
from tests.cuda_ladder.checking import FULL, check
from tests.kernel_samples import close, sample

# A kind, its preactivations for each unit, and the shapes of what it takes beside them, by the
# sequences and the units.
KINDS: dict[str, tuple[int, Callable[[int, int], list[tuple[int, ...]]]]] = {
    "lstm": (4, lambda n, units: [(n, units), (n, units), (4 * units, units)]),
    "gru": (3, lambda n, units: [(n, units), (3 * units, units), (3 * units,)]),
    "gru without a bias": (3, lambda n, units: [(n, units), (3 * units, units)]),
    "rnn": (1, lambda n, units: [(n, units), (units, units)]),
    "rectified rnn": (1, lambda n, units: [(n, units), (units, units)]),
}
PACKED = (4, 4, 2, 1)  # sequences at each step
UNITS = (1, 3, 8, 33)  # of which 8 are read by 16 bytes


def layer(kind: str, sizes: tuple[int, ...] | None, backwards: bool) -> Callable[..., Any]:
    if kind == "lstm":
        return lambda *inputs: recurrent.lstm(*inputs, None, sizes, backwards)
    if kind.startswith("gru"):
        without = [None] if "without" in kind else []
        return lambda *inputs: recurrent.gru(*inputs, *without, sizes, backwards)
    return lambda *inputs: recurrent.rnn(*inputs, kind == "rectified rnn", sizes, backwards)


def inputs_of(kind: str, units: int, sizes: tuple[int, ...] | None) -> list[np.ndarray]:
    gates, shapes = KINDS[kind]
    lead = (4, 3) if sizes is None else (sum(sizes),)
    batch = 3 if sizes is None else sizes[0]
    all_shapes = [(*lead, gates * units), *shapes(batch, units)]
    return [sample(shape, "f8", seed, 0.5) for seed, shape in enumerate(all_shapes)]


def results(
    function: Callable[..., Any], inputs: Sequence[np.ndarray], dtype: Any, given: Sequence[bool]
) -> list[np.ndarray]:
    """The outputs, and the gradients of a combination of those that are given one."""
    tensors = [tg.tensor(x.astype(dtype), requires_grad=True) for x in inputs]
    outputs = function(*tensors)
    kept = [out for out, wanted in zip(outputs, given) if wanted]
    ways = [tg.tensor(sample(tuple(out.shape), dtype, 7 + k)) for k, out in enumerate(kept)]
    gradients = tg.autograd.grad(kept, tensors, ways)
    return [part.detach().cpu().numpy() for part in (*outputs, *gradients)]


def agree(function: Any, inputs: Any, dtype: Any, given: Sequence[bool] = (True,) * 3) -> None:
    found = results(function, inputs, dtype, given)
    rounded = [x.astype(dtype) for x in inputs]
    with tg.use_backend("numpy"):
        wanted = results(function, rounded, np.dtype("f8"), given)
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == dtype
        close(got, want, 60)


@check("recurrent.cu", FULL)
def layers_over_steps(backend: Any, dtype: Any, small: bool) -> None:
    for kind, units in product(KINDS, (3,) if small else UNITS):
        ways = list(product((None, PACKED), (False, True)))
        for sizes, backwards in ways[::3] if small else ways:
            agree(layer(kind, sizes, backwards), inputs_of(kind, units, sizes), dtype)


@check("recurrent.cu", FULL)
def layers_with_some_gradients(backend: Any, dtype: Any, small: bool) -> None:
    for kind in KINDS if not small else ():
        for given in product((False, True), repeat=3 if kind == "lstm" else 2):
            if any(given):
                agree(layer(kind, PACKED, True), inputs_of(kind, 4, PACKED), dtype, given)


@check("recurrent.cu", FULL)
def gates_of_one_step(backend: Any, dtype: Any, small: bool) -> None:
    for units, rows in ((3, 2),) if small else ((1, 1), (3, 5), (8, 5), (64, 33)):
        inputs = sample((rows, 4 * units), "f8"), sample((rows, units), "f8", 1)
        for given in ((True, True), (True, False), (False, True)):
            agree(recurrent.lstm_gates, inputs, dtype, given)


@check("recurrent.cu", FULL)
def numbers_that_saturate(backend: Any, dtype: Any, small: bool) -> None:
    for kind in KINDS if not small else ():
        inputs = inputs_of(kind, 4, None)
        inputs[0][0, 0, :4] = np.inf, -np.inf, 1e4, -1e4
        inputs[0][1, 1, 2] = np.nan
        with np.errstate(all="ignore"):
            found = layer(kind, None, False)(*[tg.tensor(x.astype(dtype)) for x in inputs])
            with tg.use_backend("numpy"):
                wanted = layer(kind, None, False)(*map(tg.tensor, inputs))
        for got, want in zip(found, wanted, strict=True):
            close(got.cpu().numpy(), want.numpy(), 60)
