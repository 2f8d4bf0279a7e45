"""What a printed tensor looks like: PyTorch's layout."""

import numpy as np
import pytest

import tensorgrad as tg

RNG = np.random.default_rng(0)
ARRAYS = {
    "number": np.float32(1.5),
    "whole": np.array([1, 2, 3], "float32"),
    "fractions": np.array([0, 0.5], "float32"),
    "matrix": RNG.standard_normal((3, 4)).astype("float32"),
    "blocks": (RNG.standard_normal((2, 3, 4)) * 1e5).astype("float32"),
    "exponents": np.array([1e-5, 1.0], "float32"),
    "large": np.array([1e10, 1.0], "float32"),
    "not finite": np.array([np.nan, 1, np.inf], "float32"),
    "not finite among fractions": np.array([np.nan, 1.5, -np.inf], "float32"),
    "int64": np.arange(5),
    "bool": np.array([[True, False]]),
    "empty rows": np.zeros((0, 3), "float32"),
    "empty": np.zeros(0, "float32"),
    "long": np.arange(2000, dtype="float32"),
    "large matrix": RNG.standard_normal((50, 60)).astype("float32"),
    "wrapped lines": RNG.standard_normal((3, 30)).astype("float32"),
    "float64": np.array([0.25, 2.0]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_reads_as_in_torch(name):
    torch = pytest.importorskip("torch")
    expected = repr(torch.tensor(ARRAYS[name])).replace("dtype=torch.", "dtype=")
    assert repr(tg.tensor(ARRAYS[name])) == expected


def test_words_around_the_numbers():
    x = tg.tensor([1.0, -0.5], requires_grad=True)
    assert repr(x) == "tensor([ 1.0000, -0.5000], requires_grad=True)"
    assert repr(x * 2) == "tensor([ 2., -1.], grad_fn=<MulBackward0>)"
    assert repr(tg.nn.Parameter(tg.ones(1))) == (
        "Parameter containing:\ntensor([1.], requires_grad=True)"
    )
    assert repr(tg.tensor([1], dtype=tg.int32)) == "tensor([1], dtype=int32)"
    assert repr(tg.tensor(1.5, dtype=tg.bfloat16)) == "tensor(1.5000, dtype=bfloat16)"
    assert f"{tg.tensor(0.123456):.2f}" == "0.12"
