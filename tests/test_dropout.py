"""Dropout on the CPU backends: the same elements stay, and no mask is kept for the gradient."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.nn import functional as F

SHAPES = [(), (0,), (3,), (7, 5), (2, 3, 4, 5), (1023, 33), (300, 401)]


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64, tg.float16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_backends_drop_the_same_elements(shape, dtype):
    values = np.random.default_rng(0).standard_normal(shape)
    results = []
    for name in ("numpy", "numba"):
        with tg.use_backend(name):
            tg.manual_seed(3)
            x = tg.tensor(values, dtype=dtype, requires_grad=True)
            for of in (x, x.mT) if x.ndim > 1 else (x,):
                y = F.dropout(of, 0.3)
                y.backward(of.detach())
                results.append((name, y.detach().numpy(), x.grad.numpy()))
    half = len(results) // 2
    for (_, y, grad), (_, other, other_grad) in zip(results[:half], results[half:], strict=True):
        np.testing.assert_array_equal(y, other)
        np.testing.assert_array_equal(grad, other_grad)


def test_the_gradient_passes_where_the_element_stayed(backend):
    x = tg.randn(200, 300, requires_grad=True)
    y = F.dropout(x, 0.25)
    y.sum().backward()
    kept = y != 0
    assert abs(kept.float().mean().item() - 0.75) < 0.01
    assert x.grad.equal(kept * (1 / 0.75))
    tg.testing.assert_close(y.detach(), x.detach() * x.grad)


def test_the_input_may_be_overwritten(backend):
    x = tg.ones(200, requires_grad=True)
    y = x * 1
    z = F.dropout(y, 0.5)
    y.zero_()
    z.sum().backward()
    assert x.grad.tolist() == z.tolist()


def test_each_call_draws_anew_and_a_seed_repeats_it(backend):
    x = tg.ones(1000)
    tg.manual_seed(5)
    first, second = F.dropout(x), F.dropout(x)
    assert not first.equal(second)
    tg.manual_seed(5)
    assert F.dropout(x).equal(first)


def test_no_mask_is_kept():
    pytest.importorskip("numba")
    with tg.use_backend("numba"):
        x = tg.ones(1 << 20, requires_grad=True)
        y = F.dropout(x)  # compiles
        del y
        before = tg.memory_stats()["allocated_bytes.all.current"]
        y = F.dropout(x)
        assert tg.memory_stats()["allocated_bytes.all.current"] - before < 1.2 * y.nbytes


def test_second_gradients(backend):
    x = tg.randn(50, dtype=tg.float64, requires_grad=True)
    y = F.dropout(x, 0.5)
    (grad,) = tg.autograd.grad((y * y).sum(), x, create_graph=True)
    (second,) = tg.autograd.grad(grad.sum(), x)
    assert second.equal(tg.where(y == 0, 0.0, 8.0).detach())


def test_numbers_that_are_not_finite(backend):
    y = F.dropout(tg.full((1000,), float("inf")), 0.5)
    assert ((y == float("inf")) | y.isnan()).all()
    assert y.isnan().any()
