"""Convolution and pooling on CupyBackend, by CUDA kernels run on the CPU: what is served, by how
many launches, and what is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.nn import functional
from tests.cuda_ladder import execution
from tests.cupy_stand_in import arrays, functions
from tests.kernel_samples import close, sample

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)


def launched(function: Any) -> dict[str, int]:
    before = execution.launches.copy()
    function()
    return dict(execution.launches - before)


def weight(*shape: int) -> Any:
    return tg.tensor(sample(shape, "float32", 1), requires_grad=True)


FORWARD_AND_BACK = {
    "by matrices": (
        lambda x, b: tg.conv2d(x, weight(4, 3, 3, 3), b),
        {"columns": 2, "gemm": 3, "by_sample": 1, "by_channel": 1, "channel_sums": 1, "folded": 1},
    ),
    "by transforms": (
        lambda x, b: tg.conv2d(x.repeat(1, 6, 1, 1), weight(16, 18, 3, 3), None, padding=1),
        {"transform_windows": 2, "transform_tiles": 3, "transform_gradient": 1, "gemm": 3,
         "transform_products": 2, "transform_window_products": 1},
    ),
    "every place": (
        lambda x, b: tg.conv2d(x, weight(4, 3, 1, 1), b),
        {"gemm": 3, "by_sample": 1, "by_channel": 2, "channel_sums": 1},
    ),
    "one channel a group": (
        lambda x, b: tg.conv2d(x, weight(3, 1, 3, 3), None, groups=3),
        {"correlate": 1, "correlate_input": 1, "weight_parts": 1, "total": 1},
    ),
    "transposed": (
        lambda x, b: tg.conv_transpose2d(x, weight(3, 4, 2, 2), b, stride=2),
        {"by_channel": 2, "gemm": 3, "folded": 1, "columns": 2, "channel_sums": 1},
    ),
    "largest": (lambda x, b: tg.max_pool2d(x, 2), {"largest": 1, "largest_vjp": 1}),
    "largest of target": (
        lambda x, b: tg.adaptive_max_pool1d(x[0], 4),
        {"largest_of_target": 1, "largest_of_target_vjp": 1},
    ),
    "folded": (lambda x, b: functional.fold(x.reshape(2, 9, 14), (2, 9), (1, 3)), {"folded": 1}),
    "interpolated": (
        lambda x, b: functional.interpolate(x, scale_factor=2, mode="bilinear"), {"combine": 4},
    ),
    "sums": (lambda x, b: functional.avg_pool2d(x, 3, 2, 1), {"sums": 1, "sums_vjp": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORWARD_AND_BACK)
def test_launches_there_and_back(name: str, cuda: Any) -> None:
    function, kernels = FORWARD_AND_BACK[name]

    def step() -> None:
        x, bias = (tg.tensor(sample(s, "float32"), requires_grad=True) for s in ((2, 3, 6, 7), 4))
        function(x, bias).sum().backward()

    assert launched(step) == kernels


def test_a_result_without_bias_is_written_where_it_belongs(cuda: Any) -> None:
    x, kernel = tg.ones(2, 3, 6, 7), weight(4, 3, 3, 3).detach()
    assert launched(lambda: tg.conv2d(x, kernel)) == {"columns": 1, "gemm": 1}
    assert launched(lambda: tg.conv2d(x, kernel[:, :, :1, :1])) == {"gemm": 1}


PLACES = {"places_of_largest": 1, "check_indices": 1}  # these of what is gathered there


@pytest.mark.parametrize(
    ("function", "kernels"),
    [
        (lambda x: tg.conv2d(x[:0], tg.ones(2, 3, 2, 2)).sum(), {}),
        (lambda x: tg.conv2d(x[:, :0], tg.ones(2, 0, 2, 2)).sum(), {}),
        (lambda x: tg.conv2d((x * 9).long(), tg.ones(2, 3, 2, 2).long()), {}),
        (lambda x: tg.conv2d(x.half(), tg.ones(3, 1, 2, 2).half(), groups=3), {"correlate": 1}),
        (lambda x: tg.max_pool2d((x * 9).long(), 2), {"check_indices": 1}),
        (lambda x: tg.max_pool2d(x[:0], 2).sum(), {}),
        (lambda x: tg.max_pool2d(x, 2, return_indices=True)[1], PLACES),
    ],
)  # fmt: skip
def test_what_no_kernel_serves_is_composed(function: Any, kernels: Any, cuda: Any) -> None:
    x = sample((2, 3, 5, 6), "float32")

    def compute() -> None:
        found = function(tg.tensor(x)).cpu().double()
        with tg.use_backend("numpy"):
            close(found.numpy(), function(tg.tensor(x)).double().numpy())

    assert launched(compute) == kernels


def test_arrays_may_lie_as_they_will(dtype: Any, cuda: Any) -> None:
    x, kernel = sample((2, 3, 6, 7), dtype), sample((4, 3, 3, 2), dtype, 1)
    turned = tg.tensor(x.transpose(0, 2, 3, 1).copy()).permute(0, 3, 1, 2)
    wide = tg.tensor(np.repeat(kernel, 2, 3))[..., ::2]
    for function in (tg.conv2d, lambda x, w: tg.max_pool2d(x, 2) + functional.avg_pool2d(x, 2)):
        want = function(tg.tensor(x), tg.tensor(kernel)).cpu().numpy()
        np.testing.assert_array_equal(function(turned, wide).cpu().numpy(), want)


def test_a_second_derivative_is_the_compositions(cuda: Any) -> None:
    x = tg.tensor(sample((1, 2, 4, 4), "float64"), requires_grad=True)
    kernel = tg.tensor(sample((3, 2, 2, 2), "float64"), requires_grad=True)
    assert tg.autograd.gradgradcheck(lambda x, w: tg.conv2d(x, w), (x, kernel))
    assert tg.autograd.gradgradcheck(lambda x: tg.max_pool2d(x, 2), (x,))


class Digits(nn.Module):
    """The network of PyTorch's MNIST example, for digits of 8 x 8."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Dropout(0.25), nn.Flatten(), nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.5),
            nn.Linear(128, 10),
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        return self.features(x)


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16], ids=["float16", "bfloat16"])
def test_autocast_multiplies_numbers_of_16_bits(dtype: Any, cuda: Any) -> None:
    """Copied as they are and added up in float32, as the float32 results say."""
    x, weight = tg.randn(2, 3, 6, 6), tg.randn(4, 3, 3, 3, requires_grad=True)
    found = []
    for enabled in (True, False):
        before = execution.launches.copy()
        with tg.amp.autocast("cuda", dtype=dtype, enabled=enabled):
            y = nn.functional.conv2d(x, weight, stride=2)
        (gradient,) = tg.autograd.grad(y.float().square().sum(), weight)
        assert y.dtype == (dtype if enabled else tg.float32)
        kernels = execution.launches - before
        assert (kernels["columns"], kernels["by_channel"], kernels["gemm"]) == (2, 1, 2)
        found.append((y.detach().float(), gradient))
    for half, full in zip(*found, strict=True):
        bound = 3 * tg.finfo(dtype).eps * full.abs().max().item()
        assert ((half - full).abs() <= bound).all()


def test_a_step_of_a_convolutional_net_is_at_most_60_launches(
    cuda: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CuPy's own are counted too: a ufunc is one, and so is each other array that is made."""
    others = 0

    def counted(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal others
            others += 1
            return function(*args, **kwargs)

        return call

    model = Digits()
    optimizer = optim.Adadelta(model.parameters(), lr=1.0)
    x, target = tg.randn(2, 1, 8, 8), tg.tensor([3, 7])

    def step() -> None:
        optimizer.zero_grad()
        functional.cross_entropy(model(x), target).backward()
        optimizer.step()

    step()
    monkeypatch.setattr(arrays.ufunc, "__call__", counted(arrays.ufunc.__call__))
    monkeypatch.setattr(functions, "fresh", counted(functions.fresh))
    kernels = launched(step)
    assert kernels["gemm"] == 3
    assert kernels["step_elements"] == 1
    assert sum(kernels.values()) + others <= 60
