"""Samples of distributions: that they follow their laws, and that gradients pass through them.

Laws are SciPy's; seeds are fixed, so a test gives the same answer each time.
"""

import math

import numpy as np
import pytest
from scipy import stats

import tensorgrad as tg
from tensorgrad import distributions as d

COUNT = 20_000
LEAST = 1e-3  # the p-value under which a law is not believed

CONTINUOUS = [
    (d.Normal, (1.0, 2.0), stats.norm(1, 2)),
    (d.HalfNormal, (2.0,), stats.halfnorm(0, 2)),
    (d.LogNormal, (0.3, 0.8), stats.lognorm(0.8, 0, math.exp(0.3))),
    (d.Uniform, (-1.0, 3.0), stats.uniform(-1, 4)),
    (d.Exponential, (3.0,), stats.expon(0, 1 / 3)),
    (d.Laplace, (1.0, 2.0), stats.laplace(1, 2)),
    (d.Cauchy, (1.0, 2.0), stats.cauchy(1, 2)),
    (d.Gumbel, (1.0, 2.0), stats.gumbel_r(1, 2)),
    (d.Gamma, (0.3, 2.0), stats.gamma(0.3, 0, 0.5)),
    (d.Gamma, (7.5, 2.0), stats.gamma(7.5, 0, 0.5)),
    (d.Chi2, (3.0,), stats.chi2(3)),
    (d.Beta, (0.4, 2.0), stats.beta(0.4, 2)),
    (d.Beta, (30.0, 8.0), stats.beta(30, 8)),
    (d.StudentT, (3.0, 1.0, 2.0), stats.t(3, 1, 2)),
]


@pytest.mark.parametrize(("kind", "values", "law"), CONTINUOUS)
@pytest.mark.parametrize("dtype", [tg.float32, tg.float64])
def test_numbers_follow_their_law(kind, values, law, dtype, backend):
    ours = kind(*[tg.tensor(value, dtype=dtype) for value in values])
    drawn = ours.sample((COUNT,))
    assert drawn.dtype == dtype
    assert stats.kstest(drawn.numpy(), law.cdf).pvalue > LEAST


CHANCES = [0.1, 0.2, 0.7]
DISCRETE = [
    (d.Bernoulli(0.3), stats.bernoulli(0.3)),
    (d.Geometric(0.3), stats.geom(0.3, -1)),
    (d.Binomial(12, 0.3), stats.binom(12, 0.3)),
    (d.Poisson(4.0), stats.poisson(4)),
    (d.Poisson(40.0), stats.poisson(40)),
    (d.Categorical(tg.tensor(CHANCES)), stats.rv_discrete(values=([0, 1, 2], CHANCES))),
]


@pytest.mark.parametrize(("ours", "law"), DISCRETE)
def test_counts_follow_their_law(ours, law, backend):
    drawn = ours.sample((COUNT,)).numpy().astype("int64")
    top = drawn.max() + 1
    expected = law.pmf(np.arange(top)) * COUNT
    often = expected > 5
    seen = np.bincount(drawn, minlength=top)[often]
    seen = np.append(seen, COUNT - seen.sum())
    expected = np.append(expected[often], max(COUNT - expected[often].sum(), 1e-9))
    some = expected > 1e-6
    assert seen[~some].sum() == 0
    wanted = expected[some] * seen.sum() / expected[some].sum()
    assert stats.chisquare(seen[some], wanted).pvalue > LEAST


def near(found, wanted, deviation):
    """Means of COUNT numbers, within 5 of their standard errors."""
    assert (abs(found - wanted) < 5 * deviation / math.sqrt(COUNT) + 1e-12).all()


VECTORS = [
    d.Dirichlet(tg.tensor([0.3, 1.0, 4.0])),
    d.OneHotCategorical(tg.tensor([0.2, 0.5, 0.3])),
    d.Multinomial(9, tg.tensor([0.2, 0.5, 0.3])),
    d.MultivariateNormal(tg.tensor([1.0, 2.0]), tg.tensor([[2.0, 0.6], [0.6, 1.0]])),
    d.MixtureSameFamily(
        d.Categorical(tg.tensor([0.2, 0.8])),
        d.Independent(d.Normal(tg.tensor([[0.0, 1.0], [5.0, 3.0]]), 0.5), 1),
    ),
]


