"""Learning-rate schedules: warm-up by LambdaLR, OneCycleLR a batch, SequentialLR, a plateau."""

import math

import numpy as np
import torch
import torch.nn as nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    LambdaLR,
    LinearLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
    _LRScheduler,
)


class WarmupPoly(_LRScheduler):
    def __init__(self, optimizer, warmup, total, last_epoch=-1):
        self.warmup, self.total = warmup, total
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        step = self.last_epoch
        if step < self.warmup:
            return [base_lr * (step + 1) / self.warmup for base_lr in self.base_lrs]
        return [base_lr * (1 - step / self.total) ** 0.9 for base_lr in self.base_lrs]


def get_cosine_schedule_with_warmup(optimizer: Optimizer, warmup: int, total: int):
    def lr_lambda(current_step):
        if current_step < warmup:
            return float(current_step) / float(max(1, warmup))
        progress = float(current_step - warmup) / float(max(1, total - warmup))
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * progress)))

    return LambdaLR(optimizer, lr_lambda)


def main(prepare):
    rng = np.random.RandomState(2)
    dtype = torch.get_default_dtype()
    x = torch.from_numpy(rng.randn(64, 4)).to(dtype)
    y = (x @ torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=dtype)).unsqueeze(1)
    kinds = {
        "lambda": (AdamW, lambda opt: get_cosine_schedule_with_warmup(opt, 5, 40)),
        "onecycle": (SGD, lambda opt: OneCycleLR(opt, max_lr=0.1, total_steps=40)),
        "sequential": (
            Adam,
            lambda opt: SequentialLR(
                opt,
                [LinearLR(opt, 0.1, total_iters=5), CosineAnnealingWarmRestarts(opt, T_0=10)],
                milestones=[5],
            ),
        ),
        "poly": (SGD, lambda opt: WarmupPoly(opt, 4, 50)),
        "plateau": (SGD, lambda opt: ReduceLROnPlateau(opt, "min", factor=0.5, patience=2)),
    }
    history = []
    for name, (kind, schedule) in kinds.items():
        model = prepare(nn.Linear(4, 1))
        optimizer = kind(model.parameters(), lr=0.05)
        scheduler = schedule(optimizer)
        assert isinstance(scheduler, LRScheduler)
        for _ in range(40):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            if isinstance(scheduler, ReduceLROnPlateau):
                scheduler.step(loss.item())
            else:
                scheduler.step()
            history.append(loss.item() + optimizer.param_groups[0]["lr"])
        print(name, optimizer.param_groups[0]["lr"], scheduler.get_last_lr())
    return history
