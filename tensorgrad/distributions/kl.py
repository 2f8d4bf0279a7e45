"""The Kullback-Leibler divergence of two distributions, by the pair of their classes.

KL(p || q) is minus the entropy of p minus the mean of log q under p. Of two different laws of one
number that is how it is computed: `expectations` has the means that a log q is made of. Pairs of
one class have their closed forms.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

from tensorgrad.distributions.categorical import Categorical, OneHotCategorical
from tensorgrad.distributions.counts import Bernoulli, Binomial, Geometric, Poisson
from tensorgrad.distributions.distribution import Distribution
from tensorgrad.distributions.elementary import Cauchy, Exponential, Gumbel, Laplace, Uniform
from tensorgrad.distributions.expectations import (
    mean_exponential,
    mean_log,
    mean_log_rest,
    within,
)
from tensorgrad.distributions.gamma import Beta, Dirichlet, Gamma
from tensorgrad.distributions.independent import Independent
from tensorgrad.distributions.multivariate_normal import (
    MultivariateNormal,
    half_log_determinant,
    squared_distance,
)
from tensorgrad.distributions.normal import HalfNormal, Normal
from tensorgrad.distributions.parameters import sum_rightmost
from tensorgrad.distributions.transformed import TransformedDistribution
from tensorgrad.linalg import solve_triangular
from tensorgrad.ops.activation import softplus
from tensorgrad.ops.choice import where
from tensorgrad.ops.joining import broadcast_shapes
from tensorgrad.ops.special import erf, lgamma, xlogy

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["kl_divergence", "register_kl"]

Rule = TypeVar("Rule", bound="Callable[[Any, Any], Any]")

PAIRS: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Rule], Rule]:
    """A decorator: the function computes `kl_divergence(p, q)` of the two classes and, where no
    nearer pair is registered, of their subclasses.
    """
    for name, kind in (("type_p", type_p), ("type_q", type_q)):
        if not isinstance(kind, type) or not issubclass(kind, Distribution):
            raise TypeError(f"register_kl: expected {name} to be a Distribution class, got {kind}")

    def register(rule: Rule) -> Rule:
        PAIRS[type_p, type_q] = rule
        return rule

    return register


def kl_divergence(p: Distribution, q: Distribution) -> Any:
    """The mean under p of log p - log q, of the batch shape.

    Raises NotImplementedError where no rule is registered for the two classes.
    """
    for kind_p in type(p).__mro__:
        for kind_q in type(q).__mro__:
            rule = PAIRS.get((kind_p, kind_q))
            if rule is not None:
                return rule(p, q)
    raise _unknown(p, q)


def _unknown(p: Distribution, q: Distribution) -> NotImplementedError:
    return NotImplementedError(
        "kl_divergence: expected a registered pair of distributions, got "
        f"{type(p).__name__} and {type(q).__name__}"
    )


# ---- two of a kind


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Any, q: Any) -> Any:
    success = _share(p.probs, q.probs, softplus(-q.logits) - softplus(-p.logits))
    failure = _share(1 - p.probs, 1 - q.probs, softplus(q.logits) - softplus(p.logits))
    return success + failure


def _share(p: Any, q: Any, log_ratio: Any) -> Any:
    """p log(p / q) of one outcome, 0 where p is 0 and infinite where only q is."""
    return where(p == 0, 0.0, where(q == 0, math.inf, p * log_ratio))


@register_kl(Binomial, Binomial)
def _binomial(p: Any, q: Any) -> Any:
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError(
            "kl_divergence: expected a Binomial p with a total_count of q's at least, got "
            f"{p.total_count} and {q.total_count}"
        )
    return where(p.total_count > q.total_count, math.inf, p.total_count * _bernoulli(p, q))


@register_kl(Categorical, Categorical)
def _categorical(p: Any, q: Any) -> Any:
    return _share(p.probs, q.probs, p.logits - q.logits).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: Any, q: Any) -> Any:
    return _categorical(p._categorical, q._categorical)


@register_kl(Geometric, Geometric)
def _geometric(p: Any, q: Any) -> Any:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Any, q: Any) -> Any:
    return xlogy(p.rate, p.rate) - xlogy(p.rate, q.rate) - p.rate + q.rate


@register_kl(Beta, Beta)
def _beta(p: Any, q: Any) -> Any:
    own = (p.concentration1 - q.concentration1) * mean_log(p)
    rest = (p.concentration0 - q.concentration0) * mean_log_rest(p)
    return q._log_beta() - p._log_beta() + own + rest


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Any, q: Any) -> Any:
    logs = p.concentration.digamma() - p.concentration.sum(-1, keepdim=True).digamma()
    change = ((p.concentration - q.concentration) * logs).sum(-1)
    return q._log_beta() - p._log_beta() + change


@register_kl(Gamma, Gamma)
def _gamma(p: Any, q: Any) -> Any:
    rates = q.concentration * (p.rate / q.rate).log()
    shapes = (p.concentration - q.concentration) * p.concentration.digamma()
    constants = lgamma(q.concentration) - lgamma(p.concentration)
    return rates + shapes + constants + (q.rate / p.rate - 1) * p.concentration


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Any, q: Any) -> Any:
    """F. Chyzak, F. Nielsen, "A closed-form formula for the Kullback-Leibler divergence between
    Cauchy distributions", 2019.
    """
    wide = (p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2
    return wide.log() - (4 * p.scale * q.scale).log()


@register_kl(Laplace, Laplace)
def _laplace(p: Any, q: Any) -> Any:
    apart = (p.loc - q.loc).abs()
    mean = apart + p.scale * (-apart / p.scale).exp()
    return (q.scale / p.scale).log() + mean / q.scale - 1


@register_kl(Normal, Normal)
def _normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale) ** 2
    apart = ((p.loc - q.loc) / q.scale) ** 2
    return (ratio + apart - 1 - ratio.log()) / 2


@register_kl(HalfNormal, HalfNormal)
def _half_normal(p: Any, q: Any) -> Any:
    ratio = (p.scale / q.scale) ** 2
    return (ratio - 1 - ratio.log()) / 2


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: Any, q: Any) -> Any:
    if p.event_shape != q.event_shape:
        raise ValueError(
            "kl_divergence: expected normal vectors of one size, got "
            f"{list(p.event_shape)} and {list(q.event_shape)}"
        )
    size = p.event_shape[0]
    shape = broadcast_shapes(p._factor.shape, q._factor.shape)
    solved = solve_triangular(q._factor.expand(shape), p._factor.expand(shape), upper=False)
    trace = (solved * solved).sum((-2, -1))
    squares = squared_distance(q._factor, q.loc - p.loc)
    volumes = half_log_determinant(q._factor) - half_log_determinant(p._factor)
    return volumes + (trace + squares - size) / 2


@register_kl(Uniform, Uniform)
def _uniform(p: Any, q: Any) -> Any:
    ratio = ((q.high - q.low) / (p.high - p.low)).log()
    return where((q.low <= p.low) & (p.high <= q.high), ratio, math.inf)


@register_kl(Independent, Independent)
def _independent(p: Any, q: Any) -> Any:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise _unknown(p, q)
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Any:
    """Of the same transform: it changes nothing."""
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise _unknown(p, q)
    return kl_divergence(p.base_dist, q.base_dist)


# ---- two kinds


def _each(kinds: tuple[type, ...], kind: type) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        for one in kinds:
            register_kl(one, kind)(rule)
        return rule

    return register


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Any:
    return -p.entropy() - p.probs * q.rate.log() + q.rate


@_each((Beta, Exponential, Gamma, Gumbel, Laplace, Uniform), Normal)
def _to_normal(p: Any, q: Any) -> Any:
    square = (p.variance + (p.mean - q.loc) ** 2) / q.scale**2
    return -p.entropy() + math.log(2 * math.pi) / 2 + q.scale.log() + square / 2


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Any:
    apart = (p.loc - q.loc) / p.scale
    bulk = math.sqrt(2 / math.pi) * (-apart * apart / 2).exp()
    mean = p.scale * (bulk + apart * erf(apart * math.sqrt(0.5)))
    return -p.entropy() + (2 * q.scale).log() + mean / q.scale


@_each((Exponential, Gamma, Gumbel, Normal, Uniform), Gumbel)
def _to_gumbel(p: Any, q: Any) -> Any:
    tail = (q.loc / q.scale).exp() * mean_exponential(p, q.scale.reciprocal())
    return -p.entropy() + q.scale.log() + (p.mean - q.loc) / q.scale + tail


@register_kl(Exponential, Exponential)
def _exponential(p: Any, q: Any) -> Any:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@_each((Beta, Gamma, Uniform), Exponential)
def _to_exponential(p: Any, q: Any) -> Any:
    return within(p, 0, math.inf, -p.entropy() - q.rate.log() + q.rate * p.mean)


@_each((Beta, Exponential, Uniform), Gamma)
def _to_gamma(p: Any, q: Any) -> Any:
    constant = lgamma(q.concentration) - q.concentration * q.rate.log()
    powers = (q.concentration - 1) * mean_log(p)
    return within(p, 0, math.inf, -p.entropy() + constant - powers + q.rate * p.mean)


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Any:
    powers = (q.concentration1 - 1) * mean_log(p) + (q.concentration0 - 1) * mean_log_rest(p)
    return within(p, 0, 1, -p.entropy() + q._log_beta() - powers)


@register_kl(Beta, Uniform)
def _beta_uniform(p: Any, q: Any) -> Any:
    value = -p.entropy() + (q.high - q.low).log()
    return where((q.low <= 0) & (q.high >= 1), value, math.inf)


def _nowhere(p: Any, q: Any) -> Any:
    """Infinite: p reaches where q does not."""
    shape = broadcast_shapes(p.batch_shape, q.batch_shape)
    return p.mean.new_full(shape, math.inf)


_kind: type
for _kind in (Beta, Uniform):
    _each((Exponential, Gamma, Gumbel, Laplace, Normal), _kind)(_nowhere)
for _kind in (Exponential, Gamma):
    _each((Gumbel, Laplace, Normal), _kind)(_nowhere)
for _kind in (Bernoulli, Binomial):
    register_kl(Poisson, _kind)(_nowhere)
