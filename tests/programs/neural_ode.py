"""A spiral learned as an ordinary differential equation: a solver of fourth order, its gradient by
the adjoint equation in a custom Function over a flat vector of parameters.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector


def rk4(f, t, dt, y):
    k1 = f(t, y)
    k2 = f(t + dt / 2, y + dt * k1 / 2)
    k3 = f(t + dt / 2, y + dt * k2 / 2)
    k4 = f(t + dt, y + dt * k3)
    return y + dt * (k1 + 2 * k2 + 2 * k3 + k4) / 6


class Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y0, t, flat, func):
        ctx.func = func
        with torch.no_grad():
            ys = [y0]
            for t0, t1 in zip(t[:-1], t[1:]):
                ys.append(rk4(func, t0, t1 - t0, ys[-1]))
        ys = torch.stack(ys)
        ctx.save_for_backward(t, ys, flat)
        return ys

    @staticmethod
    def backward(ctx, grad_ys):
        t, ys, flat = ctx.saved_tensors
        func, params = ctx.func, tuple(ctx.func.parameters())
        shape, n = ys[0].shape, ys[0].numel()

        def dynamics(time, state):
            y, a = state[:n].view(shape), state[n : 2 * n].view(shape)
            with torch.enable_grad():
                y = y.detach().requires_grad_(True)
                f = func(time, y)
                grads = torch.autograd.grad(f, (y, *params), -a, allow_unused=True)
            parts = [torch.zeros_like(p) if g is None else g for g, p in zip(grads, (y, *params))]
            return torch.cat([f.detach().reshape(-1)] + [g.reshape(-1) for g in parts])

        with torch.no_grad():
            a, at = torch.zeros_like(ys[0]), flat.new_zeros(flat.size())
            for i in range(len(t) - 1, 0, -1):
                a = a + grad_ys[i]
                state = torch.cat([ys[i].flatten(), a.flatten(), at])
                state = rk4(dynamics, t[i], t[i - 1] - t[i], state)
                a, at = state[n : 2 * n].view(shape), state[2 * n :]
            a += grad_ys[0]
        return a, None, at, None


class ODEFunc(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2))
        for m in self.net.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0, std=0.1)
                nn.init.constant_(m.bias, val=0)
        self.register_buffer("calls", torch.tensor(0))

    def forward(self, t, y):
        self.calls += 1
        return self.net(y**3)


def main(prepare):
    rng = np.random.RandomState(0)
    true_a = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]])
    times = torch.linspace(0.0, 5.0, 60)
    ys = [torch.tensor([[2.0, 0.0]])]
    for t0, t1 in zip(times[:-1], times[1:]):
        ys.append(rk4(lambda _, y: torch.mm(y**3, true_a), t0, t1 - t0, ys[-1]))
    true_y = torch.stack(ys)
    func = prepare(ODEFunc())
    with torch.no_grad():
        for p in func.parameters():
            p *= 0.1
    optimizer = torch.optim.RMSprop(func.parameters(), lr=1e-2)
    losses = []
    for step in range(40):
        starts = torch.from_numpy(rng.choice(50, 8, replace=False))
        batch_y0 = true_y[starts]
        batch_y = torch.stack([true_y[starts + i] for i in range(6)], dim=0)
        flat = parameters_to_vector(func.parameters())
        pred = Adjoint.apply(batch_y0, times[:6], flat, func)
        loss = torch.mean(torch.abs(pred - batch_y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"Iter {step:04d} | Total Loss {loss.item():.6f} | calls {func.calls}")
    return losses
