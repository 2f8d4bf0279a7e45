"""Elementwise ops where PyTorch's answer is a choice of its own: slopes at jumps and ends, numbers
that a dtype does not hold, writes over the input.
"""

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import INF, NAN, assert_same, outcome

torch = pytest.importorskip("torch")

# ---- gradients

SLOPES = {
    "floor, infinite slope": (lambda m, x: m.floor(x) * INF, [1.5, -2.5]),
    "ceil, infinite slope": (lambda m, x: m.ceil(x) * INF, [1.5, -2.5]),
    "round, infinite slope": (lambda m, x: m.round(x) * INF, [1.7, -2.7]),
    "trunc, infinite slope": (lambda m, x: m.trunc(x) * INF, [1.5, -2.5]),
    "sign, infinite slope": (lambda m, x: m.sign(x) * INF, [1.5, -2.5]),
    "power 0, infinite slope": (lambda m, x: x**0 * INF, [1.5, -2.5, 0.0]),
    "div floor": (lambda m, x: m.div(x, 0.7, rounding_mode="floor") * INF, [1.5, -2.5]),
    "div trunc": (lambda m, x: m.div(x, 0.7, rounding_mode="trunc") * INF, [1.5, -2.5]),
    "div floor of the divisor": (lambda m, x: m.div(3.0 * x, x, rounding_mode="floor"), [0.7]),
    "square of inf": (lambda m, x: m.square(x), [INF, -INF, NAN, 0.0]),
    "hypot at 0": (lambda m, x: m.hypot(x, 0 * x), [0.0, 3.0]),
    "copysign of 0": (lambda m, x: m.copysign(x, -1.0), [0.0, -0.0, 2.0]),
    "sinc at 0": (lambda m, x: m.sinc(x), [0.0, 1.0, 0.5]),
    "xlogy at 0": (lambda m, x: m.xlogy(x, x), [0.0, 1.0]),
    "xlogy of 0 and less": (lambda m, x: m.xlogy(x, m.tensor([-1.0, 0.0, NAN])), [0.0] * 3),
    "logit at its ends": (lambda m, x: m.logit(x), [0.0, 1.0, -0.1, 1.1]),
    "logit at its limits": (lambda m, x: m.logit(x, 0.2), [0.1, 0.2, 0.5, 0.8, 0.9]),
    "logaddexp far": (lambda m, x: m.logaddexp(x, -x), [500.0, -500.0, 0.0]),
    "acosh outside": (lambda m, x: m.acosh(x), [0.5, 1.0, -2.0]),
    "asin outside": (lambda m, x: m.asin(x), [1.0, -1.0, 2.0]),
    "erfinv at its ends": (lambda m, x: m.erfinv(x), [1.0, -1.0, 0.0]),
    "nan_to_num": (lambda m, x: m.nan_to_num(x), [NAN, INF, -INF, 1.0]),
    "fmax of ties and NaN": (lambda m, x: m.fmax(x, m.full_like(x, 2.0)), [2.0, NAN, 3.0, 1.0]),
    "fmin of ties and NaN": (lambda m, x: m.fmin(x, m.full_like(x, 2.0)), [2.0, NAN, 3.0, 1.0]),
    "fmax of NaN beside": (lambda m, x: m.fmax(m.full_like(x, NAN), x), [2.0, NAN]),
    "clamp at its limits": (lambda m, x: m.clamp(x, -1.0, 1.0), [-1.0, 1.0, NAN, 2.0]),
    "clamp, limits crossed": (
        lambda m, x: m.clamp(x, m.full_like(x, 2.0), m.full_like(x, 1.0)), [0.0, 1.5, 3.0],
    ),
    "clamp to itself": (lambda m, x: m.clamp(m.zeros_like(x), x, x + 1), [-0.5, 1.0, -3.0]),
    "lerp past its ends": (lambda m, x: m.lerp(x, 2 * x, m.full_like(x, 1.5)), [1.0, -3.0]),
    "where of NaN": (lambda m, x: m.where(x > 0, m.sqrt(x), 0.0), [4.0, -1.0]),
    "fmod by 0": (lambda m, x: m.fmod(m.ones_like(x), x), [0.7, -0.7]),
    "float_power at 0": (lambda m, x: m.float_power(x, 0.5), [0.0, 4.0]),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOPES)
