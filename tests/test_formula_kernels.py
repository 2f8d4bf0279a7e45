"""Losses of elements on the Numba backend against their compositions on NumPy's."""

import numpy as np
import pytest

import tensorgrad as tg
import tensorgrad.nn.functional as functional
from tensorgrad.formula import formula
from tensorgrad.ops.choice import where
from tensorgrad.ops.loss import _smooth_distance

STRANGE = [0.0, -0.0, np.nan, np.inf, -np.inf, 1e30, -1e30, 1e-30, -1.0, 1.0, 0.5, -120.0, 120.0]

# The loss, its options, and of what kinds its tensors are: numbers, or those in (0, 1).
CASES = [
    ("mse_loss", {}, "nn"),
    ("l1_loss", {}, "nn"),
    ("smooth_l1_loss", {"beta": 0.7}, "nn"),
    ("smooth_l1_loss", {"beta": 0.0}, "nn"),
    ("huber_loss", {"delta": 0.4}, "nn"),
    ("soft_margin_loss", {}, "nn"),
    ("binary_cross_entropy", {}, "pp"),
    ("binary_cross_entropy_with_logits", {}, "np"),
    ("kl_div", {}, "np"),
    ("kl_div", {"log_target": True}, "nn"),
    ("poisson_nll_loss", {"full": True}, "nn"),
    ("poisson_nll_loss", {"log_input": False}, "pn"),
    ("gaussian_nll_loss", {"var": 0.3, "full": True}, "nn"),
]
WEIGHTED = ["mse_loss", "huber_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"]


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return np.dtype(request.param)


def sample(kind, shape, dtype, seed):
    numbers = np.random.default_rng(seed).normal(0, 2, shape)
    return np.asarray(1 / (1 + np.exp(-numbers)) if kind == "p" else numbers, dtype)


def both(backend, name, arrays, options, wanted):
    """The loss, and the gradients of the arrays that are wanted; options may be arrays."""
    with tg.use_backend(backend):
        tensors = [tg.from_numpy(x) for x in arrays]
        named = {k: tg.from_numpy(v) if hasattr(v, "shape") else v for k, v in options.items()}
        leaves = [x.requires_grad_() for x, want in zip(tensors, wanted, strict=True) if want]
        out = getattr(functional, name)(*tensors, **named)
        slope = tg.linspace(-1, 2, out.numel(), dtype=out.dtype).reshape(out.shape)
        (out * slope).sum().backward()
        return [out.detach().numpy(), *[x.grad.numpy() for x in leaves]]


def assert_close(dtype, name, arrays, options, wanted=(True, True)):
    """Both in the arrays' own dtype, the composition also in float64: the kernel's error must be
    within 4 times its own, or some units in the last place of the largest.
    """
    wide = [x.astype("f8") for x in arrays]
    more = {k: v.astype("f8") if hasattr(v, "shape") else v for k, v in options.items()}
    results = zip(
        both("numba", name, arrays, options, wanted),
        both("numpy", name, arrays, options, wanted),
        both("numpy", name, wide, more, wanted),
        strict=True,
    )
    for got, composed, exact in results:
        assert got.dtype == dtype
        assert got.shape == composed.shape
        np.testing.assert_array_equal(np.isnan(got), np.isnan(composed))
        finite = np.isfinite(composed) & np.isfinite(exact) & np.isfinite(got)
        np.testing.assert_array_equal(
            np.where(finite, 0, got), np.where(finite, 0, composed).astype(dtype)
        )
        if finite.any():
            error, own = abs(got - exact)[finite], abs(composed - exact)[finite]
            unit = np.finfo(dtype).eps * max(1, abs(exact[finite]).max())  # terms may cancel
            assert error.max() <= 4 * own.max() + 8 * unit


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("name", "options", "kinds"), CASES, ids=str)
def test_equals_its_composition(name, options, kinds, reduction, dtype):
    for shape in (), (0,), (1,), (7, 5), (3, 2, 33), (70_001,):
        arrays = [sample(kind, shape, dtype, seed) for seed, kind in enumerate(kinds)]
        for wanted in (True, False), (True, True):
            assert_close(dtype, name, arrays, options | {"reduction": reduction}, wanted)


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_equals_its_composition_with_weights(name, reduction, dtype):
    kinds = "pp" if name == "binary_cross_entropy" else "np"
    for shape in (6, 5), (300, 301):
        arrays = [sample(kind, shape, dtype, seed) for seed, kind in enumerate(kinds)]
        weights = [sample("p", shape, dtype, 5)]
        if "binary" in name:
            weights.append(sample("p", shape[1:], dtype, 6))
        for weight in weights:
            assert_close(dtype, name, arrays, {"weight": weight, "reduction": reduction})
        if name.endswith("logits"):
            own = {"pos_weight": weights[1], "reduction": reduction}
            assert_close(dtype, name, arrays, own)
            assert_close(dtype, name, arrays, own | {"weight": weights[0]})


