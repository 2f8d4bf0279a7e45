"""Complex tensors: gradients by central differences and against PyTorch, where gradients enter and
leave, views of parts, promotion, printing.
"""

import importlib.util
import warnings
from itertools import islice

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.autograd import gradcheck, gradgradcheck
from tensorgrad.errors import DTypeError, GraphError

torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
needs_torch = pytest.mark.skipif(torch is None, reason="needs torch")

RNG = np.random.default_rng(0)
Z, W = RNG.standard_normal((2, 3, 4)) + 1j * RNG.standard_normal((2, 3, 4))
REAL = RNG.standard_normal((3, 4))


# ---- by central differences

FUNCTIONS = {
    "add": lambda z, w, x: z + w,
    "sub": lambda z, w, x: z - 2j * w,
    "mul": lambda z, w, x: z * w,
    "div": lambda z, w, x: z / w,
    "neg": lambda z, w, x: -z * w,
    "pow": lambda z, w, x: z**3 + w**0.5,
    "reciprocal": lambda z, w, x: 1 / z + 1j * w,
    "exp": lambda z, w, x: z.exp() * w,
    "log": lambda z, w, x: z.log() + w,
    "sin": lambda z, w, x: z.sin() + w.cos(),
    "sqrt": lambda z, w, x: z.sqrt() + w.tanh(),
    "abs": lambda z, w, x: z.abs() * w,
    "angle": lambda z, w, x: (z * w).angle(),
    "sgn": lambda z, w, x: z.sgn() * w,
    "parts": lambda z, w, x: (z * w).real * (z + w).imag,
    "conj": lambda z, w, x: z.conj() * w,
    "sum": lambda z, w, x: (z * w).sum(0),
    "mean": lambda z, w, x: (z * w).mean(1, keepdim=True),
    "prod": lambda z, w, x: (z + w).prod(1),
    "cumsum": lambda z, w, x: (z * w).cumsum(1),
    "matmul": lambda z, w, x: z @ w.t(),
    "linear": lambda z, w, x: tg.nn.functional.linear(z, w),
    "shape": lambda z, w, x: z.reshape(2, 6).t() * w.view(6, 2),
    "index": lambda z, w, x: z[1:, [0, 2, 2]] * w[:2, :1],
    "cat": lambda z, w, x: tg.cat([z, w], 1)[:, ::2] * tg.stack([z, w])[0],
    "where": lambda z, w, x: tg.where(x > 0, z, w * w),
    "real by complex": lambda z, w, x: x * z + x.exp() / w,
    "real in complex": lambda z, w, x: tg.complex(x, x * x) * z + tg.polar(x.exp(), x) * w,
    "pairs": lambda z, w, x: tg.view_as_real(z * w) * tg.view_as_real(w),
    "complex of pairs": lambda z, w, x: tg.view_as_complex(x.view(3, 2, 2)) * z[:, :2] * w[:, 2:],
    "fft": lambda z, w, x: tg.fft.fft(z * x) * w,
    "cast": lambda z, w, x: x.to(tg.complex128) * z + (z * w).abs().to(tg.complex128),
    "magnitude": lambda z, w, x: tg.stft(x.flatten(), 4, return_complex=True).abs(),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_by_differences(name, backend):
    inputs = [tg.tensor(a, requires_grad=True) for a in (Z, W, REAL)]
    assert gradcheck(FUNCTIONS[name], inputs)
    assert gradgradcheck(FUNCTIONS[name], inputs)


def test_gradcheck_sees_a_wrong_complex_gradient():
    class Wrong(tg.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z * 1j

        @staticmethod
        def backward(ctx, g):
            return g * 1j  # should be its conjugate

    with pytest.raises(GraphError, match="expected the directional derivative"):
        gradcheck(Wrong.apply, [tg.tensor(Z, requires_grad=True)])


# ---- against PyTorch's op database

NAMES = [
    "add", "sub", "mul", "div", "neg", "exp", "log", "log2", "log10", "sin", "cos", "tan",
    "sinh", "cosh", "tanh", "sqrt", "rsqrt", "reciprocal", "square", "pow", "abs", "angle",
    "sgn", "real", "imag", "conj", "conj_physical", "view_as_real", "sum", "mean", "prod",
    "cumsum", "cumprod", "trace", "matmul", "mm", "bmm", "mv", "dot", "inner", "outer",
    "einsum", "tensordot", "kron", "addmm", "reshape", "view", "flatten", "permute",
    "transpose", "T", "mT", "H", "mH", "squeeze", "unsqueeze", "expand", "repeat", "flip",
    "roll", "cat", "stack", "split", "chunk", "unbind", "select", "gather", "scatter_add",
    "index_select", "index_add", "masked_fill", "where", "tril", "triu", "diag", "fft.fft",
    "fft.ifft", "fft.fft2", "fft.fftn", "fft.irfft", "fft.irfftn", "fft.hfft", "stft", "istft",
    "to", "double", "cfloat", "isfinite", "isreal", "eq", "allclose", "zeros_like",
    "full_like", "linalg.solve", "linalg.inv", "nn.functional.linear", "nn.functional.conv1d",
    "narrow", "vdot", "var", "std", "dist",
    "linalg.vector_norm", "nn.functional.normalize", "sigmoid",
]  # fmt: skip


@needs_torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_as_in_torch(name):
    """Values, gradients and second gradients of the first samples of each entry."""
    pytest.importorskip("expecttest", reason="PyTorch's op database imports it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tests import test_against_torch as database
    entries = [
        entry
        for entry in database.ENTRIES
        if entry.name == name and entry.supports_dtype(torch.complex128, "cpu")
    ]
    assert entries
    for entry in entries:
        function = database.find(entry)
        tried = 0
        for _, sample in islice(database.samples_of(entry, "complex128", True), 4):
            compare(database, entry, function, sample)
            tried += 1
        assert tried


def compare(database, entry, function, sample):
    arguments = [sample.input, list(sample.args), list(sample.kwargs.values())]
    theirs = database.flat(entry(sample.input, *sample.args, **sample.kwargs))
    ours = database.flat(database.call(function, sample))
    for one, two in zip(ours, theirs, strict=True):
        database.assert_same(one, two, "value")
    places, weights, wanted = database.torch_gradients(entry, sample, arguments, True)
    if not places:
        return
    mine = database.to_ours(arguments)
    found = database.our_gradients(function, sample, mine, places, weights, True)
    for one, two in zip(found, wanted, strict=True):
        database.assert_gradient(one, two, "gradient")
    chosen = [i for i, x in enumerate(wanted) if x is not None and x.requires_grad]
    if not chosen:
        return
    wanted, found = [wanted[i] for i in chosen], [found[i] for i in chosen]
    weights = database.cotangents(wanted, 6)
    second = torch.autograd.grad(wanted, database.leaves(arguments), weights, allow_unused=True)
    own = tg.autograd.grad(
        found, database.leaves(mine), database.to_ours(weights), allow_unused=True
    )
    for one, two in zip(own, second, strict=True):
        database.assert_gradient(one, two, "second gradient")


# ---- where gradients enter and leave


def both(run):
    """`run(library, z)` in either library, as NumPy arrays."""
    results = []
    for library in (tg, torch):
        z = library.tensor(Z, requires_grad=True)
        results.append([x.resolve_conj().detach().numpy() for x in run(library, z)])
    return results


def leaf_gradient(m, z):
    (z.exp() * z).abs().sum().backward()
    (z * (2 + 1j)).imag.sum().backward()  # adds to it
    return [z.grad]


def given_gradient(m, z):
    (z * z).backward(m.tensor(W))
    return [z.grad, *m.autograd.grad(z * z, z, m.tensor(W))]


def hooked(m, z):
    seen = []
    y = z * (1 + 2j)
    y.retain_grad()
    y.register_hook(lambda g: seen.append(g) or g * 1j)
    y.grad_fn.register_prehook(lambda gs: seen.append(gs[0]))
    y.grad_fn.register_hook(lambda gs, outs: seen.extend([gs[0], outs[0]]))
    (y * y).real.sum().backward()
    return [*seen, y.grad, z.grad]


def own_function(m, z):
    class Twist(m.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z * z * 1j

        @staticmethod
        def backward(ctx, g):
            (z,) = ctx.saved_tensors
            return g * (2j * z).conj()

    (Twist.apply(z).abs()).sum().backward()
    (first,) = m.autograd.grad(Twist.apply(z).real.sum(), z, create_graph=True)
    return [z.grad, first, *m.autograd.grad(first.abs().sum(), z)]


def real_leaf(m, z):
    x = m.tensor(REAL, requires_grad=True)
    (x * z).abs().sum().backward()
    return [x.grad, z.grad]


def watched(m, z):
    with m.autograd.detect_anomaly():
        (z.log() * z).real.sum().backward()
    return [z.grad]


def jacobians(m, z):
    return [
        m.autograd.functional.vjp(lambda v: v * v, m.tensor(Z), m.tensor(W))[1],
        m.autograd.functional.jvp(lambda v: v * v.conj(), m.tensor(Z), m.tensor(W))[1],
        m.autograd.functional.hvp(lambda v: (v * v.conj()).real.sum(), m.tensor(Z), m.tensor(W))[1],
    ]


@needs_torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "run", [leaf_gradient, given_gradient, hooked, own_function, real_leaf, watched, jacobians]
)
def test_gradients_are_those_that_torch_shows(run):
    ours, theirs = both(run)
    for one, two in zip(ours, theirs, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)


WRITES = {
    "real": lambda m, w: w.real.mul_(3),
    "imag": lambda m, w: w.imag.mul_(3),
    "item of imag": lambda m, w: w.imag.__setitem__((0, slice(None)), 5.0),
    "pairs": lambda m, w: m.view_as_real(w)[1].mul_(2),
    "second of pairs": lambda m, w: m.view_as_real(w)[..., 1].exp_(),
    "part of a slice": lambda m, w: w[1:].imag.sin_(),
    "complex value": lambda m, w: w.__setitem__(0, w[1] * 1j),
    "several": lambda m, w: (w.real.mul_(3), w.mul_(1j), m.view_as_real(w)[0].add_(1)),
    "of pairs": lambda m, w: m.view_as_complex(m.view_as_real(w))[2].mul_(1 - 1j),
}


@needs_torch
@pytest.mark.parametrize("name", WRITES)
def test_writes_through_views_of_parts(name):
    def run(m, z):
        w = z * 1
        pairs = m.view_as_real(w)
        WRITES[name](m, w)
        (w.abs().sum() + (pairs * pairs).sum()).backward()
        return [w, pairs, z.grad]

    ours, theirs = both(run)
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)


def test_real_tensors_into_views_of_complex():
    x = tg.tensor(REAL.reshape(3, 2, 2), requires_grad=True)
    y = x * 1
    tg.view_as_complex(y).mul_(1j)  # (a, b) -> (-b, a)
    (y * tg.tensor([1.0, 10.0])).sum().backward()
    assert x.grad[0, 0].tolist() == [10.0, -1.0]


# ---- dtypes, numbers, errors


def test_making_and_reading():
    z = tg.tensor([1 + 2j, 3])
    assert z.dtype == tg.complex64 == tg.cfloat
    assert tg.cdouble == tg.complex128
    assert z.is_complex()
    assert not z.is_floating_point()
    assert z[0].item() == 1 + 2j
    assert z.tolist() == [1 + 2j, 3 + 0j]
    assert z.real.tolist() == [1.0, 3.0]
    assert tg.full((2,), 1j).dtype == tg.complex64
    assert tg.tensor([1j], dtype=tg.complex128).dtype == tg.complex128
    tg.set_default_dtype(tg.float64)
    try:
        assert tg.tensor([1j]).dtype == tg.complex128
    finally:
        tg.set_default_dtype(tg.float32)


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ("float32", "complex64", "complex64"),
        ("float64", "complex64", "complex128"),
        ("int64", "complex64", "complex64"),
        ("float16", "complex64", "complex64"),
    ],
)
def test_promotion(first, second, result):
    x, z = tg.ones(2, dtype=np.dtype(first)), tg.ones(2, dtype=np.dtype(second))
    assert str((x * z).dtype) == str((z + x).dtype) == result
    assert str((x * 1j).dtype) == ("complex128" if first == "float64" else "complex64")


