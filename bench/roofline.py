"""What each CUDA kernel must move and compute, what its code does, and the time that takes three
GPUs at their peak rates. `python -m bench.roofline`

A kernel's own bytes and operations are counted where it runs on the CPU, a fiber for each of its
threads (tests/cuda_ladder), so this needs g++ and no GPU. Where there is one, each kernel is timed
as well, by events around many launches. What must be moved is what it is given and what it gives,
each once; what must be computed is the formula's additions, multiplications, divisions and
functions, one each. Counts of products by cuBLAS are not known here, so ops made of them are left
out.

The least time is that of the slower of memory and arithmetic, each at its peak: no kernel reaches
it, good ones come to 80 or 90 % of the memory's.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.clocks import DeviceClock

Array = Any

# Bytes a second and operations a second in float32 without tensor cores, by NVIDIA's data sheets:
# A100 SXM of 80 GB, H100 SXM, GeForce RTX 4090.
GPUS = {
    "A100": (2.039e12, 19.5e12),
    "H100": (3.35e12, 66.9e12),
    "RTX 4090": (1.008e12, 82.6e12),
}
WIDTH = 1024  # numbers of a line
CALLS = 100  # that are timed together


@dataclass(frozen=True)
class Case:
    """One op of a backend. arrays: what it is given, from random numbers and a count of lines.
    call: gives arrays of the results. flops: that must be done for each number it is given first.
    cached: whether threads that are near to each other ask for the same sectors; of these the first
    one's count.
    """

    name: str
    arrays: Callable[[Any, int], list[Any]]
    call: Callable[..., Any]
    flops: float
    cached: bool = False


def lines(count: int) -> Callable[[Any, int], list[Any]]:
    """So many arrays of lines."""
    return lambda rng, size: [
        rng.standard_normal((size, WIDTH), dtype=np.float32) for _ in range(count)
    ]


def scores(rng: Any, size: int) -> list[Any]:
    return [*lines(1)(rng, size), rng.integers(0, WIDTH, size)]


def planes(rng: Any, size: int) -> list[Any]:
    return [rng.standard_normal((size // 4, 4, 32, 32), dtype=np.float32)]


def filtered(rng: Any, size: int) -> list[Any]:
    """Planes, and a window for each channel."""
    return [*planes(rng, size), rng.standard_normal((4, 1, 3, 3), dtype=np.float32)]


def pooled(rng: Any, size: int) -> list[Any]:
    """The gradient of pooled planes, and a place of each window of 2 x 2."""
    shape = size // 4, 4, 16, 16
    first = 64 * np.arange(16)[:, None] + 2 * np.arange(16)
    places = first + rng.choice([0, 1, 32, 33], shape)
    return [rng.standard_normal(shape, dtype=np.float32), places.astype(np.int32)]


def moments(rng: Any, size: int) -> list[Any]:
    """A parameter, its gradient, and Adam's two means."""
    return [np.abs(x) for x in lines(4)(rng, size)]


def adam(backend: Any, *arrays: Array) -> list[Array]:
    """One step; what it writes."""
    import tensorgrad as tg
    from tensorgrad.stepping import Stepper

    numbers = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0}
    numbers |= {"decoupled_weight_decay": False, "maximize": False}
    kind = tg.optim.Adam
    lists = [*([array] for array in arrays), None, [3]]
    stepper = Stepper(kind.rule, kind.states, kind.on_host)
    stepper.by_trace(backend.step_elements, lists, numbers)
    return [arrays[0], arrays[2], arrays[3]]


