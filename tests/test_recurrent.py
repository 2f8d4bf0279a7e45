"""Recurrent layers, their cells and packed sequences: beside PyTorch, and by what they promise."""

import copy

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.utils import rnn
from tests.oracle import needs_torch, torch
from tests.twins import TOLERANCES, agree, agree_in_all, given, leaves, results_of, twins

KINDS = ["RNN", "LSTM", "GRU"]
LENGTHS = [3, 5, 1, 4]


def normal(*shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def state_of(kind, *shape, dtype="float64"):
    h = normal(*shape, dtype=dtype, seed=1)
    return (h, normal(*shape, dtype=dtype, seed=2)) if kind.startswith("LSTM") else h


# ---- layers beside PyTorch

OPTIONS = {
    "one layer": {},
    "two layers both ways": {"num_layers": 2, "bidirectional": True},
    "batch first": {"num_layers": 2, "batch_first": True},
    "no bias": {"bias": False, "bidirectional": True},
}


@needs_torch
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("form", ["batch", "single", "packed"])
@pytest.mark.parametrize("begun", [False, True], ids=["from zeros", "from a state"])
def test_layers(kind, options, form, begun, backend):
    pair = twins(lambda nn: getattr(nn, kind)(3, 4, **options))
    count = len(pair[0]._all_weights)
    if form == "packed":
        first = options.get("batch_first", False)
        args = [normal(4, 5, 3) if first else normal(5, 4, 3)]
        args += [state_of(kind, count, 4, 4)] if begun else []
        run_packed(pair, args, first)
        return
    args = [normal(5, 3) if form == "single" else normal(5, 2, 3)]
    batch = 5 if options.get("batch_first") else 2
    shape = (count, 4) if form == "single" else (count, batch, 4)
    args += [state_of(kind, *shape)] if begun else []
    agree_in_all(pair, args)


def run_packed(pair, args, batch_first):
    """Sequences of unequal lengths, packed in any order, through layer and back."""
    results = []
    for module, library in zip(pair, (tg, torch), strict=True):
        utils = library.nn.utils.rnn

        def forward(x, *state, module=module, utils=utils):
            packed = utils.pack_padded_sequence(x, LENGTHS, batch_first, enforce_sorted=False)
            out, last = module(packed, *state)
            return utils.pad_packed_sequence(out, batch_first)[0], last

        forward.zero_grad, forward.parameters = module.zero_grad, module.parameters
        results.append(results_of(forward, given(tuple(args), library), {}))
    agree(*results, TOLERANCES["float64"])


@needs_torch
@pytest.mark.parametrize("form", ["batch", "single", "packed"])
def test_projection(form, backend):
    pair = twins(lambda nn: nn.LSTM(3, 4, 2, bidirectional=True, proj_size=2))
    if form == "packed":
        run_packed(pair, [normal(5, 4, 3), (normal(4, 4, 2), normal(4, 4, 4))], False)
    else:
        agree_in_all(pair, [normal(5, 3) if form == "single" else normal(5, 2, 3)])


@needs_torch
@pytest.mark.parametrize("kind", KINDS)
def test_layers_in_single_precision(kind, backend):
    pair = twins(lambda nn: getattr(nn, kind)(3, 4, 2, bidirectional=True), "float32")
    agree_in_all(pair, [normal(6, 2, 3, dtype="float32")], dtype="float32")


@needs_torch
def test_relu_layers(backend):
    agree_in_all(twins(lambda nn: nn.RNN(3, 4, 2, "relu")), [normal(5, 2, 3)])
    agree_in_all(twins(lambda nn: nn.RNNCell(3, 4, nonlinearity="relu")), [normal(2, 3)])


@needs_torch
def test_nan_reaches_the_gradients_of_relu_layers(backend):
    x = normal(5, 2, 3)
    x[2, 1, 0] = np.nan
    agree_in_all(twins(lambda nn: nn.RNN(3, 4, nonlinearity="relu")), [x])


@needs_torch
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
@pytest.mark.parametrize("bias", [False, True])
def test_cells(kind, bias, backend):
    pair = twins(lambda nn: getattr(nn, kind)(3, 4, bias))
    agree_in_all(pair, [normal(2, 3)])
    agree_in_all(pair, [normal(2, 3), state_of(kind, 2, 4)])
    agree_in_all(pair, [normal(3), state_of(kind, 4)])


# ---- what holds without PyTorch


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_its_cell_step_by_step(kind, backend):
    layer, cell = getattr(nn, kind)(3, 4), getattr(nn, kind + "Cell")(3, 4)
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    x, state, steps = tg.randn(5, 2, 3), None, []
    for step in x:
        state = cell(step, state)
        steps.append(leaves(state)[0])
    out, last = layer(x)
    np.testing.assert_allclose(out.detach(), tg.stack(steps).detach(), rtol=1e-5, atol=1e-6)
    for mine, expected in zip(leaves(last), leaves(state), strict=True):
        np.testing.assert_allclose(mine.detach()[0], expected.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_packed_sequences_run_as_if_each_were_alone(kind, bidirectional, backend):
    layer = getattr(nn, kind)(3, 4, 2, bidirectional=bidirectional).double()
    x = tg.tensor(normal(5, 4, 3))
    packed = rnn.pack_padded_sequence(x, LENGTHS, enforce_sorted=False)
    out, last = layer(packed)
    padded, lengths = rnn.pad_packed_sequence(out)
    assert lengths.tolist() == LENGTHS
    for n, length in enumerate(LENGTHS):
        alone, ends = layer(x[:length, n])
        np.testing.assert_allclose(padded[:length, n].detach(), alone.detach(), rtol=1e-12)
        assert not padded[length:, n].detach().numpy().any()
        for mine, expected in zip(leaves(last), leaves(ends), strict=True):
            np.testing.assert_allclose(mine[:, n].detach(), expected.detach(), rtol=1e-12)


def test_dropout_acts_between_layers_in_training_only():
    for kind in KINDS:
        layer, x = getattr(nn, kind)(3, 8, 2, dropout=0.5), tg.randn(5, 2, 3)
        assert (layer(x)[0] != layer(x)[0]).any()
        layer.eval()
        assert (layer(x)[0] == layer(x)[0]).all()
        with pytest.warns(UserWarning, match="expected num_layers > 1 beside dropout"):
            one = getattr(nn, kind)(3, 8, 1, dropout=0.5)
        assert (one(x)[0] == one(x)[0]).all()


@needs_torch
@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.RNN(3, 4, 2, "relu", False, True, 0.5, True),
        lambda nn: nn.LSTM(3, 4, 2, False, True, 0.25, True, 2),
        lambda nn: nn.GRU(3, 4, 3, True, True, 0.5, False),
        lambda nn: nn.RNNCell(3, 4, False, "relu"),
        lambda nn: nn.GRUCell(3, 4, True),
    ],
)
def test_positions_names_shapes_and_text_are_pytorchs(make):
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    shapes = [(name, tuple(value.shape)) for name, value in ours.named_parameters()]
    assert shapes == [(name, tuple(value.shape)) for name, value in theirs.named_parameters()]
    if hasattr(theirs, "all_weights"):
        assert ours._all_weights == theirs._all_weights
        assert [[tuple(w.shape) for w in part] for part in ours.all_weights] == [
            [tuple(w.shape) for w in part] for part in theirs.all_weights
        ]
        ours.flatten_parameters()


