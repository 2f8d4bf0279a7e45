"""Norms on CupyBackend: which CUDA kernels serve them, run on the CPU."""

from __future__ import annotations

from typing import Any

import pytest

import tensorgrad as tg
from tensorgrad.nn import functional
from tests.cuda_ladder import execution
from tests.kernel_samples import close, sample

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)

# Of input, weight and bias: a norm, the input's shape, the weights', and the kernels that serve it.
ROWS = {"standardize": 1, "standardize_vjp": 1, "column_sums": 1}
GROUPS = {"standardize": 1, "standardize_channels_vjp": 1, "column_sums": 1}
BATCHES = {
    "line_moments": 1,
    "channel_moments": 1,
    "shift_and_scale": 1,
    "channel_sums": 1,
    "column_sums": 1,
    "channels_vjp": 1,
}
COLUMNS = {"standardize_columns": 1, "standardize_columns_vjp": 1}
SCALED = {"shift_and_scale": 2, "channel_sums": 1, "column_sums": 1}


def running(x: Any, weight: Any, bias: Any) -> Any:
    level, spread = (make(x.shape[1], dtype=x.dtype) for make in (tg.zeros, tg.ones))
    return functional.batch_norm(x, level, spread, weight, bias)


NORMS = {
    "layer": (lambda x, w, b: functional.layer_norm(x, (6,), w, b), (9, 5, 6), (6,), ROWS),
    "rms": (lambda x, w, b: functional.rms_norm(x, (5, 6), w) + 0 * b, (9, 5, 6), (5, 6), ROWS),
    "group": (lambda x, w, b: functional.group_norm(x, 2, w, b), (3, 6, 4, 5), (6,), GROUPS),
    "instance": (
        lambda x, w, b: functional.instance_norm(x, weight=w, bias=b),
        *((3, 6, 4, 5), (6,), GROUPS),
    ),
    "batch": (
        lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True),
        *((3, 6, 4, 5), (6,), BATCHES),
    ),
    "batch of one place": (
        lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True),
        *((30, 6), (6,), COLUMNS),
    ),
    "batch by running statistics": (running, (3, 6, 4, 5), (6,), SCALED),
}


@pytest.mark.parametrize("name", NORMS)
def test_each_is_served_by_kernels(name: str, dtype: Any, cuda: Any) -> None:
    function, shape, affine, kernels = NORMS[name]
    found = []
    for backend in ("cupy", "numpy"):
        with tg.use_backend(backend):
            before = execution.launches.copy()
            arrays = [sample(shape, dtype), sample(affine, dtype, 1), sample(affine, dtype, 2)]
            x, *weights = (tg.tensor(array, requires_grad=True) for array in arrays)
            y = function(x, *weights)
            y.backward(tg.tensor(sample(shape, dtype, 3)))
            if backend == "cupy":
                assert execution.launches - before == kernels
            values = [y.detach(), x.grad, *[weight.grad for weight in weights]]
            found.append([value.cpu().numpy() for value in values])
    for got, want in zip(*found, strict=True):
        close(got, want, 200)


def test_running_statistics_move_as_on_the_cpu(cuda: Any) -> None:
    found = []
    for backend in ("cupy", "numpy"):
        with tg.use_backend(backend):
            norm = tg.nn.BatchNorm2d(6)
            for seed in range(3):
                norm(tg.tensor(sample((3, 6, 4, 5), "float32", seed)))
            found.append([norm.running_mean.cpu().numpy(), norm.running_var.cpu().numpy()])
    for got, want in zip(*found, strict=True):
        close(got, want)


def test_gradients_of_weights_are_made_where_they_are_wanted(cuda: Any) -> None:
    x = tg.tensor(sample((9, 6), "float32"), requires_grad=True)
    before = execution.launches.copy()
    functional.layer_norm(x, (6,), tg.ones(6), tg.zeros(6)).sum().backward()
    assert execution.launches - before == {"standardize": 1, "standardize_vjp": 1}


@pytest.mark.parametrize(
    "function",
    [
        lambda x: functional.layer_norm(x[:0], (6,)),
        lambda x: tg.batch_norm(x.t()[:, :, None][:, :0], None, None, training=True),
        lambda x: functional.layer_norm(x.half(), (6,)).float(),
    ],
)
def test_the_rest_is_composed(function: Any, cuda: Any) -> None:
    x = sample((4, 6), "float32")
    found = function(tg.tensor(x)).cpu().numpy()
    with tg.use_backend("numpy"):
        close(found, function(tg.tensor(x)).numpy())


@pytest.mark.parametrize("name", NORMS)
def test_a_second_derivative_is_the_compositions(name: str, cuda: Any) -> None:
    function, shape, affine, _ = NORMS[name]
    x = tg.tensor(sample((2, *shape[1:]), "float64"), requires_grad=True)
    weight, bias = (tg.tensor(sample(affine, "float64", seed)) for seed in (1, 2))
    assert tg.autograd.gradgradcheck(lambda x: function(x, weight, bias), (x,))
