"""Random numbers follow their laws: bounds are five standard deviations, and the seed is fixed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg

MANY = 200_000


def assert_mean(values: np.ndarray, mean: float, std: float) -> None:
    assert abs(values.mean(dtype="float64") - mean) < 5 * std / math.sqrt(values.size)


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64, tg.float16, tg.bfloat16])
def test_uniform(dtype: Any, backend: str) -> None:
    x = tg.rand(MANY, dtype=dtype)
    assert x.dtype == dtype
    values = x.double().numpy()
    assert values.min() >= 0
    assert values.max() < 1
    step = {tg.float16: 2.0**-11, tg.bfloat16: 2.0**-8}.get(dtype, 0.0)
    assert_mean(values, 0.5 - step / 2, math.sqrt(1 / 12))
    assert_mean((values + step / 2 - 0.5) ** 2, 1 / 12, math.sqrt(1 / 180))
    counts = np.histogram(values, 16, (0, 1))[0]
    assert ((counts - MANY / 16) ** 2).sum() / (MANY / 16) < 60  # chi-squared, 15 degrees
    assert_mean((values[1:] + step / 2 - 0.5) * (values[:-1] + step / 2 - 0.5), 0, 1 / 12)


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64, tg.float16])
def test_normal(dtype: Any, backend: str) -> None:
    x = tg.randn(MANY + 1, dtype=dtype)
    assert x.dtype == dtype
    values = x.double().numpy()
    assert np.isfinite(values).all()
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert_mean(values**power, moment, math.sqrt(variance))
    assert_mean(values[1:] * values[:-1], 0, 1)
    assert abs(np.mean(np.abs(values) < 1.959964) - 0.95) < 5 * math.sqrt(0.95 * 0.05 / MANY)


@pytest.mark.parametrize("dtype", [tg.complex64, tg.complex128])
def test_complex_numbers_are_drawn_part_by_part(dtype: Any, backend: str) -> None:
    for x, mean, variance in (
        (tg.rand(MANY, dtype=dtype), 0.5, 1 / 12),
        (tg.randn_like(tg.zeros(MANY, dtype=dtype)), 0.0, 0.5),
        (tg.zeros(MANY, dtype=dtype).normal_(), 0.0, 0.5),
    ):
        assert (x.shape, x.dtype) == ((MANY,), dtype)
        real, imag = x.numpy().real, x.numpy().imag
        for part in (real, imag):
            assert_mean(part, mean, math.sqrt(variance))
            assert_mean((part - mean) ** 2, variance, variance * math.sqrt(2))
        assert_mean((real - mean) * (imag - mean), 0, variance)


def share(values: np.ndarray, below: float) -> float:
    return float(np.mean(values < below))


# By name: how it is drawn, and at what number the distribution function is what.
WRITTEN = {
    "exponential_": (
        lambda x: x.exponential_(2.0),
        {0.0: 0.0, 0.1: 1 - math.exp(-0.2), 1.0: 1 - math.exp(-2.0)},
    ),
    "cauchy_": (lambda x: x.cauchy_(1.0, 2.0), {1.0: 0.5, 3.0: 0.75, -1.0: 0.25}),
    "log_normal_": (
        lambda x: x.log_normal_(0.5, 2.0),
        {0.0: 0.0, math.exp(0.5): 0.5, math.exp(2.5): 0.841344746},
    ),
    "geometric_": (
        lambda x: x.geometric_(0.25),
        {1.0: 0.0, 1.5: 0.25, 2.5: 1 - 0.75**2, 5.5: 1 - 0.75**5},
    ),
    "bernoulli_": (lambda x: x.bernoulli_(0.3), {0.0: 0.0, 0.5: 0.7, 1.5: 1.0}),
    "random_": (lambda x: x.random_(2, 6), {2.0: 0.0, 3.0: 0.25, 5.0: 0.75, 6.0: 1.0}),
    "normal_": (lambda x: x.normal_(1.0, 2.0), {1.0: 0.5, 3.0: 0.841344746}),
    "normal": (
        lambda x: tg.normal(x.fill_(1.0), 2.0),
        {1.0: 0.5, 3.0: 0.841344746, -1.0: 0.158655254},
    ),
}


@pytest.mark.parametrize("dtype", [tg.float32, tg.float64, tg.bfloat16])
@pytest.mark.parametrize("name", WRITTEN)
def test_written_draws(name: str, dtype: Any, backend: str) -> None:
    draw, known = WRITTEN[name]
    x = draw(tg.empty(MANY, dtype=dtype))
    assert x.dtype == dtype
    values = x.double().numpy()
    assert np.isfinite(values).all()
    for below, expected in known.items():
        # bfloat16 has eight bits: what is below a number is that of some neighbour.
        slack = 0.01 if dtype == tg.bfloat16 else 0.0
        found = share(values, below)
        spread = 5 * math.sqrt(expected * (1 - expected) / MANY)
        assert abs(found - expected) <= spread + slack, below


def test_written_whole_numbers(backend: str) -> None:
    values = tg.empty(MANY, dtype=tg.int8).random_().numpy()
    assert values.dtype == np.int8
    assert (values.min(), values.max()) == (0, 127)
    assert set(tg.empty(99, dtype=tg.bool).random_().tolist()) == {True, False}
    assert tg.empty(MANY, dtype=tg.float16).random_().max() == 2**11
    trials = tg.empty(MANY, dtype=tg.int64).geometric_(0.5).numpy()
    assert trials.min() == 1
    assert_mean(trials, 2, math.sqrt(2))
    chances = tg.tensor([0.0, 0.25, 1.0])
    assert_mean(tg.empty(MANY, 3).bernoulli_(chances).numpy().mean(0), 1.25 / 3, 0.01)
    assert tg.ones(3, dtype=tg.int64).bernoulli(0.0).tolist() == [0, 0, 0]
    assert tg.bernoulli(tg.ones(3), 1.0).tolist() == [1.0, 1.0, 1.0]
    like = tg.randint_like(tg.ones(MANY), 2, 5)
    assert like.dtype == tg.float32
    assert set(like.tolist()) == {2.0, 3.0, 4.0}


def test_normal_arguments(backend: str) -> None:
    means = tg.tensor([[0.0], [100.0]], requires_grad=True)
    x = tg.normal(means, tg.tensor([0.0, 1.0, 2.0]))
    assert x.shape == (2, 3)
    assert x[:, 0].tolist() == [0.0, 100.0]
    assert not x.requires_grad
    assert tg.normal(2.0, tg.zeros(3)).tolist() == [2.0, 2.0, 2.0]
    assert tg.normal(2.0, 0.0, (2,), dtype=tg.float64).dtype == tg.float64


@pytest.mark.parametrize(("low", "high"), [(0, 10), (-3, 4), (5, 6), (0, 2**40)])
def test_randint(low: int, high: int, backend: str) -> None:
    values = tg.randint(low, high, (MANY,)).numpy()
    assert values.dtype == np.int64
    assert low <= values.min()
    assert values.max() < high
    span = high - low
    assert_mean(values, (low + high - 1) / 2, math.sqrt((span**2 - 1) / 12) + 1e-12)
    if span <= 10:
        assert set(values.tolist()) == set(range(low, high))


def test_randint_arguments() -> None:
    assert tg.randint(5, (2, 3)).shape == (2, 3)
    assert tg.randint(0, 256, (9,), dtype=tg.uint8).dtype == tg.uint8
    assert tg.randint(0, 9, (9,), dtype=tg.float32, requires_grad=True).requires_grad
    assert tg.randint(0, 5, ()).ndim == 0
    extreme = tg.randint(-(2**63), 2**63 - 1, (1000,)).numpy()
    assert extreme.min() < -(2**62)
    assert extreme.max() > 2**62


def test_randperm(backend: str) -> None:
    permutations = [tg.randperm(4).tolist() for _ in range(2400)]
    assert all(sorted(p) == [0, 1, 2, 3] for p in permutations)
    counts = np.unique(permutations, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert ((counts - 100) ** 2).sum() / 100 < 60  # chi-squared, 23 degrees
    assert tg.randperm(0).shape == (0,)
    assert tg.randperm(5, dtype=tg.int32).dtype == tg.int32


def test_bernoulli(backend: str) -> None:
    for p in (0.0, 0.1, 0.5, 1.0):
        drawn = tg.bernoulli(tg.full((MANY,), p)).numpy()
        assert set(drawn.tolist()) <= {0.0, 1.0}
        assert_mean(drawn, p, math.sqrt(p * (1 - p)) + 1e-12)
    p = tg.tensor([0.0, 1.0], requires_grad=True)
    assert tg.bernoulli(p).tolist() == [0, 1]
    assert not tg.bernoulli(p).requires_grad


def test_multinomial(backend: str) -> None:
    weights = tg.tensor([1.0, 0.0, 3.0, 4.0])
    picked = tg.multinomial(weights, MANY, replacement=True).numpy()
    for index, share in enumerate((1 / 8, 0, 3 / 8, 1 / 2)):
        assert_mean(picked == index, share, math.sqrt(share * (1 - share)) + 1e-12)
    rows = tg.multinomial(weights.expand(MANY // 10, 4), 2)
    assert rows.dtype == tg.int64
    first, second = rows.numpy().T
    assert (first != second).all()
    assert 1 not in rows.numpy()
    assert_mean(first == 3, 1 / 2, 1 / 2)
    assert_mean((first == 3) & (second == 2), 1 / 2 * 3 / 4, 1 / 2)
    assert sorted(tg.multinomial(weights, 3).tolist()) == [0, 2, 3]
