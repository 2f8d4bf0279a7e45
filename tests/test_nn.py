"""Layers, losses, functional, init and utils: beside PyTorch, and against formulas in NumPy."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional, init, utils

DTYPES = {"float64": 1e-9, "float32": 1e-4}


def rng():
    return np.random.default_rng(0)


def host(tensor):
    return tensor.detach().numpy()


def close(actual, expected, tolerance=1e-6):
    np.testing.assert_allclose(host(actual), expected, rtol=tolerance, atol=tolerance)


# ---- beside PyTorch: outputs, all gradients, buffers, names and shapes of the state

LAYERS = {
    "Linear": (lambda nn: nn.Linear(5, 3), [(4, 5)]),
    "Linear, no bias, more dimensions": (lambda nn: nn.Linear(5, 3, bias=False), [(2, 4, 5)]),
    "Conv1d": (lambda nn: nn.Conv1d(4, 6, 3, stride=2, padding=1, groups=2), [(2, 4, 9)]),
    "Conv1d, circular": (
        lambda nn: nn.Conv1d(2, 3, 3, padding=2, padding_mode="circular"),
        [(2, 2, 6)],
    ),
    "Conv2d": (lambda nn: nn.Conv2d(3, 4, (3, 2), padding=1, dilation=2), [(2, 3, 7, 8)]),
    "Conv2d, unbatched": (lambda nn: nn.Conv2d(3, 4, 3, bias=False), [(3, 6, 5)]),
    "Conv2d, same": (lambda nn: nn.Conv2d(2, 2, (2, 3), padding="same"), [(1, 2, 5, 6)]),
    "Conv2d, reflect": (
        lambda nn: nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode="reflect"),
        [(2, 2, 5, 4)],
    ),
    "Conv2d, replicate, same": (
        lambda nn: nn.Conv2d(2, 3, (2, 3), padding="same", padding_mode="replicate"),
        [(2, 2, 5, 4)],
    ),
    "MaxPool2d": (lambda nn: nn.MaxPool2d(3, stride=2, padding=1), [(2, 3, 7, 6)]),
    "AvgPool2d": (lambda nn: nn.AvgPool2d((2, 3), padding=1), [(2, 3, 7, 6)]),
    "BatchNorm1d": (lambda nn: nn.BatchNorm1d(4), [(6, 4)]),
    "BatchNorm1d, sequences": (lambda nn: nn.BatchNorm1d(4, affine=False), [(3, 4, 5)]),
    "BatchNorm2d": (lambda nn: nn.BatchNorm2d(3, momentum=None), [(4, 3, 2, 5)]),
    "BatchNorm2d, evaluated": (lambda nn: nn.BatchNorm2d(3).eval(), [(4, 3, 2, 5)]),
    "BatchNorm2d, untracked": (
        lambda nn: nn.BatchNorm2d(3, track_running_stats=False).eval(),
        [(4, 3, 2, 5)],
    ),
    "LayerNorm": (lambda nn: nn.LayerNorm((3, 5)), [(4, 3, 5)]),
    "LayerNorm, no bias": (lambda nn: nn.LayerNorm(5, bias=False, eps=1e-3), [(4, 5)]),
    "Dropout, evaluated": (lambda nn: nn.Dropout().eval(), [(4, 5)]),
    "LSTM": (lambda nn: nn.LSTM(3, 4), [(5, 2, 3)]),
    "LSTM, two layers both ways": (
        lambda nn: nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True),
        [(2, 5, 3)],
    ),
    "LSTM, unbatched, no bias": (lambda nn: nn.LSTM(3, 4, 2, bias=False), [(5, 3)]),
    "LSTM, projected": (lambda nn: nn.LSTM(3, 4, 2, proj_size=2), [(5, 2, 3)]),
    "LSTMCell": (lambda nn: nn.LSTMCell(3, 4), [(2, 3)]),
    "LSTMCell, unbatched": (lambda nn: nn.LSTMCell(3, 4, bias=False), [(3,)]),
    "ReLU": (lambda nn: nn.ReLU(), [(4, 5)]),
    "Sigmoid": (lambda nn: nn.Sigmoid(), [(4, 5)]),
    "Tanh": (lambda nn: nn.Tanh(), [(4, 5)]),
    "LeakyReLU": (lambda nn: nn.LeakyReLU(0.2), [(4, 5)]),
    "ELU": (lambda nn: nn.ELU(0.7), [(4, 5)]),
    "GELU": (lambda nn: nn.GELU(), [(4, 5)]),
    "GELU, tanh": (lambda nn: nn.GELU(approximate="tanh"), [(4, 5)]),
    "SiLU": (lambda nn: nn.SiLU(), [(4, 5)]),
    "Softmax": (lambda nn: nn.Softmax(dim=-1), [(4, 5)]),
    "LogSoftmax": (lambda nn: nn.LogSoftmax(dim=0), [(4, 5)]),
    "Softplus": (lambda nn: nn.Softplus(2.0, 1.0), [(4, 5)]),
    "LogSigmoid": (lambda nn: nn.LogSigmoid(), [(4, 5)]),
    "Flatten": (lambda nn: nn.Flatten(1, 2), [(2, 3, 4, 5)]),
    "Unflatten": (lambda nn: nn.Unflatten(1, (2, -1)), [(2, 6)]),
    "Identity": (lambda nn: nn.Identity(3, some="argument"), [(2, 6)]),
    "MSELoss": (lambda nn: nn.MSELoss(), [(4, 5), (4, 5)]),
    "L1Loss": (lambda nn: nn.L1Loss(reduction="sum"), [(4, 5), (4, 5)]),
    "SmoothL1Loss": (lambda nn: nn.SmoothL1Loss(beta=0.5), [(4, 5), (4, 5)]),
    "Sequential": (
        lambda nn: nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2), nn.LayerNorm(2)),
        [(4, 5)],
    ),
}


def parts(result):
    """The tensors of a result, nested tuples flattened."""
    if isinstance(result, tuple):
        return [tensor for part in result for tensor in parts(part)]
    return [result]


def run(module, inputs, weights):
    """Outputs, then the gradients of the inputs and of the parameters by name."""
    outputs = parts(module(*inputs))
    loss = sum((out * weight).sum() for out, weight in zip(outputs, weights, strict=False))
    loss.backward()
    results = [out.detach() for out in outputs] + [x.grad for x in inputs if x.requires_grad]
    return results + [parameter.grad for _, parameter in module.named_parameters()]


def compare(make, arrays, dtype, extra=()):
    """Run one module of each library on the same numbers; `extra` are inputs without a gradient."""
    torch = pytest.importorskip("torch")
    ours = make(nn).to(tg.double if dtype == "float64" else tg.float32)
    theirs = make(torch.nn).to(getattr(torch, dtype))
    state = {name: host(value) for name, value in ours.state_dict().items()}
    for name, value in state.items():  # away from ones and zeros
        if value.dtype.kind == "f":
            state[name] = np.abs(rng().normal(size=value.shape)) + 0.1 if "var" in name else value
    expected = {name: tuple(value.shape) for name, value in theirs.state_dict().items()}
    assert {name: value.shape for name, value in state.items()} == expected
    assert list(state) == list(expected)
    ours.load_state_dict({name: tg.tensor(value) for name, value in state.items()})
    theirs.load_state_dict({name: torch.tensor(value) for name, value in state.items()})

    generator = rng()
    arrays = [np.asarray(a if hasattr(a, "dtype") else generator.normal(size=a)) for a in arrays]
    shapes = [
        tuple(out.shape)
        for out in parts(theirs(*map(torch.tensor, cast(arrays, dtype)), *map(torch.tensor, extra)))
    ]
    theirs.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    weights = cast([generator.normal(size=shape) for shape in shapes], dtype)
    arrays = cast(arrays, dtype)

    def inputs(library):
        main = [library.tensor(array, requires_grad=True) for array in arrays]
        return [*main, *[library.tensor(array) for array in extra]]

    mine = run(ours, inputs(tg), list(map(tg.tensor, weights)))
    known = run(theirs, inputs(torch), list(map(torch.tensor, weights)))
    for actual, wanted in zip(mine, known, strict=True):
        assert actual.shape == tuple(wanted.shape)
        assert str(actual.dtype) == dtype
        close(actual, wanted.numpy(), DTYPES[dtype])
    for name, buffer in ours.named_buffers():
        close(buffer, dict(theirs.named_buffers())[name].numpy(), DTYPES[dtype])


def cast(arrays, dtype):
    return [array.astype(dtype) for array in arrays]


@pytest.mark.filterwarnings("ignore::UserWarning:torch")  # on its own slow paths
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS)
def test_layer_beside_torch(name, dtype, backend):
    make, shapes = LAYERS[name]
    compare(make, shapes, dtype)


def probabilities(*shape):
    values = rng().random(shape)
    return values / values.sum(1, keepdims=True)


CLASSES = np.array([2, 0, -100, 1])
WEIGHT = np.array([1.0, 2.0, 0.5])
LOSSES = {
    "cross entropy": (lambda nn, t: nn.CrossEntropyLoss(), [(4, 3)], CLASSES),
    "cross entropy, weights": (
        lambda nn, t: nn.CrossEntropyLoss(t(WEIGHT), label_smoothing=0.1),
        [(4, 3)],
        CLASSES,
    ),
    "cross entropy, ignored": (
        lambda nn, t: nn.CrossEntropyLoss(ignore_index=0, reduction="sum"),
        [(4, 3)],
        np.array([2, 0, 0, 1]),
    ),
    "cross entropy, image": (
        lambda nn, t: nn.CrossEntropyLoss(reduction="none"),
        [(2, 3, 4)],
        rng().integers(0, 3, (2, 4)),
    ),
    "cross entropy, probabilities": (
        lambda nn, t: nn.CrossEntropyLoss(),
        [(4, 3), probabilities(4, 3)],
        None,
    ),
    "nll": (lambda nn, t: nn.NLLLoss(t(WEIGHT)), [(4, 3)], CLASSES),
    "bce": (lambda nn, t: nn.BCELoss(), [rng().random((4, 3))], rng().random((4, 3))),
    "bce with logits": (
        lambda nn, t: nn.BCEWithLogitsLoss(t(WEIGHT), pos_weight=t(WEIGHT + 1)),
        [(4, 3)],
        rng().random((4, 3)),
    ),
    "kl": (lambda nn, t: nn.KLDivLoss(reduction="batchmean"), [(4, 3)], probabilities(4, 3)),
    "kl, log target": (
        lambda nn, t: nn.KLDivLoss(reduction="sum", log_target=True),
        [(4, 3)],
        rng().normal(size=(4, 3)),
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LOSSES)
def test_loss_beside_torch(name, dtype, backend):
    torch = pytest.importorskip("torch")
    make, arrays, target = LOSSES[name]

    def with_library(library_nn):
        return make(library_nn, tg.tensor if library_nn is nn else torch.tensor)

    extra = []
    if target is not None:
        extra = [target if target.dtype.kind == "i" else target.astype(dtype)]
    compare(with_library, arrays, dtype, extra)


@pytest.mark.parametrize("padding_idx", [None, 1, -1])
def test_embedding_beside_torch(padding_idx, backend):
    index = np.array([[0, 1, 4], [4, 4, 2]])
    compare(lambda nn: nn.Embedding(5, 3, padding_idx), [], "float64", [index])


def test_lstm_with_a_state_beside_torch(backend):
    torch = pytest.importorskip("torch")
    ours, theirs = nn.LSTM(3, 4, 2).double(), torch.nn.LSTM(3, 4, 2).double()
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    arrays = [rng().normal(size=shape) for shape in ((5, 2, 3), (2, 2, 4), (2, 2, 4))]
    results = []
    for library, layer in ((tg, ours), (torch, theirs)):
        x, h, c = (library.tensor(array, requires_grad=True) for array in arrays)
        out, (h_n, c_n) = layer(x, (h, c))
        ((out**2).sum() + (h_n**3).sum() + c_n.sum()).backward()
        results.append([out, h_n, c_n, x.grad, h.grad, c.grad, layer.weight_hh_l1.grad])
    for actual, wanted in zip(*results, strict=True):
        close(actual, wanted.detach().numpy(), 1e-9)


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


# ---- default initialisation and init


@pytest.mark.parametrize(
    ("layer", "bound"),
    [
        (lambda: nn.Linear(100, 50), 0.1),
        (lambda: nn.Conv2d(4, 50, 5), 0.1),
        (lambda: nn.LSTM(30, 100), 0.1),
        (lambda: nn.LSTMCell(30, 100), 0.1),
    ],
)
def test_default_initialisation_is_uniform_within_its_bound(layer, bound, backend):
    values = np.concatenate([host(p).ravel() for p in layer().parameters()])
    assert np.abs(values).max() <= bound
    assert abs(values.std() - bound / math.sqrt(3)) < 0.03 * bound


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


def test_init_distributions(backend):
    weight = nn.Parameter(tg.empty(200, 100))
    assert init.uniform_(weight, 2, 3) is weight
    assert 2 <= host(weight).min() < 2.01 < 2.99 < host(weight).max() <= 3
    init.normal_(weight, 1, 2)
    assert abs(host(weight).mean() - 1) < 0.1
    assert abs(host(weight).std() - 2) < 0.1
    for fill, std in (
        (init.xavier_normal_, math.sqrt(2 / 300)),
        (init.xavier_uniform_, math.sqrt(2 / 300)),
        (lambda w: init.kaiming_normal_(w, nonlinearity="relu"), math.sqrt(2 / 100)),
        (lambda w: init.kaiming_uniform_(w, mode="fan_out"), math.sqrt(2 / (1 + 0) / 200)),
    ):
        fill(weight)
        assert abs(host(weight).std() / std - 1) < 0.03
    assert init.ones_(weight).requires_grad
    assert (host(init.zeros_(weight)) == 0).all()
    assert (host(init.constant_(weight, 3)) == 3).all()
    np.testing.assert_array_equal(host(init.eye_(weight)), np.eye(200, 100))


def test_orthogonal(backend):
    for shape in ((4, 6), (6, 4), (4, 2, 3)):
        q = host(init.orthogonal_(tg.empty(shape, dtype=tg.float64), gain=2)).reshape(shape[0], -1)
        product = q @ q.T if q.shape[0] <= q.shape[1] else q.T @ q
        np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


@pytest.mark.parametrize(("low", "high"), [(-2, 2), (0.5, 1), (4, 5), (-9, 9)])
def test_trunc_normal_has_the_moments_of_the_cut_distribution(low, high, backend):
    mean, std = 1.0, 0.5
    x = host(init.trunc_normal_(tg.empty(20000), mean, std, mean + low * std, mean + high * std))
    z = (x.astype("float64") - mean) / std
    assert low <= z.min() + 1e-5
    assert z.max() - 1e-5 <= high
    grid = np.linspace(low, high, 100001)
    density = np.exp(-(grid**2) / 2)
    center = (grid * density).sum() / density.sum()
    spread = math.sqrt(((grid - center) ** 2 * density).sum() / density.sum())
    assert abs(z.mean() - center) < 4 * spread / math.sqrt(20000)
    assert abs(z.std() / spread - 1) < 0.04


def test_init_follows_its_generator():
    for fill in (init.uniform_, init.normal_, init.trunc_normal_, init.orthogonal_):
        first, again = (
            host(fill(tg.empty(4, 3), generator=tg.Generator().manual_seed(5))) for _ in range(2)
        )
        np.testing.assert_array_equal(first, again)


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


# ---- utils


def gradients():
    parameters = [tg.ones(2, requires_grad=True), tg.ones(3, 2, requires_grad=True)]
    parameters[0].grad = tg.tensor([3.0, 0.0])
    parameters[1].grad = tg.full((3, 2), -2.0)
    return [*parameters, tg.ones(1, requires_grad=True)]


@pytest.mark.parametrize(
    ("order", "total"),
    [(2.0, math.sqrt(9 + 24)), (1, 15), (math.inf, 3), (3, (27 + 48) ** (1 / 3))],
)
def test_clip_grad_norm(order, total, backend):
    parameters = gradients()
    memory = host(parameters[1].grad)
    assert utils.clip_grad_norm_(parameters, 1.0, order).item() == pytest.approx(total)
    np.testing.assert_allclose(memory, -2 / (total + 1e-6), rtol=1e-6)
    assert parameters[2].grad is None
    before = host(parameters[0].grad).copy()
    utils.clip_grad_norm_(parameters, 100.0, order)
    np.testing.assert_array_equal(host(parameters[0].grad), before)
    assert utils.clip_grad_norm_(parameters[2], 1.0).item() == 0


def test_clip_grad_norm_that_is_not_finite(backend):
    parameters = gradients()
    parameters[0].grad = tg.tensor([math.inf, 1.0])
    with pytest.raises(RuntimeError, match="expected a finite norm"):
        utils.clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert parameters[1].grad.tolist() == [[-2, -2]] * 3


def test_clip_grad_value(backend):
    parameters = gradients()
    utils.clip_grad_value_(parameters, 1.5)
    assert parameters[0].grad.tolist() == [1.5, 0]
    assert parameters[1].grad.tolist() == [[-1.5, -1.5]] * 3


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
