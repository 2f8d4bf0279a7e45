"""Bad input: which exception, which words, and nothing written.

A row is a call over tensors made for it. The same call is made in PyTorch where it is installed:
what it raises there must be a base class of what is raised here.
"""

import importlib.util

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import BackendError, DTypeError, GraphError, IndexRangeError, ShapeError
from tests.cases import CASES, ROWS, draw, map_arrays

torch = importlib.import_module("torch") if importlib.util.find_spec("torch") else None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_bad_input(row, backend):
    tensors = [tg.tensor(array) for array in row.inputs]
    chosen = tg.get_backend(), tg.get_default_dtype()
    with pytest.raises(row.error) as caught:
        row.call(tg, *tensors)
    message = str(caught.value)
    assert row.words in message
    assert ": expected " in message
    assert "got" in message
    for tensor, array in zip(tensors, row.inputs, strict=True):
        np.testing.assert_array_equal(tensor.detach().numpy(), array)
        assert tensor.shape == array.shape
        if "again" not in row.name:  # there the first backward is good
            assert tensor.grad is None
    assert (tg.get_backend(), tg.get_default_dtype()) == chosen


@pytest.mark.skipif(torch is None, reason="needs torch")
@pytest.mark.parametrize("row", [row for row in ROWS if row.in_torch], ids=lambda row: row.name)
def test_class_is_what_torch_raises(row):
    """A program that catches what PyTorch raises catches ours."""
    tensors = [torch.tensor(array) for array in row.inputs]
    with pytest.raises(Exception) as theirs:  # noqa: PT011
        row.call(torch, *tensors)
    # Where PyTorch has no kernel for a dtype, its own kind of RuntimeError says so.
    kind = RuntimeError if theirs.type is NotImplementedError else theirs.type
    with pytest.raises(kind):
        row.call(tg, *[tg.tensor(array) for array in row.inputs])


HOMES = (tg, tg.nn.functional, tg.linalg)
# Told sizes, asked what something is, or switched off in their first case: they look at no tensor.
TAKES_ANYTHING = {
    "alpha_dropout", "broadcast_shapes", "dropout", "feature_alpha_dropout", "is_conj", "is_neg",
    "is_tensor", "resolve_conj", "resolve_neg", "tril_indices", "triu_indices",
}  # fmt: skip


def public_calls():
    """For each op of the table that has a public function: that function, and its first case."""
    found = {}
    for case in CASES:
        name = case.op.removeprefix("linalg.")
        for function in [getattr(home, name) for home in HOMES if hasattr(home, name)]:
            inside = function, getattr(function, "__wrapped__", None)
            if case.function in inside and case.op not in found and name not in TAKES_ANYTHING:
                found[case.op] = function, case
    return found


PUBLIC = public_calls()


class Thing:
    """No tensor, no number, no sequence."""


@pytest.mark.parametrize("name", PUBLIC)
def test_what_is_no_tensor_is_named(name):
    function, case = PUBLIC[name]
    inputs = list(map_arrays(tg.tensor, draw(case)))
    place = next(i for i, x in enumerate(inputs) if isinstance(x, tg.Tensor | list))
    inputs[place] = Thing()
    with pytest.raises(TypeError, match=r"Thing|: expected"):
        function(*inputs, **case.kwargs)


# Ops that refuse nothing but what is no tensor, which the test above holds, and parts of functions
# that refuse it before.
REFUSES_NOTHING = {
    "atleast_1d", "atleast_2d", "atleast_3d", "cast", "clone", "get_device", "is_complex",
    "is_conj", "is_floating_point", "is_neg", "is_same_size", "is_signed", "is_tensor", "isfinite",
    "isinf", "isnan", "isreal", "logical_not", "numel", "ravel", "resolve_conj", "resolve_neg",
    "tanhshrink",
    "floored", "gru", "log_gamma_slope", "lstm", "lstm_gates", "rnn", "standard_log_gamma",
}  # fmt: skip


def test_every_op_has_a_bad_call():
    names = {name.removeprefix("linalg.") for row in ROWS for name in row.refused_by()}
    ops = {case.op.removeprefix("linalg.") for case in CASES}
    assert ops - names - REFUSES_NOTHING == set()
    assert names & REFUSES_NOTHING == set()
    assert ops >= REFUSES_NOTHING


def test_the_table_is_whole():
    assert len(PUBLIC) >= 415
    assert len(ROWS) >= 780
    assert len({row.name for row in ROWS}) == len(ROWS)
    used = {row.error for row in ROWS}
    assert {ShapeError, DTypeError, IndexRangeError, GraphError, BackendError} <= used
