"""CupyBackend over a CuPy of host memory; and its calls against the real package where it is."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import os
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import backend as choice
from tensorgrad import nn, optim
from tensorgrad.backends import (
    array_backend,
    complex_primitives,
    cupy_backend,
    gamma_primitives,
    index_primitives,
    linalg_primitives,
    order_primitives,
    pointwise_primitives,
    random_primitives,
    reduction_primitives,
    special_primitives,
    view_primitives,
    window_primitives,
)
from tensorgrad.backends.array_backend import ArrayBackend
from tensorgrad.backends.cupy_backend import CupyBackend
from tensorgrad.graph import unwrap
from tensorgrad.ops.windows import fold_windows
from tests import cupy_stand_in
from tests.cases import CASES, arrays, differentiable, draw, map_arrays

ROOT = Path(__file__).parents[1]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[cupy_stand_in.Driver]:
    """`import cupy` gives the stand-in; what the machine has can be changed for the test."""
    for name, module in cupy_stand_in.MODULES.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(choice, "_loaded", {})
    for name in ("version", "devices", "libraries"):
        monkeypatch.setattr(cupy_stand_in.Driver, name, getattr(cupy_stand_in.Driver, name))
    return cupy_stand_in.Driver


@pytest.fixture
def cuda(stand_in: Any) -> Iterator[Any]:
    """Inside, "cupy" is chosen, and NumPy computes on the CPU."""
    with tg.use_backend("numpy"), tg.use_backend("cupy"):
        yield tg.get_backend()


# ---- every op


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_op_table(case: Any, cuda: Any) -> None:
    """Values and gradients are NumPy's: one set of primitives, two array modules."""
    for dtype in ("float32", *(d for d in case.dtypes if d != "bfloat16")):
        with tg.use_backend("numpy"):
            wanted = run(case, dtype, "cpu")
        for expected, actual in zip(wanted, run(case, dtype, "cuda:0"), strict=True):
            assert actual.dtype == expected.dtype
            np.testing.assert_allclose(actual, expected, rtol=1e-6, atol=1e-6)


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


def test_a_module_moves(cuda: Any) -> None:
    with tg.use_backend("numpy"):
        model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    names = list(model.state_dict())
    model.to("cuda")
    optim.SGD(model.parameters(), 0.1).step()
    assert model(tg.ones(4, 2)).device == tg.device("cuda:0")
    assert {str(value.device) for value in model.state_dict().values()} == {"cuda:0"}
    saved = model.state_dict()
    model.cpu().load_state_dict(saved)
    assert list(model.state_dict()) == names
    assert {str(value.device) for value in model.state_dict().values()} == {"cpu"}


# ---- devices


def test_choosing_cupy_moves_new_tensors_to_the_gpu(cuda: Any) -> None:
    made = (
        tg.zeros(2),
        tg.tensor([1.0]),
        tg.rand(2),
        tg.arange(3),
        tg.eye(2),
        tg.as_tensor(np.ones(2)),
    )
    assert {str(tensor.device) for tensor in made} == {"cuda:0"}
    on_cpu = tg.zeros(2, device="cpu")
    assert (on_cpu + 1).tolist() == [1, 1]
    assert (on_cpu + 1).device == tg.device("cpu")
    assert tg.tensor([tg.tensor(2.0), 1.0]).tolist() == [2, 1]


def test_transfers(cuda: Any) -> None:
    x = tg.tensor([1.0, 2.0], device="cpu")
    for there in (x.to("cuda"), x.cuda(), x.cuda(0), x.to(tg.device("cuda", 0)), x.to(tg.zeros(1))):
        assert str(there.device) == "cuda:0"
        assert there.to("cuda") is there
        assert there.cuda() is there
        assert there.cpu().device == tg.device("cpu")
        assert there.tolist() == [1, 2]
    assert x.cpu() is x
    with pytest.raises(TypeError, match="numpy: expected a tensor on the CPU, got one on cuda:0"):
        x.cuda().numpy()
    np.testing.assert_array_equal(x.cuda().numpy(force=True), [1, 2])


def test_gradients_flow_across_devices(cuda: Any) -> None:
    x = tg.tensor([1.0, 2.0], device="cpu", requires_grad=True)
    y = (x.cuda() ** 2).cpu() * 3
    (slope,) = tg.autograd.grad(y.sum(), x, create_graph=True)
    assert slope.device == tg.device("cpu")
    assert slope.tolist() == [6, 12]
    slope.sum().backward()
    assert x.grad.tolist() == [6, 6]


