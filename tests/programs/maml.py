"""Learning to learn: sine curves fitted by a few steps of gradient descent whose own gradients are
followed back, with functional calls, vmap over the tasks and gradients of gradients.
"""

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, grad, vmap


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(1, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1)
        )

    def forward(self, x):
        return self.layers(x)


def tasks(rng, count, shots=8):
    amplitude, phase = rng.uniform(0.5, 3, (count, 1, 1)), rng.uniform(0, np.pi, (count, 1, 1))
    x = rng.uniform(-4, 4, (count, 2 * shots, 1))
    y = amplitude * np.sin(x + phase)
    x, y = (torch.as_tensor(a, dtype=torch.get_default_dtype()) for a in (x, y))
    return x[:, :shots], y[:, :shots], x[:, shots:], y[:, shots:]


def main(prepare):
    rng = np.random.RandomState(0)
    net = prepare(Net())
    params = dict(net.named_parameters())
    optimizer = torch.optim.Adam(params.values(), lr=5e-3)

    def mse(params, x, y):
        return ((functional_call(net, params, (x,)) - y) ** 2).mean()

    def adapted(params, x, y, steps=2, lr=0.02):
        for _ in range(steps):
            grads = grad(mse)(params, x, y)
            params = {k: params[k] - lr * grads[k] for k in params}
        return params

    def outer(params, x1, y1, x2, y2):
        return mse(adapted(params, x1, y1), x2, y2)

    losses = []
    for step in range(40):
        losses_of_tasks = vmap(outer, in_dims=(None, 0, 0, 0, 0))(params, *tasks(rng, 8))
        loss = losses_of_tasks.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 0:
            print(f"{step:3d} {loss.item():.3f} +- {losses_of_tasks.std():.3f}")
    # the other way: the graph kept through torch.autograd.grad
    x1, y1, x2, y2 = (t[0] for t in tasks(rng, 1))
    fast = {k: v.clone() for k, v in params.items()}
    for _ in range(2):
        inner = mse(fast, x1, y1)
        grads = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
        fast = {k: w - 0.02 * g for (k, w), g in zip(fast.items(), grads)}
    by_graph = torch.autograd.grad(mse(fast, x2, y2), list(params.values()))
    by_func = grad(outer)({k: v.detach() for k, v in params.items()}, x1, y1, x2, y2)
    for (name, g), h in zip(by_func.items(), by_graph):
        assert torch.allclose(g, h, atol=1e-4, rtol=1e-3), name
    return losses
