"""Attention in tiles against its composition: where blocks end, what is hidden, how arrays lie."""

import itertools

import numba
import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.nn import functional
from tensorgrad.op import OPS
from tests.oracle import needs_torch, torch

DTYPES = [np.float32, np.float64]
# (batch, heads, heads of keys, queries, keys, numbers of a key, of a value): less than a block,
# several with an odd end, a head whose keys several tasks share.
SIZES = [(3, 2, 2, 1, 1, 1, 1), (1, 2, 1, 70, 130, 16, 20), (2, 4, 2, 300, 290, 32, 33),
         (1, 1, 1, 64, 600, 33, 65)]  # fmt: skip


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def heads(size, dtype):
    batch, wide, own, queries, keys, width, value = size
    shapes = (batch, wide, queries, width), (batch, own, keys, width), (batch, own, keys, value)
    arrays = [normal(*shape, seed=n).astype(dtype) for n, shape in enumerate(shapes)]
    return arrays, normal(batch, wide, queries, value, seed=3).astype(dtype)


def masks(size, dtype):
    batch, wide, _, queries, keys, *_ = size
    yield "causal", None
    yield "none", None
    yield "bool", normal(queries, keys) < 0.5
    yield "a bool for each key", normal(batch, 1, 1, keys) < 0
    yield "a bool for each query", normal(1, wide, queries, 1) < 0
    yield "added", normal(1, wide, queries, keys).astype(dtype)
    yield "added, transposed", normal(keys, queries).astype(dtype).T


def run(function, arrays, g, mask, scale=0.3, causal=False, grouped=True):
    """The output and the gradients, in float64."""
    leaves = [tg.from_numpy(array).requires_grad_() for array in arrays]
    out = function(*leaves, None if mask is None else tg.from_numpy(mask), scale, causal, grouped)
    out.backward(tg.from_numpy(g))
    return [out.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)]


def assert_close(mine, wanted, dtype, factor=64):
    for one, other in zip(mine, wanted, strict=True):
        assert one.dtype == dtype
        bound = factor * np.finfo(dtype).eps * max(1, np.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=bound)


@pytest.fixture(autouse=True)
def numba_backend():
    with tg.use_backend("numba"):
        yield


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_kernel_equals_the_composition(size, dtype):
    arrays, g = heads(size, dtype)
    op = OPS["attention"]
    for name, mask in masks(size, dtype):
        exact = mask if mask is None or mask.dtype == bool else mask.astype("f8")
        wide = [array.astype("f8") for array in arrays]
        wanted = run(op.composition, wide, g.astype("f8"), exact, causal=name == "causal")
        assert_close(run(op.call, arrays, g, mask, causal=name == "causal"), wanted, dtype)


def test_heads_lie_as_they_like():
    """Slices of one projection, spread, reversed, transposed and repeated heads."""
    shape = 2, 40, 3, 4, 8  # batch, rows, parts, heads, numbers
    packed, g = normal(*shape), normal(2, 4, 40, 8)
    ways = [
        lambda x: x,
        np.ascontiguousarray,
        lambda x: np.repeat(x, 2, -1)[..., ::2],
        lambda x: np.ascontiguousarray(x[:, ::-1, ::-1])[:, ::-1, ::-1],
        lambda x: np.asfortranarray(x),
    ]
    views = [packed[:, :, n].swapaxes(1, 2) for n in range(3)]
    wanted = run(OPS["attention"].composition, views, g, None)
    for one, other in itertools.product(ways, ways):
        arrays = [one(views[0]), other(views[1]), one(views[2])]
        assert_close(run(OPS["attention"].call, arrays, other(g), None), wanted, np.float64)
    one_head = [views[0], np.broadcast_to(views[1][:, :1], views[1].shape), views[2]]
    wanted = run(OPS["attention"].composition, one_head, g, None)
    assert_close(run(OPS["attention"].call, one_head, g, None), wanted, np.float64)


def test_single_rows_lie_as_they_like():
    """NumPy calls an array contiguous whatever the stride of a dimension of size 1."""
    given = [normal(3, 2, 40, 1, seed=n) for n in range(4)]
    turned = [array.swapaxes(2, 3) for array in given]
    assert all(array.flags.c_contiguous and array.strides[2] == 8 for array in turned)
    plain = [array.copy().reshape(3, 2, 1, 40) for array in given]
    wanted = run(OPS["attention"].composition, plain[:3], plain[3], None)
    mine = run(OPS["attention"].call, turned[:3], turned[3], None, causal=True)
    assert_close(mine, wanted, np.float64)


@pytest.mark.parametrize("cut", ["split", "unbind"])
def test_gradients_of_slices_of_one_projection_are_slices_of_its_gradient(cut):
    batch, length, wide, size = 2, 40, 3, 8
    given = tg.from_numpy(normal(batch, length, 3 * wide * size)).requires_grad_()
    other = given.detach().clone().requires_grad_()

    def parts_of(projection):
        if cut == "split":
            parts = projection.split(wide * size, dim=2)
            return [part.view(batch, length, wide, size).transpose(1, 2) for part in parts]
        whole = projection.view(batch, length, 3, wide, size).permute(2, 0, 3, 1, 4)
        return list(whole.unbind(0))

    joined = []
    backend = tg.modes.current().backends[np.ndarray]
    original = backend.join

    def watched(parts, dim):
        joined.append(original(parts, dim))
        assert joined[-1].base is parts[0].base
        return joined[-1]

    backend.join = watched
    try:
        parts = parts_of(given)
        for part in parts:
            part.retain_grad()
        functional.scaled_dot_product_attention(*parts, is_causal=True).square().sum().backward()
    finally:
        del backend.join
    assert len(joined) == 1
    whole = [part.contiguous() for part in parts_of(other)]
    functional.scaled_dot_product_attention(*whole, is_causal=True).square().sum().backward()
    np.testing.assert_allclose(given.grad.numpy(), other.grad.numpy(), rtol=0, atol=1e-12)
    kept = [part.grad.clone() for part in parts]
    given.grad.zero_()
    for part, before in zip(parts, kept, strict=True):
        assert part.grad.equal(before), "the leaf's gradient is nobody else's memory"


