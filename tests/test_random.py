"""Random numbers: Philox by its published answers, the same on every backend, seeds and streams."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import backend as choice
from tensorgrad.backends.cupy_backend import CupyBackend

CPU = tg.device("cpu")

# Counter, key and answer, from the known-answer tests of Random123 (Salmon et al., 2011).
KNOWN_ANSWERS = [
    (
        "00000000 00000000 00000000 00000000",
        "00000000 00000000",
        "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    ),
    (
        "ffffffff ffffffff ffffffff ffffffff",
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.fixture
def cupy(stand_in: Any) -> Any:
    return CupyBackend()


# ---- the definition


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_known_answers(counter: str, key: str, answer: str) -> None:
    low, high = words(key)
    state = tuple(np.array([word], "uint64") for word in words(counter))
    found = choice.load_backend("numpy")._philox(state, low + (high << 32))
    assert [int(word[0]) for word in found] == words(answer)


def test_the_stream_begins_with_the_known_answer(backend: str) -> None:
    bits = tg.get_backend().random_bits(0, 0, 4, CPU)
    assert bits.dtype == np.uint32
    assert bits.tolist() == words(KNOWN_ANSWERS[0][2])


def by_hand(key: int, block: int) -> list[int]:
    """One block in Python's own integers, as the paper has it."""
    low = 0xFFFFFFFF
    counter, keys = [block & low, block >> 32, 0, 0], [key & low, key >> 32]
    for _ in range(10):
        p0, p1 = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = [
            (p1 >> 32) ^ counter[1] ^ keys[0],
            p1 & low,
            (p0 >> 32) ^ counter[3] ^ keys[1],
            p0 & low,
        ]
        keys = [(keys[0] + 0x9E3779B9) & low, (keys[1] + 0xBB67AE85) & low]
    return counter


@pytest.mark.parametrize("key", [1, 2**31, 0xDEADBEEF00000001, 2**64 - 1])
@pytest.mark.parametrize("offset", [0, 7, 2**32 - 2, 2**40 + 3, 2**63])
def test_blocks_anywhere_in_the_stream(key: int, offset: int, backend: str) -> None:
    """Counters that carry into the high word and keys that fill both words."""
    expected = [word for block in range(4) for word in by_hand(key, offset + block)]
    for count in (1, 4, 13, 16):
        found = tg.get_backend().random_bits(key, offset, count, CPU)
        assert found.tolist() == expected[:count]


def test_uniforms_are_made_of_the_bits(backend: str) -> None:
    computing = tg.get_backend()
    bits = computing.random_bits(5, 2, 8, CPU).astype("uint64")
    single = computing.uniform((8,), np.dtype("float32"), 5, 2, CPU)
    assert (single.astype("float64") * 2**24).tolist() == (bits >> np.uint64(8)).tolist()
    double = computing.uniform((4,), np.dtype("float64"), 5, 2, CPU)
    wide = [int(high) << 32 | int(low) for high, low in zip(bits[0::2], bits[1::2], strict=True)]
    assert [int(x * 2**53) for x in double.tolist()] == [word >> 11 for word in wide]


# ---- the same everywhere


@pytest.mark.parametrize("count", [0, 1, 5, 1000, 100_003])
def test_backends_agree(count: int, cupy: Any) -> None:
    reference = choice.load_backend("numpy")
    for other in (choice.load_backend("numba"), cupy):
        where, read = other.default_device, other.to_numpy
        bits = read(other.random_bits(99, 3, count, where))
        np.testing.assert_array_equal(bits, reference.random_bits(99, 3, count, CPU))
        for dtype in (np.dtype("float32"), np.dtype("float64")):
            arguments = ((count,), dtype, 99, 3)
            uniform = read(other.uniform(*arguments, where))
            assert uniform.dtype == dtype
            np.testing.assert_array_equal(uniform, reference.uniform(*arguments, CPU))
            # In float64 from the same bits: what either may be a few units in the last place from.
            pairs = reference.uniform((count + count % 2,), dtype, 99, 3, CPU).astype("float64")
            unit = 2.0**-24 if dtype == "float32" else 2.0**-53
            radius = np.sqrt(-2 * np.log(pairs[0::2] + unit))
            angle = 2 * math.pi * pairs[1::2]
            exact = np.stack((radius * np.cos(angle), radius * np.sin(angle)), -1).ravel()[:count]
            for backend in (other, reference):
                normal = backend.to_numpy(backend.normal(*arguments, backend.default_device))
                bound = 8 * np.finfo(dtype).eps * np.maximum(np.repeat(radius, 2)[:count], 1)
                assert (np.abs(normal - exact) <= bound).all()


