"""Random numbers on CupyBackend, by CUDA kernels run on the CPU: one launch, and the CPU's bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.nn import functional
from tests.cuda_ladder import execution

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)


def drawn(backend: str, dtype: Any) -> list[np.ndarray]:
    """Several draws from one seed, and a dropout with its gradient."""
    with tg.use_backend(backend):
        tg.manual_seed(7)
        found = [tg.rand(33, dtype=dtype), tg.rand(0, 3, dtype=dtype), tg.rand((), dtype=dtype)]
        x = tg.rand(5, 7, dtype=dtype).t().requires_grad_()
        y = functional.dropout(x, 0.3)
        y.sum().backward()
        return [value.detach().cpu().numpy() for value in (*found, y, x.grad, tg.rand(3))]


def test_one_seed_gives_the_same_bits(dtype: Any, cuda: Any) -> None:
    for got, want in zip(drawn("cupy", dtype), drawn("numpy", dtype), strict=True):
        np.testing.assert_array_equal(got, want)


def test_each_is_one_launch(cuda: Any) -> None:
    before = execution.launches.copy()
    x = tg.rand(100, requires_grad=True)
    assert execution.launches - before == {"uniform": 1}
    functional.dropout(x, 0.5).sum().backward()
    assert execution.launches - before == {"uniform": 1, "drop": 2}


def test_half_precision_is_dropped_by_one_launch(cuda: Any) -> None:
    before = execution.launches["drop"]
    y = functional.dropout(tg.ones(1000, dtype=tg.float16), 0.5)
    assert set(y.tolist()) == {0.0, 2.0}
    assert execution.launches["drop"] == before + 1