@pytest.mark.parametrize("ours", VECTORS, ids=lambda one: type(one).__name__)
def test_vectors_have_their_moments(ours, backend):
    drawn = ours.sample((COUNT,)).double().numpy()
    near(drawn.mean(0), ours.mean.numpy(), drawn.std(0))
    squares = (drawn - ours.mean.numpy()) ** 2
    near(squares.mean(0), ours.variance.numpy(), squares.std(0))


@pytest.mark.parametrize("name", ["covariance_matrix", "precision_matrix", "scale_tril"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_normal_vectors_have_their_covariance(name, batch):
    matrix = tg.tensor([[2.0, 0.0], [0.6, 1.0]], dtype=tg.float64)
    if name != "scale_tril":
        matrix = matrix + matrix.mT
    ours = d.MultivariateNormal(
        tg.zeros(2, dtype=tg.float64), **{name: matrix.expand((*batch, 2, 2))}
    )
    drawn = ours.sample((COUNT,)).numpy().reshape(COUNT, -1, 2)[:, -1]
    products = drawn[:, :, None] * drawn[:, None, :]
    wanted = ours.covariance_matrix.numpy().reshape(-1, 2, 2)[-1]
    near(products.mean(0), wanted, products.std(0))
    unit = ours.precision_matrix.numpy() @ wanted
    np.testing.assert_allclose(unit, np.broadcast_to(np.eye(2), unit.shape), atol=1e-12)


def test_tiny_concentrations_pick_corners():
    """Where each gamma number is far below what a float holds."""
    drawn = d.Dirichlet(tg.full((4,), 1e-4)).sample((COUNT,))
    assert bool(drawn.isfinite().all())
    assert (drawn.max(-1).values > 0.999).float().mean().item() > 0.99
    near(drawn.numpy().mean(0), 0.25, drawn.numpy().std(0))
    ends = d.Beta(1e-3, 1e-3).sample((COUNT,)).numpy()
    near(ends.mean(), 0.5, ends.std())


# ---- gradients through samples

LEAVES = {
    "Normal": (0.5, 1.3),
    "HalfNormal": (1.3,),
    "LogNormal": (0.2, 0.4),
    "Uniform": (-0.5, 2.0),
    "Exponential": (1.7,),
    "Laplace": (0.5, 1.3),
    "Gumbel": (0.5, 1.3),
    "Gamma": (0.6, 1.7),
    "Chi2": (5.0,),
    "Beta": (0.7, 2.5),
    "StudentT": (12.0, 0.5, 1.3),
}


@pytest.mark.parametrize("name", LEAVES)
@pytest.mark.parametrize("power", [1, 2])
def test_gradients_through_samples_are_those_of_the_moments(name, power, backend):
    """The mean of d x^k / d parameter is d of the mean of x^k, within 5 standard errors."""
    space = getattr(d, name)
    exact = [tg.tensor(value, dtype=tg.float64, requires_grad=True) for value in LEAVES[name]]
    law = space(*exact)
    moment = law.mean if power == 1 else law.variance + law.mean**2
    wanted = tg.autograd.grad(moment, exact, allow_unused=True)
    copies = [
        tg.full((COUNT,), value, dtype=tg.float64, requires_grad=True) for value in LEAVES[name]
    ]
    numbers = space(*copies).rsample() ** power
    found = tg.autograd.grad(numbers.sum(), copies, allow_unused=True)
    for each, whole in zip(found, wanted, strict=True):
        slopes = each.numpy()
        near(slopes.mean(), 0.0 if whole is None else whole.item(), slopes.std())


@pytest.mark.parametrize("name", ["Gamma", "Exponential", "Normal", "Gumbel", "Cauchy", "Uniform"])
def test_gradients_through_samples_follow_the_quantile(name):
    """One number moves as its quantile does: by finite differences of SciPy's."""
    laws = {
        "Gamma": lambda a, b: stats.gamma(a, 0, 1 / b),
        "Exponential": lambda a: stats.expon(0, 1 / a),
        "Normal": stats.norm,
        "Gumbel": stats.gumbel_r,
        "Cauchy": stats.cauchy,
        "Uniform": lambda a, b: stats.uniform(a, b - a),
    }
    values = LEAVES.get(name, (0.5, 1.3))
    copies = [tg.full((64,), value, dtype=tg.float64, requires_grad=True) for value in values]
    numbers = getattr(d, name)(*copies).rsample()
    share = laws[name](*values).cdf(numbers.detach().numpy())
    for place, slopes in enumerate(tg.autograd.grad(numbers.sum(), copies)):
        step = np.eye(len(values))[place] * 1e-5
        ahead = laws[name](*(values + step)).ppf(share)
        behind = laws[name](*(values - step)).ppf(share)
        np.testing.assert_allclose(slopes.numpy(), (ahead - behind) / 2e-5, rtol=1e-4, atol=1e-7)


def test_gradients_through_dirichlet_vectors():
    concentration = tg.tensor([0.4, 1.5, 3.0], dtype=tg.float64, requires_grad=True)
    wanted = tg.autograd.grad(d.Dirichlet(concentration).mean[0], concentration)[0]
    copies = concentration.detach().expand(COUNT, 3).clone().requires_grad_()
    first = d.Dirichlet(copies).rsample()[:, 0]
    slopes = tg.autograd.grad(first.sum(), copies)[0].numpy()
    near(slopes.mean(0), wanted.numpy(), slopes.std(0))


def test_gradients_through_normal_vectors():
    factor = tg.tensor([[1.0, 0.0], [0.5, 2.0]], dtype=tg.float64, requires_grad=True)
    drawn = d.MultivariateNormal(tg.zeros(2, dtype=tg.float64), scale_tril=factor).rsample((5,))
    noise = np.linalg.solve(factor.detach().numpy(), drawn.detach().numpy().T)
    drawn.sum().backward()
    np.testing.assert_allclose(factor.grad.numpy(), [noise.sum(1), noise.sum(1)], rtol=1e-12)


def test_straight_through_and_relaxed_classes_pass_gradients():
    logits = tg.zeros(3, requires_grad=True)
    hot = d.OneHotCategoricalStraightThrough(logits=logits).rsample()
    assert sorted(hot.tolist()) == [0, 0, 1]
    hot[0].backward()
    np.testing.assert_allclose(logits.grad.numpy(), [2 / 9, -1 / 9, -1 / 9], rtol=1e-5)
    cold = d.RelaxedOneHotCategorical(tg.tensor(0.05), logits=tg.tensor([0.0, 1.0]))
    drawn = cold.sample((COUNT,)).numpy()
    near((drawn[:, 1] > drawn[:, 0]).mean(), 1 / (1 + math.exp(-1)), 0.5)
    assert (drawn.max(-1) > 0.9).mean() > 0.8
    soft = d.RelaxedBernoulli(tg.tensor(0.5), logits=tg.tensor(1.0)).sample((COUNT,)).numpy()
    near((soft > 0.5).mean(), 1 / (1 + math.exp(-1)), 0.5)


@pytest.mark.parametrize("dtype", [tg.float16, tg.bfloat16, tg.float32, tg.float64])
def test_samples_keep_the_dtype(dtype):
    one = tg.ones(3, dtype=dtype)
    for name, values in LEAVES.items():
        law = getattr(d, name)(*[one * value for value in values])
        drawn = law.sample((2,))
        assert drawn.dtype == dtype, name
        assert bool(drawn.isfinite().all()), name
        assert law.log_prob(drawn).dtype == dtype, name
    vectors = d.Dirichlet(tg.ones(3, 40, dtype=dtype))
    assert vectors.log_prob(vectors.sample()).dtype == dtype


def test_the_seed_decides(backend):
    law = d.Independent(d.Gamma(tg.ones(3), 2.0), 1)
    tg.manual_seed(5)
    first = law.sample((4,))
    assert first.tolist() != law.sample((4,)).tolist()
    tg.manual_seed(5)
    assert first.tolist() == law.sample((4,)).tolist()
