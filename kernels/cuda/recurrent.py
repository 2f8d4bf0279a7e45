"""Layers of recurrent units over all steps: what `recurrent.cu` is given, and the products of
cuBLAS between its launches. Knows where rows lie, but not what a cell computes.

A step is a product and a launch, forward and backward: nothing else is asked of the GPU in the
loop, nothing waits and no memory is taken, so that a graph can capture it. The rows of a step lie
beside each other. Packed sequences end or begin from step to step; the kernels hand each row's
state on to where its next step reads it, or to the last states.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.kernels.cuda.loader import kernel, served, structure

Array = Any

BLOCK = 128  # as in recurrent.cu


class Turn(NamedTuple):
    """A step, and what a launch for it is given."""

    rows: slice
    running: int  # how many rows
    launched: int  # rows that the launch has: also those of sequences that begin after it
    step: Any  # the structure Step


class Course(NamedTuple):
    """The steps in the order of time."""

    turns: list[Turn]
    total: int  # rows of all steps
    batch: int


@lru_cache(maxsize=32)
def course(shape: tuple[int, ...], sizes: tuple[int, ...] | None, backwards: bool) -> Course:
    """The course over (L, N, G), or over (total, G) with sizes."""
    counts = [shape[1]] * shape[0] if sizes is None else list(sizes)
    ends = np.cumsum(counts).tolist()
    steps = [(end - count, count) for end, count in zip(ends, counts)]
    steps = [*(steps[::-1] if backwards else steps), (0, 0)]
    turns = [
        Turn(
            slice(first, first + count),
            count,
            max(count, following),
            structure([first, count, next_first, following, not number], "i8"),
        )
        for number, ((first, count), (next_first, following)) in enumerate(pairwise(steps))
    ]
    return Course(turns, ends[-1], counts[0])


def alone(batch: int) -> Turn:
    """A step that follows upon one and is the last."""
    return Turn(slice(0, batch), batch, batch, structure([0, batch, 0, 0, 0], "i8"))


def ready(*arrays: Array | None) -> list[Array] | None:
    """The arrays as kernels read them; None unless all are of one dtype that they know and have
    elements. A state of 16 bits, rounded at every step, is left to the composition.
    """
    import cupy

    there = [array for array in arrays if array is not None]
    if not served(there) or there[0].dtype.itemsize == 2 or not all(array.size for array in there):
        return None
    return [cupy.ascontiguousarray(array) for array in there]


class Launcher:
    """The kernels for units of this number and these arrays."""

    def __init__(self, units: int, arrays: Sequence[Array]) -> None:
        dtype = arrays[0].dtype
        width = 16 // dtype.itemsize
        aligned = not any(array.data.ptr % 16 for array in arrays)
        self.char, self.units = dtype.char, units
        self.wide = aligned and units % width == 0
        self.width = width if self.wide else 1

    def __call__(self, name: str, turn: Turn, arrays: Sequence[Any], *flags: int) -> None:
        threads = turn.launched * self.units // self.width
        given = (*arrays, turn.step, np.int32(self.units), *map(np.int32, flags))
        function = kernel("recurrent.cu", name, self.char, int(self.wide))
        function((-(-threads // BLOCK),), (BLOCK,), given)


def over_steps(
    way: Course,
    weight: Array,
    hidden: Array,
    starts: Array,
    products: Array,
    step: Callable[[Turn], None],
) -> None:
    """Forward: the product of what each step's rows start with, and its launch."""
    import cupy

    across = weight.transpose()
    for turn in way.turns:
        first = turn is way.turns[0]
        left = hidden[: turn.running] if first else starts[turn.rows]
        cupy.matmul(left, across, out=products[turn.rows])
        step(turn)


def back_over_steps(
    way: Course,
    weight: Array,
    slopes: Array,
    g_hidden: Array,
    begun: bool,
    step: Callable[[Turn], None],
) -> None:
    """Backward: the launch of each step, and the product of its rows of `slopes`, which is the
    gradient of h before it. Before the first step that is wanted if `begun`.
    """
    import cupy

    for turn in reversed(way.turns):
        step(turn)
        if begun or turn is not way.turns[0]:
            cupy.matmul(slopes[turn.rows], weight, out=g_hidden[: turn.running])


