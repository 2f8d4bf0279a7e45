"""Jacobians, Hessians and their products; functions of functions; the nodes of a graph. Against
PyTorch where it is installed.
"""

import importlib.util

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import func
from tensorgrad.autograd import functional
from tensorgrad.autograd.graph import Node
from tensorgrad.errors import ShapeError

torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
needs_torch = pytest.mark.skipif(torch is None, reason="needs torch")

RNG = np.random.default_rng(0)
A, B = RNG.standard_normal((2, 3, 4))
V = RNG.standard_normal(3)


def assert_same(ours, theirs):
    """The same nested results, values and histories."""
    if isinstance(theirs, tuple | list):
        assert type(ours) is type(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
    elif isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key in theirs:
            assert_same(ours[key], theirs[key])
    else:
        assert ours.requires_grad == theirs.requires_grad
        np.testing.assert_allclose(
            ours.detach().numpy(), theirs.detach().numpy(), rtol=0, atol=1e-12
        )


# ---- autograd.functional


def rows(x, y):
    return (x.exp() * y).sum(1)


def two_results(x, y):
    return x * y.sum(), (x * x).sum(0)


def number(x, y):
    return (x.exp() * y).sum() ** 2


def cube(x):
    return (x**3).sum()


def linear(x):
    return (2 * x).sum()


TWO, ONE = (A, B), (A,)
CALLS = [
    ("jacobian", rows, TWO, None),
    ("jacobian", two_results, TWO, None),
    ("jacobian", cube, ONE, None),
    ("jacobian", linear, ONE, None),
    ("hessian", number, TWO, None),
    ("hessian", cube, ONE, None),
    ("hessian", linear, ONE, None),
    ("vjp", rows, TWO, (V,)),
    ("vjp", two_results, TWO, (A, B[0])),
    ("vjp", cube, ONE, None),
    ("jvp", rows, TWO, (B, A)),
    ("jvp", two_results, TWO, (B, A)),
    ("jvp", cube, ONE, (B,)),
    ("hvp", number, TWO, (B, A)),
    ("hvp", cube, ONE, (B,)),
    ("vhp", number, TWO, (B, A)),
    ("vhp", cube, ONE, (B,)),
]


def arguments(library, arrays, leaves):
    tensors = tuple(library.tensor(array, requires_grad=leaves) for array in arrays)
    return tensors if len(tensors) > 1 else tensors[0]


@needs_torch
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    ("name", "function", "inputs", "v"), CALLS, ids=[f"{c[0]}-{c[1].__name__}" for c in CALLS]
)
def test_functional(name, function, inputs, v, create_graph, backend):
    results = []
    for library, home in ((tg, functional), (torch, torch.autograd.functional)):
        given = [function, arguments(library, inputs, create_graph)]
        if v is not None:
            given.append(arguments(library, v, False))
        results.append(getattr(home, name)(*given, create_graph=create_graph))
    assert_same(*results)


@needs_torch
def test_functional_results_are_differentiable():
    grads = []
    for library, home in ((tg, functional), (torch, torch.autograd.functional)):
        x, y = (library.tensor(a, requires_grad=True) for a in TWO)
        value = home.jvp(rows, (x, y), (y.detach(), x.detach()), create_graph=True)[1].sum()
        value = value + (home.hessian(number, (x, y), create_graph=True)[0][1] ** 2).sum()
        value = value + (home.jacobian(rows, (x, y), create_graph=True)[0] ** 2).sum()
        value.backward()
        grads.append((x.grad, y.grad))
    for mine, other in zip(*grads, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), rtol=1e-10)


def test_functional_leaves_its_arguments_alone():
    x = tg.tensor(A, requires_grad=True)
    functional.hessian(cube, x)
    assert x.grad is None
    plain = tg.tensor(A)
    functional.jacobian(cube, plain)
    assert not plain.requires_grad


@needs_torch
@pytest.mark.parametrize(
    "call",
    [
        lambda f, m: f.jvp(rows, (m.ones(3, 4), m.ones(3, 4))),
        lambda f, m: f.vjp(rows, (m.ones(3, 4), m.ones(3, 4)), m.ones(4)),
        lambda f, m: f.vjp(rows, (m.ones(3, 4), 3)),
        lambda f, m: f.hessian(rows, (m.ones(3, 4), m.ones(3, 4))),
        lambda f, m: f.jacobian(lambda x: x.detach() * 2, m.ones(3), strict=True),
        lambda f, m: f.jacobian(cube, m.ones(3), strategy="forward-mode"),
        lambda f, m: f.hvp(cube, m.ones(3), (m.ones(3), m.ones(3))),
    ],
)
def test_functional_refusals(call):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        call(torch.autograd.functional, torch)
    with pytest.raises(theirs.type):
        call(functional, tg)


# ---- func


def weighted(x, y):
    return (x * y).sum() ** 2


