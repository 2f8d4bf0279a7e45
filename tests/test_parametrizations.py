"""Parametrizations: norms of weights, orthogonal weights, and those of one's own."""

import copy

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.utils import parametrizations, parametrize
from tests.changed_layers import beside_torch, close, same_steps
from tests.layer_samples import host

LAYERS = {
    "linear": (lambda nn: nn.Linear(4, 3), (2, 4)),
    "conv": (lambda nn: nn.Conv1d(2, 3, 3), (2, 2, 5)),
    "transposed": (lambda nn: nn.ConvTranspose1d(2, 3, 3), (2, 2, 5)),
}


# PyTorch warns that its older weight_norm is old.
@pytest.mark.filterwarnings("ignore::FutureWarning:torch")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("change", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize("place", ["nn.utils", "nn.utils.parametrizations"])
def test_norms_of_weights_beside_torch(place, change, layer, backend):
    make, shape = LAYERS[layer]

    def apply(module):
        library = tg if isinstance(module, nn.Module) else pytest.importorskip("torch")
        home = library.nn.utils if place == "nn.utils" else library.nn.utils.parametrizations
        return getattr(home, change)(module)

    ours, theirs, torch = beside_torch(apply, make)
    same_steps(ours, theirs, torch, shape)


@pytest.mark.parametrize("dim", [None, 1, -2])
def test_weight_norm_along_other_dims(dim):
    def apply(module):
        home = (tg if isinstance(module, nn.Module) else pytest.importorskip("torch")).nn
        return home.utils.parametrizations.weight_norm(module, dim=dim)

    ours, theirs, torch = beside_torch(apply)
    same_steps(ours, theirs, torch)


def test_norms_keep_the_weight_and_are_removed(backend):
    for change, remove in (
        (nn.utils.weight_norm, nn.utils.remove_weight_norm),
        (parametrizations.weight_norm, lambda m: parametrize.remove_parametrizations(m, "weight")),
        (parametrizations.spectral_norm, None),
        (nn.utils.spectral_norm, nn.utils.remove_spectral_norm),
    ):
        layer = nn.Linear(4, 3)
        before, x = host(layer.weight).copy(), tg.randn(2, 4)
        assert change(layer) is layer
        if "spectral" not in change.__name__:
            close(layer.weight, before, 1e-6)
        layer.eval()
        out = host(layer(x))
        if remove is not None:
            remove(layer)
            assert sorted(layer.state_dict()) == ["bias", "weight"]
            assert isinstance(layer.weight, nn.Parameter)
            close(layer(x), out, 1e-6)
    with pytest.raises(ValueError, match="remove_weight_norm: expected"):
        nn.utils.remove_weight_norm(nn.Linear(1, 1))
    with pytest.raises(RuntimeError, match="weight_norm: expected one"):
        nn.utils.weight_norm(nn.utils.weight_norm(nn.Linear(1, 1)))


def test_spectral_norm_comes_to_one(backend):
    layer = parametrizations.spectral_norm(nn.Linear(8, 5), n_power_iterations=5)
    for _ in range(20):
        layer(tg.ones(1, 8))
    assert np.linalg.norm(host(layer.weight), 2) == pytest.approx(1, abs=1e-4)
    vector = nn.Module()
    vector.register_parameter("weight", nn.Parameter(tg.tensor([3.0, 4.0])))
    close(parametrizations.spectral_norm(vector).weight, [0.6, 0.8], 1e-6)


# ---- orthogonal weights


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3)])
@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder", None])
def test_orthogonal(orthogonal_map, shape, backend):
    layer = nn.Module()
    layer.register_parameter("weight", nn.Parameter(tg.randn(*shape).double()))
    assert parametrizations.orthogonal(layer, orthogonal_map=orthogonal_map) is layer

    def check():
        q = host(layer.weight)
        q = np.swapaxes(q, -1, -2) if shape[-2] < shape[-1] else q
        product = np.swapaxes(q, -1, -2) @ q
        np.testing.assert_allclose(
            product, np.broadcast_to(np.eye(q.shape[-1]), product.shape), atol=1e-9
        )

    check()
    target = tg.randn(*shape).double()
    optimizer = tg.optim.SGD(layer.parameters(), lr=0.1)
    first = ((layer.weight - target) ** 2).sum()
    for _ in range(5):
        optimizer.zero_grad()
        loss = ((layer.weight - target) ** 2).sum()
        loss.backward()
        optimizer.step()
    assert loss.item() < first.item()
    check()
    given = np.linalg.qr(np.random.default_rng(0).normal(size=(max(shape[-2:]),) * 2))[0]
    given = np.broadcast_to(given[: shape[-2], : shape[-1]], shape).copy()
    layer.weight = tg.tensor(given)
    close(layer.weight, given)


