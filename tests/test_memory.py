"""What graphs cost: deep chains need no recursion, and a finished step leaves nothing alive."""

import gc
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.ops.recurrent import lstm_gates


def test_deep_chain_walks_and_is_freed_without_recursion(backend):
    x = tg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    y.backward()
    assert x.grad.item() == 1.0
    last = weakref.ref(y.grad_fn)
    del y
    assert last() is None


def test_deep_chain_that_was_never_walked_is_freed():
    x = tg.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = tg.sin(y)
    first = weakref.ref(y.grad_fn)
    del y
    assert first() is None


def nets():
    """Steps of several kinds: each builds, walks and forgets a graph."""

    def pointwise(x):
        return (tg.exp(x) * tg.sigmoid(x) / (1 + x * x)).sum()

    def views(x):
        y = x * 1
        y[0].mul_(2)
        y.t()[1] = 3.0
        return (y.reshape(-1)[2:] ** 2).sum()

    def fused(x):
        return tg.log_softmax(tg.softmax(x, 1), 1).sum() + tg.logsumexp(x, 0).sum()

    def several_outputs(x):
        h, c = lstm_gates(tg.cat([x, x], 1)[:, :4], x[:, :1])
        return (h * c).sum()

    def function(x):
        class Cube(tg.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                y = x * x * x
                ctx.save_for_backward(x, y)
                return y

            @staticmethod
            def backward(ctx, g):
                x, y = ctx.saved_tensors
                return 3 * g * y / x

        return Cube.apply(x).sum()

    def convolution(x):
        image = x.reshape(1, 1, 3, 4)
        out = tg.conv2d(image, tg.ones(2, 1, 2, 2, dtype=x.dtype), padding=1)
        return tg.max_pool2d(tg.batch_norm(out, None, None, training=True), 2).sum()

    def second_order(x):
        (g,) = tg.autograd.grad((x**3).sum(), x, create_graph=True)
        return (g * g).sum()

    def hooked(x):
        y = x * 2
        y.register_hook(lambda g: g * 2)
        y.retain_grad()
        return (y * y).sum()

    def sorted_values(x):
        values, order = tg.sort(x, 1)
        return (values * tg.gather(x, 1, order)).sum() + x[x > 0].sum() + x.unbind(1)[0].sum()

    return [
        pointwise, views, fused, several_outputs, function, convolution, second_order, hooked,
        sorted_values,
    ]  # fmt: skip


def live_tensors():
    return sum(type(thing) is tg.Tensor for thing in gc.get_objects())


@pytest.mark.parametrize("step", nets(), ids=lambda step: step.__name__)
def test_a_finished_step_leaves_nothing_behind(step, backend):
    """With the garbage collector off: reference counts alone free every tensor and node."""
    x = tg.tensor(np.arange(1.0, 13.0).reshape(3, 4), requires_grad=True)
    step(x).backward()  # what is loaded and cached once
    x.grad = None
    gc.collect()
    gc.disable()
    try:
        before = live_tensors()
        out = step(x)
        node = weakref.ref(out.grad_fn)
        out.backward()
        del out
        x.grad = None
        assert node() is None
        assert live_tensors() == before
        out = step(x)  # and a step that is given up
        node = weakref.ref(out.grad_fn)
        del out
        assert node() is None
        assert live_tensors() == before
    finally:
        gc.enable()


def test_saved_arrays_are_freed_by_backward():
    x = tg.ones(3, requires_grad=True)
    y = tg.exp(x)
    kept = weakref.ref(y * 2)
    z = (y * y).sum()
    inner = weakref.ref(y)
    del y
    assert kept() is None
    assert inner() is not None
    z.backward()
    assert inner() is None
