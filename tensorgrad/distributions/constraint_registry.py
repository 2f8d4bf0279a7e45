"""From all real numbers to where a constraint holds: transforms for optimizing what is constrained.

https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.constraint_registry
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorgrad.distributions import constraints, transforms

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]

Factory = Callable[[Any], transforms.Transform]


class ConstraintRegistry:
    """Which transform leads to the values of a constraint, by the constraint's class."""

    def __init__(self) -> None:
        self._registry: dict[type, Factory] = {}

    def register(self, constraint: Any, factory: Factory | None = None) -> Any:
        """Let `factory(constraint)` make the transforms of a class of constraints, given itself or
        as an instance. Without `factory` a decorator.
        """
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        kind: Any = constraint if isinstance(constraint, type) else type(constraint)
        if not issubclass(kind, constraints.Constraint):
            raise TypeError(
                f"register: expected a Constraint or a class of them, got {constraint!r}"
            )
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Any) -> transforms.Transform:
        """A transform whose values fulfil the constraint."""
        factory = self._registry.get(type(constraint))
        if factory is None:
            raise NotImplementedError(
                "transform_to and biject_to: expected a constraint with a transform, got "
                f"{constraint!r}"
            )
        return factory(constraint)


biject_to = ConstraintRegistry()  # one-to-one, as densities need it
transform_to = ConstraintRegistry()  # any, as optimizers need it


def _to_above(constraint: Any) -> transforms.Transform:
    if isinstance(constraint.lower_bound, int | float) and constraint.lower_bound == 0:
        return transforms.ExpTransform()
    shift = transforms.AffineTransform(constraint.lower_bound, 1)
    return transforms.ComposeTransform([transforms.ExpTransform(), shift])


def _to_below(constraint: Any) -> transforms.Transform:
    shift = transforms.AffineTransform(constraint.upper_bound, -1)
    return transforms.ComposeTransform([transforms.ExpTransform(), shift])


def _to_interval(constraint: Any) -> transforms.Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, int | float) and isinstance(high, int | float) and (low, high) == (0, 1):
        return transforms.SigmoidTransform()
    spread = transforms.AffineTransform(low, high - low)
    return transforms.ComposeTransform([transforms.SigmoidTransform(), spread])


def _independent(registry: ConstraintRegistry) -> Factory:
    return lambda constraint: transforms.IndependentTransform(
        registry(constraint.base_constraint), constraint.reinterpreted_batch_ndims
    )


for _registry in (biject_to, transform_to):
    _registry.register(constraints.real, lambda _: transforms.identity_transform)
    _registry.register(constraints.independent, _independent(_registry))
    for _kind in (constraints.greater_than, constraints.greater_than_eq):
        _registry.register(_kind, _to_above)
    _registry.register(constraints.less_than, _to_below)
    for _bounded in (constraints.interval, constraints.half_open_interval):
        _registry.register(_bounded, _to_interval)
biject_to.register(constraints.simplex, lambda _: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda _: transforms.SoftmaxTransform())
transform_to.register(constraints.lower_cholesky, lambda _: transforms.LowerCholeskyTransform())
for _matrix in (constraints.positive_definite, constraints.positive_semidefinite):
    transform_to.register(_matrix, lambda _: transforms.PositiveDefiniteTransform())
