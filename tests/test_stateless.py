"""Modules called as functions of their parameters, and gradients in batches, beside PyTorch's."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import outcome

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
WEIGHT, BIAS, X = RNG.standard_normal((2, 3)), RNG.standard_normal(2), RNG.standard_normal((4, 3))


def tensors(m, **arrays):
    return {name: m.tensor(array, requires_grad=True) for name, array in arrays.items()}


def linear(m):
    return m.nn.Linear(3, 2, dtype=m.float64)


def same(mine, other):
    np.testing.assert_allclose(
        mine.detach().numpy(), other.detach().numpy(), rtol=1e-12, atol=1e-12
    )


def test_functional_call_computes_with_what_is_given():
    found = []
    for m in (tg, torch):
        layer = linear(m)
        before = {name: value.detach().clone() for name, value in layer.named_parameters()}
        given = tensors(m, weight=WEIGHT, bias=BIAS)
        y = m.func.functional_call(layer, given, m.tensor(X))
        y.sum().backward()
        assert layer.weight.grad is None
        for name, value in layer.named_parameters():
            assert bool((value == before[name]).all())
        found.append((y, given["weight"].grad, given["bias"].grad))
    for mine, other in zip(*found):
        same(mine, other)


def test_functional_call_takes_part_of_the_names_several_dicts_and_keywords():
    layer = linear(tg)
    y = tg.func.functional_call(layer, {"bias": tg.tensor(BIAS)}, (), {"input": tg.tensor(X)})
    assert tg.allclose(y, tg.tensor(X) @ layer.weight.T + tg.tensor(BIAS))
    pair = tensors(tg, weight=WEIGHT), tensors(tg, bias=BIAS)
    y = tg.func.functional_call(layer, pair, (tg.tensor(X),))
    same(y, torch.tensor(X) @ torch.tensor(WEIGHT).T + torch.tensor(BIAS))


def tied(m):
    class Twice(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = m.nn.Linear(2, 2, bias=False, dtype=m.float64)
            self.second = m.nn.Linear(2, 2, bias=False, dtype=m.float64)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.second(self.first(x))

    return Twice()


@pytest.mark.parametrize("name", ["first.weight", "second.weight"])
def test_functional_call_replaces_what_is_tied_together(name):
    weight, x = WEIGHT[:, :2].copy(), X[:, :2].copy()
    outputs = []
    for m in (tg, torch):
        outputs.append(m.func.functional_call(tied(m), {name: m.tensor(weight)}, m.tensor(x)))
    same(*outputs)
    model = tied(tg)
    apart = tg.func.functional_call(
        model, {"first.weight": tg.tensor(weight)}, tg.tensor(x), tie_weights=False
    )
    inner = tg.tensor(x) @ tg.tensor(weight).T
    assert tg.allclose(apart, inner @ model.second.weight.T)


def test_a_module_is_as_before_when_its_forward_fails():
    layer = linear(tg)
    weight = layer.weight
    with pytest.raises(tg.ShapeError):
        tg.func.functional_call(layer, tensors(tg, weight=WEIGHT), tg.ones(5, dtype=tg.float64))
    assert layer.weight is weight


FAULTS = [
    lambda m: m.func.functional_call(linear(m), {"weight": m.ones(2, 3)}, m.ones(3), strict=True),
    lambda m: m.func.functional_call(linear(m), {"weight": 3}, m.ones(3)),
    lambda m: m.func.functional_call(linear(m), 3, m.ones(3)),
    lambda m: m.func.functional_call(linear(m), ({"bias": m.ones(2)}, {"bias": m.ones(2)}), ()),
    lambda m: m.func.stack_module_state([]),
    lambda m: m.func.stack_module_state([linear(m), m.nn.Tanh()]),
    lambda m: m.func.stack_module_state([linear(m), linear(m).eval()]),
    lambda m: m.autograd.grad(m.ones(3, requires_grad=True) * 2, [], is_grads_batched=True),
    lambda m: batched(m, [2, 4], lambda x: [x * 2]),
    lambda m: batched(m, [3], lambda x: [x * 2]),
    lambda m: batched(m, [2, 3], lambda x: [x * 2, x * 3], other=[4, 3]),
]


def batched(m, shape, function, other=None, **options):
    x = m.tensor([1.0, 2.0, -3.0], dtype=m.float64, requires_grad=True)
    weights = [m.arange(float(np.prod(s)), dtype=m.float64).reshape(s) for s in (shape, other) if s]
    return m.autograd.grad(function(x), [x], weights, is_grads_batched=True, **options)


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_faults(number):
    mine, other = outcome(FAULTS[number], tg), outcome(FAULTS[number], torch)
    assert isinstance(other, Exception)
    assert isinstance(mine, type(other) if type(other) is not ValueError else Exception), mine
    assert ": expected" in str(mine)


@pytest.mark.parametrize("options", [{}, {"create_graph": True}, {"retain_graph": True}])
def test_batched_gradients(options):
    def functions(x):
        return [x**3, x * x.sum()]

    found = [batched(m, [2, 3], functions, [2, 3], **options) for m in (tg, torch)]
    same(found[0][0], found[1][0])
    assert found[0][0].requires_grad == ("create_graph" in options)


def test_an_ensemble_in_one_call():
    models = [linear(tg) for _ in range(3)]
    parameters, buffers = tg.func.stack_module_state(models)
    assert parameters["weight"].shape == (3, 2, 3)
    assert parameters["weight"].requires_grad
    assert buffers == {}

    def call(parameters, x):
        return tg.func.functional_call(models[0], parameters, x)

    x = tg.tensor(X)
    together = tg.vmap(call, in_dims=(0, None))(parameters, x)
    for output, model in zip(together, models):
        assert tg.allclose(output, model(x))
