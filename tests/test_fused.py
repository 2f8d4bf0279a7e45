"""Fused kernels against the compositions that they replace: values, gradients, odd numbers.

The composition of a fused op is its specification, so nothing here knows what any op computes. A
kernel is found by its name; a fused op that gets one needs a line in INPUTS.
"""

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.backend import load_backend
from tensorgrad.formula import formula
from tensorgrad.fused import FusedOp
from tensorgrad.op import OPS
from tensorgrad.ops.loss import _bounded_distance
from tests.cases import F32, F64, arrays, map_arrays
from tests.conftest import CPU_BACKENDS
from tests.test_gradients import weighted_sum
from tests.test_values import magnitude

KERNELS = [
    (backend, name)
    for backend in CPU_BACKENDS
    for name, op in sorted(OPS.items())
    if isinstance(op, FusedOp) and hasattr(load_backend(backend), name)
]
SIZES = [(1, 1), (1, 7), (5, 1), (3, 5), (7, 17), (33, 2), (2, 129), (65, 31), (0, 3)]


def classes(rng, rows, columns):
    target = rng.integers(0, columns, rows)
    target[rng.random(rows) < 0.2] = -100
    return target


def bags(rng, rows, columns):
    """Numbers of rows, a table, and where bags begin: some are empty."""
    index = rng.integers(0, max(rows, 1), 3 * rows)
    offsets = np.sort(rng.integers(0, 3 * rows + 1, 4))
    offsets[0] = 0
    return index, rng.standard_normal((rows, columns)), offsets


