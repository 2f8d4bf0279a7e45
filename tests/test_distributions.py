"""Distributions against PyTorch's: densities, moments, divergences, and gradients of all of them.

The same constructor is called on both sides with the same float64 numbers.
"""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

import tensorgrad as tg
from tensorgrad import distributions
from tensorgrad.distributions.kl import PAIRS

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(7)
CLOSE = {"rtol": 1e-9, "atol": 1e-9}
COVARIANCE = np.array([[2.0, 0.3, -0.4], [0.3, 1.0, 0.2], [-0.4, 0.2, 0.7]])
LOCS, SCALES = RNG.standard_normal((2, 3)), RNG.uniform(0.4, 2, 3)
PROBS = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.15, 0.05]])
REALS, SHARES = RNG.standard_normal((4, 2, 3)) * 2, RNG.uniform(0.05, 0.95, (4, 2, 3))
POSITIVES = RNG.uniform(0.1, 4, (4, 2, 3))
WHOLES = RNG.integers(0, 4, (4, 2, 3)).astype("float64")
BITS, CLASSES = (WHOLES > 1).astype("float64"), RNG.integers(0, 4, (5, 2))
SIMPLEX = RNG.dirichlet(np.ones(4), (5, 2))
HOT = np.eye(4)[CLASSES]
COUNTS = RNG.multinomial(6, PROBS[0], (5, 2)).astype("float64")

# The class, its parameters, values to judge.
TABLE = [
    ("Normal", {"loc": LOCS, "scale": SCALES}, REALS),
    ("HalfNormal", {"scale": SCALES}, POSITIVES),
    ("LogNormal", {"loc": LOCS, "scale": SCALES}, POSITIVES),
    ("Uniform", {"low": LOCS - 9, "high": LOCS + 8 + SCALES}, REALS),
    ("Exponential", {"rate": SCALES}, POSITIVES),
    ("Laplace", {"loc": LOCS, "scale": SCALES}, REALS),
    ("Cauchy", {"loc": LOCS, "scale": SCALES}, REALS),
    ("Gumbel", {"loc": LOCS, "scale": SCALES}, SHARES * 3),
    ("Gamma", {"concentration": SCALES, "rate": SCALES[::-1] + 1}, POSITIVES),
    ("Chi2", {"df": SCALES * 3}, POSITIVES),
    ("Beta", {"concentration1": SCALES * 2, "concentration0": SCALES[::-1]}, SHARES),
    ("Dirichlet", {"concentration": PROBS * 9}, SIMPLEX),
    ("StudentT", {"df": SCALES * 2, "loc": LOCS, "scale": SCALES}, REALS),
    ("Bernoulli", {"probs": SHARES[0]}, BITS),
    ("Bernoulli", {"logits": LOCS}, BITS),
    ("Geometric", {"probs": SHARES[0]}, WHOLES),
    ("Geometric", {"logits": LOCS}, WHOLES),
    ("Binomial", {"total_count": 5, "probs": SHARES[0]}, WHOLES),
    ("Binomial", {"total_count": 5, "logits": LOCS}, WHOLES),
    ("Poisson", {"rate": SCALES}, WHOLES),
    ("Categorical", {"probs": PROBS}, CLASSES),
    ("Categorical", {"logits": np.log(PROBS) + 1}, CLASSES),
    ("OneHotCategorical", {"probs": PROBS}, HOT),
    ("OneHotCategoricalStraightThrough", {"logits": np.log(PROBS) - 2}, HOT),
    ("Multinomial", {"total_count": 6, "probs": PROBS}, COUNTS),
    ("Multinomial", {"total_count": 6, "logits": np.log(PROBS)}, COUNTS),
    ("MultivariateNormal", {"loc": LOCS, "covariance_matrix": COVARIANCE}, REALS),
    ("MultivariateNormal", {"loc": LOCS, "precision_matrix": COVARIANCE}, REALS),
    ("MultivariateNormal", {"loc": LOCS[0], "scale_tril": np.linalg.cholesky(COVARIANCE)}, REALS),
    (
        "MultivariateNormal",
        {"loc": LOCS, "covariance_matrix": np.stack([COVARIANCE, COVARIANCE * 2])},
        REALS,
    ),
    ("RelaxedBernoulli", {"temperature": np.array(0.7), "probs": SHARES[0]}, SHARES),
    ("RelaxedBernoulli", {"temperature": np.array(0.7), "logits": LOCS}, SHARES),
    ("RelaxedOneHotCategorical", {"temperature": np.array(0.7), "logits": PROBS}, SIMPLEX),
]
NAMES = [f"{name}-{'-'.join(parameters)}-{i}" for i, (name, parameters, _) in enumerate(TABLE)]
QUANTITIES = [
    "mean", "mode", "variance", "stddev", "entropy", "perplexity", "probs", "logits",
    "covariance_matrix", "precision_matrix", "scale_tril", "enumerate_support", "param_shape",
]  # fmt: skip


