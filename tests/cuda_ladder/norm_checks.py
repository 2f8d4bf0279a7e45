"""Checks of norms and their gradients: near to the compositions in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.op import OPS
from tests.cuda_ladder.checking import FULL, check, shifted
from tests.kernel_samples import close, sample

CHOICES = [(True, True), (False, True), (True, False), (False, False)]  # of weight and bias


def chosen(choice: tuple[bool, bool], *weights: Any) -> list[Any]:
    return [weight if wanted else None for wanted, weight in zip(choice, weights, strict=True)]


def composed(name: str, arrays: list[Any], how: tuple[Any, ...], g: Any) -> tuple[Any, list[Any]]:
    """The first output of a fused op's composition in double precision, and its gradients."""
    with tg.use_backend("numpy"), np.errstate(all="ignore"):
        tensors = [
            None if array is None else tg.tensor(array.astype("f8"), requires_grad=True)
            for array in arrays
        ]
        out = OPS[name].composition(*tensors, *how)
        out = out[0] if isinstance(out, tuple) else out
        out.backward(tg.tensor(g.astype("f8")))
        return out.detach().numpy(), [None if t is None else t.grad.numpy() for t in tensors]


def compared(
    backend: Any, name: str, arrays: list[Any], how: tuple[Any, ...], factor: float = 100
) -> None:
    """A norm and its gradients against the composition's; arrays that begin anywhere likewise."""
    g = sample(arrays[0].shape, arrays[0].dtype, 9)
    want, slopes = composed(name, arrays, how, g)
    for place in (backend.xp.asarray, lambda array: shifted(backend, array)):
        x = [None if array is None else place(array) for array in arrays]
        found = getattr(backend, name)(*x, *how)
        out, aux = found[0], found[-1]
        close(out.get(), want, factor)
        whole = place(g) if len(found) == 2 else (place(g), None, None)
        needs = tuple(array is not None for array in arrays)
        got = getattr(backend, f"{name}_vjp")(whole, *x[:2], how[-1], aux, needs)
        for one, slope in zip(got, slopes, strict=True):
            if slope is not None:
                close(one.get(), slope, factor * 2)
        alone, *others = getattr(backend, f"{name}_vjp")(
            whole, *x[:2], how[-1], aux, (True,) + (False,) * len(needs[1:])
        )
        np.testing.assert_array_equal(alone.get(), got[0].get())
        assert all(other is None for other in others)


# A warp has rows of up to 1024 bytes; blocks have several rows each from 256 blocks' on.
ROWS = [
    *(((3, 7), 1), ((9, 33), 1), ((2, 256), 1), ((3, 257), 1), ((2, 2051), 1), ((2, 4096), 1)),
    *(((2, 3, 4, 5), 2), ((2052, 3), 1), ((258, 259), 1)),
]
SMALL_ROWS = [((9, 5), 1), ((2, 260), 1)]
FEW = 100  # elements up to which every choice of weights is tried


@check("layer_norm.cu", FULL)
def norms_of_rows(backend: Any, dtype: Any, small: bool) -> None:
    for shape, first in SMALL_ROWS if small else ROWS:
        dim = tuple(range(first - len(shape), 0))
        x = sample(shape, dtype) + dtype.type(2)
        weight, bias = (sample(shape[first:], dtype, seed) for seed in (1, 2))
        few = x.size <= FEW and not small
        for affine in CHOICES if few else CHOICES[:1]:
            compared(backend, "standardize", [x, *chosen(affine, weight, bias)], (dim, 1e-5))
        for gain in ([weight], [None]) if few else ([weight],):
            compared(backend, "scale_by_root_mean_square", [x, *gain], (dim, 1e-6))


# A sample's groups, the channels of each, their places; a block has up to 8 channels at a time.
GROUPS = [
    *((2, 3, 2, 5), (1, 1, 1, 2), (3, 2, 9, 7), (2, 1, 8, 33), (2, 5, 1, 300), (1, 1, 2, 2051)),
    *((2, 2, 17, 1), (2, 1, 9, 260)),
]
SMALL_GROUPS = [(2, 2, 9, 3), (2, 1, 2, 260)]


@check("layer_norm.cu", FULL)
def norms_of_groups(backend: Any, dtype: Any, small: bool) -> None:
    for samples, groups, channels, places in SMALL_GROUPS if small else GROUPS:
        x = sample((samples, groups, channels, places), dtype) - dtype.type(1)
        weight, bias = (sample((1, groups, channels, 1), dtype, seed) for seed in (1, 2))
        for affine in CHOICES[:3] if x.size <= FEW and not small else CHOICES[:1]:
            compared(backend, "standardize", [x, *chosen(affine, weight, bias)], ((2, 3), 1e-5))


