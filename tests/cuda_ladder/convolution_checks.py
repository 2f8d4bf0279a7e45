"""Checks of convolution, transposed too, and of their gradients: near to the compositions."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.kernels.cuda import convolution
from tensorgrad.op import OPS
from tensorgrad.ops.windows import fold_windows
from tests.cuda_ladder.checking import check
from tests.kernel_samples import close, sample
from tests.optimizer_samples import same

SMALL = [((1, 2, 3, 3), (1, 2, 2, 2), (1, 1), (1, 0), (1, 1), 1)]
# (input, weight, stride, padding, dilation, groups)
BY_MATRICES = [
    ((2, 2, 4, 5), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((3, 4, 7, 6), (6, 2, 3, 2), (2, 2), (1, 2), (1, 2), 2),
    ((2, 3, 30), (4, 3, 4), (3,), (2,), (1,), 1),
    ((1, 2, 3, 5, 4), (2, 2, 2, 3, 2), (1, 2, 1), (1, 1, 1), (2, 2, 1), 1),
    ((3, 3, 4, 4), (5, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1),  # every place is a window
    ((2, 3, 3, 3), (2, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 3, 5, 5), (2, 3, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((2, 2, 16, 18), (3, 2, 2, 2), (1, 1), (0, 0), (1, 1), 1),  # several blocks
]
ODD = (1, 2, 4, 4), (3, 2, 2, 2), (1, 1), (0, 0), (1, 1), 1  # samples begin at no multiple of 16
SMALL_DIRECT = [((1, 1, 3, 5), (2, 1, 2, 5), (1, 1), (1, 0), (1, 1), 1)]  # two parts of a window
DIRECT = [
    ((2, 3, 5, 6), (3, 1, 3, 3), (1, 1), (1, 1), (1, 1), 3),
    ((3, 2, 7, 6), (4, 1, 3, 4), (2, 1), (2, 1), (1, 2), 2),  # two outputs a group
    ((2, 1, 4, 4), (5, 1, 2, 2), (1, 1), (0, 0), (1, 1), 1),
    ((2, 2, 40), (2, 1, 3), (1,), (0,), (2,), 2),
    ((1, 2, 4, 5, 4), (2, 1, 2, 2, 3), (1, 2, 1), (1, 1, 1), (2, 2, 1), 2),
    ((3, 1, 18, 18), (1, 1, 1, 2), (1, 1), (0, 0), (1, 1), 1),  # several blocks
]
EVERYTHING = (True, True, True)


def composed(op: str, g: np.ndarray | None, arrays: Any, how: Any) -> list[np.ndarray]:
    """An op's result by NumPy in double precision, and its gradients."""
    with tg.use_backend("numpy"), np.errstate(all="ignore"):
        leaves = [tg.tensor(array.astype("f8"), requires_grad=True) for array in arrays]
        y = OPS[op].call(*leaves, *how)
        y.backward(tg.ones_like(y) if g is None else tg.tensor(g.astype("f8")))
    return [y.detach().numpy(), *[leaf.grad.numpy() for leaf in leaves]]


def compare(backend: Any, dtype: Any, case: Any, spoiled: bool = False, all: bool = True) -> None:
    shape, weight_shape, *how = case
    x, weight = sample(shape, dtype, 0, 1.0), sample(weight_shape, dtype, 1, 1.0)
    bias = sample(weight_shape[:1], dtype, 2, 1.0)
    if spoiled:
        x.flat[0], x.flat[x.size // 2], x.flat[-1] = np.inf, np.nan, -np.inf
    there = [backend.xp.asarray(array) for array in (x, weight, bias)]
    y = backend.convolution(*there, *how)
    g = sample(y.shape, dtype, 3, 1.0)
    gradient = backend.xp.asarray(g)
    want = composed("convolution", g, (x, weight, bias), how)
    found = backend.convolution_vjp(gradient, *there[:2], *how, EVERYTHING)
    for got, exact in zip((y, *found), want, strict=True):
        close(got.get(), exact, 40)
    if not all:
        return
    without = backend.convolution(*there[:2], None, *how)
    close(without.get(), want[0] - bias.reshape(-1, *(1,) * (x.ndim - 2)), 40)
    rectified = backend.rectified_convolution(*there, *how)
    same([rectified.get()], [np.maximum(y.get(), 0)])
    passed = backend.rectified_convolution_vjp(gradient, rectified, *there[:2], *how, EVERYTHING)
    below = rectified.get().astype("f8") <= 0
    cut = backend.xp.asarray(np.where(below, g.dtype.type(0), g))
    expected = backend.convolution_vjp(cut, *there[:2], *how, EVERYTHING)
    for got, exact in zip(passed, expected, strict=True):
        close(got.get(), exact.get())


def compare_transposed(backend: Any, dtype: Any, case: Any) -> None:
    size, weight_shape, *how = case
    grid = backend.convolution(
        backend.xp.zeros(size, dtype), backend.xp.zeros(weight_shape, dtype), None, *how
    ).shape
    x, weight = sample(grid, dtype, 0, 1.0), sample(weight_shape, dtype, 1, 1.0)
    bias = sample(size[1:2], dtype, 2, 1.0)
    g = sample(size, dtype, 3, 1.0)
    there = [backend.xp.asarray(array) for array in (x, weight, bias)]
    want = composed("transposed_convolution", g, (x, weight, bias), (*how, size[2:]))
    found = backend.transposed_convolution_vjp(backend.xp.asarray(g), *there[:2], *how, EVERYTHING)
    y = backend.transposed_convolution(*there, *how, size[2:])
    for got, exact in zip((y, *found), want, strict=True):
        close(got.get(), exact, 40)


@check("convolution.cu")
def convolution_by_matrices(backend: Any, dtype: Any, small: bool) -> None:
    for number, case in enumerate(SMALL if small else BY_MATRICES):
        compare(backend, dtype, case, number == 2, not small)
        if not small:
            compare_transposed(backend, dtype, case)


@check("convolution.cu")
def some_samples_at_a_time(backend: Any, dtype: Any, small: bool) -> None:
    before = convolution.SCRATCH
    convolution.SCRATCH = 200
    try:
        for shape, *rest in () if small else (*BY_MATRICES[:2], ODD):
            compare(backend, dtype, ((5, *shape[1:]), *rest))
            compare_transposed(backend, dtype, ((5, *shape[1:]), *rest))
    finally:
        convolution.SCRATCH = before


@check("direct.cu")
def convolution_of_one_channel_a_group(backend: Any, dtype: Any, small: bool) -> None:
    for number, case in enumerate(SMALL_DIRECT if small else DIRECT):
        compare(backend, dtype, case, number == 2, not small)
        if not small:
            compare_transposed(backend, dtype, case)


@check("convolution.cu")
def windows_folded_as_they_lie(backend: Any, dtype: Any, small: bool) -> None:
    size, kernel, stride, dilation = (7, 9), (2, 3), (2, 1), (3, 2)
    x = sample((2, 3, 2, 5, 2, 3), dtype)  # (*lead, *positions, *kernel)
    how = size, kernel, stride, dilation
    with tg.use_backend("numpy"):
        want = fold_windows(tg.tensor(x.astype("f8")), *how).numpy()
    for order in () if small else ((0, 1, 2, 3, 4, 5), (0, 1, 4, 5, 2, 3), (3, 0, 1, 4, 2, 5)):
        lying = backend.xp.asarray(np.ascontiguousarray(x.transpose(order)))
        found = backend.fold_windows(lying.transpose(*np.argsort(order).tolist()), *how)
        close(found.get(), want)
