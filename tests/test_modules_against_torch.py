"""Modules against PyTorch's own database of them: constructors, text, forward, all gradients."""

import inspect
import warnings

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tests.test_optim_against_torch import to_ours

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's database imports it")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_modules import module_db

# What PyTorch warns of is not what is compared here.
pytestmark = pytest.mark.filterwarnings("ignore")

# Modules of PyTorch's that this library leaves out, and why.
ABSENT = {
    "Container": "an older name of Module",
    "CrossMapLRN2d": "an older LocalResponseNorm, whose first channel stays in all its sums",
    "LinearCrossEntropyOptions": "chooses how PyTorch saves memory; any value is taken",
    "NLLLoss2d": "an older name of NLLLoss",
    "RNNBase": "the base of RNN, LSTM and GRU; its constructor is theirs",
    "RNNCellBase": "the base of their cells; its constructor is theirs",
}
NAMES = sorted(set(torch.nn.modules.__all__) - set(ABSENT))
ENTRIES = {entry.name.removeprefix("nn."): entry for entry in module_db}
KNOWN = sorted(set(ENTRIES) - set(ABSENT))
DTYPES = {"float64": 1e-9, "float32": 1e-4}


def test_every_module_is_there():
    assert [name for name in NAMES if not hasattr(nn, name)] == []
    assert len(KNOWN) >= 112


@pytest.mark.parametrize("name", NAMES)
def test_constructor_takes_what_torch_takes(name):
    theirs = inspect.signature(getattr(torch.nn, name).__init__).parameters
    ours = inspect.signature(getattr(nn, name).__init__).parameters
    if "args" in theirs:  # it passes them on
        return
    for option, parameter in theirs.items():
        assert option in ours, option
        assert ours[option].kind == parameter.kind, option
        if not callable(parameter.default):
            assert ours[option].default == parameter.default, option
    in_order = [p for p in theirs if theirs[p].kind == inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert list(ours)[: len(in_order)] == in_order


# ---- the database


def inputs_of(entry, dtype, training):
    """Its samples: constructor arguments and forward arguments."""
    torch.manual_seed(0)
    return entry.module_inputs_func(
        entry, device="cpu", dtype=dtype, requires_grad=True, training=training
    )


def of_library(value, ours, known):
    """Arguments for one of the libraries: leaves of their own, so that gradients stay apart."""
    if ours:
        return to_ours(value, known)
    return copied(value, known)


def copied(value, known):
    if isinstance(value, torch.Tensor):
        if id(value) not in known:
            known[id(value)] = value.detach().clone().requires_grad_(value.requires_grad)
        return known[id(value)]
    if isinstance(value, dict):
        return {key: copied(item, known) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copied(item, known) for item in value)
    return value


def tensors(result):
    """The tensors of a result, nested tuples flattened."""
    if isinstance(result, tuple | list):
        return [tensor for part in result for tensor in tensors(part)]
    return [] if result is None else [result]


def host(value):
    return None if value is None else value.detach().numpy(force=True)


def ours_for(value):
    """This library's function or layer of the same name and options; anything else as it is."""
    if isinstance(value, torch.nn.TransformerEncoderLayer):
        attention = value.self_attn
        return nn.TransformerEncoderLayer(
            attention.embed_dim,
            attention.num_heads,
            value.linear1.out_features,
            value.dropout.p,
            ours_for(value.activation),
            value.norm1.eps,
            attention.batch_first,
            value.norm_first,
            value.linear1.bias is not None,
        )
    return getattr(nn.functional, getattr(value, "__name__", ""), value)


def constructed(library, sample, name, dtype, known):
    """The module, in the dtype unless the sample chooses one."""
    given = sample.constructor_input
    ours = library is nn
    kwargs = {
        key: getattr(tg if ours else torch, dtype) if key == "dtype" else value
        for key, value in given.kwargs.items()
    }
    positional = given.args
    if ours:
        positional = tuple(ours_for(value) for value in positional)
        kwargs = {key: ours_for(value) for key, value in kwargs.items()}
    args = of_library(positional, ours, known)
    module = getattr(library, name)(*args, **of_library(kwargs, ours, known))
    return module.to(getattr(tg if ours else torch, dtype))


def with_known_weights(ours, theirs):
    """Both modules with the weights of PyTorch's, away from ones and zeros."""
    state = {}
    generator = np.random.default_rng(0)
    for key, value in theirs.state_dict().items():
        array = value.numpy()
        if array.dtype.kind == "f":
            noise = np.abs(generator.normal(size=array.shape)) * 0.1
            array = (array + noise).astype(array.dtype)
        state[key] = array
    theirs.load_state_dict({key: torch.tensor(value) for key, value in state.items()})
    ours.load_state_dict({key: tg.tensor(value) for key, value in state.items()})


def run(module, sample, ours):
    """What forward gives, and the gradients of everything that asks for one, by name."""
    leaves = {}
    forward = sample.forward_input
    arguments = of_library(forward.args, ours, leaves)
    keywords = of_library(forward.kwargs, ours, leaves)
    outputs = tensors(module(*arguments, **keywords))
    generator, loss = np.random.default_rng(1), 0
    for out in outputs:
        if out.requires_grad:
            weight = generator.normal(size=tuple(out.shape)).astype(str(host(out).dtype))
            loss = loss + (out * (tg if ours else torch).tensor(weight)).sum()
    if not isinstance(loss, int):
        loss.backward()
    gradients = {key: host(p.grad) for key, p in module.named_parameters()}
    for number, leaf in enumerate(leaves.values()):
        if leaf.requires_grad and leaf.is_leaf:
            gradients[f"input {number}"] = host(leaf.grad)
    return outputs, gradients


def modes(entry):
    return (True, False) if entry.train_and_eval_differ else (True,)


def random_in_training(module):
    """Whether the module, or one in it, draws numbers in training."""
    chances = [getattr(part, name, 0) for part in module.modules() for name in ("p", "dropout")]
    return any(isinstance(chance, float) and chance > 0 for chance in chances)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KNOWN)
