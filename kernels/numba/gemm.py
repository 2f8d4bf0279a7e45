"""Products of matrices: C = A B + bias. Knows how the operands are packed, cut into blocks and
handed to threads; the inner loop is `microkernel.tile`.

B is packed once, into panels of a tile's width whose terms follow each other, so that the inner
loop streams it; whichever way B lies, packing copies or transposes whole vectors. A is read where
it lies if its terms do, and packed block by block otherwise. A block of TERMS terms of one panel
stays in the first-level cache while all rows of a task pass by it, the task's rows of A in the
second. Where A is small and B wide, tasks take columns, and each packs its own part of B: what
another thread has just written comes slowly (up to a third of the time, with few rows). Every
element is summed in the order of the terms, one block after another, whatever the split into tasks:
the result does not depend on the number of threads.
"""

import numpy as np
from numba import get_num_threads

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.microkernel import (
    ROWS,
    columns,
    copy_rows,
    tile,
    transpose_part,
    transpose_square,
)
from tensorgrad.kernels.numba.runtime import FLOATS, serial
from tensorgrad.kernels.numba.tasks import Tasks, part

TERMS = 256  # terms a block: 32 kB of a panel
BLOCK_ROWS = 12 * ROWS  # rows a task has at most: 96 kB of A a block of terms
PARALLEL = 500_000  # multiply-adds from which two threads beat one
SHARED = 1 << 19  # elements of A that all tasks may read over and over
PACKED = 150_000  # elements of B that a task packs for itself
TINY = 4096  # multiply-adds of one matrix below which NumPy's product is as fast
FEW = 4  # rows, and columns, below which most of a tile would be idle


@part
def pack_panels(b, n, packed, panel):
    """Panels from `panel` on from b (K, N), the numbers of a row side by side; zeros past N."""
    terms, width = packed.shape[1:]
    for p in range(packed.shape[0]):
        start = (panel + p) * width
        count = min(width, n - start)
        for k in range(terms):
            target, source = packed[p, k], b[k, start : start + count]
            for j in range(count):
                target[j] = source[j]
            for j in range(count, width):
                target[j] = 0


@part
def pack_panels_transposed(b, n, packed, panel):
    """Panels from `panel` on from b (N, K), the terms of a column side by side; zeros past N."""
    terms, width = packed.shape[1:]
    side = width // 2
    whole = terms - terms % side
    for p in range(packed.shape[0]):
        for half in range(2):
            start = (panel + p) * width + half * side
            count = min(side, n - start)
            place = (p * terms * 2 + half) * side
            for k in range(0, whole if count > 0 else 0, side):
                here, at = start * b.shape[1] + k, place + k * width
                if count == side:
                    transpose_square(b, here, b.shape[1], packed, at, width)
                else:
                    transpose_part(b, here, b.shape[1], count, side, packed, at, width, side, side)
            for k in range(whole if count > 0 else 0, terms):
                for j in range(side):
                    packed[p, k, half * side + j] = b[start + j, k] if j < count else 0


@part
def _pack(b, n, transposed, packed, panel):
    if transposed:
        pack_panels_transposed(b, n, packed, panel)
    else:
        pack_panels(b, n, packed, panel)


@Tasks
def _pack_task(panel, b, n, transposed, packed):
    _pack(b, n, transposed, packed[panel : panel + 1], panel)