def test_writing_takes_values_from_another_device(cuda: Any) -> None:
    """As in PyTorch, where `x[i] = v` and `copy_` move what they write."""
    x = tg.zeros(3)
    x[:1] = tg.tensor([1.0], device="cpu")
    x[tg.tensor([1])] = tg.tensor([2.0], device="cpu")
    x[2:].copy_(tg.tensor([3.0], device="cpu"))
    assert x.tolist() == [1, 2, 3]
    assert x[tg.tensor([2, 0], device="cpu")].tolist() == [3, 1]
    y = tg.zeros(2, device="cpu")
    source = tg.tensor(4.0, requires_grad=True)
    y[1] = source * 2
    y.sum().backward()
    assert y.tolist() == [0, 8]
    assert source.grad.item() == 2
    assert source.grad.device == source.device


MIXED = {
    "add": lambda here, there: here + there,
    "mul": lambda here, there: there * here,
    "matmul": lambda here, there: here @ there,
    "cat": lambda here, there: tg.cat([here, there]),
    "where": lambda here, there: tg.where(here > 0, there, there),
    "maximum": lambda here, there: tg.maximum(there, here),
    "gather": lambda here, there: there.gather(0, here.long()),
    "embedding": lambda here, there: tg.embedding(here.long(), there),
    "scatter_add": lambda here, there: there.scatter_add(0, there.long(), here),
    "add_": lambda here, there: there.add_(here),
    "getitem": lambda here, there: here[there.long()],
    "dot": lambda here, there: here[0] @ there[0],
}


@pytest.mark.parametrize("name", MIXED)
def test_tensors_of_two_devices_do_not_mix(name: str, cuda: Any) -> None:
    here, there = tg.zeros(2, 2, device="cpu"), tg.zeros(2, 2)
    with pytest.raises(
        tg.BackendError, match=r"^\w+: expected .*, got (cpu and cuda:0|cuda:0 and cpu)$"
    ):
        MIXED[name](here, there)
    assert there.tolist() == [[0, 0], [0, 0]]


def test_one_gpu_a_process(cuda: Any) -> None:
    with pytest.raises(tg.BackendError, match=r"got 'cuda:1'.*CUDA_VISIBLE_DEVICES"):
        tg.zeros(2, device="cuda:1")
    with pytest.raises(tg.BackendError, match="CUDA_VISIBLE_DEVICES"):
        tg.zeros(2).to("cuda:1")


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
    "number": lambda x: x[3],
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
def test_indices_out_of_range_are_refused(name: str, cuda: Any) -> None:
    x = tg.zeros(3, 2)
    with pytest.raises(tg.IndexRangeError):
        OUT_OF_RANGE[name](x)
    assert x.sum().item() == 0


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


