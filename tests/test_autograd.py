"""The engine: what `backward` and `grad` do with graphs and leaves.

Most tests take the library as `m` and run on PyTorch too, where it is installed: what they say is
what PyTorch does.
"""

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import leaf, numbers

# ---- backward and grad


def test_gradients_add_up_until_cleared(m):
    x = leaf(m)
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert numbers(x.grad) == [4.0, 8.0, 12.0]
    x.grad = None
    x.sum().backward()
    assert numbers(x.grad) == [1.0, 1.0, 1.0]


def test_accumulation_keeps_the_gradient_tensor(m):
    x = leaf(m)
    x.sum().backward()
    first = x.grad
    x.sum().backward()
    assert x.grad is first
    assert numbers(first) == [2.0, 2.0, 2.0]


def test_one_tensor_on_many_paths(m):
    x = leaf(m)
    y = x * 2
    z = y * x + y + x
    z.sum().backward()
    assert numbers(x.grad) == [7.0, 11.0, 15.0]


def test_second_backward_through_a_freed_graph(m):
    x = leaf(m)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    assert numbers(x.grad) == [2.0, 4.0, 6.0]


def test_retain_graph(m):
    x = leaf(m)
    y = m.exp(x).sum()
    y.backward(retain_graph=True)
    once = numbers(x.grad)
    y.backward()
    np.testing.assert_allclose(numbers(x.grad), 2 * np.array(once), rtol=1e-6)
    with pytest.raises(RuntimeError):
        y.backward()


def test_what_saves_nothing_can_be_walked_again(m):
    x = leaf(m)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert numbers(x.grad) == [2.0, 2.0, 2.0]


def test_grad_leaves_the_fields_alone(m):
    x, y = leaf(m), leaf(m)
    gx, gy = m.autograd.grad((x * y).sum(), [x, y])
    assert numbers(gx) == numbers(y)
    assert numbers(gy) == numbers(x)
    assert x.grad is None
    assert not gx.requires_grad


def test_grad_of_an_inner_tensor(m):
    x = leaf(m)
    y = x * 2
    z = (y * y).sum()
    gy, gx = m.autograd.grad(z, [y, x])
    assert numbers(gy) == [4.0, 8.0, 12.0]
    assert numbers(gx) == [8.0, 16.0, 24.0]


def test_grad_outputs_and_several_outputs(m):
    x = leaf(m)
    weights = m.tensor([1.0, 10.0, 100.0])
    (g,) = m.autograd.grad([x * x, x.sum()], x, [weights, None])
    assert numbers(g) == [3.0, 41.0, 601.0]


def test_create_graph(m):
    x = leaf(m)
    (g,) = m.autograd.grad((x**3).sum(), x, create_graph=True)
    (h,) = m.autograd.grad(g.sum(), x, create_graph=True)
    (third,) = m.autograd.grad(h.sum(), x)
    assert numbers(g) == [3.0, 12.0, 27.0]
    assert numbers(h) == [6.0, 12.0, 18.0]
    assert numbers(third) == [6.0, 6.0, 6.0]


# PyTorch warns of a leak that we do not have.
@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True")
def test_backward_with_create_graph(m):
    x = leaf(m)
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad
    g = x.grad
    x.grad = None
    g.sum().backward()
    assert numbers(x.grad) == [6.0, 12.0, 18.0]
    x.grad = None


def test_unused_inputs(m):
    x, y = leaf(m), leaf(m)
    with pytest.raises(RuntimeError, match="not have been used"):
        m.autograd.grad(x.sum(), [x, y])
    gx, gy = m.autograd.grad(x.sum(), [x, y], allow_unused=True)
    assert gy is None
    assert numbers(gx) == [1.0, 1.0, 1.0]
    _, gy = m.autograd.grad(x.sum(), [x, y], create_graph=True, materialize_grads=True)
    assert gy.requires_grad
    assert numbers(gy) == [0.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="allow_unused"):
        m.autograd.grad(x.sum(), [x, y], allow_unused=False, materialize_grads=True)


def test_input_without_gradient_is_refused(m):
    x = leaf(m)
    with pytest.raises(RuntimeError, match="does not require grad"):
        m.autograd.grad(x.sum(), m.ones(3))
    with pytest.raises(RuntimeError, match="does not require grad"):
        m.ones(3).sum().backward()


def test_only_scalars_need_no_gradient(m):
    x = leaf(m)
    with pytest.raises(RuntimeError, match="scalar outputs"):
        (x * 2).backward()
    with pytest.raises(RuntimeError):
        (x * 2).backward(m.ones(2))
    (x * 2).backward(m.ones(3))
    assert numbers(x.grad) == [2.0, 2.0, 2.0]


