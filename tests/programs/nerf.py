"""A scene learned from rays: encoded positions, density and colour, rendering by transmittance,
finer samples drawn where the weights are (a cumulative distribution inverted by searchsorted).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Encoder(nn.Module):
    def __init__(self, dims, n_freqs):
        super().__init__()
        self.register_buffer("freqs", 2.0 ** torch.linspace(0.0, n_freqs - 1, n_freqs))
        self.size = dims * (1 + 2 * n_freqs)

    def forward(self, x):
        scaled = x[..., None, :] * self.freqs[:, None]
        return torch.cat([x, torch.sin(scaled).flatten(-2), torch.cos(scaled).flatten(-2)], -1)


class NeRF(nn.Module):
    def __init__(self, size, width=32):
        super().__init__()
        self.first, self.second = nn.Linear(size, width), nn.Linear(width + size, width)
        self.alpha, self.rgb = nn.Linear(width, 1), nn.Linear(width, 3)

    def forward(self, x):
        h = torch.cat([F.relu(self.first(x)), x], dim=-1)
        h = F.relu(self.second(h))
        return torch.cat([self.rgb(h), self.alpha(h)], dim=-1)


def exclusive_cumprod(x):
    product = torch.cumprod(x, dim=-1)
    product = torch.roll(product, 1, -1)
    product[..., 0] = 1.0
    return product


def render(raw, z, rays_d):
    dists = z[..., 1:] - z[..., :-1]
    dists = torch.cat([dists, torch.full_like(dists[..., :1], 1e10)], dim=-1)
    dists = dists * torch.norm(rays_d[..., None, :], dim=-1)
    alpha = 1.0 - torch.exp(-F.softplus(raw[..., 3]) * dists)
    weights = alpha * exclusive_cumprod(1.0 - alpha + 1e-10)
    rgb = torch.einsum("rs,rsc->rc", weights, torch.sigmoid(raw[..., :3]))
    depth = torch.sum(weights * z, dim=-1)
    disp = 1.0 / torch.max(torch.full_like(depth, 1e-10), depth / weights.sum(-1).clamp_min(1e-8))
    return rgb, depth, disp, weights


def sample_pdf(bins, weights, n):
    pdf = (weights + 1e-5) / torch.sum(weights + 1e-5, -1, keepdim=True)
    cdf = torch.cumsum(pdf, dim=-1)
    cdf = torch.cat([torch.zeros_like(cdf[..., :1]), cdf], dim=-1)
    u = torch.linspace(0.02, 0.98, n).expand(list(cdf.shape[:-1]) + [n]).contiguous()
    inds = torch.searchsorted(cdf, u, right=True)
    below = torch.clamp(inds - 1, min=0)
    above = torch.clamp(inds, max=cdf.shape[-1] - 1)
    inds_g = torch.stack([below, above], dim=-1)
    shape = list(inds_g.shape[:-1]) + [cdf.shape[-1]]
    cdf_g = torch.gather(cdf.unsqueeze(-2).expand(shape), dim=-1, index=inds_g)
    bins_g = torch.gather(bins.unsqueeze(-2).expand(shape), dim=-1, index=inds_g)
    denom = cdf_g[..., 1] - cdf_g[..., 0]
    denom = torch.where(denom < 1e-5, torch.ones_like(denom), denom)
    t = (u - cdf_g[..., 0]) / denom
    return bins_g[..., 0] + t * (bins_g[..., 1] - bins_g[..., 0])


def get_rays(height, width, focal, c2w):
    i, j = torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")
    i, j = i.to(c2w), j.to(c2w)
    directions = torch.stack(
        [(i - width * 0.5) / focal, -(j - height * 0.5) / focal, -torch.ones_like(i)], dim=-1
    )
    rays_d = torch.sum(directions[..., None, :] * c2w[:3, :3], dim=-1)
    return c2w[:3, -1].expand(rays_d.shape), rays_d


def pose(theta):
    c, s = np.cos(theta), np.sin(theta)
    turn = torch.tensor([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1.0]])
    move = torch.eye(4)
    move[2, 3] = 4.0
    return turn @ move


def picture(rays_o, rays_d):
    """A red ball, lit from above, before blue."""
    d = F.normalize(rays_d, dim=-1)
    b = (rays_o * d).sum(-1)
    disc = b**2 - (rays_o.pow(2).sum(-1) - 1.0)
    hit = disc > 0
    point = rays_o + d * (-b - disc.clamp(min=0).sqrt()).unsqueeze(-1)
    light = 0.5 + 0.5 * point[..., 1:2].clamp(-1, 1)
    colour = torch.cat([light, 0.2 * light, 0.1 * light], dim=-1)
    return torch.where(hit[..., None], colour, torch.tensor([0.1, 0.1, 0.4], dtype=colour.dtype))


def chunks(inputs, size=256):
    return [inputs[i : i + size] for i in range(0, inputs.shape[0], size)]


def main(prepare):
    rng = np.random.RandomState(0)
    encode = Encoder(3, 3)
    coarse, fine = prepare(NeRF(encode.size)), prepare(NeRF(encode.size))
    views = [get_rays(12, 12, 14.0, pose(t).to(torch.get_default_dtype())) for t in (-0.4, 0, 0.4)]
    rays_o = torch.cat([o.reshape(-1, 3) for o, _ in views])
    rays_d = torch.cat([d.reshape(-1, 3) for _, d in views])
    rgb = picture(rays_o, rays_d)
    params = [*coarse.parameters(), *fine.parameters()]
    optimizer = torch.optim.Adam(params, lr=1e-2)
    decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.98)

    def run(model, o, d, z):
        points = o[..., None, :] + d[..., None, :] * z[..., :, None]
        flat = encode(points.reshape(-1, 3))
        raw = torch.cat([model(chunk) for chunk in chunks(flat)], dim=0)
        return render(raw.reshape(*points.shape[:2], 4), z, d)

    losses = []
    for step in range(40):
        pick = torch.from_numpy(rng.permutation(len(rays_o))[:64])
        o, d = rays_o[pick], rays_d[pick]
        z = torch.linspace(2.0, 6.0, 12).expand(64, 12)
        mids = 0.5 * (z[..., 1:] + z[..., :-1])
        upper, lower = torch.cat([mids, z[..., -1:]], -1), torch.cat([z[..., :1], mids], -1)
        z = lower + (upper - lower) * torch.from_numpy(rng.rand(64, 12)).to(z)
        first, _, _, weights = run(coarse, o, d, z)
        mids = 0.5 * (z[..., 1:] + z[..., :-1])
        finer = sample_pdf(mids, weights[..., 1:-1], 12).detach()
        z, _ = torch.sort(torch.cat([z, finer], dim=-1), dim=-1)
        second, depth, disp, _ = run(fine, o, d, z)
        loss = F.mse_loss(first, rgb[pick]) + F.mse_loss(second, rgb[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
        losses.append(loss.item())
    psnr = -10.0 * torch.log10(torch.tensor(losses[-1]))
    print(f"psnr {psnr:.2f}, depth {depth.mean():.2f}, disparity {disp.max():.3f}")
    return losses
