"""Each Numba kernel against its NumPy composition: validated, then timed. `python -m bench.kernels`

The two are timed in turn, call by call, in one run, so that whatever else the machine does falls on
both. A ratio is the composition's time over the kernel's; below 1 the kernel loses and should
return NotImplemented there. The compositions are also what the tests of kernels compare with.
Knows arrays only, no Tensor; of optimizers their rules.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from bench import elementwise, indexing, recurrent, windows
from tensorgrad.backend import CPU
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.optim import SGD, Adam
from tensorgrad.stepping import Stepper

Array = Any

numpy_backend = NumpyBackend()
numba_backend = NumbaBackend()


# ---- the compositions, as array operations


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


def drop(x: Array, p: float, key: int, offset: int) -> Array:
    return x * (numba_backend.kept_by_chance(x, p, key, offset).astype(x.dtype) * (1 / (1 - p)))


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


def linear_vjp(g: Array, x: Array, weight: Array) -> tuple[Array, ...]:
    outputs, inputs = g.reshape(-1, g.shape[-1]), x.reshape(-1, x.shape[-1])
    return g @ weight, outputs.T @ inputs, np.sum(outputs, 0)


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


# ---- the cases: a name, the kernel, the composition, and the arguments of each size

Call = Callable[[], Any]
Case = tuple[str, str, Call, Call]


def cases(dtype: Any) -> Iterator[Case]:
    """(kernel, size, the kernel's call, the composition's call)."""
    rng = np.random.default_rng(0)
    dtype = np.dtype(dtype)
    yield from linear_cases(rng, dtype)
    yield from softmax_cases(rng, dtype)
    yield from softmax_column_cases(rng, dtype)
    yield from linear_loss_cases(rng, dtype)
    yield from norm_cases(rng, dtype)
    yield from order_cases(rng, dtype)
    yield from reduction_cases(rng, dtype)
    yield from scan_cases(rng, dtype)
    yield from recurrent.cases(rng, dtype)
    yield from attention_cases(rng, dtype)
    yield from windows.cases(rng, dtype)
    yield from indexing.cases(rng, dtype, numba_backend)
    yield from optimizer_cases(rng, dtype)
    yield from elementwise.cases(dtype, numba_backend)
    yield from random_cases(dtype)


def normal(rng: Any, dtype: Any, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(dtype)


def linear_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    for *shape, to in (32, 2, 16), (20, 200, 800), (128, 784, 512), (16, 32, 128, 512):
        x, bias = normal(rng, dtype, *shape), normal(rng, dtype, to)
        weight = normal(rng, dtype, to, shape[-1])
        size = f"{'x'.join(map(str, shape))} to {to}"
        yield (
            "linear",
            size,
            partial(numba_backend.linear, x, weight, bias),
            lambda x=x, weight=weight, bias=bias: np.matmul(x, weight.T) + bias,
        )
        g = normal(rng, dtype, *shape[:-1], to)
        yield (
            "linear_vjp",
            size,
            partial(numba_backend.linear_vjp, g, x, weight, bias, (True, True, True)),
            partial(linear_vjp, g, x, weight),
        )


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


def order_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    for rows, length, count in (64, 65, 5), (4096, 1000, 5), (1, 1_000_000, 10), (1, 100_000, 500):
        x = normal(rng, dtype, rows, length)
        how = x, 1, count, True
        yield (
            "first_in_order",
            f"{count} of {rows} x {length:,}",
            partial(numba_backend.first_in_order, *how),
            partial(numpy_backend.first_in_order, *how),
        )


def reduction_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    for shape, dim in ((4096, 1024), None), ((4096, 1024), 1), ((4096, 1024), 0), ((300, 300), 1):
        x = normal(rng, dtype, *shape)
        size = f"{'x'.join(map(str, shape))} over {'all' if dim is None else dim}"
        for name in "sum", "amax":
            ours, theirs = getattr(numba_backend, name), getattr(numpy_backend, name)
            yield name, size, partial(ours, x, dim, False), partial(theirs, x, dim, False)


def scan_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    for shape, dim in ((32, 64), 1), ((1024, 1024), 1), ((1024, 1024), 0), ((1_000_000,), 0):
        x = normal(rng, dtype, *shape) * dtype.type(0.001) + 1
        for name in "cumsum", "cumprod":
            ours, theirs = getattr(numba_backend, name), getattr(numpy_backend, name)
            size = f"{'x'.join(map(str, shape))} along {dim}"
            yield name, size, partial(ours, x, dim), partial(theirs, x, dim)


def attention_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    """Heads as they come out of one projection: batch, rows, heads, numbers of a head."""
    shapes = (4, 16, 4, 16), (1, 64, 1, 64), (16, 128, 4, 32), (2, 1024, 4, 64)
    for shape, causal in itertools.product(shapes, (False, True)):
        size = "x".join(map(str, shape)) + (" causal" if causal else "")
        q, k, v, g = (normal(rng, dtype, *shape).swapaxes(1, 2) for _ in range(4))
        scale = float(shape[3] ** -0.5)
        _, aux = numba_backend.attention(q, k, v, None, scale, causal, False)
        needs = (True, True, True, False)
        given = g, q, k, v, None, scale, causal, needs, aux
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


def optimizer_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    sgd = {"lr": 0.1, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False}
    adam = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    adam |= {"decoupled_weight_decay": False, "maximize": False}
    for shapes in [(16, 2), (16,), (1, 16), (1,)], [(512, 784), (512,), (10, 512)], [(5_000_000,)]:
        size = f"{len(shapes)} of {sum(int(np.prod(shape)) for shape in shapes):,} in all"
        grads = [normal(rng, dtype, *shape) for shape in shapes]

        def ones(shapes: Any = shapes) -> list[Array]:
            return [np.ones(shape, dtype) for shape in shapes]

        # Each side steps arrays of its own: what is compared is where the first step led.
        sides = []
        for how in compiled, by_rule:
            plain, momentum = [ones(), grads, None], [ones(), grads, ones()]
            moments = [ones(), grads, ones(), ones(), None, [3] * len(shapes)]
            sides.append(
                [
                    partial(how, Stepper(SGD.rule, SGD.states), plain, sgd | {"momentum": 0.0}),
                    partial(how, Stepper(SGD.rule, SGD.states), momentum, sgd | {"momentum": 0.9}),
                    partial(how, Stepper(Adam.rule, Adam.states, Adam.on_host), moments, adam),
                ]
            )
        for name, ours, theirs in zip(["SGD", "SGD, momentum", "Adam"], *sides, strict=True):
            yield name, size, ours, theirs
        yield "total_norm", size, partial(numba_backend.total_norm, grads), partial(norm, grads)


def compiled(stepper: Stepper, lists: list[Any], numbers: dict[str, Any]) -> Array:
    stepper.by_trace(numba_backend.step_elements, lists, numbers)
    return lists[0][0]


def by_rule(stepper: Stepper, lists: list[Any], numbers: dict[str, Any]) -> Array:
    stepper.by_rule(lists, numbers)
    return lists[0][0]


def norm(arrays: list[Array]) -> Array:
    return np.sqrt(sum(np.vdot(array, array) for array in arrays))


def random_cases(dtype: Any) -> Iterator[Case]:
    for n in 16, 1000, 100_000, 5_000_000:
        for name in "uniform", "normal":
            arguments = (n,), dtype, 1, 0, CPU
            ours, theirs = getattr(numba_backend, name), getattr(numpy_backend, name)
            yield name, f"{n:,}", partial(ours, *arguments), partial(theirs, *arguments)
        x, how = np.ones(n, dtype), (0.5, 1, 0)
        yield "drop", f"{n:,}", partial(numba_backend.drop, x, *how), partial(drop, x, *how)
        yield (
            "random_bits",
            f"{n:,}",
            partial(numba_backend.random_bits, 1, 0, n, CPU),
            partial(numpy_backend.random_bits, 1, 0, n, CPU),
        )


def first_of(function: Callable[..., Any], *arguments: Any) -> Any:
    result = function(*arguments)
    return result if result is NotImplemented else result[0]


def check(name: str, size: str, kernel: Call, composition: Call) -> bool:
    """Whether there is a kernel for this size. Its first answer must be the composition's."""
    got, want = kernel(), composition()
    if got is NotImplemented:
        return False
    got = got if isinstance(got, tuple) else (got,)
    want = want if isinstance(want, tuple) else (want,)
    for a, b in zip(got, want, strict=False):  # the kernel may return `aux` too
        if a.dtype != b.dtype or a.shape != b.shape:
            raise SystemExit(
                f"{name} at {size}: expected {b.dtype}{b.shape}, got {a.dtype}{a.shape}"
            )
        if not a.size:
            continue
        eps = np.finfo(a.dtype).eps if a.dtype.kind == "f" else 0
        error = float(np.max(np.abs(a.astype("f8") - b.astype("f8"))))
        if not error <= 100 * eps * max(1.0, float(np.max(np.abs(b)))):
            raise SystemExit(f"{name} at {size}: kernel and composition differ by {error:.1e}")
    return True


