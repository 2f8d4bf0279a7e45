"""Convolution, pooling and resampling as array operations, and the sizes at which their kernels
are compared with them; for bench/kernels.py. Knows arrays only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.op import OPS
from tensorgrad.ops import convolution as convolutions
from tensorgrad.ops.taps import Taps

Array = Any

numpy_backend = NumpyBackend()

# ---- the compositions


def around(x: Array, padding: tuple[int, ...], value: float) -> Array:
    return np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)), constant_values=value)


def columns(x: Array, kernel: Any, stride: Any, padding: Any, dilation: Any) -> Array:
    """(N, C, KH, KW, *positions)."""
    windows = numpy_backend.windows(around(x, padding, 0), kernel, stride, dilation)
    return np.ascontiguousarray(windows.transpose(0, 1, 4, 5, 2, 3))


def convolution(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Array:
    wide = columns(x, weight.shape[2:], stride, padding, dilation)
    n, o, positions = x.shape[0], weight.shape[0], wide.shape[4:]
    flat = weight.reshape(groups, o // groups, -1)
    out = flat @ wide.reshape(n, groups, flat.shape[2], -1)
    out = out.reshape(n, o, *positions)
    return out if bias is None else out + bias[:, None, None]


def convolution_of_lines(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Array:
    how = (1, *stride), (0, *padding), (1, *dilation), groups
    return convolution(x[:, :, None], weight[:, :, None], bias, *how)[:, :, 0]


def convolution_vjp(
    g: Array, x: Array, weight: Array, stride: Any, padding: Any, dilation: Any, groups: int
) -> tuple[Array, Array, Array]:
    """Of input, weight and bias."""
    kernel = weight.shape[2:]
    wide = columns(x, kernel, stride, padding, dilation)
    n, o = g.shape[:2]
    each = g.reshape(n, groups, o // groups, -1)
    depth = weight[0].size
    matrices = wide.reshape(n, groups, depth, -1)
    g_weight = (each @ matrices.swapaxes(2, 3)).sum(0).reshape(weight.shape)
    back = weight.reshape(groups, -1, depth).swapaxes(1, 2) @ each
    apart = back.reshape(wide.shape).transpose(0, 1, 4, 5, 2, 3)
    size = tuple(s + 2 * p for s, p in zip(x.shape[2:], padding, strict=True))
    folded = numpy_backend.fold_windows(apart, size, kernel, stride, dilation)
    (top, left), (height, width) = padding, x.shape[2:]
    g_input = folded[:, :, top : top + height, left : left + width]
    return g_input, g_weight, g.sum((0, 2, 3))


def pool_places(x: Array, *how: Any) -> tuple[Array, Array]:
    """Where in each plane the windows' largest elements lie, and which lie in the padding."""
    places = numpy_backend.largest_in_windows(x, *how, False)
    return np.maximum(places, 0), places < 0


def max_windows(x: Array, *how: Any) -> Array:
    places, outside = pool_places(x, *how)
    rows = places.reshape(*x.shape[:2], -1)
    found = np.take_along_axis(x.reshape(*x.shape[:2], -1), rows, -1).reshape(places.shape)
    return np.where(outside, -np.inf, found)


def max_windows_vjp(g: Array, x: Array, *how: Any) -> Array:
    places, outside = pool_places(x, *how)
    out = np.zeros((x.shape[0] * x.shape[1], x.shape[2] * x.shape[3]), g.dtype)
    rows = np.arange(len(out))[:, None], places.reshape(len(out), -1)
    np.add.at(out, rows, np.where(outside, 0, g).reshape(len(out), -1))
    return out.reshape(x.shape)


# ---- the cases