def test_writing_over_the_result_is_refused_in_backward():
    arrays, _ = heads((2, 2, 2, 40, 40, 8, 8), np.float64)
    q, k, v = (tg.from_numpy(array).requires_grad_() for array in arrays)
    mixed = functional.scaled_dot_product_attention(q, k, v)
    mixed.mul_(2)
    with pytest.raises(tg.GraphError, match="attention: expected its saved 'result'"):
        mixed.sum().backward()


def test_ranks_other_than_four():
    for lead in (), (5,), (2, 3, 2):
        arrays = [normal(*lead, 7, 4, seed=n) for n in range(3)]
        g = normal(*lead, 7, 4, seed=3)
        wanted = run(OPS["attention"].composition, arrays, g, None, causal=True, grouped=False)
        got = run(OPS["attention"].call, arrays, g, None, causal=True, grouped=False)
        assert_close(got, wanted, np.float64)


def test_a_query_that_sees_no_key_gives_zeros_and_no_gradient():
    arrays, g = heads((1, 1, 1, 40, 150, 8, 8), np.float32)
    mask = np.ones((40, 150), bool)
    mask[3] = mask[17] = False
    mask[5, :140] = False  # sees keys of the second block alone
    added = np.where(mask, np.float32(0), np.float32(-np.inf))
    for given in mask, added:
        out, g_query, g_key, g_value = run(OPS["attention"].call, arrays, g, given)
        assert (out[0, 0, [3, 17]] == 0).all()
        assert (g_query[0, 0, [3, 17]] == 0).all()
        assert all(np.isfinite(x).all() for x in (out, g_query, g_key, g_value))
        assert np.abs(out[0, 0, 5]).max() > 0


def test_nan_stays_in_its_row_and_scores_of_any_size_are_served():
    arrays, g = heads((1, 1, 1, 40, 300, 8, 8), np.float32)
    arrays[0][0, 0, 7, 3] = np.nan
    arrays[0][0, 0, 9] = (
        1e4  # exp of its scores overflows, and of their distance to the largest not
    )
    out, *_ = run(OPS["attention"].call, arrays, g, None)
    assert np.isnan(out[0, 0, 7]).all()
    assert np.isfinite(np.delete(out[0, 0], 7, 0)).all()


def test_a_mask_that_is_learned_gets_its_gradient():
    arrays, g = heads((2, 3, 3, 7, 5, 4, 4), np.float64)
    answers = []
    for function in OPS["attention"].call, OPS["attention"].composition:
        leaves = [tg.tensor(x, requires_grad=True) for x in (*arrays, normal(3, 7, 5))]
        function(*leaves, 0.5, False, False).backward(tg.tensor(g))
        answers.append([leaf.grad.numpy() for leaf in leaves])
    assert_close(*answers, np.float64)


@pytest.mark.parametrize("size", [(2, 4, 2, 300, 290, 32, 32), (1, 1, 1, 64, 600, 33, 65)], ids=str)
def test_results_do_not_depend_on_the_number_of_threads(size):
    arrays, g = heads(size, np.float32)
    most = numba.get_num_threads()
    many = run(OPS["attention"].call, arrays, g, None, causal=True)
    numba.set_num_threads(1)
    try:
        one = run(OPS["attention"].call, arrays, g, None, causal=True)
    finally:
        numba.set_num_threads(most)
    for a, b in zip(many, one, strict=True):
        np.testing.assert_array_equal(a, b)


@needs_torch
@pytest.mark.parametrize("causal", [False, True])
def test_as_exact_as_torch(causal):
    """Errors against float64, at most four times PyTorch's own."""
    arrays, g = heads((2, 4, 4, 200, 200, 32, 32), np.float32)
    answers = []
    for lib, dtype in (tg, "f4"), (torch, "f4"), (torch, "f8"):
        leaves = [lib.tensor(array.astype(dtype)).requires_grad_() for array in arrays]
        out = lib.nn.functional.scaled_dot_product_attention(*leaves, is_causal=causal)
        out.backward(lib.tensor(g.astype(dtype)))
        answers.append([out.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)])
    for mine, theirs, exact in zip(*answers, strict=True):
        assert np.sqrt(np.mean((mine - exact) ** 2)) <= 4 * np.sqrt(np.mean((theirs - exact) ** 2))


def test_layers_reach_the_kernel(monkeypatch):
    """The gradients of a layer without weights asked for are the kernel's."""
    from tensorgrad.kernels.numba import attention

    calls = []
    kernel = attention.backward
    monkeypatch.setattr(attention, "backward", lambda *a: (calls.append(a), kernel(*a)))
    layer = tg.nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0)
    layer(tg.randn(40, 8, 16)).sum().backward()
    x = tg.randn(2, 3, 6, 4, requires_grad=True)
    functional.scaled_dot_product_attention(x, x, x, is_causal=True).sum().backward()
    assert len(calls) == 2
