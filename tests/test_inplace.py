"""In-place ops on recorded tensors and through views: small programs, which must do as in PyTorch.

Each program takes the library and two leaves, x (3, 4) and w (4), and returns a tensor. It is run
in both libraries; values, gradients of both leaves, and the class of an error must be the same.
"""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.autograd import gradcheck, gradgradcheck
from tests import inplace_programs, inplace_views
from tests.inplace_programs import (
    assigned_in_a_loop,
    by_itself,
    detached_then_written,
    function_in_place,
    function_on_view,
    leaf_without_grad_mode,
    without_grad,
)
from tests.inplace_views import (
    broadcast_grows,
    expanded_written,
    int_plus_float,
    leaf,
    leaf_item,
    leaf_turned,
    saved_input_overwritten,
    saved_output_of_fused_overwritten,
    saved_output_overwritten,
    saved_overwritten_by_data,
    saved_overwritten_by_detached,
    saved_strided_overwritten,
    saved_then_turned,
    saved_through_view,
    saved_view_overwritten_by_base,
    view_of_leaf,
    view_of_leaf_squeezed,
)
from tests.oracle import needs_torch, outcome, torch, torch_numpy


def takes_leaves(value):
    return getattr(value, "__code__", None) and value.__code__.co_varnames[:3] == ("m", "x", "w")


PROGRAMS = [
    value
    for module in (inplace_programs, inplace_views)
    for value in vars(module).values()
    if takes_leaves(value)
]
REFUSED = [
    leaf, view_of_leaf, leaf_item, saved_input_overwritten, saved_output_overwritten,
    saved_output_of_fused_overwritten, saved_through_view, saved_view_overwritten_by_base,
    saved_overwritten_by_detached, broadcast_grows, int_plus_float, expanded_written, by_itself,
    assigned_in_a_loop, leaf_turned, view_of_leaf_squeezed, saved_then_turned,
    saved_strided_overwritten,
]  # fmt: skip
# Here a gradient is not the slope: something was written behind its back, on purpose.
BEHIND_ITS_BACK = [
    detached_then_written, without_grad, leaf_without_grad_mode, saved_overwritten_by_data,
]  # fmt: skip
FUNCTIONS = [
    *[[name] for name in ("neg_", "abs_", "sin_", "cos_", "tanh_", "sigmoid_", "relu_", "floor_")],
    *[[name] for name in ("exp_", "log_", "sqrt_", "zero_")],
    *[[name, 1.5] for name in ("add_", "sub_", "mul_", "div_", "pow_", "remainder_", "fill_")],
    ["clamp_", -0.5, 0.5],
]
PROGRAMS += [make(*call) for make in (function_in_place, function_on_view) for call in FUNCTIONS]


def run(module, program, dtype="float64"):
    """The result and the gradients of both leaves, as arrays."""
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((3, 4)), rng.standard_normal(4) + 2
    x, w = (module.tensor(a, dtype=getattr(module, dtype), requires_grad=True) for a in arrays)
    result = program(module, x, w)
    weights = module.tensor(np.arange(1.0, 1 + result.numel()).reshape(tuple(result.shape)))
    (result * weights).sum().backward()
    return [result.detach()] + [None if leaf.grad is None else leaf.grad for leaf in (x, w)]


@pytest.mark.parametrize("program", REFUSED, ids=lambda program: program.__name__)
def test_refused(program, backend):
    with pytest.raises(RuntimeError):
        run(tg, program)


@pytest.mark.parametrize(
    "program",
    [program for program in PROGRAMS if program not in REFUSED + BEHIND_ITS_BACK],
    ids=lambda program: program.__name__,
)
def test_gradient_is_the_slope(program, backend):
    """To second order, by central differences."""
    rng = np.random.default_rng(0)
    leaves = [tg.tensor(rng.uniform(0.5, 1.5, size), requires_grad=True) for size in ((3, 4), 4)]

    def call(x, w):
        return program(tg, x, w)

    assert gradcheck(call, leaves)
    assert gradgradcheck(call, leaves)


@needs_torch
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_program(program, backend):
    mine, wanted = outcome(run, tg, program), outcome(run, torch, program)
    if isinstance(wanted, Exception):
        assert isinstance(mine, type(wanted)), mine
        return
    if isinstance(mine, Exception):
        raise mine
    for one, other in zip(mine, wanted, strict=True):
        expected = np.zeros(()) if other is None else torch_numpy(other)
        actual = np.zeros(()) if one is None else one.numpy()
        np.testing.assert_allclose(actual, np.broadcast_to(expected, actual.shape), rtol=1e-12)


def test_programs_are_many():
    assert len(PROGRAMS) >= 115


def test_a_turn_that_fails_changes_nothing():
    x = tg.ones(2, 3, requires_grad=True)
    y = x * 2
    row = y[0]
    with pytest.raises(IndexError):
        y.transpose_(0, 2)
    y.mul_(3)
    (row * y).sum().backward()
    assert x.grad.tolist() == [[108] * 3, [36] * 3]


def test_turning_keeps_the_history_without_grad_mode():
    x = tg.ones(2, 3, requires_grad=True)
    y = x * 2
    with tg.no_grad():
        y.t_()
        x.t_()
    (y * tg.arange(6.0).reshape(3, 2)).sum().backward()
    assert x.shape == (3, 2)
    assert y.shape == (3, 2)


@needs_torch
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_second_derivative_of_program(program):
    """Histories that in-place ops leave can be differentiated again."""

    def result(module):
        rng = np.random.default_rng(0)
        arrays = rng.standard_normal((3, 4)), rng.standard_normal(4) + 2
        x, w = (module.tensor(a, requires_grad=True) for a in arrays)
        grad = torch.autograd.grad if module is torch else tg.autograd.grad
        total = program(module, x, w).sum()
        first = grad(total, [x, w], create_graph=True, allow_unused=True)
        norm = sum((g * g).sum() for g in first if g is not None)
        if not norm.requires_grad:
            return []
        return list(grad(norm, [x, w], allow_unused=True))

    mine, wanted = outcome(result, tg), outcome(result, torch)
    if isinstance(wanted, Exception):
        assert isinstance(mine, type(wanted)), mine
        return
    if isinstance(mine, Exception):
        raise mine
    for one, other in zip(mine, wanted, strict=True):
        expected = np.zeros(()) if other is None else torch_numpy(other)
        actual = np.zeros(()) if one is None else one.numpy()
        np.testing.assert_allclose(actual, np.broadcast_to(expected, actual.shape), atol=1e-11)


def test_a_view_of_no_grad_mode_is_not_written_while_recording(backend):
    """The base's history would not know of the write."""
    x = tg.ones(2, 3, requires_grad=True)
    y = x * 1
    with tg.no_grad():
        view = y[0]
    with pytest.raises(RuntimeError, match="view was created in no_grad mode"):
        view.mul_(5.0)
    assert y.tolist() == [[1.0] * 3] * 2
    with tg.no_grad():
        view.mul_(5.0)
    assert y[0].tolist() == [5.0] * 3