@pytest.mark.parametrize("kind", ["RNN", "GRU", "RNNCell", "GRUCell"])
def test_parameters_start_uniform_by_the_hidden_size(kind):
    values = np.concatenate(
        [p.detach().numpy().ravel() for p in getattr(nn, kind)(60, 100).parameters()]
    )
    assert np.abs(values).max() <= 0.1
    assert abs(values.std() - 0.1 / np.sqrt(3)) < 0.002


def test_a_layer_takes_a_weight_that_was_replaced():
    layer, x = nn.GRU(3, 4), tg.randn(2, 1, 3)
    layer.weight_ih_l0 = nn.Parameter(tg.zeros(12, 3))
    layer.bias_ih_l0 = nn.Parameter(tg.zeros(12))
    np.testing.assert_array_equal(layer(x)[0].detach(), layer(x * 2)[0].detach())


def test_layers_copy_deeply_with_their_values():
    layer, x = nn.LSTM(3, 4, 2), tg.randn(5, 2, 3)
    np.testing.assert_array_equal(copy.deepcopy(layer)(x)[0].detach(), layer(x)[0].detach())


ERRORS = {
    "no hidden size": (lambda: nn.GRU(3, 0), ValueError),
    "no input size": (lambda: nn.RNN(0, 3), ValueError),
    "no layers": (lambda: nn.GRU(3, 4, 0), ValueError),
    "a size that is no int": (lambda: nn.RNN(3, 4.0), TypeError),
    "a bias that is no bool": (lambda: nn.GRU(3, 4, bias=1), TypeError),
    "dropout above 1": (lambda: nn.GRU(3, 4, 2, dropout=1.5), ValueError),
    "projection too large": (lambda: nn.LSTM(3, 4, proj_size=4), ValueError),
    "projection of a GRU": (lambda: nn.GRU(3, 4, proj_size=2), TypeError),
    "nonlinearity": (lambda: nn.RNN(3, 4, nonlinearity="sine"), ValueError),
    "nonlinearity of a cell": (
        lambda: nn.RNNCell(3, 4, nonlinearity="sine")(tg.ones(2, 3)),
        RuntimeError,
    ),
    "one dimension": (lambda: nn.GRU(3, 4)(tg.ones(3)), ValueError),
    "features": (lambda: nn.GRU(3, 4)(tg.ones(2, 2, 5)), RuntimeError),
    "no steps": (lambda: nn.GRU(3, 4)(tg.ones(0, 2, 3)), RuntimeError),
    "dtype": (lambda: nn.GRU(3, 4)(tg.ones(2, 2, 3).double()), ValueError),
    "h_0": (lambda: nn.GRU(3, 4)(tg.ones(2, 2, 3), tg.ones(1, 1, 4)), RuntimeError),
    "c_0": (
        lambda: nn.LSTM(3, 4)(tg.ones(2, 2, 3), (tg.ones(1, 2, 4), tg.ones(1, 1, 4))),
        RuntimeError,
    ),
    "h_0 of one sequence": (
        lambda: nn.GRU(3, 4)(tg.ones(2, 3), tg.ones(1, 1, 4)),
        RuntimeError,
    ),
    "cell, three dimensions": (lambda: nn.GRUCell(3, 4)(tg.ones(2, 2, 3)), ValueError),
    "cell, state of another batch": (
        lambda: nn.GRUCell(3, 4)(tg.ones(2, 3), tg.ones(1, 4)),
        RuntimeError,
    ),
    "cell, state of three dimensions": (
        lambda: nn.GRUCell(3, 4)(tg.ones(2, 3), tg.ones(1, 2, 4)),
        ValueError,
    ),
}


