"""Rows that numbers name on CupyBackend: which CUDA kernels serve them, run on the CPU."""

from __future__ import annotations

from typing import Any

import pytest

import tensorgrad as tg
from tensorgrad.nn import functional
from tests.cuda_ladder import execution
from tests.kernel_samples import close, sample

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)

ADDED = {"add_runs": 1, "join_runs": 1}
INDEX = [[3, 1, 3, 0], [2, 3, 1, 1]] * 8
OFFSETS = [0, 0, 5, 40]


def bag(mode: str) -> Any:
    def function(x: Any, index: Any) -> Any:
        offsets = tg.tensor(OFFSETS)
        return functional.embedding_bag(index.reshape(-1), x, offsets, mode=mode, padding_idx=2)

    return function


OPS = {
    "embedding": (
        lambda x, i: functional.embedding(i, x, padding_idx=1),
        {"take_rows": 1, **ADDED},
    ),
    "sum of bags": (bag("sum"), {"sum_bags": 1, **ADDED}),
    "means of bags": (bag("mean"), {"sum_bags": 1, "share_bags": 1, **ADDED}),
    "index": (lambda x, index: x[index], ADDED),
    "index of all dimensions": (lambda x, index: x[index, index % 2], ADDED),
    "gather": (lambda x, index: x.gather(0, index), ADDED),
    "index_add": (
        lambda x, index: x.index_add(0, index[:, 0], x[:1].expand(16, 4)),
        {"add_runs": 1},
    ),
    "scatter_add": (
        lambda x, index: x.scatter_add(1, index[:4] % 4, x * x),
        {"add_runs": 1},
    ),
}


@pytest.mark.parametrize("name", OPS)
def test_each_is_served_by_kernels(name: str, dtype: Any, cuda: Any) -> None:
    function, kernels = OPS[name]
    found = []
    for backend in ("cupy", "numpy"):
        with tg.use_backend(backend):
            before = execution.launches.copy()
            x = tg.tensor(sample((4, 4), dtype), requires_grad=True)
            y = function(x, tg.tensor(INDEX))
            y.backward(tg.tensor(sample(y.shape, dtype, 1)))
            if backend == "cupy":
                ours = {"take_rows", "add_runs", "join_runs", "sum_bags", "share_bags"}
                launched = execution.launches - before
                assert {key: n for key, n in launched.items() if key in ours} == kernels
            found.append([value.cpu().numpy() for value in (y.detach(), x.grad)])
    for got, want in zip(*found, strict=True):
        close(got, want)


def test_a_number_out_of_range_is_named(cuda: Any) -> None:
    table = tg.zeros(3, 2)
    for function in (functional.embedding, functional.embedding_bag):
        with pytest.raises(tg.IndexRangeError, match=r"\[0, 3\), got 3"):
            function(tg.tensor([[0, 3]]), table).cpu()


def test_a_row_out_of_range_is_left_out_until_then(cuda: Any) -> None:
    for function in (functional.embedding, functional.embedding_bag):
        table = tg.ones(3, 2, requires_grad=True)
        function(tg.tensor([[-1, 1, 3]]), table).sum().backward()
        with pytest.raises(tg.IndexRangeError):
            table.grad.cpu()
        assert table.grad[0].tolist() == table.grad[2].tolist() == [0, 0]


def test_integers_and_masks_are_added_as_before(cuda: Any) -> None:
    x = tg.tensor([1, 2, 3])
    assert x.index_add(0, tg.tensor([0, 0]), tg.tensor([5, 6])).tolist() == [12, 2, 3]
    y = tg.ones(2, 3)
    y[tg.tensor([True, False])] += 2
    assert y.tolist() == [[3, 3, 3], [1, 1, 1]]
    half = tg.zeros(2, dtype=tg.float16).index_add(0, tg.tensor([1, 1]), tg.ones(2).half())
    assert half.tolist() == [0, 2]
