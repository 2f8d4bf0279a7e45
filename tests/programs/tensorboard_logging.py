"""Scalars, histograms, images and the model's graph written for TensorBoard while training."""

import os
import time

import torch
from torch.utils.tensorboard import SummaryWriter


def main(prepare):
    torch.manual_seed(3)
    writer = SummaryWriter(log_dir=os.path.join("runs", time.strftime("%H%M%S")))
    x = torch.arange(-5, 5, 0.1).view(-1, 1)
    y = -5 * x + 0.1 * torch.sin(40 * x)
    model = prepare(torch.nn.Linear(1, 1))
    criterion = torch.nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    history = []
    for epoch in range(20):
        loss = criterion(model(x), y)
        writer.add_scalar("Loss/train", loss, epoch)
        writer.add_scalars("both", {"loss": loss, "lr": optimizer.param_groups[0]["lr"]}, epoch)
        optimizer.zero_grad()
        loss.backward()
        for name, weight in model.named_parameters():
            writer.add_histogram(name, weight, epoch)
            writer.add_histogram(f"{name}.grad", weight.grad, epoch)
        optimizer.step()
        history.append(loss.item())
    writer.add_image("noise", torch.rand(3, 8, 8), 0)
    writer.add_text("config", "one layer")
    writer.add_graph(model, x)
    writer.flush()
    writer.close()
    with SummaryWriter("runs/second") as second:
        second.add_scalar("accuracy", 0.5, global_step=1)
    files = [name for _, _, names in os.walk("runs") for name in names]
    assert len([name for name in files if name.startswith("events")]) >= 2
    return history