def made(library, space, parameters):
    """The parameters as leaves of a library, and the distribution of them."""
    leaves = {
        name: library.tensor(value.copy(), requires_grad=True)
        if isinstance(value, np.ndarray)
        else value
        for name, value in parameters.items()
    }
    return leaves, space(**leaves)


def gradients(library, result, leaves):
    """Those of a fixed combination of the results, 0 where there is none."""
    wanted = [leaf for leaf in leaves.values() if hasattr(leaf, "grad")]
    if not getattr(result, "requires_grad", False):
        return [np.zeros(leaf.shape) for leaf in wanted]
    weights = np.cos(np.arange(result.numel())).reshape(tuple(result.shape))
    weights = np.where(np.isfinite(result.detach().numpy()), weights, 0)
    found = library.autograd.grad(
        [result], wanted, [library.tensor(weights)], allow_unused=True, retain_graph=True
    )
    return [
        np.zeros(leaf.shape) if grad is None else grad.numpy() for grad, leaf in zip(found, wanted)
    ]


def compare(ours, theirs, our_leaves, their_leaves):
    """Values, shapes and gradients."""
    if not hasattr(theirs, "detach"):
        assert tuple(ours) == tuple(theirs)
        return
    np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), **CLOSE)
    assert tuple(ours.shape) == tuple(theirs.shape)
    expected = gradients(torch, theirs, their_leaves)
    found = gradients(tg, ours, our_leaves)
    for mine, reference in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, reference, **CLOSE)


def asked(distribution, quantity):
    found = getattr(distribution, quantity)
    return found() if callable(found) else found


@pytest.mark.parametrize(("name", "parameters", "values"), TABLE, ids=NAMES)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_quantities(name, parameters, values, quantity):
    their_leaves, theirs = made(torch, getattr(torch.distributions, name), parameters)
    our_leaves, ours = made(tg, getattr(distributions, name), parameters)
    if not hasattr(type(theirs), quantity):
        return
    if name == "Multinomial" and quantity in ("entropy", "perplexity"):
        return  # PyTorch takes lgamma(total_count + 1) in float32; see below
    try:
        expected = asked(theirs, quantity)
    except NotImplementedError:
        expected = None
    if expected is None:  # what PyTorch lacks is lacking, or finite where a closed form is known
        try:
            found = asked(ours, quantity)
        except NotImplementedError:
            return
        assert found.isfinite().all()
        return
    compare(asked(ours, quantity), expected, our_leaves, their_leaves)


@pytest.mark.parametrize(("name", "parameters", "values"), TABLE, ids=NAMES)
@pytest.mark.parametrize("method", ["log_prob", "cdf", "icdf"])
def test_functions_of_a_value(name, parameters, values, method, backend):
    their_leaves, theirs = made(torch, getattr(torch.distributions, name), parameters)
    our_leaves, ours = made(tg, getattr(distributions, name), parameters)
    if method == "icdf":
        values = SHARES
    discrete = values.dtype.kind == "i"
    their_leaves["value"] = torch.tensor(values, requires_grad=not discrete)
    our_leaves["value"] = tg.tensor(values, requires_grad=not discrete)
    if discrete:
        their_value, our_value = their_leaves.pop("value"), our_leaves.pop("value")
    else:
        their_value, our_value = their_leaves["value"], our_leaves["value"]
    try:
        expected = getattr(theirs, method)(their_value)
    except NotImplementedError:
        with pytest.raises(NotImplementedError, match=f"expected a distribution with {method}"):
            getattr(ours, method)(our_value)
        return
    if method == "cdf" and name in ("Gamma", "Chi2"):  # neither has all of the gradients
        our_leaves = {"value": our_value}
        their_leaves = {"value": their_value}
    compare(getattr(ours, method)(our_value), expected, our_leaves, their_leaves)


