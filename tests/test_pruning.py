"""Pruning: what is taken out, stays out, and in which order it was done."""

import importlib

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.utils import prune
from tests.changed_layers import beside_torch, close, same_steps
from tests.layer_samples import host


def pruned(layer):
    return host(layer.weight_mask)


def test_l1_pruning_takes_the_smallest_and_keeps_them_out(backend):
    layer = nn.Linear(4, 2)
    weight = np.array([[1.0, -5, 2, 7], [-3, 8, 4, -6]], "float32")
    layer.load_state_dict({"weight": tg.tensor(weight), "bias": tg.zeros(2)})
    assert prune.l1_unstructured(layer, "weight", 2) is layer
    assert pruned(layer).tolist() == [[0, 1, 0, 1], [1, 1, 1, 1]]
    assert sorted(layer.state_dict()) == ["bias", "weight_mask", "weight_orig"]
    prune.l1_unstructured(layer, "weight", 0.5)
    assert pruned(layer).tolist() == [[0, 0, 0, 1], [0, 1, 0, 1]]
    assert prune.is_pruned(nn.Sequential(layer))
    x = tg.ones(1, 4)
    layer(x).sum().backward()
    np.testing.assert_array_equal(host(layer.weight_orig.grad), pruned(layer))
    optimizer = tg.optim.SGD(layer.parameters(), lr=1.0)
    optimizer.step()
    close(layer(x), (pruned(layer) * (weight - pruned(layer))).sum(1)[None] - 1, 1e-6)
    original = layer.weight_orig
    prune.remove(layer, "weight")
    assert layer.weight is original
    assert not prune.is_pruned(layer)
    np.testing.assert_array_equal(host(layer.weight) != 0, [[0, 0, 0, 1], [0, 1, 0, 1]])
    with pytest.raises(ValueError, match="remove: expected a pruned parameter"):
        prune.remove(layer, "weight")


def test_other_ways_of_pruning(backend):
    layer = prune.random_unstructured(nn.Linear(10, 10), "weight", 0.3)
    assert pruned(layer).sum() == 70
    prune.random_unstructured(layer, "weight", 10)
    assert pruned(layer).sum() == 60
    rows = prune.random_structured(nn.Linear(4, 6), "weight", 2, dim=0)
    assert sorted(pruned(rows).sum(1)) == [0, 0, 4, 4, 4, 4]
    columns = nn.Linear(3, 2)
    columns.load_state_dict({"weight": tg.tensor([[3.0, 1, 2], [3, 1, 2]]), "bias": tg.zeros(2)})
    prune.ln_structured(columns, "weight", 1, n=2, dim=1)
    prune.ln_structured(columns, "weight", 0.5, n=float("inf"), dim=-1)
    assert pruned(columns).tolist() == [[1, 0, 0], [1, 0, 0]]
    masked = prune.custom_from_mask(nn.Linear(2, 1), "weight", tg.tensor([[0, 1]]))
    assert pruned(masked).tolist() == [[0, 1]]
    assert pruned(prune.identity(nn.Linear(2, 1), "weight")).tolist() == [[1, 1]]
    scored = prune.l1_unstructured(
        nn.Linear(3, 1), "weight", 1, importance_scores=tg.tensor([[2.0, 1, 3]])
    )
    assert pruned(scored).tolist() == [[1, 0, 1]]


def test_global_pruning_compares_all(backend):
    first, second = nn.Linear(2, 2, bias=False), nn.Linear(2, 1, bias=False)
    first.load_state_dict({"weight": tg.tensor([[1.0, 6], [2, 5]])})
    second.load_state_dict({"weight": tg.tensor([[-3.0, 4]])})
    places = [(first, "weight"), (second, "weight")]
    prune.global_unstructured(places, prune.L1Unstructured, amount=3)
    assert pruned(first).tolist() == [[0, 1], [0, 1]]
    assert pruned(second).tolist() == [[0, 1]]
    for amount, error in ((-1, ValueError), (1.5, ValueError), ("all", TypeError), (9, ValueError)):
        with pytest.raises(error, match="prune: expected amount"):
            prune.l1_unstructured(nn.Linear(2, 2), "weight", amount)


def test_pruning_beside_torch():
    torch = pytest.importorskip("torch")

    def apply(module):
        library = tg if isinstance(module, nn.Module) else torch
        how = importlib.import_module(f"{library.__name__}.nn.utils.prune")
        with library.no_grad():
            module.weight.copy_(library.arange(12.0).reshape(3, 4).double().sin())
        how.l1_unstructured(module, "weight", 0.4)
        how.ln_structured(module, "weight", 0.5, n=2, dim=0)
        return module

    ours, theirs, torch = beside_torch(apply)
    np.testing.assert_array_equal(pruned(ours), theirs.weight_mask.numpy())
    same_steps(ours, theirs, torch)


def pruned_again(library):
    """A layer pruned four times, one of them by a method of the user's; its hook, and itself."""
    how = importlib.import_module(f"{library.__name__}.nn.utils.prune")

    class EverySecond(how.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    layer = library.nn.Linear(6, 5)
    with library.no_grad():
        layer.weight.copy_(library.arange(30.0).reshape(5, 6).sin())
        layer.bias.copy_(library.arange(5.0))
    how.l1_unstructured(layer, "bias", 2)
    how.l1_unstructured(layer, "weight", 4)
    how.ln_structured(layer, "weight", 0.3, n=1, dim=1)
    EverySecond.apply(layer, "weight")
    how.global_unstructured([(layer, "weight"), (layer, "bias")], how.L1Unstructured, amount=3)
    return layer, how


def described(layer):
    """What the pruning tutorial prints of a pruned layer's hooks."""
    return [
        (hook._tensor_name, [type(method).__name__ for method in hook])
        for hook in layer._forward_pre_hooks.values()
    ]


def test_pruned_again_and_again_keeps_its_history():
    layer, how = pruned_again(tg)
    weight = ["L1Unstructured", "LnStructured", "EverySecond", "CustomFromMask"]
    history = [("weight", weight), ("bias", ["L1Unstructured", "CustomFromMask"])]
    assert described(layer) == history
    assert list(layer.state_dict()) == ["bias_orig", "weight_orig", "bias_mask", "weight_mask"]
    hook = next(iter(layer._forward_pre_hooks.values()))
    assert isinstance(hook, how.PruningContainer)
    assert len(hook) == 4
    assert hook[0].amount == 4
    with pytest.raises(ValueError, match="expected methods of 'weight', got one of 'bias'"):
        hook.add_pruning_method(list(layer._forward_pre_hooks.values())[1][0])
    with pytest.raises(TypeError, match="PruningContainer: expected a pruning method, got 3"):
        hook.add_pruning_method(3)
    with pytest.raises(ValueError, match="prune: expected a tensor with channels"):
        how.random_structured(layer, "bias", 1, dim=0)
    assert described(layer) == history
    layer._forward_pre_hooks.clear()
    assert not how.is_pruned(layer)

    torch = pytest.importorskip("torch")
    ours, theirs = pruned_again(tg)[0], pruned_again(torch)[0]
    assert described(ours) == described(theirs)
    for name in ("weight_mask", "bias_mask", "weight"):
        close(getattr(ours, name), getattr(theirs, name).detach().numpy(), 1e-6)
    for library, layer in ((tg, ours), (torch, theirs)):
        importlib.import_module(f"{library.__name__}.nn.utils.prune").remove(layer, "weight")
    assert list(ours.state_dict()) == list(theirs.state_dict())
