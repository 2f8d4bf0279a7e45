"""Worker processes of a loader: they fetch and collate batches, the parent hands them out in order.

Workers start from a fresh process, never as a fork of one whose threads may hold locks. A batch
comes back as a pickle whose arrays lie in shared memory: each worker has a few blocks, one for each
batch that it may have under way, and writes over a block when the parent has copied from it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import queue
import random
import threading
import traceback
from collections.abc import Callable, Iterator
from multiprocessing import connection
from multiprocessing.shared_memory import SharedMemory
from typing import Any, NamedTuple, NoReturn

import numpy as np

from tensorgrad.backend import set_backend
from tensorgrad.data.dataset import IterableDataset
from tensorgrad.detours import shown
from tensorgrad.random import manual_seed

# The first is the quicker: its server has imported nothing, and copies itself at once.
START_METHODS = [
    method
    for method in ("forkserver", "spawn")
    if method in multiprocessing.get_all_start_methods()
]
PATIENCE = 5.0  # seconds that a worker has to end by itself
ALIGNMENT = 64


class WorkerInfo(NamedTuple):
    """What `get_worker_info` tells the code of a data set in a worker."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


class Job(NamedTuple):
    """What a worker is started with."""

    dataset: Any
    fetch: Callable[[Any, Any], Any]
    id: int
    num_workers: int
    seed: int
    init: Callable[[int], None] | None


class Failure(NamedTuple):
    """An exception in a worker, and where."""

    kind: type[BaseException]
    text: str


class End(NamedTuple):
    """A worker's data set has no more items."""


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """In a worker process: its id, how many there are, its seed and its copy of the data set. In
    the main process None.
    """
    return _info


# ---- in the worker


def work(channel: connection.Connection, job: Job) -> None:
    """The life of a worker: tasks (epoch, number, slot, indices) in, batches out, None at the
    end.
    """
    global _info
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=receive, args=(channel, tasks), daemon=True).start()
    blocks: dict[int, SharedMemory] = {}
    failure = None
    try:
        set_backend("numpy")  # quick to start, and one thread; worker_init_fn may choose another
        manual_seed(job.seed)
        random.seed(job.seed)
        np.random.seed(job.seed % 2**32)
        _info = WorkerInfo(job.id, job.num_workers, job.seed, job.dataset)
        if job.init is not None:
            job.init(job.id)
    except BaseException as error:
        failure = failed(error)
    epoch, source = None, None
    stream = isinstance(job.dataset, IterableDataset)
    try:
        while (task := tasks.get()) is not None:
            if task[0] != epoch:  # a data set that is a stream starts again
                epoch = task[0]
                source = iter(job.dataset) if stream else job.dataset
            try:
                result = failure or job.fetch(source, task[3])
            except BaseException as error:
                over = isinstance(error, StopIteration) and stream
                result = End() if over else failed(error)
            send(channel, task, result, blocks)
    except (BrokenPipeError, EOFError, OSError):
        pass  # the parent is gone
    finally:
        for block in blocks.values():
            release(block)


def receive(channel: connection.Connection, tasks: queue.SimpleQueue[Any]) -> None:
    """Tasks are taken off the pipe at once: the parent never waits to send one."""
    try:
        while True:
            tasks.put(channel.recv())
    except (EOFError, OSError):
        tasks.put(None)


def failed(error: BaseException) -> Failure:
    return Failure(type(error), traceback.format_exc())