@pytest.mark.parametrize(("call", "error"), ERRORS.values(), ids=ERRORS)
def test_bad_input_is_refused(call, error):
    with pytest.raises(error):
        call()


# ---- packing


def test_packing_as_documented(backend):
    x = tg.tensor([[1, 2, 0], [3, 0, 0], [4, 5, 6]])
    packed = rnn.pack_padded_sequence(x, [2, 1, 3], batch_first=True, enforce_sorted=False)
    assert packed.data.tolist() == [4, 1, 3, 5, 2, 6]
    assert packed.batch_sizes.tolist() == [3, 2, 1]
    assert packed.sorted_indices.tolist() == [2, 0, 1]
    assert packed.unsorted_indices.tolist() == [1, 2, 0]
    padded, lengths = rnn.pad_packed_sequence(packed, batch_first=True)
    assert padded.tolist() == x.tolist()
    assert padded.dtype == x.dtype
    assert lengths.tolist() == [2, 1, 3]
    wide, _ = rnn.pad_packed_sequence(packed, True, padding_value=-1, total_length=4)
    assert wide.tolist() == [[1, 2, -1, -1], [3, -1, -1, -1], [4, 5, 6, -1]]


@needs_torch
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("ordered", [False, True])
def test_packing_beside_pytorch(batch_first, ordered, backend):
    lengths = sorted(LENGTHS, reverse=True) if ordered else LENGTHS
    x = normal(4, 6, 2) if batch_first else normal(6, 4, 2)
    results = []
    for library in (tg, torch):
        utils = library.nn.utils.rnn
        leaf = library.tensor(x, requires_grad=True)
        packed = utils.pack_padded_sequence(leaf, library.tensor(lengths), batch_first, ordered)
        padded, sizes = utils.pad_packed_sequence(packed, batch_first, 0.5, 7)
        (padded * padded).sum().backward()
        results.append([*packed, padded, sizes, leaf.grad])
    agree(*results, 1e-12)


