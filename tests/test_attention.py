"""MultiheadAttention and transformers: beside PyTorch, and by what they promise."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional
from tests.oracle import needs_torch, torch
from tests.twins import agree_in_all, twins

pytestmark = pytest.mark.filterwarnings(
    "ignore:enable_nested_tensor is True", "ignore:Support for mismatched"
)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def causal(size):
    return np.triu(np.ones((size, size), bool), 1)


PADDING = np.array([[False, False, False, True], [False, True, True, True]])

# ---- attention beside PyTorch

ATTENTION = {
    "as it is": {},
    "no bias": {"bias": False},
    "batch first": {"batch_first": True},
    "other sizes": {"kdim": 5, "vdim": 3},
    "other sizes, no bias": {"kdim": 5, "bias": False},
    "one more key": {"add_bias_kv": True},
    "a key of zeros": {"add_zero_attn": True, "batch_first": True},
    "both": {"add_bias_kv": True, "add_zero_attn": True, "kdim": 5},
}
CALLS = {
    "weights": {},
    "no weights": {"need_weights": False},
    "the weights of each head": {"average_attn_weights": False},
    "padding": {"key_padding_mask": PADDING},
    "mask": {"attn_mask": np.array([[False, True, False, False]] * 3)},
    "masks": {"attn_mask": np.eye(3, 4), "key_padding_mask": PADDING, "need_weights": False},
    "a mask a head": {"attn_mask": normal(4, 3, 4, seed=3), "need_weights": False},
}


@needs_torch
@pytest.mark.parametrize("options", ATTENTION.values(), ids=ATTENTION)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_attention(options, call, backend):
    pair = twins(lambda nn: nn.MultiheadAttention(6, 2, **options))
    key, value = (options.get(name, 6) for name in ("kdim", "vdim"))
    args = [normal(3, 2, 6), normal(4, 2, key, seed=1), normal(4, 2, value, seed=2)]
    if options.get("batch_first"):
        args = [x.swapaxes(0, 1) for x in args]
    agree_in_all(pair, args, call)


@needs_torch
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
def test_self_attention(batch_first, need_weights, backend):
    """One tensor three times, as PyTorch's own shortcut has it."""

    def make(nn):
        class Own(nn.Module):
            def __init__(self):
                super().__init__()
                self.attention = nn.MultiheadAttention(6, 2, batch_first=batch_first)

            def forward(self, x, mask):
                return self.attention(
                    x, x, x, attn_mask=mask, need_weights=need_weights, is_causal=True
                )

        return Own()

    agree_in_all(twins(make), [normal(4, 4, 6), causal(4)])
    agree_in_all(twins(make), [normal(4, 6), causal(4)])


@needs_torch
def test_attention_of_one_sample_in_single_precision(backend):
    pair = twins(lambda nn: nn.MultiheadAttention(6, 3, batch_first=True), "float32")
    args = [normal(3, 6), normal(4, 6, seed=1), normal(4, 6, seed=2)]
    agree_in_all(pair, [x.astype("float32") for x in args], dtype="float32")


# ---- transformers beside PyTorch

LAYERS = {
    "as it is": {},
    "norm first": {"norm_first": True, "batch_first": True},
    "gelu, no bias": {"activation": "gelu", "bias": False, "layer_norm_eps": 1e-3},
}


def settings(options):
    return {"dim_feedforward": 5, "dropout": 0.0, **options}


@needs_torch
@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
def test_encoder_layers(options, backend):
    pair = twins(lambda nn: nn.TransformerEncoderLayer(6, 2, **settings(options)))
    x = normal(2, 4, 6) if options.get("batch_first") else normal(4, 2, 6)
    agree_in_all(pair, [x])
    agree_in_all(pair, [x], {"src_mask": causal(4), "is_causal": True})
    agree_in_all(pair, [x], {"src_mask": causal(4), "src_key_padding_mask": PADDING})
    agree_in_all(pair, [normal(4, 6)])


