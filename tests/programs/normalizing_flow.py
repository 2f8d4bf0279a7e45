"""A flow of affine couplings: masked nets, permutations in buffers, log-determinants, the base a
MultivariateNormal; inverted, and its determinant compared with the one of its Jacobian.
"""

import numpy as np
import torch
import torch.nn as nn
from torch.distributions import MultivariateNormal
from torch.func import jacrev, vmap


class CouplingLayer(nn.Module):
    def __init__(self, dim, hidden, mask):
        super().__init__()
        self.register_buffer("mask", mask)
        self.s = nn.Sequential(
            nn.Linear(dim, hidden), nn.LeakyReLU(), nn.Linear(hidden, dim), nn.Tanh()
        )
        self.t = nn.Sequential(nn.Linear(dim, hidden), nn.LeakyReLU(), nn.Linear(hidden, dim))
        self.rescale = nn.utils.parametrizations.weight_norm(Rescale(dim))

    def forward(self, x):
        fixed = x * self.mask
        s = self.rescale(self.s(fixed)) * (1 - self.mask)
        t = self.t(fixed) * (1 - self.mask)
        return fixed + (1 - self.mask) * (x * torch.exp(s) + t), s.sum(-1)

    def inverse(self, y):
        fixed = y * self.mask
        s = self.rescale(self.s(fixed)) * (1 - self.mask)
        t = self.t(fixed) * (1 - self.mask)
        return fixed + (1 - self.mask) * ((y - t) * torch.exp(-s))


class Rescale(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim, 1))

    def forward(self, x):
        return x * self.weight.squeeze(-1)


class RealNVP(nn.Module):
    def __init__(self, dim=3, hidden=16, layers=4):
        super().__init__()
        masks = [(torch.arange(dim) + i) % 2 for i in range(layers)]
        self.layers = nn.ModuleList(
            CouplingLayer(dim, hidden, mask.to(torch.get_default_dtype())) for mask in masks
        )
        for i in range(layers):
            self.register_buffer(f"order{i}", torch.roll(torch.arange(dim), i), persistent=False)
        self.register_buffer("loc", torch.zeros(dim))
        self.register_buffer("cov", torch.eye(dim))

    @property
    def prior(self):
        return MultivariateNormal(self.loc, self.cov)

    def forward(self, x):
        log_det = x.new_zeros(x.shape[:-1])
        for i, layer in enumerate(self.layers):
            x, more = layer(x[..., getattr(self, f"order{i}")])
            log_det = log_det + more
        return x, log_det

    def inverse(self, z):
        for i in reversed(range(len(self.layers))):
            z = self.layers[i].inverse(z)
            z = z[..., torch.argsort(getattr(self, f"order{i}"))]
        return z

    def log_prob(self, x):
        z, log_det = self(x)
        return self.prior.log_prob(z) + log_det


def main(prepare):
    dtype = torch.get_default_dtype()
    angle = np.random.rand(256) * 2 * np.pi
    points = np.stack([np.cos(angle), np.sin(angle), 0.5 * np.cos(2 * angle)], 1)
    x = torch.tensor(points + 0.05 * np.random.randn(256, 3), dtype=dtype)
    flow = prepare(RealNVP())
    assert "layers.0.rescale.parametrizations.weight.original0" in flow.state_dict()
    assert not any(key.startswith("order") for key in flow.state_dict())
    optimizer = torch.optim.Adam([p for p in flow.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for _ in range(60):
        loss = -flow.log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward(retain_graph=True)
        optimizer.step()
        losses.append(loss.item())
    z, log_det = flow(x)
    assert torch.allclose(flow.inverse(z), x, atol=1e-4)
    jacobians = vmap(jacrev(lambda point: flow(point)[0]))(x[:16])
    sign, by_jacobian = torch.linalg.slogdet(jacobians)
    assert torch.allclose(by_jacobian, log_det[:16], atol=1e-4)
    assert (sign.abs() == 1).all()
    return losses
