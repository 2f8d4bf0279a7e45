"""What nodes keep for the backward pass: computed again from checkpoints, or in hooks' keeping."""

import gc
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.autograd.graph import save_on_cpu, saved_tensors_hooks
from tensorgrad.errors import GraphError
from tensorgrad.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential

A = np.random.default_rng(0).standard_normal((3, 4))


# ---- checkpoint


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(6, 6)

    def forward(self, x, scale=1.0):
        return nn.functional.dropout(self.line(x).tanh() * scale, 0.4).exp()


def gradients_of(run, block, x):
    block.zero_grad()
    x.grad = None
    tg.manual_seed(5)
    run(x).square().sum().backward()
    return [x.grad, block.line.weight.grad, block.line.bias.grad], tg.rand(1)


def test_checkpoint_gives_the_same_gradients_and_random_numbers(backend):
    block = Block()
    x = tg.randn(4, 6, requires_grad=True)
    plain, after_plain = gradients_of(lambda x: block(x, scale=2.0), block, x)
    kept, after = gradients_of(
        lambda x: checkpoint(block, x, scale=2.0, use_reentrant=False), block, x
    )
    for one, other in zip(plain, kept, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert after.item() == after_plain.item()


def test_checkpoint_keeps_nothing_but_its_arguments():
    alive = []

    def run(x):
        for _ in range(3):
            x = x.exp()
            alive.append(weakref.ref(x))
        return x

    x = tg.zeros(4, requires_grad=True)
    y = checkpoint(run, x)
    sizes = []
    gc.disable()
    try:
        node = y.grad_fn
        while node is not None and node.name() == "ExpBackward0":
            sizes.append(any(hasattr(part, "nbytes") for part in node.saved.parts))
            node = node.next_functions[0][0]
    finally:
        gc.enable()
    assert sizes == [False, False, False]
    assert [ref() is None for ref in alive] == [True, True, False]


def test_checkpoint_computes_again_in_every_backward_and_only_then():
    runs = []

    def run(x):
        runs.append(tg.is_grad_enabled())
        return (x.exp() * x).sum()

    x = tg.ones(3, requires_grad=True)
    y = checkpoint(run, x)
    assert runs == [True]
    y.backward(retain_graph=True)
    y.backward()
    assert runs == [True, True, True]
    np.testing.assert_allclose(x.grad.numpy(), 4 * np.e, rtol=1e-6)
    with tg.no_grad():
        checkpoint(run, x)
    assert runs[-1] is False
    with pytest.raises(GraphError, match="freed"):
        y.backward()


def test_checkpoint_is_differentiable_twice_and_nests():
    x = tg.tensor(A, requires_grad=True)
    inner = lambda v: checkpoint(lambda u: (u.exp() * u).sin(), v)  # noqa: E731
    y = checkpoint(lambda v: (inner(v) * v).sum(), x)
    (g,) = tg.autograd.grad(y, x, create_graph=True)
    (g2,) = tg.autograd.grad(g.sum(), x)
    plain = ((x.exp() * x).sin() * x).sum()
    (h,) = tg.autograd.grad(plain, x, create_graph=True)
    (h2,) = tg.autograd.grad(h.sum(), x)
    np.testing.assert_array_equal(g.detach().numpy(), h.detach().numpy())
    np.testing.assert_array_equal(g2.numpy(), h2.numpy())


def test_checkpoint_of_functions_and_layers_with_state():
    class Twice(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            result = x * x
            ctx.save_for_backward(x, result)
            return result

        @staticmethod
        def backward(ctx, g):
            x, result = ctx.saved_tensors
            assert (result == x * x).all()
            return g * 2 * x

    x = tg.tensor(A, requires_grad=True)
    y = checkpoint(lambda v: Twice.apply(v * 3), x)
    assert y.grad_fn.name() == type(y.grad_fn).__name__ == "TwiceBackward"
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 18 * A, rtol=1e-12)


def test_checkpoint_notices_another_second_run():
    count = iter(range(9))
    x = tg.ones(3, requires_grad=True)
    fewer = checkpoint(lambda v: v.exp().exp() if next(count) == 0 else v.exp(), x)
    with pytest.raises(CheckpointError, match="expected the second run to save 2 tensors, got 1"):
        fewer.sum().backward()
    count = iter(range(9))
    other = checkpoint(lambda v: v.exp() if next(count) == 0 else v[:1].exp(), x)
    with pytest.raises(CheckpointError, match="expected the second run to save"):
        other.sum().backward()


def test_checkpoint_sequential():
    tg.manual_seed(0)
    layers = nn.Sequential(*[nn.Linear(4, 4) if i % 2 == 0 else nn.Tanh() for i in range(5)])
    x = tg.randn(2, 4, requires_grad=True)
    layers(x).sum().backward()
    plain = [p.grad.clone() for p in layers.parameters()]
    for segments in (1, 2, 5):
        layers.zero_grad()
        checkpoint_sequential(layers, segments, x, use_reentrant=False).sum().backward()
        for one, other in zip(plain, layers.parameters(), strict=True):
            np.testing.assert_array_equal(one.numpy(), other.grad.numpy())
    with pytest.raises(ValueError, match="checkpoint_sequential: expected from 1 to 5 segments"):
        checkpoint_sequential(layers, 6, x)


# ---- hooks on saved tensors


def several_ops(x):
    y = nn.functional.softmax(x, 1).log() * x.exp()
    picked = y[tg.tensor([0, 1, 1])] @ x.t()
    return tg.cat([picked, picked.tanh()]).sum()


def test_hooks_stand_for_all_that_is_saved(backend):
    x = tg.tensor(A, requires_grad=True)
    several_ops(x).backward()
    plain, x.grad = x.grad, None
    packed, unpacked = [], []

    def pack(tensor):
        assert not tensor.requires_grad
        packed.append(tensor)
        return len(packed) - 1

    def unpack(number):
        unpacked.append(number)
        return packed[number].clone()

    with saved_tensors_hooks(pack, unpack):
        y = several_ops(x)
    assert len(packed) >= 6
    assert not unpacked
    y.backward()
    assert set(unpacked) <= set(range(len(packed)))
    assert len(unpacked) >= 6
    np.testing.assert_array_equal(x.grad.numpy(), plain.numpy())


def test_hooks_change_what_rules_see():
    x = tg.tensor([2.0, 3.0], requires_grad=True)
    with saved_tensors_hooks(lambda t: t.numpy() * 10, tg.from_numpy):
        y = (x * x).sum()
    y.backward()
    assert x.grad.tolist() == [40.0, 60.0]


def test_second_derivatives_through_hooks():
    x = tg.tensor(A, requires_grad=True)
    with save_on_cpu(pin_memory=True):
        y = (x.exp() * x).sum()
    (g,) = tg.autograd.grad(y, x, create_graph=True)
    (g2,) = tg.autograd.grad(g.sum(), x)
    np.testing.assert_allclose(g2.numpy(), np.exp(A) * (A + 2), rtol=1e-12)


def test_writes_to_packed_tensors_are_not_noticed():
    x = tg.ones(3, requires_grad=True)
    with saved_tensors_hooks(lambda t: t.clone(), lambda t: t):
        y = x.exp()
    y.add_(1)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.e, rtol=1e-6)


def test_hooks_must_give_tensors_back():
    x = tg.ones(3, requires_grad=True)
    with saved_tensors_hooks(lambda t: t, lambda t: 3):
        y = (x * x).sum()
    with pytest.raises(TypeError, match="expected unpack to return a tensor, got int"):
        y.backward()
