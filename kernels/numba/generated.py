"""Loops over elements written as text, compiled one at a time, when first wanted, and kept on disk.

A text of assignments, one a line, over x0, x1, ... (an element of each array) and c0, c1, ... (the
numbers) becomes the body of a loop over one chunk, which LLVM vectorises, and a C function for
`many.run`. It compiles in about 0.3 s once. Must not know what the text computes.
"""

import hashlib

import numba
import numpy as np

from tensorgrad.kernels.numba.addresses import c_function, pointer, word
from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.many import layout_holds, run
from tensorgrad.kernels.numba.math import FLAGS


def source(text, arrays, numbers):
    """The loop over a chunk of each array, and the C function that finds them."""
    pointers = ", ".join(f"p{k}" for k in range(arrays))
    found = ", ".join(f"pointer(word(row, {k}), real)" for k in range(arrays))
    written = [k for k in range(arrays) if f"y{k} = " in text]
    body = [f"x{k} = p{k}[i]" for k in range(arrays)]
    body += text.splitlines()
    body += [f"p{k}[i] = y{k}" for k in written]
    return "\n".join(
        [
            f"def loop({pointers}, numbers, start, stop):",
            *[f"    c{k} = real(numbers[{k}])" for k in range(numbers)],
            "    for i in range(start, stop):",
            *[f"        {line}" for line in body],
            "def chunk(row, numbers, start, stop):",
            f"    loop({found}, pointer(numbers, double), start, stop)",
            "    return 0",
        ]
    )


def chunk_function(code, dtype, flags, functions, file):
    """Compile a source with `loop` and `chunk`; the function and its address. If it has `element`,
    too, that is compiled in its place in the loop, and the flags do not hold for it.

    functions: what the code may call, of the module in that file. Numba keeps a compiled function
    under its file and name: the name tells the source.
    """
    digest = hashlib.sha256(f"{dtype} {code}".encode()).hexdigest()[:16]
    real = np.dtype(dtype).type
    space = dict(functions, pointer=pointer, word=word, real=real, double=np.float64)
    space["__name__"] = __name__
    exec(compile(code, file, "exec"), space)
    # All have names of their own: functions of one name that come from the disk cache may be taken
    # for each other, as Numba tells them apart by a number that each process counts anew.
    for part in "element", "loop", "chunk":
        if part in space:
            space[part].__name__ = space[part].__qualname__ = f"{part}_{digest}"
    if "element" in space:
        plain_math = numba.njit(error_model="numpy", forceinline=True, fastmath=False)
        space["element"] = plain_math(space["element"])
    # Inlined: else the process that compiles it would call another copy than one that finds it on
    # disk, and a sum could be taken in another order.
    loop = numba.njit(error_model="numpy", fastmath=flags, forceinline=True)
    space["loop"] = loop(space["loop"])
    function = c_function(4)(space["chunk"])
    return function, function.address


_NONE = np.zeros((1, 1))


class Loops:
    """`loops(text, arrays, numbers)`: a new array, one past the others in the text, that holds what
    the text says of every element. It lies in memory as the last of `arrays`.

    NotImplemented for other dtypes than float32 and float64, and for arrays of several shapes.
    """

    def __init__(self, functions, file):
        self.functions = functions
        self.file = file
        self.compiled = {}

    def __call__(self, text, arrays, numbers=()):
        last = arrays[-1]
        dtype = last.dtype
        found = self.compiled.get((text, dtype.char))
        if found is None:
            if dtype.char not in "fd" or not layout_holds():
                return NotImplemented
            code = source(text, len(arrays) + 1, len(numbers))
            found = chunk_function(code, dtype.char, FLAGS, self.functions, self.file)
            self.compiled[text, dtype.char] = found
        row = np.array([numbers], np.float64) if numbers else _NONE
        out = np.empty_like(last)
        written = 1 << len(arrays)
        if run(found[1], [[array] for array in (*arrays, out)], written, row) is None:
            return out
        if any(array.dtype is not dtype or array.shape != last.shape for array in arrays):
            return NotImplemented
        # Transposed in memory, or not dense: with its axes in the order of memory the last array is
        # plain or is copied, and so are the others.
        order = sorted(range(last.ndim), key=lambda axis: -abs(last.strides[axis]))
        ready = [plain(np.asarray(array).transpose(order)) for array in arrays]
        out = np.empty(ready[-1].shape, dtype)
        run(found[1], [[array] for array in (*ready, out)], written, row)
        return out.transpose(sorted(range(last.ndim), key=order.__getitem__))
