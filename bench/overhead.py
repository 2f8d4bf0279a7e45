"""What the library costs where arrays are tiny: `python -m bench.overhead`

Each figure stands beside its limit, and beside torch where torch is installed, both timed in turn
in one process on one thread. The figures are reported and not enforced: the exit status is 1 only
where an answer is wrong.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.machine import headline, machine

Call = Callable[[], Any]
HEAVY = ("numba", "cupy", "scipy", "torch")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class WrongAnswer(Exception):
    """Something was computed that is not so."""


@dataclass
class Figure:
    name: str
    limit: str
    measured: str
    ok: bool | None  # None: there is nothing to compare with
    torch: str = ""


def main() -> int:
    for name in THREADS:  # read when NumPy, Numba and torch are imported, which is below
        os.environ[name] = "1"
    print(headline(machine()) + ", one thread", flush=True)
    torch = torch_on_one_thread()
    print(f"{'':44}{'limit':>18}{'measured':>28}{'torch':>12}")
    wrong = 0
    for part in (elementwise, chain, mlp_step, imports, long_chain, leftovers):
        try:
            for figure in part(torch):
                show(figure)
        except WrongAnswer as error:
            print(f"{part.__name__}: WRONG: {error}")
            wrong += 1
    return 1 if wrong else 0


def torch_on_one_thread() -> Any:
    """The module, or None."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    return torch


def show(figure: Figure) -> None:
    verdict = {True: "ok", False: "NOT MET", None: "no torch"}[figure.ok]
    print(
        f"{figure.name:44}{figure.limit:>18}{figure.measured:>28}{figure.torch:>12}  {verdict}",
        flush=True,
    )


def times(*calls: Call, number: int = 1000, rounds: int = 40) -> list[float]:
    """Microseconds a call: the minimum over rounds in which all calls take turns."""
    timers = [timeit.Timer(call) for call in calls]  # which also switches the collector off
    best = [float("inf")] * len(calls)
    for _ in range(rounds):
        for i, timer in enumerate(timers):
            best[i] = min(best[i], timer.timeit(number) / number * 1e6)
    return best


def expect(got: Any, want: Any, what: str, tolerance: float = 1e-5) -> None:
    import numpy as np

    if not np.allclose(np.asarray(got), np.asarray(want), rtol=tolerance, atol=tolerance):
        raise WrongAnswer(f"{what}: expected {want}, got {got}")


def beside(name: str, calls: list[Call], share: float, number: int) -> Figure:
    """Our call against torch's, where there is one: at most `share` of its time."""
    ours, *theirs = times(*calls, number=number)
    measured = f"{ours:.1f} us"
    if not theirs:
        return Figure(name, f"{share} of torch", measured, None)
    ratio = ours / theirs[0]
    measured += f", {ratio:.2f} of torch"
    return Figure(name, f"{share} of torch", measured, ratio <= share, f"{theirs[0]:.1f} us")


# ---- the figures


def elementwise(torch: Any) -> list[Figure]:
    import numpy as np

    import tensorgrad as tg

    x = np.linspace(1, 2, 10, dtype="float32")
    plain, recorded = tg.tensor(x), tg.tensor(x, requires_grad=True)
    expect((recorded * plain).detach(), x * x, "product")
    calls = [lambda: x * x, lambda: recorded * plain, lambda: plain * plain]
    if torch is not None:
        theirs = torch.from_numpy(x)
        theirs_recorded = theirs.clone().requires_grad_()
        calls += [lambda: theirs_recorded * theirs, lambda: theirs * theirs]
    numpy, with_graph, without, *peer = times(*calls, number=5000)
    figures = []
    for i, (name, limit, took) in enumerate(
        [("recorded", 0.7, with_graph), ("unrecorded", 0.5, without)]
    ):
        over = took - numpy
        figures.append(
            Figure(
                f"product of 10 floats, {name}",
                f"NumPy + {limit} us",
                f"{numpy:.2f} + {over:.2f} us",
                over <= limit,
                f"{peer[i]:.2f} us" if peer else "",
            )
        )
    return figures


def chain(torch: Any) -> list[Figure]:
    import numpy as np

    import tensorgrad as tg

    start = np.linspace(0.9, 1.1, 10, dtype="float32")

    def pass_through(x: Any, factor: Any) -> Any:
        y = x
        for _ in range(20):
            y = y * factor
        x.grad = None
        y.sum().backward()
        return x.grad

    def power(x: Any) -> Any:
        """Every product has two gradients, and they meet at x."""
        return pass_through(x, x)

    ours, factor = tg.tensor(start, requires_grad=True), tg.tensor(start)
    calls: list[Call] = [lambda: pass_through(ours, factor)]
    powers: list[Call] = [lambda: power(ours)]
    expect(pass_through(ours, factor), start**20, "gradient of x * factor ** 20")
    expect(power(ours), 21 * start**20, "gradient of x ** 21")
    if torch is not None:
        theirs, their_factor = torch.tensor(start, requires_grad=True), torch.tensor(start)
        calls.append(lambda: pass_through(theirs, their_factor))
        powers.append(lambda: power(theirs))
    return [
        beside("20 products by a constant, both ways", calls, 0.5, number=200),
        beside("20 products, each with two gradients", powers, 0.5, number=200),
    ]