def test_orthogonal_without_trivialization(backend):
    layer = nn.Linear(3, 5).double()
    parametrizations.orthogonal(layer, use_trivialization=False)
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 3)))[0]
    layer.weight = tg.tensor(q)
    close(layer.weight, q)
    exponential = parametrizations.orthogonal(
        nn.Linear(3, 3), orthogonal_map="matrix_exp", use_trivialization=False
    )
    with pytest.raises(NotImplementedError, match="expected use_trivialization"):
        exponential.weight = tg.eye(3)


@pytest.mark.parametrize("orthogonal_map", ["matrix_exp", "cayley", "householder"])
def test_orthogonal_beside_torch(orthogonal_map, backend):
    def apply(module):
        home = (tg if isinstance(module, nn.Module) else pytest.importorskip("torch")).nn
        return home.utils.parametrizations.orthogonal(module, orthogonal_map=orthogonal_map)

    ours, theirs, torch = beside_torch(apply, lambda nn: nn.Linear(3, 5))
    same_steps(ours, theirs, torch, (2, 3))


# ---- parametrizations of one's own


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT

    def right_inverse(self, x):
        return x.triu()


class Doubled(nn.Module):
    def forward(self, x):
        return x * 2


def test_parametrization_of_ones_own(backend):
    layer = nn.Linear(3, 3)
    original = layer.weight
    parametrize.register_parametrization(layer, "weight", Symmetric())
    assert isinstance(layer, nn.Linear)
    assert type(layer).__name__ == "ParametrizedLinear"
    assert layer.parametrizations.weight.original is original
    np.testing.assert_array_equal(host(layer.weight), host(layer.weight).T)
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original"]
    layer(tg.ones(1, 3)).sum().backward()
    assert original.grad is not None
    wanted = np.arange(9.0).reshape(3, 3) + np.arange(9.0).reshape(3, 3).T
    layer.weight = tg.tensor(wanted, dtype=tg.float32)
    close(layer.weight, wanted)
    parametrize.register_parametrization(layer, "weight", Doubled())
    close(layer.weight, 2 * wanted)
    with pytest.raises(RuntimeError, match="right_inverse: expected Doubled"):
        layer.weight = tg.ones(3, 3)
    parametrize.register_parametrization(layer, "bias", Doubled())
    assert parametrize.is_parametrized(layer, "bias")
    assert parametrize.type_before_parametrizations(layer) is nn.Linear
    twin = copy.deepcopy(layer)
    parametrize.remove_parametrizations(layer, "weight")
    assert parametrize.is_parametrized(layer)
    assert not parametrize.is_parametrized(layer, "weight")
    assert layer.weight is original
    close(layer.weight, 2 * wanted)
    parametrize.remove_parametrizations(layer, "bias", leave_parametrized=False)
    assert type(layer) is nn.Linear
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    close(twin.weight, 2 * wanted)


def test_parametrized_tensors_are_cached_in_the_block():
    calls = []

    class Counted(Doubled):
        def forward(self, x):
            calls.append(1)
            return super().forward(x)

    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Counted(), unsafe=True)
    calls.clear()
    with parametrize.cached():
        assert layer.weight is layer.weight
        with parametrize.cached():
            assert layer.weight is not None
    assert len(calls) == 1
    assert layer.weight is not layer.weight


def test_wrong_parametrizations_are_refused():
    class Narrower(nn.Module):
        def forward(self, x):
            return x[:1]

    layer = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="expected the name of a parameter"):
        parametrize.register_parametrization(layer, "scale", Doubled())
    with pytest.raises(ValueError, match=r"expected a tensor of float32 and shape \[2, 2\]"):
        parametrize.register_parametrization(layer, "weight", Narrower())
    assert type(layer) is nn.Linear
    with pytest.raises(ValueError, match="expected a parametrized tensor"):
        parametrize.remove_parametrizations(layer, "weight")
    parametrizations.weight_norm(layer)
    with pytest.raises(ValueError, match="expected leave_parametrized"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    with pytest.raises(ValueError, match="expected orthogonal_map"):
        parametrizations.orthogonal(nn.Linear(2, 2), orthogonal_map="rotation")
    with pytest.raises(IndexError, match="spectral_norm: expected dim"):
        parametrizations.spectral_norm(nn.Linear(2, 2), dim=2)
