"""nn.utils: norms of weights, parametrizations, pruning, fusion, the summary table."""

import copy
import importlib

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.utils import parametrizations, parametrize, prune


def host(tensor):
    return tensor.detach().numpy()


def close(actual, wanted, tolerance=1e-9):
    np.testing.assert_allclose(host(actual), wanted, rtol=tolerance, atol=tolerance)


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


# ---- pruning


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


# ---- fusion


@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_fused_batch_norms_compute_the_same(bias, transpose, backend):
    kind = nn.ConvTranspose2d if transpose else nn.Conv2d
    conv, norm = kind(2, 3, 3, bias=bias).double(), nn.BatchNorm2d(3).double()
    linear, line = nn.Linear(4, 3, bias=bias).double(), nn.BatchNorm1d(3, affine=False).double()
    image, rows = tg.randn(4, 2, 6, 5).double(), tg.randn(5, 4).double()
    with pytest.raises(RuntimeError, match="expected both modules in evaluation mode"):
        nn.utils.fuse_conv_bn_eval(conv, norm)
    norm(conv(image)), line(linear(rows))
    for module in (conv, norm, linear, line):
        module.eval()
    fused = nn.utils.fuse_conv_bn_eval(conv, norm, transpose)
    close(fused(image), host(norm(conv(image))))
    assert isinstance(fused.weight, nn.Parameter)
    close(nn.utils.fuse_linear_bn_eval(linear, line)(rows), host(line(linear(rows))))


def test_skip_init_draws_nothing():
    tg.manual_seed(0)
    layer = nn.utils.skip_init(nn.Linear, 3, 4, bias=False)
    after = tg.rand(1).item()
    tg.manual_seed(0)
    assert after == tg.rand(1).item()
    assert type(layer) is nn.Linear
    assert layer.weight.shape == (4, 3)
    layer.reset_parameters()
    assert np.abs(host(layer.weight)).max() > 0
    with pytest.raises(RuntimeError, match="skip_init: expected a class that takes a device"):
        nn.utils.skip_init(nn.ReLU)


# ---- the summary


def test_summary_of_a_textbook_net():
    net = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 2))
    told = nn.utils.summary(net, (1, 3))
    assert (told.neurons, told.weights, told.biases, told.parameters) == (6, 20, 6, 26)
    assert told.multiply_adds == 20
    assert [layer.name for layer in told.layers] == ["0", "1", "2"]
    assert told.layers[0][1:] == ("Linear", (1, 4), 4, 12, 4, 12, 16)
    text = str(told)
    assert "26 parameters, 26 of them trainable" in text
    assert "0 (Linear)" in text
    assert "input 12 B, outputs 40 B, parameters and buffers 104 B, together 156 B" in text
    assert all(module.training for module in net.modules())
    assert nn.utils.summary(net, (3,)).neurons == 6


def test_summary_counts_convolutions_and_shared_layers():
    shared = nn.Conv2d(2, 2, 3, padding=1, groups=2)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), shared, shared, nn.BatchNorm2d(2), nn.Flatten())
    net.append(nn.LazyLinear(5, bias=False)).eval()
    told = nn.utils.summary(net, (7, 1, 6, 6))
    assert told.layers[0].output_shape == (7, 2, 4, 4)
    assert told.weights == 18 + 18 + 2 + 160
    assert told.biases == 2 + 2 + 2
    assert told.neurons == 32 * 3 + 5
    assert told.multiply_adds == 7 * (32 * 9 * 3 + 160)
    assert not net.training
    assert net[3].num_batches_tracked.item() == 0
    up = nn.utils.summary(nn.ConvTranspose1d(2, 3, 4, bias=False), (1, 2, 5))
    assert (up.multiply_adds, up.neurons) == (2 * 5 * 3 * 4, 3 * 8)


def test_summary_takes_several_inputs_and_dtypes():
    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(10, 4)
            self.rnn = nn.LSTM(4, 6, batch_first=True)

        def forward(self, first, second):
            return self.rnn(self.table(first + second))

    told = nn.utils.summary(Both(), [(2, 5), (2, 5)], dtype=tg.int64)
    assert told.layers[1].output_shape == (2, 5, 6)
    assert told.neurons == 6
    assert told.multiply_adds == 10 * 24 * (4 + 6)
    assert told.weights == 40 + 24 * 10
    assert told.input_bytes == 2 * 10 * 8


@pytest.mark.parametrize("batch_first", [False, True])
def test_summary_of_attention(batch_first):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first)
    told = nn.utils.summary(layer, (3, 5, 8) if batch_first else (5, 3, 8))
    attention = told.layers[0]
    assert attention.name == "self_attn"
    assert attention.weights + attention.biases == 4 * (8 * 8 + 8)
    assert attention.multiply_adds == 15 * 4 * 64 + 3 * 2 * 5 * 5 * 8
    assert told.weights == sum(row.weights for row in told.layers)
    assert told.parameters == sum(parameter.numel() for parameter in layer.parameters())


def test_older_names():
    weight = nn.Parameter(tg.ones(2))
    weight.grad = tg.tensor([3.0, 4.0])
    assert nn.utils.clip_grad_norm([weight], 1.0).item() == 5.0
    layer = nn.Linear(2, 1, bias=False)
    called = nn.utils.stateless.functional_call(layer, {"weight": tg.ones(1, 2)}, tg.ones(1, 2))
    assert called.tolist() == [[2.0]]
