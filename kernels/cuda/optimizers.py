"""Steps of optimizers, norms and scaling over lists of arrays: what `steps.cu`, `counters.cu`,
`norms.cu` and `scaling.cu` are given.

A trace (`tensorgrad.elementwise`) is text of assignments that C++ reads as it is; each becomes a
kernel of its own once, and computes numbers of 16 bits in float. The addresses of all arrays and
the numbers of the step go to the GPU as one small table, by a copy that nothing waits for; numbers
that follow the count of the steps are made there.
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
def numbers_of(sources: tuple[str, ...], constants: int) -> str:
    """The numbers of a trace as a C++ function of the number of the step."""
    return "\n".join(
        [
            f"struct Numbers {{ double of[{max(1, len(sources))}]; }};",
            f"struct Constants {{ double of[{max(1, constants)}]; }};",
            "__device__ double power(double x, double y) { return pow(x, y); }",
            "__device__ Numbers numbers_of(double step, const Constants& constants) {",
            "    const double* k = constants.of;",
            f"    return {{{{{', '.join(sources)}}}}};",
            "}",
        ]
    )


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


def table_of(lists: Sequence[Sequence[Array]], *more: Any) -> tuple[Array, int, int, int]:
    """The table of `lists.cuh`, its rows, the chunks of all, and the address of what more there is
    in it: 8-byte numbers.
    """
    rows = []
    chunks = 0
    for together in zip(*lists, strict=True):
        size = together[0].size
        rows.append((chunks, size, *[array.data.ptr for array in together]))
        chunks += -(-size // CHUNK)
    known = np.array(rows, np.int64).reshape(-1)
    table = on_device(np.concatenate([known, *[part.view(np.int64) for part in more]]))
    return table, len(rows), chunks, table.data.ptr + known.nbytes


def address_of(found: Array | None) -> Any:
    """Of an array of one float that says whether the step is left out; none, if there is none."""
    return np.uint64(0 if found is None else found.data.ptr)


def count_steps(
    counters: list[Array], sources: list[str] | None, constants: list[float], skip: Array | None
) -> Array:
    """Add 1 to each counter, unless `skip` says no; the numbers that follow from each, by the
    sources of a trace.
    """
    import cupy

    made = numbers_of(tuple(sources or ()), len(constants))
    addresses = on_device(np.array([counter.data.ptr for counter in counters], np.int64))
    numbers = cupy.empty((len(counters), max(1, len(sources or ()))), np.float64)
    count = kernel("counters.cu", "count_steps", counters[0].dtype.char, generated=made)
    values = structure(constants or [0.0], "f8")
    given = addresses, np.int32(len(counters)), values, address_of(skip), numbers
    count((-(-len(counters) // THREADS),), (THREADS,), given)
    return numbers


def step_elements(text: str, lists: list[list[Array]], numbers: Any, skip: Array | None) -> Any:
    """Run a trace over the elements of lists of arrays, x0 from the first, and write in place,
    unless `skip` says no. numbers: the trace's, or those of `count_steps` for each of a list.

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
    counted = not isinstance(numbers, list)
    known = [] if counted else [np.array(numbers, np.float64)]
    table, rows, chunks, place = table_of(ready, *known)
    if chunks:
        size = numbers.shape[1] if counted else len(numbers)
        rule = rule_of(text, len(lists), size)
        step = kernel("steps.cu", "step_elements", lists[0][0].dtype.char, generated=rule)
        values = np.uint64(numbers.data.ptr if counted else place)
        given = table, np.int32(rows), values, np.int32(counted), address_of(skip)
        step((chunks,), (THREADS,), given)
    return None


def step_rows(
    rows: Array, text: str, lists: list[list[Array]], numbers: Any, skip: Array | None, report: Any
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
        if isinstance(numbers, list):
            numbers = on_device(np.array([numbers or [0.0]], np.float64))
        rule = rule_of(text, len(lists), numbers.shape[1])
        step = kernel("steps.cu", "step_rows", tables[0].dtype.char, generated=rule)
        places = structure([table.data.ptr for table in tables], "i8")
        sizes = [np.int32(size) for size in (rows.size, *shape)]
        step((blocks,), (THREADS,), (rows, *sizes, places, numbers, address_of(skip), report))
    return None


def unscale(arrays: list[Array], scale: Array) -> Any:
    """Divide by the scale, in place; 1.0 if a number is infinite or NaN then, else 0.0, on the GPU.
    NotImplemented, and nothing is written, unless all are C-contiguous and of one dtype.
    """
    import cupy

    if not served(arrays) or not all(array.flags.c_contiguous for array in arrays):
        return NotImplemented
    found = cupy.zeros((), np.float32)
    table, rows, chunks, _ = table_of([arrays])
    if chunks:
        divide = kernel("scaling.cu", "unscale", arrays[0].dtype.char)
        divide((chunks,), (THREADS,), (table, np.int32(rows), scale, found))
    return found


def total_norm(arrays: list[Array]) -> Any:
    """The root of the sum of the squares of all elements, added up in float64. It stays on the
    GPU, and nothing waits for it.
    """
    import cupy

    if not served(arrays):
        return NotImplemented
    char = arrays[0].dtype.char
    ready = [cupy.ascontiguousarray(array) for array in arrays]
    table, rows, chunks, _ = table_of([ready])
    norm = cupy.zeros((), arrays[0].dtype)
    if chunks:
        sums = cupy.empty(chunks, np.float64)
        squares, root = kernel("norms.cu", "squares", char), kernel("norms.cu", "root", char)
        squares((chunks,), (THREADS,), (table, np.int32(rows), sums))
        root((1,), (THREADS,), (sums, np.int64(chunks), norm))
    return norm
