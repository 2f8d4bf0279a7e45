"""Layers beyond PyTorch's database: output sizes, older arguments, refusals, random ones."""

import re

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import init
from tests.layer_samples import host

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


@pytest.mark.parametrize("inplace", [False, True])
def test_a_convolution_and_a_relu_in_a_row_are_one_op(backend, inplace):
    tg.manual_seed(0)
    layers = nn.Conv2d(16, 17, 3, padding="same", padding_mode="reflect"), nn.ReLU(inplace)
    layers = *layers, nn.Conv2d(17, 4, 2, stride=2), nn.ReLU(inplace), nn.Conv2d(4, 5, 1)
    model = nn.Sequential(*layers)
    with tg.use_backend(backend):
        x = tg.randn(2, 16, 9, 12, requires_grad=True)
        want = x
        for layer in layers:
            want = layer(want)
        apart = tg.autograd.grad((want * want).sum(), [x, *model.parameters()])
        got = model(x)
        ops = str(got.grad_fn.next_functions)
        assert "rectified" in ops.lower()
        found = tg.autograd.grad((got * got).sum(), [x, *model.parameters()])
        for one, other in zip([got, *found], [want, *apart], strict=True):
            np.testing.assert_allclose(host(one), host(other), rtol=1e-4, atol=1e-5)


def test_what_stands_between_a_convolution_and_a_relu_is_seen_by_those_who_look():
    conv, relu = nn.Conv1d(1, 1, 1), nn.ReLU()
    model = nn.Sequential(conv, relu)
    nn.init.constant_(conv.weight, -1.0)
    nn.init.constant_(conv.bias, 0.0)
    x = tg.ones(1, 1, 3)
    assert model(x).tolist() == [[[0.0, 0.0, 0.0]]]
    seen = []
    handle = conv.register_forward_hook(lambda module, given, out: seen.append(out.tolist()))
    model(x)
    handle.remove()
    handle = relu.register_forward_pre_hook(lambda module, given: seen.append(given[0].tolist()))
    model(x)
    handle.remove()
    assert seen == [[[[-1.0, -1.0, -1.0]]]] * 2
    conv.forward = lambda x: x * 2
    assert model(x).tolist() == [[[2.0, 2.0, 2.0]]]
    del conv.forward
    with tg.autocast("cpu"):
        assert model(x).dtype == tg.bfloat16
    assert nn.Sequential(conv)(x).tolist() == [[[-1.0, -1.0, -1.0]]]
