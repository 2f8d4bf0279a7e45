"""Kullback-Leibler divergences against PyTorch's: every pair, and how a pair is found."""

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import distributions
from tensorgrad.distributions.kl import PAIRS
from tests.distribution_table import LOCS, SCALES, SHARES, TABLE, both, compare, made

torch = pytest.importorskip("torch")


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


# ---- composite ones


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
