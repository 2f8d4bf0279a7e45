"""Recurrent layers on CupyBackend, by CUDA kernels run on the CPU, and what a step costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.utils import rnn
from tests.cuda_ladder import execution
from tests.cupy_stand_in import arrays, functions
from tests.kernel_samples import close, sample

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)

LAYERS: dict[str, Callable[[], Any]] = {
    "LSTM": lambda: nn.LSTM(5, 6, 2, bidirectional=True),
    "GRU": lambda: nn.GRU(5, 8, 2, bidirectional=True),
    "RNN": lambda: nn.RNN(5, 4, nonlinearity="relu"),
    "no bias": lambda: nn.GRU(5, 4, bias=False),
    "projected LSTM": lambda: nn.LSTM(5, 6, proj_size=3),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_numpys(name: str, packed: bool, dtype: Any, cuda: Any) -> None:
    found = []
    for backend in ("cupy", "numpy"):
        with tg.use_backend(backend):
            tg.manual_seed(1)
            layer = LAYERS[name]().to(dtype=dtype)
            x = tg.tensor(sample((4, 3, 5), dtype), requires_grad=True)
            given = rnn.pack_padded_sequence(x, [4, 1, 3], enforce_sorted=False) if packed else x
            out, last = layer(given)
            out = rnn.pad_packed_sequence(out)[0] if packed else out
            parts = [out, *(last if isinstance(last, tuple) else (last,))]
            sum((part * part).sum() for part in parts).backward()
            leaves = [x, *layer.parameters()]
            values = [*(part.detach() for part in parts), *(leaf.grad for leaf in leaves)]
            found.append([value.cpu().numpy() for value in values])
    for got, want in zip(*found, strict=True):
        close(got, want, 60)


@pytest.mark.parametrize(
    ("name", "kernel"), [("LSTM", "lstm_step"), ("GRU", "gru_step"), ("RNN", "rnn_step")]
)
def test_a_step_is_a_product_and_a_kernel(
    name: str, kernel: str, cuda: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forward and backward at most 2 launches a step and 6 a layer, the projection of the inputs
    and the gradients of all parameters counted in.
    """
    others = 0
    of_kernels = execution.launches.total
    fresh, call = arrays.fresh, arrays.ufunc.__call__

    def counted(host: Any) -> Any:
        nonlocal others
        others += 1
        return fresh(host)

    def counted_call(self: Any, *args: Any, out: Any = None, **options: Any) -> Any:
        nonlocal others
        others += out is not None
        return call(self, *args, out=out, **options)

    layer, x = getattr(nn, name)(5, 8), tg.randn(7, 3, 5)
    target = tg.randn(7, 3, 8)
    for module in (arrays, functions):
        monkeypatch.setattr(module, "fresh", counted)
    monkeypatch.setattr(arrays.ufunc, "__call__", counted_call)
    start, launched = others + of_kernels(), execution.launches.copy()
    out, _ = layer(x)
    forward = others + of_kernels() - start
    start = others + of_kernels()
    out.backward(target)
    backward = others + of_kernels() - start
    assert execution.launches - launched == {kernel: 7, f"{kernel}_vjp": 7}
    assert forward <= 2 * 7 + 6
    assert backward <= 2 * 7 + 6


def test_what_no_kernel_serves_is_composed(cuda: Any) -> None:
    cell = nn.LSTMCell(3, 4)
    before = execution.launches.copy()
    h, c = cell(tg.ones(2, 3))
    assert execution.launches - before == {"lstm_step": 1}
    assert h.shape == c.shape == (2, 4)
    layer = nn.LSTM(3, 4)
    before = execution.launches.copy()
    out, _ = layer(tg.zeros(2, 0, 3))
    assert out.shape == (2, 0, 4)
    assert execution.launches == before


def test_a_second_derivative_is_the_compositions(cuda: Any) -> None:
    layer, x = nn.GRU(2, 2).double(), tg.randn(2, 1, 2, dtype=tg.float64, requires_grad=True)
    assert tg.autograd.gradgradcheck(lambda x: layer(x)[0], (x,))