@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_variances_receive_gradients(reduction, dtype):
    for shape, own in ((6, 5), (6, 5)), ((6, 5), (6, 1)), ((300, 301), (300, 301)):
        arrays = [*(sample("n", shape, dtype, k) for k in (0, 1)), sample("p", own, dtype, 2)]
        how = {"reduction": reduction, "eps": 0.2}
        assert_close(dtype, "gaussian_nll_loss", arrays, how, (True, True, True))


def test_strange_numbers(dtype):
    values = np.repeat(np.array(STRANGE, dtype), len(STRANGE))
    others = np.tile(np.array(STRANGE, dtype), len(STRANGE))
    for name, options, kinds in CASES:
        if kinds[0] == "n":
            with np.errstate(all="ignore"):
                assert_close(dtype, name, [values, others], options | {"reduction": "none"})


def test_layouts_and_broadcasts(dtype):
    x, y = (sample("n", (40, 3, 50), dtype, k) for k in (0, 1))
    for change in (lambda a: a.T, lambda a: a[::2, :, ::3], lambda a: a.transpose(0, 2, 1)):
        for reduction in "none", "mean":
            assert_close(dtype, "mse_loss", [change(x), change(y)], {"reduction": reduction})
            assert_close(dtype, "mse_loss", [change(x), change(y).copy()], {"reduction": reduction})
    with pytest.warns(UserWarning, match="broadcasting"):
        assert_close(dtype, "mse_loss", [x, y[:, :1]], {})
    with pytest.warns(UserWarning, match="broadcasting"):
        assert_close(dtype, "mse_loss", [x[:1], y], {})
    assert_close(dtype, "mse_loss", [x, np.broadcast_to(dtype.type(0.5), x.shape)], {})


def test_means_of_many_are_exact():
    x = np.full(4_000_000, 0.1, np.float32)
    with tg.use_backend("numba"):
        loss = functional.l1_loss(tg.from_numpy(x), tg.zeros(x.shape)).item()
    assert loss == pytest.approx(float(x[0]), rel=3e-7)


def test_second_gradients_are_those_of_the_composition():
    x, y = (tg.tensor(sample("n", (4, 5), "f8", k), requires_grad=True) for k in (0, 1))
    assert tg.autograd.gradgradcheck(lambda a, b: functional.huber_loss(a, b, delta=0.3), (x, y))


def test_one_text_serves_all_numbers():
    texts = [formula(_smooth_distance, beta=beta).value(2) for beta in (0.5, 2.0)]
    assert texts[0].lines == texts[1].lines
    assert texts[0].numbers != texts[1].numbers


def test_a_formula_refuses_what_is_not_elementwise():
    with pytest.raises(AttributeError, match="expected an elementwise rule"):
        formula(lambda a, b: tg.cumsum(where(a > b, a, b), 0)).value(2)
