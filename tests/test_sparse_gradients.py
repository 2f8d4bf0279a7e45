"""Sparse gradients of embeddings: what they hold, how they add up, and who takes them."""

import copy

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.nn import functional
from tensorgrad.sparse_rows import SparseRows
from tests.oracle import needs_torch, torch

ROWS, WIDTH = 7, 3
INDEX = [[1, 4, 4], [0, 1, 5]]


def tables(sparse=True, **options):
    """Two embeddings of the same values, the first sparse."""
    first = nn.Embedding(ROWS, WIDTH, sparse=sparse, dtype=tg.float64, **options)
    second = nn.Embedding(ROWS, WIDTH, dtype=tg.float64, **options)
    second.load_state_dict(first.state_dict())
    return first, second


def loss_of(table, index=INDEX):
    """One whose gradients differ from row to row."""
    out = table(tg.tensor(index))
    return (out * tg.arange(out.numel(), dtype=out.dtype).reshape(out.shape)).sum()


def both(sparse, dense, index=INDEX):
    for table in (sparse, dense):
        loss_of(table, index).backward()


def test_the_gradient_is_sparse_and_equals_the_dense_one(backend):
    for options in ({}, {"padding_idx": 1}, {"scale_grad_by_freq": True}, {"max_norm": 1.0}):
        sparse, dense = tables(**options)
        both(sparse, dense)
        grad = sparse.weight.grad
        assert isinstance(grad, SparseRows)
        assert grad.is_sparse
        assert not dense.weight.grad.is_sparse
        np.testing.assert_allclose(grad.to_dense(), dense.weight.grad, rtol=1e-12)
        named = [4, 4, 0, 5] if "padding_idx" in options else [1, 4, 4, 0, 1, 5]
        assert grad._indices().tolist() == [named]
        assert grad._nnz() == len(named)


def test_fields(backend):
    sparse, dense = tables()
    both(sparse, dense)
    grad = sparse.weight.grad
    assert grad.shape == dense.weight.shape
    assert (grad.dtype, grad.device) == (tg.float64, dense.weight.device)
    assert (grad.numel(), grad.dim(), grad.size(), grad.size(1)) == (21, 2, (7, 3), 3)
    with pytest.raises(RuntimeError, match="indices: expected a coalesced gradient"):
        grad.indices()
    once = grad.coalesce()
    assert once.is_coalesced()
    assert once.indices().tolist() == [[0, 1, 4, 5]]
    np.testing.assert_allclose(once.values(), dense.weight.grad[[0, 1, 4, 5]], rtol=1e-12)
    assert once.coalesce() is once
    assert "indices=tensor([[1, 4, 4, 0, 1, 5]])" in repr(grad)
    assert grad.to(tg.float32).to_dense().dtype == tg.float32


@needs_torch
def test_fields_beside_pytorch():
    results = []
    for library in (tg, torch):
        table = library.nn.Embedding(5, 2, padding_idx=0, sparse=True)
        with library.no_grad():
            table.weight.fill_(1.0)
        (table(library.tensor([[1, 0], [3, 1]])) ** 2).sum().backward()
        grad = table.weight.grad
        once = grad.coalesce()
        results.append(
            [grad.is_sparse, grad._nnz(), grad.numel(), grad.dim(), tuple(grad.shape)]
            + [grad._indices().tolist(), grad._values().tolist(), grad.to_dense().tolist()]
            + [once.indices().tolist(), once.values().tolist(), once._nnz(), once.is_coalesced()]
        )
    assert results[0] == results[1]


def test_bags_have_sparse_gradients(backend):
    for mode in ("sum", "mean"):
        gradients = []
        for sparse in (True, False):
            tg.manual_seed(1)
            bag = nn.EmbeddingBag(ROWS, WIDTH, mode=mode, sparse=sparse, dtype=tg.float64)
            (bag(tg.tensor(INDEX)) ** 2).sum().backward()
            gradients.append(bag.weight.grad)
        assert gradients[0].is_sparse
        np.testing.assert_allclose(gradients[0].to_dense(), gradients[1], rtol=1e-12)


