"""Ops of rows on CupyBackend: which of them a CUDA kernel serves, run on the CPU, and which not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.nn import functional
from tests.cuda_ladder import execution
from tests.kernel_samples import close, sample

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)


def launched(function: Any) -> dict[str, int]:
    before = execution.launches.copy()
    function()
    return dict(execution.launches - before)


def test_each_pass_over_rows_is_one_launch(cuda: Any) -> None:
    x = tg.randn(7, 5, requires_grad=True)
    target = tg.tensor([0, 4, 1, 1, 2, 3, 0])
    steps = {
        "softmax": lambda: x.softmax(-1).sum().backward(),
        "log_softmax": lambda: x.log_softmax(1).sum().backward(),
        "cross_entropy": lambda: functional.cross_entropy(x, target, reduction="sum").backward(),
    }
    for name, step in steps.items():
        assert launched(step) == {name: 1, f"{name}_vjp": 1}


@pytest.mark.parametrize(
    ("function", "kernels"),
    [
        (lambda x: x.softmax(0), {"softmax": 1}),
        (lambda x: x[:0].softmax(1), {}),
        (lambda x: x[:, :0].log_softmax(1), {}),
        (lambda x: x[0, 0].softmax(-1), {}),
        (lambda x: x.half().softmax(-1).float(), {"softmax": 1}),  # in float32
        (
            lambda x: functional.cross_entropy(x, x.argmax(1), label_smoothing=0.1),
            {"cross_entropy": 1, "counted_mean": 1},
        ),
        (
            lambda x: functional.cross_entropy(x.reshape(2, 3, 5), tg.ones(2, 5).long()),
            {"cross_entropy": 1, "counted_mean": 1},
        ),
        (
            lambda x: functional.cross_entropy(x, x.argmax(1), weight=x[0].abs()),
            {"cross_entropy": 1, "check_indices": 1},
        ),
        (lambda x: functional.cross_entropy(x, x.softmax(1)), {"softmax": 1, "log_softmax": 1}),
    ],
)
def test_kernels_serve_what_they_can_and_the_rest_is_composed(
    function: Any, kernels: Any, cuda: Any
) -> None:
    x = sample((6, 5), "float32")

    def compute() -> None:
        found = function(tg.tensor(x)).cpu()
        with tg.use_backend("numpy"):
            close(found.numpy(), function(tg.tensor(x)).numpy())

    assert launched(compute) == kernels


def test_rows_may_lie_as_they_will(dtype: Any, cuda: Any) -> None:
    x = sample((5, 9), dtype)
    wide, turned = tg.tensor(np.repeat(x, 2, 1))[:, ::2], tg.tensor(x.T.copy()).t()
    want = tg.tensor(x).softmax(1).cpu().numpy()
    for rows in (wide, turned):
        np.testing.assert_array_equal(rows.softmax(1).cpu().numpy(), want)


def test_a_second_derivative_is_the_compositions(cuda: Any) -> None:
    x = tg.tensor(sample((3, 4), "float64"), requires_grad=True)
    assert tg.autograd.gradgradcheck(lambda x: x.softmax(-1), (x,))
    target = tg.tensor([1, 0, 3])
    assert tg.autograd.gradgradcheck(lambda x: functional.cross_entropy(x, target), (x,))