def cases(rng: Any, dtype: Any) -> Iterator[tuple[str, str, Callable[[], Any], Callable[[], Any]]]:
    ours = NumbaBackend()
    composed: Any = convolutions.convolution

    def normal(*shape: int) -> Array:
        return rng.standard_normal(shape).astype(dtype)

    shapes = [(64, 1, 16, 8, 3, 1, 1), (64, 16, 32, 8, 3, 1, 1), (64, 16, 32, 8, 3, 1, 0)]
    shapes += [(64, 16, 32, 8, 3, 2, 1), (32, 64, 64, 32, 3, 1, 1), (32, 64, 64, 32, 3, 2, 0)]
    shapes += [(32, 3, 32, 32, 5, 1, 2), (32, 32, 64, 16, 5, 1, 2), (32, 64, 128, 16, 4, 2, 1)]
    # Windows that do not meet; then a dilation, and groups.
    shapes += [(16, 512, 512, 7, 1, 1, 0), (32, 64, 128, 32, 1, 2, 0), (32, 3, 192, 64, 8, 8, 0)]
    more = [(16, 64, 64, 32, 3, 1, 2, 2, 1), (16, 128, 128, 28, 3, 1, 1, 1, 128)]
    more += [(16, 512, 512, 7, 3, 1, 1, 1, 512), (16, 256, 256, 16, 3, 1, 1, 1, 4)]
    for batch, channels, to, side, width, step, around_it, apart, groups in (
        *((*shape, 1, 1) for shape in shapes),
        *more,
    ):
        size = f"{batch}x{channels}x{side}x{side} to {to} k{width}s{step}p{around_it}"
        size += f"d{apart}" * (apart > 1) + f"g{groups}" * (groups > 1)
        x = normal(batch, channels, side, side)
        weight, bias = normal(to, channels // groups, width, width), normal(to)
        how = (step, step), (around_it, around_it), (apart, apart), groups
        g = convolution(x, weight, bias, *how)
        yield (
            "convolution",
            size,
            partial(ours.convolution, x, weight, bias, *how),
            partial(convolution, x, weight, bias, *how),
        )
        yield (
            "convolution_vjp",
            size,
            partial(ours.convolution_vjp, g, x, weight, *how, (True, True, True)),
            partial(convolution_vjp, g, x, weight, *how),
        )
    # Against the two kernels that it stands for.
    for batch, channels, to, side, width, around_it in (
        (64, 32, 64, 26, 3, 0),
        (32, 32, 64, 16, 5, 2),
        (64, 1, 32, 28, 3, 0),
    ):
        x, bias = normal(batch, channels, side, side), normal(to)
        weight = normal(to, channels, width, width)
        how = (1, 1), (around_it,) * 2, (1, 1), 1
        yield (
            "rectified_convolution",
            f"{batch}x{channels}x{side}x{side} to {to} k{width}",
            partial(ours.rectified_convolution, x, weight, bias, *how),
            lambda given=(x, weight, bias, *how): ours.relu(ours.convolution(*given)),
        )
    x, weight = normal(4, 16, 8, 16, 16), normal(16, 16, 3, 3, 3)
    how = None, (1,) * 3, (1,) * 3, (1,) * 3, 1
    yield (
        "convolution",
        "4x16x8x16x16 to 16 k3s1p1",
        partial(ours.convolution, x, weight, *how),
        partial(composed.__wrapped__, x, weight, *how),
    )
    x, weight = normal(32, 64, 512), normal(128, 64, 4)
    how = None, (2,), (1,), (1,), 1
    yield (
        "convolution",
        "32x64x512 to 128 k4s2p1",
        partial(ours.convolution, x, weight, *how),
        partial(convolution_of_lines, x, weight, *how),
    )
    for batch, channels, side, width, step in (
        (64, 32, 8, 2, 2),
        (32, 64, 32, 2, 2),
        (8, 64, 33, 3, 2),
        (16, 64, 28, 3, 1),
        (8, 32, 20, 13, 1),
        (32, 128, 7, 7, 7),
    ):
        size = f"{batch}x{channels}x{side}x{side} by {width} s{step}"
        x = normal(batch, channels, side, side)
        pool = (
            (width, width),
            (step, step),
            (width // 2 * (width % 2) * (side > width),) * 2,
            (1, 1),
        )
        _, aux = ours.max_windows(x, *pool)
        g = max_windows(x, *pool)
        yield (
            "max_windows",
            size,
            lambda given=(x, *pool): ours.max_windows(*given)[0],
            partial(max_windows, x, *pool),
        )
        yield (
            "max_windows_vjp",
            size,
            partial(ours.max_windows_vjp, g, x.shape, pool[0], aux),
            partial(max_windows_vjp, g, x, *pool),
        )
    shapes = (64, 16, 14, 2, 2, 0), (32, 64, 32, 2, 2, 0), (32, 64, 32, 3, 2, 1)
    for batch, channels, side, width, step, wide in shapes:
        size = f"{batch}x{channels}x{side}x{side} by {width} s{step}"
        sums = (width, width), (step, step), (wide, wide), (wide, wide)
        apart = normal(batch, channels, side, side)
        last = np.moveaxis(np.ascontiguousarray(np.moveaxis(apart, 1, -1)), -1, 1)
        for name, x in ("", apart), (" last", last):
            yield (
                "window_sum",
                size + name,
                partial(ours.window_sum, x, *sums),
                partial(OPS["window_sum"].composition, x, *sums),
            )
    yield from resampling_cases(normal, ours)


def resampling_cases(normal: Any, ours: NumbaBackend) -> Iterator[Any]:
    for shape in (8, 16, 32, 32), (4, 3, 224, 224):
        size, x = "x".join(map(str, shape)), normal(*shape)
        line = [i / 2 - 0.25 for i in range(2 * shape[2])]
        rows = [[(max(int(u), 0), 0.75), (min(int(u) + 1, shape[2] - 1), 0.25)] for u in line]
        taps = Taps(rows, shape[2])
        wide = normal(*shape[:3], taps.count)
        for name, dim, given, table in (
            ("", 3, x, taps),
            ("", 2, x, taps),
            (" back", 3, wide, taps.adjoint),
        ):
            calls = [partial(side.combine, given, dim, table) for side in (ours, numpy_backend)]
            yield "combine", f"{size} along {dim}{name}", *calls
        for name, how in (
            ("sampled", (normal(shape[0], *shape[2:], 2), "bilinear", "zeros", False)),
            ("max_of_target", ((7, 7),)),
        ):
            kernel, composition = getattr(ours, name), OPS[name].composition
            call = partial(lambda kernel, *given: kernel(*given)[0], kernel, x, *how)
            yield name, size, call, partial(composition, x, *how)
