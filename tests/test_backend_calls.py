"""What backends are asked for: kernels where they have them, else primitives; and own memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import backend as choice
from tensorgrad.backends.numpy_backend import NumpyBackend
from tests.backend_samples import Recorder

# ---- results have memory of their own


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


# ---- kernels are optional, primitives are not


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


# ---- a backend around another


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
