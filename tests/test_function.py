"""`autograd.Function`: ops that users write. Runs on PyTorch too, where it is installed: what is
said here is what PyTorch does.
"""

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import numbers


def leaf(m, values=(1.0, 2.0, 3.0)):
    return m.tensor(list(values), dtype=m.float64, requires_grad=True)


def function(m, forward, backward, setup=None):
    """A Function class of library `m` with these static methods."""
    body = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    if setup is not None:
        body["setup_context"] = staticmethod(setup)
    return type("Custom", (m.autograd.Function,), body)


def square(m):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 2 * g * x

    return function(m, forward, backward)


def test_forward_and_backward(m):
    x = leaf(m)
    y = square(m).apply(x)
    assert y.grad_fn.name() == "CustomBackward"
    y.sum().backward()
    assert numbers(x.grad) == [2.0, 4.0, 6.0]


def test_second_derivative_goes_through_backward(m):
    x = leaf(m)
    (g,) = m.autograd.grad(square(m).apply(x).sum(), x, create_graph=True)
    (h,) = m.autograd.grad((g * g).sum(), x)
    assert numbers(h) == [8.0, 16.0, 24.0]


def test_gradcheck_accepts_and_rejects(m):
    x = leaf(m)
    assert m.autograd.gradcheck(square(m).apply, (x,))
    assert m.autograd.gradgradcheck(square(m).apply, (x,))

    def wrong(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * g * x

    bad = function(m, square(m).forward, wrong)
    assert not m.autograd.gradcheck(bad.apply, (x,), raise_exception=False)
    with pytest.raises(RuntimeError):
        m.autograd.gradcheck(bad.apply, (x,))


def test_not_recorded_where_nothing_requires_grad(m):
    assert not square(m).apply(m.ones(3)).requires_grad
    with m.no_grad():
        assert not square(m).apply(leaf(m)).requires_grad


def test_ops_inside_are_not_recorded(m):
    seen = []

    def forward(ctx, x):
        y = x * 2
        seen.append((m.is_grad_enabled(), y.requires_grad))
        return y

    function(m, forward, lambda ctx, g: g * 2).apply(leaf(m))
    assert seen == [(False, False)]


def test_static_arguments_and_needs_input_grad(m):
    seen = []

    def forward(ctx, x, factor, y, text=None):
        ctx.factor = factor
        return x * factor + y

    def backward(ctx, g):
        seen.append(ctx.needs_input_grad)
        return g * ctx.factor, None, g, None

    x, y = leaf(m), m.ones(3, dtype=m.float64)
    function(m, forward, backward).apply(x, 3.0, y, "text").sum().backward()
    assert seen == [(True, False, False, False)]
    assert numbers(x.grad) == [3.0, 3.0, 3.0]


def test_too_many_trailing_none_are_fine_and_too_few_are_not(m):
    x = leaf(m)
    many = function(m, lambda ctx, x: x * 2, lambda ctx, g: (g * 2, None, None))
    many.apply(x).sum().backward()
    few = function(m, lambda ctx, x, y: x * y, lambda ctx, g: (g,))
    with pytest.raises(RuntimeError):
        few.apply(x, leaf(m)).sum().backward()


def test_gradient_of_the_wrong_shape_is_refused(m):
    wrong = function(m, lambda ctx, x: x * 2, lambda ctx, g: g[:2])
    with pytest.raises(RuntimeError):
        wrong.apply(leaf(m)).sum().backward()


def test_broadcast_gradient_is_summed(m):
    x = m.tensor([1.0], dtype=m.float64, requires_grad=True)
    expand = function(m, lambda ctx, x: x.expand(3).clone(), lambda ctx, g: g)
    expand.apply(x).sum().backward()
    assert numbers(x.grad) == [3.0]


def test_none_stops_the_gradient(m):
    x, y = leaf(m), leaf(m)
    stop = function(m, lambda ctx, x, y: x * y, lambda ctx, g: (None, g))
    stop.apply(x, y).sum().backward()
    assert x.grad is None
    assert numbers(y.grad) == [1.0, 1.0, 1.0]


def sums(m):
    def forward(ctx, x, y):
        return x + y, x - y

    def backward(ctx, g, h):
        return g + h, g - h

    return function(m, forward, backward)


def test_several_outputs(m):
    x, y = leaf(m), leaf(m)
    total, difference = sums(m).apply(x, y)
    (total * 2 + difference * 3).sum().backward()
    assert numbers(x.grad) == [5.0, 5.0, 5.0]
    assert numbers(y.grad) == [-1.0, -1.0, -1.0]


def test_unused_output_gets_zeros(m):
    x, y = leaf(m), leaf(m)
    total, _ = sums(m).apply(x, y)
    total.sum().backward()
    assert numbers(y.grad) == [1.0, 1.0, 1.0]


def test_unused_output_gets_none_if_asked(m):
    seen = []

    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    def backward(ctx, g, h):
        seen.append(h)
        return g * 2

    x = leaf(m)
    first, _ = function(m, forward, backward).apply(x)
    first.sum().backward()
    assert seen == [None]


def test_non_differentiable_output(m):
    def forward(ctx, x):
        order = x.argsort()
        rounded = m.floor(x)
        ctx.mark_non_differentiable(order, rounded)
        return x * 2, order, rounded

    def backward(ctx, g, order, rounded):
        return g * 2

    x = leaf(m)
    doubled, order, rounded = function(m, forward, backward).apply(x)
    assert doubled.requires_grad
    assert not order.requires_grad
    assert not rounded.requires_grad
    doubled.sum().backward()
    assert numbers(x.grad) == [2.0, 2.0, 2.0]


def test_integer_output_does_not_require_grad(m):
    both = function(m, lambda ctx, x: (x * 2, x.argmax()), lambda ctx, g, h: g * 2)
    doubled, index = both.apply(leaf(m))
    assert doubled.requires_grad
    assert not index.requires_grad


def test_output_that_is_no_tensor_passes_through(m):
    mixed = function(m, lambda ctx, x: (x * 2, "text", None), lambda ctx, g, *rest: g * 2)
    x = leaf(m)
    doubled, text, nothing = mixed.apply(x)
    assert (text, nothing) == ("text", None)
    doubled.sum().backward()
    assert numbers(x.grad) == [2.0, 2.0, 2.0]


def test_saved_output(m):
    def forward(ctx, x):
        y = m.exp(x)
        ctx.save_for_backward(y)
        return y

    def backward(ctx, g):
        (y,) = ctx.saved_tensors
        return g * y

    exp = function(m, forward, backward)
    x = leaf(m)
    assert m.autograd.gradcheck(exp.apply, (x,))
    assert m.autograd.gradgradcheck(exp.apply, (x,))


def test_saved_none(m):
    def forward(ctx, x):
        ctx.save_for_backward(x, None)
        return x * 2

    def backward(ctx, g):
        _, nothing = ctx.saved_tensors
        return g * (2 if nothing is None else 3)

    x = leaf(m)
    function(m, forward, backward).apply(x).sum().backward()
    assert numbers(x.grad) == [2.0, 2.0, 2.0]


def test_save_for_backward_takes_tensors(m):
    def forward(ctx, x):
        ctx.save_for_backward([x])
        return x * 2

    with pytest.raises(TypeError):
        function(m, forward, lambda ctx, g: g).apply(leaf(m))


def test_saved_tensor_overwritten(m):
    x = leaf(m)
    y = x * 1
    z = square(m).apply(y)
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_backward_twice(m):
    x = leaf(m)
    y = square(m).apply(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert numbers(x.grad) == [4.0, 8.0, 12.0]
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_returns_its_input(m):
    same = function(m, lambda ctx, x: x, lambda ctx, g: g * 5)
    x = leaf(m)
    y = same.apply(x)
    assert y is not x
    assert not y.is_leaf
    y.sum().backward()
    assert numbers(x.grad) == [5.0, 5.0, 5.0]


def test_dirty_input(m):
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    double = function(m, forward, lambda ctx, g: g * 2)
    x = leaf(m)
    y = x * 1
    z = double.apply(y)
    assert z is y
    (y * y).sum().backward()
    assert numbers(x.grad) == [8.0, 16.0, 24.0]
    with pytest.raises(RuntimeError, match="leaf"):
        double.apply(leaf(m))


def test_dirty_view_reaches_its_base(m):
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    double = function(m, forward, lambda ctx, g: g * 2)
    x = leaf(m)
    y = x * 1
    double.apply(y[:2])
    y.sum().backward()
    assert numbers(y) == [2.0, 4.0, 3.0]
    assert numbers(x.grad) == [2.0, 2.0, 1.0]


def test_setup_context(m):
    def forward(x, factor):
        return x * factor

    def setup(ctx, inputs, output):
        x, ctx.factor = inputs
        ctx.save_for_backward(x, output)

    def backward(ctx, g):
        x, y = ctx.saved_tensors
        return g * y / x, None

    x = leaf(m)
    function(m, forward, backward, setup).apply(x, 3.0).sum().backward()
    assert numbers(x.grad) == [3.0, 3.0, 3.0]


def test_once_differentiable(m):
    once = m.autograd.function.once_differentiable

    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @once
    def backward(ctx, g):
        assert not m.is_grad_enabled()
        (x,) = ctx.saved_tensors
        return 2 * g * x

    x = leaf(m)
    single = function(m, forward, backward)
    single.apply(x).sum().backward()
    assert numbers(x.grad) == [2.0, 4.0, 6.0]
    y = (single.apply(x) * x).sum()
    (g,) = m.autograd.grad(y, x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()


def test_functions_nest(m):
    inner = square(m)

    def forward(ctx, x):
        with m.enable_grad():
            ctx.x = x.detach().requires_grad_()
            ctx.y = inner.apply(ctx.x).sum()
        return ctx.y.detach()

    def backward(ctx, g):
        (inside,) = m.autograd.grad(ctx.y, ctx.x)
        return g * inside

    x = leaf(m)
    function(m, forward, backward).apply(x).backward()
    assert numbers(x.grad) == [2.0, 4.0, 6.0]


def test_forward_and_backward_must_be_defined(m):
    empty = type("Empty", (m.autograd.Function,), {})
    with pytest.raises(NotImplementedError):
        empty.apply(leaf(m))
    half = type("Half", (m.autograd.Function,), {"forward": staticmethod(lambda ctx, x: x * 2)})
    with pytest.raises(NotImplementedError):
        half.apply(leaf(m)).sum().backward()


def test_gradcheck_wants_double_inputs_that_require_grad():
    with pytest.raises(ValueError, match="float64"):
        tg.autograd.gradcheck(tg.exp, tg.ones(2, requires_grad=True))
    with pytest.raises(ValueError, match="requires grad"):
        tg.autograd.gradcheck(tg.exp, tg.ones(2, dtype=tg.float64))


def test_gradcheck_rejects_nan():
    x = tg.tensor([-1.0], dtype=tg.float64, requires_grad=True)
    with np.errstate(all="ignore"):
        assert not tg.autograd.gradcheck(tg.sqrt, (x,), raise_exception=False)
