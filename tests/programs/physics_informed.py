"""A physics-informed net: u'' = -u, u(0) = 0, u'(0) = 1, by second derivatives of the net."""

import math
from collections import OrderedDict

import torch


class DNN(torch.nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.depth = len(layers) - 1
        self.activation = torch.nn.Tanh
        layer_list = []
        for i in range(self.depth - 1):
            layer_list.append(("layer_%d" % i, torch.nn.Linear(layers[i], layers[i + 1])))
            layer_list.append(("activation_%d" % i, self.activation()))
        layer_list.append(("layer_%d" % (self.depth - 1), torch.nn.Linear(layers[-2], layers[-1])))
        self.layers = torch.nn.Sequential(OrderedDict(layer_list))

    def forward(self, x):
        return self.layers(x)


def derivative(u, t):
    return torch.autograd.grad(
        u, t, grad_outputs=torch.ones_like(u), retain_graph=True, create_graph=True
    )[0]


def main(prepare):
    model = prepare(DNN([1, 16, 16, 1]))
    t = torch.linspace(0, math.pi, 30, requires_grad=True).view(-1, 1)
    t0 = torch.zeros(1, 1, requires_grad=True)
    omega = torch.nn.Parameter(torch.tensor([1.0]), requires_grad=False)
    model.register_parameter("omega", omega)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.99)
    history = []
    for it in range(60):
        optimizer.zero_grad()
        u = model(t)
        u_t = derivative(u, t)
        u_tt = derivative(u_t, t)
        residual = u_tt + model.omega**2 * u
        u0 = model(t0)
        loss_ic = u0.square().sum() + (derivative(u0, t0) - 1).square().sum()
        loss = residual.pow(2).mean() + loss_ic
        loss.backward()
        optimizer.step()
        scheduler.step()
        history.append(loss.item())
        if it % 20 == 0:
            print("It: %d, Loss: %.3e, lr: %.3e" % (it, loss.item(), scheduler.get_last_lr()[0]))
    return history