def test_backward_of_a_leaf(m):
    x = m.tensor(3.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1.0


def test_inputs_limits_what_accumulates(m):
    x, y = leaf(m), leaf(m)
    (x * y).sum().backward(inputs=[x])
    assert numbers(x.grad) == [1.0, 2.0, 3.0]
    assert y.grad is None


def test_inputs_may_be_inner_tensors(m):
    x = leaf(m)
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward(inputs=[y])
    assert numbers(y.grad) == [4.0, 8.0, 12.0]
    assert x.grad is None


def test_empty_inputs_are_refused(m):
    with pytest.raises(RuntimeError, match="empty"):
        leaf(m).sum().backward(inputs=[])


def test_several_roots(m):
    x = leaf(m)
    y = x * 2
    m.autograd.backward([y.sum(), (y * y).sum()])
    assert numbers(x.grad) == [10.0, 18.0, 26.0]


def test_same_root_twice(m):
    x = leaf(m)
    y = x.sum()
    m.autograd.backward([y, y])
    assert numbers(x.grad) == [2.0, 2.0, 2.0]


def test_root_inside_the_graph_of_another(m):
    x = leaf(m)
    y = (x * x).sum()
    z = y * 3
    m.autograd.backward([z, y])
    assert numbers(x.grad) == [8.0, 16.0, 24.0]


def test_failed_backward_changes_no_gradient(m):
    x, w = leaf(m), leaf(m)
    x.grad, w.grad = m.ones(3), m.ones(3)
    y = m.exp(x)
    z = (y * w).sum() + (w * 3).sum()
    with m.no_grad():
        y.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.backward()
    assert numbers(x.grad) == [1.0, 1.0, 1.0]


def test_failed_backward_changes_no_gradient_at_all():
    """PyTorch leaves what it had summed up to there; we add all gradients or none."""
    x, w = leaf(tg), leaf(tg)
    early = tg.exp(x)
    z = (early * 1).sum() + (w * 3).sum()
    with tg.no_grad():
        early.zero_()
    with pytest.raises(RuntimeError):
        z.backward()
    assert x.grad is None
    assert w.grad is None


def test_overwritten_tensor_is_named():
    x = leaf(tg)
    y = x * 2
    z = (y * x).sum()
    y.add_(1)
    with pytest.raises(tg.GraphError, match=r"^mul: expected its saved 'input' of shape \[3\]"):
        z.backward()


def test_leaf_is_not_changed_in_place(m):
    x = leaf(m)
    for change in (lambda: x.add_(1), lambda: x[0].zero_(), lambda: x.__setitem__(0, 5.0)):
        with pytest.raises(RuntimeError, match="leaf"):
            change()
    assert numbers(x) == [1.0, 2.0, 3.0]
    with m.no_grad():
        x.add_(1)
    assert numbers(x) == [2.0, 3.0, 4.0]


# ---- leaves and flags


def test_flags(m):
    x = leaf(m)
    y = x * 2
    assert x.is_leaf
    assert not y.is_leaf
    assert y.requires_grad
    assert x.grad_fn is None
    assert y.grad_fn.next_functions[0][0].variable is x
    assert not y.detach().requires_grad
    assert y.detach().is_leaf


def test_integers_do_not_require_grad(m):
    with pytest.raises(RuntimeError, match="floating"):
        m.tensor([1, 2], requires_grad=True)
    with pytest.raises(RuntimeError, match="floating"):
        m.tensor([1, 2]).requires_grad_()
    assert not (leaf(m) > 2).requires_grad
    assert not leaf(m).argmax().requires_grad


def test_requires_grad_of_an_inner_tensor_stays(m):
    y = leaf(m) * 2
    with pytest.raises(RuntimeError, match="leaf"):
        y.requires_grad_(False)
    x = leaf(m)
    x.requires_grad = False
    assert not (x * 2).requires_grad


def test_gradient_is_checked_when_assigned(m):
    x = leaf(m)
    with pytest.raises(TypeError):
        x.grad = [1.0, 2.0, 3.0]
    with pytest.raises(RuntimeError):
        x.grad = m.ones(2)
    with pytest.raises(RuntimeError):
        x.grad = m.ones(3, dtype=m.float64)
    x.grad = m.ones(3)
    x.sum().backward()
    assert numbers(x.grad) == [2.0, 2.0, 2.0]


def test_retain_grad(m):
    x = leaf(m)
    y = x * 2
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    y.retain_grad()
    y.register_hook(lambda g: g / 2)
    assert y.retains_grad
    assert not x.retains_grad
    (y * y).sum().backward()
    assert numbers(y.grad) == [4.0, 8.0, 12.0]
    with pytest.raises(RuntimeError):
        m.ones(3).retain_grad()


def test_a_retained_gradient_follows_the_tensor_through_writes(m):
    x = leaf(m)
    y = x * 2
    y.retain_grad()
    y.mul_(3)
    assert y.retains_grad
    (y * y).sum().backward()
    assert numbers(y.grad) == [12.0, 24.0, 36.0]  # of the y that was squared
    y = x * 2
    y.retain_grad()
    y[:2].mul_(5)
    (y * y).sum().backward()
    assert numbers(y.grad) == [20.0, 40.0, 12.0]


def test_two_leaves_never_share_a_gradient(m):
    x, y = leaf(m), leaf(m)
    upstream = m.ones(3)
    (x + y).backward(upstream)
    x.grad.zero_()
    assert numbers(y.grad) == [1.0, 1.0, 1.0]
    assert numbers(upstream) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "function",
    [
        lambda x, y: x + y,
        lambda x, y: x.reshape(3, 1).sum(1) + y.expand(3) * 1,
        lambda x, y: x.view(3) - y.t(),
        lambda x, y: tg.cat([x, y]).sum().reshape(1),
        lambda x, y: tg.stack([x, y]).sum(0),
        lambda x, y: (x.clone() + y)[:2],
        lambda x, y: x.unsqueeze(0).transpose(0, 1) + y,
    ],
)
def test_gradients_own_their_memory(function):
    """Writing into one gradient must not show anywhere else, and must be allowed."""
    x, y = leaf(tg), leaf(tg)
    out = function(x, y)
    upstream = tg.ones_like(out)
    out.backward(upstream)
    before = numbers(y.grad), numbers(upstream)
    x.grad.mul_(7.0)
    x.grad.numpy()[...] = -1.0
    assert (numbers(y.grad), numbers(upstream)) == before