# ---- a machine that cannot


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (
            {"version": 0},
            "an NVIDIA GPU and its driver, got cudaErrorInsufficientDriver.*; install ",
        ),
        (
            {"version": 12040},
            r'an NVIDIA driver for CUDA 13, got one for CUDA 12; .*"cupy-cuda12x\[ctk\]"$',
        ),
        ({"devices": 0}, "an NVIDIA GPU, got none; install .*TENSORGRAD_BACKEND=numba$"),
        ({"libraries": False}, r'the CUDA libraries, got Failure .*"cupy-cuda13x\[ctk\]"'),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(
    machine: dict[str, Any], words: str, stand_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in machine.items():
        monkeypatch.setattr(stand_in, name, value)
    with pytest.raises(tg.BackendError, match=f"^cupy: expected {words}") as caught:
        tg.use_backend("cupy")
    assert "\n" not in str(caught.value)
    with pytest.raises(tg.BackendError):
        tg.zeros(2, device="cuda")
    assert not tg.cuda.is_available()


@pytest.mark.parametrize(
    "missing", [ModuleNotFoundError("No module", name="cupy"), OSError("bad\nelf")]
)
def test_no_cupy_names_the_command(missing: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    true_import = builtins.__import__

    def without_cupy(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "cupy":
            raise missing
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_cupy)
    monkeypatch.setattr(choice, "_loaded", {})
    with pytest.raises(
        tg.BackendError, match=r'^cupy: .*pip install "cupy-cuda13x\[ctk\]"'
    ) as caught:
        tg.set_backend("cupy")
    assert "\n" not in str(caught.value)
    assert tg.cuda.device_count() == 0
    with pytest.raises(tg.BackendError):
        tg.cuda.synchronize()


def test_cuda_module(cuda: Any) -> None:
    assert tg.cuda.is_available()
    assert tg.cuda.device_count() == 1
    tg.cuda.synchronize()


def test_environment_variable_makes_cuda_the_default() -> None:
    program = """
        import sys
        from tests import cupy_stand_in
        sys.modules.update(cupy_stand_in.MODULES)
        import tensorgrad as tg
        assert "cupy" not in {type(b).__module__ for b in tg.backend._loaded.values()}
        x = tg.ones(2, requires_grad=True)
        (x * 3).sum().backward()
        print(x.device, x.grad.device, x.grad.tolist(), tg.zeros(1, device="cpu").device)
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "TENSORGRAD_BACKEND": "cupy", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.split("\n")[0] == "cuda:0 cuda:0 [3.0, 3.0] cpu"


# ---- the real CuPy: no GPU is needed to see whether a call fits a signature


@pytest.fixture(scope="session")
def real() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy tells of CUDA toolkits it did not find
        cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
        importlib.import_module("cupyx.scipy.special")
    return cupy


def chain(node: ast.AST, aliases: dict[str, list[str]]) -> list[str] | None:
    """`self.xp.a.b` as ["cupy", "a", "b"]; None for what does not start at a module."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    if node.id == "self":
        if names[:1] == ["xp"]:
            return ["cupy", *names[1:]]
        return ["cupyx", "scipy", "special", *names[1:]] if names[:1] == ["_special"] else None
    return [*aliases[node.id], *names] if node.id in aliases else None


def functions_that_run_on_cupy() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Of the reference those that CupyBackend does not override, and all of its own."""
    reference = (
        array_backend,
        gamma_primitives,
        complex_primitives,
        index_primitives,
        linalg_primitives,
        order_primitives,
        pointwise_primitives,
        random_primitives,
        reduction_primitives,
        special_primitives,
        view_primitives,
        window_primitives,
    )
    for module in (*reference, cupy_backend):
        cls = ArrayBackend if module in reference else CupyBackend
        source = inspect.getsource(module)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                overridden = cls is ArrayBackend and node.name in vars(CupyBackend)
                if not overridden:
                    yield f"{cls.__name__}.{node.name}", node


def uses() -> Iterator[tuple[str, list[str], ast.Call | None]]:
    """Every name of CuPy's that the backend reads, and the call where it is one."""
    for place, function in functions_that_run_on_cupy():
        aliases = {"cupy": ["cupy"], "cupyx": ["cupyx"]}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found = chain(node.value, aliases)
                if found:
                    aliases[node.targets[0].id] = found
        called = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and (path := chain(node.func, aliases)):
                called.add(node.func)
                yield place, path, node
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Attribute)
                and node not in called
                and (path := chain(node, aliases))
            ):
                yield place, path, None


UFUNC_METHODS = {"reduce": ("axis", "dtype", "out", "keepdims"), "at": ()}


WITHOUT_SIGNATURE = (
    "Device", "driverGetVersion", "from_dlpack", "getDeviceCount", "runtimeGetVersion",
)  # fmt: skip


def test_every_call_binds_to_the_real_signature(real: Any) -> None:
    modules = {"cupy": real, "cupyx": sys.modules["cupyx"]}
    calls = 0
    for place, path, call in uses():
        target: Any = modules[path[0]]
        if path[-1] in ("cublas", "getVersion") and "cuda" in path:
            continue  # needs the CUDA libraries
        for name in path[1:]:
            assert hasattr(target, name), f"{place}: {'.'.join(path)} does not exist"
            owner, target = target, getattr(target, name)
        if call is None:
            continue
        calls += 1
        keywords = {keyword.arg: 0 for keyword in call.keywords}
        if isinstance(target, real.ufunc):
            assert len(call.args) == target.nin, f"{place}: {ast.unparse(call)}"
            assert not keywords
        elif path[-1] in UFUNC_METHODS:
            assert (owner.name, path[-1]) in (
                ("cupy_add", "at"),
                ("cupy_add", "reduce"),
                ("cupy_multiply", "reduce"),
            )
            assert set(keywords) <= set(UFUNC_METHODS[path[-1]])
        elif path[-1] not in WITHOUT_SIGNATURE:
            arguments = [0 for arg in call.args if not isinstance(arg, ast.Starred)]
            try:
                inspect.signature(target).bind(*arguments, **keywords)
            except TypeError as error:
                pytest.fail(f"{place}: {ast.unparse(call)}: {error}")
    assert calls >= 90