def test_casting_down_takes_the_real_part():
    z = tg.tensor([1.5 + 2j, 3j], requires_grad=True)
    assert z.to(tg.float32).tolist() == [1.5, 0.0]
    assert z.detach().to(tg.int64).tolist() == [1, 0]
    assert z.detach().to(tg.bool).tolist() == [True, True]
    (z.to(tg.float64) * 3).sum().backward()
    assert z.grad.tolist() == [3 + 0j, 3 + 0j]


def test_a_gradient_is_of_its_outputs_kind():
    z = tg.tensor(Z, requires_grad=True)
    with pytest.raises(GraphError, match="only for real scalar outputs"):
        z.sum().backward()
    with pytest.raises(DTypeError, match="expected a gradient of dtype complex128, got float64"):
        z.backward(tg.tensor(REAL))
    with pytest.raises(DTypeError, match="expected a gradient of dtype float64, got complex128"):
        z.real.backward(tg.tensor(Z))


@needs_torch
@pytest.mark.parametrize(
    "values",
    [
        [1 + 2j, 3 - 1j],
        [1.5 + 2j, -3.25 - 100j],
        [[1e-5 + 1e6j]],
        1 + 2j,
        [complex(float("nan"), 1), complex(1, float("-inf"))],
        [],
    ],
)
def test_printing(values):
    for dtype in ("complex64", "complex128"):
        ours = tg.tensor(values, dtype=np.dtype(dtype))
        theirs = torch.tensor(values, dtype=getattr(torch, dtype))
        assert repr(ours) == repr(theirs).replace("torch.", "")
