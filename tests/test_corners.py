"""Corners where two parts of the library meet: memory of gradients, histories of many views, modes
on generators, narrow floats, declarations that cannot work.
"""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.fused import fused
from tensorgrad.op import primitive
from tensorgrad.random import Generator


def test_a_gradient_never_shares_memory_with_what_the_caller_passed(backend):
    leaf = tg.zeros(3, requires_grad=True)
    passed = tg.ones(3)
    leaf.backward(passed)
    leaf.grad.zero_()
    assert passed.tolist() == [1.0, 1.0, 1.0]


def test_a_gradient_that_a_graph_saved_is_missed_when_backward_adds_to_it(backend):
    leaf = tg.ones(3, requires_grad=True)
    weight = tg.ones(3, requires_grad=True)
    (leaf * 2).sum().backward()
    loss = (weight * leaf.grad).sum()
    (leaf * 3).sum().backward()
    with pytest.raises(tg.GraphError, match="mul: expected its saved"):
        loss.backward()


def test_arguments_that_depend_on_each_other_are_not_counted_twice(backend):
    def normalized(x):
        return tg.layer_norm(x, (4,), x[0] * 2, x[1])

    x = tg.randn(2, 4, dtype=tg.float64, requires_grad=True)
    assert tg.autograd.gradcheck(normalized, x)
    assert tg.autograd.gradgradcheck(normalized, x)


@pytest.mark.parametrize("dead", [0, 50, 58, 59, 60, 61, 62, 63, 64, 130])
def test_every_live_view_follows_an_in_place_op(backend, dead):
    x = tg.ones(4, requires_grad=True)
    base = x * 1
    for _ in range(dead):
        _ = base[0]
    views = [base[i] for i in range(4)]
    base.mul_(2)
    base.mul_(3)
    for place, view in enumerate(views):
        (gradient,) = tg.autograd.grad(view, x, retain_graph=True)
        assert gradient.tolist() == [6.0 if i == place else 0.0 for i in range(4)]


def test_dead_views_are_forgotten(backend):
    base = tg.ones(4)
    for _ in range(1000):
        _ = base[0]
    assert len(base._version.views) <= 512


def test_modes_on_functions():
    @tg.set_grad_enabled(False)
    def disabled():
        return tg.is_grad_enabled()

    @tg.no_grad()
    def steps():
        yield tg.is_grad_enabled()
        yield tg.is_grad_enabled()

    assert tg.is_grad_enabled()
    assert disabled() is False
    assert tg.is_grad_enabled()
    seen = []
    for enabled in steps():
        seen.append((enabled, tg.is_grad_enabled()))
    assert seen == [(False, True), (False, True)]


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16], ids=str)
def test_narrow_floats_are_reduced_in_float32(backend, dtype):
    hundreds = tg.full((400,), 100.0, dtype=dtype)
    assert hundreds.norm().item() == 2000
    assert tg.ones(100_000, dtype=dtype).mean().item() == 1
    assert tg.ones(4000, dtype=dtype).cumsum(0)[-1].item() == pytest.approx(4000, rel=0.01)
    steps = tg.arange(8).to(dtype) * 100
    normalized = tg.layer_norm(steps, (8,)).float().numpy()
    np.testing.assert_allclose(normalized, (np.arange(8) - 3.5) / np.sqrt(5.25), rtol=0.01)
    parameter = tg.zeros(400, dtype=dtype, requires_grad=True)
    parameter.grad = hundreds
    tg.nn.utils.clip_grad_norm_([parameter], 1.0)
    assert parameter.grad[0].item() == pytest.approx(0.05, rel=0.01)
    assert hundreds.norm().dtype == steps.mean().dtype == dtype


def test_sums_over_rows_keep_their_digits(backend):
    """Added row by row in float32, a million tenths are off by nearly a thousand."""
    column = tg.full((1_000_000, 2), 0.1)
    np.testing.assert_allclose(column.sum(0).numpy(), 1e5, rtol=1e-5)


def test_values_of_assignments_are_broadcast_and_converted(backend):
    target = tg.zeros(2, 3)
    weight = tg.ones(1, 3, requires_grad=True)
    target[0] = weight
    target.sum().backward()
    assert weight.grad.tolist() == [[1.0, 1.0, 1.0]]
    integers = tg.arange(3)
    integers[0] = tg.tensor(2.7)
    assert integers.tolist() == [2, 1, 2]


