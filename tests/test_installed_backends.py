"""Backends of other packages: found by name, used, and named where they are broken."""

from __future__ import annotations

import os
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import backend as choice
from tests.backend_samples import ROOT, python

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
