"""Cross-entropy of a linear map's outputs, by chunks of these logits. Knows arrays only.

A chunk is CHUNK logits, all rows of some classes, which are read while they are in the shared
cache: so each weight is read, and its gradient written, once a pass, where chunks of whole rows
would take the gradient of all weights in and out for each. Forward brings the largest logit of each
row and the sum of exponentials from chunk to chunk. Backward makes the gradient of one chunk at a
time, so that there never is a second array of the logits' size; of more than KEPT logits there is
not even the first, and they are computed again: four products in place of three.

For 700 rows of 200 terms and 10,000 classes a step takes 1.05 of the composition's time, for 2048
of 256 and 32,000 as long or less, with 0.55 of the memory; computed again 1.35, with 0.15
(by chunks of whole rows 1.8). Three
products of 50 ms in all, at three quarters of the peak of two cores, bound such a step. Of the
quarter, 200 columns lose a tenth: the last of seven panels is mostly idle. Tried for the rest
without gain: blocks of 128 terms, asking ahead for the rows that a product writes, or for those
that its next block packs, and pages of 2 MB.
"""

import math

import numpy as np

from tensorgrad.kernels.numba import gemm, softmax
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.math import difference, exp, log
from tensorgrad.kernels.numba.reductions import KINDS, reduced
from tensorgrad.kernels.numba.runtime import FLOATS, INT64, larger
from tensorgrad.kernels.numba.softmax import peak_of, sum_of_exp
from tensorgrad.kernels.numba.tasks import Tasks

CHUNK = 1 << 21  # logits at a time
ROWS = 4096  # rows at a time, of which there are to be some classes in a chunk
TASK = 8  # rows a task
KEPT = 1 << 26  # logits that are kept for the gradient, 256 MB of float32


@Tasks
def _bring_forward(task, x, first, target, picked, state):
    """What is known of each row, with the logits x of the classes from `first` on."""
    nothing = -x.dtype.type(math.inf)
    for i in range(task * TASK, min(x.shape[0], (task + 1) * TASK)):
        row, known = x[i], state[i]
        here = target[i] - first
        if here >= 0 and here < row.size:
            picked[i] = row[here]
        peak = peak_of(row)
        if peak != nothing:
            total = sum_of_exp(row, peak)
            most = larger(peak, known[0])
            known[1] = known[1] * exp(known[0] - most) + total * exp(peak - most)
            known[0] = most


@Tasks
def _finish(task, target, ignore_index, picked, state, loss):
    for i in range(loss.size):
        loss[i] = 0
        if target[i] != ignore_index:
            loss[i] = difference(log(state[i, 1]), picked[i] - state[i, 0])


@Tasks
def _slopes(task, x, first, g, target, ignore_index, state, out):
    """The gradients of the logits x of the classes from `first` on."""
    for i in range(task * TASK, min(x.shape[0], (task + 1) * TASK)):
        row, slope, peak = x[i], out[i], state[i, 0]
        if target[i] == ignore_index:
            for j in range(row.size):
                slope[j] = 0
        else:
            scale = g[i] / state[i, 1]
            for j in range(row.size):
                slope[j] = exp(row[j] - peak) * scale
            here = target[i] - first
            if here >= 0 and here < row.size:
                slope[here] -= g[i]


def _parts(size, at_a_time):
    return [slice(start, min(start + at_a_time, size)) for start in range(0, size, at_a_time)]


def _chunks(rows, classes, memory):
    """Each chunk: its rows, its classes, and its part of the memory where it has all of them, or
    else the memory's beginning.
    """
    place, whole = 0, memory.size == rows * classes
    for some in _parts(rows, ROWS):
        count = some.stop - some.start
        for these in _parts(classes, max(1, CHUNK // count)):
            end = place + count * (these.stop - these.start)
            yield some, these, memory[place:end].reshape(count, -1)
            place = end if whole else 0


def _room(rows, dtype):
    return np.empty(max(CHUNK, min(rows, ROWS)), dtype)


def linear_softmax_cross_entropy(input, weight, bias, target, ignore_index):
    """(the loss of each row; state for the gradient) of input (N, K) and weight (C, K)."""
    dtype, (rows, classes) = input.dtype, (input.shape[0], weight.shape[0])
    if (
        dtype not in FLOATS
        or weight.dtype is not dtype
        or (bias is not None and bias.dtype is not dtype)
        or target.dtype is not INT64
        or not input.size
        or rows * classes <= CHUNK
    ):
        return NotImplemented
    target = softmax.checked("linear_cross_entropy", target, classes, ignore_index)
    input, picked, loss = plain(input), np.empty(rows, dtype), np.empty(rows, dtype)
    state = np.tile(np.array([-math.inf, 0], dtype), (rows, 1))
    memory = np.empty(rows * classes, dtype) if rows * classes <= KEPT else _room(rows, dtype)
    for some, these, logits in _chunks(rows, classes, memory):
        _multiply(logits, some, these, input, weight, bias)
        tasks = -(-len(logits) // TASK)
        _bring_forward(tasks, logits, these.start, target[some], picked[some], state[some])
    _finish(1, target, ignore_index, picked, state, loss)
    return loss, (state, memory if memory.size == rows * classes else None)


def _multiply(logits, some, these, input, weight, bias):
    """The logits of some rows and classes."""
    panels = gemm.panels_of(weight[these].T)
    gemm.product_into(logits, input[some], panels, None if bias is None else bias[these])


def _column_sums(slopes):
    out = reduced(slopes, KINDS["sum"], 0, False)
    return slopes.sum(0) if out is NotImplemented else out


def linear_softmax_cross_entropy_vjp(g, input, weight, bias, target, ignore_index, aux, needs):
    """The gradients of input, weight and bias."""
    state, memory = aux
    if g.dtype is not input.dtype:
        return NotImplemented
    dtype, (rows, classes) = input.dtype, (input.shape[0], weight.shape[0])
    g, input, target = plain(g), plain(input), plain(target)
    g_input, g_weight = np.zeros(input.shape, dtype), np.zeros(weight.shape, dtype)
    g_bias, room = np.zeros(classes, dtype), _room(rows, dtype)
    kept = memory is not None
    for some, these, logits in _chunks(rows, classes, memory if kept else _room(rows, dtype)):
        if not kept:
            _multiply(logits, some, these, input, weight, bias)
        slopes = room[: logits.size].reshape(logits.shape)
        _slopes(
            -(-len(logits) // TASK),
            logits, these.start, g[some], target[some], ignore_index, state[some], slopes,
        )  # fmt: skip
        if needs[0]:
            gemm.add_product(g_input[some], slopes, gemm.panels_of(weight[these]))
        if needs[1]:
            gemm.add_product(g_weight[these], slopes.T, gemm.panels_of(input[some]))
        if needs[2]:
            g_bias[these] += _column_sums(slopes)
    return g_input, g_weight, None if bias is None else g_bias, None
