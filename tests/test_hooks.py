"""Hooks on tensors and nodes, and what anomaly detection says."""

import traceback

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import leaf, numbers

# ---- hooks


def test_tensor_hook_sees_and_replaces(m):
    x = leaf(m)
    y = x * 2
    seen = []
    handle = y.register_hook(lambda g: seen.append(numbers(g)) or g * 10)
    (y * y).sum().backward()
    assert seen == [[4.0, 8.0, 12.0]]
    assert numbers(x.grad) == [80.0, 160.0, 240.0]
    handle.remove()
    x.grad = None
    (x * 2).sum().backward()
    assert numbers(x.grad) == [2.0, 2.0, 2.0]


def test_leaf_hook_runs_once_on_the_sum(m):
    x = leaf(m)
    seen = []
    x.register_hook(lambda g: seen.append(numbers(g)))
    (x * 2 + x * 3).sum().backward()
    assert seen == [[5.0, 5.0, 5.0]]


def test_hooks_run_in_order(m):
    x = leaf(m)
    y = x * 1
    y.register_hook(lambda g: g + 1)
    y.register_hook(lambda g: g * 10)
    y.sum().backward()
    assert numbers(x.grad) == [20.0, 20.0, 20.0]


def test_hook_on_what_needs_no_gradient(m):
    with pytest.raises(RuntimeError, match="require"):
        m.ones(3).register_hook(lambda g: g)


def test_post_accumulate_hook(m):
    x = leaf(m)
    seen = []
    handle = x.register_post_accumulate_grad_hook(lambda t: seen.append((t is x, numbers(t.grad))))
    x.sum().backward()
    x.sum().backward()
    handle.remove()
    x.sum().backward()
    assert seen == [(True, [1.0, 1.0, 1.0]), (True, [2.0, 2.0, 2.0])]
    with pytest.raises(RuntimeError, match="leaf"):
        (x * 2).register_post_accumulate_grad_hook(lambda t: None)


def test_node_hooks(m):
    x = leaf(m)
    y = x * 2
    seen = []
    node = y.grad_fn
    node.register_prehook(lambda outputs: (outputs[0] * 3,))
    node.register_hook(
        lambda inputs, outputs: seen.append((numbers(inputs[0]), numbers(outputs[0])))
    )
    y.sum().backward()
    assert seen == [([6.0, 6.0, 6.0], [3.0, 3.0, 3.0])]
    assert numbers(x.grad) == [6.0, 6.0, 6.0]


def test_node_hook_replaces_gradients(m):
    x = leaf(m)
    y = x * 2
    y.grad_fn.register_hook(
        lambda inputs, outputs: tuple(None if g is None else g * 5 for g in inputs)
    )
    y.sum().backward()
    assert numbers(x.grad) == [10.0, 10.0, 10.0]


def test_hook_may_run_backward(m):
    x, w = leaf(m), leaf(m)

    def inner(g):
        with m.enable_grad():
            (w * w).sum().backward()

    y = x * 2
    y.register_hook(inner)
    y.sum().backward()
    assert numbers(w.grad) == [2.0, 4.0, 6.0]
    assert numbers(x.grad) == [2.0, 2.0, 2.0]


def test_hook_of_the_wrong_shape_is_refused(m):
    x = leaf(m)
    y = x * 2
    y.register_hook(lambda g: g[:2])
    with pytest.raises(RuntimeError):
        y.sum().backward()


# ---- anomaly detection


def test_anomaly_names_the_forward_line():
    x = tg.tensor([0.0], requires_grad=True)
    with tg.autograd.detect_anomaly():
        y = tg.sqrt(x) * 0.0  # THE LINE
        with pytest.raises(RuntimeError, match="nan values") as caught:
            y.sum().backward()
    text = "".join(traceback.format_exception(caught.value))
    assert "tg.sqrt(x) * 0.0  # THE LINE" in text
    assert "sqrt" in str(caught.value)


def test_anomaly_notes_the_line_of_any_fault():
    class Broken(tg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise KeyError("broken")

    x = leaf(tg)
    with tg.autograd.detect_anomaly(check_nan=False):
        y = Broken.apply(x)  # THE CALL
        with pytest.raises(KeyError) as caught:
            y.sum().backward()
    assert any("THE CALL" in note for note in caught.value.__notes__)


def test_anomaly_may_leave_nan_alone():
    x = tg.tensor([0.0], requires_grad=True)
    with tg.autograd.detect_anomaly(check_nan=False):
        (tg.sqrt(x) * 0.0).sum().backward()
    assert np.isnan(numbers(x.grad))
    with tg.autograd.set_detect_anomaly(True), pytest.raises(RuntimeError):
        (tg.sqrt(x) * 0.0).sum().backward()
    (tg.sqrt(x) * 0.0).sum().backward()


def test_a_hook_on_several_tensors(m):
    a, b, c, d = (m.ones(2, requires_grad=True) for _ in range(4))
    total = (a * 2).sum() + (b * 3).sum()
    other = (c * c).sum()
    seen = []
    handle = m.autograd.graph.register_multi_grad_hook(
        (a, b, c, d),
        lambda gradients: seen.append([g is not None and g.tolist() for g in gradients]),
    )
    total.backward(retain_graph=True)
    assert seen == [[[2.0, 2.0], [3.0, 3.0], False, False]]
    (total + other).backward(inputs=(c,), retain_graph=True)
    assert seen[1:] == [[False, False, [2.0, 2.0], False]]
    handle.remove()
    total.backward()
    assert len(seen) == 2


def test_a_hook_on_the_first_of_several_tensors(m):
    a, b, c = m.ones(2, requires_grad=True), m.ones(2, requires_grad=True), m.ones(2)
    total = (a * 2 + b * 2).sum()
    seen = []
    hook = m.autograd.graph.register_multi_grad_hook((a, b, c), seen.append, mode="any")
    with hook:
        total.backward(retain_graph=True)
        total.backward(retain_graph=True)
    total.backward()
    assert [g.tolist() for g in seen] == [[2.0, 2.0]] * 2
    with pytest.raises(ValueError, match="mode"):
        m.autograd.graph.register_multi_grad_hook((a,), seen.append, mode="some")
    with pytest.raises((RuntimeError, AssertionError), match=r"expected|Expected"):
        m.autograd.graph.register_multi_grad_hook((a, c), seen.append)
