"""A loop in mixed precision: autocast, GradScaler, clipped gradients, gradient accumulation."""

import numpy as np
import torch
from torch import nn
from torch.cuda.amp import GradScaler

from tensorgrad import datasets


def main(prepare):
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    use_amp = True
    images, labels = datasets.digits(train=True)
    x = torch.from_numpy(images[:256].reshape(256, -1).astype(np.float32)).to(device)
    y = torch.from_numpy(labels[:256].astype(np.int64)).to(device)
    model = nn.Sequential(nn.Linear(64, 32), nn.LayerNorm(32), nn.ReLU(), nn.Linear(32, 10))
    model = prepare(model).to(device)
    opt = torch.optim.SGD(model.parameters(), lr=0.2)
    old = GradScaler(enabled=device == "cuda")
    assert old.is_enabled() == (device == "cuda")
    scaler = torch.amp.GradScaler(device, enabled=device == "cuda")
    losses = []
    for _ in range(8):
        for i in range(0, 256, 64):
            with torch.autocast(device_type=device, dtype=torch.bfloat16, enabled=use_amp):
                output = model(x[i : i + 64])
                assert output.dtype is torch.bfloat16
                loss = nn.functional.cross_entropy(output, y[i : i + 64])
                assert loss.dtype is torch.float32
            scaler.scale(loss).backward()
            scaler.unscale_(opt)
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
            scaler.step(opt)
            scaler.update()
            opt.zero_grad()
            losses.append(loss.item())
    checkpoint = {"model": model.state_dict(), "scaler": scaler.state_dict()}
    scaler.load_state_dict(checkpoint["scaler"])
    assert all(p.dtype == torch.float32 for p in model.parameters())
    return losses
