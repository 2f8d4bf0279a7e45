"""Schedules that go up and down: cycles, one cycle, warm restarts."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, Literal

from tensorgrad.optim.optimizer import Group, Optimizer
from tensorgrad.optim.scheduler import LRScheduler, checked, set_option

Rates = float | Sequence[float]


def for_groups(name: str, optimizer: Optimizer, value: Rates) -> list[float]:
    """One number for each group."""
    count = len(checked(name, optimizer).param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count  # type: ignore[list-item]
    if len(value) != count:
        raise ValueError(f"{name}: expected {count} values, one for each group, got {len(value)}")
    return list(value)


def momentum_option(name: str, optimizer: Optimizer) -> str:
    """Which option of the groups is their momentum."""
    for option in ("betas", "momentum"):
        if option in optimizer.defaults:
            return option
    raise ValueError(
        f"{name}: expected an optimizer with momentum or betas when cycle_momentum is set, got "
        f"{type(optimizer).__name__}"
    )


def set_momentum(group: Group, option: str, value: float) -> None:
    if option == "betas":
        group["betas"] = (value, *group["betas"][1:])
    else:
        set_option(group, option, value)


class CosineAnnealingWarmRestarts(LRScheduler):
    """lr = eta_min + (initial lr - eta_min) * (1 + cos(pi * t / T)) / 2, t from 0 to T and again; T
    is T_0 and, after each restart, T_mult times as long. `step` takes fractions of epochs.

    Loshchilov and Hutter 2017.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"CosineAnnealingWarmRestarts: expected a positive T_0, got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"CosineAnnealingWarmRestarts: expected T_mult >= 1, got {T_mult}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        half = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * half for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
        else:
            if epoch < 0:
                raise ValueError(f"step: expected an epoch >= 0, got {epoch}")
            self.T_i, self.T_cur = self.T_0, epoch
            if epoch >= self.T_0 and self.T_mult == 1:
                self.T_cur = epoch % self.T_0
            elif epoch >= self.T_0:
                passed = math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult)
                cycles = int(passed)
                self.T_cur = epoch - self.T_0 * (self.T_mult**cycles - 1) / (self.T_mult - 1)
                self.T_i = self.T_0 * self.T_mult**cycles
        self._step_count += 1
        self.last_epoch = math.floor(epoch)
        self.set_rates(self.get_lr())


class CyclicLR(LRScheduler):
    """lr between base_lr and max_lr, up in step_size_up steps and down in step_size_down; the
    momentum the other way.

    mode "triangular": each cycle alike; "triangular2": half the height of the one before;
    "exp_range": scaled by gamma^step. scale_fn: another factor, of the cycle's number or of the
    step as scale_mode says. Smith 2017.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Rates,
        max_lr: Rates,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Rates = 0.8,
        max_momentum: Rates = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(f"CyclicLR: expected a known mode or a scale_fn, got {mode!r}")
        if last_epoch == -1:
            rates = for_groups("CyclicLR", optimizer, base_lr)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                set_option(group, "lr", rate)
        self.max_lrs = for_groups("CyclicLR", optimizer, max_lr)
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self.scale_fn = scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else self.mode_of_scale(mode)
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.option = momentum_option("CyclicLR", optimizer)
            self.base_momentums = for_groups("CyclicLR", optimizer, base_momentum)
            self.max_momentums = for_groups("CyclicLR", optimizer, max_momentum)
            if last_epoch == -1:
                pairs = zip(optimizer.param_groups, self.max_momentums, strict=True)
                for group, momentum in pairs:
                    set_momentum(group, self.option, momentum)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = for_groups("CyclicLR", optimizer, base_lr)

    @staticmethod
    def mode_of_scale(mode: str) -> Literal["cycle", "iterations"]:
        return "iterations" if mode == "exp_range" else "cycle"

    def scale(self, x: float) -> float:
        if self.scale_fn is not None:
            return self.scale_fn(x)
        return float({"triangular2": 0.5 ** (x - 1), "exp_range": self.gamma**x}.get(self.mode, 1))

    def get_lr(self) -> list[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height *= self.scale(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            ranges = zip(self.base_momentums, self.max_momentums, strict=True)
            groups = self.optimizer.param_groups
            for group, (low, high) in zip(groups, ranges, strict=True):
                set_momentum(group, self.option, high - (high - low) * height)
        pairs = zip(self.base_lrs, self.max_lrs, strict=True)
        return [base + (top - base) * height for base, top in pairs]

    def state_dict(self) -> Group:
        state = super().state_dict()
        state.pop("scale_fn", None)
        return state


class OneCycleLR(LRScheduler):
    """One cycle in total_steps (or epochs * steps_per_epoch) steps: from max_lr / div_factor up to
    max_lr in pct_start of them, then down to initial / final_div_factor; the momentum the other
    way.

    anneal_strategy: "cos" or "linear". three_phase: down as steeply as up, then to the end. Smith
    and Topin 2018.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Rates,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: Rates = 0.85,
        max_momentum: Rates = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        name = "OneCycleLR"
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise ValueError(
                    f"{name}: expected total_steps, or epochs and steps_per_epoch, got neither"
                )
            total_steps = positive(name, "epochs", epochs)
            total_steps *= positive(name, "steps_per_epoch", steps_per_epoch)
        self.total_steps = positive(name, "total_steps", total_steps)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"{name}: expected pct_start, a float in [0, 1], got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"{name}: expected anneal_strategy 'cos' or 'linear', got {anneal_strategy!r}"
            )
        self.anneal_strategy = anneal_strategy
        rise = pct_start * total_steps - 1
        last = total_steps - 1.0
        # (end, from, to) of the rates and of the momenta, by the groups' options
        self.phases: list[tuple[float, str, str, str, str]] = [
            (rise, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        ]
        if three_phase:
            fall = 2 * pct_start * total_steps - 2
            back = (fall, "max_lr", "initial_lr", "base_momentum", "max_momentum")
            flat = (last, "initial_lr", "min_lr", "max_momentum", "max_momentum")
            self.phases += [back, flat]
        else:
            self.phases += [(last, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        tops = for_groups(name, optimizer, max_lr)
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, tops, strict=True):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
                set_option(group, "lr", group["initial_lr"])
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.option = momentum_option(name, optimizer)
            lows = for_groups(name, optimizer, base_momentum)
            highs = for_groups(name, optimizer, max_momentum)
            if last_epoch == -1:
                for group, low, high in zip(optimizer.param_groups, lows, highs, strict=True):
                    set_momentum(group, self.option, high)
                    group["max_momentum"], group["base_momentum"] = high, low
        super().__init__(optimizer, last_epoch)

    def between(self, start: float, end: float, share: float) -> float:
        if self.anneal_strategy == "cos":
            return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
        return start + (end - start) * share

    def get_lr(self) -> list[float]:
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"step: expected at most {self.total_steps} steps, got step {step + 1}"
            )
        ends = [phase[0] for phase in self.phases]
        turn = min(bisect_left(ends, step), len(ends) - 1)
        start = ends[turn - 1] if turn else 0.0
        share = (step - start) / (ends[turn] - start)
        names = self.phases[turn][1:]
        rates = []
        for group in self.optimizer.param_groups:
            values: list[Any] = [group.get(name) for name in names]
            rates.append(self.between(values[0], values[1], share))
            if self.cycle_momentum:
                set_momentum(group, self.option, self.between(values[2], values[3], share))
        return rates


def positive(name: str, what: str, value: int) -> int:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(f"{name}: expected {what}, a positive integer, got {value}")
    return value
