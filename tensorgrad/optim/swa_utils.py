"""Averages of a model's weights along its training: stochastic weight averaging (the mean) and
exponential moving averages.

Izmailov et al. 2018; https://docs.pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from tensorgrad._tensor import Tensor
from tensorgrad.modes import no_grad
from tensorgrad.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from tensorgrad.nn.module import Module
from tensorgrad.ops.creation import tensor
from tensorgrad.optim.cycles import Rates, for_groups
from tensorgrad.optim.optimizer import Optimizer
from tensorgrad.optim.scheduler import LRScheduler

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

NORMS = (BatchNorm1d, BatchNorm2d, BatchNorm3d)
Average = Callable[[Any, Any, Any], Any]
Averages = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """average <- decay * average + (1 - decay) * current."""
    check_decay(decay)

    @no_grad()
    def ema_update(average: Any, current: Any, num_averaged: Any) -> Any:
        return decay * average + (1 - decay) * current

    return ema_update


def get_swa_avg_fn() -> Average:
    """average <- average + (current - average) / (num_averaged + 1): the mean of all."""

    @no_grad()
    def swa_update(average: Any, current: Any, num_averaged: Any) -> Any:
        return average + (current - average) / (num_averaged + 1)

    return swa_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Averages:
    """`get_ema_avg_fn` over lists of tensors, in place."""
    return over_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Averages:
    """`get_swa_avg_fn` over lists of tensors, in place."""
    return over_lists(get_swa_avg_fn())


def check_decay(decay: float) -> None:
    if not 0 <= decay <= 1:
        raise ValueError(f"get_ema_avg_fn: expected decay in [0, 1], got {decay}")


def over_lists(function: Average) -> Averages:
    @no_grad()
    def update(averages: Sequence[Tensor], currents: Sequence[Tensor], num_averaged: Any) -> None:
        for average, current in zip(averages, currents, strict=True):
            average.copy_(function(average, current, num_averaged))

    return update


class AveragedModel(Module):
    """A copy of `model` whose parameters are averages of its parameters; it is called like it.

    avg_fn(average, current, num_averaged) gives a new average, the mean unless told;
    multi_avg_fn(averages, currents, num_averaged) changes lists in place. use_buffers: buffers are
    averaged too, else they are copied.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Averages | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("AveragedModel: expected one of avg_fn and multi_avg_fn, got both")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, device=device))
        self.multi_avg_fn = multi_avg_fn or over_lists(avg_fn or get_swa_avg_fn())
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take the present weights of `model` into the averages."""
        averages, currents = self.averaged(self.module), self.averaged(model)
        count = int(self.n_averaged.item())
        with no_grad():
            if count == 0:
                for average, current in zip(averages, currents, strict=True):
                    average.copy_(current.detach())
            else:
                currents = [current.detach().to(a.device) for a, current in zip(averages, currents)]
                self.multi_avg_fn([a.detach() for a in averages], currents, count)
            if not self.use_buffers:
                for mine, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                    mine.copy_(theirs.detach())
            self.n_averaged.add_(1)

    def averaged(self, model: Module) -> list[Tensor]:
        if self.use_buffers:
            return list(itertools.chain(model.parameters(), model.buffers()))
        return list(model.parameters())


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of the model's batch norms anew, over the data of `loader`:
    averaged weights have not seen any. Of a batch that is a list the first part is the input.
    """
    norms = [module for module in model.modules() if isinstance(module, NORMS)]
    norms = [norm for norm in norms if norm.running_mean is not None]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    training = model.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    model.train()
    for batch in loader:
        x = batch[0] if isinstance(batch, list | tuple) else batch
        model(x if device is None else x.to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    model.train(training)


class SWALR(LRScheduler):
    """From the present rate to `swa_lr` in anneal_epochs steps, by a cosine or linearly; then
    constant.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Rates,
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"SWALR: expected anneal_strategy 'cos' or 'linear', got {anneal_strategy!r}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"SWALR: expected anneal_epochs >= 0, got {anneal_epochs}")
        rates = for_groups("SWALR", optimizer, swa_lr)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = rate
        self.anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def share(self, step: int) -> float:
        """How far the rate has come, from 0 to 1."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self.anneal_strategy == "cos" else t

    def get_lr(self) -> list[float]:
        step = self.last_epoch if self.anneal_epochs else max(1, self.last_epoch)
        before, now = self.share(step - 1), self.share(step)
        rates = []
        for group, rate in zip(self.optimizer.param_groups, self.rates(), strict=True):
            goal = group["swa_lr"]
            start = (rate - before * goal) / (1 - before) if before < 1 else goal
            rates.append(now * goal + (1 - now) * start)
        return rates
