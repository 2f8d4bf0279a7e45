"""Gradients of every op of the table: against central differences to second order, in every dtype
and layout, and one backend against the other.
"""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.autograd import gradcheck, gradgradcheck
from tests.cases import CASES, F32, F64, arrays, differentiable, draw, map_arrays
from tests.conftest import CPU_BACKENDS
from tests.test_values import exact, in_layout, magnitude, to_dtype

CHECKED = [case for case in CASES if case.grad]
TWICE = [case for case in CHECKED if case.second]


def leaves_and_call(case, dtype=F64, layout="contiguous"):
    """The case's tensors that require grad, and the call as a function of them alone."""
    inputs = map_arrays(lambda array: in_layout(to_dtype(array, dtype), layout), draw(case))
    tensors = map_arrays(tg.from_numpy, inputs)
    everything = arrays(tensors)
    for tensor, wanted in zip(everything, differentiable(case), strict=True):
        tensor.requires_grad_(wanted)

    def call(*leaves):
        given = {id(old): new for old, new in zip(wanted_ones, leaves, strict=True)}
        return case.function(*map_arrays(lambda x: given.get(id(x), x), tensors), **case.kwargs)

    wanted_ones = [tensor for tensor in everything if tensor.requires_grad]
    return wanted_ones, call


def weighted_sum(results):
    """A scalar that weighs every element of every floating result differently."""
    rng = np.random.default_rng(1)
    total = 0
    for result in arrays(results):
        weight = rng.standard_normal(result.shape)
        if result.requires_grad:
            total = total + (result * tg.tensor(weight).to(result.dtype)).sum()
    return total


@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case.id)
def test_first_derivative(case, backend):
    leaves, call = leaves_and_call(case)
    assert gradcheck(call, leaves)


@pytest.mark.parametrize("case", TWICE, ids=lambda case: case.id)
def test_second_derivative(case, backend):
    leaves, call = leaves_and_call(case)
    assert gradgradcheck(call, leaves)


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "sliced"])
@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case.id)
def test_gradient_in_float32(case, layout, backend):
    """The gradient of a float32 tensor is float32, and is the float64 one up to roundings."""
    found = {}
    for dtype in (F32, F64):
        leaves, call = leaves_and_call(case, dtype, layout)
        weighted_sum(call(*leaves)).backward()
        found[dtype] = [leaf.grad for leaf in leaves]
    for single, double in zip(found[F32], found[F64], strict=True):
        assert single.dtype == tg.float32
        scale = magnitude([double.numpy()])
        np.testing.assert_allclose(single.numpy(), double.numpy(), rtol=0, atol=2e-6 * scale)


NARROW = [(case, dtype) for case in CHECKED for dtype in case.dtypes if "float" in dtype]


@pytest.mark.parametrize(
    ("case", "dtype"), NARROW, ids=[f"{case.id}-{dtype}" for case, dtype in NARROW]
)
def test_gradient_of_narrow_floats(case, dtype, backend):
    """A float16 or bfloat16 leaf gets a gradient of its own dtype, also through `grad`."""
    leaves, call = leaves_and_call(case, dtype)
    weighted_sum(call(*leaves)).backward()
    wide_leaves, wide_call = leaves_and_call(case, F64)
    weighted_sum(wide_call(*wide_leaves)).backward()
    eps = 2.0**-7 if dtype == "bfloat16" else 2.0**-10
    for narrow, wide in zip(leaves, wide_leaves, strict=True):
        assert narrow.grad.dtype == narrow.dtype
        scale = magnitude([wide.grad.numpy()])
        np.testing.assert_allclose(
            exact(narrow.grad.numpy()), wide.grad.numpy(), rtol=0, atol=16 * eps * scale
        )
    again = tg.autograd.grad(weighted_sum(call(*leaves)), leaves, create_graph=True)
    assert [g.dtype for g in again] == [leaf.dtype for leaf in leaves]


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("case", CHECKED, ids=lambda case: case.id)
def test_backends_agree(case, dtype):
    """NumPy computes and Numba computes: the same values and gradients up to roundings."""
    answers = []
    for name in CPU_BACKENDS:
        with tg.use_backend(name):
            leaves, call = leaves_and_call(case, dtype)
            results = call(*leaves)
            weighted_sum(results).backward()
            answers.append([x.detach() for x in arrays(results)] + [leaf.grad for leaf in leaves])
    for one, other in zip(*answers, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        tolerance = 16 * float(np.finfo(dtype).eps) * magnitude([exact(other.numpy())])
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=0, atol=tolerance)


def test_nearly_every_case_is_differentiated():
    assert len(CHECKED) >= 850
    assert len(TWICE) >= 830
    assert len(NARROW) >= 450
