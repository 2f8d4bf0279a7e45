"""The op table against PyTorch, where it is installed: values, shapes, dtypes, gradients."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.cases import CASES, F32, F64, arrays, differentiable, draw, map_arrays
from tests.oracle import as_torch, assert_same, torch_numpy
from tests.test_values import magnitude, to_dtype

torch = pytest.importorskip("torch")


def torch_function(case):
    """The function of PyTorch that the case calls: by its name, or the very operator."""
    if case.function.__module__ == "_operator":
        return case.function
    name = case.op if case.torch is None else case.torch
    for home in (torch.nn.functional, torch, torch.Tensor):
        if hasattr(home, name):
            return getattr(home, name)
    return None


def plan():
    for case in CASES:
        if case.torch == "" or torch_function(case) is None:
            continue
        for dtype in (F64, F32, *case.dtypes):
            yield case, dtype


PLAN = list(plan())


def both(case, dtype):
    """The inputs as tensors of either library."""
    inputs = map_arrays(lambda array: to_dtype(array, dtype), draw(case))
    kept = {"requires_grad": case.grad and dtype in (F32, F64)}
    ours, theirs = map_arrays(tg.tensor, inputs), map_arrays(as_torch, inputs)
    for mine, other, wanted in zip(arrays(ours), arrays(theirs), differentiable(case), strict=True):
        if wanted:
            mine.requires_grad_(**kept)
            other.requires_grad_(**kept)
    return ours, theirs


# PyTorch says that it copies there.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("case", "dtype"), PLAN, ids=[f"{c.id}-{d}" for c, d in PLAN])
def test_case(case, dtype, backend):
    ours, theirs = both(case, dtype)
    mine = case.function(*ours, **case.kwargs)
    other = torch_function(case)(*theirs, **case.kwargs)
    results, wanted = arrays(mine), arrays(other)
    assert len(results) == len(wanted)
    scale = magnitude([torch_numpy(x).astype(F64) for x in [*arrays(theirs), *wanted]])
    for number, (one, two) in enumerate(zip(results, wanted, strict=True)):
        assert_same(one, two, scale, f"output {number}")
        assert one.requires_grad == two.requires_grad
    if not case.grad or dtype not in (F64, F32):
        return
    rng = np.random.default_rng(1)
    total, expected = 0, 0
    for one, two in zip(results, wanted, strict=True):
        if two.requires_grad:
            weight = rng.standard_normal(tuple(two.shape))
            total = total + (one * tg.tensor(weight, dtype=one.dtype)).sum()
            expected = expected + (two * torch.tensor(weight, dtype=two.dtype)).sum()
    total.backward()
    expected.backward()
    for number, (one, two) in enumerate(zip(arrays(ours), arrays(theirs), strict=True)):
        if two.grad is None:
            assert one.grad is None
        else:
            scale = magnitude([torch_numpy(two.grad), torch_numpy(expected)])
            assert_same(one.grad, two.grad, scale, f"gradient {number}")


def test_most_of_the_table_is_compared():
    assert len(PLAN) >= 2150
