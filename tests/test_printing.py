"""What a printed tensor looks like: PyTorch's layout, held against PyTorch on drawn tensors."""

import ml_dtypes
import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import printing

SHAPES = [
    (), (1,), (7,), (40,), (1000,), (1001,), (3, 4), (2, 3, 4), (1, 1, 5, 2), (5, 30), (4, 1, 26),
    (50, 60), (6, 200), (8, 7, 30), (2, 2, 3, 100), (7, 7, 7, 7), (0,), (0, 3), (2, 0),
]  # fmt: skip
KINDS = [
    "normal", "whole", "halves", "small", "large", "spread", "zeros", "not finite", "float64",
    "float16", "bfloat16", "int64", "int32", "uint8", "bool", "complex64", "complex128",
]  # fmt: skip
OPTIONS = [
    {},
    {"precision": 2},
    {"precision": 7, "linewidth": 50},
    {"threshold": 5},
    {"threshold": 10, "edgeitems": 1},
    {"threshold": 10, "edgeitems": 0},
    {"sci_mode": True},
    {"sci_mode": False},
    {"profile": "short"},
    {"profile": "full", "linewidth": 120},
    {"profile": "short", "threshold": 3, "sci_mode": True, "precision": 1},
    {"linewidth": 5},
]


def drawn(rng, kind, shape):
    """An array of a kind: of values, or of a dtype."""
    normal = rng.standard_normal(shape)
    if kind in ("int64", "int32"):
        return rng.integers(-(10 ** rng.integers(1, 8)), 10**6, shape).astype(kind)
    if kind in ("uint8", "bool"):
        return rng.integers(0, 2 if kind == "bool" else 256, shape).astype(kind)
    if kind.startswith("complex"):
        other = rng.integers(-3, 4, shape) if rng.random() < 0.3 else rng.standard_normal(shape)
        return np.asarray(normal * 10.0 ** rng.integers(-2, 4) + 1j * other).astype(kind)
    if kind in ("float64", "float16"):
        return np.asarray(normal).astype(kind)
    if kind == "bfloat16":
        return np.asarray(normal).astype(ml_dtypes.bfloat16)
    values = {
        "normal": lambda: normal,
        "whole": lambda: rng.integers(-9, 99, shape),
        "halves": lambda: rng.integers(-9, 99, shape) / 2,
        "small": lambda: normal * 1e-6,
        "large": lambda: np.round(normal * 1e9),
        "spread": lambda: normal * 10.0 ** rng.integers(-3, 6, shape),
        "zeros": lambda: np.zeros(shape) * np.sign(normal),
        "not finite": lambda: np.where(
            rng.random(shape) < 0.4, rng.choice([np.nan, np.inf, -np.inf], shape), normal
        ),
    }
    return np.asarray(values[kind]()).astype("float32")


def in_torch(torch, array):
    if array.dtype == ml_dtypes.bfloat16:
        return torch.tensor(array.astype("float32")).to(torch.bfloat16)
    return torch.tensor(array)


@pytest.fixture
def fresh_options():
    """Options as they are without a call, before and after."""
    tg.set_printoptions(profile="default")
    yield
    tg.set_printoptions(profile="default")


@pytest.mark.parametrize("number", range(len(OPTIONS)))
@pytest.mark.parametrize("kind", KINDS)
def test_reads_as_in_torch(kind, number, fresh_options):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(number)
    kwargs = OPTIONS[number]
    torch.set_printoptions(profile="default")
    torch.set_printoptions(**kwargs)
    tg.set_printoptions(**kwargs)
    try:
        for shape in SHAPES:
            if kwargs.get("profile") == "full" and np.prod(shape) > 1500:
                continue
            array = drawn(rng, kind, shape)
            # PyTorch's dtypes are named with the module before them, which fills a line sooner.
            theirs = repr(in_torch(torch, array)).replace(",\n" + " " * 7 + "dtype=", ", dtype=")
            ours = repr(tg.tensor(array)).replace(",\n" + " " * 7 + "dtype=", ", dtype=")
            assert ours == theirs.replace("dtype=torch.", "dtype="), shape
    finally:
        torch.set_printoptions(profile="default")


@pytest.mark.parametrize("shape", [(2,), (12,), (13,), (3, 9), (0, 3)])
def test_notes_begin_a_line_where_the_last_is_full(shape):
    torch = pytest.importorskip("torch")
    array = np.random.default_rng(0).standard_normal(shape).astype("float32")
    ours, theirs = tg.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    assert repr(ours) == repr(theirs)
    assert repr(ours * 2) == repr(theirs * 2)
    assert repr(tg.nn.Parameter(ours)) == repr(torch.nn.Parameter(theirs))


def test_words_around_the_numbers():
    x = tg.tensor([1.0, -0.5], requires_grad=True)
    assert repr(x) == "tensor([ 1.0000, -0.5000], requires_grad=True)"
    assert repr(x * 2) == "tensor([ 2., -1.], grad_fn=<MulBackward0>)"
    assert repr(tg.nn.Parameter(tg.ones(1))) == (
        "Parameter containing:\ntensor([1.], requires_grad=True)"
    )
    assert repr(tg.tensor([1], dtype=tg.int32)) == "tensor([1], dtype=int32)"
    assert repr(tg.tensor(1.5, dtype=tg.bfloat16)) == "tensor(1.5000, dtype=bfloat16)"


def test_a_tensor_of_one_number_is_formatted_as_the_number():
    loss = (tg.tensor(0.5, requires_grad=True) * 3).sum()
    assert f"{loss:.2f} {loss} {tg.tensor(3)} {tg.tensor(True)}" == "1.50 1.5 3 True"
    assert f"{tg.tensor([1.5])}" == "tensor([1.5000])"
    assert f"{tg.nn.Parameter(tg.tensor(1.5))}".startswith("Parameter containing:")
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{tg.ones(2):.2f}"


def test_options_stay_until_they_are_set_again(fresh_options):
    tg.set_printoptions(precision=1, sci_mode=True)
    assert repr(tg.tensor([1.5])) == "tensor([1.5e+00])"
    tg.set_printoptions(linewidth=70)  # sci_mode is for this call only, as in PyTorch
    assert repr(tg.tensor([1.5])) == "tensor([1.5])"
    tg.set_printoptions(profile="short")
    assert (printing.options.precision, printing.options.linewidth) == (2, 80)
    with pytest.raises(ValueError, match=r"set_printoptions: expected a profile among .* 'long'"):
        tg.set_printoptions(profile="long")
