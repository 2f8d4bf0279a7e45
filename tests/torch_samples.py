"""Sample inputs of PyTorch's op database in this library's terms, and what counts as the same
result. For comparisons that PyTorch is installed for.
"""

from functools import partial

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import torch

# ---- from one library to the other


def to_ours(value):
    """PyTorch's arguments as this library's: tensors over the same memory, leaves again leaves."""
    if isinstance(value, torch.Tensor):
        assert value.layout == torch.strided
        value_of = value.detach().resolve_conj().resolve_neg()
        value_of = value_of.clone() if value_of._is_zerotensor() else value_of
        if value.dtype == torch.bfloat16:  # NumPy knows none
            return to_ours(value.float()).bfloat16()
        ours = tg.from_numpy(with_its_memory(value_of))
        return ours.requires_grad_() if value.requires_grad else ours
    if isinstance(value, torch.dtype):
        return np.dtype(str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return str(value)
    if isinstance(value, torch.nn.PairwiseDistance):
        return partial(tg.nn.functional.pairwise_distance, p=value.norm, eps=value.eps)
    if isinstance(value, torch.memory_format | torch.layout):
        return getattr(tg, str(value).removeprefix("torch."))
    if isinstance(value, slice):
        return slice(to_ours(value.start), to_ours(value.stop), to_ours(value.step))
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, tuple | list):
        return type(value)(to_ours(item) for item in value)
    if isinstance(value, dict):
        return {key: to_ours(item) for key, item in value.items()}
    return value


def with_its_memory(value):
    """PyTorch's tensor as a NumPy array; a view of part of a memory stays one."""
    array, storage = value.numpy(), value.untyped_storage()
    if storage.nbytes() <= array.nbytes:
        return array
    count = storage.nbytes() // value.element_size()
    whole = torch.empty(0, dtype=value.dtype).set_(storage, 0, (count,), (1,)).numpy()
    start = value.storage_offset() * value.element_size()
    return np.ndarray(array.shape, array.dtype, whole, start, array.strides)


def flat(value):
    """The tensors and numbers of a result, in order."""
    if isinstance(value, tuple | list):
        return [item for part in value for item in flat(part)]
    return [value]


def leaves(value):
    """The tensors of arguments that require a gradient."""
    if isinstance(value, dict):
        value = list(value.values())
    return [x for x in flat(value) if getattr(x, "requires_grad", False)]


def call(function, sample):
    """`function` of a sample of PyTorch's, in this library's terms."""
    return function(to_ours(sample.input), *to_ours(sample.args), **to_ours(sample.kwargs))


def outside(sample):
    """Whether a sample asks for what this library has not: sparse or channels-last memory, half
    precision complex numbers, a device or storage of its own.
    """

    def strange(value):
        if isinstance(value, torch.Tensor):
            meta = value.device.type == "meta"
            many = value.ndim > 64  # more dimensions than NumPy has
            return meta or many or value.layout != torch.strided or value.dtype == torch.complex32
        if isinstance(value, torch.layout):
            return value != torch.strided
        if isinstance(value, torch.memory_format):
            return value in (torch.channels_last, torch.channels_last_3d)
        return value in (torch.complex32,) if isinstance(value, torch.dtype) else False

    values = [sample.input, *sample.args, *sample.kwargs.values()]
    return any(strange(value) for value in flat(values))


# ---- what counts as the same


def precision(dtype):
    """Relative and absolute tolerance: PyTorch's own for float32, far narrower for float64."""
    return {"float32": (1.3e-6, 1e-5), "complex64": (1.3e-6, 1e-5)}.get(dtype, (1e-12, 1e-12))


def host(tensor):
    """PyTorch's values as a NumPy array."""
    tensor = tensor.detach().resolve_conj().resolve_neg().clone()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def assert_same(ours, theirs, what, values=True, truth=None):
    if not isinstance(theirs, torch.Tensor):
        assert ours == theirs or (ours != ours and theirs != theirs), f"{what}: {ours} {theirs}"
        return
    assert isinstance(ours, tg.Tensor), f"{what}: a {type(ours).__name__}"
    assert tuple(ours.shape) == tuple(theirs.shape), f"{what}: {ours.shape} {theirs.shape}"
    dtype = str(theirs.dtype).removeprefix("torch.")
    assert str(ours.dtype) == dtype, f"{what}: {ours.dtype}, not {dtype}"
    assert ours.requires_grad == theirs.requires_grad, f"{what}: requires_grad"
    if values:
        mine = ours.detach().numpy()
        mine = mine.astype("float32") if dtype == "bfloat16" else mine
        assert_close(mine, host(theirs), what, truth)