class Given:
    """Gradients of outputs, of which some may be absent: a bit tells which are there."""

    def __init__(self, gradients: Sequence[Array | None], instead: Array) -> None:
        import cupy

        self.bits = sum(1 << k for k, g in enumerate(gradients) if g is not None)
        self.arrays = [instead if g is None else cupy.ascontiguousarray(g) for g in gradients]


def lstm_gates(gates: Array, cell: Array) -> Any:
    """(hidden, new cell, state for the gradient): one step whose products are added already."""
    import cupy

    arrays = ready(gates, cell)
    if arrays is None or cell.ndim != 2 or gates.shape != (cell.shape[0], 4 * cell.shape[1]):
        return NotImplemented
    gates, cell = arrays
    batch, units = cell.shape
    state = cupy.empty(gates.shape, gates.dtype)
    hidden, new_cell = cupy.empty(cell.shape, cell.dtype), cupy.empty(cell.shape, cell.dtype)
    given = gates, state, cell, cell, hidden, cell, hidden, hidden, new_cell
    Launcher(units, arrays)("lstm_step", alone(batch), given, 0)
    return hidden, new_cell, state


def lstm_gates_vjp(g: Sequence[Array | None], cell: Array, aux: Array) -> Any:
    """(gradient of the preactivations, gradient of the cell); an absent gradient is None."""
    import cupy

    arrays = ready(cell, *g)
    if arrays is None:
        return NotImplemented
    batch, units = cell.shape
    g_gates, g_cell = cupy.empty(aux.shape, cell.dtype), cupy.empty(cell.shape, cell.dtype)
    given = Given([None, *g], cell)
    inputs = *given.arrays, aux, arrays[0], cell, g_cell, g_gates
    Launcher(units, [*arrays, *given.arrays])("lstm_step_vjp", alone(batch), inputs, given.bits)
    return g_gates, g_cell


def lstm(
    projected: Array,
    hidden: Array,
    cell: Array,
    weight: Array,
    projection: Array | None,
    sizes: tuple[int, ...] | None,
    backwards: bool,
) -> Any:
    """(h of all steps, last h, last c, what the gradient needs)."""
    import cupy

    arrays = ready(projected, hidden, cell, weight)
    if projection is not None or arrays is None:
        return NotImplemented
    projected, hidden, cell, weight = arrays
    way, units, dtype = course(projected.shape, sizes, backwards), hidden.shape[1], hidden.dtype
    gates = cupy.empty((way.total, 4 * units), dtype)
    starts, cell_starts = (cupy.empty((way.total, units), dtype) for _ in range(2))
    output = cupy.empty((*projected.shape[:-1], units), dtype)
    last, last_cell = (cupy.empty((way.batch, units), dtype) for _ in range(2))
    given = projected, gates, hidden, cell, starts, cell_starts, output, last, last_cell
    launch = Launcher(units, arrays)
    over_steps(way, weight, hidden, starts, gates, lambda turn: launch("lstm_step", turn, given, 1))
    return output, last, last_cell, (way, gates, starts, cell_starts)


def lstm_vjp(
    g: Sequence[Array | None],
    projected_shape: tuple[int, ...],
    weight: Array,
    aux: Any,
    needs: tuple[bool, ...],
) -> Any:
    """The gradients of projected, hidden, cell and weight; those of the outputs may be None."""
    import cupy

    way, gates, starts, cell_starts = aux
    units, dtype = starts.shape[1], starts.dtype
    arrays = ready(weight, *g)
    if arrays is None or weight.dtype != dtype:
        return NotImplemented
    g_gates = cupy.empty(gates.shape, dtype)
    g_hidden, g_cell = (cupy.empty((way.batch, units), dtype) for _ in range(2))
    given = Given(g, starts)
    inputs = *given.arrays, gates, cell_starts, g_hidden, g_cell, g_gates
    launch = Launcher(units, given.arrays)

    def step(turn: Turn) -> None:
        launch("lstm_step_vjp", turn, inputs, given.bits)

    back_over_steps(way, arrays[0], g_gates, g_hidden, needs[1], step)
    g_weight = cupy.matmul(g_gates.transpose(), starts) if needs[3] else None
    return g_gates.reshape(projected_shape), g_hidden, g_cell, g_weight, None