@pytest.mark.parametrize(("name", "parameters", "values"), TABLE, ids=NAMES)
def test_shapes_and_expand(name, parameters, values):
    _, theirs = made(torch, getattr(torch.distributions, name), parameters)
    _, ours = made(tg, getattr(distributions, name), parameters)
    for wide in (None, (5, *theirs.batch_shape)):
        if wide:
            theirs, ours = theirs.expand(wide), ours.expand(wide)
        for field in ("batch_shape", "event_shape", "has_rsample", "has_enumerate_support"):
            assert getattr(ours, field) == getattr(theirs, field), field
        support = ours.support
        assert support.event_dim == theirs.support.event_dim
        assert support.is_discrete == theirs.support.is_discrete
        for shape in ((), (3, 1)):
            drawn = ours.sample(shape)
            assert tuple(drawn.shape) == tuple(theirs.sample(shape).shape)
            assert not drawn.requires_grad
            assert bool(support.check(drawn).all())
            assert tuple(ours.log_prob(drawn).shape) == (*shape, *theirs.batch_shape)
            if ours.has_rsample:
                assert ours.rsample(shape).requires_grad
            else:
                with pytest.raises(NotImplementedError, match="with rsample"):
                    ours.rsample(shape)


# ---- divergences

ONE_NUMBER = {name: (name, parameters) for name, parameters, _ in reversed(TABLE)}
ONE_NUMBER["Uniform"] = ("Uniform", {"low": SCALES / 9, "high": SCALES / 3})


def divergence_cases():
    kinds = sorted({kind.__name__ for pair in PAIRS for kind in pair} & set(ONE_NUMBER))
    for p, q in itertools.product(kinds, kinds):
        if (getattr(distributions, p), getattr(distributions, q)) in PAIRS:
            yield p, q


@pytest.mark.parametrize(("p", "q"), list(divergence_cases()))
def test_divergences(p, q):
    changed = {
        name: value * 1.1 if isinstance(value, np.ndarray) else value
        for name, value in ONE_NUMBER[q][1].items()
    }
    if q == "Uniform":
        changed["low"] = changed["low"] * 0.5
    if q == "Binomial":
        changed = {"total_count": 5, "probs": SHARES[1]}
    results = []
    for library, space in ((torch, torch.distributions), (tg, distributions)):
        own, first = made(library, getattr(space, p), ONE_NUMBER[p][1])
        other, second = made(library, getattr(space, q), changed)
        leaves = {**own, **{f"q {name}": leaf for name, leaf in other.items()}}
        results.append((space.kl_divergence(first, second), leaves))
    (expected, their_leaves), (found, our_leaves) = results
    if expected.isinf().all():
        assert found.isinf().all()
        return
    compare(found, expected, our_leaves, their_leaves)


def test_every_pair_of_pytorchs_with_both_classes_is_here():
    theirs = {
        (p.__name__, q.__name__)
        for p, q in torch.distributions.kl._KL_REGISTRY
        if p.__name__ in distributions.__all__ and q.__name__ in distributions.__all__
    }
    ours = {(p.__name__, q.__name__) for p, q in PAIRS}
    assert len(ours) >= 50
    assert theirs - ours == set()


def test_entropy_of_a_multinomial():
    ours = distributions.Multinomial(6, tg.tensor(PROBS))
    wanted = [stats.multinomial(6, row).entropy() for row in PROBS]
    np.testing.assert_allclose(ours.entropy().numpy(), wanted, **CLOSE)


# ---- composite ones


def both(make):
    """What `make(library, distributions, tensor)` gives of each library, and its leaves."""
    results = []
    for library, space in ((torch, torch.distributions), (tg, distributions)):
        leaves = {}

        def tensor(array, library=library, leaves=leaves):
            leaf = library.tensor(np.asarray(array), requires_grad=True)
            leaves[str(len(leaves))] = leaf
            return leaf

        results.append((make(library, space, tensor), leaves))
    return results


