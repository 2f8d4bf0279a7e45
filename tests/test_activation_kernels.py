"""Activation functions on the Numba backend against their compositions on NumPy's, both in the
dtype of the kernel and in float64.
"""

import os
import re
import subprocess
import sys

import numba
import numpy as np
import pytest
from numba import types

import tensorgrad as tg
import tensorgrad.nn.functional as functional
from tensorgrad.kernels.numba import activation, generated, many
from tensorgrad.kernels.numba.math import FLAGS

CASES = [
    ("relu", {}),
    ("sigmoid", {}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("silu", {}),
    ("mish", {}),
    ("elu", {"alpha": 0.7}),
    ("selu", {}),
    ("celu", {"alpha": 1.6}),
    ("softplus", {}),
    ("softplus", {"beta": 2.5, "threshold": 6.0}),
    ("logsigmoid", {}),
    ("leaky_relu", {"negative_slope": 0.2}),
    ("hardtanh", {"min_val": -0.5, "max_val": 2.0}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("hardshrink", {"lambd": 0.4}),
    ("softshrink", {"lambd": 0.4}),
    ("threshold", {"threshold": 0.3, "value": -7.0}),
]
STRANGE = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, -1e-30, 90.0, -90.0, 800.0, -800]
MEETING = [0.3, 0.4, -0.4, -0.5, 2.0, 3.0, -3.0, 2.4, 20.0, 20.1, 14.1, -14.1]  # of pieces


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


def both(backend, name, options, x, g):
    """The function of x and its gradient along g."""
    with tg.use_backend(backend):
        input = tg.from_numpy(x).requires_grad_()
        out = getattr(functional, name)(input, **options)
        out.backward(tg.from_numpy(g))
        return out.detach().numpy(), input.grad.numpy()


def exactly(name, options, x, g):
    """The same in float64 at least; where the composition cancels, by another formula."""
    if options.get("approximate") != "tanh":
        return both("numpy", name, options, x.astype("f8"), g.astype("f8"))
    x = x.astype(np.longdouble)
    scale = 2 * np.sqrt(2 / np.longdouble("3.14159265358979323846"))
    small = np.exp(-np.abs(scale * (x + 0.044715 * x**3)))
    share = np.where(x < 0, small, 1) / (1 + small)
    slope = small / (1 + small) ** 2 * scale * (1 + 3 * 0.044715 * x * x)
    return x * share, g * (share + x * slope)


def sample(shape, dtype, seed=0):
    return np.asarray(np.random.default_rng(seed).normal(0, 3, shape), dtype)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_equals_its_composition(name, options, dtype):
    for shape in (), (0,), (1,), (7, 5), (3, 2, 33), (70_001,):
        x, g = sample(shape, dtype), sample(shape, dtype, 1)
        exact = exactly(name, options, x, g)
        for got, want in zip(both("numba", name, options, x, g), exact, strict=True):
            assert got.dtype == dtype
            assert got.shape == shape
            bound = 12 * np.finfo(dtype).eps
            np.testing.assert_allclose(got, want, rtol=bound, atol=4 * bound)


@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_strange_numbers_and_where_pieces_meet(name, options, dtype):
    x = np.array(STRANGE + MEETING, dtype)
    x = np.concatenate([x, np.nextafter(x, dtype.type(9)), np.nextafter(x, dtype.type(-9))])
    x = np.tile(x, 1 + activation.FEW // len(x))  # fewer are left to some compositions
    g = sample(x.shape, dtype, 1)
    want = both("numpy", name, options, x, g)
    for got, expected in zip(both("numba", name, options, x, g), want, strict=True):
        bound = 12 * np.finfo(dtype).eps
        np.testing.assert_allclose(got, expected, rtol=bound, atol=4 * bound)


@pytest.mark.parametrize(("name", "options"), [CASES[0], CASES[2], CASES[6]], ids=str)
def test_layouts(name, options, dtype):
    x, g = sample((64, 80), dtype), sample((64, 80), dtype, 1)
    want = both("numba", name, options, x, g)
    layouts = [
        lambda a: np.asfortranarray(a),
        lambda a: np.repeat(a, 2, 1)[:, ::2],
        lambda a: np.ascontiguousarray(a[::-1])[::-1],
        lambda a: (
            np.ascontiguousarray(a.reshape(4, 16, 8, 10).transpose(0, 2, 3, 1))
            .transpose(0, 3, 1, 2)
            .reshape(a.shape)
        ),
    ]
    for layout in layouts:
        for along in g, layout(g):
            got = both("numba", name, options, layout(x), along)
            for a, b in zip(got, want, strict=True):
                np.testing.assert_array_equal(a, b)
    spread = np.broadcast_to(g[:1], g.shape)
    want = both("numba", name, options, x, spread.copy())
    np.testing.assert_array_equal(both("numba", name, options, x, spread)[1], want[1])


def test_a_result_lies_in_memory_as_its_input_does():
    x = tg.from_numpy(sample((2, 3, 4, 5), np.float32)).permute(0, 3, 1, 2)
    with tg.use_backend("numba"):
        assert functional.gelu(x).stride() == x.stride()


def test_half_precision_is_left_to_the_composition():
    x = sample((4, 5), np.float16)
    for got, want in zip(
        both("numba", "gelu", {}, x, x), both("numpy", "gelu", {}, x, x), strict=True
    ):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize(
    ("name", "direction"),
    [(name, way) for way in ("forward", "backward") for name in getattr(activation, way.upper())],
)
def test_loops_are_of_vectors(name, direction, dtype):
    arrays = 2 if direction == "forward" else 3
    text = getattr(activation, direction.upper())[name]
    numbers = len(set(re.findall(r"c\d", text)))
    space = dict(activation.FUNCTIONS, real=dtype.type, double=np.float64)
    exec(generated.source(text, arrays, 1 + numbers), space)
    loop = numba.njit(error_model="numpy", fastmath=FLAGS)(space["loop"])
    real, double = numba.from_dtype(dtype), types.CPointer(types.float64)
    loop.compile((*[types.CPointer(real)] * arrays, double, types.int64, types.int64))
    (code,) = loop.inspect_llvm().values()
    kind = "float" if dtype == np.float32 else "double"
    for operation in "load", "store":
        assert re.search(rf"{operation} <(2|4|8|16) x {kind}>", code)


KERNELS = """
import numpy as np
from tensorgrad.kernels.numba import activation
x = np.linspace(-3, 3, 20, dtype="f4")
for name in {names}:
    np.save(name, activation.forward(name, x))
"""


def test_kernels_that_several_processes_cached_are_told_apart(tmp_path):
    """Each process counts its functions anew: what two of them stored meets in a third."""
    names = ["relu", "gelu_tanh", "gelu", "mish"]
    environment = {
        **os.environ,
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    for chosen in [[name] for name in names] + [names]:
        code = KERNELS.format(names=chosen)
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    x = np.linspace(-3, 3, 20, dtype="f4")
    for name in names:
        want = activation.forward(name, x)
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), want)


def test_results_do_not_depend_on_threads(monkeypatch):
    x, g = sample(200_001, np.float32), sample(200_001, np.float32, 1)
    several = both("numba", "gelu", {}, x, g)
    monkeypatch.setattr(many, "can_launch", lambda: False)
    for a, b in zip(several, both("numba", "gelu", {}, x, g), strict=True):
        np.testing.assert_array_equal(a, b)
