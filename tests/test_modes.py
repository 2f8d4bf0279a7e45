"""Grad mode and inference mode, in each thread its own, and backward passes in threads."""

import threading

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import leaf, numbers


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
