"""Each Numba kernel against its NumPy composition: validated, then timed. `python -m bench.kernels`

The two are timed in turn, call by call, in one run, so that whatever else the machine does falls on
both. A ratio is the composition's time over the kernel's; below 1 the kernel loses and should
return NotImplemented there. The compositions are also what the tests of kernels compare with.
Knows arrays only, no Tensor; of optimizers their rules.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from bench import elementwise, indexing, recurrent, rows, windows
from bench.rows import normal
from tensorgrad.backend import CPU
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.optim import SGD, Adam
from tensorgrad.stepping import Stepper

Array = Any

numpy_backend = NumpyBackend()
numba_backend = NumbaBackend()


# ---- the compositions, as array operations


def drop(x: Array, p: float, key: int, offset: int) -> Array:
    return x * (numba_backend.kept_by_chance(x, p, key, offset).astype(x.dtype) * (1 / (1 - p)))


def linear_vjp(g: Array, x: Array, weight: Array) -> tuple[Array, ...]:
    outputs, inputs = g.reshape(-1, g.shape[-1]), x.reshape(-1, x.shape[-1])
    return g @ weight, outputs.T @ inputs, np.sum(outputs, 0)


# ---- the cases: a name, the kernel, the composition, and the arguments of each size

Call = Callable[[], Any]
Case = tuple[str, str, Call, Call]


def cases(dtype: Any) -> Iterator[Case]:
    """(kernel, size, the kernel's call, the composition's call)."""
    rng = np.random.default_rng(0)
    dtype = np.dtype(dtype)
    yield from linear_cases(rng, dtype)
    yield from rows.cases(rng, dtype)
    yield from order_cases(rng, dtype)
    yield from reduction_cases(rng, dtype)
    yield from scan_cases(rng, dtype)
    yield from recurrent.cases(rng, dtype)
    yield from windows.cases(rng, dtype)
    yield from indexing.cases(rng, dtype, numba_backend)
    yield from optimizer_cases(rng, dtype)
    yield from elementwise.cases(dtype, numba_backend)
    yield from random_cases(dtype)


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


def order_cases(rng: Any, dtype: Any) -> Iterator[Case]:
    for many, length, count in (64, 65, 5), (4096, 1000, 5), (1, 1_000_000, 10), (1, 100_000, 500):
        x = normal(rng, dtype, many, length)
        how = x, 1, count, True
        yield (
            "first_in_order",
            f"{count} of {many} x {length:,}",
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
