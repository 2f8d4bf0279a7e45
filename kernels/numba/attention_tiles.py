"""Scaled dot-product attention in tiles, forward and backward. Knows where the heads of a task lie.

A task has some queries of one head. Block by block it packs keys and values, multiplies
(`microkernel.tile`) and takes the softmax of what it has seen so far (Milakov and Gimelshein, 2018;
Dao et al., 2022, https://arxiv.org/abs/2205.14135): no table of all scores exists. For L queries, S
keys and heads of size E it reads and writes 2 L E + 2 S E numbers a head, where the composition
moves about 8 L S. The gradient computes the weights again from two numbers that each query kept,
its largest score and the inverse of its sum: from the logarithm of both alone digits are lost.

Heads may lie in any order and distance in memory: queries, keys and values that are slices of one
projection are read where they are. Blocks of keys that causality hides are skipped whole, and what
is in them touches nothing; in a block that is computed a hidden key has the weight 0, which makes
nan of a value that is nan, as the composition does.
"""

import numpy as np
from numba import carray  # type: ignore[attr-defined]

from tensorgrad.kernels.numba.addresses import pointer
from tensorgrad.kernels.numba.gemm import pack_panels, pack_panels_transposed
from tensorgrad.kernels.numba.math import exp
from tensorgrad.kernels.numba.microkernel import ROWS, tile
from tensorgrad.kernels.numba.runtime import larger, serial
from tensorgrad.kernels.numba.tasks import Tasks, part

KEYS = 128  # keys a block
STEPS = 32  # queries that pass in the backward pass: few, as causality hides whole blocks
QUERIES = 32  # queries that pass a block together: their scores stay in the first-level cache
CHUNK = 256  # queries a task has in the forward pass
STEP = 32  # scores are computed up to a multiple of this: loops over them have no odd ends
NO_MASK, HIDING, ADDED = range(3)


# ------------------------------------------------------------------------------------ inside a task
@serial
def _multiply(
    a, a_start, a_rows, a_step, packed, terms, first, add, c, c_start, c_rows, rows, count
):  # fmt: skip
    """c (rows, count) = first + a b, b in panels: `first` is c itself if add, else zeros."""
    panels, capacity, width = packed.shape
    for p in range(panels):
        at = p * width
        if at < count:
            for r in range(0, rows, ROWS):
                tile(
                    a, a_start, a_rows, r, a_step,
                    packed, at * capacity,
                    terms,
                    first, c_start + at if add else 0, add,
                    c, c_start + at, c_rows, r,
                    min(ROWS, rows - r), min(width, count - at),
                )  # fmt: skip


@serial
def _places(count, step):
    """The places of rows that lie `step` apart."""
    places = np.empty(count, np.intp)
    for r in range(count):
        places[r] = r * step
    return places