def gru(
    projected: Array,
    hidden: Array,
    weight: Array,
    bias: Array | None,
    sizes: tuple[int, ...] | None,
    backwards: bool,
) -> Any:
    """(h of all steps, last h, what the gradient needs)."""
    import cupy

    arrays = ready(projected, hidden, weight, bias)
    if arrays is None:
        return NotImplemented
    projected, hidden, weight, *rest = arrays
    way, units, dtype = course(projected.shape, sizes, backwards), hidden.shape[1], hidden.dtype
    gates = cupy.empty((way.total, 3 * units), dtype)
    starts, candidates = (cupy.empty((way.total, units), dtype) for _ in range(2))
    output = cupy.empty((*projected.shape[:-1], units), dtype)
    last = cupy.empty((way.batch, units), dtype)
    biases = rest[0] if rest else projected
    given = projected, gates, biases, hidden, starts, candidates, output, last
    launch = Launcher(units, arrays)

    def step(turn: Turn) -> None:
        launch("gru_step", turn, given, bool(rest))

    over_steps(way, weight, hidden, starts, gates, step)
    return output, last, (way, gates, starts, candidates)


def gru_vjp(
    g: Sequence[Array | None],
    projected_shape: tuple[int, ...],
    weight: Array,
    aux: Any,
    needs: tuple[bool, ...],
) -> Any:
    """The gradients of projected, hidden, weight and bias; those of the outputs may be None."""
    import cupy

    way, gates, starts, candidates = aux
    units, dtype = starts.shape[1], starts.dtype
    arrays = ready(weight, *g)
    if arrays is None or weight.dtype != dtype:
        return NotImplemented
    g_input, g_product = (cupy.empty(gates.shape, dtype) for _ in range(2))
    g_hidden, g_direct = (cupy.empty((way.batch, units), dtype) for _ in range(2))
    given = Given(g, starts)
    inputs = *given.arrays, gates, candidates, starts, g_hidden, g_direct, g_input, g_product
    launch = Launcher(units, given.arrays)

    def step(turn: Turn) -> None:
        launch("gru_step_vjp", turn, inputs, given.bits)

    back_over_steps(way, arrays[0], g_product, g_hidden, needs[1], step)
    if needs[1]:
        g_hidden += g_direct
    g_weight = cupy.matmul(g_product.transpose(), starts) if needs[2] else None
    g_bias = cupy.sum(g_product, axis=0) if needs[3] else None
    return g_input.reshape(projected_shape), g_hidden, g_weight, g_bias


def rnn(
    projected: Array,
    hidden: Array,
    weight: Array,
    rectified: bool,
    sizes: tuple[int, ...] | None,
    backwards: bool,
) -> Any:
    """(h of all steps, last h, what the gradient needs)."""
    import cupy

    arrays = ready(projected, hidden, weight)
    if arrays is None:
        return NotImplemented
    projected, hidden, weight = arrays
    way, units, dtype = course(projected.shape, sizes, backwards), hidden.shape[1], hidden.dtype
    starts = cupy.empty((way.total + way.batch, units), dtype)
    output, last = cupy.empty(projected.shape, dtype), cupy.empty((way.batch, units), dtype)
    given = projected, hidden, starts, output, last, np.int64(way.total)
    launch = Launcher(units, arrays)
    products = output.reshape(way.total, units)

    def step(turn: Turn) -> None:
        launch("rnn_step", turn, given, rectified)

    over_steps(way, weight, hidden, starts, products, step)
    return output, last, (way, starts)


def rnn_vjp(
    g: Sequence[Array | None],
    projected_shape: tuple[int, ...],
    weight: Array,
    rectified: bool,
    aux: Any,
    needs: tuple[bool, ...],
) -> Any:
    """The gradients of projected, hidden and weight; those of the outputs may be None."""
    import cupy

    way, starts = aux
    units, dtype = starts.shape[1], starts.dtype
    arrays = ready(weight, *g)
    if arrays is None or weight.dtype != dtype:
        return NotImplemented
    g_input, g_hidden = (cupy.empty((rows, units), dtype) for rows in (way.total, way.batch))
    given = Given(g, starts)
    inputs = *given.arrays, starts, g_hidden, g_input, np.int64(way.total)
    launch = Launcher(units, given.arrays)

    def step(turn: Turn) -> None:
        launch("rnn_step_vjp", turn, inputs, rectified, given.bits)

    back_over_steps(way, arrays[0], g_input, g_hidden, needs[1], step)
    g_weight = cupy.matmul(g_input.transpose(), starts[: way.total]) if needs[2] else None
    return g_input.reshape(projected_shape), g_hidden, g_weight