# For each op with a kernel: its arguments for rows and columns; floats are differentiated.
INPUTS = {
    "softmax": lambda rng, n, m: (rng.standard_normal((n, m)), 1),
    "log_softmax": lambda rng, n, m: (rng.standard_normal((n, m)), -1),
    "softmax_cross_entropy": lambda rng, n, m: (
        rng.standard_normal((n, m)),
        classes(rng, n, m),
        -100,
    ),
    # With weights of one sign, for a sum that cancels has no digits to compare.
    "over_elements": lambda rng, n, m: (
        *rng.standard_normal((2, n, m)),
        abs(rng.standard_normal((n, m))),
        None,
        formula(_bounded_distance, delta=0.6),
        "sum",
    ),
    "picked": lambda rng, n, m: (rng.standard_normal((n, m)), classes(rng, n, m), -100),
    "counted_mean": lambda rng, n, m: (rng.standard_normal((n, m)), rng.integers(0, 3, (n, m)), 1),
    "root_of_squares": lambda rng, n, m: (rng.standard_normal((n, m, 137)), 2, False),
    "unit_vectors": lambda rng, n, m: (rng.standard_normal((n, m)), 1, 1e-3),
    "cosines": lambda rng, n, m: (*rng.standard_normal((2, n, m)), 1, 1e-3),
    "sampled": lambda rng, n, m: (
        rng.standard_normal((max(n, 1), 3, m // 9 + 2, 3)),
        rng.uniform(-1.3, 1.3, (max(n, 1), 3, 2, 2)),
        "bilinear",
        "zeros",
        False,
    ),
    "max_of_target": lambda rng, n, m: (rng.standard_normal((n, 3, m, 5)), (m // 3 + 1, 3)),
    "linear_softmax_cross_entropy": lambda rng, n, m: (
        rng.standard_normal((n, m)),
        rng.standard_normal((m + 2, m)),
        rng.standard_normal(m + 2),
        classes(rng, n, m),
        -100,
    ),
    "standardize": lambda rng, n, m: (
        rng.standard_normal((n, m)),
        rng.standard_normal(m),
        None,
        (1,),
        1e-3,
    ),
    "scale_by_root_mean_square": lambda rng, n, m: (
        rng.standard_normal((n, m)),
        rng.standard_normal(m),
        (1,),
        1e-3,
    ),
    "shift_and_scale": lambda rng, n, m: (
        rng.standard_normal((n, m, 1009)),
        *(rng.standard_normal((1, m, 1)) for _ in range(3)),
    ),
    "drop": lambda rng, n, m: (rng.standard_normal((n, m)), 0.3, 1, 7),
    "lstm_gates": lambda rng, n, m: (rng.standard_normal((n, 4 * m)), rng.standard_normal((n, m))),
    "attention": lambda rng, n, m: (
        *(rng.standard_normal((n, m, 3)) for _ in range(3)),
        rng.random((n, m, m)) < 0.7,
        0.6,
        False,
        False,
    ),
    "embedding_bags": lambda rng, n, m: (*bags(rng, n, m), None, True, False),
    "embedding_bags_add": lambda rng, n, m: (
        rng.standard_normal((max(n, 1), m)),
        rng.integers(0, 9, 2 * n),
        np.arange(max(n, 1)) * 2,
        3,
        True,
        9,
    ),
    "lstm": lambda rng, n, m: (
        rng.standard_normal((2 * n + (n + 1) // 2, 4 * m)),
        rng.standard_normal((n, m)),
        rng.standard_normal((n, m)),
        rng.standard_normal((4 * m, m)) / m**0.5,
        None,
        (n, n, (n + 1) // 2),
        True,
    ),
    "gru": lambda rng, n, m: (
        rng.standard_normal((2 * n + (n + 1) // 2, 3 * m)),
        rng.standard_normal((n, m)),
        rng.standard_normal((3 * m, m)) / m**0.5,
        None,
        (n, n, (n + 1) // 2),
        False,
    ),
    "rnn": lambda rng, n, m: (
        rng.standard_normal((2 * n + (n + 1) // 2, m)),
        rng.standard_normal((n, m)),
        rng.standard_normal((m, m)) / m**0.5,
        False,
        (n, n, (n + 1) // 2),
        True,
    ),
    "convolution": lambda rng, n, m: (
        rng.standard_normal((n, m, 5, 4)),
        rng.standard_normal((6, m, 2, 3)),
        None,
        (1, 1),
        (1, 1),
        (2, 1),
        1,
    ),
    "transposed_convolution": lambda rng, n, m: (
        rng.standard_normal((n, 6, 4, 3)),
        rng.standard_normal((6, m, 3, 2)),
        None,
        (2, 1),
        (1, 0),
        (1, 2),
        1,
        (8, 5),
    ),
    "max_windows": lambda rng, n, m: (
        rng.standard_normal((n, m, 5, 4)),
        (3, 2),
        (2, 1),
        (1, 1),
        (1, 2),
    ),
    "window_sum": lambda rng, n, m: (
        rng.standard_normal((n, m, 40, 30)),
        (3, 2),
        (2, 1),
        (1, 0),
        (0, 2),
    ),
    "linear": lambda rng, n, m: (rng.standard_normal((n, m)), rng.standard_normal((n, m)), None),
    "logsumexp": lambda rng, n, m: (rng.standard_normal((n, m)), 1, False),
    "tanh_slope": lambda rng, n, m: (
        rng.standard_normal((n, m)),
        np.tanh(rng.standard_normal((n, m))),
    ),
}  # fmt: skip

# Activation functions of one array, and their numbers.
INPUTS["rectified_convolution"] = INPUTS["convolution"]
ACTIVATIONS = {
    **dict.fromkeys(["gelu", "gelu_tanh", "hardsigmoid", "hardswish", "logsigmoid", "mish"], ()),
    **dict.fromkeys(["relu", "sigmoid", "silu"], ()),
    "elu": (0.7, 1.3, 0.6),
    "hardshrink": (0.4,),
    "hardtanh": (-0.5, 0.9),
    "leaky_relu": (0.2,),
    "softplus": (1.5, 2.0),
    "softshrink": (0.4,),
    "threshold": (0.3, -7.0),
}
# Of nan and infinities, and where pieces meet, the rules of these say what the slope is.
RULED = {*ACTIVATIONS, "logsumexp"}
INPUTS |= {
    name: lambda rng, n, m, numbers=numbers: (3 * rng.standard_normal((n, m)), *numbers)
    for name, numbers in ACTIVATIONS.items()
}


def run(function, values):
    """The outputs of a call and the gradients of its floating arguments."""
    tensors = map_arrays(tg.tensor, values)
    leaves = [x.requires_grad_() for x in arrays(tensors) if x.is_floating_point()]
    results = function(*tensors)
    weighted_sum(results).backward()
    return [x.detach().numpy() for x in arrays(results)], [leaf.grad.numpy() for leaf in leaves]


def assert_equal_up_to_roundings(mine, wanted, dtype):
    for one, other in zip(mine, wanted, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        tolerance = 16 * float(np.finfo(dtype).eps) * magnitude([other.astype(F64)])
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


def compare(backend, name, values, dtype, gradients_too=True):
    values = map_arrays(lambda x: x.astype(dtype) if x.dtype.kind == "f" else x, values)
    with tg.use_backend(backend):
        mine, my_gradients = run(OPS[name].call, values)
        if name not in RULED:
            wanted, gradients = run(OPS[name].composition, values)
    if name in RULED:
        with tg.use_backend("numpy"):
            wanted, gradients = run(OPS[name].call, values)
    assert_equal_up_to_roundings(mine, wanted, dtype)
    if gradients_too:
        assert_equal_up_to_roundings(my_gradients, gradients, dtype)


def test_every_kernel_has_inputs_here():
    assert {name for _, name in KERNELS} <= set(INPUTS)
    assert ("numba", "softmax") in KERNELS


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("backend", "name"), KERNELS)
def test_kernel_equals_its_composition(backend, name, size, dtype):
    compare(backend, name, INPUTS[name](np.random.default_rng(0), *size), dtype)


@pytest.mark.parametrize("dtype", [F32, F64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -1e30], ids=str)
@pytest.mark.parametrize(("backend", "name"), KERNELS)
def test_kernel_treats_odd_numbers_as_its_composition(backend, name, value, dtype):
    """One odd number in a row, in several rows, and a whole row of them."""
    values = INPUTS[name](np.random.default_rng(0), 5, 7)
    wide = [x for x in arrays(values) if x.dtype.kind == "f" and x.ndim > 1 and len(x) > 4]
    for array in wide:
        array[1, 2] = array[2, 0] = array[3, -1] = value
        array[4] = value
    # Gradients of equal scores are differences of equal numbers, here roundings of 1e30 times 1e30.
    roundings = name == "attention" and dtype == F64 and np.isfinite(value)
    compare(backend, name, values, dtype, not roundings)


@pytest.mark.parametrize(("backend", "name"), KERNELS)
def test_kernel_takes_any_layout(backend, name):
    """Transposed and sliced arguments give what their contiguous copies give."""
    values = INPUTS[name](np.random.default_rng(0), 6, 8)
    layouts = [
        lambda x: np.array(x.T, order="C").T,
        lambda x: np.repeat(np.repeat(x, 2, 0), 2, -1)[::2, ..., ::2] if x.ndim > 1 else x,
    ]
    with tg.use_backend(backend):
        plain = run(OPS[name].call, values)
        for layout in layouts:
            odd = map_arrays(lambda x, layout=layout: tg.from_numpy(layout(x)), values)
            leaves = [x.requires_grad_() for x in arrays(odd) if x.is_floating_point()]
            results = OPS[name].call(*odd)
            weighted_sum(results).backward()
            mine = [x.detach().numpy() for x in arrays(results)]
            gradients = [leaf.grad.numpy() for leaf in leaves]
            for one, other in zip(mine + gradients, itertools.chain(*plain), strict=True):
                np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("backend", "name"), KERNELS)
def test_second_derivative_goes_through_the_composition(backend, name):
    """Kernels never need second derivatives: rules or the composition are differentiated."""
    values = INPUTS[name](np.random.default_rng(0), 3, 4)
    with tg.use_backend(backend):
        answers = []
        for function in (OPS[name].call, OPS[name].composition):
            tensors = map_arrays(tg.tensor, values)
            leaves = [x.requires_grad_() for x in arrays(tensors) if x.is_floating_point()]
            # squared, so that a gradient that does not depend on its argument has a history too
            loss = weighted_sum(function(*tensors)).square()
            first = tg.autograd.grad(loss, leaves, create_graph=True)
            sum((g * g).sum() for g in first).backward()
            answers.append([leaf.grad.numpy() for leaf in leaves])
    assert_equal_up_to_roundings(*answers, F64)


def test_an_output_that_no_rule_needs_may_be_changed_in_place(backend):
    x = tg.ones(3, 4, requires_grad=True)
    y = tg.nn.functional.linear(x, tg.ones(2, 4), None)
    y.mul_(3)
    y.sum().backward()
    assert x.grad.tolist() == [[6.0] * 4] * 3
    y = x.sigmoid()
    y.add_(1)
    with pytest.raises(tg.GraphError, match="sigmoid: expected its saved 'result'"):
        y.sum().backward()
