"""Layers beyond PyTorch's database: lazy ones, output sizes, older arguments, refusals, first
values, random ones, init and containers.
"""

import copy
import pickle
import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional, init
from tensorgrad.nn.lazy import LazyModuleMixin


def host(tensor):
    return tensor.detach().numpy()


# ---- shapes from the first input

LAZY = {
    "LazyLinear": ((4,), (2, 3, 5)),
    "LazyConv1d": ((4, 3), (2, 6, 9)),
    "LazyConv2d": ((4, 3, 1, 1, 1, 2), (2, 6, 9, 8)),
    "LazyConv3d": ((4, 2), (2, 6, 5, 4, 3)),
    "LazyConvTranspose1d": ((4, 3), (6, 9)),
    "LazyConvTranspose2d": ((4, 3, 2, 1, 1, 2), (2, 6, 4, 5)),
    "LazyConvTranspose3d": ((4, 2), (2, 6, 3, 3, 3)),
    "LazyBatchNorm1d": ((), (4, 3)),
    "LazyBatchNorm2d": ((), (4, 3, 2, 2)),
    "LazyBatchNorm3d": ((1e-3, 0.2), (4, 3, 2, 2, 2)),
    "LazyInstanceNorm1d": ((), (3, 4)),
    "LazyInstanceNorm2d": ((), (4, 3, 2, 2)),
    "LazyInstanceNorm3d": ((), (4, 3, 2, 2, 2)),
}


@pytest.mark.parametrize("name", LAZY)
def test_lazy_layers_become_what_they_stand_for(name, backend):
    arguments, shape = LAZY[name]
    lazy = getattr(nn, name)(*arguments)
    kind = getattr(nn, name.removeprefix("Lazy"))
    parameters = list(lazy.parameters())
    assert [repr(p) for p in parameters] == ["<UninitializedParameter>"] * 2
    state = lazy.state_dict()
    assert repr(state["weight"]) == "<UninitializedParameter>"
    with pytest.raises(RuntimeError, match="shape: expected a tensor that is initialized"):
        _ = lazy.weight.shape
    copies = [copy.deepcopy(lazy), pickle.loads(pickle.dumps(lazy))]
    lazy.double()
    x = tg.randn(*shape)
    out = lazy(x.double())
    assert type(lazy) is kind
    assert out.dtype == tg.float64
    assert all(a is b for a, b in zip(lazy.parameters(), parameters, strict=True))
    assert all(isinstance(p, nn.Parameter) and p.numel() for p in parameters)
    out.sum().backward()
    assert parameters[0].grad.shape == lazy.weight.shape
    for twin in copies:  # a state brings the shapes
        twin.load_state_dict(lazy.state_dict())
        assert isinstance(twin, LazyModuleMixin)
        twin.eval()
        lazy.eval()
        np.testing.assert_allclose(host(twin(x)), host(lazy(x.double())), rtol=1e-4, atol=1e-5)
        assert repr(twin) == repr(lazy)


def test_lazy_layers_start_as_their_kind_does():
    layer = nn.LazyLinear(50)
    layer(tg.ones(1, 100))
    assert np.abs(host(layer.weight)).max() <= 0.1
    assert abs(host(layer.weight).std() - 0.1 / 3**0.5) < 0.003
    norm = nn.LazyBatchNorm1d()
    norm(tg.ones(2, 3))
    assert norm.weight.tolist() == [1, 1, 1]
    assert norm.num_batches_tracked.item() == 1
    assert nn.LazyConv2d(2, 3, bias=False).bias is None


def test_lazy_layers_and_states():
    lazy, other = nn.LazyLinear(2), nn.LazyLinear(2)
    lazy.load_state_dict(other.state_dict())
    assert lazy.has_uninitialized_params()
    with pytest.raises(RuntimeError, match=r"weight: expected shape \[2, 3\]"):
        nn.Linear(3, 2).load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match="expected in_channels divisible by 2 groups, got 3"):
        nn.LazyConv1d(4, 1, groups=2)(tg.ones(1, 3, 5))
    with pytest.raises(RuntimeError, match="LazyConv2d: expected 3D or 4D input"):
        nn.LazyConv2d(4, 1)(tg.ones(3, 5))