COMPOSITES = {
    "independent": (
        lambda _, d, t: d.Independent(d.Normal(t(LOCS), t(SCALES)), 1),
        REALS,
        "mean mode variance stddev entropy",
    ),
    "mixture": (
        lambda _, d, t: d.MixtureSameFamily(
            d.Categorical(probs=t(PROBS[0, :3])), d.Normal(t(LOCS), t(SCALES))
        ),
        REALS[..., 0],
        "mean variance stddev",
    ),
    "mixture of batches": (
        lambda _, d, t: d.MixtureSameFamily(
            d.Categorical(logits=t(LOCS)), d.Gamma(t(POSITIVES[0]), t(SCALES + 1))
        ),
        POSITIVES[..., 0],
        "mean variance",
    ),
    "mixture of vectors": (
        lambda _, d, t: d.MixtureSameFamily(
            d.Categorical(logits=t(LOCS[0, :2])), d.Independent(d.Laplace(t(LOCS), t(SCALES)), 1)
        ),
        REALS[:, 0],
        "mean variance",
    ),
    "affine tanh": (
        lambda _, d, t: d.TransformedDistribution(
            d.Normal(t(LOCS), t(SCALES)), [d.TanhTransform(), d.AffineTransform(0.5, -2.0)]
        ),
        SHARES,
        "",
    ),
    "affine tensors": (
        lambda _, d, t: d.TransformedDistribution(
            d.Exponential(t(SCALES)), [d.AffineTransform(t(LOCS), t(-SCALES)), d.ExpTransform()]
        ),
        np.exp(LOCS - POSITIVES),
        "",
    ),
    "sigmoid of vectors": (
        lambda _, d, t: d.TransformedDistribution(
            d.MultivariateNormal(t(LOCS), t(COVARIANCE)),
            [d.SigmoidTransform(), d.PowerTransform(2.0)],
        ),
        SHARES,
        "",
    ),
    "inverse in independent": (
        lambda _, d, t: d.TransformedDistribution(
            d.Gamma(t(SCALES), t(SCALES + 1)),
            [d.ExpTransform().inv, d.IndependentTransform(d.SoftplusTransform(), 1)],
        ),
        POSITIVES,
        "",
    ),
}


@pytest.mark.parametrize("name", COMPOSITES)
def test_composites(name):
    make, values, quantities = COMPOSITES[name]
    (theirs, their_leaves), (ours, our_leaves) = both(make)
    for wide in (None, (5, *theirs.batch_shape)):
        if wide:
            theirs, ours = theirs.expand(wide), ours.expand(wide)
            values = ours.sample((4,)).numpy()
        assert (ours.batch_shape, ours.event_shape) == (theirs.batch_shape, theirs.event_shape)
        assert ours.support.event_dim == theirs.support.event_dim
        for method in ("log_prob", "cdf"):
            if method == "cdf" and (theirs.event_shape or "mixture of batches" in name):
                continue
            expected = getattr(theirs, method)(torch.tensor(values))
            found = getattr(ours, method)(tg.tensor(values))
            compare(found, expected, our_leaves, their_leaves)
        for quantity in quantities.split():
            compare(asked(ours, quantity), asked(theirs, quantity), our_leaves, their_leaves)
        for shape in ((), (3,)):
            drawn = ours.sample(shape)
            assert tuple(drawn.shape) == (*shape, *theirs.batch_shape, *theirs.event_shape)
            assert ours.log_prob(drawn).isfinite().all()
        assert ours.has_rsample == theirs.has_rsample
        if ours.has_rsample:
            assert ours.rsample((2,)).requires_grad


