"""Checks of what kernels report: each number out of its range, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.kernels.cuda.faults import Outside
from tests.cuda_ladder.checking import check

INTEGERS = (np.dtype("int64"), np.dtype("int32"))
SIZE, IGNORED = 7, -100


def reported(backend: Any, numbers: list[int], dtype: Any, first: int) -> bool:
    index = backend.xp.asarray(np.array(numbers, dtype))
    report = backend.faults.report(Outside("op", "indices", first, SIZE, "{}"))
    backend.faults.check(index, report, first, SIZE, IGNORED)
    try:
        backend.faults.look()
    except tg.IndexRangeError:
        return True
    return False


@check("indices.cu", INTEGERS)
def indices_in_and_out_of_range(backend: Any, dtype: Any, small: bool) -> None:
    for count in (2, 35) if small else (1, 255, 256, 257, 1029):
        for place in {0, count // 2, count - 1}:
            for first in (0, -SIZE):
                numbers = [first, SIZE - 1] * count
                for value in (first, SIZE - 1, IGNORED, first - 1, SIZE):
                    numbers[place] = value
                    outside = value in (first - 1, SIZE)
                    assert reported(backend, numbers[:count], dtype, first) == outside


@check("indices.cu", INTEGERS)
def the_number_that_is_named(backend: Any, dtype: Any, small: bool) -> None:
    """Of several the largest as a word: a negative one, else the largest; cut to 48 bits."""
    limit = 2**47 - 1
    for numbers, named in (
        ([3, 8, 9, 7], 9),
        ([8, -1, -3], -1),
        ([2**31 - 1], 2**31 - 1),
        ([-(2**31)], -(2**31)),
        *([([2**60], limit), ([-(2**60)], -limit)] if dtype.itemsize == 8 else []),
    ):
        index = backend.xp.asarray(np.array(numbers, dtype))
        backend.check_range("take", index, SIZE)
        with pytest.raises(tg.IndexRangeError, match=rf"^take: .* \[0, 7\), got {named} \("):
            backend.synchronize()


@check("softmax.cu")
def classes_that_are_not_there(backend: Any, dtype: Any, small: bool) -> None:
    """Their line has no loss, those of the others are as they were."""
    x = backend.xp.asarray(np.zeros((5, 3), dtype))
    for wrong in (-1, 3, 2**40):
        target = backend.xp.asarray(np.array([0, 1, wrong, -100, 2]))
        loss, state = backend.softmax_cross_entropy(x, target, -100, 0.1)
        backend.softmax_cross_entropy_vjp(loss, x, target, -100, 0.1, state)
        found = loss.get().astype("f8")
        np.testing.assert_allclose(found, np.log(3) * np.array([1, 1, 0, 0, 1]), rtol=1e-2)
        with pytest.raises(tg.IndexRangeError, match=rf"^cross_entropy: .* got {wrong} "):
            backend.synchronize()


@check("steps.cu")
def rows_that_are_not_there(backend: Any, dtype: Any, small: bool) -> None:
    table = backend.xp.asarray(np.ones((4, 5), dtype))
    gradient = backend.xp.asarray(np.full((3, 5), 2, dtype))
    for wrong in (-1, 4):
        rows = backend.xp.asarray(np.array([2, wrong, 0]))
        backend.step_rows(rows, "t0 = x0 - x1\ny0 = t0", [[table], [gradient]], [])
        with pytest.raises(tg.IndexRangeError, match=rf"^step_rows: .* got {wrong} "):
            backend.synchronize()
    assert table.get()[:, 0].tolist() == [-3, 1, -3, 1]
