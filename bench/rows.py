"""What goes along rows (softmax, its losses, norms, attention) as array operations, and the sizes
at which their kernels are compared with them; for bench/kernels.py. Knows arrays only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.op import OPS

Array = Any
Case = tuple[str, str, Callable[[], Any], Callable[[], Any]]

numba_backend = NumbaBackend()


# ---- the compositions


def softmax(x: Array, dim: int) -> Array:
    e = np.exp(x - np.max(x, dim, keepdims=True))
    return e / np.sum(e, dim, keepdims=True)


def softmax_vjp(g: Array, y: Array, dim: int) -> Array:
    return y * (g - np.sum(g * y, dim, keepdims=True))


def log_softmax(x: Array, dim: int) -> Array:
    shifted = x - np.max(x, dim, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), dim, keepdims=True))


def log_softmax_vjp(g: Array, y: Array, dim: int) -> Array:
    return g - np.exp(y) * np.sum(g, dim, keepdims=True)


def softmax_cross_entropy(x: Array, target: Array, ignore_index: int) -> Array:
    kept = target != ignore_index
    rows = np.arange(len(x))
    picked = log_softmax(x, 1)[rows, np.where(kept, target, 0)]
    return np.where(kept, -picked, x.dtype.type(0))


def softmax_cross_entropy_vjp(g: Array, x: Array, target: Array, ignore_index: int) -> Array:
    kept = target != ignore_index
    out = softmax(x, 1)
    out[np.arange(len(x)), np.where(kept, target, 0)] -= 1
    return out * np.where(kept, g, x.dtype.type(0))[:, None]


def linear_losses(x: Array, weight: Array, bias: Array, target: Array, ignore_index: int) -> Array:
    return softmax_cross_entropy(x @ weight.T + bias, target, ignore_index)


def linear_losses_vjp(
    g: Array, x: Array, weight: Array, bias: Array, target: Array, ignore_index: int
) -> tuple[Array, Array, Array]:
    """Of input, weight and bias."""
    back = softmax_cross_entropy_vjp(g, x @ weight.T + bias, target, ignore_index)
    return back @ weight, back.T @ x, back.sum(0)


def standardize(
    x: Array, weight: Array | None, bias: Array | None, dim: tuple[int, ...], eps: float
) -> tuple[Array, Array, Array]:
    mean, var = x.mean(dim, keepdims=True), x.var(dim, keepdims=True)
    out = (x - mean) / np.sqrt(var + x.dtype.type(eps))
    out = out if weight is None else out * weight
    return out if bias is None else out + bias, mean, var


def standardize_vjp(
    g: Array, x: Array, weight: Array | None, dim: tuple[int, ...], eps: float
) -> tuple[Array, Array, Array]:
    """Of input, weight and bias."""
    mean, scale = x.mean(dim, keepdims=True), 1 / np.sqrt(x.var(dim, keepdims=True) + eps)
    whole = (x - mean) * scale.astype(x.dtype)
    own = g if weight is None else g * weight
    back = own - own.mean(dim, keepdims=True) - whole * (own * whole).mean(dim, keepdims=True)
    shape = () if weight is None else weight.shape
    return (
        back * scale.astype(x.dtype),
        sum_to_shape(g * whole, shape),
        sum_to_shape(g, shape),
    )


def sum_to_shape(x: Array, shape: tuple[int, ...]) -> Array:
    extra = x.ndim - len(shape)
    ones = tuple(d + extra for d, n in enumerate(shape) if n == 1)
    return x.sum((*range(extra), *ones)).reshape(shape)


def scale_by_root_mean_square(x: Array, weight: Array, dim: tuple[int, ...], eps: float) -> Array:
    return x / np.sqrt((x * x).mean(dim, keepdims=True) + x.dtype.type(eps)) * weight


def scale_by_root_mean_square_vjp(
    g: Array, x: Array, weight: Array, dim: tuple[int, ...], eps: float
) -> tuple[Array, Array]:
    """Of input and weight."""
    scale = 1 / np.sqrt((x * x).mean(dim, keepdims=True) + x.dtype.type(eps))
    own = g * weight
    back = own - x * scale * (own * x * scale).mean(dim, keepdims=True)
    return back * scale, sum_to_shape(g * x * scale, weight.shape)


def attention_weights(q: Array, k: Array, causal: bool) -> Array:
    scores = q @ k.swapaxes(2, 3) / np.sqrt(q.shape[3]).astype(q.dtype)
    if causal:
        scores = np.where(np.tri(*scores.shape[2:], dtype=bool), scores, -np.inf).astype(q.dtype)
    return softmax(scores, -1)


def attention(q: Array, k: Array, v: Array, causal: bool) -> Array:
    return attention_weights(q, k, causal) @ v


def attention_vjp(
    g: Array, q: Array, k: Array, v: Array, causal: bool
) -> tuple[Array, Array, Array]:
    """Of queries, keys and values."""
    weights = attention_weights(q, k, causal)
    slopes = softmax_vjp(g @ v.swapaxes(2, 3), weights, -1) / np.sqrt(q.shape[3]).astype(q.dtype)
    return slopes @ k, slopes.swapaxes(2, 3) @ q, weights.swapaxes(2, 3) @ g


# ---- the cases, as bench/kernels.py has them


def cases(rng: Any, dtype: Any) -> Iterator[Case]:
    yield from softmax_cases(rng, dtype)
    yield from softmax_column_cases(rng, dtype)
    yield from linear_loss_cases(rng, dtype)
    yield from norm_cases(rng, dtype)
    yield from attention_cases(rng, dtype)
    yield from direction_cases(rng, dtype)


def normal(rng: Any, dtype: Any, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(dtype)


def softmax_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    ours = numba_backend
    for rows, width in (8, 10), (128, 10), (512, 64), (64, 1000), (4096, 1024), (560, 10000):
        size = f"{rows} x {width}"
        x, g = normal(rng, dtype, rows, width), normal(rng, dtype, rows, width)
        for name in "softmax", "log_softmax":
            kernel, composition = getattr(ours, name), globals()[name]
            yield name, size, partial(kernel, x, -1), partial(composition, x, -1)
            kernel, composition = getattr(ours, f"{name}_vjp"), globals()[f"{name}_vjp"]
            y = globals()[name](x, -1)
            yield f"{name}_vjp", size, partial(kernel, g, y, -1), partial(composition, g, y, -1)
        logs, vjp, op = ours.logsumexp, ours.logsumexp_vjp, OPS["logsumexp"]
        how, y, gr = (1, False), logs(x, 1, False), normal(rng, dtype, rows)
        yield "logsumexp", size, partial(logs, x, *how), partial(op.composition, x, *how)
        given = gr, x, y, *how
        yield "logsumexp_vjp", size, partial(vjp, *given), partial(op.rules["input"], *given)
        name = "softmax_cross_entropy"
        t, gr = rng.integers(0, width, rows), normal(rng, dtype, rows)
        _, aux = ours.softmax_cross_entropy(x, t, -100)
        yield (
            name,
            size,
            partial(first_of, ours.softmax_cross_entropy, x, t, -100),
            partial(softmax_cross_entropy, x, t, -100),
        )
        yield (
            f"{name}_vjp",
            size,
            partial(first_of, ours.softmax_cross_entropy_vjp, gr, x, t, -100, 0.0, aux),
            partial(softmax_cross_entropy_vjp, gr, x, t, -100),
        )


def softmax_column_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    """Along the second dimension of three: channels of pictures, keys of queries."""
    for shape in (8, 10, 64), (8, 21, 9216), (16, 128, 512), (1, 1000, 1024):
        size = "x".join(map(str, shape))
        x, g = normal(rng, dtype, *shape), normal(rng, dtype, *shape)
        for name in "softmax", "log_softmax":
            y = globals()[name](x, 1)
            calls = [partial(function, x, 1) for function in both_of(name)]
            yield name, size, *calls
            calls = [partial(function, g, y, 1) for function in both_of(f"{name}_vjp")]
            yield f"{name}_vjp", size, *calls
        target = rng.integers(0, shape[1], (shape[0], shape[2]))
        rows, classes = np.moveaxis(x, 1, -1), target.reshape(-1)
        yield (
            "softmax_cross_entropy",
            size,
            partial(first_of, numba_backend.softmax_cross_entropy, x, target, -100),
            lambda rows=rows, classes=classes, shape=target.shape: softmax_cross_entropy(
                rows.reshape(len(classes), -1), classes, -100
            ).reshape(shape),
        )


def both_of(name: str) -> list[Callable[..., Any]]:
    """The kernel and the composition."""
    return [getattr(numba_backend, name), globals()[name]]


def linear_loss_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    name, ours = "linear_softmax_cross_entropy", numba_backend
    for rows, inside, classes in (700, 200, 10000), (2048, 64, 4096):
        x, weight = normal(rng, dtype, rows, inside), normal(rng, dtype, classes, inside)
        given = x, weight, normal(rng, dtype, classes), rng.integers(0, classes, rows), -100
        g, size = normal(rng, dtype, rows), f"{rows} x {inside} to {classes}"
        kernel = partial(ours.linear_softmax_cross_entropy, *given)
        yield name, size, partial(first_of, kernel), partial(linear_losses, *given)
        aux = kernel()[1]
        kernel = partial(ours.linear_softmax_cross_entropy_vjp, g, *given, aux, (True,) * 3)
        yield f"{name}_vjp", size, kernel, partial(linear_losses_vjp, g, *given)


def norm_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    ours = numba_backend
    cases = (
        ("layer", (32, 64), (64,), (1,)),
        ("layer", (2048, 128), (128,), (1,)),
        ("layer", (4096, 1024), (1024,), (1,)),
        ("batch", (128, 512), (1, 512), (0,)),
        ("batch", (32, 64, 32, 32), (1, 64, 1, 1), (0, 2, 3)),
        ("group", (32, 8, 8, 1024), (1, 8, 8, 1), (2, 3)),
    )
    for kind, shape, affine, dim in cases:
        size = f"{kind} {'x'.join(map(str, shape))}"
        x, g = normal(rng, dtype, *shape), normal(rng, dtype, *shape)
        weight, bias = normal(rng, dtype, *affine), normal(rng, dtype, *affine)
        how = dim, 1e-5
        yield (
            "standardize",
            size,
            partial(ours.standardize, x, weight, bias, *how),
            partial(standardize, x, weight, bias, *how),
        )
        aux = ours.standardize(x, weight, bias, *how)[3]
        yield (
            "standardize_vjp",
            size,
            partial(ours.standardize_vjp, [g, None, None], x, weight, *how, aux),
            partial(standardize_vjp, g, x, weight, *how),
        )
        if kind == "batch":
            numbers = aux[0].reshape(affine), weight, bias
            yield (
                "shift_and_scale",
                size,
                partial(ours.shift_and_scale, x, *numbers),
                lambda x=x, numbers=numbers: (x - numbers[0]) * numbers[1] + numbers[2],
            )


def attention_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    """Heads as they come out of one projection: batch, rows, heads, numbers of a head."""
    shapes = (4, 16, 4, 16), (1, 64, 1, 64), (16, 128, 4, 32), (2, 1024, 4, 64)
    for shape, causal in itertools.product(shapes, (False, True)):
        size = "x".join(map(str, shape)) + (" causal" if causal else "")
        q, k, v, g = (normal(rng, dtype, *shape).swapaxes(1, 2) for _ in range(4))
        scale = float(shape[3] ** -0.5)
        y, aux = numba_backend.attention(q, k, v, None, scale, causal, False)
        needs = (True, True, True, False)
        given = g, q, k, v, None, scale, causal, needs, y, aux
        yield (
            "attention",
            size,
            partial(first_of, numba_backend.attention, q, k, v, None, scale, causal, False),
            partial(attention, q, k, v, causal),
        )
        yield (
            "attention_vjp",
            size,
            partial(lambda given: numba_backend.attention_vjp(*given)[:3], given),
            partial(attention_vjp, g, q, k, v, causal),
        )


def first_of(function: Callable[..., Any], *arguments: Any) -> Any:
    result = function(*arguments)
    return result if result is NotImplemented else result[0]


def direction_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    """Lengths and directions of rows, and what losses pick of them."""
    for shape in (64, 10), (256, 100), (1024, 1000):
        size = "x".join(map(str, shape))
        x, y = normal(rng, dtype, *shape), normal(rng, dtype, *shape)
        target = rng.integers(0, shape[1], shape[0])
        for name, given in (
            ("root_of_squares", (x, 1, False)),
            ("unit_vectors", (x, 1, 1e-12)),
            ("cosines", (x, y, 1, 1e-8)),
            ("picked", (x, target, -100)),
        ):
            kernel = partial(getattr(numba_backend, name), *given)
            composition = partial(OPS[name].composition, *given)
            if name in ("unit_vectors", "cosines"):
                kernel = partial(first_of, kernel)
            yield name, size, kernel, composition