def test_lazy_module_of_ones_own():
    class Scale(LazyModuleMixin):
        def __init__(self):
            super().__init__()
            self.factor = nn.UninitializedParameter()
            self.count = nn.UninitializedBuffer(dtype=tg.int64)

        def initialize_parameters(self, input):
            if self.has_uninitialized_params():
                self.factor.materialize(input.shape[-1:])
                self.count.materialize(())
                init.ones_(self.factor)

        def forward(self, input):
            return input * self.factor

    scale = Scale()
    assert scale(tg.tensor([1.0, 2.0])).tolist() == [1, 2]
    assert scale(tg.tensor([3.0, 4.0])).tolist() == [3, 4]
    assert list(scale.state_dict()) == ["factor", "count"]
    assert scale.count.dtype == tg.int64

    class Forgetful(Scale):
        def initialize_parameters(self, input):
            pass

    with pytest.raises(RuntimeError, match="Forgetful: expected initialize_parameters"):
        Forgetful()(tg.ones(2))


# ---- what forward takes


@pytest.mark.parametrize("size", [7, 8])
def test_transposed_convolution_takes_the_size_of_its_output(size, backend):
    down = nn.Conv1d(1, 1, 3, stride=2, padding=1)
    up = nn.ConvTranspose1d(1, 1, 3, stride=2, padding=1)
    x = tg.randn(2, 1, size)
    small = down(x)
    assert small.shape == (2, 1, 4)
    assert up(small, output_size=[size]).shape == x.shape
    assert up(small, output_size=x.shape).shape == x.shape
    np.testing.assert_array_equal(
        host(up(small, output_size=[size])),
        host(nn.functional.conv_transpose1d(small, up.weight, up.bias, 2, 1, size - 7)),
    )
    with pytest.raises(ValueError, match=r"expected output_size from \[7\] to \[8\], got \[9\]"):
        up(small, output_size=[9])


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_unpooling_inverts_pooling(rank, backend):
    pool = getattr(nn, f"MaxPool{rank}d")(2, stride=2, return_indices=True)
    unpool = getattr(nn, f"MaxUnpool{rank}d")(2, stride=2)
    x = tg.randn(2, 3, *(5,) * rank)
    out, places = pool(x)
    wide = unpool(out, places, output_size=x.shape)
    assert wide.shape == x.shape
    again, _ = pool(wide)
    kept = host(wide) != 0
    np.testing.assert_array_equal(host(wide)[kept], host(x)[kept])
    np.testing.assert_array_equal(np.maximum(host(out), 0), np.maximum(host(again), 0))
    assert unpool.stride == (2,) * rank


def test_older_arguments_of_losses():
    x, y = tg.tensor([1.0, 2.0]), tg.tensor([0.0, 0.0])
    assert nn.MSELoss(size_average=False)(x, y).item() == 5
    assert nn.L1Loss(reduce=False)(x, y).tolist() == [1, 2]
    assert nn.L1Loss(True)(x, y).item() == 1.5
    assert nn.BCELoss(None, False).reduction == "sum"


def test_a_distance_of_ones_own():
    loss = nn.TripletMarginWithDistanceLoss(
        distance_function=lambda a, b: (a - b).abs().sum(-1), margin=2.0
    )
    a, p, n = tg.zeros(1, 2), tg.ones(1, 2), tg.full((1, 2), 1.5)
    assert loss(a, p, n).item() == 2 - 3 + 2


def test_alpha_dropout_keeps_mean_and_variance(backend):
    x = tg.randn(200, 500)
    for layer in (nn.AlphaDropout(0.3), nn.FeatureAlphaDropout(0.3)):
        out = host(layer(x))
        assert abs(out.mean()) < 0.03
        assert abs(out.std() - 1) < 0.03
        assert layer.eval()(x) is x


def test_channel_dropout_drops_whole_channels(backend):
    for rank in (1, 2, 3):
        layer = getattr(nn, f"Dropout{rank}d")(0.5)
        out = host(layer(tg.ones(20, 10, *(3,) * rank))).reshape(200, -1)
        assert set(np.unique(out)) == {0, 2}
        assert (out == out[:, :1]).all()
        assert 0.3 < (out[:, 0] == 0).mean() < 0.7


def test_rrelu_draws_slopes_in_training_only(backend):
    x = -tg.ones(1000)
    layer = nn.RReLU(0.1, 0.5)
    slopes = -host(layer(x))
    assert 0.1 <= slopes.min() < 0.12 < 0.48 < slopes.max() < 0.5
    np.testing.assert_allclose(host(layer.eval()(x)), -0.3, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "bound"),
    [
        (lambda: nn.Bilinear(25, 10, 30), 1 / 5),
        (lambda: nn.Conv3d(4, 20, 2, groups=2), 1 / 4),
        (lambda: nn.ConvTranspose2d(20, 25, 2), 1 / 10),
    ],
)
def test_first_values(make, bound, backend):
    values = np.concatenate([host(p).ravel() for p in make().parameters()])
    assert np.abs(values).max() <= bound
    assert abs(values.std() - bound / 3**0.5) < 0.04 * bound