@needs_torch
@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
def test_decoder_layers(options, backend):
    pair = twins(lambda nn: nn.TransformerDecoderLayer(6, 2, **settings(options)))
    x, memory = normal(3, 2, 6), normal(4, 2, 6, seed=1)
    if options.get("batch_first"):
        x, memory = x.swapaxes(0, 1), memory.swapaxes(0, 1)
    agree_in_all(pair, [x, memory])
    masks = {"tgt_mask": causal(3), "memory_mask": np.eye(3, 4) > 0}
    agree_in_all(pair, [x, memory], {**masks, "memory_key_padding_mask": PADDING})
    agree_in_all(pair, [x, memory], {**masks, "tgt_is_causal": True})
    agree_in_all(pair, [x, memory], {"tgt_key_padding_mask": PADDING[:, :3]})


@needs_torch
@pytest.mark.parametrize("batch_first", [False, True])
def test_stacks_and_the_whole(batch_first, backend):
    def encoder(nn):
        layer = nn.TransformerEncoderLayer(6, 2, 5, 0.0, batch_first=batch_first)
        return nn.TransformerEncoder(layer, 2, nn.LayerNorm(6))

    def decoder(nn):
        return nn.TransformerDecoder(
            nn.TransformerDecoderLayer(6, 2, 5, 0.0, batch_first=batch_first), 2
        )

    def whole(nn):
        return nn.Transformer(6, 2, 1, 2, 5, 0.0, "gelu", batch_first=batch_first)

    src, tgt = normal(4, 2, 6), normal(3, 2, 6, seed=1)
    if batch_first:
        src, tgt = src.swapaxes(0, 1), tgt.swapaxes(0, 1)
    agree_in_all(twins(encoder), [src], {"mask": causal(4), "src_key_padding_mask": PADDING})
    agree_in_all(twins(decoder), [tgt, src], {"tgt_mask": causal(3)})
    pair = twins(whole)
    agree_in_all(pair, [src, tgt])
    masks = {"tgt_mask": causal(3), "src_key_padding_mask": PADDING}
    agree_in_all(pair, [src, tgt], {**masks, "memory_key_padding_mask": PADDING})
    pair[0].eval()
    pair[1].eval()
    agree_in_all(pair, [src, tgt], {"tgt_mask": causal(3), "tgt_is_causal": True})


@needs_torch
@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.MultiheadAttention(6, 2, 0.1, True, True, False, 3, 4, True),
        lambda nn: nn.TransformerEncoderLayer(6, 2, 5, 0.2, nn.functional.gelu, 1e-3, True, True),
        lambda nn: nn.TransformerDecoderLayer(6, 2, 5, 0.2, nn.SiLU(), 1e-3, True, True, False),
        lambda nn: nn.Transformer(6, 2, 1, 1, 5, 0.3, "relu", None, None, 1e-4, True, True, False),
    ],
)
def test_positions_names_and_shapes_are_pytorchs(make):
    ours, theirs = make(nn), make(torch.nn)
    assert repr(ours) == repr(theirs)
    shapes = {name: tuple(value.shape) for name, value in ours.state_dict().items()}
    assert shapes == {name: tuple(value.shape) for name, value in theirs.state_dict().items()}
    assert list(ours.state_dict()) == list(theirs.state_dict())


# ---- what holds without PyTorch


def test_weights_sum_to_one_and_leave_hidden_keys_out(backend):
    layer, x = nn.MultiheadAttention(6, 2, batch_first=True), tg.randn(2, 4, 6)
    _, weights = layer(x, x, x, key_padding_mask=tg.tensor(PADDING), attn_mask=tg.tensor(causal(4)))
    assert weights.shape == (2, 4, 4)
    values = weights.detach().numpy()
    np.testing.assert_allclose(values.sum(-1), 1, rtol=1e-6)
    assert not values[:, causal(4)].any()
    assert not values.swapaxes(1, 2)[PADDING].any()


def test_a_causal_transformer_does_not_look_ahead(backend):
    layer = nn.TransformerEncoderLayer(6, 2, 5, 0.0, batch_first=True).eval()
    model = nn.TransformerEncoder(layer, 2)
    x = tg.randn(1, 4, 6)
    mask = nn.Transformer.generate_square_subsequent_mask(4)
    before = model(x, mask, is_causal=True).detach().numpy()
    x[0, 3] = 9.0
    after = model(x, mask, is_causal=True).detach().numpy()
    np.testing.assert_allclose(after[:, :3], before[:, :3], rtol=1e-5, atol=1e-6)
    assert np.abs(after[:, 3] - before[:, 3]).max() > 0.01


