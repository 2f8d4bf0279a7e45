"""Word vectors trained on running text: skip-gram and CBOW, by negative sampling or hierarchical
softmax (Mikolov et al. 2013, https://arxiv.org/abs/1310.4546). Knows arrays of word numbers.

At each place of the text some input rows meet some output rows: in skip-gram the vectors of the
words around it, in CBOW their mean; with negative sampling the word itself and words drawn as noise
for all of its window (Ji et al. 2016, https://arxiv.org/abs/1604.04661), with hierarchical softmax
the inner nodes on the word's path. Where words have bags of rows, as fastText's, a vector is the
mean of a bag. Scores, the updates of one side and those of the other are three small products, from
the values before the step; updates are added, so that a row that is met twice gets both. A mean's
gradient goes whole to each of its rows, as in the authors' programs: shared out among the words,
CBOW had 0.18 of WordSim-353 where it has 0.26 to 0.31 (5 epochs).

Workers share out the sentences of a text and write the same two tables without locks (Recht et al.
2011): with one worker the result is the seed's, with more it is not. A word's rows are about 1 kB,
anywhere in tables larger than the second-level cache: they are drawn a place ahead and fetched
meanwhile, without which skip-gram is a fifth slower and CBOW a third.

Measured on two threads, vectors of 100, window 5, 5 words of noise, 6 million words of film reviews
of which 74 % are seen: 2.8 million words a second of skip-gram, 4.7 million of CBOW; 1.8 and 2.9
million when a row took four passes and rows met twice were searched for. A sigmoid in a loop with
an odd end costs a third of it, tables that begin off a cache line a quarter.
"""

import numpy as np

from tensorgrad.kernels.numba.math import sigmoid
from tensorgrad.kernels.numba.row_products import TOGETHER, dots, fetch, mix, steps
from tensorgrad.kernels.numba.runtime import serial
from tensorgrad.kernels.numba.tasks import Tasks

LONGEST = 10_000  # words of a sentence that are seen together
EVEN = 32  # scores become probabilities in multiples of this: an odd end would not be vector code


# -------------------------------------------------------------------------------------- small parts
@serial
def _next(state):
    """The next state of a linear congruential generator; a draw is its upper half."""
    return state * 6364136223846793005 + 1442695040888963407


@serial
def _upper(state):
    return (state >> 32) & 0xFFFFFFFF