def test_prelu_starts_at_a_quarter():
    assert nn.PReLU().weight.tolist() == [0.25]
    assert nn.PReLU(2, init=0.5).weight.tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: nn.Bilinear(0, 2, 3), ValueError),
        (lambda: nn.Conv2d(2, 2, 1, groups=0), ValueError),
        (lambda: nn.ConvTranspose2d(2, 2, 1, padding_mode="circular"), ValueError),
        (lambda: nn.GroupNorm(2, 3), ValueError),
        (lambda: nn.Hardtanh(1, 1), ValueError),
        (lambda: nn.MultiMarginLoss(p=3), ValueError),
        (lambda: nn.MultiMarginLoss(weight=tg.ones(2, 2)), ValueError),
        (lambda: nn.TripletMarginLoss(margin=0), ValueError),
        (lambda: nn.TripletMarginWithDistanceLoss(margin=-1), ValueError),
        (lambda: nn.LinearCrossEntropyLoss(2, 3, weight=tg.ones(2)), RuntimeError),
        (lambda: nn.LinearCrossEntropyLoss(2, 3, label_smoothing=2), RuntimeError),
        (lambda: nn.AlphaDropout(-0.1), ValueError),
        (lambda: nn.Softmax2d()(tg.ones(2, 3)), ValueError),
        (lambda: nn.InstanceNorm1d(2, affine=True)(tg.ones(1, 3, 4)), ValueError),
        (lambda: nn.InstanceNorm2d(2)(tg.ones(3, 4)), ValueError),
        (lambda: nn.CircularPad2d(1)(tg.ones(3, 4)), ValueError),
        (lambda: nn.ZeroPad2d((1, 2, 3)), RuntimeError),
        (lambda: nn.Unflatten(1, 4), TypeError),
        (lambda: nn.Sequential(nn.ReLU()) * 0, ValueError),
        (lambda: nn.Sequential(nn.ReLU()) * 1.5, TypeError),
        (lambda: init.dirac_(tg.empty(2, 2)), ValueError),
        (lambda: init.dirac_(tg.empty(3, 2, 2), groups=2), ValueError),
        (lambda: init.sparse_(tg.empty(2), 0.5), ValueError),
        (lambda: nn.ParameterDict().popitem(), KeyError),
    ],
)
def test_wrong_use_is_refused(call, error):
    with pytest.raises(error, match="expected"):
        call()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: nn.Conv2d("a", 3, 3),
            "Conv2d: expected in_channels to be a whole number, got 'a'",
        ),
        (lambda: nn.Conv2d(1, 3, 2.5), "Conv2d: expected kernel_size to be a whole number or 2 of"),
        (lambda: nn.Conv2d(1, 3, (2, 2.5)), "Conv2d: expected kernel_size to be a whole number or"),
        (
            lambda: nn.ConvTranspose1d(1, 3, 2, None),
            "ConvTranspose1d: expected stride to be a whole",
        ),
        (lambda: nn.Linear(3.5, 2), "Linear: expected in_features to be a whole number, got 3.5"),
        (
            lambda: nn.Linear(2, None),
            "Linear: expected out_features to be a whole number, got None",
        ),
        (lambda: nn.Dropout("x"), "Dropout: expected p to be a number, got 'x'"),
        (lambda: nn.GRUCell([3], 2), "GRUCell: expected input_size to be a whole number, got list"),
        (
            lambda: nn.Embedding(4, 3, 2.5),
            "Embedding: expected padding_idx to be a whole number or",
        ),
        (
            lambda: nn.Embedding(4, 3, _weight="x"),
            "Embedding: expected weight to be a tensor or None",
        ),
        (
            lambda: nn.TransformerEncoderLayer(8, "2"),
            "TransformerEncoderLayer: expected nhead to be",
        ),
        (
            lambda: nn.ZeroPad2d("ab"),
            "ZeroPad2d: expected padding to be a whole number or 4 of them",
        ),
        (lambda: nn.PReLU(init=None), "PReLU: expected init to be a number, got None"),
    ],
)
def test_arguments_of_another_kind_are_named(make, words):
    with pytest.raises(TypeError, match=f"^{re.escape(words)}"):
        make()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: nn.Linear(-1, 2), "Linear: expected in_features >= 0, got -1"),
        (lambda: nn.GRUCell(-1, 2), "GRUCell: expected input_size >= 0, got -1"),
        (lambda: nn.LSTMCell(3, -2), "LSTMCell: expected hidden_size >= 0, got -2"),
        (lambda: nn.Conv1d(1, -3, 2), "Conv1d: expected out_channels >= 0, got -3"),
        (lambda: nn.BatchNorm2d(-1), "BatchNorm2d: expected num_features >= 0, got -1"),
        (lambda: nn.Embedding(4, -3, padding_idx=-1), "Embedding: expected embedding_dim >= 0"),
    ],
)
def test_sizes_below_0_are_named(make, words):
    with pytest.raises(RuntimeError, match=f"^{re.escape(words)}"):
        make()


