"""Learning-rate schedules, under PyTorch's names. e is the epoch, or the step, that is counted.

https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from tensorgrad.optim.cycles import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from tensorgrad.optim.optimizer import Group, Optimizer
from tensorgrad.optim.plateau import ReduceLROnPlateau
from tensorgrad.optim.scheduler import ChainedScheduler, LRScheduler, SequentialLR, checked

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]

_LRScheduler = LRScheduler  # the name that schedules of a program's own derive from, of old

Lambdas = Callable[[int], float] | list[Callable[[int], float]]


class LambdaLR(LRScheduler):
    """lr = initial lr * lr_lambda(e); one function, or one for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Lambdas, last_epoch: int = -1) -> None:
        self.lr_lambdas = one_each(self._name, optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [
            base * function(self.last_epoch)
            for base, function in zip(self.base_lrs, self.lr_lambdas, strict=True)
        ]

    def state_dict(self) -> Group:
        return state_with_lambdas(self)

    def load_state_dict(self, state_dict: Group) -> None:
        load_with_lambdas(self, state_dict)


class MultiplicativeLR(LRScheduler):
    """lr *= lr_lambda(e) at each step but the first."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Lambdas, last_epoch: int = -1) -> None:
        self.lr_lambdas = one_each(self._name, optimizer, lr_lambda)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch <= 0:
            return self.rates()
        return [
            rate * function(self.last_epoch)
            for rate, function in zip(self.rates(), self.lr_lambdas, strict=True)
        ]

    def state_dict(self) -> Group:
        return state_with_lambdas(self)

    def load_state_dict(self, state_dict: Group) -> None:
        load_with_lambdas(self, state_dict)


def one_each(name: str, optimizer: Optimizer, functions: Lambdas) -> list[Callable[[int], float]]:
    count = len(checked(name, optimizer).param_groups)
    if not isinstance(functions, list | tuple):
        return [functions] * count
    if len(functions) != count:
        raise ValueError(f"{name}: expected {count} functions, got {len(functions)}")
    return list(functions)


def state_with_lambdas(scheduler: Any) -> Group:
    """Functions have no state; objects that can be called have their attributes."""
    state = LRScheduler.state_dict(scheduler)
    state["lr_lambdas"] = [
        dict(vars(function)) if not hasattr(function, "__code__") else None
        for function in scheduler.lr_lambdas
    ]
    return state


def load_with_lambdas(scheduler: Any, state_dict: Group) -> None:
    state = dict(state_dict)
    for function, saved in zip(scheduler.lr_lambdas, state.pop("lr_lambdas"), strict=True):
        if saved is not None:
            vars(function).update(saved)
    scheduler.__dict__.update(state)


class StepLR(LRScheduler):
    """lr *= gamma every step_size epochs."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0 or self.last_epoch % self.step_size != 0:
            return self.rates()
        return [rate * self.gamma for rate in self.rates()]

    def closed_form(self) -> list[float]:
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """lr *= gamma at each of the milestones."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [rate * self.gamma ** self.milestones[self.last_epoch] for rate in self.rates()]

    def closed_form(self) -> list[float]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]


class ConstantLR(LRScheduler):
    """lr = initial lr * factor until epoch total_iters."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"ConstantLR: expected factor in [0, 1], got {factor}")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        change = {0: self.factor, self.total_iters: 1 / self.factor if self.factor else math.inf}
        if self.last_epoch == 0:
            return [rate * self.factor for rate in self.rates()]
        return [rate * change.get(self.last_epoch, 1.0) for rate in self.rates()]

    def closed_form(self) -> list[float]:
        factor = self.factor if self.last_epoch < self.total_iters else 1.0
        return [base * factor for base in self.base_lrs]


class LinearLR(LRScheduler):
    """lr = initial lr * a factor that goes from start_factor to end_factor in total_iters
    epochs.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(f"LinearLR: expected start_factor in (0, 1], got {start_factor}")
        if not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: expected end_factor in [0, 1], got {end_factor}")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        share = min(self.total_iters, epoch) / self.total_iters
        return self.start_factor + (self.end_factor - self.start_factor) * share

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return [rate * self.start_factor for rate in self.rates()]
        if self.last_epoch > self.total_iters:
            return self.rates()
        change = self.factor(self.last_epoch) / self.factor(self.last_epoch - 1)
        return [rate * change for rate in self.rates()]

    def closed_form(self) -> list[float]:
        return [base * self.factor(self.last_epoch) for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """lr = initial lr * gamma^e."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0:
            return self.rates()
        return [rate * self.gamma for rate in self.rates()]

    def closed_form(self) -> list[float]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class PolynomialLR(LRScheduler):
    """lr = initial lr * (1 - e / total_iters)^power, 0 from epoch total_iters on."""

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def factor(self, epoch: int) -> float:
        return float((1.0 - min(self.total_iters, epoch) / self.total_iters) ** self.power)

    def get_lr(self) -> list[float]:
        if self.last_epoch == 0 or self.last_epoch > self.total_iters:
            return self.rates()
        change = self.factor(self.last_epoch) / self.factor(self.last_epoch - 1)
        return [rate * change for rate in self.rates()]

    def closed_form(self) -> list[float]:
        return [base * self.factor(self.last_epoch) for base in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """lr = eta_min + (initial lr - eta_min) * (1 + cos(pi * e / T_max)) / 2.

    Loshchilov and Hutter 2017, without its restarts.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def height(self, epoch: int) -> float:
        return 1 + math.cos(math.pi * epoch / self.T_max)

    def get_lr(self) -> list[float]:
        epoch = self.last_epoch
        if epoch == 0:
            return self.rates()
        if self._step_count == 1:  # resumed: the present rate may be anything
            return self.closed_form()
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # at the bottom a factor says nothing
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            pairs = zip(self.base_lrs, self.rates(), strict=True)
            return [rate + (base - self.eta_min) * rise for base, rate in pairs]
        change = self.height(epoch) / self.height(epoch - 1)
        return [self.eta_min + (rate - self.eta_min) * change for rate in self.rates()]

    def closed_form(self) -> list[float]:
        half = self.height(self.last_epoch) / 2
        return [self.eta_min + (base - self.eta_min) * half for base in self.base_lrs]
