"""Bad input: which exception, which words, and nothing written.

A row is a call over tensors made for it. The same call is made in PyTorch where it is installed:
what it raises there must be a base class of what is raised here.
"""

import importlib.util
import re

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
    with pytest.raises(theirs.type):
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
    "cosines", "counted_mean", "embedding_bags", "embedding_bags_add", "first_in_order", "floored",
    "gru", "log_gamma_slope", "lstm", "lstm_gates", "max_of_target", "over_elements", "picked",
    "rectified_convolution", "rnn", "sampled", "scale_by_root_mean_square", "shift_and_scale",
    "standard_log_gamma", "tanh_slope", "unit_vectors",
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


def test_memory_that_is_not_there(backend):
    calls = [
        lambda: tg.zeros(1 << 46),
        lambda: tg.empty(1 << 23, 1 << 23),
        lambda: tg.ones(1 << 20, 1) * tg.ones(1, 1 << 26),
        lambda: tg.nn.functional.relu(tg.zeros(1).expand(1 << 46)),
    ]
    for call in calls:
        with pytest.raises(tg.OutOfMemoryError, match="expected memory for the result, got out of"):
            call()
    assert tg.cuda.OutOfMemoryError is tg.OutOfMemoryError
    assert issubclass(tg.OutOfMemoryError, RuntimeError)


def test_streams_without_a_gpu():
    if tg.cuda.is_available():
        pytest.skip("there is a GPU")
    for call in (tg.cuda.Stream, tg.cuda.Event, tg.cuda.current_stream, tg.cuda.default_stream):
        with pytest.raises(BackendError, match="expected"):
            call()
    with tg.cuda.stream(None):
        pass


def test_a_dtype_may_be_pythons_class_and_is_no_name():
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    softmin = tg.nn.functional.softmin
    for result in (tg.softmax(x, 1, dtype=float), x.mean(dtype=float), tg.norm(x, dtype=float),
                   softmin(x, 1, dtype=float), tg.log_softmax(x, 1, dtype=float)):  # fmt: skip
        assert result.dtype == tg.float64
    for call in (tg.zeros, lambda _, dtype: tg.softmax(x, 1, dtype=dtype),
                 lambda _, dtype: x.sum(dtype=dtype), lambda _, dtype: x.mean(dtype=dtype),
                 lambda _, dtype: tg.norm(x, dtype=dtype),
                 lambda _, dtype: softmin(x, 1, dtype=dtype)):  # fmt: skip
        for name in ("float64", "foo"):
            with pytest.raises(TypeError, match=rf": expected .*{name}"):
                call(2, dtype=name)


def test_zeros_are_counted_over_dimensions_one_by_one():
    x = tg.tensor([[[1, 0], [2, 3]], [[0, 0], [1, 0]]])
    assert x.count_nonzero(0, 2).tolist() == x.count_nonzero((0, 2)).tolist() == [1, 3]
    assert x.count_nonzero(dim=1).tolist() == [[2, 1], [1, 0]]


def bad_inputs():
    weight = [tg.nn.Parameter(tg.ones(2))]
    optim, data, nn = tg.optim, tg.data, tg.nn
    sgd = optim.SGD(weight)
    return {
        "Adam: expected an iterable of tensors or dicts, got NoneType": lambda: optim.Adam(None),
        "add_param_group: expected parameters in an order": lambda: optim.SGD([{"params": 3}]),
        "SGD: expected numbers as options, got {'lr': 'a'": lambda: optim.SGD(weight, lr="a"),
        "LambdaLR: expected an Optimizer": lambda: optim.lr_scheduler.LambdaLR(3, min),
        "CyclicLR: expected an Optimizer": lambda: optim.lr_scheduler.CyclicLR(None, 0.1, 1),
        "ChainedScheduler: expected schedulers": lambda: optim.lr_scheduler.ChainedScheduler([3]),
        "StepLR: expected an Optimizer": lambda: optim.lr_scheduler.StepLR(sgd.state_dict(), 1),
        "DataLoader: expected a data set with items": lambda: data.DataLoader(None),
        "DataLoader: expected a function": lambda: data.DataLoader([1], collate_fn=3),
        "DataLoader: expected a Generator": lambda: data.DataLoader([1], generator=3),
        "DataLoader: expected a whole number": lambda: data.DataLoader([1], num_workers="a"),
        "Independent: expected a distribution": lambda: tg.distributions.Independent(3, 1),
        "Dirichlet: expected a tensor": lambda: tg.distributions.Dirichlet(2.0),
        "NegativeSamplingLoss: expected how often": lambda: nn.NegativeSamplingLoss(4, 10),
        "BatchNorm1d: expected a tensor, got NoneType": lambda: nn.BatchNorm1d(2)(None),
        "LSTM: expected a tensor, got list": lambda: nn.LSTM(2, 2)([1.0]),
        "Flatten: expected a tensor, got str": lambda: nn.Sequential(nn.Flatten())("a"),
    }


@pytest.mark.parametrize("words", bad_inputs())
def test_bad_input_of_classes(words):
    with pytest.raises(TypeError, match=re.escape(words)):
        bad_inputs()[words]()


def test_what_a_users_module_lacks_is_told_as_it_is():
    class Broken(tg.nn.Module):
        def forward(self, mask):
            return mask.shape

    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'shape'"):
        Broken()(None)
    with pytest.raises(KeyError, match="add_param_group: expected 'params'"):
        tg.optim.SGD([{"lr": 0.1}])
    with pytest.raises(ValueError, match="GroupNorm: expected num_channels divisible by 0"):
        tg.nn.GroupNorm(0, 4)
