"""Steps of optimizers: any elementwise rule, compiled from its trace, over all arrays in one pass.

Memory traffic is what a rule cannot do without, each element read once and written once: of Adam 4
arrays read and 3 written, which beyond a few hundred thousand elements is all its time. Composed of
array operations Adam moves over 25. A trace is text (`tensorgrad.elementwise`); it becomes the body
of a loop over one chunk, which LLVM vectorises, and `many` does the rest. No fast-math flag is set,
so that every result is the rule's own to the last bit, but for exponentials and logarithms. A new
trace compiles in about 0.3 s once, and is loaded from Numba's disk cache from then on. The norm of
all gradients goes the same way.
"""

import math
from functools import cache

import numpy as np

from tensorgrad.kernels.numba.addresses import call
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.generated import chunk_function, source
from tensorgrad.kernels.numba.many import CHUNK, layout_holds, run
from tensorgrad.kernels.numba.runtime import FAST, FLOATS, INT64, first_outside
from tensorgrad.kernels.numba.tasks import Tasks
from tensorgrad.kernels.numba.traced import FUNCTIONS

ROWS = 64  # rows of a table a task steps


@cache
def compiled(text, arrays, numbers, dtype):
    """The C function of a trace, its address, and a bit for each array that is written."""
    written = sum(1 << k for k in range(arrays) if f"y{k} = " in text)
    code = source(text, arrays, numbers)
    return *chunk_function(code, dtype, False, FUNCTIONS, __file__), written


@cache
def squares(dtype):
    """The C function that adds the squares of a chunk to the number it is given."""
    return chunk_function(SQUARES, dtype, FAST, FUNCTIONS, __file__)


SQUARES = """
def loop(array, total, start, stop):
    result = 0.0
    for i in range(start, stop):
        result += double(array[i]) * double(array[i])
    total[0] += result

def chunk(row, numbers, start, stop):
    loop(pointer(word(row, 0), real), pointer(numbers, double), start, stop)
    return 0
"""


def step_elements(text, lists, numbers):
    """Run a trace over the elements of lists of arrays, x0 from the first, and write in place.

    NotImplemented, and nothing is written, unless all arrays are float32 or all float64,
    C-contiguous (what is only read may lie as it will), and of one shape in a row.
    """
    dtype = lists[0][0].dtype
    if dtype not in FLOATS or not layout_holds():
        return NotImplemented
    _, code, written = compiled(text, len(lists), len(numbers), dtype.char)
    values = np.array([numbers], np.float64)
    if run(code, lists, written, values) is None:
        return None
    # Most often a gradient is transposed, or a number.
    ready = [
        arrays if written >> k & 1 else [plain(np.asarray(array)) for array in arrays]
        for k, arrays in enumerate(lists)
    ]
    return run(code, ready, written, values)


@Tasks
def _step_rows(task, code, places, rows, row_bytes, width, numbers):
    """ROWS rows. places: of each table, the second being the rows' gradients."""
    found = np.empty(places.size, np.int64)
    for i in range(task * ROWS, min(rows.size, (task + 1) * ROWS)):
        for k in range(places.size):
            found[k] = places[k] + (i if k == 1 else rows[i]) * row_bytes
        call(code, (found.ctypes.data, numbers.ctypes.data, 0, width))


def step_rows(rows, text, lists, numbers):
    """Run a trace over these rows, each named once, of a table and its states, each alone in its
    list. The second list has the gradient, whose rows are those named.
    """
    tables = [array for (array,) in lists]
    dtype, width = tables[0].dtype, tables[0].shape[1:]
    if dtype not in FLOATS or rows.dtype is not INT64 or len(width) != 1 or not rows.size:
        return NotImplemented
    tables[1], rows = plain(tables[1]), plain(rows)
    for k, table in enumerate(tables):
        shape = rows.shape + width if k == 1 else tables[0].shape
        if table.dtype is not dtype or table.shape != shape or not table.flags.carray:
            return NotImplemented
    if first_outside(rows, len(tables[0]), 0 if len(tables[0]) else -1) >= 0:
        return NotImplemented
    code = compiled(text, len(tables), len(numbers), dtype.char)[1]
    places = np.array([table.ctypes.data for table in tables])
    size = width[0] * dtype.itemsize
    values = np.array(numbers, np.float64)
    _step_rows(-(-rows.size // ROWS), code, places, rows, size, width[0], values)
    return None


def total_norm(arrays):
    """The root of the sum of the squares of all elements, added up in float64."""
    dtype = arrays[0].dtype
    if dtype not in FLOATS or not layout_holds():
        return NotImplemented
    ready = [plain(np.asarray(array)) for array in arrays]
    sums = np.zeros((max(1, -(-sum(array.size for array in ready) // CHUNK)), 1))
    if run(squares(dtype.char)[1], [ready], 0, sums) is NotImplemented:
        return NotImplemented
    return np.array(math.sqrt(sums.sum()), dtype)
