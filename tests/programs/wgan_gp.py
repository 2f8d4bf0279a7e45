"""A Wasserstein GAN with gradient penalty, an averaged generator, spectral norms, residual blocks
of 1-d convolutions, and a critic attacked by projected gradient steps at the end.
"""

import copy

import numpy as np
import torch
from torch import autograd, nn, optim
from torch.nn.utils.parametrizations import spectral_norm


class ResBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.block = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv1d(channels, channels, 5, padding="same", padding_mode="circular"),
            nn.LeakyReLU(0.2),
            nn.Conv1d(channels, channels, 1),
        )

    def forward(self, input):
        return input + 0.3 * self.block(input)


class Generator(nn.Module):
    def __init__(self, noise, length, channels=8):
        super().__init__()
        self.shape = channels, length // 2
        self.fc = nn.Linear(noise, channels * length // 2)
        self.blocks = nn.Sequential(ResBlock(channels), nn.InstanceNorm1d(channels, affine=True))
        self.up = nn.Upsample(scale_factor=2, mode="linear", align_corners=False)
        self.out = nn.Conv1d(channels, 1, 3, padding=1)

    def forward(self, z):
        x = self.fc(z).view(-1, *self.shape)
        return torch.tanh(self.out(self.up(self.blocks(x))))


class Critic(nn.Module):
    def __init__(self, length, channels=8):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, channels, 5, stride=2, padding=2), ResBlock(channels), nn.Flatten()
        )
        self.out = nn.Linear(channels * length // 2, 1)

    def forward(self, x):
        return self.out(self.net(x)).squeeze(-1)


def gradient_penalty(critic, real, fake, alpha, weight=10.0):
    alpha = alpha.view(-1, 1, 1).expand_as(real)
    mixed = autograd.Variable(alpha * real + (1 - alpha) * fake, requires_grad=True)
    scores = critic(mixed)
    gradients = autograd.grad(
        outputs=scores,
        inputs=mixed,
        grad_outputs=torch.ones(scores.size()),
        create_graph=True,
        retain_graph=True,
        only_inputs=True,
    )[0]
    gradients = gradients.view(gradients.size(0), -1)
    return weight * ((gradients.norm(2, dim=1) - 1) ** 2).mean()


def waves(rng, count, length):
    t = np.linspace(0, 2 * np.pi, length, endpoint=False)
    return np.sin(t + rng.uniform(0, 0.5, (count, 1))) * rng.uniform(0.6, 1, (count, 1))


def tensor(values):
    return torch.as_tensor(values, dtype=torch.get_default_dtype())


def main(prepare):
    rng = np.random.RandomState(0)
    length, noise, batch = 16, 4, 24
    generator, critic = prepare(Generator(noise, length)), prepare(Critic(length))
    average = copy.deepcopy(generator).eval().requires_grad_(False)
    g_optimizer = optim.Adam(generator.parameters(), lr=4e-3, betas=(0.0, 0.9))
    c_optimizer = optim.Adam(critic.parameters(), lr=4e-3, betas=(0.0, 0.9))
    distances = []
    for step in range(25):
        for p in critic.parameters():
            p.requires_grad = True
        for _ in range(3):
            real = tensor(waves(rng, batch, length)).unsqueeze(1)
            with torch.no_grad():
                fake = generator(tensor(rng.randn(batch, noise)))
            c_optimizer.zero_grad()
            loss = critic(fake).mean() - critic(real).mean()
            penalty = gradient_penalty(critic, real.data, fake.data, tensor(rng.rand(batch)))
            (loss + penalty).backward()
            c_optimizer.step()
        for p in critic.parameters():
            p.requires_grad = False
        g_optimizer.zero_grad()
        fake = generator(tensor(rng.randn(batch, noise)))
        (-critic(fake).mean()).backward()
        g_optimizer.step()
        with torch.no_grad():
            for ema, p in zip(average.parameters(), generator.parameters()):
                ema.lerp_(p.data, 0.1)
            distances.append((fake.mean(0) - real.mean(0)).abs().mean().item())
        print(f"[{step}] W {-loss.item():.4f} GP {penalty.item():.4f}")
    critic.requires_grad_(True)
    smooth = spectral_norm(critic.out)
    assert "parametrizations.weight.original" in smooth.state_dict()
    x = real.clone().detach()
    start = x.clone()
    for _ in range(3):
        x.requires_grad_()
        grad = autograd.grad(critic(x).sum(), [x])[0]
        x = x.detach() - 0.02 * grad.sign()
        x = torch.min(torch.max(x, start - 0.05), start + 0.05).clamp(-1, 1)
    assert critic(x).mean() < critic(start).mean()
    return distances
