"""First values of layers, and init: bounds, moments, generators."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import functional, init
from tests.layer_samples import host


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
