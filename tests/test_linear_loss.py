"""Cross-entropy of a linear map by chunks: against the two ops that it stands for."""

import subprocess
import sys

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import IndexRangeError
from tensorgrad.kernels.numba import linear_loss

functional = tg.nn.functional
ROWS, CLASSES = 37, 50


@pytest.fixture(params=[False, True], ids=["kept", "computed again"])
def small_chunks(request, monkeypatch):
    """Blocks of 16, 16 and 5 rows, chunks of 8 classes, and of 25 in the last block."""
    monkeypatch.setattr(linear_loss, "CHUNK", 128)
    monkeypatch.setattr(linear_loss, "ROWS", 16)
    if request.param:
        monkeypatch.setattr(linear_loss, "KEPT", 0)


def arrays(dtype, bias):
    rng = np.random.default_rng(0)
    input, weight = rng.standard_normal((ROWS, 7)), rng.standard_normal((CLASSES, 7))
    shift = rng.standard_normal(CLASSES) if bias else None
    target = rng.integers(0, CLASSES, ROWS)
    target[[3, 20]] = -100
    parts = [None if part is None else part.astype(dtype) for part in (input, weight, shift)]
    return [*parts, target]


def outcome(loss, parts, **options):
    """The loss, and the gradients of input, weight and bias of a sum of its powers."""
    *floats, target = [None if part is None else tg.tensor(part) for part in parts]
    for part in floats:
        if part is not None:
            part.requires_grad_()
    value = loss(*floats, target, **options)
    (value * value).sum().backward()
    return [value, *[part.grad for part in floats if part is not None]]


def at_once(input, weight, bias, target, weights=None, **options):
    scores = functional.linear(input, weight, bias)
    return functional.cross_entropy(scores, target, weights, **options)


def by_chunks(input, weight, bias, target, weights=None, **options):
    return functional.linear_cross_entropy(
        input, weight, target, linear_bias=bias, weight=weights, **options
    )


def agree(parts, **options):
    with tg.use_backend("numba"):
        found = outcome(by_chunks, parts, **options)
    with tg.use_backend("numpy"):
        wide = [part.astype("f8") if part is not None and part.dtype.kind == "f" else part
                for part in parts]  # fmt: skip
        options |= {"weights": options["weights"].double()} if "weights" in options else {}
        wanted = outcome(at_once, wide, **options)
    for got, want in zip(found, wanted, strict=True):
        got, want = got.detach().numpy(), want.detach().numpy()
        size = np.nanmax(np.abs(want), where=np.isfinite(want), initial=1)
        np.testing.assert_allclose(got, want, rtol=0, atol=50 * np.finfo(got.dtype).eps * size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_chunks_give_what_all_logits_at_once_give(small_chunks, dtype, bias, reduction):
    agree(arrays(dtype, bias), reduction=reduction)


def test_weights_of_classes_and_a_class_that_is_ignored(small_chunks):
    parts = arrays(np.float32, True)
    parts[3][:5] = 4
    parts[3][[3, 20]] = 1
    agree(parts, ignore_index=4, weights=tg.rand(CLASSES) + 0.5)


def test_classes_that_cannot_be_and_rows_that_are_nan(small_chunks):
    parts = arrays(np.float32, True)
    parts[2][8:24] = -np.inf  # whole chunks of the first blocks
    parts[3] = parts[3] % 8
    agree(parts, reduction="none")
    parts[0][2] = np.nan
    with tg.use_backend("numba"):
        losses = outcome(by_chunks, parts, reduction="none")[0].detach().numpy()
    assert np.flatnonzero(np.isnan(losses)).tolist() == [2]


def test_backward_twice_adds_the_same(small_chunks):
    input, weight, bias, target = map(tg.tensor, arrays(np.float32, True))
    weight.requires_grad_()
    with tg.use_backend("numba"):
        loss = functional.linear_cross_entropy(input, weight, target, linear_bias=bias)
        loss.backward(retain_graph=True)
        once = weight.grad.clone()
        loss.backward()
    assert tg.equal(weight.grad, 2 * once)


def test_a_class_out_of_range_is_named(small_chunks):
    parts = arrays(np.float32, True)
    parts[3][5] = CLASSES
    with tg.use_backend("numba"), pytest.raises(IndexRangeError, match=f"got {CLASSES}"):
        outcome(by_chunks, parts)


MEMORY = """
import tensorgrad as tg
tg.set_backend("numba")
input, weight = tg.randn(4096, 16, requires_grad=True), tg.randn(1024, 16, requires_grad=True)
target = tg.randint(1024, (4096,))
before = tg.memory_stats()["allocated_bytes.all.peak"]
tg.nn.functional.linear_cross_entropy(input, weight, target).backward()
print(tg.memory_stats()["allocated_bytes.all.peak"] - before)
"""


def test_no_second_array_of_the_size_of_all_logits():
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1.8 * 4 * 4096 * 1024
