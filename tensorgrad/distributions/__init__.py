"""Probability distributions with samples, densities and moments that are differentiable in their
parameters, under the names of `torch.distributions`.

https://docs.pytorch.org/docs/stable/distributions.html
"""

from tensorgrad.distributions import constraints, transforms
from tensorgrad.distributions.categorical import (
    Categorical,
    Multinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)
from tensorgrad.distributions.constraint_registry import biject_to, transform_to
from tensorgrad.distributions.counts import Bernoulli, Binomial, Geometric, Poisson
from tensorgrad.distributions.distribution import Distribution
from tensorgrad.distributions.elementary import Cauchy, Exponential, Gumbel, Laplace, Uniform
from tensorgrad.distributions.gamma import Beta, Chi2, Dirichlet, Gamma, StudentT
from tensorgrad.distributions.independent import Independent, MixtureSameFamily
from tensorgrad.distributions.kl import kl_divergence, register_kl
from tensorgrad.distributions.multivariate_normal import MultivariateNormal
from tensorgrad.distributions.normal import HalfNormal, Normal
from tensorgrad.distributions.transformed import (
    LogNormal,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
    TransformedDistribution,
)
from tensorgrad.distributions.transforms import (
    AbsTransform,
    AffineTransform,
    ComposeTransform,
    ExpTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    PowerTransform,
    SigmoidTransform,
    SoftmaxTransform,
    SoftplusTransform,
    StickBreakingTransform,
    TanhTransform,
    Transform,
    identity_transform,
)
from tensorgrad.paths import also_found_in

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "ComposeTransform",
    "Dirichlet",
    "Distribution",
    "ExpTransform",
    "Exponential",
    "Gamma",
    "Geometric",
    "Gumbel",
    "HalfNormal",
    "Independent",
    "IndependentTransform",
    "Laplace",
    "LogNormal",
    "LowerCholeskyTransform",
    "MixtureSameFamily",
    "Multinomial",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Poisson",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StickBreakingTransform",
    "StudentT",
    "TanhTransform",
    "Transform",
    "TransformedDistribution",
    "Uniform",
    "biject_to",
    "constraints",
    "identity_transform",
    "kl_divergence",
    "register_kl",
    "transform_to",
    "transforms",
]

# The paths that PyTorch's files have.
_FILES = {
    "bernoulli": "counts",
    "beta": "gamma",
    "binomial": "counts",
    "cauchy": "elementary",
    "chi2": "gamma",
    "dirichlet": "gamma",
    "exponential": "elementary",
    "geometric": "counts",
    "gumbel": "elementary",
    "half_normal": "normal",
    "laplace": "elementary",
    "log_normal": "transformed",
    "mixture_same_family": "independent",
    "multinomial": "categorical",
    "one_hot_categorical": "categorical",
    "poisson": "counts",
    "relaxed_bernoulli": "transformed",
    "relaxed_categorical": "transformed",
    "studentT": "gamma",
    "transformed_distribution": "transformed",
    "uniform": "elementary",
    "utils": "parameters",
}
also_found_in(__name__, {name: f"tensorgrad.distributions.{file}" for name, file in _FILES.items()})