def test_a_layer_of_ones_own_is_named():
    class Doubled(nn.Linear):
        def __init__(self, features):
            super().__init__(features, 2 * features)

    with pytest.raises(TypeError, match="Doubled: expected in_features to be a whole number"):
        Doubled(2.5)
    with pytest.raises(TypeError, match="unsupported operand"):
        Doubled(None)  # the program's own fault is told as it is


def test_numpys_whole_numbers_as_sizes():
    two = np.int64(2)
    x = tg.ones(two, two, 6, 6)
    layers = nn.Sequential(
        nn.Conv2d(two, np.int32(4), np.int64(3)), nn.MaxPool2d(two), nn.LayerNorm((two, two)),
        nn.ZeroPad2d(np.uint8(1)), nn.AdaptiveAvgPool2d(two), nn.Flatten(), nn.Linear(two * 8, two),
    )  # fmt: skip
    assert layers(x).shape == (2, 2)
    assert "Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1))" in repr(layers)


def test_older_names_and_unused_channels_are_told():
    with pytest.warns(FutureWarning, match="expected min_val and max_val") as warned:
        assert nn.Hardtanh(min_value=-2.0, max_value=3.0)(tg.tensor([-9.0, 9])).tolist() == [-2, 3]
    with pytest.warns(UserWarning, match="expected num_layers > 1 beside dropout") as of_dropout:
        nn.LSTM(2, 2, dropout=0.5)
    assert [warning.filename for warning in (*warned, *of_dropout)] == [__file__] * 2
    with pytest.warns(UserWarning, match="expected 2 channels"):
        nn.InstanceNorm1d(2)(tg.ones(1, 3, 4))


# ---- init


