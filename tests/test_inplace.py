"""In-place ops on recorded tensors and through views: small programs, which must do as in PyTorch.

Each program takes the library and two leaves, x (3, 4) and w (4), and returns a tensor. It is run
in both libraries; values, gradients of both leaves, and the class of an error must be the same.
"""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.autograd import gradcheck, gradgradcheck
from tests.oracle import needs_torch, outcome, torch, torch_numpy


def base(m, x):
    """A recorded tensor that may be written: not a leaf, and nobody has saved it."""
    return x * 2


def added(m, x, w):
    y = base(m, x)
    y.add_(w)
    return y * y


def multiplied(m, x, w):
    y = base(m, x)
    y.mul_(w)
    y *= 3
    return y * x


def operators(m, x, w):
    y = base(m, x)
    y += w
    y -= x
    y *= w
    y /= 2
    y **= 2
    return y


def power_overwritten(m, x, w):
    y = x**2
    y += 1
    return y * w


def repeated(m, x, w):
    y = w.repeat(3, 1)
    y += x
    return y * w


def function_in_place(name, *args):
    def program(m, x, w):
        y = base(m, x)
        return getattr(y, name)(*args) * w

    program.__name__ = name
    return program


def function_on_view(name, *args):
    def program(m, x, w):
        y = base(m, x)
        getattr(y[1:, 1:], name)(*args)
        return y * w

    program.__name__ = f"{name}on_view"
    return program


def column_of_view(m, x, w):
    y = base(m, x)
    y[:, 0].mul_(2)
    return y * y


def row_added(m, x, w):
    y = base(m, x)
    y[1] += w
    return y * w


def view_of_view(m, x, w):
    y = base(m, x)
    y[1:][0][2:].mul_(w[:2])
    return y * y


def transposed_view(m, x, w):
    y = base(m, x)
    y.t()[1].add_(x[:, 0])
    return y * y


def transposed_whole(m, x, w):
    y = base(m, x)
    y.transpose(0, 1).mul_(w.unsqueeze(1))
    return y * y


def reshaped_view(m, x, w):
    y = base(m, x)
    y.view(-1)[3:7].mul_(w)
    return y * y


def through_select_and_unsqueeze(m, x, w):
    y = base(m, x)
    y.select(0, 2).unsqueeze(0).mul_(w)
    return y * y


def narrow_and_split(m, x, w):
    y = base(m, x)
    y.narrow(1, 1, 2).mul_(3)
    first, _second = y.split(2, 1)
    return first * w[:2] + y.sum()


def assigned_number(m, x, w):
    y = base(m, x)
    y[0, 1] = 5.0
    y[2] = 0
    return y * y


def assigned_row(m, x, w):
    y = base(m, x)
    y[1] = w * w
    return y * y


def assigned_broadcast(m, x, w):
    y = base(m, x)
    y[:, 1:3] = w[:2]
    return y * y


def assigned_mask(m, x, w):
    y = base(m, x)
    y[x > 0] = 2.0
    return y * w


def assigned_mask_values(m, x, w):
    y = base(m, x)
    mask = m.tensor([True, False, True])
    y[mask] = w * 3
    return y * y


def assigned_indices(m, x, w):
    y = base(m, x)
    y[m.tensor([2, 0]), m.tensor([1, 3])] = w[:2]
    return y * y


def assigned_column_by_array(m, x, w):
    y = base(m, x)
    y[:, m.tensor([0, 2])] = x[:, 1:3]
    return y * y


def assigned_itself(m, x, w):
    y = base(m, x)
    y[0] = y[1]
    return y * y


def assigned_into_zeros(m, x, w):
    y = m.zeros(3, 4, dtype=x.dtype)
    y[0] = w
    y[1:] = x[1:]
    return y * y


def assigned_in_a_loop(m, x, w):
    y = m.zeros(3, 4, dtype=x.dtype)
    for i in range(3):
        y[i] = x[i] * (y[i - 1] if i else w)
    return y


def masked_fill_in_place(m, x, w):
    y = base(m, x)
    y.masked_fill_(x > 0, 0.5)
    return y * w


def masked_fill_on_view(m, x, w):
    y = base(m, x)
    y[:, 1:].masked_fill_(x[:, 1:] > 0, 0.5)
    return y * w


def scatter_add_in_place(m, x, w):
    y = base(m, x)
    y.scatter_add_(0, m.tensor([[0, 2, 1, 0]]), w.unsqueeze(0))
    return y * y


