"""Gamma numbers and counts that are drawn by rejection: their laws, streams and gradients."""

import math

import numpy as np
import pytest
from scipy import stats

import tensorgrad as tg
from tensorgrad import backend as choice
from tensorgrad.backends.cupy_backend import CupyBackend
from tensorgrad.errors import GraphError
from tensorgrad.ops.rejection import log_gamma, log_gamma_slope, standard_log_gamma

COUNT = 50_000

# Shape, logarithm of the number, slope: 40 digits of mpmath, which differentiates the distribution
# function.
SLOPES = [
    (0.001, -9000.0, 8999424.428068189),
    (0.001, -1.0, 1098.257026489057),
    (0.001, 0.5, 418.81493163544553),
    (0.5, -2.693, 5.774907435578824),
    (0.5, -0.593, 2.5491846122257913),
    (0.5, -0.093, 1.97509625956153),
    (1.0, -2.0, 2.630874630161426),
    (1.0, 0.1, 1.1167123072640963),
    (1.0, 0.6, 0.8589524452405405),
    (2.5, -1.084, 0.978828282717453),
    (2.5, 1.016, 0.40655957019564815),
    (2.5, 1.516, 0.31202725409094073),
    (100.0, 4.575, 0.010168544851794237),
    (100.0, 4.625, 0.009917696931312798),
    (3000.0, 7.976, 0.0003384390117422471),
    (3000.0, 8.026, 0.0003300903053748669),
]


@pytest.mark.parametrize("shape", [0.05, 0.5, 1.0, 1.001, 3.0, 50.0, 1e4, 1e7])
def test_gamma_numbers_follow_their_law(shape: float, backend: str) -> None:
    found = log_gamma(tg.full((COUNT,), shape)).exp()
    assert stats.kstest(found.numpy(), stats.gamma(shape).cdf).pvalue > 1e-3


def test_the_least_shapes_keep_their_numbers_in_logarithms() -> None:
    """P(z) is z^a / Gamma(a + 1) down there, and most z are far below what a float holds."""
    found = log_gamma(tg.full((COUNT,), 1e-4)).numpy()
    assert np.isfinite(found).all()
    assert np.median(found) < -6000
    assert stats.kstest(math.lgamma(1.0001) - 1e-4 * found, stats.expon.cdf).pvalue > 1e-3


def test_a_number_depends_on_its_own_place_alone(backend: str) -> None:
    shapes = tg.linspace(0.1, 20, 20_000, dtype=tg.float64)
    together = standard_log_gamma(shapes, 7, 11)
    np.testing.assert_array_equal(
        standard_log_gamma(shapes[9_000:], 7, 11 + 9_000).numpy(), together[9_000:].numpy()
    )


def test_edges_of_the_shape() -> None:
    shapes = tg.tensor([0.0, math.inf, math.nan, -1.0])
    np.testing.assert_array_equal(
        standard_log_gamma(shapes, 0, 0).numpy(), [-math.inf, math.inf, math.nan, math.nan]
    )


@pytest.mark.parametrize(("shape", "sample", "slope"), SLOPES)
def test_slopes(shape: float, sample: float, slope: float, backend: str) -> None:
    found = log_gamma_slope(*tg.tensor([[shape], [sample]], dtype=tg.float64))
    np.testing.assert_allclose(found.numpy(), [slope], rtol=1e-9)


def test_a_gamma_number_moves_along_its_quantile() -> None:
    shapes = tg.linspace(0.2, 30, 64, dtype=tg.float64, requires_grad=True)
    numbers = log_gamma(shapes).exp()
    numbers.sum().backward()
    law, step = stats.gamma, 1e-5
    quantile = law.cdf(numbers.detach().numpy(), shapes.detach().numpy())
    ahead = law.ppf(quantile, shapes.detach().numpy() + step)
    behind = law.ppf(quantile, shapes.detach().numpy() - step)
    np.testing.assert_allclose(shapes.grad.numpy(), (ahead - behind) / (2 * step), rtol=1e-5)


def test_a_second_derivative_is_refused() -> None:
    shape = tg.tensor([2.0], requires_grad=True)
    (first,) = tg.autograd.grad(log_gamma(shape).sum(), shape, create_graph=True)
    with pytest.raises(GraphError, match="log_gamma: expected one derivative"):
        first.backward()


def agree(found, law) -> None:
    """A chi-squared test of counts; rare ones are taken together."""
    top = int(law.ppf(1 - 1e-12)) + 1
    expected = law.pmf(np.arange(top)) * found.size
    seen = np.bincount(found.astype("int64"), minlength=top)[:top]
    often = expected > 5
    seen = np.append(seen[often], found.size - seen[often].sum())
    expected = np.append(expected[often], found.size - expected[often].sum())
    kept = expected > 0
    assert stats.chisquare(seen[kept], expected[kept]).pvalue > 1e-3


@pytest.mark.parametrize("rate", [0.3, 5.0, 9.99, 10.0, 33.3, 1000.0])
def test_poisson(rate: float, backend: str) -> None:
    found = tg.poisson(tg.full((COUNT,), rate))
    assert found.dtype == tg.float32
    agree(found.numpy(), stats.poisson(rate))


@pytest.mark.parametrize(
    ("trials", "prob"), [(1, 0.3), (20, 0.9), (40, 0.5), (300, 0.2), (1000, 0.999), (30, 0.01)]
)
def test_binomial(trials: int, prob: float, backend: str) -> None:
    found = tg.binomial(tg.full((COUNT,), float(trials)), tg.tensor(prob))
    agree(found.numpy(), stats.binom(trials, np.float32(prob)))


def test_counts_that_are_certain(backend: str) -> None:
    assert tg.poisson(tg.zeros(3)).tolist() == [0, 0, 0]
    prob = tg.tensor([0.0, 1.0, 0.5])
    assert tg.binomial(tg.tensor([7.0, 7.0, 0.0]), prob).tolist() == [0, 7, 0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_backends_draw_the_same(dtype: str) -> None:
    found = []
    for name in ("numpy", "numba"):
        with tg.use_backend(name):
            generator = tg.Generator().manual_seed(3)
            means = tg.linspace(0, 40, 1000).to(getattr(tg, dtype))
            counts = tg.poisson(means, generator=generator)
            assert counts.dtype == means.dtype
            numbers = log_gamma(means + 0.5, generator)
            found.append((counts.double().numpy(), numbers.numpy()))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-13)


def test_cupy_draws_the_same(stand_in: type) -> None:
    reference, other = choice.load_backend("numpy"), CupyBackend()
    means = np.linspace(0.1, 40, 3000)
    for method, arguments in (
        ("standard_log_gamma", (means, 5, 2)),
        ("log_gamma_slope", (means, np.log(means) + 0.3)),
        ("poisson", (means, 5, 2)),
        ("binomial", (np.floor(means * 20), means / 41, 5, 2)),
    ):
        moved = [
            other.asarray(value, None, other.default_device) if hasattr(value, "dtype") else value
            for value in arguments
        ]
        found = other.to_numpy(getattr(other, method)(*moved))
        expected = getattr(reference, method)(*arguments)
        np.testing.assert_allclose(found, expected, rtol=1e-12, err_msg=method)
