"""A denoising diffusion model of points on two moons: a noise schedule in buffers, sinusoidal
times, adaptive norms, a moving average of the weights that samples in the end.
"""

import copy
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def extract(a, t, x_shape):
    b, *_ = t.shape
    out = a.gather(-1, t)
    return out.reshape(b, *((1,) * (len(x_shape) - 1)))


def cosine_beta_schedule(timesteps, s=0.008):
    steps = timesteps + 1
    t = torch.linspace(0, timesteps, steps, dtype=torch.float64) / timesteps
    alphas_cumprod = torch.cos((t + s) / (1 + s) * math.pi * 0.5) ** 2
    alphas_cumprod = alphas_cumprod / alphas_cumprod[0]
    betas = 1 - (alphas_cumprod[1:] / alphas_cumprod[:-1])
    return torch.clip(betas, 0, 0.999)


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim, theta=10000):
        super().__init__()
        self.dim = dim
        self.theta = theta

    def forward(self, x):
        device = x.device
        half_dim = self.dim // 2
        emb = math.log(self.theta) / (half_dim - 1)
        emb = torch.exp(torch.arange(half_dim, device=device) * -emb)
        emb = x[:, None] * emb[None, :]
        return torch.cat((emb.sin(), emb.cos()), dim=-1)


class Block(nn.Module):
    def __init__(self, dim, time_dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.mlp = nn.Sequential(nn.SiLU(), nn.Linear(time_dim, dim * 2))
        self.ff = nn.Sequential(nn.Linear(dim, dim * 2), nn.GELU(), nn.Linear(dim * 2, dim))

    def forward(self, x, time_emb):
        scale, shift = self.mlp(time_emb).chunk(2, dim=1)
        return x + self.ff(self.norm(x) * (scale + 1) + shift)


class Denoiser(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.init = nn.Linear(2, dim)
        self.time_mlp = nn.Sequential(
            SinusoidalPosEmb(dim), nn.Linear(dim, dim * 2), nn.GELU(), nn.Linear(dim * 2, dim * 2)
        )
        self.blocks = nn.ModuleList([Block(dim, dim * 2) for _ in range(2)])
        self.final = nn.Sequential(nn.GroupNorm(4, dim), nn.SiLU(), nn.Linear(dim, 2))

    def forward(self, x, time):
        t = self.time_mlp(time)
        x = self.init(x)
        for block in self.blocks:
            x = block(x, t)
        return self.final(x)


class GaussianDiffusion(nn.Module):
    def __init__(self, model, timesteps=50):
        super().__init__()
        self.model = model
        betas = cosine_beta_schedule(timesteps)
        alphas = 1.0 - betas
        alphas_cumprod = torch.cumprod(alphas, dim=0)
        alphas_cumprod_prev = F.pad(alphas_cumprod[:-1], (1, 0), value=1.0)
        (timesteps,) = betas.shape
        self.num_timesteps = int(timesteps)
        register_buffer = lambda name, val: self.register_buffer(  # noqa: E731
            name, val.to(torch.get_default_dtype())
        )
        register_buffer("betas", betas)
        register_buffer("alphas_cumprod", alphas_cumprod)
        register_buffer("sqrt_alphas_cumprod", torch.sqrt(alphas_cumprod))
        register_buffer("sqrt_one_minus_alphas_cumprod", torch.sqrt(1.0 - alphas_cumprod))
        register_buffer("sqrt_recip_alphas_cumprod", torch.rsqrt(alphas_cumprod))
        register_buffer("sqrt_recipm1_alphas_cumprod", torch.sqrt(1.0 / alphas_cumprod - 1))
        mean_coef1 = betas * torch.sqrt(alphas_cumprod_prev) / (1.0 - alphas_cumprod)
        register_buffer("posterior_mean_coef1", mean_coef1)
        mean_coef2 = (1.0 - alphas_cumprod_prev) * torch.sqrt(alphas) / (1.0 - alphas_cumprod)
        register_buffer("posterior_mean_coef2", mean_coef2)
        variance = betas * (1.0 - alphas_cumprod_prev) / (1.0 - alphas_cumprod)
        register_buffer("posterior_log_variance", torch.log(variance.clamp(min=1e-20)))
        snr = alphas_cumprod / (1 - alphas_cumprod)
        register_buffer("loss_weight", snr.clone().clamp_(max=5) / snr)

    def q_sample(self, x_start, t, noise):
        return (
            extract(self.sqrt_alphas_cumprod, t, x_start.shape) * x_start
            + extract(self.sqrt_one_minus_alphas_cumprod, t, x_start.shape) * noise
        )

    def forward(self, x, noise):
        t = torch.from_numpy(np.random.randint(0, self.num_timesteps, (x.shape[0],))).long()
        out = self.model(self.q_sample(x, t, noise), t)
        loss = F.mse_loss(out, noise, reduction="none")
        loss = loss.mean(dim=tuple(range(1, loss.ndim)))
        return (loss * extract(self.loss_weight, t, loss.shape)).mean()

    @torch.inference_mode()
    def sample(self, noises):
        img = noises[0]
        for i in reversed(range(self.num_timesteps)):
            t = torch.full((img.shape[0],), i, dtype=torch.long)
            eps = self.model(img, t)
            x_start = (
                extract(self.sqrt_recip_alphas_cumprod, t, img.shape) * img
                - extract(self.sqrt_recipm1_alphas_cumprod, t, img.shape) * eps
            ).clamp_(-2, 2)
            mean = (
                extract(self.posterior_mean_coef1, t, img.shape) * x_start
                + extract(self.posterior_mean_coef2, t, img.shape) * img
            )
            noise = noises[i] if i > 0 else 0.0
            img = mean + (0.5 * extract(self.posterior_log_variance, t, img.shape)).exp() * noise
        return img


class EMA:
    def __init__(self, model, beta):
        self.ma_model = copy.deepcopy(model)
        self.ma_model.requires_grad_(False)
        self.beta = beta

    def update(self, model):
        for current, ma in zip(model.parameters(), self.ma_model.parameters()):
            ma.data.mul_(self.beta).add_(current.data, alpha=1 - self.beta)
        for current, ma in zip(model.buffers(), self.ma_model.buffers()):
            ma.data.copy_(current.data)


def two_moons(count):
    angle = np.random.rand(count) * math.pi
    upper = np.random.rand(count) < 0.5
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle)) - 0.5
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle)) - 0.25
    return np.stack([x, y], 1) + 0.05 * np.random.randn(count, 2)


def main(prepare):
    dtype = torch.get_default_dtype()
    diffusion = GaussianDiffusion(prepare(Denoiser()))
    ema = EMA(diffusion, 0.9)
    opt = torch.optim.Adam(diffusion.parameters(), lr=2e-3, betas=(0.9, 0.99))
    assert len(list(diffusion.buffers())) == 10
    losses = []
    for _ in range(60):
        x = torch.as_tensor(two_moons(128), dtype=dtype)
        noise = torch.tensor(np.random.randn(*x.shape), dtype=dtype)
        loss = diffusion(x, noise)
        loss.backward()
        nn.utils.clip_grad_norm_(diffusion.parameters(), 1.0)
        opt.step()
        opt.zero_grad()
        ema.update(diffusion)
        losses.append(loss.item())
    noises = torch.tensor(np.random.randn(50, 64, 2), dtype=dtype)
    samples = ema.ma_model.sample(noises)
    assert not samples.requires_grad
    losses.append(samples.abs().mean().item())
    return losses
