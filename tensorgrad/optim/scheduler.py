"""What all learning-rate schedules share, and those that combine others.

A schedule changes the `lr` of an optimizer's groups when its `step` is called, after an epoch or
after each batch. It works on the present `lr`, so that several schedules of one optimizer multiply.

https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate
"""

from __future__ import annotations

import warnings
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from tensorgrad._tensor import Tensor
from tensorgrad.optim.optimizer import Group, Optimizer


def set_option(group: Group, name: str, value: float) -> None:
    """group[name] = value; a tensor keeps its place and gets the number."""
    if isinstance(group[name], Tensor):
        group[name].fill_(value)
    else:
        group[name] = value


def number(value: Any) -> float:
    return float(value)


def checked(name: str, optimizer: Any) -> Optimizer:
    """The optimizer, or TypeError where it is none."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{name}: expected an Optimizer, got {type(optimizer).__name__}")
    return optimizer


class LRScheduler:
    """Base of all schedules: `get_lr` gives the groups' rates for the epoch `last_epoch`.

    last_epoch: the epoch to continue after; -1 starts, and the present rates are the initial ones.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = checked(self._name, optimizer)
        for place, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", number(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"{self._name}: expected 'initial_lr' in param_groups[{place}] when an "
                    "optimizer is resumed, got none"
                )
        self.base_lrs = [number(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self.start()

    @property
    def _name(self) -> str:
        return type(self).__name__

    def start(self) -> None:
        """The step that comes with making a schedule."""
        self._step_count = 0
        self.step()

    # ---- what a subclass defines

    def get_lr(self) -> list[float]:
        """The rates for `last_epoch`, from the present ones."""
        raise NotImplementedError

    def closed_form(self) -> list[float]:
        """The rates for any `last_epoch`, from the initial ones."""
        return self.get_lr()

    # ---- what users call

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch, or to `epoch`, and set the rates."""
        self._step_count += 1
        if self._step_count == 2 and not self.optimizer.stepped:
            warnings.warn(
                f"{self._name}.step: expected optimizer.step() before it, got none: the first rate "
                "is skipped",
                stacklevel=2,
            )
        if epoch is None:
            self.last_epoch += 1
            self.set_rates(self.get_lr())
        else:
            self.last_epoch = epoch
            self.set_rates(self.closed_form())

    def set_rates(self, rates: Sequence[float]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_option(group, "lr", rate)
        self._last_lr = self.rates()

    def rates(self) -> list[float]:
        return [number(group["lr"]) for group in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """The rates of the groups as this schedule last set them."""
        return self._last_lr

    # ---- state

    def state_dict(self) -> Group:
        """All that the schedule knows but its optimizer and its functions."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if name != "optimizer" and not callable(value)
        }

    def load_state_dict(self, state_dict: Group) -> None:
        self.__dict__.update(state_dict)


class SequentialLR(LRScheduler):
    """Each schedule in its turn: the next begins, from its start, at each of the milestones."""

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[Any],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        check_schedules(self._name, schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                f"SequentialLR: expected {len(schedulers) - 1} milestones for {len(schedulers)} "
                f"schedulers, got {len(milestones)}"
            )
        self.optimizer = optimizer
        self.schedulers = list(schedulers)
        self.milestones = milestones
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            set_option(group, "lr", group["initial_lr"])
        undo(self)  # making the schedulers has stepped each of them
        self.schedulers[0].start()
        self._last_lr = self.schedulers[0].get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        self.last_epoch += 1
        turn = bisect_right(self.milestones, self.last_epoch)
        scheduler = self.schedulers[turn]
        if turn > 0 and self.milestones[turn - 1] == self.last_epoch:
            scheduler.step(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def state_dict(self) -> Group:
        return nested_state(self)

    def load_state_dict(self, state_dict: Group) -> None:
        load_nested(self, state_dict)


class ChainedScheduler(LRScheduler):
    """All schedules at every step: their factors multiply."""

    def __init__(self, schedulers: Sequence[Any], optimizer: Optimizer | None = None) -> None:
        if not schedulers:
            raise ValueError("ChainedScheduler: expected at least one scheduler, got none")
        optimizer = optimizer or getattr(schedulers[0], "optimizer", None)
        check_schedules(self._name, schedulers, optimizer)
        self.optimizer = checked(self._name, optimizer)
        self.schedulers = list(schedulers)
        self._last_lr = self.rates()

    def step(self, epoch: int | None = None) -> None:
        for scheduler in self.schedulers:
            scheduler.step()
        self._last_lr = self.rates()

    def state_dict(self) -> Group:
        return nested_state(self)

    def load_state_dict(self, state_dict: Group) -> None:
        load_nested(self, state_dict)


def check_schedules(name: str, schedulers: Sequence[Any], optimizer: Any) -> None:
    if not schedulers:
        raise ValueError(f"{name}: expected at least one scheduler, got none")
    for place, scheduler in enumerate(schedulers):
        if not hasattr(scheduler, "optimizer"):
            raise TypeError(
                f"{name}: expected schedulers, got {type(scheduler).__name__} at index {place}"
            )
        if "metrics" in scheduler.step.__code__.co_varnames:
            raise ValueError(
                f"{name}: expected schedulers whose step takes no metrics, got "
                f"{type(scheduler).__name__} at index {place}"
            )
        if scheduler.optimizer is not optimizer:
            raise ValueError(
                f"{name}: expected schedulers of one optimizer, got another at index {place}"
            )


def undo(scheduler: Any) -> None:
    """Take back the step of every schedule inside."""
    for inner in getattr(scheduler, "schedulers", ()):
        undo(inner)
    if not hasattr(scheduler, "schedulers"):
        scheduler.last_epoch -= 1


def nested_state(scheduler: Any) -> Group:
    state = LRScheduler.state_dict(scheduler)
    state.pop("schedulers")
    return state | {"_schedulers": [inner.state_dict() for inner in scheduler.schedulers]}


def load_nested(scheduler: Any, state_dict: Group) -> None:
    state = dict(state_dict)
    for inner, saved in zip(scheduler.schedulers, state.pop("_schedulers"), strict=True):
        inner.load_state_dict(saved)
    scheduler.__dict__.update(state)
