"""Word vectors trained on running text: skip-gram and CBOW, by negative sampling or hierarchical
softmax (Mikolov et al. 2013, https://arxiv.org/abs/1310.4546). Knows arrays of word numbers.

At each place of the text some input rows meet some output rows: in skip-gram the vectors of the
words around it, in CBOW their mean; with negative sampling the word itself and words drawn as noise
for all of its window (Ji et al. 2016, https://arxiv.org/abs/1604.04661), with hierarchical softmax
the inner nodes on the word's path. Their scores, the updates of one side and those of the other are
three small products, from the values before the step; a row that is met twice gets both updates.

Workers share out the sentences of a text and write the same two tables without locks (Recht et al.
2011): with one worker the result is the seed's, with more it is not. A word's rows are about 1 kB,
anywhere in tables larger than the second-level cache: they are drawn a place ahead and fetched
meanwhile. Noise comes from a table of one entry a word (Walker's alias method) in place of one of
millions. Measured on two threads, 30,000 words of Zipf's frequencies, vectors of 100, window 5, 5
words of noise: 2.2 million words a second, where plain loops over the same products did 1.2 to 1.7
million, and 2.7 to 3.7 million of CBOW. A sigmoid in a loop with an odd end cost a third of it.
"""

import numpy as np

from tensorgrad.kernels.numba.math import sigmoid
from tensorgrad.kernels.numba.microkernel import lanes
from tensorgrad.kernels.numba.row_products import TOGETHER, dots, fetch, mix, steps
from tensorgrad.kernels.numba.runtime import serial
from tensorgrad.kernels.numba.tasks import Tasks

LONGEST = 10_000  # words of a sentence that are seen together
EVEN = 32  # scores become probabilities in multiples of this: an odd end would not be vector code
DRAWN = 1 << 32  # a draw is one of so many numbers


# -------------------------------------------------------------------------------------- small parts
@serial
def _next(state):
    """The next state of a linear congruential generator; a draw is its upper half."""
    return state * 6364136223846793005 + 1442695040888963407


@serial
def _upper(state):
    return (state >> 32) & 0xFFFFFFFF


@serial
def _known(found, count, number):
    """Where among the first `count` a number is; count if it is not."""
    for k in range(count):
        if found[k] == number:
            return k
    return count


