"""Runs the cases of `bench.roofline` where they are counted, on the CPU, and prints rows as JSON.

KERNEL_SANITIZER=counts python -m tests.cuda_ladder.counts LINES
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

import tensorgrad as tg
from bench.roofline import CASES, Case, flat
from tensorgrad import backend as choice
from tests import cupy_stand_in
from tests.cuda_ladder import execution


def row(backend: Any, case: Case, lines: int) -> dict[str, Any]:
    arrays = case.arrays(np.random.default_rng(0), lines)
    given = [backend.xp.asarray(array) for array in arrays]
    if case.before is not None:
        given = case.before(backend, *given)
    execution.counts.clear()
    results = flat(case.call(backend, *given))
    sides = [side for _, found in execution.counts for side in (found.read, found.written)]
    asked = sum(side.asked for side in sides)
    return {
        "name": case.name,
        "kernels": [name for name, _ in execution.counts],
        "must": sum(array.nbytes for array in [*given[: case.twice], *flat(given), *results]),
        "moves": sum(side.once for side in sides),
        "asks": sum(side.moved for side in sides),
        "by_16": sum(side.by_16 for side in sides) / max(1, asked),
        "flops": case.flops * given[0].size,
        "does": sum(found.flops for _, found in execution.counts),
    }


if __name__ == "__main__":
    sys.modules.update(cupy_stand_in.MODULES)
    choice._loaded.clear()
    with tg.use_backend("cupy"):
        rows = [row(tg.get_backend(), case, int(sys.argv[1])) for case in CASES]
    sys.stdout.write(json.dumps(rows))