# ---- sums


def test_sums_of_sparse_gradients_stay_sparse(backend):
    sparse, dense = tables()
    for table in (sparse, dense):
        (loss_of(table) + loss_of(table, [[2, 4]])).backward()
        loss_of(table, [[6]]).backward()
    assert sparse.weight.grad.is_sparse
    assert sparse.weight.grad.coalesce().indices().tolist() == [[0, 1, 2, 4, 5, 6]]
    np.testing.assert_allclose(sparse.weight.grad.to_dense(), dense.weight.grad, rtol=1e-12)
    sparse.weight.grad += sparse.weight.grad
    assert sparse.weight.grad.is_sparse
    np.testing.assert_allclose(sparse.weight.grad.to_dense(), 2 * dense.weight.grad, rtol=1e-12)


@pytest.mark.parametrize("dense_first", [False, True])
@pytest.mark.parametrize("apart", [False, True])
def test_sums_with_dense_gradients_are_dense(dense_first, apart, backend):
    """A table that is also the output projection; large enough to be summed in place, too."""
    for rows in (ROWS, 3000):
        sparse = nn.Embedding(rows, WIDTH, sparse=True, dtype=tg.float64)
        dense = nn.Embedding(rows, WIDTH, dtype=tg.float64)
        dense.load_state_dict(sparse.state_dict())
        for table in (sparse, dense):
            terms = [loss_of(table), (table.weight**2).sum(), loss_of(table, [[2]])]
            terms += [(table.weight**3).sum()]
            terms = terms[::-1] if dense_first else terms
            for term in terms if apart else [sum(terms)]:
                term.backward()
        assert not sparse.weight.grad.is_sparse
        np.testing.assert_allclose(sparse.weight.grad, dense.weight.grad, rtol=1e-9)


def test_arithmetic(backend):
    sparse, dense = tables()
    both(sparse, dense)
    grad, whole = sparse.weight.grad, dense.weight.grad
    for total in (grad + whole, whole + grad):
        np.testing.assert_allclose(total, 2 * whole, rtol=1e-12)
    np.testing.assert_allclose((0.5 * grad * tg.tensor(4.0)).to_dense(), 2 * whole, rtol=1e-12)
    with pytest.raises(RuntimeError, match="add: expected gradients of equal shape"):
        grad + SparseRows(grad._rows, grad._data, (9, 3))


def test_a_gradient_owns_its_memory(backend):
    table, index = tables()[0], tg.tensor([1, 2])
    out = table(index)
    g = tg.ones_like(out)
    out.backward(g)
    g.fill_(9.0)
    index.fill_(5)
    np.testing.assert_array_equal(table.weight.grad.to_dense()[:, 0], [0, 1, 1, 0, 0, 0, 0])


# ---- where dense ones are given


def test_a_table_that_was_computed_gets_a_dense_gradient(backend):
    weight = tg.randn(ROWS, WIDTH, requires_grad=True)
    loss_of(lambda i: functional.embedding(i, weight * 2, sparse=True)).backward()
    assert not weight.grad.is_sparse


def test_hooks_and_second_derivatives_see_dense_gradients(backend):
    table, seen = tables()[0], []
    handle = table.weight.register_hook(lambda g: seen.append(g))
    loss_of(table).backward()
    handle.remove()
    assert seen[0].shape == (ROWS, WIDTH)
    assert not table.weight.grad.is_sparse
    table.weight.grad = None
    square = (table(tg.tensor([1, 1, 2])) ** 2).sum()
    (g,) = tg.autograd.grad(square, table.weight, create_graph=True)
    (second,) = tg.autograd.grad(g.sum(), table.weight)
    np.testing.assert_allclose(second[:4, 0], [0, 4, 2, 0])
    (g,) = tg.autograd.grad(loss_of(table), table.weight)
    assert not g.is_sparse


