"""One module of each library with the same weights, run on the same numbers."""

import numpy as np

import tensorgrad as tg
from tests.oracle import torch, torch_numpy

TOLERANCES = {"float64": 1e-9, "float32": 1e-4}


def twins(make, dtype="float64"):
    """`make(nn)` of both libraries, of one dtype, with PyTorch's names, shapes and our values."""
    ours = make(tg.nn).to(getattr(tg, dtype))
    theirs = make(torch.nn).to(getattr(torch, dtype))
    state = {
        name: torch.from_numpy(value.numpy().copy()) for name, value in ours.state_dict().items()
    }
    assert list(state) == list(theirs.state_dict())
    theirs.load_state_dict(state)
    assert repr(ours) == repr(theirs)
    return ours, theirs


def leaves(value):
    """The tensors of nested tuples and lists, in order."""
    if isinstance(value, tuple | list):
        return [leaf for part in value for leaf in leaves(part)]
    return [] if value is None else [value]


def given(value, library):
    """NumPy arrays in nested tuples as tensors of a library; floats collect gradients."""
    if isinstance(value, np.ndarray):
        tensor = library.tensor(value)
        return tensor.requires_grad_() if value.dtype.kind == "f" else tensor
    if isinstance(value, tuple | list):
        return type(value)(given(part, library) for part in value)
    return value


def agree(ours, theirs, tolerance, what=""):
    assert len(ours) == len(theirs), what
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine is None) == (other is None), what
        if mine is not None:
            assert str(mine.dtype) == str(other.dtype).removeprefix("torch."), what
            np.testing.assert_allclose(
                mine.detach().numpy(), torch_numpy(other), tolerance, tolerance, err_msg=what
            )


def agree_in_all(pair, args, kwargs=None, dtype="float64"):
    """Outputs and the gradients of inputs and parameters are the same in both libraries."""
    results = []
    for module, library in zip(pair, (tg, torch), strict=True):
        inputs = given(tuple(args), library)
        options = {name: given(value, library) for name, value in (kwargs or {}).items()}
        results.append(results_of(module, inputs, options))
    agree(*results, TOLERANCES[dtype])


def results_of(module, inputs, options):
    """Outputs, then the gradients, of a loss in which every output has a weight of its own."""
    module.zero_grad()
    outputs = leaves(module(*inputs, **options))
    # Squared, so that the gradients are not the same everywhere.
    squares = [(out * out).sum() for out in outputs if out.requires_grad]
    sum(square * (n + 1) for n, square in enumerate(squares)).backward()
    tensors = leaves([list(inputs), list(options.values())])
    gradients = [x.grad for x in tensors if getattr(x, "requires_grad", False)]
    return outputs + gradients + [parameter.grad for parameter in module.parameters()]