def assert_close(mine, other, what, truth=None, rough=0.0):
    """Equal to PyTorch's numbers; or, in single precision, no farther than they are from those
    that PyTorch finds in double precision, `truth()`, or than a few roundings of the arguments move
    these. `rough` is PyTorch's own relative error, where it is known to be larger.
    """
    if other.dtype.kind not in "fc":
        np.testing.assert_array_equal(mine, other, err_msg=what)
        return
    rtol, atol = [max(tolerance, rough) for tolerance in precision(str(other.dtype))]
    finite = np.abs(other[np.isfinite(other)])
    atol *= max(1.0, float(finite.max(initial=0)))
    try:
        np.testing.assert_allclose(mine, other, rtol=rtol, atol=atol, err_msg=what)
    except AssertionError:
        if truth is None or other.dtype.itemsize * (1 + (other.dtype.kind == "f")) > 8:
            raise
        exact = host(truth())
        with np.errstate(all="ignore"):
            moved = 4 * np.abs(host(truth(rounded=True)) - exact)
            allowed = np.maximum(np.abs(other - exact), moved) + rtol * np.abs(exact)
            worse = np.abs(mine - exact) > allowed
        if worse[np.isfinite(exact)].any() or not np.array_equal(
            mine[~np.isfinite(exact)], exact[~np.isfinite(exact)], equal_nan=True
        ):
            raise


def assert_gradient(ours, theirs, what, truth=None, rough=0.0):
    """As values; a gradient of zeros and none at all are the same to a user."""
    if theirs is None or ours is None:
        for found in (ours, theirs):
            assert found is None or not bool((found != 0).any()), f"{what}: {ours} {theirs}"
        return
    assert tuple(ours.shape) == tuple(theirs.shape), what
    assert_close(ours.detach().numpy(), host(theirs), what, truth, rough)


def doubled(value, rounded=False):
    """A sample's arguments in double precision, leaves again leaves; `rounded`: each number off by
    half a unit of single precision's last place.
    """
    if isinstance(value, torch.Tensor):
        if value.dtype != torch.float32:
            return value
        double = value.detach().double()
        if rounded:
            generator = torch.Generator().manual_seed(7)
            sides = torch.randint(0, 2, double.shape, generator=generator) * 2 - 1
            double = double * (1 + sides * 2.0**-24)
        return double.requires_grad_(value.requires_grad)
    if isinstance(value, tuple | list) and not isinstance(value, torch.Size):
        return type(value)(doubled(item, rounded) for item in value)
    if isinstance(value, dict):
        return {key: doubled(item, rounded) for key, item in value.items()}
    return torch.float64 if value is torch.float32 else value


# ---- one entry's samples, and their gradients


def samples_of(entry, dtype, requires_grad=False):
    torch.manual_seed(1)
    for number, sample in enumerate(
        entry.sample_inputs("cpu", getattr(torch, dtype), requires_grad=requires_grad)
    ):
        if not outside(sample):
            yield number, sample


class Findings:
    """The samples of one entry that differ: all are tried, the first few are shown."""

    def __init__(self):
        self.texts = []
        self.tried = 0

    def of(self, number, sample, check):
        self.tried += 1
        try:
            check(sample)
        except Exception as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            self.texts.append(f"{number}: {sample.summary()!s:.400}\n        {text:.500}")

    def report(self, what):
        if self.texts:
            shown = "\n    ".join(self.texts[:6])
            pytest.fail(
                f"{what}: {len(self.texts)} of {self.tried} samples:\n    {shown}", pytrace=False
            )


def cotangents(outputs, seed):
    """A fixed random gradient for each of PyTorch's outputs."""
    generator = torch.Generator().manual_seed(seed)
    kinds = [torch.complex128 if x.is_complex() else torch.float64 for x in outputs]
    return [
        torch.randn(x.shape, generator=generator, dtype=kind).to(x.dtype).requires_grad_()
        for x, kind in zip(outputs, kinds)
    ]


def torch_gradients(entry, sample, arguments, twice):
    """PyTorch's outputs that have a gradient (their places), and the gradients of its inputs."""
    inputs = leaves(arguments)
    wanted = entry(arguments[0], *arguments[1], **dict(zip(sample.kwargs, arguments[2])))
    outputs = flat(sample.output_process_fn_grad(wanted))
    places = [i for i, x in enumerate(outputs) if getattr(x, "requires_grad", False)]
    if not places or not inputs:
        return [], [], []
    outputs = [outputs[i] for i in places]
    weights = cotangents(outputs, 5)
    found = torch.autograd.grad(outputs, inputs, weights, create_graph=twice, allow_unused=True)
    return places, weights, list(found)


def our_gradients(function, sample, arguments, places, weights, twice):
    result = function(arguments[0], *arguments[1], **dict(zip(sample.kwargs, arguments[2])))
    outputs = flat(sample.output_process_fn_grad(result))
    return tg.autograd.grad(
        [outputs[i] for i in places],
        leaves(arguments),
        to_ours(weights),
        create_graph=twice,
        allow_unused=True,
    )
