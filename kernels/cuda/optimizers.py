"""Steps of optimizers and norms over lists of arrays: what `steps.cu` and `norms.cu` are given.

A trace (`tensorgrad.elementwise`) is text of assignments that C++ reads as it is; each becomes a
kernel of its own once, and computes numbers of 16 bits in float. The addresses of all arrays
go to the GPU as one small table, by a copy that nothing waits for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from tensorgrad.kernels.cuda.capture import on_device
from tensorgrad.kernels.cuda.loader import kernel, served, structure

Array = Any

THREADS, CHUNK = 256, 4096  # as in lists.cuh


@cache
def rule_of(text: str, arrays: int, numbers: int) -> str:
    """A trace as the C++ function `rule` that changes one element of each array."""
    written = sorted({int(k) for k in re.findall(r"^y(\d+) = ", text, re.MULTILINE)})
    body = [f"const T c{k} = T(numbers.of[{k}]);" for k in range(numbers)]
    body += [f"const T x{k} = x[{k}];" for k in range(arrays)]
    body += [f"const auto {line};" for line in text.splitlines()]
    body += [f"x[{k}] = y{k};" for k in written]
    return "\n".join(
        [
            f"constexpr int ARRAYS = {arrays};",
            f"constexpr unsigned WRITTEN = {sum(1 << k for k in written)};",
            f"struct Numbers {{ double of[{max(1, numbers)}]; }};",
            "template <typename T>",
            "__device__ __forceinline__ void rule(T (&x)[ARRAYS], const Numbers& numbers) {",
            *[f"    {line}" for line in body],
            "}",
        ]
    )


def table_of(lists: Sequence[Sequence[Array]]) -> tuple[Array, int, int]:
    """The table of `lists.cuh`, its rows, and the chunks of all."""
    rows = []
    chunks = 0
    for together in zip(*lists, strict=True):
        size = together[0].size
        if size:
            rows.append((chunks, size, *[array.data.ptr for array in together]))
            chunks += -(-size // CHUNK)
    return on_device(np.array(rows, np.int64)), len(rows), chunks


def step_elements(text: str, lists: list[list[Array]], numbers: list[float]) -> Any:
    """Run a trace over the elements of lists of arrays, x0 from the first, and write in place.

    NotImplemented, and nothing is written, unless all arrays are of one dtype that is served,
    C-contiguous (what is only read may lie as it will), and of one shape in a row.
    """
    import cupy

    if not served([array for arrays in lists for array in arrays]):
        return NotImplemented
    if any(array.shape != first.shape for first, *rest in zip(*lists) for array in rest):
        return NotImplemented
    ready = []
    for k, arrays in enumerate(lists):
        if f"y{k} = " not in text:
            arrays = [cupy.ascontiguousarray(array) for array in arrays]
        elif not all(array.flags.c_contiguous for array in arrays):
            return NotImplemented
        ready.append(arrays)
    table, rows, chunks = table_of(ready)
    if chunks:
        rule = rule_of(text, len(lists), len(numbers))
        step = kernel("steps.cu", "step_elements", lists[0][0].dtype.char, generated=rule)
        given = table, np.int32(rows), structure(numbers or [0.0], "f8")
        step((chunks,), (THREADS,), given)
    return None


def step_rows(
    rows: Array, text: str, lists: list[list[Array]], numbers: list[float], report: Any
) -> Any:
    """Run a trace over these rows, each named once and there, of a table and its states, each alone
    in its list. The second list has the gradient, whose rows are those named. A row that is not
    there is reported.
    """
    import cupy

    tables = [array for (array,) in lists]
    shape = tables[0].shape
    if not served(tables) or rows.dtype != np.int64 or len(shape) != 2:
        return NotImplemented
    tables[1], rows = cupy.ascontiguousarray(tables[1]), cupy.ascontiguousarray(rows)
    for k, table in enumerate(tables):
        wanted = (rows.size, shape[1]) if k == 1 else shape
        if table.shape != wanted or not table.flags.c_contiguous:
            return NotImplemented
    blocks = -(-tables[1].size // THREADS)
    if blocks:
        rule = rule_of(text, len(lists), len(numbers))
        step = kernel("steps.cu", "step_rows", tables[0].dtype.char, generated=rule)
        places = structure([table.data.ptr for table in tables], "i8")
        values = structure(numbers or [0.0], "f8")
        sizes = [np.int32(size) for size in (rows.size, *shape)]
        step((blocks,), (THREADS,), (rows, *sizes, places, values, report))
    return None


def total_norm(arrays: list[Array]) -> Any:
    """The root of the sum of the squares of all elements, added up in float64. It stays on the
    GPU, and nothing waits for it.
    """
    import cupy

    if not served(arrays):
        return NotImplemented
    char = arrays[0].dtype.char
    ready = [cupy.ascontiguousarray(array) for array in arrays]
    table, rows, chunks = table_of([ready])
    norm = cupy.zeros((), arrays[0].dtype)
    if chunks:
        sums = cupy.empty(chunks, np.float64)
        squares, root = kernel("norms.cu", "squares", char), kernel("norms.cu", "root", char)
        squares((chunks,), (THREADS,), (table, np.int32(rows), sums))
        root((1,), (THREADS,), (sums, np.int64(chunks), norm))
    return norm