def copied_into_view(m, x, w):
    y = base(m, x)
    y[1].copy_(w)
    return y * y


def copied_whole(m, x, w):
    y = base(m, x)
    y.copy_(w)
    return y * x


def filled(m, x, w):
    y = base(m, x)
    y.fill_(3.0)
    return y * x


def zeroed_view(m, x, w):
    y = base(m, x)
    y[:, 2].zero_()
    return y * w


def view_before_base_changes(m, x, w):
    y = base(m, x)
    row = y[1]
    y.mul_(w)
    return row * row


def view_after_view_changes(m, x, w):
    y = base(m, x)
    row, column = y[1], y[:, 2]
    row.mul_(w)
    return column * column + y.sum()


def overlapping_views(m, x, w):
    y = base(m, x)
    upper, lower = y[:2], y[1:]
    upper.mul_(2)
    lower.add_(w)
    return upper * 3 + lower * lower


def view_of_a_changed_view(m, x, w):
    y = base(m, x)
    row = y[0]
    row.mul_(w)
    row[1:].add_(1)
    return y * row


def chain_of_changes(m, x, w):
    y = base(m, x)
    for i in range(4):
        y[:, i].mul_(w[i])
        y.add_(i)
    return y * y


def used_between_changes(m, x, w):
    y = base(m, x)
    first = y.sum()
    y.add_(1)
    second = y.sum() * 2
    y.mul_(w)
    return y.sum() + first + second


def constant_becomes_recorded(m, x, w):
    y = m.ones(4, dtype=x.dtype)
    y.mul_(w)
    return y * x


def constant_through_view(m, x, w):
    y = m.ones(3, 4, dtype=x.dtype)
    y[1].mul_(w)
    return y * x


def view_of_constant_before(m, x, w):
    y = m.ones(3, 4, dtype=x.dtype)
    row = y[1]
    y.mul_(x)
    return row * w


def detached_then_written(m, x, w):
    y = base(m, x)
    y.detach().mul_(2)
    return y + w


def without_grad(m, x, w):
    y = base(m, x)
    with m.no_grad():
        y.mul_(2)
    return y + w


def leaf_without_grad_mode(m, x, w):
    with m.no_grad():
        x.mul_(2)
    return x * w


def expanded_operand(m, x, w):
    y = base(m, x)
    y.add_(w[:1].expand(4))
    return y * y


def integer_power(m, x, w):
    y = base(m, x)
    y.pow_(3)
    return y * w


def by_itself(m, x, w):
    y = base(m, x)
    y.mul_(y)
    return y * w


def softmax_then_scaled(m, x, w):
    y = m.softmax(x, 1) + 0
    y.mul_(w)
    return y


def strided_view(m, x, w):
    y = base(m, x)
    y.as_strided((2, 3), (4, 1), 1).mul_(w[:3])
    return y * y


def strided_view_of_view(m, x, w):
    y = base(m, x)
    y[1:].as_strided((2, 2), (1, 4), 5).add_(w[:2])
    return y * w


def strided_view_before(m, x, w):
    y = base(m, x)
    part = y.as_strided((3, 3), (4, 1))
    y.mul_(w)
    return part * part


def windows_written(m, x, w):
    y = base(m, x)
    y.unfold(1, 2, 2).mul_(w[:2])
    return y * y


def windows_before(m, x, w):
    y = base(m, x)
    part = y.unfold(1, 3, 1)
    y[1].mul_(w)
    return part * part


def diagonal_written(m, x, w):
    y = base(m, x)
    y.diagonal(1).mul_(w[:3])
    return y * y


def diagonal_before(m, x, w):
    y = base(m, x)
    part = y.diagonal()
    y.mul_(w)
    return part * part


def turned_written(m, x, w):
    y = base(m, x)
    y.T[1:3].mul_(3)
    y.mT[0].add_(x[:, 1])
    return y * w


def moved_written(m, x, w):
    y = base(m, x)
    y.movedim(0, 1)[2].mul_(x[:, 0])
    y.swapaxes(0, 1)[0].zero_()
    return y * w


def unflattened_written(m, x, w):
    y = base(m, x)
    y.unflatten(1, (2, 2))[:, 1].mul_(w[:2])
    return y * y


