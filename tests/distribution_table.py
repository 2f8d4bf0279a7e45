"""Distributions of both libraries: parameters, values to judge, and what counts as the same."""

import numpy as np

import tensorgrad as tg
from tensorgrad import distributions
from tests.oracle import torch

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
