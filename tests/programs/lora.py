"""A pretrained classifier tuned by low-rank adapters: frozen layers, modules replaced by name,
only the adapters in the optimizer and in the file, weights merged for use.
"""

import math
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, r: int = 2, alpha: float = 4.0, dropout: float = 0.0):
        super().__init__()
        self.base = base
        self.r, self.scaling = r, alpha / r
        self.lora_A = nn.Parameter(base.weight.new_empty(r, base.in_features))
        self.lora_B = nn.Parameter(base.weight.new_zeros(base.out_features, r))
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))

    def forward(self, x):
        update = self.dropout(x) @ self.lora_A.T @ self.lora_B.T
        return self.base(x) + update * self.scaling

    @torch.no_grad()
    def merge(self):
        self.base.weight += self.scaling * self.lora_B @ self.lora_A
        return self.base

    def extra_repr(self):
        return f"r={self.r}, scaling={self.scaling}"


def inject(model, targets, **kwargs):
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and any(name.endswith(t) for t in targets):
            parent = model.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[-1], LoRALinear(module, **kwargs))
    return model


def count(model):
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    print(f"trainable: {trainable:,} of {total:,} ({100 * trainable / total:.2f}%)")


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(d, d) for _ in range(3))
        self.norm = nn.LayerNorm(d)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x):
        h = self.norm(x)
        q, k, v = self.q_proj(h), self.k_proj(h), self.v_proj(h)
        x = x + F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None]).squeeze(1)
        return x + self.mlp(x)


class Model(nn.Module):
    def __init__(self, vocab=12, d=16, classes=3):
        super().__init__()
        self.embed = nn.Embedding(vocab, d)
        self.blocks = nn.ModuleList([Block(d) for _ in range(2)])
        self.head = nn.Linear(d, classes)

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(dim=1))


def batches(rng, rule, count):
    for _ in range(count):
        ids = rng.randint(0, 12, (32, 6))
        yield torch.tensor(ids), torch.tensor(rule(ids))


def fit(model, data, lr):
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=lr, betas=(0.9, 0.95), weight_decay=0.01)
    for ids, labels in data:
        loss = F.cross_entropy(model(ids), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        yield loss.item()


def main(prepare):
    rng = np.random.RandomState(0)
    model = prepare(Model())
    losses = list(fit(model, batches(rng, lambda ids: ids.sum(1) % 3, 5), 3e-3))
    model.requires_grad_(False)
    inject(model, ["q_proj", "v_proj", "mlp.0", "mlp.2", "head"], r=4)
    for name, p in model.named_parameters():
        if "lora_" in name:
            p.requires_grad = True
            values = rng.standard_normal(tuple(p.shape)) / 4
            p.data = torch.from_numpy(values).to(p.dtype) if "_A" in name else torch.zeros_like(p)
    count(model)
    print(model.blocks[0])
    losses = list(fit(model, batches(rng, lambda ids: (ids > 5).sum(1) // 3, 60), 2e-2))
    adapters = {k: v for k, v in model.state_dict().items() if "lora_" in k}
    torch.save(adapters, "adapters.pt")
    print(f"{os.path.getsize('adapters.pt') / 1024:.1f} KB")
    ids = torch.arange(12).repeat(4, 1)[:, :6]
    model.eval()
    with torch.no_grad():
        before = model(ids)
        for name, module in list(model.named_modules()):
            if isinstance(module, LoRALinear):
                parent, _, child = name.rpartition(".")
                setattr(model.get_submodule(parent), child, module.merge())
        torch.testing.assert_close(model(ids), before, rtol=1e-4, atol=1e-5)
    keys = model.load_state_dict(torch.load("adapters.pt", weights_only=True), strict=False)
    assert len(keys.unexpected_keys) == len(adapters)
    return losses
