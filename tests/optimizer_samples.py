"""Optimizers by their names and options, and what some steps of them make of known numbers."""

import numpy as np

import tensorgrad as tg
from tensorgrad import optim
from tests.kernel_samples import SHAPES, sample

OPTIONS = {
    "sgd": ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    "nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    "dampening": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    "adam": ("Adam", {"weight_decay": 0.1}),
    "amsgrad": ("AdamW", {"amsgrad": True, "maximize": True}),
    "adamax": ("Adamax", {}),
    "nadam": ("NAdam", {"decoupled_weight_decay": True, "weight_decay": 0.1}),
    "radam": ("RAdam", {"betas": (0.8, 0.9)}),
    "adagrad": ("Adagrad", {"lr_decay": 0.1}),
    "adadelta": ("Adadelta", {"weight_decay": 0.1}),
    "rmsprop": ("RMSprop", {"momentum": 0.5, "centered": True}),
    "rmsprop, inside": ("RMSprop", {"eps_inside": True}),
    "rprop": ("Rprop", {}),
    "asgd": ("ASGD", {"t0": 2, "lambd": 0.1}),
    "lion": ("Lion", {"weight_decay": 0.1}),
}


def trained(
    name, dtype, fused=None, shapes=SHAPES, steps=7, spoil=None, backend="numba", kept_in=None
):
    """Parameters and states after some steps on gradients that are given; with `kept_in` all
    these are numbers of another dtype, to which each step's results are rounded.
    """
    kind, options = OPTIONS[name]

    def given(shape, seed):
        return sample(shape, kept_in or dtype, seed).astype(dtype)

    with tg.use_backend(backend):
        params = [
            tg.tensor(given(shape, seed), requires_grad=True) for seed, shape in enumerate(shapes)
        ]
        optimizer = getattr(optim, kind)([{"params": params, "fused": fused}], **options)
        for step in range(steps):
            for seed, param in enumerate(params):
                gradient = given(param.shape, 100 * step + seed + 50)
                if spoil is not None:
                    gradient = spoil(gradient.astype(kept_in or dtype)).astype(dtype)
                param.grad = tg.from_numpy(gradient).to(param.device)
            optimizer.step()
            for value in kept(params, optimizer) if kept_in is not None else ():
                value.detach().copy_(value.detach().to(kept_in))
        found = [*params]
        for param in params:
            found += [value for _, value in sorted(optimizer.state[param].items())]
        if kept_in is not None:
            rounded = {id(value) for value in kept(params, optimizer)}
            found = [x.to(kept_in) if id(x) in rounded else x for x in found]
        return [value.detach().cpu().numpy() for value in found]


def kept(params, optimizer):
    """Parameters, and their states but for the number of the step."""
    for param in params:
        yield param
        yield from (value for name, value in optimizer.state[param].items() if name != "step")


def strange(gradient):
    """With NaN, infinities, zeros and a large number in it."""
    flat = gradient.reshape(-1)
    for i, value in enumerate((np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30)):
        flat[i::11] = value
    return gradient


def same(got, want):
    """Lists of arrays, equal to the bit and in their dtypes."""
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        if a.dtype.kind == "V":  # NaN of bfloat16 is not NumPy's
            a, b = a.astype("f4"), b.astype("f4")
        np.testing.assert_array_equal(a, b)