def test_slope(name, backend):
    function, data = SLOPES[name]
    x = tg.tensor(data, dtype=tg.float64, requires_grad=True)
    other = torch.tensor(data, dtype=torch.float64, requires_grad=True)
    one, two = function(tg, x), function(torch, other)
    assert_same(one, two, 1.0, "value")
    one.sum().backward()
    two.sum().backward()
    assert_same(x.grad, other.grad, 1.0, "gradient")


# ---- numbers and dtypes

NUMBERS = {
    "add 300": lambda m, u, s: u + 300,
    "add -1": lambda m, u, s: u + -1,
    "mul -1": lambda m, u, s: u * -1,
    "less than 300": lambda m, u, s: u < 300,
    "equal to -1": lambda m, u, s: u == -1,
    "floor_divide by 300": lambda m, u, s: u // 300,
    "and -1": lambda m, u, s: u & -1,
    "int8 and 200": lambda m, u, s: s + 200,
    "clamp of -5": lambda m, u, s: m.clamp(u, min=-5),
    "clamp of 300": lambda m, u, s: m.clamp(u, -1, 300),
    "fill of -1": lambda m, u, s: u.masked_fill(u > 5, -1),
    "fill of 300": lambda m, u, s: u.masked_fill(u > 5, 300),
    "fill of 1.5": lambda m, u, s: s.masked_fill(s > 1, 1.5),
    "fill of NaN": lambda m, u, s: s.masked_fill(s > 1, NAN),
    "fill of 1j": lambda m, u, s: s.float().masked_fill(s > 1, 1j),
    "half and -1e9": lambda m, u, s: s.half().masked_fill(s > 1, -1e9),
    "where of uint8": lambda m, u, s: m.where((u > 5).to(m.uint8), s, 0),
    "where of int64": lambda m, u, s: m.where(s.long(), s, 0),
    "square of bools": lambda m, u, s: m.square(s > 1),
    "negative powers of integers": lambda m, u, s: s.long() ** m.tensor([-1, -2]),
    "shift out": lambda m, u, s: (s << 9, -s >> 9),
    "big quotients": lambda m, u, s: m.div(
        m.tensor([2**62 + 1, -(2**62) - 1]), 2, rounding_mode="trunc"
    ),
    "isclose of integers": lambda m, u, s: m.isclose(s, s + 1, rtol=0.5),
}


@pytest.mark.filterwarnings("ignore:where received a uint8")  # PyTorch's
@pytest.mark.parametrize("name", NUMBERS)
def test_number(name, backend):
    def inputs(m):
        return m.tensor([1, 200], dtype=m.uint8), m.tensor([1, 2], dtype=m.int8)

    one = outcome(NUMBERS[name], tg, *inputs(tg))
    two = outcome(NUMBERS[name], torch, *inputs(torch))
    if isinstance(two, Exception):
        assert isinstance(one, type(two)), one
        return
    for mine, other in zip(*[x if isinstance(x, tuple) else (x,) for x in (one, two)], strict=True):
        assert_same(mine, other, 1.0, name)


# ---- in place


@pytest.mark.parametrize(
    "write",
    [
        lambda m, x: x.mul_(2).clamp_(0, 3).atan2_(x + 1),
        lambda m, x: x.sin_().addcmul_(x * 2, x + 1, value=0.5).lerp_(x * 2, 0.3),
        lambda m, x: x.mul_(0.3).logit_().erf_().square_(),
        lambda m, x: x.masked_fill_(x > 1, 0.5).pow_(2).reciprocal_(),
    ],
)
def test_chain_in_place(write, backend):
    """Gradients flow through ops written over their own input."""
    data = np.array([0.3, 1.2, 2.5])
    leaf, other = tg.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    one, two = write(tg, leaf * 1), write(torch, other * 1)
    one.sum().backward()
    two.sum().backward()
    assert_same(one, two, 1.0, "value")
    assert_same(leaf.grad, other.grad, 4.0, "gradient")


def test_augmented_operators():
    i, other = tg.tensor([12, 7, 5]), torch.tensor([12, 7, 5])
    for x in (i, other):
        x //= 2
        x <<= 3
        x >>= 1
        x |= 1
        x &= 29
        x ^= 6
        x %= 11
        x **= 2
    assert_same(i, other, 1.0, "augmented")
