"""Checks of bags and of rows added where they are named: near to NumPy in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.cuda_ladder.checking import FULL, check, shifted
from tests.kernel_samples import close, sample

WIDTHS = (1, 3, 8)


def places(backend: Any) -> tuple[Any, Any]:
    return backend.xp.asarray, lambda array: shifted(backend, array)


@check("tables.cu", FULL)
def rows_taken(backend: Any, dtype: Any, small: bool) -> None:
    for shape in ((3,),) if small else ((0,), (3,), (5, 70)):
        index = np.random.default_rng(0).integers(0, 9, shape)
        for width in WIDTHS:
            table = sample((9, width), dtype)
            for place in places(backend):
                found = backend.embedding(backend.xp.asarray(index), place(table), None)
                np.testing.assert_array_equal(found.get(), table[index])


# Of 32 names a thread has: none, one, a chunk and its neighbours, runs that end at its end, that
# cross one or several, that begin anew right behind.
NAMES = [
    np.zeros(0, np.int64),
    np.array([4]),
    np.random.default_rng(0).integers(0, 7, 31),
    np.random.default_rng(1).integers(0, 50, 200),
    np.repeat([5, 0, 2, 3], [32, 70, 31, 1]),
    np.repeat([6, 1], [128, 33]),
    np.zeros(97, np.int64),
]


@check("tables.cu", FULL)
def rows_added(backend: Any, dtype: Any, small: bool) -> None:
    random = np.random.default_rng(2)
    for names in NAMES[4:6] if small else NAMES:
        names = random.permutation(names)
        rows = int(names.max(initial=0)) + 2
        for width in WIDTHS[1:] if small else WIDTHS:
            g = sample((len(names), width), dtype)
            for padding in (None, int(names[0]) if len(names) else 0):
                want = np.zeros((rows, width))
                np.add.at(want, names, g)
                if padding is not None:
                    want[padding] = 0
                for place in places(backend):
                    index = backend.xp.asarray(names)
                    out = backend.embedding_add(place(g), index, padding, rows)
                    close(out.get(), want)
    there = np.repeat([2, 0], [40, 3])
    nowhere = np.repeat([-2, 4], [3, 35])  # of a table of 4 rows
    g = sample((len(there) + len(nowhere), 3), dtype)
    want = np.zeros((4, 3))
    np.add.at(want, there, g[: len(there)])
    index = backend.xp.asarray(np.concatenate([there, nowhere]))
    close(backend.embedding_add(backend.xp.asarray(g), index, None, 4).get(), want)
    if small:
        return
    given = [sample((40, 4), dtype), sample((60, 4), dtype, 1)]
    index = random.integers(-40, 40, 60)
    target = backend.xp.asarray(given[0])
    backend.add_at(target, backend.xp.asarray(index), backend.xp.asarray(given[1]))
    want = given[0].astype("f8")
    np.add.at(want, index, given[1])
    close(target.get(), want)


@check("tables.cu", FULL)
def sums_are_in_the_order_of_the_numbers(backend: Any, dtype: Any, small: bool) -> None:
    """The same however a run lies across chunks, but for the order of chunks: to the bit."""
    index = backend.xp.asarray(np.zeros(80, np.int64))
    g = sample((80, 4), dtype)
    parts = np.zeros((3, 4), dtype)
    for number, row in enumerate(g):
        parts[number // 32] += row
    out = backend.embedding_add(backend.xp.asarray(g), index, None, 1)
    np.testing.assert_array_equal(out.get()[0], (parts[0] + parts[1]) + parts[2])


# Where bags begin, and the names in them.
BAGS = [([0], [3, 3, 1]), ([0, 0, 2, 2, 5], [1, 1, 0, 4, 1, 2, 1]), ([0, 3], []), ([], [])]
LONG = (list(range(0, 90, 3)), list(np.random.default_rng(3).integers(0, 9, 100)))


@check("tables.cu", FULL)
def bags(backend: Any, dtype: Any, small: bool) -> None:
    for begins, named in BAGS[1:2] if small else [*BAGS, LONG]:
        if begins and not named:
            begins = [0] * len(begins)
        offsets, index = np.array(begins, np.int64), np.array(named, np.int64)
        ends = [*begins[1:], len(named)]
        for width in WIDTHS:
            table, g = sample((9, width), dtype), sample((len(begins), width), dtype, 1)
            for padding in (None, 1):
                for mean in (False, True):
                    out = np.zeros(g.shape)
                    slope = np.zeros(table.shape)
                    for bag, (begin, end) in enumerate(zip(begins, ends, strict=False)):
                        kept = [row for row in named[begin:end] if row != padding]
                        share = max(1, len(kept)) if mean else 1
                        out[bag] = table[kept].astype("f8").sum(0) / share
                        np.add.at(slope, kept, g[bag].astype("f8") / share)
                    for place in places(backend):
                        on_device = [backend.xp.asarray(array) for array in (index, offsets)]
                        how = on_device[1], padding, mean
                        found = backend.embedding_bags(on_device[0], place(table), *how, False)
                        close(found.get(), out)
                        found = backend.embedding_bags_add(place(g), on_device[0], *how, 9)
                        close(found.get(), slope)
