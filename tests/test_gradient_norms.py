"""The norm of a list of gradients as a kernel, and clipping by it."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.backends.numba_backend import NumbaBackend
from tests.kernel_samples import SHAPES, sample

backend = NumbaBackend()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_total_norm(dtype):
    arrays = [sample(shape, dtype, seed) for seed, shape in enumerate(SHAPES)]
    arrays += [np.asfortranarray(sample((7, 9), dtype, 20)), np.array(2.0, dtype)[()]]
    want = np.sqrt(sum(np.sum(array.astype("f8") ** 2) for array in arrays))
    got = backend.total_norm(arrays)
    assert got.dtype == dtype
    assert got.shape == ()
    np.testing.assert_allclose(got, want, rtol=2 * np.finfo(dtype).eps)
    large = [np.full(3, 1e30, "f4")]
    np.testing.assert_allclose(backend.total_norm(large), 1e30 * np.sqrt(3), rtol=1e-6)
    assert np.isnan(backend.total_norm([np.array([1.0, np.nan], dtype)]))
    assert backend.total_norm([np.zeros((0, 3), dtype)]) == 0
    assert backend.total_norm([np.ones(2, "f4"), np.ones(2, "f8")]) is NotImplemented


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
