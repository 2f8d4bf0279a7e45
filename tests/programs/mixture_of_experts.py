"""A small Llama: rotary positions, RMS norm, SwiGLU experts chosen by a router with a balancing
loss, grouped heads, decay by the number of dimensions, and text written with a cache, top-k and p.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Args:
    dim: int = 32
    layers: int = 2
    heads: int = 4
    kv_heads: int = 2
    vocab: int = 16
    experts: int = 4
    active: int = 2
    hidden: int = 32
    length: int = 24


def rotations(dim, length, base=10000.0):
    freqs = 1.0 / (base ** (torch.arange(0, dim, 2)[: dim // 2].double() / dim))
    angles = torch.outer(torch.arange(length, dtype=torch.float64), freqs)
    return torch.polar(torch.ones_like(angles), angles)


def rotated(x, freqs):
    pairs = torch.view_as_complex(x.double().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * freqs[:, None]).flatten(3).type_as(x)


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class Attention(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.heads, self.kv_heads, self.size = a.heads, a.kv_heads, a.dim // a.heads
        self.wq = nn.Linear(a.dim, a.heads * self.size, bias=False)
        self.wk = nn.Linear(a.dim, a.kv_heads * self.size, bias=False)
        self.wv = nn.Linear(a.dim, a.kv_heads * self.size, bias=False)
        self.wo = nn.Linear(a.heads * self.size, a.dim, bias=False)

    def forward(self, x, freqs, cache=None):
        b, t, _ = x.shape
        q = rotated(self.wq(x).view(b, t, self.heads, self.size), freqs)
        k = rotated(self.wk(x).view(b, t, self.kv_heads, self.size), freqs)
        v = self.wv(x).view(b, t, self.kv_heads, self.size)
        if cache is not None:
            cache.append((k, v))
            k, v = (torch.cat(parts, dim=1) for parts in zip(*cache))
        q, k, v = (y.transpose(1, 2) for y in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=t > 1, enable_gqa=True)
        return self.wo(y.transpose(1, 2).contiguous().view(b, t, -1))


class Expert(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.w1, self.w3 = nn.Linear(dim, hidden, bias=False), nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class MoE(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.active = a.active
        self.gate = nn.Linear(a.dim, a.experts, bias=False)
        self.experts = nn.ModuleList(Expert(a.dim, a.hidden) for _ in range(a.experts))

    def forward(self, x):
        shape, x = x.shape, x.flatten(0, -2)
        scores = self.gate(x).softmax(dim=-1)
        weights, chosen = torch.topk(scores, self.active, dim=-1)
        weights /= weights.sum(-1, keepdim=True)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            token, place = torch.where(chosen == i)
            if token.numel() == 0:
                continue
            out.index_add_(0, token, expert(x[token]) * weights[token, place, None])
        load = F.one_hot(chosen, len(self.experts)).sum(1).to(x.dtype).mean(0)
        self.balance = len(self.experts) * (load * scores.mean(0)).sum()
        return out.view(shape)


class Block(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.attention, self.moe = Attention(a), MoE(a)
        self.attention_norm, self.moe_norm = RMSNorm(a.dim), RMSNorm(a.dim)

    def forward(self, x, freqs, cache=None):
        x = x + self.attention(self.attention_norm(x), freqs, cache)
        return x + self.moe(self.moe_norm(x))


class Transformer(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.embed = nn.Embedding(a.vocab, a.dim)
        self.blocks = nn.ModuleList([Block(a) for _ in range(a.layers)])
        self.norm = RMSNorm(a.dim)
        self.output = nn.Linear(a.dim, a.vocab, bias=False)
        self.output.weight = self.embed.weight
        self.register_buffer("freqs", rotations(a.dim // a.heads, a.length), persistent=False)

    def forward(self, ids, start=0, caches=None):
        x = self.embed(ids)
        freqs = self.freqs[start : start + ids.size(1)]
        for i, block in enumerate(self.blocks):
            x = block(x, freqs, None if caches is None else caches[i])
        return self.output(self.norm(x))

    def groups(self, decay):
        params = {n: p for n, p in self.named_parameters() if p.requires_grad}
        return [
            {"params": [p for p in params.values() if p.dim() >= 2], "weight_decay": decay},
            {"params": [p for p in params.values() if p.dim() < 2], "weight_decay": 0.0},
        ]

    @torch.inference_mode()
    def generate(self, ids, count, temperature=0.8, top_k=8, top_p=0.9):
        caches, start, new = [[] for _ in self.blocks], 0, ids
        for _ in range(count):
            logits = self(new, start, caches)[:, -1, :] / temperature
            v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
            logits[logits < v[:, [-1]]] = -float("Inf")
            probs, order = logits.softmax(-1).sort(dim=-1, descending=True)
            probs[probs.cumsum(-1) - probs > top_p] = 0.0
            probs.div_(probs.sum(dim=-1, keepdim=True))
            start += new.size(1)
            new = order.gather(-1, torch.multinomial(probs, num_samples=1))
            ids = torch.cat((ids, new), dim=1)
        return ids


def main(prepare):
    rng = np.random.RandomState(0)
    args = Args()
    model = prepare(Transformer(args))
    with torch.no_grad():
        model.embed.weight.mul_(0.3)
    optimizer = torch.optim.AdamW(model.groups(0.1), lr=1e-2, betas=(0.9, 0.95), fused=False)
    warm, total = 5, 40

    def rate(step):
        if step < warm:
            return (step + 1) / warm
        return 0.1 + 0.45 * (1.0 + math.cos(math.pi * (step - warm) / (total - warm)))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    losses = []
    for step in range(total):
        optimizer.zero_grad(set_to_none=True)
        for _ in range(2):  # gradients of two small batches make one step
            starts = rng.randint(0, args.vocab, (8, 1))
            text = torch.from_numpy((starts + 3 * np.arange(13)) % args.vocab)
            logits = model(text[:, :-1])
            loss = F.cross_entropy(logits.reshape(-1, args.vocab), text[:, 1:].reshape(-1))
            balance = sum(block.moe.balance for block in model.blocks)
            ((loss + 0.01 * balance) / 2).backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        if step % 10 == 0:
            print(f"step {step} loss {loss.item():.4f} norm {norm:.2f}")
    model.eval()
    ids = torch.tensor([[1, 4, 7]])
    written = model.generate(ids, 12)
    assert written.shape == (1, 15)
    with torch.no_grad():
        caches = [[] for _ in model.blocks]
        by_steps = [model(written[:, i : i + 1], i, caches) for i in range(15)]
        torch.testing.assert_close(torch.cat(by_steps, 1), model(written), atol=1e-4, rtol=1e-3)
    return losses