def test_square_subsequent_mask():
    mask = nn.Transformer.generate_square_subsequent_mask(3, dtype=tg.float64)
    assert mask.dtype == tg.float64
    assert mask.tolist() == [[0, -math.inf, -math.inf], [0, 0, -math.inf], [0, 0, 0]]


def test_layers_of_a_stack_are_copies():
    layer = nn.TransformerEncoderLayer(6, 2, 5)
    model = nn.TransformerEncoder(layer, 2)
    first, second = (part.linear1.weight for part in model.layers)
    assert first is not second
    np.testing.assert_array_equal(first.detach(), second.detach())
    assert model.num_layers == 2


def test_dropout_acts_in_training_only():
    model = nn.Transformer(8, 2, 1, 1, 5, dropout=0.5)
    src, tgt = tg.randn(4, 2, 8), tg.randn(3, 2, 8)
    assert (model(src, tgt) != model(src, tgt)).any()
    model.eval()
    assert (model(src, tgt) == model(src, tgt)).all()


def test_an_activation_may_be_a_function_or_a_module(backend):
    x = tg.randn(4, 2, 6)
    layers = [
        nn.TransformerEncoderLayer(6, 2, 5, 0.0, activation)
        for activation in ("gelu", functional.gelu, nn.GELU(), lambda x: functional.gelu(x))
    ]
    for layer in layers:
        layer.load_state_dict(layers[0].state_dict())
        np.testing.assert_array_equal(layer(x).detach(), layers[0](x).detach())


def test_a_transformer_comes_back_whole_from_a_file(tmp_path):
    model, x = nn.Transformer(6, 2, 1, 1, 5, dropout=0.0), tg.randn(3, 2, 6)
    tg.save(model, tmp_path / "model.safetensors")
    again = tg.load(tmp_path / "model.safetensors", weights_only=False)
    np.testing.assert_array_equal(again(x, x).detach(), model(x, x).detach())


def test_a_custom_encoder_is_used():
    class Doubled(nn.Module):
        def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
            return src * 2

    class Sum(nn.Module):
        def forward(self, tgt, memory, **masks):
            return tgt + memory

    model = nn.Transformer(2, 1, custom_encoder=Doubled(), custom_decoder=Sum())
    assert model(tg.ones(1, 1, 2), tg.ones(1, 1, 2)).tolist() == [[[3, 3]]]


def test_first_values_of_attention():
    layer = nn.MultiheadAttention(64, 2, add_bias_kv=True)
    bound = math.sqrt(6 / (4 * 64))
    values = layer.in_proj_weight.detach().numpy()
    assert np.abs(values).max() <= bound
    assert abs(values.std() - bound / math.sqrt(3)) < 0.02 * bound
    assert not layer.in_proj_bias.detach().numpy().any()
    assert not layer.out_proj.bias.detach().numpy().any()
    assert 0.03 < layer.bias_k.detach().numpy().std() < 0.3
    assert layer.q_proj_weight is None


ERRORS = {
    "heads": (lambda: nn.MultiheadAttention(6, 4), AssertionError),
    "no heads": (lambda: nn.MultiheadAttention(6, 0), ValueError),
    "causal without a mask": (
        lambda: nn.MultiheadAttention(6, 2)(*[tg.ones(3, 2, 6)] * 3, is_causal=True),
        RuntimeError,
    ),
    "size": (lambda: nn.MultiheadAttention(6, 2)(*[tg.ones(3, 2, 5)] * 3), AssertionError),
    "activation": (lambda: nn.TransformerEncoderLayer(6, 2, activation="sine"), RuntimeError),
    "batches": (
        lambda: nn.Transformer(6, 2, 1, 1, 5)(tg.ones(3, 2, 6), tg.ones(3, 1, 6)),
        RuntimeError,
    ),
    "features": (
        lambda: nn.Transformer(6, 2, 1, 1, 5)(tg.ones(3, 2, 6), tg.ones(3, 2, 5)),
        RuntimeError,
    ),
}


@pytest.mark.parametrize(("call", "error"), ERRORS.values(), ids=ERRORS)
def test_bad_input_is_refused(call, error):
    with pytest.raises(error, match="expected"):
        call()