def test_divergences_of_composites():
    for make in (
        lambda _, d, t: d.kl_divergence(
            d.Independent(d.Normal(t(LOCS), t(SCALES)), 1),
            d.Independent(d.Normal(t(LOCS + 1), t(SCALES)), 1),
        ),
        lambda _, d, t: d.kl_divergence(
            d.LogNormal(t(LOCS), t(SCALES)), d.LogNormal(t(LOCS + 1), t(SCALES * 2))
        ),
    ):
        (expected, their_leaves), (found, our_leaves) = both(make)
        compare(found, expected, our_leaves, their_leaves)
    normal = distributions.Normal(0.0, 1.0)
    other = distributions.TransformedDistribution(normal, distributions.TanhTransform())
    with pytest.raises(NotImplementedError, match="got TransformedDistribution and LogNormal"):
        distributions.kl_divergence(other, distributions.LogNormal(0.0, 1.0))


def test_the_nearest_registered_pair_is_taken():
    class Mine(distributions.Normal):
        pass

    mine, normal = Mine(0.0, 1.0), distributions.Normal(0.0, 1.0)
    assert distributions.kl_divergence(mine, normal).item() == 0
    distributions.register_kl(Mine, Mine)(lambda p, q: 5)
    try:
        assert distributions.kl_divergence(mine, mine) == 5
        assert distributions.kl_divergence(normal, mine).item() == 0
    finally:
        del PAIRS[Mine, Mine]
    with pytest.raises(NotImplementedError, match="got Cauchy and Mine"):
        distributions.kl_divergence(distributions.Cauchy(0.0, 1.0), mine)
    with pytest.raises(TypeError, match="type_q to be a Distribution class, got <class 'int'>"):
        distributions.register_kl(Mine, int)


# ---- transforms

TRANSFORMS = [
    ("ExpTransform", (), REALS),
    ("PowerTransform", (1.5,), POSITIVES),
    ("SigmoidTransform", (), REALS),
    ("SoftplusTransform", (), REALS),
    ("TanhTransform", (), REALS / 4),
    ("AffineTransform", (0.3, -1.5), REALS),
    ("AffineTransform", (0.3, -1.5, 1), REALS),
]


@pytest.mark.parametrize(("name", "arguments", "values"), TRANSFORMS)
def test_transforms(name, arguments, values):
    ours, theirs = getattr(distributions, name)(*arguments), None
    theirs = getattr(torch.distributions, name)(*arguments)
    x, y = tg.tensor(values), ours(tg.tensor(values))
    expected = theirs(torch.tensor(values))
    np.testing.assert_allclose(y.numpy(), expected.numpy(), **CLOSE)
    np.testing.assert_allclose(ours.inv(y).numpy(), values, **CLOSE)
    np.testing.assert_allclose(
        ours.log_abs_det_jacobian(x, y).numpy(),
        theirs.log_abs_det_jacobian(torch.tensor(values), expected).numpy(),
        **CLOSE,
    )
    np.testing.assert_allclose(
        ours.inv.log_abs_det_jacobian(y, x).numpy(),
        -ours.log_abs_det_jacobian(x, y).numpy(),
        **CLOSE,
    )
    assert ours.sign == theirs.sign
    assert ours.bijective == theirs.bijective
    assert ours.inv.inv is ours
    assert ours == getattr(distributions, name)(*arguments)
    assert ours.inv == getattr(distributions, name)(*arguments).inv
    assert ours != ours.inv
    cached = ours.with_cache(1)
    assert cached == ours
    assert cached.inv(cached(x)) is x
    assert ours.inv(ours(x)) is not x
    assert bool(ours.codomain.check(y).all())


def test_a_composition_adds_up():
    parts = [distributions.ExpTransform(), distributions.AffineTransform(1.0, 2.0)]
    whole, x = distributions.ComposeTransform(parts), tg.tensor(REALS)
    y = whole(x)
    np.testing.assert_allclose(y.numpy(), 1 + 2 * np.exp(REALS), **CLOSE)
    np.testing.assert_allclose(whole.inv(y).numpy(), REALS, **CLOSE)
    np.testing.assert_allclose(whole.log_abs_det_jacobian(x, y).numpy(), REALS + np.log(2), **CLOSE)
    again = distributions.ComposeTransform([distributions.ExpTransform(), parts[1]])
    assert whole == again
    assert whole != distributions.ComposeTransform(parts[:1])
    assert distributions.identity_transform(x) is x
    assert "AffineTransform" in repr(whole)