@check("layer_norm.cu", FULL)
def norms_of_strange_numbers(backend: Any, dtype: Any, small: bool) -> None:
    """Each stays in its row, and in the gradients of weights in its column."""
    x, g = (np.asarray(sample((20, 40), dtype, seed)) for seed in (0, 1))
    x[3, 5], x[4, 0], x[7], x[9, :2] = np.nan, np.inf, 0, (np.inf, -np.inf)
    weight, bias = sample(40, dtype, 1), sample(40, dtype, 2)
    want, slopes = composed("standardize", [x, weight, bias], ((1,), 1e-5), g)
    on_device = [backend.xp.asarray(array) for array in (x, weight, bias)]
    out, _, _, aux = backend.standardize(*on_device, (1,), 1e-5)
    assert set(np.unique(np.nonzero(np.isnan(want))[0])) == {3, 4, 9}
    close(out.get(), want, 100)
    given = backend.xp.asarray(g), None, None
    got = backend.standardize_vjp(given, *on_device[:2], 1e-5, aux, (True, True, True))
    for found, slope in zip(got, slopes, strict=True):
        close(found.get(), slope, 1000)


# Samples, channels, and their places.
BATCHES = [
    *((2, 1), (3, 5), (2, 1, 2), (2, 3, 7), (5, 70, 4), (2, 3, 5, 60), (1, 2, 256), (2, 2, 257)),
    *((1, 2, 2051), (19, 3, 9), (70, 65)),
]
SMALL_BATCHES = [(3, 2, 5), (9, 3), (2, 1, 260)]


@check("batch_norm.cu", FULL)
def norms_of_batches(backend: Any, dtype: Any, small: bool) -> None:
    for shape in SMALL_BATCHES if small else BATCHES:
        x = sample(shape, dtype) + dtype.type(3)
        alone = 1, shape[1], *(1,) * (len(shape) - 2)
        weight, bias = (sample(alone, dtype, seed) for seed in (1, 2))
        how = (0, *range(2, len(shape))), 1e-5
        g = sample(shape, dtype, 9)
        for choice in CHOICES if x.size <= FEW and not small else CHOICES[:1]:
            affine = chosen(choice, weight, bias)
            want, slopes = composed("standardize", [x, *affine], how, g)
            for place in (backend.xp.asarray, lambda array: shifted(backend, array)):
                given = [None if array is None else place(array) for array in [x, *affine]]
                out, mean, variance, aux = backend.standardize(*given, *how)
                close(out.get(), want, 100)
                wide = x.astype("f8")
                close(mean.get(), wide.mean(how[0], keepdims=True))
                close(variance.get(), wide.var(how[0], keepdims=True))
                whole = place(g), None, None
                got = backend.standardize_vjp(whole, *given[:2], 1e-5, aux, (True, True, True))
                for one, slope in zip(got, slopes, strict=True):
                    if slope is not None:
                        close(one.get(), slope, 300)


@check("batch_norm.cu", FULL)
def channels_scaled(backend: Any, dtype: Any, small: bool) -> None:
    for shape in SMALL_BATCHES if small else BATCHES:
        x = sample(shape, dtype)
        alone = 1, shape[1], *(1,) * (len(shape) - 2)
        numbers = [sample(alone, dtype, seed) for seed in (1, 2, 3)]
        g = sample(shape, dtype, 9)
        for last in (numbers[2], None):
            arrays = [x, *numbers[:2], last]
            want, slopes = composed("shift_and_scale", arrays, (), g)
            given = [None if array is None else backend.xp.asarray(array) for array in arrays]
            close(backend.shift_and_scale(*given).get(), want)
            on_device = backend.xp.asarray(g)
            alone_needed = True, False, False, False
            got = backend.shift_and_scale_vjp(on_device, *given[:3], alone_needed)
            close(got[0].get(), slopes[0])
            got = backend.shift_and_scale_vjp(on_device, *given[:3], (True,) * 4)
            assert (got is NotImplemented) == (len(shape) == 2)
            for one, slope in zip(got if len(shape) > 2 else (), slopes, strict=False):
                if slope is not None:
                    close(one.get(), slope, 100)


@check("batch_norm.cu", FULL)
def batches_of_strange_numbers(backend: Any, dtype: Any, small: bool) -> None:
    """Each stays in its channel."""
    for shape in ((4, 6), (4, 6, 5)):
        x = sample(shape, dtype)
        x[0, 1], x[1, 2], x[:, 4] = np.nan, np.inf, 2
        how = (0, *range(2, len(shape))), 1e-5
        want, _ = composed("standardize", [x, None, None], how, x)
        out = backend.standardize(backend.xp.asarray(x), None, None, *how)[0].get()
        assert set(np.unique(np.nonzero(np.isnan(want))[1])) == {1, 2}
        close(out, want, 100)
