"""Copies of large arrays that lie in another order: every order, gap, repetition and size."""

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.backends.numba_backend import MANY_COPIED, NumbaBackend
from tensorgrad.kernels.numba.copying import ordered, plain

backend = NumbaBackend()
# Edges of squares and stripes, one dimension and four; all large enough for the kernel.
SHAPES = [(131, 1201), (1023, 257), (64, 33, 79), (3, 47, 31, 41), (1, 9, 16, 17, 65)]


def numbered(shape, dtype):
    return (np.arange(np.prod(shape)) % 50_021).reshape(shape).astype(dtype)


def same(copy, array):
    assert copy.flags.carray
    assert copy.dtype == array.dtype
    assert not np.shares_memory(copy, array)
    np.testing.assert_array_equal(copy, array)


@pytest.mark.parametrize("dtype", ["f4", "i4", "f8", "i8", "c8", "f2", "?", "c16"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_order(shape, dtype):
    array = numbered(shape, dtype)
    for dims in itertools.permutations(range(len(shape))):
        same(ordered(array.transpose(dims)), array.transpose(dims))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gaps_repetitions_and_steps_back(shape):
    turned = numbered(shape, "f4").T
    assert turned.size >= MANY_COPIED
    wide = numbered([2 * n for n in shape], "f4").T
    for array in (
        wide[tuple(slice(1, None, 2) for _ in shape)],
        np.broadcast_to(turned, (3, *turned.shape)),
        np.broadcast_to(turned[..., :1], turned.shape),
        turned[::-1],
        turned[..., ::-1],
    ):
        same(ordered(array), array)
    turned.flags.writeable = False
    same(ordered(turned), turned)


def test_what_is_no_number_keeps_its_bits():
    array = np.random.default_rng(0).integers(0, 1 << 32, (700, 300), np.uint32)
    same(ordered(array.view("f4").T).view("u4"), array.T)


def test_bytes_that_are_not_aligned():
    array = np.zeros(4 * 600 * 300 + 1, "u1")[1:].view("f4").reshape(600, 300)
    array[:] = numbered((600, 300), "f4")
    same(ordered(array.T), array.T)
    assert plain(array).flags.carray


def test_reshape_copies_only_where_it_must():
    array = numbered((64, 50, 60), "f4")
    turned = array.transpose(2, 0, 1)
    assert np.shares_memory(backend.reshape(turned, (60, 8, 400)), array)
    merged = backend.reshape(turned, (60 * 64, 50))
    same(merged, turned.reshape(-1, 50))
    with pytest.raises(ValueError, match="cannot reshape"):
        backend.reshape(turned, (7, 11))


def test_tensors_in_order():
    x = tg.arange(400 * 500).reshape(400, 500).float().requires_grad_()
    y = x.t().contiguous()
    assert y.is_contiguous()
    assert y[3, 7].item() == x[7, 3].item()
    (y * tg.arange(400)).sum().backward()
    assert (x.grad == tg.arange(400)[:, None]).all()
