"""Models taken apart and put together: slices of Sequential, layers replaced by name, frozen parts,
counts of parameters, low-rank adapters, an exponential moving average by deepcopy, pickled copies.
"""

import copy
import io
import math
import pickle
from collections import OrderedDict
from typing import Optional

import numpy as np
import torch
import torch.nn as nn
from torch import Tensor
from torch import nn as tnn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parameters_to_vector, vector_to_parameters


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, rank: int = 2, alpha: Optional[float] = None):
        super().__init__()
        self.base = base
        self.base.requires_grad_(False)
        self.lora_A = nn.Parameter(base.weight.new_empty(rank, base.in_features))
        self.lora_B = nn.Parameter(base.weight.new_zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = (alpha or rank) / rank

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + (x @ self.lora_A.T @ self.lora_B.T) * self.scaling


class EMA:
    def __init__(self, model, decay=0.9):
        self.module = copy.deepcopy(model)
        self.module.eval()
        self.decay = decay
        for p in self.module.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def update(self, model):
        msd = model.state_dict()
        for k, v in self.module.state_dict().items():
            if torch.is_floating_point(v):
                v *= self.decay
                v += (1.0 - self.decay) * msd[k].detach()


def get_parent(model, name):
    parent, _, child = name.rpartition(".")
    return (model.get_submodule(parent) if parent else model), child


def main(prepare):
    rng = np.random.RandomState(0)
    x = torch.tensor(rng.randn(64, 6), dtype=torch.get_default_dtype())
    y = torch.tensor(rng.randint(0, 3, 64))
    backbone = nn.Sequential(
        OrderedDict(
            [
                ("fc1", nn.Linear(6, 16)),
                ("bn", nn.BatchNorm1d(16)),
                ("relu", nn.ReLU()),
                ("fc2", nn.Linear(16, 16)),
                ("act", nn.ReLU()),
                ("head", nn.Linear(16, 1000)),
            ]
        )
    )
    features = nn.Sequential(*list(backbone.children())[:-1])
    assert len(backbone[:-1]) == len(features) == 5
    model = prepare(nn.Sequential(features, nn.Linear(features[3].out_features, 3)))
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.ReLU):
            parent, child = get_parent(model, name)
            setattr(parent, child, tnn.SiLU(inplace=True))
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and module.out_features == 16:
            parent, child = get_parent(model, name)
            parent._modules[child] = prepare(LoRALinear(module))
    for m in model.modules():
        if isinstance(m, _BatchNorm):
            m.eval()
            m.weight.requires_grad = False
    total = sum(p.numel() for p in model.parameters())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    print(f"trainable params: {trainable} || all params: {total} || {100 * trainable / total:.2f}%")
    ema = EMA(model)
    optimizer = torch.optim.NAdam((p for p in model.parameters() if p.requires_grad), lr=0.02)
    history = []
    for _ in range(40):
        loss = nn.CrossEntropyLoss()(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        ema.update(model)
        history.append(loss.item())
    vector = parameters_to_vector(model.parameters())
    assert vector.shape == (total,)
    vector_to_parameters(vector, model.parameters())
    lora = {k: v for k, v in model.state_dict().items() if "lora_" in k}
    assert sorted(k.split(".")[-1] for k in lora) == ["lora_A", "lora_A", "lora_B", "lora_B"]
    again = pickle.loads(pickle.dumps(features[1]))
    torch.testing.assert_close(again.running_var, features[1].running_var)
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    ema.module.load_state_dict(torch.load(buffer))
    model.eval()
    assert torch.allclose(ema.module(x), model(x))
    return history
