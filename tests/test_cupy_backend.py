"""CupyBackend over a CuPy of host memory: NumPy's values, also where CuPy differs in silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.graph import unwrap
from tensorgrad.ops.windows import fold_windows
from tests.cases import CASES, arrays, differentiable, draw, map_arrays
from tests.cuda_ladder import execution
from tests.cupy_stand_in.arrays import asked

# ---- every op


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_op_table(case: Any, cuda: Any) -> None:
    """Values and gradients are NumPy's: one set of primitives, two array modules. Kernels round
    otherwise, so what is left of large terms is held to the largest number of a result.
    """
    for dtype in ("float32", *(d for d in case.dtypes if d != "bfloat16")):
        with tg.use_backend("numpy"):
            wanted = run(case, dtype, "cpu")
        for expected, actual in zip(wanted, run(case, dtype, "cuda:0"), strict=True):
            assert actual.dtype == expected.dtype
            finite = np.abs(expected[np.isfinite(expected)])
            near = 1e-3 if expected.dtype == "float16" else 1e-6  # a unit in the last place
            atol = near * max(1.0, float(finite.max(initial=0)))
            np.testing.assert_allclose(actual, expected, rtol=near, atol=atol)


def run(case: Any, dtype: str, device: str) -> list[np.ndarray]:
    """Results of a case on a device, and the gradients of a random combination of them."""
    samples = map_arrays(lambda array: as_sample(array, dtype), draw(case))
    tensors = map_arrays(lambda array: tg.tensor(array, device=device), samples)
    leaves = []
    if case.grad and "float" in dtype:
        pairs = zip(arrays(tensors), differentiable(case), strict=True)
        leaves = [tensor.requires_grad_() for tensor, wanted in pairs if wanted]
    # A tuple is an index of a primitive: plain arrays.
    inputs = [tuple(map(unwrap, x)) if isinstance(x, tuple) else x for x in tensors]
    tg.manual_seed(3)
    results = arrays(case.function(*inputs, **case.kwargs))
    assert {str(result.device) for result in results} <= {device}
    if leaves:
        sum((r * tg.rand_like(r)).sum() for r in results if r.requires_grad).backward()
    gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
    return [tensor.detach().cpu().numpy() for tensor in results + gradients]


def as_sample(array: np.ndarray, dtype: str) -> np.ndarray:
    if array.dtype.kind != "f":
        return array
    if dtype == "bool":
        return array > 0
    return np.rint(array * 4).astype(dtype) if dtype == "int64" else array.astype(dtype)


class WordModel(nn.Module):
    def __init__(self, sparse: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 5, padding_idx=0, sparse=sparse)
        self.lstm = nn.LSTM(5, 7)
        self.out = nn.Linear(7, 3)

    def forward(self, x: Any) -> Any:
        return self.out(self.lstm(self.embed(x))[0][-1])


def mlp() -> Any:
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))


def conv_net() -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.LayerNorm(64),
        nn.Linear(64, 3),
    )


TRAINED = {
    "mlp": (mlp, lambda: tg.randn(8, 6), lambda p: optim.SGD(p, 0.1, momentum=0.9)),
    "conv net": (conv_net, lambda: tg.randn(8, 1, 8, 8), lambda p: optim.Adam(p, 0.01)),
    "word model": (WordModel, lambda: tg.randint(0, 10, (4, 8)), lambda p: optim.RMSprop(p, 0.01)),
    "sparse words": (
        lambda: WordModel(sparse=True),
        lambda: tg.randint(0, 10, (4, 8)),
        lambda p: optim.Adam(p, 0.01, weight_decay=0.1),
    ),
}


@pytest.mark.parametrize("name", TRAINED)
def test_training_is_the_same_on_both_devices(name: str, cuda: Any) -> None:
    """From one seed: the same start, the same draws, the same losses."""
    make, draw_inputs, make_optimizer = TRAINED[name]

    def losses(backend: str, device: str) -> list[float]:
        with tg.use_backend(backend):
            tg.manual_seed(5)
            model, x, target = make(), draw_inputs(), tg.randint(0, 3, (8,))
            optimizer = make_optimizer(model.parameters())
            history = []
            for _ in range(5):
                optimizer.zero_grad()
                error = nn.functional.cross_entropy(model(x), target)
                error.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                history.append(error.item())
            assert {str(p.device) for p in model.parameters()} == {device}
        return history

    on_gpu = losses("cupy", "cuda:0")
    np.testing.assert_allclose(on_gpu, losses("numpy", "cpu"), rtol=1e-5)
    assert on_gpu[-1] < on_gpu[0]


# ---- where CuPy differs in silence


OUT_OF_RANGE = {
    "index": lambda x: x[tg.tensor([0, 3])],
    "index below": lambda x: x[:, tg.tensor([-3])],
    "setitem": lambda x: x.__setitem__(tg.tensor([3]), 1.0),
    "gather": lambda x: x.gather(0, tg.tensor([[3, 0]])),
    "gather below": lambda x: x.gather(0, tg.tensor([[-1, 0]])),
    "scatter_add": lambda x: x.scatter_add_(0, tg.tensor([[3, 0]]), tg.ones(1, 2)),
    "embedding": lambda x: tg.embedding(tg.tensor([5]), x),
    "index_select": lambda x: x.index_select(1, tg.tensor([2])),
    "cross_entropy": lambda x: nn.functional.cross_entropy(x, tg.tensor([0, 1, 2])),
    "cross_entropy below": lambda x: nn.functional.cross_entropy(x, tg.tensor([0, -1, 0])),
    "number": lambda x: x[3],
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_indices_out_of_range_are_refused(name: str, cuda: Any) -> None:
    """When the host next waits for the GPU, if not at once."""

    def computed() -> None:
        OUT_OF_RANGE[name](tg.zeros(3, 2))
        tg.cuda.synchronize()

    with pytest.raises(tg.IndexRangeError):
        computed()
    tg.cuda.synchronize()  # it is said once


WAITING = {
    "item": lambda x: x.sum().item(),
    "tolist": lambda x: x.tolist(),
    "cpu": lambda x: x.cpu(),
    "numpy": lambda x: x.numpy(force=True),
    "bool": lambda x: bool(x[0, 0]),
    "print": repr,
    "stream": lambda x: tg.cuda.current_stream().synchronize(),
    "event": lambda x: tg.cuda.current_stream().record_event().synchronize(),
}


@pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)
@pytest.mark.parametrize("name", WAITING)
def test_what_waits_for_the_gpu_tells_of_them(name: str, cuda: Any) -> None:
    x = tg.zeros(3, 2)
    y = tg.embedding(tg.tensor([1, -7, 2]), x)
    assert y.shape == (3, 2)
    with pytest.raises(
        tg.IndexRangeError,
        match=r"^embedding: expected indices in \[0, 3\), got -7 \(index -7 is out of bounds\)$",
    ):
        WAITING[name](x)
    assert x.sum().item() == 0


@pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)
def test_a_later_check_tells_of_an_earlier_index(cuda: Any) -> None:
    x = tg.zeros(3, 2)
    nn.functional.cross_entropy(x, tg.tensor([0, -(2**40), 1]))
    with pytest.raises(tg.IndexRangeError, match=r"^cross_entropy: .* got -1099511627776 "):
        tg.embedding(tg.tensor([1]), x)


UNTRUE = {
    "binary_cross_entropy": lambda x: nn.functional.binary_cross_entropy(x, tg.ones(3)),
    "bernoulli": tg.bernoulli,
    "normal": lambda x: tg.normal(tg.zeros(3), x),
}


@pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)
@pytest.mark.parametrize("name", UNTRUE)
def test_conditions_on_numbers_are_told_likewise(name: str, cuda: Any) -> None:
    before = asked["wait"]
    UNTRUE[name](tg.tensor([0.5, 0.0, 1.0]))
    UNTRUE[name](tg.tensor([0.5, -0.5, 1.0]))
    assert asked["wait"] == before
    with pytest.raises(RuntimeError, match=f"^{name}: expected .* got others"):
        tg.cuda.synchronize()
    tg.cuda.synchronize()  # it is said once


def test_index_arrays_that_do_not_broadcast(cuda: Any) -> None:
    with pytest.raises(IndexError, match="index: expected indices in range"):
        tg.zeros(3, 3)[tg.tensor([0, 1, 2]), tg.tensor([0, 1])]


def test_negative_and_empty_indices(cuda: Any) -> None:
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x[tg.tensor([-1, -2])].tolist() == [[3, 4], [1, 2]]
    assert x[tg.tensor([], dtype=tg.int64)].shape == (0, 2)
    assert tg.embedding(tg.zeros(0, dtype=tg.int64), x).shape == (0, 2)


def test_scatter_in_dtypes_without_atomic_adds(cuda: Any) -> None:
    index = tg.tensor([0, 2, 0, 0])
    for dtype in (tg.int8, tg.int16, tg.uint8, tg.int32, tg.int64, tg.float16, tg.float64):
        summed = tg.zeros(3, dtype=dtype).scatter_add(0, index, tg.ones(4, dtype=dtype))
        assert summed.dtype == dtype
        assert summed.tolist() == [3, 0, 1]


def test_a_gradient_owns_its_memory(cuda: Any) -> None:
    """`as_strided` gives an array that looks as if it owned what it shows."""
    g = tg.ones(4, 1)
    x = tg.zeros(4, 1, requires_grad=True)
    fold_windows(x, (4,), (1,), (1,), (1,)).backward(g.reshape(4))
    x.grad.zero_()
    assert g.sum().item() == 4


@pytest.mark.parametrize("function", [lambda x: -x, lambda x: x - x])
def test_arithmetic_on_bools_is_refused(function: Any, cuda: Any) -> None:
    with pytest.raises(tg.DTypeError, match="bool"):
        function(tg.tensor([True, False]))


def test_zero_dimensions(cuda: Any) -> None:
    x = tg.tensor(2.0)
    assert x.softmax(-1).item() == 1
    assert x.logsumexp(0).item() == 2
    assert (x.argsort().item(), x.amax(-1).item(), x.sum(0).item()) == (0, 2, 2)
    assert x.sort().values.item() == 2