DRAWS = {
    "rand": lambda: tg.rand(3, 5),
    "rand float64": lambda: tg.rand(7, dtype=tg.float64),
    "rand float16": lambda: tg.rand(7, dtype=tg.float16),
    "rand_like": lambda: tg.rand_like(tg.zeros(3)),
    "randn": lambda: tg.randn(3, 3),
    "randn float64": lambda: tg.randn(5, dtype=tg.float64),
    "randn_like": lambda: tg.randn_like(tg.zeros(3)),
    "randint": lambda: tg.randint(-5, 5, (11,)),
    "randperm": lambda: tg.randperm(9),
    "bernoulli": lambda: tg.bernoulli(tg.full((9,), 0.5)),
    "multinomial": lambda: tg.multinomial(tg.ones(9), 4),
    "multinomial with replacement": lambda: tg.multinomial(tg.ones(9), 4, replacement=True),
    "normal_": lambda: tg.zeros(5).normal_(1.0, 2.0),
    "uniform_": lambda: tg.zeros(5).uniform_(-1.0, 1.0),
    "exponential_": lambda: tg.zeros(5).exponential_(2.0),
    "cauchy_": lambda: tg.zeros(5).cauchy_(),
    "log_normal_": lambda: tg.zeros(5).log_normal_(),
    "geometric_": lambda: tg.zeros(9).geometric_(0.1),
    "bernoulli_": lambda: tg.zeros(19).bernoulli_(0.5),
    "random_": lambda: tg.zeros(9, dtype=tg.int64).random_(),
    "normal": lambda: tg.normal(tg.zeros(3), tg.ones(3)),
    "randint_like": lambda: tg.randint_like(tg.zeros(9), 100),
}


# Equal but for the rounding of functions, which are not the same on every backend.
CLOSE = (
    "randn", "randn float64", "randn_like", "normal_", "normal", "exponential_", "cauchy_",
    "log_normal_",
)  # fmt: skip


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_gives_the_same_draws_on_every_backend(name: str, cupy: Any) -> None:
    found = []
    for backend in ("numpy", "numba", cupy):
        with tg.use_backend("numpy"), tg.use_backend(backend):
            tg.manual_seed(42)
            found.append((DRAWS[name]().cpu().numpy(), DRAWS[name]().cpu().numpy()))
    (first, second), *others = found
    assert not np.array_equal(first, second)  # the stream moves on
    for pair in others:
        for expected, actual in zip((first, second), pair, strict=True):
            assert actual.dtype == expected.dtype
            if name in CLOSE:
                np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
            else:
                np.testing.assert_array_equal(actual, expected)


# ---- seeds and generators


@pytest.mark.parametrize("name", DRAWS)
def test_manual_seed_begins_the_stream_again(name: str, backend: str) -> None:
    tg.manual_seed(7)
    first = DRAWS[name]().tolist()
    assert tg.manual_seed(7).initial_seed() == 7
    assert DRAWS[name]().tolist() == first
    tg.manual_seed(8)
    assert DRAWS[name]().tolist() != first


@pytest.mark.parametrize("name", DRAWS)
def test_the_state_brings_the_stream_back(name: str, backend: str) -> None:
    tg.rand(3)
    state = tg.get_rng_state()
    first = DRAWS[name]().tolist()
    assert state.tolist() != tg.get_rng_state().tolist()
    tg.set_rng_state(state)
    assert DRAWS[name]().tolist() == first


def test_generators_are_streams_of_their_own() -> None:
    one, other = tg.Generator(), tg.Generator()
    assert one.initial_seed() == other.initial_seed()
    before = tg.get_rng_state().tolist()
    x = tg.rand(5, generator=one)
    assert tg.get_rng_state().tolist() == before
    other.set_state(one.get_state())
    assert tg.randn(5, generator=other).tolist() == tg.randn(5, generator=one).tolist()
    assert one.manual_seed(1) is one
    assert tg.rand(5, generator=one).tolist() != x.tolist()
    one.manual_seed(-1)
    assert one.initial_seed() == 2**64 - 1
    saved = one.get_state()
    assert saved.dtype == tg.uint8
    other.set_state(saved)
    assert other.initial_seed() == 2**64 - 1


def test_seeds_are_any_integers() -> None:
    for seed in (np.int64(3), tg.tensor(3), 3 + 2**64):
        assert tg.manual_seed(seed).initial_seed() == 3
    assert tg.seed() != tg.seed()
    assert tg.initial_seed() == tg.random.default_generator.initial_seed()


def test_neighbouring_draws_share_no_numbers(backend: str) -> None:
    """A draw of n words takes whole blocks: the next one starts behind them."""
    tg.manual_seed(0)
    values = [x for count in (1, 2, 3, 4, 5) for x in tg.rand(count).tolist()]
    values += tg.randn(3).tolist() + tg.rand(4, dtype=tg.float64).tolist()
    assert len(set(values)) == len(values)
    tg.manual_seed(0)
    stream = tg.rand(32).tolist()
    assert values[:4] == [stream[0], stream[4], stream[5], stream[8]]