def send(
    channel: connection.Connection, task: Any, result: Any, blocks: dict[int, SharedMemory]
) -> None:
    epoch, number, slot, _ = task
    buffers: list[pickle.PickleBuffer] = []
    try:
        data = pickle.dumps(result, protocol=5, buffer_callback=buffers.append)
    except Exception as error:
        buffers.clear()
        data = pickle.dumps(failed(error))
    views = [buffer.raw() for buffer in buffers]
    places, size = [], 0
    for view in views:
        places.append((size, size + view.nbytes))
        size += -(-view.nbytes // ALIGNMENT) * ALIGNMENT
    name = None
    if size:
        block = blocks.get(slot)
        if block is None or block.size < size:
            if block is not None:
                release(block)
            block = blocks[slot] = SharedMemory(create=True, size=size)
        for view, (start, end) in zip(views, places, strict=True):
            memory(block)[start:end] = view
        name = block.name
    channel.send((epoch, number, slot, name, places, data))


def memory(block: SharedMemory) -> memoryview:
    return block.buf  # type: ignore[return-value]  # None when closed


def release(block: SharedMemory) -> None:
    with contextlib.suppress(FileNotFoundError):
        block.close()
        block.unlink()


# ---- in the parent


class Pool:
    """The workers of one loader, and what they are doing."""

    def __init__(
        self,
        dataset: Any,
        fetch: Callable[[Any, Any], Any],
        count: int,
        *,
        seed: int,
        init: Callable[[int], None] | None,
        context: Any,
        prefetch: int,
        timeout: float,
        in_order: bool,
    ) -> None:
        self.timeout = timeout
        self.in_order = in_order
        self.prefetch = prefetch
        self.blocks: dict[tuple[int, int], SharedMemory] = {}
        self.processes: list[Any] = []
        self.channels: list[Any] = []
        self.epoch = 0
        if not hasattr(context, "Process"):
            context = multiprocessing.get_context(context or START_METHODS[0])
        try:
            for number in range(count):
                job = Job(dataset, fetch, number, count, seed + number, init)
                ours, theirs = context.Pipe()
                process = context.Process(target=work, args=(theirs, job), daemon=True)
                self.channels.append(ours)
                process.start()
                self.processes.append(process)
                theirs.close()
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            self.close()
            raise TypeError(
                "DataLoader: expected a dataset, collate_fn and worker_init_fn that can be pickled "
                "for worker processes (functions and classes at the top of a module), got one that "
                f"cannot: {error}"
            ) from error
        except BaseException:
            self.close()
            raise

    def batches(self, tasks: Iterator[Any]) -> Iterator[tuple[int, Any]]:
        """The number and the result of each task, in their order or as they are ready; so many are
        under way at a time.
        """
        self.epoch += 1
        epoch, count = self.epoch, len(self.processes)
        free = [list(range(self.prefetch)) for _ in range(count)]
        alive = list(range(count))
        ready: dict[int, Any] = {}
        asked = handed = 0
        more = True

        def fill() -> None:
            nonlocal asked, more
            while more and alive:
                if self.in_order:  # which worker makes a batch, and so what it draws, is fixed
                    worker = alive[asked % len(alive)]
                else:
                    worker = max(alive, key=lambda number: len(free[number]))
                if not free[worker]:
                    return
                try:
                    indices = next(tasks)
                except StopIteration:
                    more = False
                    return
                self.send(worker, (epoch, asked, free[worker].pop(), indices))
                asked += 1

        fill()
        while handed < asked:
            while not (handed in ready if self.in_order else ready):
                worker, (of, number, slot, name, places, data) = self.receive()
                if of != epoch:
                    continue  # of an epoch that was left early: its memory is written over
                result = self.unpack(worker, slot, name, places, data)
                free[worker].append(slot)
                ready[number] = result
                if isinstance(result, End) and worker in alive:
                    alive.remove(worker)
                fill()
            number = handed if self.in_order else next(iter(ready))
            result = ready.pop(number)
            handed += 1
            if isinstance(result, Failure):
                raise raised(result)
            if not isinstance(result, End):
                yield number, result

    def send(self, worker: int, task: Any) -> None:
        try:
            self.channels[worker].send(task)
        except (BrokenPipeError, ConnectionResetError):
            self.report(worker)

    @shown("enumerate(DataLoader)#_MultiProcessingDataLoaderIter.__next__")
    def receive(self) -> tuple[int, Any]:
        """The next message of any worker; an error where one has died or the time is up."""
        sentinels = {process.sentinel: w for w, process in enumerate(self.processes)}
        found: list[Any] = connection.wait([*self.channels, *sentinels], self.timeout or None)
        if not found:
            raise RuntimeError(f"DataLoader: expected a batch within {self.timeout} s, got none")
        for channel in found:
            if channel in self.channels:
                worker = self.channels.index(channel)
                try:
                    return worker, channel.recv()
                except (EOFError, ConnectionResetError):
                    self.report(worker)
        self.report(sentinels[found[0]])

    def report(self, worker: int) -> NoReturn:
        process = self.processes[worker]
        process.join(PATIENCE)
        code = process.exitcode
        self.close()
        raise RuntimeError(
            f"DataLoader: expected worker {worker} (pid {process.pid}) to live, got exit code "
            f"{code}" + (" (killed; is memory short?)" if code == -9 else "")
        )

    def unpack(self, worker: int, slot: int, name: str | None, places: Any, data: bytes) -> Any:
        """The batch of a message, in memory of its own."""
        if name is None:
            return pickle.loads(data)
        block = self.blocks.get((worker, slot))
        if block is None or block.name != name:
            if block is not None:
                block.close()
            block = self.blocks[worker, slot] = SharedMemory(name)
        return pickle.loads(data, buffers=[bytearray(memory(block)[a:b]) for a, b in places])

    def close(self) -> None:
        """End the workers, at once or by force, and give back the shared memory."""
        for channel in self.channels:
            with contextlib.suppress(OSError):
                channel.send(None)
            channel.close()
        for process in self.processes:
            process.join(PATIENCE)
            if process.is_alive():
                process.kill()
                process.join()
        for block in self.blocks.values():
            release(block)
        self.processes, self.channels, self.blocks = [], [], {}


class Text(str):
    """A message that a KeyError, too, shows as it is: that shows the `repr` of its argument."""

    def __repr__(self) -> str:
        return str(self)


def raised(failure: Failure) -> BaseException:
    """The worker's exception again, with its traceback in the message."""
    text = Text(f"in a worker process of the DataLoader\n{failure.text}")
    try:
        return failure.kind(text)
    except Exception:  # a class that wants other arguments
        return RuntimeError(text)
