"""nn.functional beyond values: what is drawn, what is written in place, what attention shares."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.nn import functional as F
from tests.oracle import needs_torch, torch

# ---- what is drawn


@pytest.mark.parametrize(
    ("drop", "shape"),
    [
        (F.dropout1d, (40, 50, 3)),
        (F.dropout1d, (2000, 3)),
        (F.dropout2d, (40, 50, 3, 2)),
        (F.dropout3d, (40, 50, 3, 2, 1)),
        (F.dropout3d, (2000, 3, 2, 1)),
    ],
)
def test_dropout_of_channels(drop, shape, backend):
    tg.manual_seed(3)
    x = tg.randn(*shape).requires_grad_()
    out = drop(x, 0.3)
    out.backward(tg.ones(*shape))
    scale = x.grad.numpy()
    channels = scale.reshape(2000, -1)
    assert (channels == channels[:, :1]).all()
    assert set(np.unique(channels).tolist()) == {0.0, float(np.float32(1 / 0.7))}
    assert abs((channels[:, 0] == 0).mean() - 0.3) < 0.04
    np.testing.assert_allclose(out.detach().numpy(), x.detach().numpy() * scale, rtol=1e-6)


def test_dropout_of_channels_in_place(backend):
    x = tg.ones(4, 6, 5)
    for drop in (F.dropout1d, F.dropout2d):
        assert drop(x, 0.5, inplace=True) is x
    assert set(np.unique(x.numpy()).tolist()) <= {0.0, 4.0}
    assert 0.0 in x.numpy()
    assert F.alpha_dropout(x, 0.5, True, True) is x


@pytest.mark.filterwarnings("ignore:dropout2d. expected 3 or 4 dimensions")
def test_dropout_of_channels_needs_channels():
    with pytest.raises(tg.ShapeError, match=r"dropout2d: expected at least 2 dimensions"):
        F.dropout2d(tg.ones(3))
    with pytest.raises(tg.ShapeError, match=r"feature_alpha_dropout: expected at least 2"):
        F.feature_alpha_dropout(tg.ones(3), 0.5, True)


@pytest.mark.parametrize("by_channel", [False, True])
def test_alpha_dropout_keeps_mean_and_variance(by_channel, backend):
    tg.manual_seed(4)
    x = tg.randn(300, 300, 2, dtype=tg.float64)
    drop = F.feature_alpha_dropout if by_channel else F.alpha_dropout
    out = drop(x, 0.2, True).numpy()
    assert abs(out.mean()) < 0.02
    assert abs(out.var() - 1) < 0.03
    floor = -1.0507009873554805 * 1.6732632423543772  # of selu
    scale = 1 / np.sqrt(0.8 * (1 + 0.2 * floor**2))
    dropped = np.isclose(out, floor * 0.8 * scale, rtol=1e-12)
    assert abs(dropped.mean() - 0.2) < 0.02
    if by_channel:
        assert (dropped[..., 0] == dropped[..., 1]).all()


def test_rrelu_draws_slopes(backend):
    tg.manual_seed(5)
    x = tg.full((5000,), -1.0, requires_grad=True)
    out = F.rrelu(x, 0.1, 0.4, training=True)
    out.sum().backward()
    slopes = -out.detach().numpy()
    np.testing.assert_array_equal(x.grad.numpy(), slopes)
    assert 0.1 <= slopes.min() < 0.11
    assert 0.39 < slopes.max() <= 0.4
    assert abs(slopes.mean() - 0.25) < 0.01
    assert F.rrelu(tg.ones(3), training=True).tolist() == [1.0, 1.0, 1.0]
    y = tg.tensor([-1.0, 2.0])
    assert F.rrelu_(y, 0.5, 0.5) is y
    assert y.tolist() == [-0.5, 2.0]


def test_gumbel_softmax_draws_classes(backend):
    tg.manual_seed(6)
    shares = tg.tensor([0.5, 0.3, 0.2])
    logits = shares.log().expand(20000, 3)
    hard = F.gumbel_softmax(logits, tau=0.7, hard=True)
    np.testing.assert_array_equal(hard.numpy().max(1), 1.0)
    np.testing.assert_allclose(hard.sum(1).numpy(), 1.0, rtol=1e-6)
    np.testing.assert_allclose(hard.mean(0).numpy(), shares.numpy(), atol=0.015)
    leaf = tg.zeros(4, 3, requires_grad=True)
    grads = []
    for hard_too in (True, False):
        tg.manual_seed(7)
        weights = tg.arange(12.0).reshape(4, 3)
        soft = F.gumbel_softmax(leaf, hard=hard_too)
        grads.append(tg.autograd.grad((soft * weights).sum(), leaf)[0].numpy())
    np.testing.assert_array_equal(grads[0], grads[1])  # the hard draw has the soft one's gradient


# ---- what is written in place


@pytest.mark.parametrize("name", ["relu", "elu", "selu", "celu", "leaky_relu", "hardtanh"])
def test_activation_in_place(name, backend):
    x = tg.tensor([-2.0, 0.5, 3.0], requires_grad=True)
    for write in (getattr(F, f"{name}_"), lambda y: getattr(F, name)(y, inplace=True)):
        y = x * 1
        assert write(y) is y
        expected = getattr(F, name)(x)
        np.testing.assert_array_equal(y.detach().numpy(), expected.detach().numpy())
        found = [tg.autograd.grad(z.sum(), x)[0].numpy() for z in (y, expected)]
        np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("p", [1.0, 2.0])
def test_embedding_shortens_the_rows_that_it_reads(p, backend):
    table = np.array([[3.0, 4.0], [0.1, 0.2], [6.0, 8.0], [30.0, 40.0]])
    weight = tg.tensor(table, requires_grad=True)
    index = tg.tensor([[0, 1], [2, 0]])
    out = F.embedding(index, weight, max_norm=1.0, norm_type=p)
    lengths = (np.abs(table) ** p).sum(1) ** (1 / p)
    wanted = np.where(lengths[:, None] > 1, table / (lengths[:, None] + 1e-7), table)
    wanted[3] = table[3]  # not read
    np.testing.assert_allclose(weight.detach().numpy(), wanted, rtol=1e-12)
    np.testing.assert_allclose(out.detach().numpy(), wanted[index.numpy()], rtol=1e-12)
    out.sum().backward()
    assert weight.grad.tolist() == [[2.0, 2.0], [1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_embedding_gradient_by_frequency(dtype, backend):
    weight = tg.ones(4, 2).to(getattr(tg, dtype)).requires_grad_()
    index = tg.tensor([2, 0, 2, 2])
    gradient = tg.tensor([[3.0, 6.0], [1.0, 1.0], [3.0, 0.0], [3.0, 3.0]]).to(weight.dtype)
    F.embedding(index, weight, scale_grad_by_freq=True).backward(gradient)
    assert weight.grad.tolist() == [[1.0, 1.0], [0.0, 0.0], [3.0, 3.0], [0.0, 0.0]]


@needs_torch
@pytest.mark.parametrize("norm", ["batch_norm", "instance_norm"])
def test_running_statistics_beside_torch(norm, backend):
    data = np.random.default_rng(0).standard_normal((3, 4, 5)).astype("float32")
    found = []
    for library in (tg, torch):
        mean, var = library.zeros(4), library.ones(4)
        out = getattr(library.nn.functional, norm)(
            library.tensor(data), mean, var, None, None, True, 0.3
        )
        found.append([x.numpy() for x in (out, mean, var)])
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=2e-6, atol=2e-6)


# ---- attention


def test_a_query_that_sees_nothing_gets_zeros(backend):
    q, k, v = (tg.randn(2, 3, 4, requires_grad=True) for _ in range(3))
    mask = tg.tensor([[True, False, True], [False, False, False], [True, True, True]])
    out = F.scaled_dot_product_attention(q, k, v, mask)
    assert (out[:, 1] == 0).all()
    out.sum().backward()
    assert all(x.grad.isfinite().all() for x in (q, k, v))
    assert (q.grad[:, 1] == 0).all()


def test_attention_drops_weights(backend):
    tg.manual_seed(1)
    q, k, v = tg.randn(1, 4), tg.randn(2000, 4), tg.ones(2000, 1)
    assert F.scaled_dot_product_attention(q, k, v, dropout_p=1.0).item() == 0
    dropped = F.scaled_dot_product_attention(q, k, v, dropout_p=0.5).item()
    assert dropped != 1
    assert abs(dropped - 1) < 0.2


@pytest.mark.parametrize("rank", [2, 3])
def test_heads_by_either_path(rank, backend):
    """With and without weights, with one input or with equal ones: the same numbers."""
    tg.manual_seed(2)
    x = tg.randn(*(5, 2, 6)[: rank - 1], 6, dtype=tg.float64)
    weight, bias, out = (tg.randn(*n, dtype=tg.float64) for n in ((18, 6), (18,), (6, 6)))

    def heads(query, key, **kwargs):
        return F.multi_head_attention_forward(
            query, key, key, 6, 3, weight, bias, None, None, False, 0.0, out, None, **kwargs
        )

    wanted, weights = heads(x, x)
    assert weights.shape == (*x.shape[1:-1], 5, 5)
    np.testing.assert_allclose(weights.sum(-1).numpy(), 1.0)
    for query, key, kwargs in ((x, x * 1, {}), (x, x, {"need_weights": False})):
        mine, _ = heads(query, key, **kwargs)
        np.testing.assert_allclose(mine.numpy(), wanted.numpy(), rtol=1e-9, atol=1e-12)
    hidden = tg.ones(5, 5, dtype=tg.bool).triu(1)
    causal, _ = heads(x, x, attn_mask=hidden, is_causal=True, need_weights=False)
    masked, _ = heads(x, x, attn_mask=hidden)
    np.testing.assert_allclose(causal.numpy(), masked.numpy(), rtol=1e-9, atol=1e-12)
