"""A mixture density network: the inverse of a function that is none, as a mixture of normals whose
weights, means and deviations a net gives; by log-sum-exp by hand and by torch.distributions.
"""

import math

import numpy as np
import torch
import torch.distributions as D
import torch.nn as nn

ONEOVERSQRT2PI = 1.0 / math.sqrt(2 * math.pi)
LOG2PI = math.log(2 * math.pi)


class MDN(nn.Module):
    def __init__(self, in_features, out_features, num_gaussians, hidden=24):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.num_gaussians = num_gaussians
        self.body = nn.Sequential(nn.Linear(in_features, hidden), nn.Tanh())
        self.pi = nn.Sequential(nn.Linear(hidden, num_gaussians), nn.Softmax(dim=1))
        self.sigma = nn.Linear(hidden, out_features * num_gaussians)
        self.mu = nn.Linear(hidden, out_features * num_gaussians)

    def forward(self, minibatch):
        h = self.body(minibatch)
        pi = self.pi(h)
        sigma = torch.exp(self.sigma(h))
        sigma = sigma.view(-1, self.num_gaussians, self.out_features)
        mu = self.mu(h).view(-1, self.num_gaussians, self.out_features)
        return pi, sigma, mu


def mdn_loss(pi, sigma, mu, target):
    target = target.unsqueeze(1).expand_as(sigma)
    log_component = -torch.log(sigma) - 0.5 * LOG2PI - 0.5 * ((target - mu) / sigma).pow(2)
    log_mix = torch.log(pi) + log_component.sum(-1)
    return -torch.logsumexp(log_mix, dim=1).mean()


def mixture(pi, sigma, mu):
    components = D.Independent(D.Normal(mu, sigma), 1)
    return D.MixtureSameFamily(D.Categorical(probs=pi), components)


def sample(pi, sigma, mu, draws, noise):
    """A component for each point by its cumulated weights, then a value of it."""
    pis = (draws.unsqueeze(1) < pi.cumsum(1)).to(torch.uint8).argmax(1)
    pick = pis.view(-1, 1, 1).expand(-1, 1, mu.size(2))
    return (mu.gather(1, pick) + sigma.gather(1, pick) * noise.unsqueeze(1)).squeeze(1)


def main(prepare):
    dtype = torch.get_default_dtype()
    y = np.random.uniform(-10, 10, (256, 1))
    x = 7 * np.sin(0.75 * y) + 0.5 * y + 0.5 * np.random.normal(size=y.shape)
    x, y = torch.tensor(x / 10, dtype=dtype), torch.tensor(y / 10, dtype=dtype)
    model = prepare(MDN(1, 1, 5))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-3)
    history = []
    for epoch in range(80):
        pi, sigma, mu = model(x)
        loss = (
            mdn_loss(pi, sigma, mu, y) if epoch % 2 else -mixture(pi, sigma, mu).log_prob(y).mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item() + 2)
    with torch.no_grad():
        pi, sigma, mu = model(x)
        by_hand = mdn_loss(pi, sigma, mu, y)
        known = mixture(pi, sigma, mu)
        assert torch.allclose(by_hand, -known.log_prob(y).mean(), rtol=1e-4)
        assert known.mean.shape == known.variance.shape == y.shape
        assert torch.allclose((pi.unsqueeze(-1) * mu).sum(1), known.mean, rtol=1e-4, atol=1e-6)
        draws = torch.tensor(np.random.rand(256), dtype=dtype)
        noise = torch.tensor(np.random.randn(256, 1), dtype=dtype)
        drawn = sample(pi, sigma, mu, draws, noise)
    history.append(drawn.std().item())
    return history