@pytest.mark.parametrize(
    ("shape", "groups"), [((4, 3, 3), 1), ((6, 2, 3, 4), 2), ((4, 1, 3, 3, 3), 4)]
)
def test_dirac_passes_the_input_on(shape, groups, backend):
    weight = init.dirac_(tg.empty(*shape), groups)
    rank = len(shape) - 2
    x = tg.randn(1, shape[1] * groups, *(6,) * rank)
    padding = tuple(size // 2 for size in shape[2:])
    out = getattr(functional, f"conv{rank}d")(x, weight, padding=padding, groups=groups)
    own, kept = shape[0] // groups, min(shape[0] // groups, shape[1])
    for group in range(groups):
        for channel in range(own):
            mine = host(out)[0, group * own + channel][(slice(6),) * rank]
            source = host(x)[0, group * shape[1] + channel] if channel < kept else 0 * mine
            np.testing.assert_array_equal(mine, source)


def test_sparse_leaves_zeros_in_every_column(backend):
    values = host(init.sparse_(tg.empty(40, 30), 0.3, std=2.0))
    assert ((values == 0).sum(0) == 12).all()
    assert abs(values[values != 0].std() - 2) < 0.2


def test_fans_for_layers_of_ones_own():
    weight = tg.empty(6, 3, 2, 2)
    assert init._calculate_fan_in_and_fan_out(weight) == (12, 24)
    assert init._calculate_correct_fan(weight, "fan_out") == 24
    with pytest.raises(ValueError, match="expected at least 2 dimensions"):
        init._calculate_fan_in_and_fan_out(weight[0, 0, 0])
    assert init.eye(tg.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]


# ---- containers


def test_rounds_of_a_sequential():
    layer = nn.Linear(2, 2)
    net = nn.Sequential(layer, nn.ReLU()) * 2
    assert len(net) == 4
    assert net[0] is net[2] is layer
    assert len(list(net.parameters())) == 2
    assert len(3 * nn.Sequential(layer)) == 3
    net *= 2
    assert [name for name, _ in net.named_children()] == ["0", "1"]
    assert len(net) == 8


def test_parameter_dict_as_a_dict():
    table = nn.ParameterDict({"a": tg.ones(1)})
    assert table.get("b") is None
    assert table.setdefault("b", tg.zeros(2)) is table["b"]
    assert isinstance(table["b"], nn.Parameter)
    assert list(reversed(table)) == ["b", "a"]
    twin = table.copy()
    assert twin["a"] is table["a"]
    assert twin.popitem()[0] == "b"
    assert list(twin) == ["a"]
    other = nn.ParameterDict({"a": tg.full((1,), 5.0), "c": tg.ones(3)})
    assert list(table | other) == ["a", "b", "c"]
    assert (table | other)["a"].tolist() == [5]
    table |= other
    assert sorted(table.state_dict()) == ["a", "b", "c"]
    assert list(nn.ParameterDict.fromkeys(["x", "y"])) == ["x", "y"]


# ---- batches of all processes, of which there is one


def test_synchronized_batch_norm_is_batch_norm(backend):
    x = tg.randn(4, 3, 5)
    plain, model = nn.BatchNorm1d(3), nn.Sequential(nn.Conv1d(3, 3, 1), nn.BatchNorm1d(3))
    synchronized = nn.SyncBatchNorm(3)
    np.testing.assert_array_equal(host(synchronized(x)), host(plain(x)))
    np.testing.assert_array_equal(synchronized.running_var, plain.running_var)
    weights = [*model.parameters()]
    before = model.eval()(x)
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert type(model[1]) is nn.SyncBatchNorm
    assert not model[1].training
    assert all(a is b for a, b in zip(weights, model.parameters()))
    np.testing.assert_array_equal(host(model(x)), host(before))
    with pytest.raises(ValueError, match="SyncBatchNorm: expected at least 2D input"):
        synchronized(tg.zeros(3))


@pytest.mark.parametrize("kind", [nn.BatchNorm2d, nn.SyncBatchNorm, nn.InstanceNorm2d])
def test_a_state_without_the_number_of_batches(kind):
    norm = kind(2, track_running_stats=True)
    state = kind(2, track_running_stats=True).state_dict()
    del state["num_batches_tracked"]
    state["running_mean"] = tg.ones(2)
    assert nn.Sequential(norm).load_state_dict({f"0.{k}": v for k, v in state.items()}) == ([], [])
    assert norm.num_batches_tracked.item() == 0
    assert norm.running_mean.tolist() == [1.0, 1.0]
    del state["running_mean"]
    with pytest.raises(RuntimeError, match=r"Missing key.*running_mean"):
        norm.load_state_dict(state)


# ---- windows at random places


def test_fractional_pooling_draws_its_windows_anew():
    x = tg.randn(1, 2, 40, 40)
    pool = nn.FractionalMaxPool2d(2, output_ratio=0.6)
    tg.manual_seed(0)
    first, second = pool(x), pool(x)
    assert first.shape == second.shape == (1, 2, 24, 24)
    assert not np.array_equal(first, second)
    tg.manual_seed(0)
    np.testing.assert_array_equal(pool(x), first)
    values, places = nn.FractionalMaxPool2d(3, 20, return_indices=True)(x)
    np.testing.assert_array_equal(x.flatten(2).gather(2, places.flatten(2)), values.flatten(2))
    with pytest.raises(ValueError, match="expected output_size or output_ratio, got neither"):
        nn.FractionalMaxPool3d(2)
    with pytest.raises(ValueError, match="expected output_ratio of 2 numbers between 0 and 1"):
        nn.FractionalMaxPool2d(2, output_ratio=1.5)(x)


@pytest.mark.parametrize("spatial", [2, 3])
@pytest.mark.parametrize("lead", [(2, 3), (3,)])
def test_fractional_pooling_has_pytorchs_windows(backend, spatial, lead):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    x = random.normal(size=lead + (13, 11, 8)[:spatial])
    samples = random.uniform(size=(*(1,) * (2 - len(lead)), *lead, spatial))
    name = f"fractional_max_pool{spatial}d"
    for kernel, output in ((2, (4, 5, 3)), ((3, 2, 2)[:spatial], (1, 5, 4)), (2, (11, 9, 6))):
        results = []
        for m, make in ((tg, tg.tensor), (torch, torch.tensor)):
            results.append(getattr(m.nn.functional, name)(
                make(x), kernel, output[:spatial], None, True, make(samples)
            ))  # fmt: skip
        for ours, theirs in zip(*results):
            np.testing.assert_array_equal(ours, theirs)