CASES = [
    Case("relu", lines(1), lambda b, x: b.relu(x), 0),
    Case("relu, gradient", lines(2), lambda b, g, y: b.relu_vjp(g, y), 0),
    Case("sigmoid", lines(1), lambda b, x: b.sigmoid(x), 3),
    Case("silu", lines(1), lambda b, x: b.silu(x), 4),
    Case("gelu", lines(1), lambda b, x: b.gelu(x), 4),
    Case("gelu, gradient", lines(2), lambda b, g, x: b.gelu_vjp(g, x), 10),
    Case("dropout", lines(1), lambda b, x: b.drop(x, 0.5, 1, 0), 1),
    Case("softmax", lines(1), lambda b, x: b.softmax(x, 1), 4),
    Case("softmax, gradient", lines(2), lambda b, g, y: b.softmax_vjp(g, y, 1), 4),
    Case("softmax of columns", lines(1), lambda b, x: b.softmax(x, 0), 4, cached=True),
    Case("log_softmax", lines(1), lambda b, x: b.log_softmax(x, 1), 5),
    Case(
        "cross-entropy", scores, lambda b, x, t: b.softmax_cross_entropy(x, t, -100, 0.0), 3
    ),
    Case(
        "max pooling 2 x 2",
        planes,
        lambda b, x: b.max_windows(x, (2, 2), (2, 2), (0, 0), (1, 1), False),
        0,
        cached=True,
    ),
    Case(
        "max pooling 2 x 2, gradient",
        pooled,
        lambda b, g, places: b.max_windows_vjp(
            g, (*g.shape[:2], 32, 32), (2, 2), (2, 2), (0, 0), (1, 1), False, places
        ),
        0,
        cached=True,
    ),
    Case(
        "sums of windows 3 x 3",
        planes,
        lambda b, x: b.window_sum(x, (3, 3), (1, 1), (1, 1), (1, 1)),
        8,
        cached=True,
    ),
    Case(
        "convolution 3 x 3 by channel",
        filtered,
        lambda b, x, w: b.convolution(x, w, None, (1, 1), (1, 1), (1, 1), 4),
        17,
        cached=True,
    ),
    Case("norm of gradients", lines(2), lambda b, *arrays: b.total_norm(list(arrays)), 2),
    Case("Adam", moments, adam, 12),
]  # fmt: skip


def flat(results: Any) -> list[Array]:
    """The arrays of a result."""
    if isinstance(results, list | tuple):
        return [array for result in results for array in flat(result)]
    return [results] if hasattr(results, "nbytes") else []


def counted(count: int) -> list[dict[str, Any]]:
    """A row a case, by a process that counts."""
    from tests.cuda_ladder.execution import sanitized

    done = sanitized("counts", ["-m", "tests.cuda_ladder.counts", str(count)])
    if done.returncode:
        raise SystemExit(f"the counts failed: {done.stderr[-2000:]}")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def least_time(moved: float, flops: float, gpu: str) -> float:
    """Seconds."""
    bandwidth, rate = GPUS[gpu]
    return max(moved / bandwidth, flops / rate)


def measured(case: Case, count: int) -> float:
    """Seconds of one call on the GPU at hand."""
    import tensorgrad as tg

    with tg.use_backend("cupy"):
        backend = tg.get_backend()
        rng = np.random.default_rng(0)
        arrays = [backend.xp.asarray(array) for array in case.arrays(rng, count)]
        for _ in range(3):
            case.call(backend, *arrays)
        clock = DeviceClock()
        clock.start()
        for _ in range(CALLS):
            case.call(backend, *arrays)
        return clock.stop() / CALLS


def report(rows: list[dict[str, Any]]) -> str:
    """The table."""
    head = ["kernel", "must move", "moves", "times", "by 16", "flops", "does", *GPUS]
    timed = "seconds" in rows[0]
    table = [[*head, *(["measured"] if timed else [])]]
    for row in rows:
        times = [least_time(row["moves"], row["does"], gpu) for gpu in GPUS]
        table.append(
            [
                row["name"],
                f"{row['must'] / 1e6:.2f} MB",
                f"{row['moves'] / 1e6:.2f} MB",
                f"{row['moves'] / row['must']:.2f}",
                f"{row['by_16']:.0%}",
                f"{row['flops'] / 1e6:.1f} M",
                f"{row['does'] / 1e6:.1f} M",
                *(f"{time * 1e6:.2f} us" for time in times),
                *([f"{row['seconds'] * 1e6:.2f} us"] if timed else []),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]
        ).rstrip()
        for line in table
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    import tensorgrad as tg

    parser = argparse.ArgumentParser(
        prog="python -m bench.roofline", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--lines", type=int, default=512, help=f"of {WIDTH} numbers (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    if options.lines < 4:
        parser.error(f"--lines: expected at least 4, got {options.lines}")
    rows = counted(options.lines)
    if tg.cuda.is_available():
        for row, case in zip(rows, CASES, strict=True):
            row["seconds"] = measured(case, options.lines)
    print(report(rows))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
