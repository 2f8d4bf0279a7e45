"""Many arrays in one launch: a C function over the elements of whole lists, in chunks that do not
heed where one array ends.

Handed over one by one the arrays of a small model cost more than its step: Numba takes 0.2 us for
each, and NumPy tells an address in 1.7. So they go in as addresses of Python objects, 0.1 us each,
and compiled code checks them and reads where their elements are from NumPy's own struct
(`PyArrayObject`), whose layout is part of the binary interface that compiled extensions rely on.
Before any other is read so, `layout_holds` compares what is known of one array with it.
"""

import ctypes
from functools import cache
from itertools import chain

import numpy as np
from numba import prange

from tensorgrad.kernels.numba.addresses import call, word
from tensorgrad.kernels.numba.runtime import can_launch, parallel, serial

CHUNK = 16384  # elements a task
PARALLEL = 65536  # elements from which two threads beat one

# Where the parts of an array are, in words from its object; a C int fills half a one.
CLASS, DATA, DIMENSIONS, SHAPE, DTYPE, FLAGS = (
    object.__basicsize__ // 8 + place for place in (-1, 0, 1, 2, 5, 6)
)
INT = 0xFFFFFFFF
READABLE = 0x0101  # the flags C-contiguous and aligned
WRITABLE = READABLE | 0x0400


@cache
def layout_holds():
    """Whether an array is where and what this module takes it to be."""
    probe = np.empty((3, 5), np.float32)

    def read(place):
        return ctypes.c_int64.from_address(id(probe) + 8 * place).value

    return (
        read(CLASS) == id(np.ndarray)
        and read(DATA) == probe.ctypes.data
        and read(DIMENSIONS) & INT == probe.ndim
        and read(DTYPE) == id(probe.dtype)
        and read(FLAGS) & INT == probe.flags.num
        and ctypes.c_int64.from_address(read(SHAPE) + 8).value == probe.shape[1]
    )


@serial
def _locate(table, kind, dtype, written):
    """Put the address of its elements in the place of each object, and in the last column the
    running sum of the sizes, which is returned; -1 if some array is not served.
    """
    total = 0
    last = table.shape[1] - 1
    for i in range(len(table)):
        size, dimensions, shape = 1, 0, 0
        for k in range(last):
            array = table[i, k]
            if word(array, CLASS) != kind:  # nothing else of it may be read
                return -1
            if k == 0:
                dimensions, shape = word(array, DIMENSIONS) & INT, word(array, SHAPE)
                for d in range(dimensions):
                    size *= word(shape, d)
            flags = WRITABLE if written >> k & 1 else READABLE
            if (
                word(array, DTYPE) != dtype
                or word(array, DIMENSIONS) & INT != dimensions
                or word(array, FLAGS) & flags != flags
            ):
                return -1
            for d in range(dimensions):
                if word(word(array, SHAPE), d) != word(shape, d):
                    return -1
            table[i, k] = word(array, DATA)
        total += size
        table[i, last] = total
    return total


@serial
def _chunk(code, table, numbers, c):
    """The elements of chunk c, which may lie in several arrays."""
    last = table.shape[1] - 1
    row = numbers[c % len(numbers)]
    start, stop = c * CHUNK, min((c + 1) * CHUNK, table[-1, last])
    i = np.searchsorted(table[:, last], start, side="right")
    while start < stop:
        begin = table[i - 1, last] if i else 0
        end = min(stop, table[i, last])
        call(code, (table[i].ctypes.data, row.ctypes.data, start - begin, end - begin))
        start = end
        i += 1


@serial
def _one_thread(code, table, numbers):
    for c in range((table[-1, -1] + CHUNK - 1) // CHUNK):
        _chunk(code, table, numbers, c)


@parallel
def _all_threads(code, table, numbers):
    for c in prange((table[-1, -1] + CHUNK - 1) // CHUNK):
        _chunk(code, table, numbers, c)


@serial
def _start(code, table, kind, dtype, written, numbers):
    """Locate all arrays and, if they are small, do the work at once."""
    total = _locate(table, kind, dtype, written)
    if 0 < total < PARALLEL:
        _one_thread(code, table, numbers)
    return total


def run(code, lists, written, numbers):
    """Call `code(row, numbers, start, stop)` until every element of all arrays has had its turn.

    code: the address of a C function. It finds in `row` the addresses of the elements of arrays
    that belong together, one of each list. lists: of arrays, aligned. written: a bit for each list,
    set where the arrays are written. numbers: rows of float64, one for all chunks or one for each,
    of which the function gets the address; whatever thread has a chunk, its elements and row are
    the same. NotImplemented, and nothing is called, unless all are plain C-contiguous arrays of the
    first one's dtype, and of one shape in a row.
    """
    rows = zip(*lists, lists[0], strict=True)  # the last column is for sizes
    table = np.fromiter(map(id, chain.from_iterable(rows)), np.int64)
    table = table.reshape(len(lists[0]), -1)
    # As arguments: compiled code outlives the process, in which alone these addresses hold.
    kind, dtype = id(np.ndarray), id(lists[0][0].dtype)
    total = _start(code, table, kind, dtype, written, numbers)
    if total < 0:
        return NotImplemented
    if total >= PARALLEL:
        (_all_threads if can_launch() else _one_thread)(code, table, numbers)
    return None