def mlp_step(torch: Any) -> list[Figure]:
    """Forward, backward and update of 2-16-1 on a batch of 32, in the two libraries."""
    import numpy as np

    import tensorgrad as tg

    rng = np.random.default_rng(0)
    x = rng.standard_normal((32, 2)).astype("float32")
    y = np.prod(x, 1, keepdims=True)

    def training(lib: Any, weights: dict[str, Any] | None) -> tuple[Any, Call]:
        nn = lib.nn
        model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))
        if weights is not None:
            model.load_state_dict({k: lib.tensor(v) for k, v in weights.items()})
        optimizer = lib.optim.SGD(model.parameters(), lr=0.1)
        inputs, targets = lib.tensor(x), lib.tensor(y)

        def step() -> Any:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(inputs), targets)
            loss.backward()
            optimizer.step()
            return loss

        return model, step

    model, ours = training(tg, None)
    calls = [ours]
    weights = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    losses = [ours().item() for _ in range(20)]
    if not losses[-1] < losses[0]:
        raise WrongAnswer(f"MLP: expected the loss to fall, got {losses}")
    if torch is not None:
        _, theirs = training(torch, weights)
        expect(losses, [theirs().item() for _ in range(20)], "losses of the MLP")
        calls.append(theirs)
    return [beside("SGD step of a 2-16-1 MLP, batch 32", calls, 0.6, number=200)]


IMPORT = """
import sys, time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
import tensorgrad
end = time.perf_counter()
print(middle - start, end - middle, *[name for name in {heavy!r} if name in sys.modules])
"""


def imports(torch: Any) -> list[Figure]:
    """In fresh processes: what `import tensorgrad` adds after `import numpy`."""
    numpy, added = [], []
    heavy: set[str] = set()
    command = [sys.executable, "-c", IMPORT.format(heavy=HEAVY)]
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for attempt in range(16):
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env=environment
            )
            words = done.stdout.split()
            if attempt:  # the first one compiles the modules
                numpy.append(float(words[0]) * 1e3)
                added.append(float(words[1]) * 1e3)
            heavy.update(words[2:])
    return [
        Figure(
            "import tensorgrad",
            "NumPy + 60 ms",
            f"{min(numpy):.0f} + {min(added):.0f} ms, median {statistics.median(added):.0f}",
            min(added) <= 60,
        ),
        Figure(
            f"imported with it of {', '.join(HEAVY)}",
            "none",
            ", ".join(sorted(heavy)) or "none",
            not heavy,
        ),
    ]


def long_chain(torch: Any) -> list[Figure]:
    import tensorgrad as tg

    length = 100_000
    x = tg.ones(10, requires_grad=True)
    start = time.perf_counter()
    y = x
    for _ in range(length):
        y = y + x
    built = time.perf_counter()
    y.sum().backward()
    walked = time.perf_counter()
    del y
    freed = time.perf_counter()
    expect(x.grad, [length + 1] * 10, "gradient of a long chain")

    y = x
    for _ in range(length):
        y = y * 1.0
    before = time.perf_counter()
    del y  # with its graph, on which no backward has run
    dropped = time.perf_counter() - before
    parts = f"{built - start:.2f} + {walked - built:.2f} + {freed - walked + dropped:.2f} s"
    return [Figure("100,000 ops: forward, backward, free", "works", parts, True)]


def leftovers(torch: Any) -> list[Figure]:
    """Tensors that outlive a training step without the help of the garbage collector."""
    import tensorgrad as tg

    nn = tg.nn
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10)
    )
    optimizer = tg.optim.Adam(model.parameters())
    images, labels = tg.rand(8, 1, 8, 8), tg.randint(0, 10, (8,))

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    def alive() -> int:
        return sum(issubclass(type(thing), tg.Tensor) for thing in gc.get_objects())

    step()
    gc.collect()
    gc.disable()
    try:
        before = alive()
        for _ in range(3):
            step()
        extra = alive() - before
    finally:
        gc.enable()
    return [Figure("tensors left by 3 steps, gc disabled", "0", str(extra), extra == 0)]


if __name__ == "__main__":
    sys.exit(main())