# ---- what is refused


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda d: d.Normal(0.0, -1.0), ValueError, r"Normal: expected scale to satisfy GreaterTh"),
        (lambda d: d.Normal(0.0, float("nan")), ValueError, "Normal: expected scale to satisfy"),
        (lambda d: d.Uniform(2.0, 1.0), ValueError, "Uniform: expected low < high"),
        (lambda d: d.Bernoulli(1.5), ValueError, "Bernoulli: expected probs to satisfy"),
        (lambda d: d.Bernoulli(), ValueError, "Bernoulli: expected either probs or logits, got ne"),
        (lambda d: d.Bernoulli(0.5, 0.0), ValueError, "Bernoulli: .* got both"),
        (lambda d: d.Geometric(0.0), ValueError, "Geometric: expected probs > 0"),
        (lambda d: d.Categorical(tg.tensor(0.5)), ValueError, "Categorical: expected probs of 1"),
        (lambda d: d.Categorical(tg.tensor([-1.0, 2.0])), ValueError, "probs to satisfy Simplex"),
        (lambda d: d.Multinomial(tg.tensor(2), tg.ones(2)), NotImplementedError, "an int as total"),
        (lambda d: d.Normal("a", 1.0), ValueError, "Normal: expected numbers or tensors, got str"),
        (lambda d: d.Normal(tg.zeros(2), tg.ones(3)), RuntimeError, "broadcast"),
        (
            lambda d: d.MultivariateNormal(tg.zeros(2)),
            ValueError,
            "expected one of covariance_matrix, precision_matrix and scale_tril, got none",
        ),
        (
            lambda d: d.MultivariateNormal(tg.zeros(2), -tg.eye(2)),
            ValueError,
            r"expected covariance_matrix to satisfy PositiveDefinite\(\)",
        ),
        (
            lambda d: d.MultivariateNormal(tg.zeros(2), tg.ones(2, 2).triu()),
            ValueError,
            "covariance_matrix",
        ),
        (
            lambda d: d.MultivariateNormal(tg.zeros(2), scale_tril=tg.ones(2, 2)),
            ValueError,
            "scale_tril to satisfy LowerCholesky",
        ),
        (
            lambda d: d.Independent(d.Normal(0.0, 1.0), 1),
            ValueError,
            "reinterpreted_batch_ndims from 0 to 0, the batch dimensions, got 1",
        ),
        (
            lambda d: d.MixtureSameFamily(d.Categorical(tg.ones(3)), d.Normal(tg.zeros(2), 1.0)),
            ValueError,
            r"got shapes \[3\] and \[2\]",
        ),
        (lambda d: d.Normal(0.0, 1.0).log_prob(1.0), ValueError, "a tensor as value, got float"),
        (
            lambda d: d.Normal(tg.zeros(3), 1.0).log_prob(tg.zeros(2)),
            ValueError,
            r"Normal: expected a value that broadcasts with batch shape \[3\] .* got shape \[2\]",
        ),
        (lambda d: d.Exponential(1.0).log_prob(tg.tensor(-1.0)), ValueError, "a value within Grea"),
        (lambda d: d.Bernoulli(0.5).log_prob(tg.tensor(0.5)), ValueError, "value within Boolean"),
        (lambda d: d.Categorical(tg.ones(3)).log_prob(tg.tensor(3)), ValueError, "IntegerInterval"),
        (lambda d: d.Dirichlet(tg.ones(3)).log_prob(tg.ones(3)), ValueError, "within Simplex"),
        (lambda d: d.TanhTransform(cache_size=2), ValueError, "cache_size: expected 0 or 1, got 2"),
        (
            lambda d: d.TransformedDistribution(d.Normal(0.0, 1.0), [abs]),
            ValueError,
            "expected a Transform or a list of them",
        ),
    ],
)  # fmt: skip
def test_refusals(call, error, words):
    with pytest.raises(error, match=words):
        call(distributions)


def test_validation_can_be_left_out():
    unchecked = distributions.Normal(0.0, -1.0, validate_args=False)
    assert unchecked.scale.item() == -1
    assert unchecked.expand((2,)).log_prob(tg.zeros(3, 2)).isnan().all()
    distributions.Distribution.set_default_validate_args(False)
    try:
        distributions.Exponential(1.0).log_prob(tg.tensor(-1.0))
    finally:
        distributions.Distribution.set_default_validate_args(True)
    with pytest.raises(ValueError, match="expected a bool, got 3"):
        distributions.Distribution.set_default_validate_args(3)