def flattened_written(m, x, w):
    y = base(m, x)
    y.flatten()[2:6].mul_(w)
    y.ravel()[0].zero_()
    return y * y


def cut_and_written(m, x, w):
    y = base(m, x)
    y[:, 1:].hsplit((1,))[1].mul_(w[:2])
    y.narrow(0, 1, 1).add_(w)
    y.select(1, 3).mul_(2)
    return y * y


def meshgrid_before(m, x, w):
    y = base(m, w)
    rows, _columns = m.meshgrid(y, x[0], indexing="ij")
    y.mul_(w)
    return rows * rows


def diagonal_filled(m, x, w):
    y = base(m, x)
    y.fill_diagonal_(3.0)
    y.t()[:, :1].fill_diagonal_(2.0, wrap=True)
    return y * w


def diagonal_of_a_cube_filled(m, x, w):
    y = (x[:2, :2].unsqueeze(0) * w[:2].reshape(2, 1, 1)).clone()
    y.fill_diagonal_(0.5)
    return y * y


def turned_in_place(m, x, w):
    y = base(m, x)
    y.t_()
    y[1].mul_(x[:, 0])
    return y.t() * w


def turned_in_place_under_views(m, x, w):
    y = base(m, x)
    row, column = y[1], y[:, 1]
    y.transpose_(0, 1)
    y.mul_(w.unsqueeze(1))
    row.add_(1)
    return y.t() * row + column.sum()


def view_turned_in_place(m, x, w):
    y = base(m, x)
    part = y[:, 1:]
    inner = part[0]
    part.swapaxes_(0, 1)
    part.mul_(2)
    inner.mul_(w[1:])
    y.add_(x)
    return part * inner.sum() + y.sum()


def squeezed_in_place(m, x, w):
    y = base(m, x)
    y.unsqueeze_(0).unsqueeze_(-1)
    y[:, 1].mul_(w.unsqueeze(1))
    y.squeeze_(0)
    return y.squeeze_() * w


def strided_in_place(m, x, w):
    y = base(m, x)
    y.as_strided_((2, 3), (4, 1), 1)
    y.mul_(w[:3])
    return y * y


def triangle_in_place(m, x, w):
    y = base(m, x)
    y.tril_()
    y[1:].triu_(1)
    return y * w


# ---- programs that PyTorch refuses


def leaf_turned(m, x, w):
    x.t_()
    return x * 1


def view_of_leaf_squeezed(m, x, w):
    y = x[:1]
    y.squeeze_(0)
    return y * w


def saved_then_turned(m, x, w):
    y = base(m, x)
    z = y * w
    y.t_()
    return z


def saved_strided_overwritten(m, x, w):
    y = base(m, x)
    z = y.as_strided((4,), (1,)) * w
    y.diagonal().zero_()
    return z


def leaf(m, x, w):
    x.mul_(2)
    return x * w


def view_of_leaf(m, x, w):
    x[0].mul_(2)
    return x * w


def leaf_item(m, x, w):
    x[0] = 1.0
    return x * w


def saved_input_overwritten(m, x, w):
    y = base(m, x)
    z = y * w
    y.add_(1)
    return z


def saved_output_overwritten(m, x, w):
    y = m.exp(x)
    y.add_(1)
    return y


def saved_output_of_fused_overwritten(m, x, w):
    y = m.softmax(x, 1)
    y.mul_(2)
    return y


def saved_through_view(m, x, w):
    y = base(m, x)
    z = y * w
    y[0].zero_()
    return z


def saved_view_overwritten_by_base(m, x, w):
    y = base(m, x)
    z = y[0] * w
    y.zero_()
    return z


def saved_overwritten_by_detached(m, x, w):
    y = base(m, x)
    z = y * w
    y.detach().zero_()
    return z


def saved_overwritten_by_data(m, x, w):
    y = base(m, x)
    z = y * w
    y.data.zero_()
    return z * 1


def broadcast_grows(m, x, w):
    y = w * 1
    y.add_(x)
    return y


def int_plus_float(m, x, w):
    y = m.ones(4, dtype=m.int64)
    y.add_(w)
    return y * x


def expanded_written(m, x, w):
    y = (w * 1).expand(3, 4)
    y.mul_(2)
    return y


def takes_leaves(value):
    return getattr(value, "__code__", None) and value.__code__.co_varnames[:3] == ("m", "x", "w")


PROGRAMS = [value for value in list(globals().values()) if takes_leaves(value)]
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
