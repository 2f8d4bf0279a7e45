"""Choosing who computes: by environment, call, context, device; backends of other packages."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import backend as choice
from tensorgrad.backends.numpy_backend import NumpyBackend

ROOT = Path(__file__).parents[1]


def python(program: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if k != "TENSORGRAD_BACKEND"}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
    )


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


def test_results_without_dimensions_can_be_written(backend: str) -> None:
    """NumPy computes scalars, which nobody can write into."""
    x = tg.tensor(2.0, requires_grad=True)
    (x * x).backward()
    (slope,) = tg.autograd.grad(x * x * x, x)
    with tg.no_grad():
        results = [x.grad, slope, slope.clone(), x.sum(), x.exp(), x.reshape(1)[0]]
        for result in results:
            result.add_(1)
    assert [r.item() for r in results[:3]] == [5, 13, 13]


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


# ---- packages with backends

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a package with one module on the path as pip leaves it, entry point and all."""
    monkeypatch.setattr(choice, "_loaded", dict(choice._loaded))

    def write(name: str, source: str, target: str = "Backend") -> None:
        module = f"tensorgrad_{name}"
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        info = tmp_path / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        entry = f"[tensorgrad.backends]\n{name} = {module}:{target}\n"
        (info / "entry_points.txt").write_text(entry)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return write


POLITE = """
    import numpy as np
    from tensorgrad.backends.numpy_backend import NumpyBackend

    class Backend(NumpyBackend):
        name = "polite"

        def __init__(self):
            super().__init__()
            self.served = []

        def softmax(self, input, dim):
            self.served.append("softmax")
            e = np.exp(input - input.max(dim, keepdims=True))
            return e / e.sum(dim, keepdims=True)

        def softmax_vjp(self, g, y, dim):
            self.served.append("softmax_vjp")
            return y * (g - (g * y).sum(dim, keepdims=True))
"""


def test_an_installed_backend_is_found_computes_and_its_kernel_is_used(install: Install) -> None:
    install("polite", POLITE)
    assert "polite" in tg.backend_names()
    assert "tensorgrad_polite" not in sys.modules  # looked up, not imported
    x = tg.randn(3, 4, requires_grad=True)
    with tg.use_backend("numpy"):
        expected = x.softmax(1)
        (wanted,) = tg.autograd.grad((expected * expected).sum(), x)
    with tg.use_backend("polite"):
        y = x.softmax(1)
        (gradient,) = tg.autograd.grad((y * y).sum(), x)
        assert tg.get_backend().served == ["softmax", "softmax_vjp"]
        # Gradients of gradients come from the rule, not from the kernel.
        tg.autograd.grad((x.softmax(1) ** 2).sum(), x, create_graph=True)
        assert tg.get_backend().served == ["softmax", "softmax_vjp", "softmax"]
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-6)
    np.testing.assert_allclose(gradient.numpy(), wanted.numpy(), atol=1e-6)


def test_an_installed_backend_is_chosen_by_environment_variable(
    install: Install, tmp_path: Path
) -> None:
    install("polite", POLITE)
    result = python(
        "import tensorgrad as tg; tg.ones(2).softmax(0); print(tg.get_backend().served)",
        TENSORGRAD_BACKEND="polite",
        PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path}",
    )
    assert result.stdout == "['softmax']\n", result.stderr


ELSEWHERE = """
    import numpy as np
    from tensorgrad.backend import Device
    from tensorgrad.backends.array_backend import ArrayBackend

    class There(np.ndarray):
        pass

    class Backend(ArrayBackend):
        name, device_type, default_device = "elsewhere", "there", Device("there", 0)
        array_types = (There,)

        def __init__(self):
            super().__init__(np)

        def asarray(self, value, dtype, device):
            return np.array(value, dtype).view(There)

        def full(self, shape, value, dtype, device):
            return np.full(shape, value, dtype).view(There)

        def own(self, input, shared):
            return input.copy()

        def to_numpy(self, input):
            return np.array(input)
"""


def test_only_what_nobody_else_sees_becomes_a_gradient_without_a_copy() -> None:
    own = NumpyBackend().own
    result = np.ones((4, 6))
    assert own(result, False) is result
    assert own(result, True) is not result
    seen = result.reshape(24)
    assert own(seen, False) is not seen  # `result` sees it too
    reshaped = np.ones((4, 6)).reshape(24)
    assert own(reshaped, False) is reshaped
    part = np.ones((4, 6))[:2]
    assert own(part, False).base is None
    expanded = np.broadcast_to(np.float64(1), (3,))
    assert own(expanded, False).flags.writeable
    of_bytes = np.frombuffer(bytes(16), np.int64)
    assert own(of_bytes, False).flags.writeable


def test_an_installed_backend_has_a_device_of_its_own(install: Install) -> None:
    install("elsewhere", ELSEWHERE)
    with tg.use_backend("numpy"), tg.use_backend("elsewhere"):
        x = tg.tensor([1.0, 2.0], requires_grad=True)
        assert str(x.device) == "there:0"
        here = (x * 3).to("cpu")
        assert here.device == tg.device("cpu")
        here.sum().backward()
        assert str(x.grad.device) == "there:0"
        assert x.grad.tolist() == [3, 3]
        assert tg.zeros(2, device="cpu").to("there").device == x.device


