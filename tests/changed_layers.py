"""A layer of each library after one change to both, with the same weights, on the same numbers."""

import numpy as np
import pytest

import tensorgrad as tg
from tests import layer_samples


def close(actual, wanted, tolerance=1e-9):
    layer_samples.close(actual, wanted, tolerance)


def beside_torch(change, *layers):
    """The layer of each library after `change`, with PyTorch's state; and PyTorch."""
    torch = pytest.importorskip("torch")
    make = layers[0] if layers else lambda nn: nn.Linear(4, 3)
    ours, theirs = (change(make(library.nn).double()) for library in (tg, torch))
    state = {name: value.detach().numpy() for name, value in theirs.state_dict().items()}
    shapes = {name: value.shape for name, value in ours.state_dict().items()}
    assert shapes == {name: value.shape for name, value in state.items()}
    ours.load_state_dict({name: tg.tensor(value) for name, value in state.items()})
    return ours, theirs, torch


def same_steps(ours, theirs, torch, shape=(2, 4)):
    """Forward and gradients agree, twice in training and once in evaluation."""
    x = np.random.default_rng(0).normal(size=shape)
    for training in (True, True, False):
        results = []
        for library, layer in ((tg, ours), (torch, theirs)):
            layer.train(training)
            layer.zero_grad()
            out = layer(library.tensor(x))
            (out**2).sum().backward()
            results.append([out, *[p.grad for _, p in sorted(layer.named_parameters())]])
        for actual, wanted in zip(*results, strict=True):
            close(actual, wanted.detach().numpy())