# ----------------------------------------------------------------------------------- one small step
@serial
def _meet(a, a_starts, a_counts, m, b, b_starts, b_counts, labels, n, rate, g, size):
    """g[i, k], rows TOGETHER or a multiple long: how much of row k of b is added to row i of a, and
    of row i of a to row k of b. b_counts are 0 past the last row.
    """
    lines = -(-n // TOGETHER) * TOGETHER
    for i in range(m):
        for k in range(0, n, TOGETHER):
            dots(a, a_starts[i], b, b_starts, k, n - 1, size, g, i * lines + k)
    for j in range(-(-m * lines // EVEN) * EVEN):
        g[j] = sigmoid(g[j])
    for i in range(m):
        step = rate * a.dtype.type(a_counts[i])
        for k in range(0, n, TOGETHER):
            steps(g, i * lines + k, labels, b_counts, k, step)


@serial
def _copy(source, begin, target, place, size):
    row, copied = target[place : place + size], source[begin : begin + size]
    for d in range(size):
        row[d] = copied[d]


@serial
def _around(words, count, place, reach, size, starts, counts):
    """Where the rows of the words around a place are and how often each stands there; how many."""
    found = 0
    for j in range(max(0, place - reach), min(count, place + reach + 1)):
        if j != place:
            start = words[j] * size
            known = _known(starts, found, start)
            if known == found:
                starts[found], counts[found] = start, 0
                found += 1
            counts[known] += 1
    return found


@serial
def _fetch_row(table, start, size, line):
    for d in range(0, size, line):
        fetch(table, start + d)


@serial
def _draw(word, negatives, noise, state, size, starts, counts, labels):
    """The word's output row and those of words drawn as noise; (how many, the state).

    A draw that hits the word counts nothing.
    """
    starts[0], counts[0], labels[0] = word * size, 1, 1
    found = 1
    for _ in range(negatives):
        state = _next(state)
        product = _upper(state) * noise.size
        drawn = product >> 32
        entry = noise[drawn]
        if (product & 0xFFFFFFFF) >= _upper(entry):
            drawn = entry & 0xFFFFFFFF
        if drawn != word:
            start = drawn * size
            known = _known(starts, found, start)
            if known == found:
                starts[found], counts[found], labels[found] = start, 0, 0
                found += 1
            counts[known] += 1
    return found, state


@serial
def _path(word, nodes, size, starts, counts, labels):
    """The output rows on the word's path; how many. nodes: a node and a label in turns, -1 behind
    the path's end.
    """
    found = 0
    path = nodes[word]
    while 2 * found < path.size and path[2 * found] >= 0:
        starts[found], counts[found], labels[found] = path[2 * found] * size, 1, path[2 * found + 1]
        found += 1
    return found


# ------------------------------------------------------------------------------------- a part of it
@serial
def _most(window, negatives, nodes):
    """Rows of a side that can meet at a place; and no fewer than the odd numbers of a part."""
    most = max(5, 2 * window, negatives + 1, nodes.shape[1] // 2)
    return -(-most // TOGETHER) * TOGETHER


@Tasks
def _part(
    part, parts, tokens, bounds, inputs, outputs, keep, noise, nodes, rates, state,
    window, negatives, cbow, room, whole_room, size, line,
):  # fmt: skip
    """The sentences of one worker, with rooms of its own for what is computed."""
    sentences = bounds.size - 1
    first, last = sentences * part // parts, sentences * (part + 1) // parts
    whole = max(1, bounds[last] - bounds[first])
    state = _next(_next(state + part * 0x9E3779B9))
    most = _most(window, negatives, nodes)
    # Output rows are of this place and of the next, whose are on their way.
    whole_numbers = whole_room[part, : 6 * most].reshape((6, most))
    a_starts, a_counts = whole_numbers[0], whole_numbers[1]
    rows, rest = whole_numbers[2], whole_numbers[3]
    b_starts = whole_numbers[4:]
    found, reach, one = rest[:2], rest[2:4], rest[4:5]
    one[0] = 1
    for k in range(most):
        rows[k] = k * size
    words = whole_room[part, 6 * most :]
    numbers = room[part]
    zeros, mean, a_new = numbers[:size], numbers[size : 2 * size], numbers[2 * size :]
    of_rows = numbers[(2 + most) * size :]
    b_counts = of_rows[: 2 * most].reshape((2, most))
    labels, g = of_rows[2 * most : 4 * most].reshape((2, most)), of_rows[4 * most :]
    for sentence in range(first, last):
        begin = bounds[sentence]
        while begin < bounds[sentence + 1]:
            done = (begin - bounds[first]) / whole
            rate = inputs.dtype.type(rates[0] + (rates[1] - rates[0]) * done)
            count = 0
            end = min(bounds[sentence + 1], begin + LONGEST)
            for i in range(begin, end):
                state = _next(state)
                if _upper(state) < keep[tokens[i]]:
                    words[count] = tokens[i]
                    count += 1
            begin = end
            for place in range(-1, count):
                # What the next place needs is drawn and fetched while this one is computed.
                coming = place + 1
                if coming < count:
                    turn = coming % 2
                    state = _next(state)
                    reach[turn] = 1 + (_upper(state) * window >> 32)
                    given = b_starts[turn], b_counts[turn], labels[turn]
                    if negatives:
                        found[turn], state = _draw(
                            words[coming], negatives, noise, state, size,
                            given[0], given[1], given[2],
                        )  # fmt: skip
                    else:
                        found[turn] = _path(
                            words[coming], nodes, size, given[0], given[1], given[2]
                        )
                    for k in range(found[turn], most):
                        b_counts[turn, k] = 0
                    for k in range(found[turn]):
                        _fetch_row(outputs, b_starts[turn, k], size, line)
                    if coming + window < count:
                        _fetch_row(inputs, words[coming + window] * size, size, line)
                if place < 0:
                    continue
                turn = place % 2
                n = found[turn]
                lines = -(-n // TOGETHER) * TOGETHER
                m = _around(words, count, place, reach[turn], size, a_starts, a_counts)
                if not m or not n:
                    continue
                starts, counts, wanted = b_starts[turn], b_counts[turn], labels[turn]
                if cbow:
                    total = 0
                    for d in range(size):
                        mean[d] = 0
                    for i in range(m):
                        total += a_counts[i]
                        row = inputs[a_starts[i] : a_starts[i] + size]
                        weight = inputs.dtype.type(a_counts[i])
                        for d in range(size):
                            mean[d] += weight * row[d]
                    share = inputs.dtype.type(1 / total)
                    for d in range(size):
                        mean[d] *= share
                    _meet(
                        mean, rows, one, 1, outputs, starts, counts, wanted, n, rate, g, size
                    )  # fmt: skip
                    mix(g, 0, 1, outputs, starts, n, zeros, 0, a_new, 0, size)
                    for k in range(n):
                        at = starts[k]
                        mix(g, k, 0, mean, rows, 1, outputs, at, outputs, at, size)
                    for i in range(m):
                        # As if by the product: a mean's gradient is shared out over its words.
                        g[0] = share * inputs.dtype.type(a_counts[i])
                        at = a_starts[i]
                        mix(g, 0, 0, a_new, rows, 1, inputs, at, inputs, at, size)
                else:
                    _meet(
                        inputs, a_starts, a_counts, m, outputs, starts, counts, wanted, n, rate,
                        g, size,
                    )  # fmt: skip
                    for i in range(m):
                        at = a_starts[i]
                        mix(g, i * lines, 1, outputs, starts, n, inputs, at, a_new, rows[i], size)
                    for k in range(n):
                        at = starts[k]
                        mix(g, k, lines, inputs, a_starts, m, outputs, at, outputs, at, size)
                    for i in range(m):
                        _copy(a_new, rows[i], inputs, a_starts[i], size)


# ------------------------------------------------------------------------------------- from outside
def pitch(size, dtype):
    """Numbers of a row in a table for vectors of `size`: the rest are zeros, and stay so."""
    return -(-size // lanes(dtype)) * lanes(dtype)


@serial
def _alias(scaled, table, small, large):
    few, many = 0, 0
    for word in range(scaled.size):
        table[word] = word
        if scaled[word] < 1:
            small[few] = word
            few += 1
        else:
            large[many] = word
            many += 1
    while few and many:
        few -= 1
        poor, rich = small[few], large[many - 1]
        table[poor] = (np.int64(scaled[poor] * DRAWN) << 32) | rich
        scaled[rich] -= 1 - scaled[poor]
        if scaled[rich] < 1:
            many -= 1
            small[few] = rich
            few += 1


def alias_table(weights):
    """A table from which words are drawn in proportion to weights: word w of all alike, and if a
    second draw is not below the upper half of its entry, the word in the lower half in its place.
    Walker 1977; Vose 1991.
    """
    scaled = np.array(weights, np.float64)
    scaled *= scaled.size / scaled.sum()
    table, small, large = (np.empty(scaled.size, np.int64) for _ in range(3))
    _alias(scaled, table, small, large)
    return table


def train(
    tokens,
    bounds,
    inputs,
    outputs,
    keep,
    *,
    noise=None,
    paths=None,
    window=5,
    negatives=5,
    cbow=False,
    rates=(0.025, 0.0001),
    seed=0,
    workers=1,
):
    """One pass over a text, in which rows of inputs (V, P) and outputs (rows, P) learn in place.

    tokens: the words' numbers, int64, one sentence after another; bounds (sentences + 1): where
    they begin and end. keep (V): of a word's occurrences keep / DRAWN are seen. noise: an
    `alias_table` of which `negatives` words are drawn a place; or paths (V, longest, 2), int64: the
    inner nodes to a word and 1 for the branch that `outputs` rows vote for, else 0; -1 behind a
    path's end. window: words to either side at most; how many, from 1 on, is drawn. rates: of
    learning, at the beginning and the end. P is `pitch`; tables are of one floating dtype.
    """
    if (noise is None) == (paths is None):
        got = "none" if paths is None else "both"
        raise ValueError(f"word2vec: expected noise or paths, got {got}")
    if paths is None and negatives <= 0:
        raise ValueError(f"word2vec: expected negatives > 0, got {negatives}")
    size, dtype = inputs.shape[1], inputs.dtype
    if size != pitch(size, dtype) or outputs.shape[1] != size or outputs.dtype != dtype:
        raise ValueError(
            f"word2vec: expected tables of one dtype, rows of {pitch(size, dtype)} numbers, got "
            f"{inputs.shape} of {dtype} and {outputs.shape} of {outputs.dtype}"
        )
    if tokens.size and not (tokens.min() >= 0 and tokens.max() < len(inputs)):
        raise ValueError(f"word2vec: expected words in [0, {len(inputs)})")
    if noise is None:
        noise, negatives = np.zeros(1, np.int64), 0
    nodes = np.zeros((1, 0), np.int64) if paths is None else paths.reshape(len(paths), -1)
    most = _most(window, negatives, nodes)
    room = np.zeros((workers, (2 + most) * size + (4 + most) * most + EVEN), dtype)
    whole_room = np.zeros((workers, 6 * most + LONGEST), np.int64)
    _part(
        workers, workers, tokens, bounds, inputs.reshape(-1), outputs.reshape(-1), keep, noise,
        nodes, np.array(rates, np.float64), seed, window, negatives, int(cbow),
        room, whole_room, size, 64 // dtype.itemsize,
    )  # fmt: skip
