"""Distributions against PyTorch's: densities, moments, and gradients of all of them.

The same constructor is called on both sides with the same float64 numbers.
"""

import numpy as np
import pytest
from scipy import stats

import tensorgrad as tg
from tensorgrad import distributions
from tests.distribution_table import CLOSE, PROBS, SHARES, TABLE, asked, compare, made

torch = pytest.importorskip("torch")

NAMES = [f"{name}-{'-'.join(parameters)}-{i}" for i, (name, parameters, _) in enumerate(TABLE)]
QUANTITIES = [
    "mean", "mode", "variance", "stddev", "entropy", "perplexity", "probs", "logits",
    "covariance_matrix", "precision_matrix", "scale_tril", "enumerate_support", "param_shape",
]  # fmt: skip


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


def test_entropy_of_a_multinomial():
    ours = distributions.Multinomial(6, tg.tensor(PROBS))
    wanted = [stats.multinomial(6, row).entropy() for row in PROBS]
    np.testing.assert_allclose(ours.entropy().numpy(), wanted, **CLOSE)


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
