"""The engine: what `backward` and `grad` do with graphs, leaves, hooks, modes and threads.

Most tests take the library as `m` and run on PyTorch too, where it is installed: what they say is
what PyTorch does.
"""

import importlib.util
import threading
import traceback

import numpy as np
import pytest

import tensorgrad as tg

LIBRARIES = ["tensorgrad", "torch"] if importlib.util.find_spec("torch") else ["tensorgrad"]


@pytest.fixture(params=LIBRARIES)
def m(request):
    return importlib.import_module(request.param)


def leaf(m, values=(1.0, 2.0, 3.0)):
    return m.tensor(list(values), requires_grad=True)


def numbers(tensor):
    return tensor.detach().numpy().tolist()


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


# ---- modes


def test_no_grad_and_enable_grad(m):
    x = leaf(m)
    with m.no_grad():
        assert not m.is_grad_enabled()
        assert not (x * 2).requires_grad
        with m.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @m.no_grad()
    def double(x):
        return x * 2

    assert not double(x).requires_grad
    assert m.is_grad_enabled()


def test_no_grad_ends_with_an_exception(m):
    with pytest.raises(KeyError), m.no_grad():
        raise KeyError
    assert m.is_grad_enabled()


def test_set_grad_enabled(m):
    x = leaf(m)
    with m.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    m.set_grad_enabled(False)
    try:
        assert not (x * 2).requires_grad
    finally:
        m.set_grad_enabled(True)
    assert (x * 2).requires_grad


def test_inference_mode(m):
    x = leaf(m)
    with m.inference_mode():
        y = x * 2
        assert m.is_inference_mode_enabled()
    assert not y.requires_grad
    assert not m.is_inference_mode_enabled()


def test_inference_mode_outranks_enable_grad():
    x = leaf(tg)
    with tg.inference_mode(), tg.enable_grad():
        assert not (x * 2).requires_grad


def in_thread(function):
    """Run in a thread of its own; its exception becomes ours."""
    result = []

    def body():
        try:
            result.append((function(), None))
        except Exception as error:
            result.append((None, error))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, error = result[0]
    if error is not None:
        raise error
    return value


def test_modes_are_per_thread(m):
    with m.no_grad():
        assert in_thread(m.is_grad_enabled)
    assert m.is_grad_enabled()

    def switch_off():
        m.set_grad_enabled(False)
        return m.is_grad_enabled()

    assert not in_thread(switch_off)
    assert m.is_grad_enabled()


def test_one_mode_object_serves_several_threads():
    quiet = tg.no_grad()
    found = []

    def step():
        with quiet:
            found.append(tg.is_grad_enabled())
        found.append(tg.is_grad_enabled())

    with quiet:
        in_thread(step)
        assert not tg.is_grad_enabled()
        with quiet:
            assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()
    in_thread(step)
    assert found == [False, True, False, True]


def test_threads_inside_one_mode_object_at_once():
    quiet, inside, leave = tg.no_grad(), threading.Event(), threading.Event()
    found = []

    def step():
        with quiet:
            inside.set()
            leave.wait(10)
        found.append(tg.is_grad_enabled())

    thread = threading.Thread(target=step)
    with quiet:
        thread.start()
        inside.wait(10)
    found.append(tg.is_grad_enabled())
    leave.set()
    thread.join()
    assert found == [True, True]


def test_backend_of_a_thread():
    with tg.use_backend("numpy"):
        assert tg.get_backend().name == "numpy"
        in_thread(lambda: tg.ones(2) + 1)
    assert in_thread(lambda: tg.get_backend().name) == tg.get_backend().name


def test_backward_in_threads(m):
    """Each thread on a graph of its own, with one leaf that all share."""
    shared = m.zeros(4, requires_grad=True)
    start = threading.Barrier(4)

    def work():
        x = m.ones(4, requires_grad=True)
        start.wait()
        for _ in range(50):
            y = x
            for _ in range(10):
                y = m.tanh(y * 1.1) + shared
            y.sum().backward()
        return numbers(x.grad)

    found = []
    threads = [threading.Thread(target=lambda: found.append(work())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(result == found[0] for result in found)
    once = m.zeros(4, requires_grad=True)
    y = m.ones(4)
    for _ in range(10):
        y = m.tanh(y * 1.1) + once
    y.sum().backward()
    np.testing.assert_allclose(numbers(shared.grad), 200 * np.array(numbers(once.grad)), rtol=1e-4)


def test_one_graph_from_two_threads(m):
    x = leaf(m)
    y = (x * x).sum()
    threads = [threading.Thread(target=lambda: y.backward(retain_graph=True)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(x.grad) == [8.0, 16.0, 24.0]


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