def test_threads_share_a_generator_without_sharing_numbers() -> None:
    generator = tg.Generator()
    drawn: list[float] = []

    def draw() -> None:
        for _ in range(200):
            drawn.extend(tg.rand(3, generator=generator, dtype=tg.float64).tolist())

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == len(drawn) == 2400


# ---- refused

REFUSED = {
    "randint: expected low < high, got 3 and 3": lambda: tg.randint(3, 3, (2,)),
    "randint: expected a range that uint8 holds": lambda: tg.randint(300, (2,), dtype=tg.uint8),
    "randint: expected a range that int64 holds": lambda: tg.randint(0, 2**64, (2,)),
    "randperm: expected n >= 0, got -1": lambda: tg.randperm(-1),
    "rand: expected a floating point dtype, got int64": lambda: tg.rand(2, dtype=tg.int64),
    "randn: expected a floating point dtype, got bool": lambda: tg.randn(2, dtype=tg.bool),
    "bernoulli: expected probabilities in": lambda: tg.bernoulli(tg.tensor([1.5])),
    "bernoulli: expected probabilities": lambda: tg.bernoulli(tg.tensor([math.nan])),
    "bernoulli: expected a floating point": lambda: tg.bernoulli(tg.tensor([1])),
    "multinomial: expected num_samples > 0": lambda: tg.multinomial(tg.ones(2), 0),
    "multinomial: expected 1 or 2 dim": lambda: tg.multinomial(tg.ones(2, 2, 2), 1),
    "multinomial: expected floating": lambda: tg.multinomial(tg.tensor([1, 2]), 1),
    "multinomial: expected weights >= 0 with": lambda: tg.multinomial(tg.tensor([-1.0, 2.0]), 1),
    "multinomial: expected weights >= 0": lambda: tg.multinomial(tg.zeros(2), 1),
    "multinomial: expected weights": lambda: tg.multinomial(tg.tensor([math.inf]), 1),
    "multinomial: expected at least 3 pos": lambda: tg.multinomial(tg.tensor([1.0, 0.0, 1.0]), 3),
    "multinomial: expected at most 16777216": lambda: tg.multinomial(tg.ones(2**24 + 1), 1),
    "uniform_: expected from <= to": lambda: tg.zeros(2).uniform_(1.0, 0.0),
    "exponential_: expected lambd > 0, got 0": lambda: tg.zeros(2).exponential_(0.0),
    "exponential_: expected a floating": lambda: tg.zeros(2, dtype=tg.int64).exponential_(),
    "cauchy_: expected sigma > 0, got -1": lambda: tg.zeros(2).cauchy_(0.0, -1.0),
    "log_normal_: expected std > 0": lambda: tg.zeros(2).log_normal_(0.0, 0.0),
    "log_normal_: expected a floating": lambda: tg.zeros(2, dtype=tg.int64).log_normal_(),
    "geometric_: expected p in (0, 1), got 1": lambda: tg.zeros(2).geometric_(1),
    "bernoulli_: expected p in [0, 1], got 2": lambda: tg.zeros(2).bernoulli_(2),
    "bernoulli_: expected p in [0, 1], got tensor": lambda: tg.ones(1).bernoulli_(-tg.ones(1)),
    "random_: expected from < to, got 3 and 3": lambda: tg.zeros(2).random_(3, 3),
    "random_: expected a range that uint8": lambda: tg.zeros(2).byte().random_(0, 300),
    "random_: expected a tensor whose elem": lambda: tg.zeros(1).expand(3).random_(),
    "normal: expected std >= 0, got -1.0": lambda: tg.normal(0.0, -1.0, (2,)),
    "normal: expected std >= 0, got others": lambda: tg.normal(0.0, -tg.ones(2)),
}
WRONG_TYPES = {
    "manual_seed: expected an int, got str": lambda: tg.manual_seed("7"),
    "manual_seed: expected an int, got float": lambda: tg.manual_seed(7.0),
    "generator: expected a Generator, got int": lambda: tg.rand(2, generator=7),
    "normal: expected tensors, or a size": lambda: tg.normal(0.0, 1.0),
    "set_state: expected a state": lambda: tg.set_rng_state(tg.zeros(2)),
    "set_state: expected a state from": lambda: tg.set_rng_state(tg.zeros(3, dtype=tg.int64)),
}


@pytest.mark.parametrize("message", [*REFUSED, *WRONG_TYPES])
def test_refused(message: str, backend: str) -> None:
    before = tg.get_rng_state().tolist()
    with pytest.raises(RuntimeError if message in REFUSED else TypeError) as caught:
        {**REFUSED, **WRONG_TYPES}[message]()
    assert str(caught.value).startswith(message)
    assert tg.get_rng_state().tolist() == before  # nothing was drawn