@serial
def _panels(count, size, width, like):
    """Room for `count` rows of `size` numbers, as panels."""
    return np.empty((-(-size // width), count, width), like.dtype)


@serial
def _rows(x, start, count, step):
    """`count` rows of x that begin `step` apart; as a matrix each holds all up to the next."""
    return x[start : start + count * step].reshape((count, step))


@serial
def _pack_across(x, start, step, count, packed):
    """`count` rows of x as the columns of panels."""
    pack_panels_transposed(_rows(x, start, count, step), count, packed, 0)


@serial
def _pack_down(x, start, step, count, size, packed):
    """`count` rows of `size` numbers of x as the rows of panels."""
    pack_panels(_rows(x, start, count, step), size, packed, 0)


@serial
def _numbers(address, like):
    """What lies from an address on, as an array of the numbers that `like` has."""
    return carray(pointer(address, like.dtype), 1 << 40)


@part
def _scaled(row, scale, seen):
    """Scale a row of scores, hide all from `seen` on, and find the largest: in one pass."""
    peak = hidden = row.dtype.type(-np.inf)
    for j in range(row.size):
        score = row[j] * scale if j < seen else hidden
        row[j] = score
        peak = larger(peak, score)
    return peak


@part
def _masked(row, scale, seen, kind, hiding, added):
    """Scale a row of scores, and hide what the mask hides and all from `seen` on."""
    hidden = row.dtype.type(-np.inf)
    if kind == HIDING:
        for j in range(seen):
            row[j] = row[j] * scale if hiding[j] != 0 else hidden
    else:
        for j in range(seen):
            row[j] = row[j] * scale + added[j]
    for j in range(seen, row.size):
        row[j] = hidden


@part
def _largest(row):
    peak = row[0]
    for j in range(row.size):
        peak = larger(peak, row[j])
    return peak


@part
def _exponentials(row, peak):
    """exp(row - peak) in place, and their sum."""
    total = row.dtype.type(0)
    for j in range(row.size):
        e = exp(row[j] - peak)
        row[j] = e
        total += e
    return total


@part
def _slopes(row, slopes, factor, seen, peak, share, total, scale, kept):
    """Of a row of scores the weights, those from `seen` on hidden, and of the gradients of weights
    those of the scores, none from `kept` on: both in place, in one pass.
    """
    hidden, zero = row.dtype.type(-np.inf), row.dtype.type(0)
    for j in range(row.size):
        score = row[j] * factor if j < seen else hidden
        weight = exp(score - peak) * share
        slope = weight * (slopes[j] - total) * scale
        row[j] = weight
        slopes[j] = slope if j < kept else zero


@part
def _multiply_row(row, factor):
    for j in range(row.size):
        row[j] *= factor


@part
def _dot(a, b):
    total = a.dtype.type(0)
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@serial
def _clear(x, start, rows, step, size):
    for r in range(rows):
        row = x[start + r * step : start + r * step + size]
        for j in range(size):
            row[j] = 0


@serial
def _part(x, count):
    """The first `count` of the terms that panels have room for, as panels of their own."""
    panels, _, width = x.shape
    return x.reshape(-1)[: panels * count * width].reshape((panels, count, width))


# ---------------------------------------------------------------------------------------- the tasks
# sizes: heads, heads that share one of keys, queries, keys, numbers of a key and of a value.
# Strides, in elements: of batch, head and row. What may lie anywhere is named by its address.
@Tasks
def forward(
    task, sizes, q_at, q_strides, k_at, k_strides, v_at, v_strides, out, out_strides,
    kind, mask_at, mask_strides, causal, scale, state, width,
):  # fmt: skip
    """CHUNK queries of one head: `out`, and in `state` two numbers of each."""
    heads, group, queries, keys, size, value_size = sizes
    chunks = -(-queries // CHUNK)
    head, begin = task // chunks, task % chunks * CHUNK
    end = min(queries, begin + CHUNK)
    b, h = head // heads, head % heads
    q, k, v = _numbers(q_at, out), _numbers(k_at, out), _numbers(v_at, out)
    hiding, added = carray(pointer(mask_at, np.int8), 1 << 40), _numbers(mask_at, out)
    q_start = b * q_strides[0] + h * q_strides[1]
    k_start = b * k_strides[0] + h // group * k_strides[1]
    v_start = b * v_strides[0] + h // group * v_strides[1]
    out_start = b * out_strides[0] + h * out_strides[1]
    mask_start = b * mask_strides[0] + h * mask_strides[1]
    q_row, k_row, v_row, out_row = q_strides[2], k_strides[2], v_strides[2], out_strides[2]

    number = out.dtype.type
    scores, zero = np.empty(QUERIES * KEYS, out.dtype), np.zeros(width, out.dtype)
    places = _places(QUERIES, KEYS)
    q_places, out_places = _places(QUERIES, q_row), _places(QUERIES, out_row)
    peaks, sums = np.full(CHUNK, -np.inf, out.dtype), np.zeros(CHUNK, out.dtype)
    keys_room, values_room = _panels(size, KEYS, width, out), _panels(KEYS, value_size, width, out)
    for key in range(0, min(keys, end) if causal else keys, KEYS):
        count = min(KEYS, keys - key)
        across = keys_room[: -(-count // width)]
        _pack_across(k, k_start + key * k_row, k_row, count, across)
        values = _part(values_room, count)
        _pack_down(v, v_start + key * v_row, v_row, count, value_size, values)
        for i in range(begin, end, QUERIES):
            rows = min(QUERIES, end - i)
            seen = min(count, i + rows - key) if causal else count
            if seen <= 0:
                continue
            wide = -(-seen // STEP) * STEP
            at = q_start + i * q_row
            _multiply(q, at, q_places, 1, across, size, zero, 0, scores, 0, places, rows, wide)
            for r in range(rows):
                row = scores[r * KEYS : r * KEYS + wide]
                mine = max(0, min(seen, i + r + 1 - key)) if causal else seen
                if kind == NO_MASK:
                    peak = _scaled(row, scale[0], mine)
                else:
                    at = mask_start + (i + r) * mask_strides[2] + key
                    _masked(row, scale[0], mine, kind, hiding[at:], added[at:])
                    peak = _largest(row)
                place = i + r - begin
                before = peaks[place]
                peak = larger(before, peak)
                shift = number(0) if peak == -np.inf else peak
                total = _exponentials(row, shift)
                if key:
                    fading = exp(before - shift)
                    total += sums[place] * fading
                    at = out_start + (i + r) * out_row
                    _multiply_row(out[at : at + value_size], fading)
                peaks[place], sums[place] = peak, total
            at, add = out_start + i * out_row, 1 if key else 0
            first = out if key else zero
            _multiply(
                scores, 0, places, 1, values, seen, first, add,
                out, at, out_places, rows, value_size,
            )  # fmt: skip
    # A query that sees no key gives zeros. Without a mask all see some, and -inf are their scores.
    for i in range(begin, end):
        peak, share = peaks[i - begin], number(1) / sums[i - begin]
        if peak == -np.inf:
            peak, share = number(0), number(0 if causal or kind != NO_MASK else np.nan)
        at = out_start + i * out_row
        _multiply_row(out[at : at + value_size], share)
        state[head * queries + i, 0] = peak
        state[head * queries + i, 1] = share


@Tasks
def backward(
    task, sizes, parts, g_at, g_strides, q_at, q_strides, k_at, k_strides, v_at, v_strides,
    out_at, out_strides, kind, mask_at, mask_strides, causal, scale, state,
    g_q, g_q_strides, g_k, g_k_strides, g_v, g_v_strides, width,
):  # fmt: skip
    """Some keys of one head, and all queries that see them: g_k, g_v, and a share of g_q.

    parts: how many shares of g_q there are, the keys of each, and its numbers.
    """
    heads, group, queries, keys, size, value_size = sizes
    head, part = task // parts[0], task % parts[0]
    begin, end = part * parts[1], min(keys, (part + 1) * parts[1])
    own = heads // group
    b, own_h = head // own, head % own
    g, out, q = _numbers(g_at, state), _numbers(out_at, state), _numbers(q_at, state)
    k, v = _numbers(k_at, state), _numbers(v_at, state)
    hiding, added = carray(pointer(mask_at, np.int8), 1 << 40), _numbers(mask_at, state)
    g_row, q_row, k_row, v_row = g_strides[2], q_strides[2], k_strides[2], v_strides[2]
    out_row, g_q_row = out_strides[2], g_q_strides[2]
    g_k_row, g_v_row = g_k_strides[2], g_v_strides[2]
    k_start = b * k_strides[0] + own_h * k_strides[1]
    v_start = b * v_strides[0] + own_h * v_strides[1]
    g_k_start = b * g_k_strides[0] + own_h * g_k_strides[1]
    g_v_start = b * g_v_strides[0] + own_h * g_v_strides[1]

    number, zero = state.dtype.type, np.zeros(width, state.dtype)
    weights, slopes = np.empty(STEPS * KEYS, state.dtype), np.empty(STEPS * KEYS, state.dtype)
    places, down = _places(STEPS, KEYS), _places(KEYS, 1)
    q_places, g_places = _places(STEPS, q_row), _places(STEPS, g_row)
    g_q_places = _places(STEPS, g_q_row)
    g_k_places, g_v_places = _places(KEYS, g_k_row), _places(KEYS, g_v_row)
    across_room = _panels(size, KEYS, width, state)
    values_room = _panels(value_size, KEYS, width, state)
    keys_room = _panels(KEYS, size, width, state)
    q_room, g_room = _panels(STEPS, size, width, state), _panels(STEPS, value_size, width, state)
    totals = np.empty(group * queries, state.dtype)
    for shared in range(group):
        h = own_h * group + shared
        g_start = b * g_strides[0] + h * g_strides[1]
        out_start = b * out_strides[0] + h * out_strides[1]
        for i in range(queries):
            at, from_at = g_start + i * g_row, out_start + i * out_row
            totals[shared * queries + i] = _dot(
                g[at : at + value_size], out[from_at : from_at + value_size]
            )
        at = part * parts[2] + b * g_q_strides[0] + h * g_q_strides[1]
        _clear(g_q, at, queries, g_q_row, size)
    for key in range(begin, end, KEYS):
        count = min(KEYS, end - key)
        panels = -(-count // width)
        k_from, v_from = k_start + key * k_row, v_start + key * v_row
        across, values = across_room[:panels], values_room[:panels]
        _pack_across(k, k_from, k_row, count, across)
        _pack_across(v, v_from, v_row, count, values)
        packed_keys = _part(keys_room, count)
        _pack_down(k, k_from, k_row, count, size, packed_keys)
        g_k_at, g_v_at = g_k_start + key * g_k_row, g_v_start + key * g_v_row
        _clear(g_k, g_k_at, count, g_k_row, size)
        _clear(g_v, g_v_at, count, g_v_row, value_size)
        for shared in range(group):
            h = own_h * group + shared
            q_start = b * q_strides[0] + h * q_strides[1]
            g_start = b * g_strides[0] + h * g_strides[1]
            g_q_start = part * parts[2] + b * g_q_strides[0] + h * g_q_strides[1]
            mask_start = b * mask_strides[0] + h * mask_strides[1]
            numbers = (b * heads + h) * queries
            for i in range(0, queries, STEPS):
                rows = min(STEPS, queries - i)
                seen = min(count, i + rows - key) if causal else count
                if seen <= 0:
                    continue
                wide = -(-seen // STEP) * STEP
                q_from, g_from = q_start + i * q_row, g_start + i * g_row
                _multiply(
                    q, q_from, q_places, 1, across, size, zero, 0,
                    weights, 0, places, rows, wide,
                )  # fmt: skip
                _multiply(
                    g, g_from, g_places, 1, values, value_size, zero, 0,
                    slopes, 0, places, rows, wide,
                )  # fmt: skip
                for r in range(rows):
                    row = weights[r * KEYS : r * KEYS + wide]
                    slope = slopes[r * KEYS : r * KEYS + wide]
                    mine = max(0, min(seen, i + r + 1 - key)) if causal else seen
                    at = mask_start + (i + r) * mask_strides[2] + key
                    factor = scale[0]
                    if kind != NO_MASK:
                        _masked(row, factor, mine, kind, hiding[at:], added[at:])
                        factor = number(1)
                    peak, share = state[numbers + i + r, 0], state[numbers + i + r, 1]
                    # What is hidden has no gradient, though all of its row be nan.
                    kept = 0 if share == 0 else mine
                    total = totals[shared * queries + i + r]
                    _slopes(row, slope, factor, mine, peak, share, total, scale[0], kept)
                    if kind == HIDING:
                        for j in range(kept):
                            if hiding[at + j] == 0:
                                slope[j] = 0
                g_q_at = g_q_start + i * g_q_row
                _multiply(
                    slopes, 0, places, 1, packed_keys, seen, g_q, 1,
                    g_q, g_q_at, g_q_places, rows, size,
                )  # fmt: skip
                packed_q, packed_g = _part(q_room, rows), _part(g_room, rows)
                _pack_down(q, q_from, q_row, rows, size, packed_q)
                _pack_down(g, g_from, g_row, rows, value_size, packed_g)
                _multiply(
                    slopes, 0, down, KEYS, packed_q, rows, g_k, 1,
                    g_k, g_k_at, g_k_places, seen, size,
                )  # fmt: skip
                _multiply(
                    weights, 0, down, KEYS, packed_g, rows, g_v, 1,
                    g_v, g_v_at, g_v_places, seen, value_size,
                )  # fmt: skip