def test_reprs():
    normal = distributions.Normal(0.0, tg.ones(3))
    assert repr(normal) == "Normal(loc: tensorgrad.Size([3]), scale: tensorgrad.Size([3]))"
    assert repr(distributions.Exponential(2.0)) == "Exponential(rate: 2.0)"
    assert repr(distributions.Bernoulli(logits=0.0)) == "Bernoulli(logits: 0.0)"
    assert repr(distributions.Independent(normal, 1)) == f"Independent({normal!r}, 1)"
    assert repr(distributions.constraints.unit_interval) == (
        "Interval(lower_bound=0.0, upper_bound=1.0)"
    )


def test_lazy_parameters_are_recorded_and_kept():
    probs = tg.tensor([0.2, 0.7], requires_grad=True)
    ours = distributions.Bernoulli(probs)
    with tg.no_grad():
        logits = ours.logits
    assert logits.requires_grad
    assert ours.logits is logits


# ---- constraints

CHECKS = [
    ("boolean", (), [0.0, 1.0, 0.5]),
    ("nonnegative_integer", (), [0.0, 3.0, 1.5, -1.0]),
    ("positive_integer", (), [0.0, 3.0, 1.5]),
    ("integer_interval", (1, 3), [0.0, 1.0, 2.5, 3.0, 4.0]),
    ("greater_than", (1.0,), [0.0, 1.0, 2.0]),
    ("greater_than_eq", (1.0,), [0.0, 1.0, 2.0]),
    ("less_than", (1.0,), [0.0, 1.0, 2.0]),
    ("half_open_interval", (0.0, 1.0), [-0.5, 0.0, 0.5, 1.0]),
    ("interval", (0.0, 1.0), [-0.5, 0.0, 1.0, 1.5]),
    ("real", (), [0.0, math.inf, math.nan]),
    ("one_hot", (), [[0.0, 1.0], [1.0, 1.0], [0.5, 0.5]]),
    ("simplex", (), [[0.4, 0.6], [0.5, 0.6], [-0.5, 1.5]]),
    ("multinomial", (3,), [[1.0, 2.0], [4.0, -1.0], [1.0, 1.0]]),
    ("lower_triangular", (), [[[1.0, 0.0], [2.0, -1.0]], [[1.0, 1.0], [0.0, 1.0]]]),
    ("lower_cholesky", (), [[[1.0, 0.0], [2.0, 1.0]], [[1.0, 0.0], [2.0, -1.0]]]),
    ("symmetric", (), [[[1.0, 2.0], [2.0, 1.0]], [[1.0, 2.0], [2.5, 1.0]]]),
    ("positive_definite", (), [[[2.0, 1.0], [1.0, 2.0]], [[1.0, 2.0], [2.0, 1.0]]]),
    ("positive_semidefinite", (), [[[1.0, 1.0], [1.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]]),
    ("square", (), [[[1.0, 2.0]], [[1.0, 2.0]]]),
]


@pytest.mark.parametrize(("name", "arguments", "values"), CHECKS, ids=[row[0] for row in CHECKS])
def test_constraints(name, arguments, values):
    verdicts = []
    for library, space in ((torch, torch.distributions), (tg, distributions)):
        region = getattr(space.constraints, name)
        region = region(*arguments) if arguments else region
        value = library.tensor(values, dtype=library.float64)
        verdicts.append((region.check(value).tolist(), region.event_dim, region.is_discrete))
    assert verdicts[0] == verdicts[1]


def test_constraints_that_depend_cannot_be_checked():
    assert distributions.constraints.is_dependent(distributions.constraints.dependent)
    assert distributions.constraints.is_dependent(distributions.Uniform.support)
    assert not distributions.constraints.is_dependent(distributions.Uniform(0.0, 1.0).support)
    with pytest.raises(ValueError, match="check: expected a constraint of its own"):
        distributions.constraints.dependent.check(tg.zeros(2))
    vectors = distributions.constraints.independent(distributions.constraints.positive, 2)
    assert vectors.check(tg.tensor([[[1.0, 2.0]], [[1.0, -1.0]]])).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"at least 2 dimensions, got shape \[3\]"):
        vectors.check(tg.ones(3))