# ----------------------------------------------------------------------------------- one small step
@serial
def _meet(a, a_starts, m, b, b_starts, labels, n, rate, g, size):
    """g[i, k], rows TOGETHER or a multiple long: how much of row k of b is added to row i of a, and
    of row i of a to row k of b.
    """
    lines = -(-n // TOGETHER) * TOGETHER
    for i in range(m):
        for k in range(0, n, TOGETHER):
            dots(a, a_starts[i], b, b_starts, k, n - 1, size, g, i * lines + k)
    for j in range(-(-m * lines // EVEN) * EVEN):
        g[j] = sigmoid(g[j])
    for i in range(m):
        for k in range(0, n, TOGETHER):
            steps(g, i * lines + k, labels, k, rate)


@serial
def _around(words, count, place, reach, size, starts):
    """Where the rows of the words around a place are; how many."""
    found = 0
    for j in range(max(0, place - reach), place):
        starts[found] = words[j] * size
        found += 1
    for j in range(place + 1, min(count, place + reach + 1)):
        starts[found] = words[j] * size
        found += 1
    return found


@serial
def _bags(word_starts, m, size, bags, rows, starts, ends):
    """Where the rows of m words' bags are, one bag after another, and where each bag ends."""
    found = 0
    for i in range(m):
        word = word_starts[i] // size
        for k in range(bags[word], bags[word + 1]):
            starts[found] = rows[k] * size
            found += 1
        ends[i] = found


@serial
def _fetch_row(table, start, size, line):
    for d in range(0, size, line):
        fetch(table, start + d)


@serial
def _draw(word, negatives, noise, state, size, starts, labels):
    """The word's output row and those of words drawn as noise; (how many, the state).

    A draw that hits the word counts nothing.
    """
    starts[0], labels[0] = word * size, 1
    found = 1
    for _ in range(negatives):
        state = _next(state)
        product = _upper(state) * noise.size
        drawn = product >> 32
        entry = noise[drawn]
        if (product & 0xFFFFFFFF) >= _upper(entry):
            drawn = entry & 0xFFFFFFFF
        starts[found], labels[found] = drawn * size, 0
        found += drawn != word
    return found, state


@serial
def _path(word, nodes, size, starts, labels):
    """The output rows on the word's path; how many. nodes: a node and a label in turns, -1 behind
    the path's end.
    """
    found = 0
    path = nodes[word]
    while 2 * found < path.size and path[2 * found] >= 0:
        starts[found], labels[found] = path[2 * found] * size, path[2 * found + 1]
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
    window, negatives, cbow, bags, bag_rows, room, whole_room, size, line,
):  # fmt: skip
    """The sentences of one worker, with rooms of its own for what is computed."""
    sentences = bounds.size - 1
    first, last = sentences * part // parts, sentences * (part + 1) // parts
    whole = max(1, bounds[last] - bounds[first])
    state = _next(_next(state + part * 0x9E3779B9))
    most = _most(window, negatives, nodes)
    # Output rows are of this place and of the next, whose are on their way.
    whole_numbers = whole_room[part, : 6 * most].reshape((6, most))
    a_starts, rows, rest, bag_ends, b_starts = (
        whole_numbers[0], whole_numbers[1], whole_numbers[2], whole_numbers[3], whole_numbers[4:],
    )  # fmt: skip
    found, reach = rest[:2], rest[2:4]
    for k in range(most):
        rows[k] = k * size
    words, bag_starts = whole_room[part, 6 * most :], whole_room[part, 6 * most + LONGEST :]
    bagged = bags.size > 0
    numbers = room[part]
    zeros, mean, change = numbers[:size], numbers[size : 2 * size], numbers[2 * size :]
    means = numbers[(2 + most) * size :]
    of_rows = numbers[(2 + (1 + bagged) * most) * size :]
    labels, one, g = (
        of_rows[: 2 * most].reshape((2, most)),
        of_rows[2 * most :],
        of_rows[3 * most :],
    )
    one[0] = 1
    for sentence in range(first, last):
        begin = bounds[sentence]
        while begin < bounds[sentence + 1]:
            done = (begin - bounds[first]) / whole
            rate = inputs.dtype.type(rates[0] + (rates[1] - rates[0]) * done)
            count = 0
            end = min(bounds[sentence + 1], begin + LONGEST)
            for i in range(begin, end):
                state = _next(state)
                words[count] = tokens[i]
                count += _upper(state) < keep[tokens[i]]
            begin = end
            for place in range(-1, count):
                # What the next place needs is drawn and fetched while this one is computed.
                coming = place + 1
                if coming < count:
                    turn = coming % 2
                    state = _next(state)
                    reach[turn] = 1 + (_upper(state) * window >> 32)
                    given = b_starts[turn], labels[turn]
                    if negatives:
                        found[turn], state = _draw(
                            words[coming], negatives, noise, state, size, given[0], given[1]
                        )
                    else:
                        found[turn] = _path(words[coming], nodes, size, given[0], given[1])
                    for k in range(found[turn]):
                        _fetch_row(outputs, b_starts[turn, k], size, line)
                    if coming + window < count:
                        _fetch_row(inputs, words[coming + window] * size, size, line)
                if place < 0:
                    continue
                turn = place % 2
                n = found[turn]
                lines = -(-n // TOGETHER) * TOGETHER
                m = _around(words, count, place, reach[turn], size, a_starts)
                if not m or not n:
                    continue
                starts, wanted = b_starts[turn], labels[turn]
                met, members = a_starts, m
                if bagged:
                    _bags(a_starts, m, size, bags, bag_rows, bag_starts, bag_ends)
                    met, members = bag_starts, bag_ends[m - 1]
                if cbow:
                    g[0] = inputs.dtype.type(1 / members)
                    mix(g, 0, 0, inputs, met, members, zeros, 0, mean, 0, size)
                    _meet(mean, rows, 1, outputs, starts, wanted, n, rate, g, size)
                    mix(g, 0, 1, outputs, starts, n, zeros, 0, change, 0, size)
                    for k in range(n):
                        at = starts[k]
                        mix(g, k, 0, mean, rows, 1, outputs, at, outputs, at, size)
                    for i in range(members):
                        at = met[i]
                        mix(one, 0, 0, change, rows, 1, inputs, at, inputs, at, size)
                elif bagged:
                    begun = 0
                    for i in range(m):
                        bag = met[begun:]
                        g[0] = inputs.dtype.type(1 / (bag_ends[i] - begun))
                        mix(
                            g,
                            0,
                            0,
                            inputs,
                            bag,
                            bag_ends[i] - begun,
                            zeros,
                            0,
                            means,
                            rows[i],
                            size,
                        )
                        begun = bag_ends[i]
                    _meet(means, rows, m, outputs, starts, wanted, n, rate, g, size)
                    begun = 0
                    for i in range(m):
                        mix(g, i * lines, 1, outputs, starts, n, zeros, 0, change, 0, size)
                        for k in range(begun, bag_ends[i]):
                            at = met[k]
                            mix(one, 0, 0, change, rows, 1, inputs, at, inputs, at, size)
                        begun = bag_ends[i]
                    for k in range(n):
                        at = starts[k]
                        mix(g, k, lines, means, rows, m, outputs, at, outputs, at, size)
                else:
                    _meet(inputs, a_starts, m, outputs, starts, wanted, n, rate, g, size)
                    for i in range(m):
                        mix(g, i * lines, 1, outputs, starts, n, zeros, 0, change, rows[i], size)
                    for k in range(n):
                        at = starts[k]
                        mix(g, k, lines, inputs, a_starts, m, outputs, at, outputs, at, size)
                    for i in range(m):
                        at = a_starts[i]
                        mix(one, 0, 0, change, rows[i:], 1, inputs, at, inputs, at, size)


# ------------------------------------------------------------------------------------- from outside
def train(
    tokens,
    bounds,
    inputs,
    outputs,
    keep,
    noise,
    paths,
    window,
    negatives,
    cbow,
    rates,
    seed,
    workers,
    bags,
):
    """`tensorgrad.text.word_steps.train`, by as many workers as are asked for: they share out the
    sentences. Rows of the tables hold whole vectors: multiples of 16 numbers do on every machine.
    """
    size, dtype = inputs.shape[1], inputs.dtype
    if noise is None:
        noise, negatives = np.zeros(1, np.int64), 0
    nodes = np.zeros((1, 0), np.int64) if paths is None else paths.reshape(len(paths), -1)
    most = _most(window, negatives, nodes)
    ends, rows = (np.zeros(0, np.int64),) * 2 if bags is None else bags
    longest = int(np.diff(ends).max(initial=0))
    of_bags = most * size if longest else 0
    room = np.zeros((workers, (2 + most) * size + of_bags + (3 + most) * most + EVEN), dtype)
    whole_room = np.zeros((workers, 6 * most + LONGEST + 2 * window * longest), np.int64)
    _part(
        workers, workers, tokens, bounds, inputs.reshape(-1), outputs.reshape(-1), keep, noise,
        nodes, np.array(rates, np.float64), seed, window, negatives, int(cbow),
        ends, rows, room, whole_room, size, 64 // dtype.itemsize,
    )  # fmt: skip
