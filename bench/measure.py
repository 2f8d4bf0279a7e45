"""Runs one model on one column (a backend, or a peer library) in a process of its own.

Torch runs a task's own lines, as tensorgrad does. A library with other names or another idiom has
a module of its own, `bench.<name>_peer`, with a `Learner` that starts from the same weights.

A process each gives a peak memory that is the model's own and thread pools that meet no others.
`Worker` is the parent's end: it starts the process, which trains the first `CHECKED` steps and
sends their losses; then each `run` trains on for a while and sends how far it has come. Knows
nothing of what is compared with what, nor of printing.
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from bench.clocks import clock_of
from bench.models import Array, Task
from bench.table import PEERS
from bench.workloads import ALL

SEED = 1
CHECKED = 20
PATIENCE = 6.0  # seconds in which a model on a column should do its task's steps


class Unavailable(Exception):
    """A column that cannot run on this machine, with the reason."""


class LeftOut(Exception):
    """A model that a peer's module does not have."""


class Failed(Exception):
    """A column that broke down while training."""


# ---- the parent's end


class Worker:
    """One process. `losses` are those of the first `CHECKED` steps."""

    def __init__(self, task: Task, column: str) -> None:
        self.task = task
        self.column = column
        self.steps = 0
        self.seconds = 0.0
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, task.name, column), daemon=True)
        self.process.start()
        theirs.close()
        try:
            self.losses: list[float] = self.receive()
        except BaseException:
            self.stop()
            raise

    def receive(self) -> Any:
        try:
            kind, value = self.pipe.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            kind, value = "failed", f"its process ended with exit status {code}"
        if kind == "unavailable":
            raise Unavailable(value)
        if kind == "left out":
            raise LeftOut(value)
        if kind == "failed":
            raise Failed(f"{self.task.name} on {self.column}: {value}")
        return value

    def progress(self, seconds: float) -> float:
        """1 where it has trained this long, and all steps of its task unless that is too slow."""
        steps = max(self.steps / self.task.steps, self.seconds / PATIENCE)
        return min(1.0, self.seconds / seconds, steps)

    def run(self, seconds: float) -> None:
        """Train on for a while."""
        self.pipe.send(seconds)
        self.steps, self.seconds = self.receive()

    def finish(self) -> dict[str, Any]:
        """End the process; the time of each step, the held-out figure, the peak memory."""
        self.pipe.send(None)
        result: dict[str, Any] = self.receive()
        self.stop()
        return result

    def stop(self) -> None:
        self.pipe.close()
        self.process.join(timeout=5)
        self.process.kill()


# ---- the process's end


def serve(pipe: Any, name: str, column: str) -> None:
    try:
        training = Training(ALL[name], column)
        pipe.send(("losses", [training.step().item() for _ in range(CHECKED)]))
        while (seconds := pipe.recv()) is not None:
            pipe.send(("progress", training.run(seconds)))
        result = {
            "first_step": training.first_step,
            "times": training.times,
            "held_out": training.held_out,
            "memory": peak_memory(),
            **training.of_the_device(),
        }
        pipe.send(("result", result))
    except Unavailable as reason:
        pipe.send(("unavailable", str(reason)))
    except LeftOut as reason:
        pipe.send(("left out", str(reason)))
    except EOFError:
        pass  # the parent has gone
    except Exception:
        pipe.send(("failed", traceback.format_exc()))


class Learner(Protocol):
    """A model in its library, with its optimizer; tensors are those that `convert` gives."""

    def convert(self, tensor: Any) -> Any:
        """A batch's tensor of ours as one of the library."""

    def step(self, *batch: Any) -> Any:
        """Forward, backward and update; the loss, whose `item()` is a float."""

    def evaluate(self, *batch: Any) -> float:
        """The mean of the task's figure over a batch of held-out data."""


