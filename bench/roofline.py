"""What each CUDA kernel must move and compute, what its code does, and the time that takes three
GPUs at their peak rates. `python -m bench.roofline`

A kernel's own bytes and operations are counted where it runs on the CPU, a fiber for each of its
threads (tests/cuda_ladder), so this needs g++ and no GPU. Where there is one, each kernel is timed
as well, by events around many launches. What must be moved is what it is given and what it gives,
each once; what must be computed is the formula's additions, multiplications, divisions and
functions, one each. Counts of products by cuBLAS are not known here, so ops made of them are left
out.

"must move" is in megabytes; "moves" and "asks for" are times that: each sector of 32 bytes that the
kernel reads or writes counted once, as memory has to move it, and for each warp's instruction, as
the cache has to. "by 16" is the share that was asked for 16 bytes at a time. "flops" must be done,
"does" are done, in millions.

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
    asks: how many times what must be moved its threads ask for at most, by warps; more than 1 where
    several share what the cache keeps, or ask for less than whole sectors. moves: likewise what
    memory must move. twice: how many of the arrays must be read in two passes. before: makes of the
    arrays what the call is given, which is not counted.
    """

    name: str
    arrays: Callable[[Any, int], list[Any]]
    call: Callable[..., Any]
    flops: float
    asks: float = 1.1
    moves: float = 1.1
    twice: int = 0
    before: Callable[..., list[Any]] | None = None


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


def gates(rng: Any, size: int) -> list[Any]:
    """What an LSTM of WIDTH / 4 units makes gates of, and its cells."""
    return [*lines(1)(rng, size), rng.standard_normal((size, WIDTH // 4), dtype=np.float32)]


def gates_back(rng: Any, size: int) -> list[Any]:
    """Gradients of an LSTM's h and c, its cells, and its gates."""
    return [*(gates(rng, size)[1] for _ in range(3)), np.abs(gates(rng, size)[0])]


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


def rows(count: int) -> Callable[[Any, int], list[Any]]:
    """So many arrays of lines, and a weight and a bias for the places of a line."""
    return lambda rng, size: [*lines(count)(rng, size), *lines(2)(rng, 1)]


def layer_norm(backend: Any, x: Array, weight: Array, bias: Array) -> Any:
    return backend.standardize(x, weight.reshape(-1), bias.reshape(-1), (1,), 1e-5)


def pictures(count: int) -> Callable[[Any, int], list[Any]]:
    """So many arrays (N, 8, 32, 32), and weights and biases of their channels."""

    def made(rng: Any, size: int) -> list[Any]:
        shape = size // 8, 8, 32, 32
        of_channels = rng.standard_normal((2, 1, 8, 1, 1), dtype=np.float32)
        return [
            *(rng.standard_normal(shape, dtype=np.float32) for _ in range(count)),
            *of_channels,
        ]

    return made


def batch_norm(backend: Any, x: Array, weight: Array, bias: Array) -> Any:
    return backend.standardize(x, weight, bias, (0, 2, 3), 1e-5)


def state(norm: Callable[..., Any]) -> Callable[..., list[Any]]:
    """What a norm's gradient is given."""

    def before(backend: Any, g: Array, x: Array, weight: Array, bias: Array) -> list[Any]:
        weight = weight.reshape(-1) if norm is layer_norm else weight
        return [g, x, weight, norm(backend, x, weight, bias)[3]]

    return before


def norm_vjp(backend: Any, g: Array, x: Array, weight: Array, aux: Any) -> Any:
    return backend.standardize_vjp((g, None, None), x, weight, 1e-5, aux, (True,) * 3)


def losses(backend: Any, x: Array, target: Array) -> list[Any]:
    """What the gradient of a mean cross-entropy is given."""
    of_each, aux = backend.softmax_cross_entropy(x, target, -100, 0.0)
    return [x, target, of_each, aux]


WINDOWS = (2, 2), (2, 2), (0, 0), (1, 1), False
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
    Case("softmax of columns", lines(1), lambda b, x: b.softmax(x, 0), 4, asks=2),
    Case("log_softmax", lines(1), lambda b, x: b.log_softmax(x, 1), 5),
    Case(
        "cross-entropy", scores, lambda b, x, t: b.softmax_cross_entropy(x, t, -100, 0.0), 3
    ),
    Case("gates of an LSTM", gates, lambda b, x, c: b.lstm_gates(x, c), 4.5),
    Case(
        "gates of an LSTM, gradient",
        gates_back,
        lambda b, h, c, cell, state: b.lstm_gates_vjp((h, c), cell, state),
        7,
    ),
    Case(
        "cross-entropy, gradient", scores,
        lambda b, x, t, g, aux: b.softmax_cross_entropy_vjp(g, x, t, -100, 0.0, aux), 4,
        asks=1.2, before=losses,
    ),
    Case("layer norm", rows(1), layer_norm, 8, asks=2.1),
    # With sums of weights' gradients for each block of rows, 256 at most: 1.33 for 1,024 rows.
    Case(
        "layer norm, gradient", rows(2), norm_vjp, 13, asks=3.1, moves=2.4,
        before=state(layer_norm),
    ),
    Case("batch norm", pictures(1), batch_norm, 8, twice=1, asks=1.4),
    Case(
        "batch norm, gradient", pictures(2), norm_vjp, 13, twice=2, asks=1.2,
        before=state(batch_norm),
    ),
    Case("max pooling 2 x 2", planes, lambda b, x: b.max_windows(x, *WINDOWS), 0, asks=2.1),
    Case(
        "max pooling 2 x 2, gradient", planes,
        lambda b, g, aux: b.max_windows_vjp(g, (len(g), 4, 32, 32), *WINDOWS, aux), 0,
        before=lambda b, x: list(b.max_windows(x, *WINDOWS)), asks=1.8,
    ),
    Case(
        "sums of windows 3 x 3", planes,
        lambda b, x: b.window_sum(x, (3, 3), (1, 1), (1, 1), (1, 1)), 8, asks=7,
    ),
    Case(
        "convolution 3 x 3 by channel", filtered,
        lambda b, x, w: b.convolution(x, w, None, (1, 1), (1, 1), (1, 1), 4), 17, asks=20,
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
        if case.before is not None:
            arrays = case.before(backend, *arrays)
        for _ in range(3):
            case.call(backend, *arrays)
        clock = DeviceClock()
        clock.start()
        for _ in range(CALLS):
            case.call(backend, *arrays)
        return clock.stop() / CALLS


def report(rows: list[dict[str, Any]]) -> str:
    """The table."""
    head = ["kernel", "must move", "moves", "asks for", "by 16", "flops", "does", *GPUS]
    timed = "seconds" in rows[0]
    table = [[*head, *(["measured"] if timed else [])]]
    for row in rows:
        times = [least_time(row["moves"], row["does"], gpu) for gpu in GPUS]
        table.append(
            [
                row["name"],
                f"{row['must'] / 1e6:.2f} MB",
                f"{row['moves'] / row['must']:.2f}",
                f"{row['asks'] / row['must']:.2f}",
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