def test_nothing_equals_none():
    x = tg.ones(2)
    assert (x == None) is False  # noqa: E711
    assert (x != None) is True  # noqa: E711


def test_a_memory_map_becomes_a_tensor(tmp_path):
    array = np.memmap(tmp_path / "tokens", dtype="int64", mode="w+", shape=(4,))
    array[:] = range(4)
    for tensor in (tg.from_numpy(array), tg.as_tensor(array)):
        assert (tensor + 1).tolist() == [1, 2, 3, 4]
    tg.from_numpy(array)[0] = 7
    assert array[0] == 7


@pytest.mark.parametrize("words", [0, 1, 4, 5, 8])
def test_a_draw_uses_up_as_many_blocks_as_it_needs(words):
    generator = Generator()
    generator.draw(words)
    assert generator.draw(0)[1] == -(-words // 4)


@pytest.mark.parametrize(
    ("declare", "match"),
    [
        (lambda: fused()(lambda x: x), "expected plain parameters"),
        (lambda: primitive("p", "x", kind="flaot"), "expected kind to be one of"),
        (lambda: primitive("p", "x", z=lambda g: g), "expected rules for"),
        (lambda: primitive("p", "x", x=lambda g, z: g), "to ask for some of"),
        (lambda: primitive("p", "y"), "expected other parameter names"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_where_it_stands(declare, match):
    with pytest.raises(ValueError, match=match):
        declare()


def test_a_step_that_is_refused_writes_nothing(backend):
    fine, wrong = tg.nn.Parameter(tg.ones(2)), tg.nn.Parameter(tg.ones(2))
    optimizer = tg.optim.Adam([fine, wrong], lr=0.1)
    (fine * wrong).sum().backward()
    wrong.data = tg.ones(3)
    with pytest.raises(tg.ShapeError, match="Adam: expected gradients of their parameters' shapes"):
        optimizer.step()
    assert fine.tolist() == [1.0, 1.0]
    assert not optimizer.state


def test_a_batch_that_is_refused_is_not_counted(backend):
    norm = tg.nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="expected more than 1 value per channel"):
        norm(tg.ones(1, 3))
    assert norm.num_batches_tracked.item() == 0
    norm(tg.randn(4, 3))
    assert norm.num_batches_tracked.item() == 1


def test_a_refused_draw_uses_up_no_random_numbers(backend):
    leaf = tg.ones(3, requires_grad=True)
    before = tg.get_rng_state()
    for draw in (leaf.normal_, leaf.uniform_):
        with pytest.raises(tg.GraphError, match=f"{draw.__name__}: expected a tensor that may be"):
            draw()
    assert tg.get_rng_state().tolist() == before.tolist()


def test_an_expanded_gradient_that_was_assigned_is_added_to(backend):
    leaf = tg.ones(3, requires_grad=True)
    leaf.grad = tg.ones(1).expand(3)
    leaf.sum().backward()
    assert leaf.grad.tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("hook", "error", "match"),
    [
        (lambda gradient: 1.0, TypeError, "a tensor or None, got float"),
        (lambda gradient: gradient.sum(), RuntimeError, r"shape \[3\], got \[\]"),
        (lambda gradient: gradient.double(), RuntimeError, "a gradient of float32, got float64"),
    ],
)
def test_a_hook_that_returns_no_gradient_is_refused(hook, error, match, backend):
    leaf = tg.ones(3, requires_grad=True)
    leaf.register_hook(hook)
    with pytest.raises(error, match=f"hook: expected .*{match}"):
        leaf.sum().backward()
    assert leaf.grad is None


def test_what_runs_over_many_elements_keeps_its_digits(backend):
    x = tg.full((100_000,), 0.1)
    places = np.arange(1, 100_001)
    for name, wanted in (("cumsum", 0.1 * places), ("logcumsumexp", 0.1 + np.log(places))):
        np.testing.assert_allclose(getattr(tg, name)(x, 0).numpy(), wanted, rtol=2e-7)
    grown = tg.cumprod(tg.full((100_000,), 1 + 2.0**-14), 0)
    np.testing.assert_allclose(grown[-1].item(), (1 + 2.0**-14) ** 100_000, rtol=2e-7)


def test_the_constants():
    assert (tg.pi, tg.e, tg.inf, tg.newaxis) == (np.pi, np.e, np.inf, None)
    assert np.isnan(tg.nan)