# ---- constraints and the way to them


@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
@pytest.mark.parametrize(
    "region",
    [
        lambda c: c.real,
        lambda c: c.positive,
        lambda c: c.nonnegative,
        lambda c: c.greater_than(2.0),
        lambda c: c.greater_than_eq(-1.0),
        lambda c: c.less_than(3.0),
        lambda c: c.unit_interval,
        lambda c: c.interval(-2.0, 5.0),
        lambda c: c.half_open_interval(1.0, 2.0),
        lambda c: c.independent(c.positive, 1),
        lambda c: c.real_vector,
        lambda c: c.simplex,
        lambda c: c.lower_cholesky,
        lambda c: c.positive_definite,
    ],
)
def test_transforms_to_constraints(registry, region):
    x = np.random.default_rng(1).standard_normal((2, 3, 3))
    of_theirs = region(torch.distributions.constraints)
    ours = region(distributions.constraints)
    try:
        theirs = getattr(torch.distributions, registry)(of_theirs)
    except NotImplementedError:
        with pytest.raises(NotImplementedError, match="expected a constraint with a transform"):
            getattr(distributions, registry)(ours)
        return
    transform = getattr(distributions, registry)(ours)
    y, wanted = transform(tg.tensor(x)), theirs(torch.tensor(x))
    np.testing.assert_allclose(y, wanted, **CLOSE)
    assert bool(ours.check(y).all())
    assert transform.forward_shape(x.shape) == tuple(theirs.forward_shape(x.shape))
    assert transform.inverse_shape(y.shape) == tuple(theirs.inverse_shape(wanted.shape))
    np.testing.assert_allclose(transform.inv(y), theirs.inv(wanted), **CLOSE)
    if theirs.bijective:
        np.testing.assert_allclose(
            transform.log_abs_det_jacobian(tg.tensor(x), y),
            theirs.log_abs_det_jacobian(torch.tensor(x), wanted),
            **CLOSE,
        )


def test_a_constraint_of_the_users():
    class Even(distributions.constraints.Constraint):
        pass

    with pytest.raises(NotImplementedError, match="expected a constraint with a transform"):
        distributions.transform_to(Even())
    distributions.transform_to.register(
        Even, lambda constraint: distributions.AffineTransform(0.0, 2.0)
    )
    assert distributions.transform_to(Even())(tg.tensor(3.0)).item() == 6.0
    with pytest.raises(TypeError, match="register: expected a Constraint"):
        distributions.biject_to.register(3, lambda _: distributions.identity_transform)


def test_paths_of_pytorchs_files():
    from tensorgrad.distributions.bernoulli import Bernoulli
    from tensorgrad.distributions.transformed_distribution import TransformedDistribution
    from tensorgrad.distributions.utils import broadcast_all, probs_to_logits  # noqa: F401

    assert Bernoulli is distributions.Bernoulli
    assert TransformedDistribution is distributions.TransformedDistribution


def test_a_subclass_expands_its_own_fields():
    class Shifted(distributions.Normal):
        def __init__(self, loc, scale, extra):
            super().__init__(loc, scale)
            self.extra = extra

        def expand(self, batch_shape, _instance=None):
            new = self._get_checked_instance(Shifted, _instance)
            new.extra = self.extra.expand(batch_shape)
            return super().expand(batch_shape, _instance=new)

    class Further(Shifted):
        def __init__(self):
            super().__init__(tg.zeros(2), tg.ones(2), tg.ones(2))

    wide = Shifted(tg.zeros(2), tg.ones(2), tg.tensor([1.0, 2.0])).expand((3, 2))
    assert type(wide) is Shifted
    assert wide.batch_shape == wide.loc.shape == wide.extra.shape == (3, 2)
    assert wide.sample().shape == (3, 2)
    with pytest.raises(NotImplementedError, match="expand: expected Further"):
        Further().expand((3, 2))