def measure(kernel: Call, composition: Call, seconds: float) -> Any:
    """Times of both in microseconds, taken in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 5:
        for call, record in zip((kernel, composition), times, strict=True):
            call()  # its data in the cache, as after the op before it
            start = time.perf_counter()
            call()
            record.append((time.perf_counter() - start) * 1e6)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    parser.add_argument("--seconds", type=float, default=0.2, help="for each row")
    parser.add_argument("--only", default="", help="part of a kernel's name")
    options = parser.parse_args()
    import numba

    from tensorgrad.kernels.numba import runtime

    runtime.can_launch()  # starts the threads, so that their layer can be named
    threads = f"{numba.get_num_threads()} {numba.threading_layer()} threads"
    print(
        f"{platform.machine()}, {threads}; Python {platform.python_version()}, "
        f"NumPy {np.__version__}, Numba {numba.__version__}; {options.dtype}, microseconds"
    )
    head = f"{'kernel':26}{'size':24}{'kernel min':>11}{'median':>10}"
    print(f"{head}{'NumPy min':>11}{'median':>10}{'ratio':>7}")
    for name, size, kernel, composition in cases(options.dtype):
        if options.only not in name:
            continue
        if not check(name, size, kernel, composition):
            print(f"{name:26}{size:24}  left to the composition")
            continue
        ours, theirs = measure(kernel, composition, options.seconds)
        print(
            f"{name:26}{size:24}{min(ours):11.1f}{statistics.median(ours):10.1f}"
            f"{min(theirs):11.1f}{statistics.median(theirs):10.1f}{min(theirs) / min(ours):7.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