def test_the_stand_in_has_the_real_names_and_signatures(real: Any) -> None:
    for function in cupy_stand_in.FUNCTIONS:
        ours = inspect.signature(function).parameters.values()
        theirs = inspect.signature(getattr(real, function.__name__)).parameters.values()
        assert [(p.name, p.kind, p.default) for p in ours] == [
            (p.name, p.kind, p.default) for p in theirs
        ], function.__name__
    for name in cupy_stand_in.UFUNCS.split():
        assert isinstance(getattr(real, name), real.ufunc)
        assert getattr(real, name).nin == getattr(cupy_stand_in.module, name).compute.nin
    invented = {name for name in vars(cupy_stand_in.ndarray) if not hasattr(real.ndarray, name)}
    assert invented <= {"_host", "_places", "_showing", "__slots__"}


def test_the_stand_in_refuses_what_cupy_refuses(real: Any) -> None:
    """Arrays over an address that nobody reads: CuPy's checks come before its kernels."""
    memory = real.cuda.UnownedMemory(0x10000, 1 << 12, object(), device_id=0)
    pointer = real.cuda.MemoryPointer(memory, 0)

    def probe(cupy: Any, f32: Any, i8: Any, zero: Any) -> dict[str, Any]:
        numpys = np.ones((3, 4), np.float32)
        strided = cupy.lib.stride_tricks.as_strided(f32, (2, 2), (4, 4))
        found: dict[str, Any] = {
            "base": (strided.base, strided.view().base is strided, f32[1:][1:].base is f32),
            "views": [
                view.base is f32
                for view in (
                    f32.reshape(12),
                    f32.transpose(1, 0),
                    cupy.broadcast_to(f32, (2, 3, 4)),
                )
            ],
        }
        attempts = {
            "maximum.reduce": lambda: cupy.maximum.reduce(f32, axis=0),
            "minimum.at": lambda: cupy.logical_and.at(f32, (0,), f32),
            "add.at": lambda: cupy.add.at(i8, i8, i8),
            "flip": lambda: cupy.flip(zero, -1),
            "sum": lambda: cupy.sum(zero, axis=-1),
            "array": lambda: np.asarray(f32),
            "matmul": lambda: cupy.matmul(f32, numpys),
            "set": lambda: f32.__setitem__(Ellipsis, numpys),
            "number": lambda: f32[7],
            "shape": lambda: f32.reshape(5, 5),
        }
        for name, attempt in attempts.items():
            with pytest.raises(Exception) as caught:  # noqa: PT011
                attempt()
            found[name] = caught.type
        return found

    stand_in = cupy_stand_in
    ours = probe(
        stand_in.module,
        stand_in.zeros((3, 4), np.float32),
        stand_in.zeros(3, np.int8),
        stand_in.zeros((), np.float32),
    )
    theirs = probe(
        real,
        real.ndarray((3, 4), np.float32, memptr=pointer),
        real.ndarray((3,), np.int8, memptr=pointer),
        real.ndarray((), np.float32, memptr=pointer),
    )
    assert ours == theirs


def test_without_a_gpu_the_real_cupy_is_refused(real: Any) -> None:
    if real.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(
        tg.BackendError, match=r"^cupy: expected an NVIDIA GPU and its driver, got "
    ):
        CupyBackend()


def test_streams_and_events(cuda: Any) -> None:
    start, end = tg.cuda.Event(enable_timing=True), tg.cuda.Event(enable_timing=True)
    side = tg.cuda.Stream()
    assert tg.cuda.current_stream() == tg.cuda.default_stream() != side
    start.record()
    with tg.cuda.stream(side), tg.cuda.stream(None):
        assert tg.cuda.current_stream() == side
        end.record()
    assert tg.cuda.current_stream() == tg.cuda.default_stream()
    tg.cuda.current_stream().wait_stream(side)
    end.wait()
    end.synchronize()
    assert end.query()
    assert side.query()
    assert start.elapsed_time(end) == 0.5