@needs_torch
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_beside_pytorch(batch_first, side, backend):
    results = []
    for library in (tg, torch):
        sequences = [library.tensor(normal(n, 2), requires_grad=True) for n in LENGTHS]
        padded = library.nn.utils.rnn.pad_sequence(sequences, batch_first, -1.5, side)
        (padded * padded).sum().backward()
        results.append([padded, *(sequence.grad for sequence in sequences)])
    agree(*results, 1e-12)


def test_sequences_come_back_as_they_were(backend):
    sequences = [tg.tensor(normal(n, 2, seed=n)) for n in LENGTHS]
    packed = rnn.pack_sequence(sequences, enforce_sorted=False)
    for mine, expected in zip(rnn.unpack_sequence(packed), sequences, strict=True):
        np.testing.assert_array_equal(mine, expected)
    padded = rnn.pad_sequence(sequences)
    for mine, expected in zip(rnn.unpad_sequence(padded, LENGTHS), sequences, strict=True):
        np.testing.assert_array_equal(mine, expected)
    in_order = rnn.pack_sequence(sorted(sequences, key=len, reverse=True))
    assert in_order.sorted_indices is None
    np.testing.assert_array_equal(in_order.data, packed.data)


def test_packed_sequences_convert():
    packed = rnn.pack_sequence([tg.ones(2), tg.ones(3)], enforce_sorted=False)
    assert packed.to(tg.float32) is packed
    assert packed.cpu() is packed
    assert not packed.is_cuda
    for name, dtype in (
        ("double", tg.float64), ("half", tg.float16), ("long", tg.int64), ("int", tg.int32),
        ("short", tg.int16), ("char", tg.int8), ("byte", tg.uint8),
    ):  # fmt: skip
        converted = getattr(packed, name)()
        assert converted.data.dtype == dtype
        assert converted.float().data.dtype == tg.float32
        assert converted.batch_sizes is packed.batch_sizes
        assert converted.unsorted_indices.tolist() == [1, 0]
    assert rnn.PackedSequence((packed.data, packed.batch_sizes)).unsorted_indices is None
    assert rnn.invert_permutation(tg.tensor([2, 0, 1])).tolist() == [1, 2, 0]


PACKING_ERRORS = {
    "order": (lambda: rnn.pack_padded_sequence(tg.ones(3, 2), [1, 3]), RuntimeError),
    "zero": (lambda: rnn.pack_padded_sequence(tg.ones(3, 2), [3, 0]), RuntimeError),
    "too long": (lambda: rnn.pack_padded_sequence(tg.ones(3, 2), [4, 1]), RuntimeError),
    "too few": (lambda: rnn.pack_padded_sequence(tg.ones(3, 2), [3]), RuntimeError),
    "total length": (
        lambda: rnn.pad_packed_sequence(
            rnn.pack_padded_sequence(tg.ones(3, 2), [3, 1]), total_length=2
        ),
        ValueError,
    ),
    "no sequences": (lambda: rnn.pad_sequence([]), RuntimeError),
    "no iterable": (lambda: rnn.pad_sequence(3), RuntimeError),
    "side": (lambda: rnn.pad_sequence([tg.ones(2)], padding_side="top"), RuntimeError),
    "lengths": (lambda: rnn.unpad_sequence(tg.ones(3, 2), [3]), RuntimeError),
}


@pytest.mark.parametrize(("call", "error"), PACKING_ERRORS.values(), ids=PACKING_ERRORS)
def test_bad_sequences_are_refused(call, error):
    with pytest.raises(error, match="expected"):
        call()