BROKEN = {
    "raises at import": ("import a_module_that_is_not_there", "Backend", "ModuleNotFoundError"),
    "raises when made": (
        "class Backend:\n    def __init__(self):\n        raise OSError('no such board')",
        "Backend",
        "OSError: no such board",
    ),
    "has no such class": ("", "Backend", "AttributeError"),
    "is no class": ("Backend = 3", "Backend", "TypeError"),
    "lacks everything": ("class Backend: pass", "Backend", "without name, device_type, "),
    "lacks array_types": (
        "class Backend: name = 'lame'; device_type = 'cpu'; default_device = None",
        "Backend",
        "without array_types$",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_backend_is_named(fault: str, install: Install) -> None:
    source, target, words = BROKEN[fault]
    install("lame", source, target)
    before = tg.get_backend()
    for _ in range(2):  # a failure is not remembered as a success
        with pytest.raises(
            tg.BackendError, match=f"^set_backend: expected .*'lame'.*{words}"
        ) as caught:
            tg.set_backend("lame")
        assert "tensorgrad_lame:Backend" in str(caught.value)
    assert tg.get_backend() is before
    assert tg.ones(2).tolist() == [1, 1]


def test_a_nested_name_is_an_entry_point_too(install: Install) -> None:
    source = """
        from tensorgrad.backends.numpy_backend import NumpyBackend
        class Backends:
            class Inner(NumpyBackend):
                name = "nested"
    """
    install("nested", source, "Backends.Inner")
    with tg.use_backend("nested"):
        assert tg.get_backend().name == "nested"


def test_a_backend_may_load_the_one_it_builds_on(install: Install) -> None:
    source = """
        from tensorgrad.backend import load_backend
        def make():
            backend = load_backend("numpy")
            return type("Backend", (type(backend),), {"name": "outer"})()
    """
    install("outer", source, "make")
    finished = []

    def use() -> None:  # in a thread, so that waiting for oneself would fail and not hang
        with tg.use_backend("outer"):
            finished.append(tg.get_backend().name)

    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(20)
    assert finished == ["outer"]


def test_a_missing_primitive_is_named() -> None:
    class Partial:
        name, device_type, array_types = "partial", "cpu", (np.ndarray,)
        default_device = tg.device("cpu")

        def device_of(self, input: Any) -> Any:
            return self.default_device

    x = tg.ones(2)
    with (
        tg.use_backend(Partial()),
        pytest.raises(tg.BackendError, match=r"^exp: expected .* got Partial"),
    ):
        x.exp()


# ---- kernels are optional


class Kernels(NumpyBackend):
    """Serves vectors and leaves everything else to the composition."""

    name = "kernels"

    def __init__(self) -> None:
        super().__init__()
        self.served: list[str] = []

    def softmax(self, input: Any, dim: int) -> Any:
        if input.ndim != 1:
            return NotImplemented
        self.served.append("forward")
        return np.exp(input) / np.exp(input).sum()

    def softmax_vjp(self, g: Any, y: Any, dim: int) -> Any:
        if y.ndim != 1 or len(y) > 3:
            return NotImplemented
        self.served.append("backward")
        return y * (g - (g * y).sum())


@pytest.mark.parametrize(
    ("shape", "served"), [((2,), ["forward", "backward"]), ((4,), ["forward"]), ((2, 3), [])]
)
def test_a_kernel_may_leave_arrays_to_the_composition(shape: Any, served: list[str]) -> None:
    x = tg.randn(*shape, requires_grad=True)
    weights = tg.rand(*shape)
    answers = []
    backend = Kernels()
    for each in ("numpy", backend):
        with tg.use_backend(each):
            y = x.softmax(-1)
            (gradient,) = tg.autograd.grad((y * weights).sum(), x)
            answers.append((y.detach().numpy(), gradient.numpy()))
    assert backend.served == served
    for expected, actual in zip(*answers, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)


def test_without_a_kernel_the_composition_computes() -> None:
    assert not hasattr(NumpyBackend, "softmax")
    recorder = Recorder(choice.load_backend("numpy"))
    x = tg.tensor([[1.0, 2.0]])
    with tg.use_backend(recorder):
        y = x.softmax(1)
    assert recorder.calls == ["amax", "sub", "exp", "sum"]  # and `/`, which the array knows
    np.testing.assert_allclose(y.numpy(), [[0.26894143, 0.7310586]], rtol=1e-6)


# ---- a backend around another


class Recorder:
    """Writes down every primitive that another backend is asked for."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found) or name in ("check_device", "device_of"):
            return found

        @functools.wraps(found)
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            return found(*args, **kwargs)

        return call


@pytest.mark.parametrize("inner", ["numpy", "numba"])
def test_a_recording_backend_sees_a_whole_step(inner: str) -> None:
    def step() -> list[float]:
        w = tg.full((3, 2), 0.5, requires_grad=True)
        loss = (tg.relu(tg.ones(4, 3) @ w) * 2).sum()
        (gradient,) = tg.autograd.grad(loss, w, create_graph=True)
        with tg.no_grad():
            w -= 0.1 * gradient
        return [loss.item(), *w.flatten().tolist()]

    recorder = Recorder(choice.load_backend(inner))
    with tg.use_backend(recorder):
        recorded = step()
    rectified = "relu" if inner == "numba" else "clamp_to"
    assert recorder.calls[:6] == ["full", "full", "matmul", rectified, "mul", "sum"]
    backward = ["expand", "mul", "le", "where", "permute", "matmul"]
    assert [name for name in recorder.calls[6:] if name in backward] == [*backward, "mul"]
    assert "assign" in recorder.calls  # the update in place
    with tg.use_backend(inner):
        assert step() == recorded
