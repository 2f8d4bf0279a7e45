"""Layers and functional against formulas in NumPy, and what they refuse."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional, init
from tests.layer_samples import close, host, rng

# ---- against formulas


def test_linear(backend):
    layer, x = nn.Linear(3, 2), rng().normal(size=(4, 3)).astype("float32")
    out = layer(tg.tensor(x))
    close(out, x @ host(layer.weight).T + host(layer.bias), 1e-5)
    out.sum().backward()
    close(layer.weight.grad, np.tile(x.sum(0), (2, 1)), 1e-5)
    close(layer.bias.grad, [4, 4])


def test_conv2d(backend):
    layer, x = nn.Conv2d(2, 3, 3, stride=2, padding=1), rng().normal(size=(2, 2, 5, 6))
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    weight = host(layer.weight)
    expected = np.zeros((2, 3, 3, 3))
    for i in range(3):
        for j in range(3):
            window = wide[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            expected[:, :, i, j] = np.einsum("nchw,ochw->no", window, weight)
    out = layer(tg.tensor(x.astype("float32")))
    close(out, expected + host(layer.bias)[:, None, None], 1e-5)


def test_pooling(backend):
    x = rng().normal(size=(2, 3, 4, 6))
    blocks = x.reshape(2, 3, 2, 2, 3, 2)
    close(nn.MaxPool2d(2)(tg.tensor(x)), blocks.max((3, 5)))
    close(nn.AvgPool2d(2)(tg.tensor(x)), blocks.mean((3, 5)))


def test_batch_norm(backend):
    layer = nn.BatchNorm2d(3, momentum=0.3).double()
    x = rng().normal(2, 3, size=(4, 3, 2, 5))
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    close(layer(tg.tensor(x)), (x - mean) / np.sqrt(var + 1e-5))
    close(layer.running_mean, 0.3 * mean.ravel())
    close(layer.running_var, 0.7 + 0.3 * var.ravel() * 40 / 39)
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    moved, spread = host(layer.running_mean)[:, None, None], host(layer.running_var)[:, None, None]
    close(layer(tg.tensor(x)), (x - moved) / np.sqrt(spread + 1e-5))
    assert layer.num_batches_tracked.item() == 1


def test_layer_norm(backend):
    layer = nn.LayerNorm(5).double()
    x = rng().normal(2, 3, size=(4, 5))
    expected = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    close(layer(tg.tensor(x)), expected)


def lstm_by_hand(x, parameters, suffix):
    """One layer in one direction over (L, N, I), from zeros."""
    w_ih, w_hh, b_ih, b_hh = (
        parameters[f"{name}_{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    size = w_hh.shape[1]
    h, c, outputs = np.zeros((x.shape[1], size)), np.zeros((x.shape[1], size)), []
    for step in x:
        gates = step @ w_ih.T + b_ih + h @ w_hh.T + b_hh
        i, f, g, o = np.split(gates, 4, 1)
        i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
        c = f * c + i * np.tanh(g)
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), h, c


def test_lstm(backend):
    layer = nn.LSTM(3, 4, 2, bidirectional=True).double()
    parameters = {name: host(value) for name, value in layer.named_parameters()}
    x, last_h, last_c = rng().normal(size=(5, 2, 3)), [], []
    sequence = x
    for number in range(2):
        forward, h, c = lstm_by_hand(sequence, parameters, f"l{number}")
        backward, h_back, c_back = lstm_by_hand(sequence[::-1], parameters, f"l{number}_reverse")
        sequence = np.concatenate([forward, backward[::-1]], -1)
        last_h += [h, h_back]
        last_c += [c, c_back]
    out, (h_n, c_n) = layer(tg.tensor(x))
    close(out, sequence)
    close(h_n, np.stack(last_h))
    close(c_n, np.stack(last_c))


def test_lstm_layouts_and_cell_agree(backend):
    layer, first = nn.LSTM(3, 4), nn.LSTM(3, 4, batch_first=True)
    first.load_state_dict(layer.state_dict())
    cell = nn.LSTMCell(3, 4)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x = tg.randn(5, 2, 3)
    out, (h_n, c_n) = layer(x)
    close(first(x.transpose(0, 1))[0].transpose(0, 1), host(out))
    single, (h_one, c_one) = layer(x[:, 1])
    assert [single.shape, h_one.shape, c_one.shape] == [(5, 4), (1, 4), (1, 4)]
    close(single, host(out)[:, 1])
    state = None
    for step in x:
        state = cell(step, state)
    close(state[0], host(h_n)[0])
    close(state[1], host(c_n)[0])


def test_embedding(backend):
    layer = nn.Embedding(5, 3, padding_idx=1)
    index = tg.tensor([[0, 1], [4, 4]])
    out = layer(index)
    np.testing.assert_array_equal(host(out), host(layer.weight)[[[0, 1], [4, 4]]])
    np.testing.assert_array_equal(host(layer.weight)[1], 0)
    out.sum().backward()
    np.testing.assert_array_equal(host(layer.weight.grad)[:, 0], [1, 0, 0, 0, 2])
    table = tg.randn(4, 2)
    frozen = nn.Embedding.from_pretrained(table)
    assert not frozen.weight.requires_grad
    assert np.shares_memory(host(frozen.weight), host(table))
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    assert repr(frozen) == "Embedding(4, 2)"


def test_dropout(backend):
    layer, x = nn.Dropout(0.25), tg.ones(200, 100, requires_grad=True)
    out = layer(x)
    values = host(out)
    np.testing.assert_allclose(np.unique(values), [0, 4 / 3], rtol=1e-6)
    assert abs((values == 0).mean() - 0.25) < 0.02
    out.sum().backward()
    np.testing.assert_array_equal(host(x.grad), values)
    assert layer.eval()(x) is x
    written = tg.ones(10)
    assert nn.Dropout(0.5, inplace=True)(written) is written
    assert set(written.tolist()) <= {0.0, 2.0}


def test_activations_in_place_keep_their_gradients(backend):
    for layer in (nn.ReLU, nn.SiLU, nn.LeakyReLU, nn.ELU):
        gradients = []
        for inplace in (False, True):
            x = tg.tensor([-1.0, 2.0], requires_grad=True)
            hidden = x * 3
            out = layer(inplace=inplace)(hidden)
            assert (out is hidden) == inplace
            out.sum().backward()
            gradients.append(x.grad.tolist())
        assert gradients[0] == gradients[1]


# ---- functional


def test_softmax_takes_dim_and_dtype(backend):
    x = tg.tensor([[0.0, math.log(3)]])
    close(functional.softmax(x, dim=1, dtype=tg.float64), [[0.25, 0.75]], 1e-7)
    assert functional.softmax(x, dim=1, dtype=tg.float64).dtype == tg.float64
    close(functional.log_softmax(x, 1), np.log([[0.25, 0.75]]))
    close(functional.softmin(x, 1), [[0.75, 0.25]])
    with pytest.warns(UserWarning, match="softmax: expected dim, got None"):
        close(functional.softmax(x), [[0.25, 0.75]])


def test_one_hot(backend):
    assert functional.one_hot(tg.tensor([[0, 2]])).tolist() == [[[1, 0, 0], [0, 0, 1]]]
    assert functional.one_hot(tg.tensor([1]), 2).dtype == tg.int64
    with pytest.raises(IndexError, match=r"expected class numbers in \[0, 2\), got 2"):
        functional.one_hot(tg.tensor([2]), 2)
    with pytest.raises(IndexError, match="got -1"):
        functional.one_hot(tg.tensor([-1]))
    with pytest.raises(RuntimeError, match="expected class numbers of dtype int64, got float32"):
        functional.one_hot(tg.tensor([1.0]))


def test_normalize(backend):
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    close(functional.normalize(tg.tensor(x)), [[0.6, 0.8], [0, 0]])
    close(functional.normalize(tg.tensor(x), p=1, dim=0), [[1, 1], [0, 0]])


@pytest.mark.parametrize(
    ("mode", "numpys"),
    [("constant", "constant"), ("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap")],
)
def test_pad(mode, numpys, backend):
    x = rng().normal(size=(2, 3, 5))
    widths = ((0, 0), (1, 2), (3, 1))
    leaf = tg.tensor(x, requires_grad=True)
    out = functional.pad(leaf, (3, 1, 1, 2), mode)
    close(out, np.pad(x, widths, numpys))
    out.sum().backward()
    places = np.pad(
        np.arange(30).reshape(2, 3, 5),
        widths,
        numpys,
        **{} if mode != "constant" else {"constant_values": -1},
    )
    counts = np.bincount(places[places >= 0].ravel(), minlength=30).reshape(2, 3, 5)
    close(leaf.grad, counts)


def test_pad_constant_crops_and_fills(backend):
    x = tg.arange(6).reshape(2, 3)
    assert functional.pad(x, (-1, 1), value=9).tolist() == [[1, 2, 9], [4, 5, 9]]
    with pytest.raises(RuntimeError, match="pad: expected pairs of widths"):
        functional.pad(x, (1, 1, 1))
    with pytest.raises(RuntimeError, match="pad: expected widths of at most 2"):
        functional.pad(x, (3, 0), "reflect")
    with pytest.raises(NotImplementedError, match="pad: expected mode"):
        functional.pad(x, (1, 0), "mirror")


# ---- dtypes, and what is refused


def test_layers_take_dtype_and_device():
    for layer in (
        nn.Linear(2, 2, dtype=tg.float64, device="cpu"),
        nn.Conv1d(2, 2, 1, dtype=tg.float64),
        nn.BatchNorm1d(2, dtype=tg.float64),
        nn.LayerNorm(2, dtype=tg.float64),
        nn.Embedding(2, 2, dtype=tg.float64),
        nn.LSTM(2, 2, dtype=tg.float64),
        nn.LSTMCell(2, 2, dtype=tg.float64),
    ):
        assert {parameter.dtype for parameter in layer.parameters()} == {tg.float64}


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: init.xavier_uniform_(tg.empty(3)), ValueError),
        (lambda: init.kaiming_normal_(tg.empty(3, 3), mode="fan"), ValueError),
        (lambda: init.calculate_gain("cubic"), ValueError),
        (lambda: init.eye_(tg.empty(3)), ValueError),
        (lambda: init.orthogonal_(tg.empty(3)), ValueError),
        (lambda: init.trunc_normal_(tg.empty(3), a=1, b=1), ValueError),
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError),
        (lambda: nn.Conv2d(3, 4, 3, padding="full"), ValueError),
        (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), ValueError),
        (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"), ValueError),
        (lambda: nn.Dropout(1.5), ValueError),
        (lambda: nn.Embedding(3, 2, padding_idx=3), AssertionError),
        (lambda: nn.LSTM(3, 0), ValueError),
        (lambda: nn.LSTM(3, 4, dropout=2), ValueError),
        (lambda: nn.LSTM(3, 4, proj_size=4), ValueError),
        (lambda: nn.LSTM(3, 4)(tg.ones(2, 2, 5)), RuntimeError),
        (lambda: nn.LSTM(3, 4)(tg.ones(3)), ValueError),
        (
            lambda: nn.LSTM(3, 4)(tg.ones(2, 2, 3), (tg.ones(1, 3, 4), tg.ones(1, 2, 4))),
            RuntimeError,
        ),
        (lambda: nn.BatchNorm1d(3)(tg.ones(2, 3, 4, 5)), ValueError),
        (lambda: nn.BatchNorm2d(3)(tg.ones(2, 3)), ValueError),
        (lambda: nn.BatchNorm1d(3)(tg.ones(1, 3)), ValueError),
        (lambda: nn.LayerNorm(3)(tg.ones(2, 4)), RuntimeError),
        (lambda: nn.Linear(3, 2)(tg.ones(2, 4)), RuntimeError),
        (lambda: nn.Embedding(3, 2)(tg.tensor([3])), IndexError),
        (lambda: nn.MSELoss(reduction="most")(tg.ones(2), tg.ones(2)), ValueError),
        (lambda: nn.Unflatten(1, (2.0, 3)), TypeError),
    ],
)
def test_bad_input_is_refused(call, error, backend):
    with pytest.raises(error, match="expected"):
        call()