@part
def block_of(a, a_by_term, packed, panel, first, by_row, c, n, rows, panels):
    """Rows `rows` and panels `panels` of c = a b + first, all but the panels flat. `packed` starts
    with the panel numbered `panel`.

    a is (K, M) if a_by_term, else (M, K); c is (M, n), first too if by_row, else (n,).
    """
    terms, width = packed.shape[1:]
    count = rows[1] - rows[0]
    a_rows, c_rows = np.empty(count, np.intp), np.empty(count, np.intp)
    for r in range(count):
        a_rows[r] = r // ROWS * ROWS * TERMS + r % ROWS if a_by_term else (rows[0] + r) * terms
        c_rows[r] = (rows[0] + r) * n
    # Tiles of ROWS rows, the numbers of one term side by side.
    block = np.empty(-(-count // ROWS) * ROWS * TERMS if a_by_term else 0, a.dtype)
    source, step = (block, ROWS) if a_by_term else (a, 1)
    for k in range(0, terms, TERMS):
        some = min(TERMS, terms - k)
        if a_by_term:
            _pack_rows(a, a.size // terms, rows[0], count, k, some, block)
        # The first block of terms adds to `first`, the others to what is there.
        begin, each = (c, 1) if k else (first, by_row)
        for p in range(panels[0], panels[1]):
            at = p * width
            for r in range(0, count, ROWS):
                tile(
                    source, 0 if a_by_term else k, a_rows, r, step,
                    packed, ((p - panel) * terms + k) * width,
                    some,
                    begin, at, each,
                    c, at, c_rows, r,
                    min(ROWS, count - r), min(width, n - at),
                )  # fmt: skip


@part
def _pack_rows(a, m, row, count, k, some, block):
    """Rows of a (K, m) from `row` on and `some` terms from k on, as tiles of ROWS rows.

    Two lines of the cache are read at a time: in long rows the next term is a page away.
    """
    whole = count - count % ROWS
    for r in range(0, whole, 4 * ROWS):
        for i in range(some):
            source = (k + i) * m + row
            for q in range(r, min(whole, r + 4 * ROWS), ROWS):
                copy_rows(a, source + q, block, q * TERMS + i * ROWS)
    if whole < count:
        for i in range(some):
            target, source = block[whole * TERMS + i * ROWS :], a[(k + i) * m + row + whole :]
            for j in range(count - whole):
                target[j] = source[j]


@serial
def _product(a, a_by_term, b, b_transposed, packed, bias, c, n):
    """All of c on one thread."""
    _pack(b, n, b_transposed, packed, 0)
    block_of(a, a_by_term, packed, 0, bias, 0, c, n, (0, c.size // n), (0, packed.shape[0]))


@Tasks
def _block_task(task, a, a_by_term, packed, first, by_row, c, n, split):
    """A block of c of `split` rows and panels."""
    rows, panels = c.size // n, packed.shape[0]
    block_rows, block_panels = split
    across = -(-panels // block_panels)
    row, panel = task // across * block_rows, task % across * block_panels
    part = row, min(rows, row + block_rows)
    some = panel, min(panels, panel + block_panels)
    block_of(a, a_by_term, packed, 0, first, by_row, c, n, part, some)


@Tasks
def _columns_task(task, tasks, a, b, b_transposed, bias, c, n, terms, width):
    """Of c what lies in some panels, which are packed by the one thread that reads them."""
    panels = -(-n // width)
    start, stop = task * panels // tasks, (task + 1) * panels // tasks
    packed = np.empty((stop - start, terms, width), a.dtype)
    _pack(b, n, b_transposed, packed, start)
    rows = c.size // n
    for row in range(0, rows, BLOCK_ROWS):
        these = row, min(rows, row + BLOCK_ROWS)
        block_of(a, False, packed, start, bias, 0, c, n, these, (start, stop))


@Tasks
def _batch_task(i, a, a_by_term, b, b_transposed, n, width, c):
    """One matrix of a batch."""
    terms = b[i].size // n
    packed = np.empty((-(-n // width), terms, width), a.dtype)
    _product(a[i], a_by_term, b[i], b_transposed, packed, np.zeros(n, a.dtype), c[i], n)


def _layout(matrices):
    """(C-contiguous array, whether it holds the transposes of the matrices)."""
    if matrices.flags.c_contiguous:
        return matrices, False
    turned = matrices.swapaxes(-1, -2)
    if turned.flags.c_contiguous:
        return turned, True
    return plain(matrices), False


def _split(rows, panels):
    """(rows, panels) of a task, such that all threads end together: rows alone if they suffice."""
    threads = get_num_threads()
    blocks = -(-rows // BLOCK_ROWS)
    if rows >= 2 * ROWS * threads:
        blocks = -(-blocks // threads) * threads
    block_rows = -(-rows // (blocks * ROWS)) * ROWS
    blocks = -(-rows // block_rows)
    return block_rows, panels if blocks >= threads else -(-panels // (2 * threads))


def panels_of(b):
    """b (K, N) packed on all threads: (panels, K, width), zeros past N."""
    b_plain, transposed = _layout(b)
    terms, n = b.shape
    width = columns(b.dtype)
    packed = np.empty((-(-n // width), terms, width), b.dtype)
    _pack_task(len(packed), plain(b_plain), n, transposed, packed)
    return packed


def product(a, b, bias=None):
    """a (M, K) times b (K, N) plus bias (N), of one dtype in FLOATS, no size 0."""
    (rows, terms), n = a.shape, b.shape[1]
    c = np.empty((rows, n), a.dtype)
    width = columns(a.dtype)
    panels = -(-n // width)
    if rows * terms * n < PARALLEL:
        packed = np.empty((panels, terms, width), a.dtype)
        operands = _flat(a, b, bias)
        _product(*operands[:4], packed, operands[4], c.reshape(-1), n)
        return c
    threads = get_num_threads()
    if a.size <= SHARED and a.flags.c_contiguous and panels >= 4 * threads:
        rounds = -(-panels * terms * width // (threads * PACKED))
        tasks = min(panels, rounds * threads)
        a, _, b, b_transposed, bias = _flat(a, b, bias)
        flat = c.reshape(-1)
        _columns_task(tasks, tasks, a, b, b_transposed, bias, flat, n, terms, width)
    else:
        _run_blocks(a, panels_of(b), bias, 0, c)
    return c


def _flat(a, b, bias):
    """(a flat, whether by term, b, whether transposed, a bias) as the kernels take them."""
    b_plain, b_transposed = _layout(b)
    a_plain, a_by_term = _layout(a)
    bias = np.zeros(b.shape[1], b.dtype) if bias is None else plain(bias)
    return plain(a_plain).reshape(-1), a_by_term, plain(b_plain), b_transposed, bias


def product_into(c, a, packed, bias=None):
    """c = a b + bias for b packed by `panels_of`, c C-contiguous."""
    _run_blocks(a, packed, bias, 0, c)


def add_product(c, a, packed):
    """c += a b for b packed by `panels_of`, c C-contiguous."""
    _run_blocks(a, packed, c.reshape(-1), 1, c)


def _run_blocks(a, packed, first, by_row, c):
    rows, n = c.shape
    panels = packed.shape[0]
    first = np.zeros(n, c.dtype) if first is None else plain(first)
    a, a_by_term = _layout(a)
    split = _split(rows, panels)
    tasks = -(-rows // split[0]) * -(-panels // split[1])
    a, flat = plain(a).reshape(-1), c.reshape(-1)
    _block_task(tasks, a, a_by_term, packed, first, by_row, flat, n, split)


def _served(a, b):
    rows, terms = a.shape[-2:]
    n = b.shape[-1]
    return (
        a.dtype in FLOATS
        and b.dtype is a.dtype
        and b.shape[-2] == terms
        and rows >= FEW
        and n >= FEW
        and rows * terms * n >= TINY
    )


def matmul(a, b):
    """a (..., M, K) times b (K, N), or times b (..., K, N) with the same leading sizes."""
    if min(a.ndim, b.ndim) < 2 or not _served(a, b):
        return NotImplemented
    if b.ndim == 2:
        rows = a if a.ndim == 2 else a.reshape(-1, a.shape[-1])
        return product(rows, b).reshape(*a.shape[:-1], b.shape[1])
    if a.shape[:-2] != b.shape[:-2]:
        return NotImplemented
    (rows, terms), n = a.shape[-2:], b.shape[-1]
    c = np.empty((*a.shape[:-1], n), a.dtype)
    a, a_by_term = _layout(a)
    b, b_transposed = _layout(b)
    a, b = plain(a).reshape(-1, rows * terms), plain(b).reshape(-1, *b.shape[-2:])
    width = columns(a.dtype)
    _batch_task(len(a), a, a_by_term, b, b_transposed, n, width, c.reshape(len(a), -1))
    return c
