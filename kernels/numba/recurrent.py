"""What recurrent layers share: the order of steps, the product of a step, how work is split. Knows
rows and panels, but not what a cell computes.

A step multiplies a few rows of h, one for each sequence, by the recurrent weights: few rows, where
a general product spends its time packing. Here the weights are packed once a call, and the tile
reads h where it lies. Two splits keep all threads at work, and neither changes a sum:

- over sequences: a task runs all steps of some of them alone and never waits for another;
- over units: a task runs one step of some units of all sequences, in a round of its own. That costs
  a launch a step, but each thread reads only its part of the weights. For large weights, which do
  not stay in a core's cache from step to step, and for few sequences.

h of every step lies in one array with the initial one, so that the left operand of the weights'
gradient, which is what every step read, is a part of that array: one product after the loop.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numba import get_num_threads

from tensorgrad.kernels.numba import gemm
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.microkernel import ROWS, columns, fitting_tile
from tensorgrad.kernels.numba.row_products import fetch
from tensorgrad.kernels.numba.runtime import FLOATS
from tensorgrad.kernels.numba.tasks import part

OWN_CACHE = 1_500_000  # bytes of weights that stay with a core from step to step
ROWS_OF_A_TASK = 4  # from which weights are read often enough, wherever they come from
ROUND = 400_000  # multiply-adds of a step from which a round pays


class Course(NamedTuple):
    """The steps of a layer in the order of time, and where the rows of each are.

    `states` has the states after all steps, and beside them the initial ones: (total + batch, H).
    """

    steps: Any  # (L, 2): the first row of a step, and how many it has
    total: int  # rows of all steps
    batch: int  # sequences
    output: int  # the row of `states` where the steps' rows begin
    initial: int  # and where the initial state begins
    before: Any  # (total,): the row of `states` that each row follows upon
    read: Any  # the same as an index, a slice if it can be
    ends: Any  # (batch,): the row of `states` of each sequence's last one

    def states(self, initial):
        out = np.empty((self.total + self.batch, initial.shape[1]), initial.dtype)
        out[self.initial : self.initial + self.batch] = initial
        return out


@lru_cache(maxsize=32)
def course(shape, sizes, backwards):
    """The course over (L, N, G), or (total, G) with sizes. Kept, as it is half the time of a layer
    that is small.
    """
    length, batch = shape[:2] if sizes is None else (len(sizes), sizes[0])
    rows = np.full(length, batch) if sizes is None else np.array(sizes)
    last = np.cumsum(rows)
    first, total = last - rows, int(last[-1])
    steps, places = np.stack([first, rows], 1), np.arange(total)
    ends = places[:batch]
    if backwards:
        own, following = places - np.repeat(first, rows), np.append(rows[1:], 0)
        joins = own >= np.repeat(following, rows)
        before = np.where(joins, total + own, places + np.repeat(rows, rows))
        steps, output, initial = np.ascontiguousarray(steps[::-1]), 0, total
    else:
        before = places + batch - np.repeat(np.append(batch, rows[:-1]), rows)
        output, initial = batch, 0
        lengths = np.searchsorted(-rows, -ends)
        ends = batch + first[lengths - 1] + ends
    read = before if sizes is not None else slice(before[0], before[0] + total)
    if backwards and sizes is None:
        read = slice(batch, None)
    return Course(steps, total, batch, output, initial, before, read, ends)


def served(*arrays):
    """Whether all are of one dtype in FLOATS and have elements."""
    dtype = arrays[0].dtype
    return dtype in FLOATS and all(array.dtype is dtype and array.size for array in arrays)


def output_gradient(given, total, n, dtype):
    """The gradient of all outputs by row; without rows if it is absent."""
    return np.empty((0, n), dtype) if given is None else plain(given).reshape(total, n)


def gradient(given, shape, dtype):
    """A gradient to go on with; zeros for one that is absent."""
    return np.zeros(shape, dtype) if given is None else np.array(given, order="C")


class Split(NamedTuple):
    """How the work is divided."""

    rounds: int  # 1, or the number of steps
    rows: int  # sequences of a task
    parts: int  # of the units

    def tasks(self, batch):
        return -(-batch // self.rows) * self.parts

    def numbers(self, length, units, width):
        """What `span` needs, for groups of `units` columns."""
        panels = -(-units // width)
        return self.rows, -(-panels // self.parts), -(-length // self.rounds), units, width


def split(weight, batch, length):
    """The split of `length` steps with weight (G, H)."""
    panels = -(-weight.shape[1] // columns(weight.dtype))
    threads = get_num_threads()
    rows = -(-batch // threads)
    alone = -(-batch // rows) == threads and (weight.nbytes <= OWN_CACHE or rows >= ROWS_OF_A_TASK)
    if alone or min(threads, panels) == 1 or batch * weight.size < ROUND:
        return Split(1, rows, 1)
    return Split(length, batch, -(-panels // -(-panels // threads)))


def packed(weight, groups):
    """The panels of weight.T, weight (outputs, H), those of each group of outputs apart."""
    if groups == 1:
        return gemm.panels_of(weight.T)
    return np.concatenate([gemm.panels_of(gate.T) for gate in np.split(weight, groups)])


@part
def _tile_rows(left):
    """Rows of the next tile: halves, rather than a whole tile and a low one."""
    if left >= 2 * ROWS - 3 or left <= ROWS:
        return min(left, ROWS)
    return (left + 1) // 2


@part
def multiply(a, a_rows, a_row, weight, panels, units, first, by_row, c, c_start, c_rows, c_row, n):
    """c = first + a weight, `n` rows of it, and the given panels of each group of `units` columns.

    Row r of a begins at a_rows[a_row + r], of c at c_start + c_rows[c_row + r]. by_row: whether
    `first` has a row for each one, c_rows[c_row + r] from its start; otherwise it is one row.
    """
    terms, width = weight.shape[1:]
    apart = -(-units // width)
    for group in range(weight.shape[0] // apart):
        for panel in range(panels[0], panels[1]):
            place = (group * apart + panel) * terms
            column = group * units + panel * width
            count = min(width, units - panel * width)
            for k in range(0, terms, gemm.TERMS):
                some = min(gemm.TERMS, terms - k)
                begin, start, each = (c, c_start, 1) if k else (first, 0, by_row)
                r = 0
                while r < n:
                    there = _tile_rows(n - r)
                    fitting_tile(
                        a, k, a_rows, a_row + r, 1,
                        weight, (place + k) * width,
                        some,
                        begin, start + column, each,
                        c, c_start + column, c_rows, c_row + r,
                        there, count,
                    )  # fmt: skip
                    r += there


@part
def multiply_states(
    s, steps, rows, hidden, read_rows, weight, panels, units, first, by_row, c, c_start, write_rows
):  # fmt: skip
    """`multiply` by h of the sequences `rows` at step s; the first of its rows, and how many."""
    row = steps[s, 0] + rows[0]
    there = min(rows[1], steps[s, 1]) - rows[0]
    multiply(
        hidden, read_rows, row, weight, panels, units,
        first, by_row, c, c_start, write_rows, row, there,
    )  # fmt: skip
    return row, there


@part
def ask_for_rows(a, s, steps, rows):
    """Of the sequences `rows` at step s, while something else is computed."""
    size, line = a.shape[1], 64 // a.itemsize
    row, end = steps[s, 0] + rows[0], steps[s, 0] + min(rows[1], steps[s, 1])
    for place in range(row * size, end * size, line):
        fetch(a, place)


@part
def multiply_gradients(s, steps, rows, g, read_rows, weight, panels, g_hidden, write_rows):
    """To the gradient of h (batch, H) what comes from step s, whose preactivations have g."""
    there = min(rows[1], steps[s, 1]) - rows[0]
    multiply(
        g, read_rows, steps[s, 0] + rows[0], weight, panels, g_hidden.shape[1],
        g_hidden, 1, g_hidden, 0, write_rows, rows[0], there,
    )  # fmt: skip


# Slices, as a loop from a number that might be below zero is not vectorised.
@part
def copy_units(source, target, units):
    source, target = source[units[0] : units[1]], target[units[0] : units[1]]
    for j in range(source.size):
        target[j] = source[j]


@part
def add_units(g_output, row, target, units):
    """Of a row of the gradient of all outputs, which has none where that is absent."""
    if g_output.size:
        more, target = g_output[row, units[0] : units[1]], target[units[0] : units[1]]
        for j in range(more.size):
            target[j] += more[j]


@part
def span(task, batch, length, numbers):
    """The first and the end of a task's steps, rows, panels and units."""
    rows, panels, steps, units, width = numbers
    of_group = -(-units // width)
    across = -(-of_group // panels)
    each = -(-batch // rows) * across
    step, row, panel = task // each * steps, task % each // across * rows, task % across * panels
    return (
        (step, min(step + steps, length)),
        (row, min(row + rows, batch)),
        (panel, min(panel + panels, of_group)),
        (panel * width, min((panel + panels) * width, units)),
    )
