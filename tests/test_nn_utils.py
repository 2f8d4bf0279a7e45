"""nn.utils: parameters as a vector, fusion, layers without first values, the summary table."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import utils
from tests.changed_layers import close
from tests.layer_samples import host

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


def test_parameters_as_a_vector(backend):
    layer = nn.Linear(2, 3)
    vector = utils.parameters_to_vector(layer.parameters())
    assert vector.shape == (9,)
    utils.vector_to_parameters(tg.arange(9.0), layer.parameters())
    assert layer.weight.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert layer.bias.tolist() == [6, 7, 8]
    with pytest.raises(RuntimeError, match="expected a vector of 9 elements"):
        utils.vector_to_parameters(tg.ones(10), layer.parameters())
    assert layer.bias.tolist() == [6, 7, 8]
