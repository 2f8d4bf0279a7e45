"""The rounding errors of the Numba kernels in single precision, at sizes that reach their fast
paths, against those of PyTorch's: both measured from double precision, forward and backward.
"""

import numpy as np
import pytest

import tensorgrad as tg

pytest.importorskip("numba")
torch = pytest.importorskip("torch")

MOST = 4  # times PyTorch's error, the root of the mean square
FLOOR = 2.0**-24  # relative: half a unit in the last place, where PyTorch's result is exact


def lstm(lib, cell):
    def run(x, *weights):
        layer = getattr(lib.nn, cell)(24, 64).to(x.dtype)
        # Weights as arguments, so that both libraries have the same and gradients of them.
        return lib.func.functional_call(
            layer, dict(zip(layer.state_dict(), weights, strict=True)), (x,)
        )[0]

    return run


def of(name, *how, **options):
    return lambda lib: lambda *args: getattr(lib.nn.functional, name)(*args, *how, **options)


def loss(lib):
    target = np.arange(96) * 7 % 501

    def run(x):
        return lib.nn.functional.cross_entropy(x, lib.as_tensor(target), reduction="none")

    return run


def gates(count):
    return [(count * 64, 24), (count * 64, 64), (count * 64,), (count * 64,)]


CASES = {
    "linear": (of("linear"), (128, 784), (96, 784), (96,)),
    "matmul": (lambda lib: lib.matmul, (200, 300), (300, 150)),
    "conv 3x3": (of("conv2d", padding=1), (4, 64, 20, 20), (64, 64, 3, 3), (64,)),
    "conv 3x3 of 3 channels": (of("conv2d", padding=1), (4, 3, 32, 32), (32, 3, 3, 3), (32,)),
    "conv 5x5": (of("conv2d", padding=2), (4, 32, 16, 16), (64, 32, 5, 5), (64,)),
    "conv 4x4 stride 2": (
        of("conv2d", stride=2, padding=1), (4, 64, 16, 16), (64, 64, 4, 4), (64,)
    ),
    "conv depthwise": (of("conv2d", padding=1, groups=64), (4, 64, 16, 16), (64, 1, 3, 3), (64,)),
    "conv 1x1": (of("conv2d"), (4, 64, 16, 16), (96, 64, 1, 1), (96,)),
    "conv dilated": (of("conv2d", padding=2, dilation=2), (4, 32, 16, 16), (32, 32, 3, 3), (32,)),
    "conv1d": (of("conv1d", padding=1), (4, 100, 98), (64, 100, 3), (64,)),
    "conv transposed": (
        of("conv_transpose2d", stride=2, padding=1), (4, 64, 12, 12), (64, 32, 4, 4), (32,)
    ),
    "layer norm": (of("layer_norm", (768,)), (64, 768)),
    "group norm": (of("group_norm", 8), (4, 64, 16, 16)),
    "softmax": (of("softmax", -1), (96, 501)),
    "log softmax of columns": (of("log_softmax", 0), (501, 96)),
    "cross-entropy": (loss, (96, 501)),
    "gelu": (of("gelu"), (96, 1000)),
    "silu": (of("silu"), (96, 1000)),
    "tanh": (lambda lib: lib.tanh, (96, 1000)),
    "sum": (lambda lib: lambda x: x.sum(0), (4096, 300)),
    "variance": (lambda lib: lambda x: x.var(1), (64, 5000)),
    "norm": (lambda lib: lambda x: lib.linalg.vector_norm(x, dim=1), (64, 5000)),
    "logsumexp": (lambda lib: lambda x: lib.logsumexp(x, 1), (64, 5000)),
    "lstm": (lambda lib: lstm(lib, "LSTM"), (30, 20, 24), *gates(4)),
    "gru": (lambda lib: lstm(lib, "GRU"), (30, 20, 24), *gates(3)),
    "attention": (
        of("scaled_dot_product_attention", is_causal=True), *[(2, 4, 128, 32)] * 3
    ),
}  # fmt: skip


def results(lib, run, arrays, dtype):
    """The result and the gradients of a weighted sum of it, in double precision."""
    inputs = [lib.as_tensor(a).to(getattr(lib, dtype)).requires_grad_(True) for a in arrays]
    out = run(*inputs)
    weights = np.random.default_rng(1).standard_normal(tuple(out.shape))
    out.backward(lib.as_tensor(weights).to(out.dtype))
    found = [out, *(x.grad for x in inputs)]
    return [np.asarray(t.detach().numpy(), np.float64) for t in found]


@pytest.mark.parametrize("case", CASES)
def test_errors_of_single_precision(case):
    make, *shapes = CASES[case]
    rng = np.random.default_rng(0)
    # Arguments that single precision holds, so that what is measured is the arithmetic, and small
    # enough for recurrent layers not to be saturated.
    arrays = [rng.standard_normal(shape, np.float32).astype(np.float64) / 4 for shape in shapes]
    with tg.use_backend("numba"):
        ours = results(tg, make(tg), arrays, "float32")
    theirs = results(torch, make(torch), arrays, "float32")
    exact = results(torch, make(torch), arrays, "float64")
    for number, (mine, other, right) in enumerate(zip(ours, theirs, exact, strict=True)):
        size = np.sqrt(np.mean(right**2))
        own = np.sqrt(np.mean((mine - right) ** 2)) / size
        bound = MOST * max(np.sqrt(np.mean((other - right) ** 2)) / size, FLOOR)
        assert own <= bound, f"result {number}: {own:.2g} of its size, PyTorch's bound {bound:.2g}"
