"""Norms of gradients and clipping by them: against formulas and, as a kernel, the reference."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.nn import utils
from tests.kernel_samples import SHAPES, sample
from tests.layer_samples import host

total_norm = NumbaBackend().total_norm


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_total_norm(dtype):
    arrays = [sample(shape, dtype, seed) for seed, shape in enumerate(SHAPES)]
    arrays += [np.asfortranarray(sample((7, 9), dtype, 20)), np.array(2.0, dtype)[()]]
    want = np.sqrt(sum(np.sum(array.astype("f8") ** 2) for array in arrays))
    got = total_norm(arrays)
    assert got.dtype == dtype
    assert got.shape == ()
    np.testing.assert_allclose(got, want, rtol=2 * np.finfo(dtype).eps)
    large = [np.full(3, 1e30, "f4")]
    np.testing.assert_allclose(total_norm(large), 1e30 * np.sqrt(3), rtol=1e-6)
    assert np.isnan(total_norm([np.array([1.0, np.nan], dtype)]))
    assert total_norm([np.zeros((0, 3), dtype)]) == 0
    assert total_norm([np.ones(2, "f4"), np.ones(2, "f8")]) is NotImplemented


def test_clipping_is_that_of_the_reference():
    results = []
    for name in "numpy", "numba":
        with tg.use_backend(name):
            params = [tg.zeros(*shape, requires_grad=True) for shape in SHAPES]
            for limit, clip in enumerate(
                (tg.nn.utils.clip_grad_norm_, tg.nn.utils.clip_grad_value_), 1
            ):
                for seed, param in enumerate(params):
                    param.grad = tg.tensor(sample(param.shape, "float32", seed))
                total = clip(params, limit)
                results.append([param.grad.numpy() for param in params])
                if total is not None:
                    results[-1].append(total.numpy())
    for reference, got in ((results[0], results[2]), (results[1], results[3])):
        for a, b in zip(got, reference, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
    assert abs(np.concatenate([array.ravel() for array in results[3]])).max() == 2


def test_a_gradient_that_is_not_finite_spreads():
    params = [tg.zeros(3, requires_grad=True) for _ in range(2)]
    params[0].grad, params[1].grad = tg.tensor([1.0, np.nan, 2.0]), tg.ones(3)
    assert np.isnan(tg.nn.utils.clip_grad_norm_(params, 1.0).item())
    assert bool(tg.isnan(params[1].grad).all())


def test_a_gradient_within_the_limit_keeps_its_bits():
    param = tg.zeros(1000, requires_grad=True)
    gradient = sample(1000, "float32", 0)
    param.grad = tg.tensor(gradient)
    tg.nn.utils.clip_grad_norm_([param], 1e6)
    np.testing.assert_array_equal(param.grad.numpy(), gradient)


def gradients():
    parameters = [tg.ones(2, requires_grad=True), tg.ones(3, 2, requires_grad=True)]
    parameters[0].grad = tg.tensor([3.0, 0.0])
    parameters[1].grad = tg.full((3, 2), -2.0)
    return [*parameters, tg.ones(1, requires_grad=True)]


@pytest.mark.parametrize(
    ("order", "total"),
    [(2.0, math.sqrt(9 + 24)), (1, 15), (math.inf, 3), (3, (27 + 48) ** (1 / 3))],
)
def test_clip_grad_norm(order, total, backend):
    parameters = gradients()
    memory = host(parameters[1].grad)
    assert utils.clip_grad_norm_(parameters, 1.0, order).item() == pytest.approx(total)
    np.testing.assert_allclose(memory, -2 / (total + 1e-6), rtol=1e-6)
    assert parameters[2].grad is None
    before = host(parameters[0].grad).copy()
    utils.clip_grad_norm_(parameters, 100.0, order)
    np.testing.assert_array_equal(host(parameters[0].grad), before)
    assert utils.clip_grad_norm_(parameters[2], 1.0).item() == 0


def test_clip_grad_norm_that_is_not_finite(backend):
    parameters = gradients()
    parameters[0].grad = tg.tensor([math.inf, 1.0])
    with pytest.raises(RuntimeError, match="expected a finite norm"):
        utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert parameters[1].grad.tolist() == [[-2, -2]] * 3


def test_clip_grad_value(backend):
    parameters = gradients()
    utils.clip_grad_value_(parameters, 1.5)
    assert parameters[0].grad.tolist() == [1.5, 0]
    assert parameters[1].grad.tolist() == [[-1.5, -1.5]] * 3
