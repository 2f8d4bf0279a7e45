"""Linear algebra beyond the op table: faults told by `info`, several outputs of one node, the order
in which einsum contracts.
"""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.ops import einsum as planning

SINGULAR = [[[2.0, 0.0], [0.0, 4.0]], [[1.0, 2.0], [2.0, 4.0]]]


def test_one_singular_matrix_leaves_the_others(backend):
    a = tg.tensor(SINGULAR)
    inverse, info = tg.linalg.inv_ex(a)
    assert info.dtype == tg.int32
    assert info.tolist() == [0, 2]
    assert inverse[0].tolist() == [[0.5, 0.0], [0.0, 0.25]]
    assert bool(inverse[1].isnan().all())
    result, info = tg.linalg.solve_ex(a, tg.ones(2, 1))
    assert info.tolist() == [0, 2]
    assert result[0].tolist() == [[0.5], [0.25]]
    with pytest.raises(tg.linalg.LinAlgError, match=r"linalg\.inv_ex: expected an inv"):
        tg.linalg.inv_ex(a, check_errors=True)


def test_first_minor_that_is_not_positive(backend):
    factor, info = tg.linalg.cholesky_ex(tg.tensor([SINGULAR[0], [[1.0, 2.0], [2.0, 1.0]]]))
    assert info.tolist() == [0, 2]
    np.testing.assert_allclose(factor[0].numpy(), [[np.sqrt(2), 0], [0, 2]], rtol=1e-6)
    assert bool(factor[1].isnan().all())


def test_a_singular_triangle_gives_infinities(backend):
    a = tg.tensor([[1.0, 2.0], [0.0, 0.0]])
    assert tg.linalg.solve_triangular(a, tg.ones(2, 1), upper=True).tolist() == [
        [-float("inf")],
        [float("inf")],
    ]


def test_only_the_named_triangle_is_read(backend):
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((90, 90)) / 90 + np.eye(90)
    right = rng.standard_normal((90, 2))
    for upper, keep in ((True, np.triu), (False, np.tril)):
        spoiled = np.where(keep(np.ones_like(whole)) > 0, whole, np.nan)
        found = tg.linalg.solve_triangular(tg.tensor(spoiled), tg.tensor(right), upper=upper)
        np.testing.assert_allclose(found.numpy(), np.linalg.solve(keep(whole), right), rtol=1e-10)


def test_determinant_of_a_singular_matrix_has_a_gradient(backend):
    x = tg.tensor(SINGULAR[1], dtype=tg.float64, requires_grad=True)
    x.det().backward()
    np.testing.assert_allclose(x.grad.numpy(), [[4, -2], [-2, 1]], atol=1e-12)


@pytest.mark.parametrize("name", ["eigh", "svd", "qr", "slogdet"])
def test_a_result_may_be_used_alone(name, backend):
    for place in range(2):
        x = tg.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
        part = getattr(tg.linalg, name)(x)[place]
        part.sum().backward()
        assert x.grad is not None or (name, place) == ("slogdet", 0)


def test_writing_into_a_result_is_noticed():
    x = tg.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    values, vectors = tg.linalg.eigh(x)
    with tg.no_grad():
        vectors.mul_(2)
    with pytest.raises(tg.GraphError, match=r"eigh: expected its saved 'result'.*unchanged"):
        values.sum().backward()


def test_a_second_backward_is_refused():
    x = tg.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    loss = tg.linalg.svd(x).S.sum()
    loss.backward()
    with pytest.raises(tg.GraphError, match="svd: expected a graph that still holds"):
        loss.backward()


def test_node_of_several_outputs_has_a_name():
    x = tg.eye(2).requires_grad_()
    values, vectors = tg.linalg.eigh(x)
    assert values.grad_fn.name() == vectors.grad_fn.name() == "EighBackward0"


@pytest.mark.parametrize("driver", ["gels", "gelsy", "gelsd"])
def test_what_least_squares_tells(driver, backend):
    a, b = tg.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]]), tg.tensor([[1.0], [2.0], [3.0]])
    found = tg.linalg.lstsq(a, b, driver=driver)
    np.testing.assert_allclose(found.solution.numpy(), [[1], [1]], rtol=1e-6)
    assert found.residuals.tolist() == ([] if driver == "gelsy" else [9.0])
    assert found.rank.tolist() == ([] if driver == "gels" else 2)
    assert found.singular_values.tolist() == ([2.0, 1.0] if driver == "gelsd" else [])


def test_tolerances_decide_a_rank():
    x = tg.tensor([[[1.0, 0.0], [0.0, 0.1]], [[1.0, 0.0], [0.0, 0.3]]])
    assert tg.linalg.matrix_rank(x).tolist() == [2, 2]
    assert tg.linalg.matrix_rank(x, rtol=0.2).tolist() == [1, 2]
    assert tg.linalg.matrix_rank(x, atol=tg.tensor([0.05, 0.5])).tolist() == [2, 1]


def test_einsum_contracts_what_shrinks_most_first():
    """a(bc) of a wide chain costs 12,500 multiplications, (ab)c 600,000."""
    recipe = planning._recipe("ab,bc,cd->ad", ((200, 5), (5, 300), (300, 5)))
    assert [(first, second) for first, second, _ in recipe.pairs] == [(1, 2), (0, 1)]


def test_einsum_records_no_kind_of_node_of_its_own():
    x, y = tg.ones(2, 3, requires_grad=True), tg.ones(3, 4)
    assert tg.einsum("ij,jk->ik", x, y).grad_fn.name() == "MatmulBackward0"


def test_chains_multiply_in_the_cheapest_order():
    from tensorgrad.ops.products import _best_splits

    assert _best_splits([10, 100, 5, 50])[0, 3] == 2
    assert _best_splits([50, 5, 100, 10])[0, 3] == 1