class Training:
    """A model being trained: its batches, and what has been measured."""

    def __init__(self, task: Task, column: str) -> None:
        self.task = task
        self.column = column
        self.learner = learner(task, column)
        self.clock = clock_of(column)
        self.batches = self.endless_batches()
        self.count = 0
        self.spent = 0.0
        self.times: list[float] = []
        # By the number of steps: the last one that all columns reach is what is reported.
        self.held_out: dict[int, float] = {}

    def step(self) -> Any:
        """One step, timed from the batch at hand to the updated weights; the loss."""
        batch = next(self.batches)
        self.clock.start()
        loss = self.learner.step(*batch)
        self.latest = self.clock.stop()
        self.count += 1
        if self.count == 1:
            self.first_step = self.latest
        if self.count in (self.task.steps // 4, self.task.steps // 2, self.task.steps):
            self.held_out[self.count] = self.evaluate()
        return loss

    def run(self, seconds: float) -> tuple[int, float]:
        """Train for `seconds`; the number of steps and the seconds of all slices so far."""
        self.step()  # wakes the threads and fills the caches, and is not counted
        start = now = time.perf_counter()
        while now - start < seconds:
            self.step()
            self.times.append(self.latest)
            now = time.perf_counter()
        self.spent += now - start
        return self.count, self.spent

    def endless_batches(self) -> Iterator[list[Any]]:
        """Batches in the same shuffled order in every library."""
        import tensorgrad as tg

        loader = self.loader(train=True, shuffle=True, generator=tg.Generator().manual_seed(SEED))
        while True:
            for batch in loader:
                yield [self.learner.convert(tensor) for tensor in batch]

    def loader(self, train: bool, **options: Any) -> Any:
        import tensorgrad as tg

        dataset = tg.data.TensorDataset(*map(tg.tensor, self.task.data(train)))
        return tg.data.DataLoader(dataset, self.task.batch_size, drop_last=train, **options)

    def of_the_device(self) -> dict[str, Any]:
        """On a GPU the most bytes that its arrays have held, and the least seconds in which a
        batch came to it from the host, which no step's time holds.
        """
        if self.column != "cupy":
            return {"device_memory": None, "transfer": None}
        import tensorgrad as tg

        batch = [tensor.cpu().numpy() for tensor in next(self.batches)]
        times = []
        for _ in range(10):
            self.clock.start()
            for array in batch:
                tg.tensor(array)
            times.append(self.clock.stop())
        return {"device_memory": tg.cuda.max_memory_allocated(), "transfer": min(times)}

    def evaluate(self) -> float:
        """The held-out figure, the mean over all items."""
        total = items = 0.0
        for batch in self.loader(train=False):
            figure = self.learner.evaluate(*[self.learner.convert(tensor) for tensor in batch])
            total += figure * len(batch[0])
            items += len(batch[0])
        return total / items


class Eager:
    """A task's own lines, in tensorgrad or in torch."""

    def __init__(
        self,
        task: Task,
        lib: Any,
        model: Any,
        convert: Callable[[Any], Any] = lambda tensor: tensor,
    ) -> None:
        self.task = task
        self.lib = lib
        self.model = model
        self.convert = convert
        self.optimizer = task.optimizer(lib, model.parameters())

    def step(self, *batch: Any) -> Any:
        self.optimizer.zero_grad()
        loss = self.task.loss(self.lib, self.model, *batch)
        loss.backward()
        self.optimizer.step()
        return loss

    def evaluate(self, *batch: Any) -> float:
        self.model.eval()
        with self.lib.no_grad():
            figure: float = self.task.evaluate(self.lib, self.model, *batch).item()
        self.model.train()
        return figure


def learner(task: Task, column: str) -> Learner:
    if column == "torch":
        return in_torch(task)
    if column in PEERS:
        return in_its_own_module(task, column)
    return in_tensorgrad(task, column)


def in_tensorgrad(task: Task, backend: str) -> Learner:
    import tensorgrad as tg

    return Eager(task, tg, initial(task, backend))


def in_torch(task: Task) -> Learner:
    """The same model with the same weights in torch, fed from the NumPy backend."""
    refuse_unless_installed("torch")
    import torch

    weights: dict[str, Array] = {k: v.numpy() for k, v in initial(task).state_dict().items()}
    model = task.model(torch)
    model.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.items()})
    return Eager(task, torch, model, lambda tensor: torch.from_numpy(tensor.numpy()))


def in_its_own_module(task: Task, peer: str) -> Learner:
    refuse_unless_installed(peer)
    found: Learner = importlib.import_module(f"bench.{peer}_peer").Learner(task, initial(task))
    return found


def refuse_unless_installed(peer: str) -> None:
    if importlib.util.find_spec(peer) is None:
        raise Unavailable(f"{peer} is not installed (pip install {peer})")


def initial(task: Task, backend: str = "numpy") -> Any:
    """The model with the weights that every column starts from."""
    import tensorgrad as tg

    try:
        tg.set_backend(backend)
    except tg.BackendError as reason:
        raise Unavailable(reason) from None
    tg.manual_seed(SEED)
    return task.model(tg)


def peak_memory() -> int | None:
    """Bytes: the most memory that this process has held, libraries and data included."""
    status = Path("/proc/self/status")
    if status.exists():  # `getrusage` on Linux starts from the parent's peak
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
