"""`Word2Vec` on CupyBackend, by the CUDA kernel run on the CPU: what it learns, and when."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.text import Word2Vec
from tests.cuda_ladder import execution

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)


def topics(count: int = 60) -> list[list[str]]:
    """Sentences of the words a0 to a7 or of b0 to b7, never of both."""
    random = np.random.default_rng(0)
    return [[f"{'ab'[n % 2]}{k}" for k in random.integers(0, 8, 8)] for n in range(count)]


SMALL: dict[str, Any] = {
    "vector_size": 8, "window": 3, "min_count": 1, "sample": 0, "alpha": 0.1, "epochs": 2,
}  # fmt: skip


@pytest.mark.parametrize(("sg", "hs"), [(1, 0), (0, 0), (1, 1)])
def test_one_worker_learns_as_on_the_cpu(sg: int, hs: int, cuda: Any) -> None:
    before = execution.launches["word_steps"]
    found = Word2Vec(topics(), sg=sg, hs=hs, workers=1, **SMALL).wv.vectors
    assert execution.launches["word_steps"] == before + 2  # one an epoch
    with tg.use_backend("numpy"):
        want = Word2Vec(topics(), sg=sg, hs=hs, workers=1, **SMALL).wv.vectors
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-5)


def test_many_workers_learn_the_topics(cuda: Any) -> None:
    model = Word2Vec(topics(), sg=1, **SMALL | {"epochs": 8})
    within, between = model.wv.similarity("a0", "a1"), model.wv.similarity("a0", "b1")
    assert within > between + 0.3


def test_a_place_too_large_for_a_block_is_the_cpus(cuda: Any) -> None:
    before = execution.launches["word_steps"]
    Word2Vec(topics(4), sg=1, workers=1, **SMALL | {"negative": 400})
    assert execution.launches["word_steps"] == before
