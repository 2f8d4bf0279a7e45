"""Transforms of distributions, constraints, and the way from real numbers to a constraint."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import distributions
from tests.distribution_table import CLOSE, POSITIVES, REALS

torch = pytest.importorskip("torch")


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
