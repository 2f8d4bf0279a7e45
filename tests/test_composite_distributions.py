"""Independent, mixed and transformed distributions against PyTorch's."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.distribution_table import (
    COVARIANCE,
    LOCS,
    POSITIVES,
    PROBS,
    REALS,
    SCALES,
    SHARES,
    asked,
    both,
    compare,
)

torch = pytest.importorskip("torch")


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
