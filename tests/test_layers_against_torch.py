"""Layers and losses beside PyTorch's: outputs, gradients, buffers, names and shapes of states."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tests.layer_samples import close, host, rng

DTYPES = {"float64": 1e-9, "float32": 1e-4}


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