FUNCS = {
    "grad": lambda f, m, x, y: f.grad(weighted)(x, y),
    "grad both": lambda f, m, x, y: f.grad(weighted, argnums=(1, 0))(x, y),
    "grad aux": lambda f, m, x, y: f.grad(
        lambda a, b: (weighted(a, b), {"s": a + b}), has_aux=True
    )(x, y),
    "grad of a dict": lambda f, m, x, y: f.grad(lambda p: weighted(p["a"], p["b"][0]))(
        {"a": x, "b": (y, x)}
    ),
    "grad and value": lambda f, m, x, y: f.grad_and_value(weighted)(x, y),
    "grad of grad": lambda f, m, x, y: f.grad(lambda a: f.grad(lambda b: cube(a * b))(y).sum())(x),
    "vjp": lambda f, m, x, y: f.vjp(lambda a: (a.sin(), a.sum()), x)[1]((y, y.sum())),
    "vjp of two": lambda f, m, x, y: f.vjp(lambda a, b: a * b, x, y)[1](y),
    "jvp": lambda f, m, x, y: f.jvp(lambda a, b: a.exp() * b, (x, y), (y, x)),
    "jacrev": lambda f, m, x, y: f.jacrev(
        lambda a, b: {"p": a * b, "s": (a * b).sum() ** 2}, argnums=(0, 1)
    )(x, y),
    "jacfwd": lambda f, m, x, y: f.jacfwd(rows)(x, y),
    "hessian": lambda f, m, x, y: f.hessian(lambda a: cube(a * y))(x),
    "vmap": lambda f, m, x, y: f.vmap(lambda a, b: a @ b)(x, y),
    "vmap one": lambda f, m, x, y: f.vmap(
        lambda a, b: a * b, in_dims=(1, None), out_dims=1
    )(x, y[:, 0]),
    "vmap tree": lambda f, m, x, y: f.vmap(
        lambda p: {"s": p[0] + p[1], "d": p[0] - 1}, in_dims=((1, 1),)
    )((x, y)),
    "vmap beside a keyword": lambda f, m, x, y: f.vmap(lambda a, *, k: a + k)(x, k=y),
    "vmap of vmap": lambda f, m, x, y: f.vmap(f.vmap(lambda a, b: a * b))(x, y),
    "gradient of each row": lambda f, m, x, y: f.vmap(f.grad(weighted))(x, y),
}  # fmt: skip


# PyTorch's forward mode uses what PyTorch deprecates.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@needs_torch
@pytest.mark.parametrize("tracked", [False, True])
@pytest.mark.parametrize("name", FUNCS)
def test_func(name, tracked):
    results = []
    for library in (tg, torch):
        x, y = (library.tensor(a, requires_grad=tracked) for a in TWO)
        results.append(FUNCS[name](library.func, library, x, y))
    assert_same(*results)


def test_gradients_reach_what_a_function_closes_over():
    scale = tg.tensor(2.0, requires_grad=True)
    slope = func.grad(lambda x: (scale * x) ** 2)(tg.tensor(3.0))
    assert slope.requires_grad
    (found,) = tg.autograd.grad(slope, scale)
    assert found.item() == 24.0  # d/ds 2 s^2 x
    with tg.no_grad():
        assert not func.grad(lambda x: (scale * x) ** 2)(tg.tensor(3.0)).requires_grad


def test_vmap_draws_random_numbers_as_told():
    x = tg.zeros(3)
    tg.manual_seed(0)
    same = func.vmap(lambda a: a + tg.rand(2), randomness="same")(x)
    assert (same[0] == same[1]).all()
    different = func.vmap(lambda a: a + tg.rand(2), randomness="different")(x)
    assert not (different[0] == different[1]).all()
    with pytest.raises(RuntimeError, match="vmap: expected func to draw no random numbers"):
        func.vmap(lambda a: a + tg.rand(2))(x)


@pytest.mark.parametrize(
    "call",
    [
        lambda f, m: f.vmap(lambda a, b: a + b)(m.ones(3), m.ones(4)),
        lambda f, m: f.vmap(lambda a: a, in_dims=2)(m.ones(3)),
        lambda f, m: f.vmap(lambda a, b: a)(m.ones(3), 2),
        lambda f, m: f.vmap(lambda a: a, in_dims=None)(m.ones(3)),
        lambda f, m: f.vmap(lambda a: 3)(m.ones(3)),
        lambda f, m: f.vmap(lambda a: a, randomness="some")(m.ones(3)),
        lambda f, m: f.grad(lambda a: a)(m.ones(3)),
        lambda f, m: f.grad(lambda a: a.sum(), argnums=1)(m.ones(3)),
        lambda f, m: f.jvp(lambda a: a, (m.ones(3),), (m.ones(4),)),
        lambda f, m: f.vjp(lambda a: a, m.ones(3))[1](m.ones(4)),
    ],
)
@needs_torch
def test_func_refusals(call):
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        call(torch.func, torch)
    with pytest.raises(theirs.type, match="expected"):
        call(func, tg)


# ---- the graph seen from outside


def test_nodes_of_the_graph():
    x = tg.ones(3, requires_grad=True)
    y = (x * 2).exp()
    node = y.grad_fn
    assert isinstance(node, Node)
    assert node.name() == type(node).__name__ == "ExpBackward0"
    assert [n.name() for n, _ in node.next_functions] == ["MulBackward0"]
    below = node.next_functions[0][0].next_functions
    assert below[0][0].name() == "AccumulateGrad"
    assert below[0][0].variable is x
    assert x.grad_fn is None


def test_functional_shape_errors_are_ours():
    with pytest.raises(ShapeError, match="vjp: expected v of the shape of the result"):
        functional.vjp(rows, (tg.ones(3, 4), tg.ones(3, 4)), tg.ones(4))
