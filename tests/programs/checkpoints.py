"""Training that is resumed from a checkpoint, schedule included, gives the same curve."""

import copy
import os
import random

import numpy as np
import torch
import torch.nn as nn


def set_seed(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    if torch.cuda.is_available():
        torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


class EarlyStopping:
    def __init__(self, patience=7, delta=0.0):
        self.patience, self.delta, self.counter = patience, delta, 0
        self.best_score, self.early_stop = None, False

    def __call__(self, val_loss, model):
        score = -val_loss
        if self.best_score is None or score >= self.best_score + self.delta:
            self.best_score = score
            torch.save(model.state_dict(), "best.pt")
            self.counter = 0
        else:
            self.counter += 1
            self.early_stop = self.counter >= self.patience


def build(prepare):
    model = prepare(
        nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 1))
    )
    optimizer = torch.optim.Adam(
        [{"params": model[0].parameters()}, {"params": model[1:].parameters(), "lr": 5e-3}], lr=1e-2
    )
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    return model, optimizer, scheduler


def run(model, optimizer, scheduler, x, y, steps, history):
    for _ in range(steps):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        scheduler.step()
        history.append(float(loss))


def main(prepare):
    set_seed(42)
    rng = np.random.RandomState(0)
    x = torch.tensor(rng.randn(32, 3), dtype=torch.get_default_dtype())
    y = x.prod(dim=1, keepdim=True) + x.sum(dim=1, keepdim=True)
    model, optimizer, scheduler = build(prepare)
    history = []
    run(model, optimizer, scheduler, x, y, 20, history)
    os.makedirs("checkpoints", exist_ok=True)
    path = os.path.join("checkpoints", "last.pth")
    torch.save(
        {
            "epoch": 20,
            "model_state_dict": model.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "loss": history[-1],
            "rng_state": torch.get_rng_state(),
        },
        path,
    )
    straight = copy.deepcopy(history)
    run(model, optimizer, scheduler, x, y, 20, straight)

    model, optimizer, scheduler = build(lambda fresh: fresh)
    checkpoint = torch.load(path, map_location=lambda storage, loc: storage, weights_only=False)
    model.load_state_dict(checkpoint["model_state_dict"])
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    scheduler.load_state_dict(checkpoint["scheduler"])
    torch.set_rng_state(checkpoint["rng_state"])
    assert checkpoint["epoch"] == 20 and checkpoint["loss"] == history[-1]
    run(model, optimizer, scheduler, x, y, 20, history)
    assert history == straight

    stopping = EarlyStopping(patience=2)
    for value in [1.0, 0.5, 0.6, 0.7]:
        stopping(value, model)
    assert stopping.early_stop
    missing, unexpected = model.load_state_dict(torch.load("best.pt"), strict=False)
    assert not missing and not unexpected
    return history
