"""Choosing who computes: by environment, call, context, device."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import backend as choice
from tests.backend_samples import Recorder, python

# ---- the ways to choose


@pytest.mark.parametrize(("value", "name"), [("numpy", "numpy"), ("numba", "numba"), ("", "numba")])
def test_environment_variable(value: str, name: str) -> None:
    program = """
        import tensorgrad as tg
        x = tg.ones(2) + 1
        print(tg.get_backend().name, x.tolist())
    """
    result = python(program, **({"TENSORGRAD_BACKEND": value} if value else {}))
    assert result.stdout == f"{name} [2.0, 2.0]\n", result.stderr


def test_environment_variable_with_an_unknown_name() -> None:
    result = python("import tensorgrad as tg; tg.ones(2)", TENSORGRAD_BACKEND="abacus")
    *_, last = result.stderr.strip().splitlines()
    assert last.startswith("tensorgrad.errors.BackendError: TENSORGRAD_BACKEND: expected one of [")
    assert last.endswith("'numba', 'numpy'], got 'abacus'")


def test_importing_loads_no_backend() -> None:
    program = """
        import sys, tensorgrad
        heavy = {"numba", "cupy", "scipy", "tensorgrad.backends.array_backend"}
        print(sorted(heavy & set(sys.modules)))
    """
    assert python(program, TENSORGRAD_BACKEND="numba").stdout == "[]\n"


@pytest.fixture
def as_before() -> Iterator[None]:
    chosen = tg.get_backend()
    yield
    tg.set_backend(chosen)


def test_set_backend_holds_for_every_thread(as_before: None) -> None:
    seen = []
    for name in ("numpy", "numba", "numpy"):
        tg.set_backend(name)
        thread = threading.Thread(target=lambda: seen.append(tg.get_backend().name))
        thread.start()
        thread.join()
        assert tg.get_backend().name == name
    assert seen == ["numpy", "numba", "numpy"]


def test_contexts_nest_and_end() -> None:
    outside = tg.get_backend()
    with tg.use_backend("numpy"):
        with tg.use_backend("numba"):
            assert tg.get_backend().name == "numba"
        assert tg.get_backend().name == "numpy"
        tg.set_backend("numba")  # inside a context it holds until the context ends
        assert tg.get_backend().name == "numba"
    assert tg.get_backend() is outside
    with pytest.raises(ZeroDivisionError), tg.use_backend("numpy"):
        raise ZeroDivisionError
    assert tg.get_backend() is outside


def test_a_context_decorates_a_function() -> None:
    @tg.use_backend("numpy")
    def name() -> Any:
        return tg.get_backend().name

    with tg.use_backend("numba"):
        assert (name(), tg.get_backend().name) == ("numpy", "numba")


def test_threads_compute_on_different_backends_at_the_same_time() -> None:
    outside = tg.get_backend()
    both_inside = threading.Barrier(2, timeout=30)
    computed: dict[str, list[str]] = {}

    def work(name: str) -> None:
        recorder = Recorder(choice.load_backend(name))
        with tg.use_backend(recorder):
            both_inside.wait()
            (tg.ones(3) * 2).exp()
            both_inside.wait()
            assert tg.get_backend() is recorder
        computed[name] = recorder.calls

    threads = [threading.Thread(target=work, args=(name,)) for name in ("numpy", "numba")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == {name: ["full", "mul", "exp"] for name in ("numpy", "numba")}
    assert tg.get_backend() is outside


def test_device_of_a_tensor(backend: str) -> None:
    for device in ("cpu", "cpu:0", tg.device("cpu")):
        assert tg.zeros(2, device=device).device == tg.device("cpu")
    with pytest.raises(
        tg.BackendError, match=r"^device: expected one of \['cpu', 'cuda'\], got 'tpu'"
    ):
        tg.zeros(2, device="tpu")
    with pytest.raises(tg.BackendError, match=r"^device: expected 'cpu', got 'cpu:1'"):
        tg.zeros(2, device="cpu:1")
    for wrong in ("", "cuda:", "cuda:x", "cuda:-1", "a b"):
        with pytest.raises(tg.BackendError, match=r"^device: expected"):
            tg.zeros(2, device=wrong)


def test_switching_copies_nothing() -> None:
    with tg.use_backend("numpy"):
        x = tg.arange(6.0).reshape(2, 3).requires_grad_()
        y = x.exp()
        array = x._array
    with tg.use_backend("numba"):
        assert x._array is array
        assert x.detach().T.numpy().base is array.base
        x.to("cpu")
        (y * 2).sum().backward()
        assert x._array is array
        np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(array), rtol=1e-6)


# ---- names that lead nowhere


@pytest.mark.parametrize("choose", [tg.set_backend, tg.use_backend])
def test_an_unknown_name_lists_the_known_ones(choose: Callable[..., Any]) -> None:
    before = tg.get_backend()
    with pytest.raises(
        tg.BackendError, match=r"expected one of \['cupy', 'numba', 'numpy'"
    ) as caught:
        choose("abacus")
    assert str(caught.value).startswith(f"{choose.__name__}: ")
    assert str(caught.value).endswith("got 'abacus'")
    assert isinstance(caught.value, RuntimeError | ValueError)
    assert tg.get_backend() is before


def test_an_object_that_is_no_backend() -> None:
    before = tg.get_backend()
    for wrong in (np, object(), None):
        with pytest.raises(tg.BackendError, match=r"^set_backend: expected a backend to have name"):
            tg.set_backend(wrong)
    assert tg.get_backend() is before
