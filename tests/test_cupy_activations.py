"""Activation functions on CupyBackend, by CUDA kernels run on the CPU."""

from __future__ import annotations

from typing import Any

import pytest

import tensorgrad as tg
from tests.cuda_ladder import execution
from tests.cuda_ladder.activation_checks import ACTIVATIONS
from tests.kernel_samples import close, sample

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_is_one_launch_there_and_one_back(name: str, dtype: Any, cuda: Any) -> None:
    function, found = ACTIVATIONS[name], []
    for backend in ("cupy", "numpy"):
        with tg.use_backend(backend):
            before = execution.launches.copy()
            x = tg.tensor(sample((7, 9), dtype), requires_grad=True)
            y = function(x.t())  # transposed in memory
            y.backward(tg.tensor(sample((9, 7), dtype, 1)))
            if backend == "cupy":
                assert execution.launches - before == {name: 1, f"{name}_vjp": 1}
            found.append([value.cpu().numpy() for value in (y.detach(), x.grad)])
    for got, want in zip(*found, strict=True):
        close(got, want)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_second_derivative_is_the_compositions(name: str, cuda: Any) -> None:
    x = tg.tensor(sample(5, "float64"), requires_grad=True)
    assert tg.autograd.gradgradcheck(ACTIVATIONS[name], (x,))


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16])
def test_half_precision_is_one_launch_there_and_one_back(dtype: Any, cuda: Any) -> None:
    before = execution.launches.copy()
    x = tg.tensor([-1.0, 2.0], dtype=dtype, requires_grad=True)
    y = tg.relu(x)
    y.sum().backward()
    assert (y.tolist(), x.grad.tolist()) == ([0, 2], [0, 1])
    assert execution.launches - before == {"relu": 1, "relu_vjp": 1}


def test_integers_and_no_elements(cuda: Any) -> None:
    before = execution.launches.copy()
    assert tg.relu(tg.tensor([-1, 0, 2])).tolist() == [0, 0, 2]
    assert tg.relu(tg.zeros(0)).shape == (0,)
    assert execution.launches == before