def test_anomaly_mode_finds_nan_in_them(backend):
    table = tables()[0]
    with tg.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="NaN"):
        (table(tg.tensor([1])) * tg.tensor(float("nan"))).sum().backward()


# ---- who takes them

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, 0.1),
    "Adagrad": lambda p: optim.Adagrad(p, 0.1),
    "Adagrad, decaying": lambda p: optim.Adagrad(p, 0.1, lr_decay=0.1),
}
LAZY = {
    **OPTIMIZERS,
    "SGD, momentum": lambda p: optim.SGD(p, 0.1, momentum=0.9, dampening=0.5, weight_decay=0.1),
    "Adagrad, decay": lambda p: optim.Adagrad(p, 0.1, weight_decay=0.1),
    "Adam": lambda p: optim.Adam(p, 0.1, weight_decay=0.1),
    "Adam, amsgrad": lambda p: optim.Adam(p, 0.1, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, 0.1, weight_decay=0.1),
    "SparseAdam": lambda p: optim.SparseAdam(list(p), 0.1),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_steps_without_moments_are_those_of_dense_gradients(make, backend):
    pair = tables()
    steppers = [make(table.parameters()) for table in pair]
    for index in (INDEX, [[1, 1, 2]], [[6, 0, 0]]):
        for stepper in steppers:
            stepper.zero_grad()
        both(*pair, index)
        for stepper in steppers:
            stepper.step()
    np.testing.assert_allclose(pair[0].weight.detach(), pair[1].weight.detach(), rtol=1e-12)


@pytest.mark.parametrize("make", LAZY.values(), ids=LAZY)
def test_rows_step_as_a_table_of_their_own_and_the_others_stay(make, backend):
    """Every step names rows 1 and 4: they move as a table of these two rows would."""
    whole, small = tables()[0], nn.Embedding(2, WIDTH, sparse=True, dtype=tg.float64)
    start = whole.weight.detach().clone()
    small.weight.data = start[[1, 4]].clone()
    steppers = [make(whole.parameters()), make(small.parameters())]
    for _ in range(4):
        for table, stepper, index in zip((whole, small), steppers, ([4, 1, 4], [1, 0, 1])):
            stepper.zero_grad()
            loss_of(table, index).backward()
            stepper.step()
    moved = whole.weight.detach()
    np.testing.assert_allclose(moved[[1, 4]], small.weight.detach(), rtol=1e-12)
    assert (moved[[1, 4]] != start[[1, 4]]).all()
    others = [0, 2, 3, 5, 6]
    np.testing.assert_array_equal(moved[others], start[others])


@pytest.mark.parametrize("name", ["Adam", "AdamW", "SGD, momentum"])
def test_where_all_rows_are_named_steps_are_those_of_dense_gradients(name, backend):
    pair = tables()
    steppers = [LAZY[name](table.parameters()) for table in pair]
    for _ in range(5):
        for stepper in steppers:
            stepper.zero_grad()
        both(*pair, [list(range(ROWS)), [3] * ROWS])
        for stepper in steppers:
            stepper.step()
    np.testing.assert_allclose(pair[0].weight.detach(), pair[1].weight.detach(), rtol=1e-10)


@needs_torch
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SparseAdam", {"lr": 0.1}),
        ("SparseAdam", {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-2, "maximize": True}),
        ("SGD", {"lr": 0.1}),
        ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    ],
)
def test_trajectories_beside_pytorch(name, options, backend):
    start = np.random.default_rng(0).normal(size=(ROWS, WIDTH))
    draws = np.random.default_rng(1).integers(0, ROWS, (50, 4))
    found = []
    for library in (tg, torch):
        table = library.nn.Embedding(ROWS, WIDTH, sparse=True)
        table.weight.data = library.tensor(start.copy())
        optimizer = getattr(library.optim, name)(list(table.parameters()), **options)
        for index in draws:
            optimizer.zero_grad()
            (table(library.tensor(index)) ** 4).sum().backward()
            optimizer.step()
        found.append(table.weight.detach().numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_dense_and_sparse_parameters_in_one_group(backend):
    sparse, dense = tables()
    linears = [nn.Linear(WIDTH, 1, dtype=tg.float64) for _ in range(2)]
    linears[1].load_state_dict(linears[0].state_dict())
    for table, linear in zip((sparse, dense), linears):
        optimizer = optim.Adagrad([*table.parameters(), *linear.parameters()], 0.1)
        linear(table(tg.tensor(INDEX))).square().sum().backward()
        optimizer.step()
    np.testing.assert_allclose(sparse.weight.detach(), dense.weight.detach(), rtol=1e-12)
    for mine, other in zip(linears[0].parameters(), linears[1].parameters()):
        np.testing.assert_allclose(mine.detach(), other.detach(), rtol=1e-12)


def test_lbfgs_takes_them_as_dense(backend):
    pair = tables()
    for table in pair:
        optimizer = optim.LBFGS(table.parameters(), max_iter=3)

        def closure(table=table, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (table(tg.tensor(INDEX)) ** 2).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
    np.testing.assert_allclose(pair[0].weight.detach(), pair[1].weight.detach(), rtol=1e-9)


@pytest.mark.parametrize("make", [optim.RMSprop, optim.Adadelta, optim.NAdam, optim.Rprop])
def test_other_optimizers_refuse_them_and_change_nothing(make):
    table = tables()[0]
    before = table.weight.detach().clone()
    loss_of(table).backward()
    with pytest.raises(RuntimeError, match="expected dense gradients, got a sparse one"):
        make(table.parameters()).step()
    np.testing.assert_array_equal(table.weight.detach(), before)


def test_sparse_adam_refuses_dense_gradients():
    table = tables(sparse=False)[0]
    loss_of(table).backward()
    with pytest.raises(RuntimeError, match="SparseAdam: expected sparse gradients"):
        optim.SparseAdam(list(table.parameters())).step()
    with pytest.raises(ValueError, match="SparseAdam: expected lr > 0"):
        optim.SparseAdam(list(table.parameters()), 0.0)


@pytest.mark.parametrize("order", [2.0, 1.0])
def test_clipping(order, backend):
    sparse, dense = tables()
    both(sparse, dense)
    totals = [
        nn.utils.clip_grad_norm_(table.parameters(), 0.5, order).item() for table in (sparse, dense)
    ]
    assert totals[0] == pytest.approx(totals[1])
    assert sparse.weight.grad.is_sparse
    np.testing.assert_allclose(sparse.weight.grad.to_dense(), dense.weight.grad, rtol=1e-9)
    for table in (sparse, dense):
        nn.utils.clip_grad_value_(table.parameters(), 0.01)
    np.testing.assert_allclose(sparse.weight.grad.to_dense(), dense.weight.grad, rtol=1e-9)


def test_zero_grad(backend):
    for clear in (nn.Module.zero_grad, lambda t, s: optim.SGD(t.parameters()).zero_grad(s)):
        table = tables()[0]
        loss_of(table).backward()
        clear(table, False)
        assert table.weight.grad._nnz() == 0
        optim.Adam(table.parameters()).step()
        loss_of(table, [[2]]).backward()
        assert table.weight.grad.coalesce().indices().tolist() == [[2]]
        clear(table, True)
        assert table.weight.grad is None


def test_modules_carry_them_along():
    table = tables()[0]
    loss_of(table).backward()
    again = copy.deepcopy(table)
    again.weight.grad.mul_(2)
    expected = table.weight.grad.to_dense().numpy()
    np.testing.assert_array_equal(again.weight.grad.to_dense(), 2 * expected)
    table.float()
    assert table.weight.grad.dtype == tg.float32
    assert table.weight.grad.is_sparse


def test_half_precision(backend):
    """The sum of many small parts is made in single precision."""
    table = nn.Embedding(3, 2, sparse=True, dtype=tg.float16)
    table(tg.full((3000,), 1)).sum().backward()
    assert table.weight.grad.dtype == tg.float16
    assert table.weight.grad.coalesce().values().tolist() == [[3000, 3000]]
