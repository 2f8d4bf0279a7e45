"""Optimizers against PyTorch's own database of them: options, trajectories, errors."""

import importlib
import warnings

import numpy as np
import pytest

import tensorgrad as tg
from tests.descents import close, descend, host, quadratic

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's database imports it")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_optimizers import optim_db

# Its parameters are dense and its gradients sparse.
ABSENT = {"SparseAdam"}
ENTRIES = {entry.optim_cls.__name__: entry for entry in optim_db}
KNOWN = sorted(set(ENTRIES) - ABSENT)
OPTIONS = [
    (name, number, options)
    for name in KNOWN
    for number, options in enumerate(ENTRIES[name].optim_inputs_func(device="cpu"))
]


def to_ours(value, known=None):
    """PyTorch's arguments as this library's; a tensor that comes twice is one tensor twice."""
    known = {} if known is None else known
    if isinstance(value, torch.Tensor):
        if id(value) not in known:
            tensor = tg.from_numpy(value.detach().numpy().copy())
            known[id(value)] = tensor.requires_grad_(value.requires_grad)
        return known[id(value)]
    if isinstance(value, dict):
        return {key: to_ours(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(to_ours(item, known) for item in value)
    return value


def test_every_optimizer_is_there():
    missing = [name for name in KNOWN if not hasattr(tg.optim, name)]
    assert missing == []
    assert len(KNOWN) >= 14


@pytest.mark.parametrize(
    ("name", "options"), [(n, o) for n, _, o in OPTIONS], ids=[f"{n}-{i}" for n, i, _ in OPTIONS]
)
def test_trajectory(name, options, backend):
    """50 steps on a small problem stay together to 1e-6."""
    results = []
    for library in (tg, torch):
        parameters, loss = quadratic(library)
        parameters = parameters[:1] if name == "Muon" else parameters
        chosen = to_ours(options.kwargs) if library is tg else dict(options.kwargs)
        optimizer = getattr(library.optim, name)(parameters, **chosen)
        if name == "LBFGS":
            for _ in range(3):

                def closure(optimizer=optimizer, loss=loss):
                    optimizer.zero_grad()
                    value = loss()
                    value.backward()
                    return value

                optimizer.step(closure)
        else:
            descend(optimizer, loss, 50)
        results.append(host(parameters))
    assert np.abs(results[0][0] - quadratic(tg)[0][0].detach().numpy()).max() > 1e-6
    close(*results)


ERRORS = [
    (name, number, error)
    for name in KNOWN
    for number, error in enumerate(
        ENTRIES[name].optim_error_inputs_func(device="cpu", dtype=torch.float64)
    )
    # Options of PyTorch's that choose an implementation, and betas that are tensors.
    if "as a Tensor is not supported" not in str(error.error_regex)
    and "must be either both floats or both Tensors" not in str(error.error_regex)
]


@pytest.mark.parametrize(
    ("name", "error"), [(n, e) for n, _, e in ERRORS], ids=[f"{n}-{i}" for n, i, _ in ERRORS]
)
def test_errors(name, error):
    wrong = error.optimizer_error_input
    params = [tg.ones(2, 3, requires_grad=True)] if wrong.params is None else to_ours(wrong.params)
    kind = error.error_type
    expected = pytest.warns if issubclass(kind, Warning) else pytest.raises
    with expected(kind, match="expected"):
        getattr(tg.optim, name)(params, **to_ours(wrong.kwargs))


@pytest.mark.parametrize("name", KNOWN)
def test_constructor_takes_what_torch_takes(name):
    inspect = importlib.import_module("inspect")
    theirs = inspect.signature(getattr(torch.optim, name).__init__).parameters
    ours = inspect.signature(getattr(tg.optim, name).__init__).parameters
    for option, parameter in theirs.items():
        assert option in ours, option
        assert ours[option].kind == parameter.kind, option
        assert ours[option].default == parameter.default, option
    positional = [p for p in theirs if theirs[p].kind == inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert list(ours)[: len(positional)] == positional