def test_module(name, dtype):
    entry, tolerance = ENTRIES[name], DTYPES[dtype]
    compared = 0
    for training in modes(entry):
        for number, sample in enumerate(inputs_of(entry, getattr(torch, dtype), training)):
            what = f"sample {number} {sample.desc}, {training=}"
            if sample.forward_input is None:
                continue
            known = {}
            theirs = constructed(torch.nn, sample, name, dtype, known)
            mine = constructed(nn, sample, name, dtype, {})
            if not entry.is_lazy:
                assert repr(mine) == repr(theirs), what
                shapes = {k: tuple(v.shape) for k, v in theirs.state_dict().items()}
                state = {k: tuple(v.shape) for k, v in mine.state_dict().items()}
                assert list(state.items()) == list(shapes.items()), what
            theirs.train(training and not random_in_training(theirs))
            mine.train(theirs.training)
            if entry.is_lazy:
                run(theirs, sample, False)
            with_known_weights(mine, theirs)
            theirs.zero_grad()
            wanted, gradients = run(theirs, sample, False)
            outputs, own = run(mine, sample, True)
            assert len(outputs) == len(wanted), what
            for actual, known_value in zip(outputs, wanted, strict=True):
                assert str(actual.dtype) == str(known_value.dtype).removeprefix("torch."), what
                close(host(actual), host(known_value), tolerance, what)
            assert list(own) == list(gradients), what
            for key, value in gradients.items():
                assert (own[key] is None) == (value is None), f"{what}: {key}"
                if value is not None:
                    close(own[key], value, tolerance, f"{what}: gradient of {key}")
            if entry.is_lazy:
                assert repr(mine) == repr(theirs), what
            for key, buffer in theirs.named_buffers():
                close(host(mine.get_buffer(key)), host(buffer), tolerance, f"{what}: {key}")
            compared += 1
    assert compared


def close(actual, wanted, tolerance, what):
    np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance, err_msg=what)


ERRORS = [name for name in KNOWN if ENTRIES[name].module_error_inputs_func is not None]


def called(name, sample):
    """The module of this library's on a sample; its own dtypes stay."""
    kwargs = {**sample.constructor_input.kwargs}
    if isinstance(kwargs.get("dtype"), torch.dtype):
        kwargs["dtype"] = getattr(tg, str(kwargs["dtype"]).removeprefix("torch."))
    module = getattr(nn, name)(*to_ours(sample.constructor_input.args), **to_ours(kwargs))
    module(*to_ours(sample.forward_input.args), **to_ours(sample.forward_input.kwargs))


@pytest.mark.parametrize("name", ERRORS)
def test_errors(name):
    """What PyTorch refuses is refused, with an exception of the same kind."""
    entry = ENTRIES[name]
    samples = entry.module_error_inputs_func(
        entry, device="cpu", dtype=torch.float64, requires_grad=True, training=True
    )
    for error in samples:
        sample = error.module_error_input
        with pytest.raises(error.error_type, match="expected"):
            called(name, sample)
