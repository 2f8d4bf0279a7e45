"""What the comparisons with PyTorch share: conversion, and what counts as the same."""

import importlib
import importlib.util

import numpy as np
import pytest

import tensorgrad as tg

torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None
needs_torch = pytest.mark.skipif(torch is None, reason="needs torch")

NAN, INF = float("nan"), float("inf")


def leaf(m, values=(1.0, 2.0, 3.0)):
    """A tensor of either library that requires a gradient."""
    return m.tensor(list(values), requires_grad=True)


def numbers(tensor):
    return tensor.detach().numpy().tolist()


def as_torch(array):
    if array.dtype == tg.bfloat16:
        return torch.from_numpy(array.astype("float32")).bfloat16()
    return torch.from_numpy(array.copy())


def torch_numpy(tensor):
    tensor = tensor.detach()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy(force=True)


def assert_same(mine, other, scale, what):
    """Same shape and dtype, and values within a few roundings of PyTorch's."""
    assert tuple(mine.shape) == tuple(other.shape), what
    assert str(mine.dtype) == str(other.dtype).removeprefix("torch."), what
    value, wanted = mine.detach().numpy(), torch_numpy(other)
    eps = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
    tolerance = 16 * eps.get(str(mine.dtype), 0) * scale
    np.testing.assert_allclose(
        value.astype("float64"), wanted.astype("float64"), rtol=0, atol=tolerance, err_msg=what
    )


# PyTorch says that it copies there.
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
def outcome(function, *args):
    """What a call gives: its result, or the exception that it raises."""
    try:
        return function(*args)
    except Exception as error:
        return error
