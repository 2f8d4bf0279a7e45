"""`profile`: which steps of a program are recorded, and what becomes of the recording."""

from __future__ import annotations

import os
import socket
import time
import warnings
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from tensorgrad import modes
from tensorgrad.profiler.events import EventList
from tensorgrad.profiler.recorder import Recorder, lead_all, record_function


class ProfilerActivity(Enum):
    """Whose time is taken."""

    CPU = 0
    CUDA = 1


class ProfilerAction(Enum):
    """What is done in a step: nothing; record and throw away; record; record, and hand over what
    was recorded at the end.
    """

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities() -> set[ProfilerActivity]:
    """CPU, and CUDA where its backend is in use."""
    on_gpu = "cuda" in modes.current().backends.by_device
    return {ProfilerActivity.CPU} | ({ProfilerActivity.CUDA} if on_gpu else set())


def schedule(
    *,
    wait: int,
    warmup: int,
    active: int,
    repeat: int = 0,
    skip_first: int = 0,
    skip_first_wait: int = 0,
) -> Callable[[int], ProfilerAction]:
    """What `profile` does in each step: after `skip_first` steps cycles of `wait` steps without,
    `warmup` steps whose events are thrown away, and `active` steps that are recorded; `repeat`
    cycles, or without end if it is 0. skip_first_wait: not 0 to leave out the first wait.
    """
    numbers = {"wait": wait, "warmup": warmup, "repeat": repeat, "skip_first": skip_first}
    if min(numbers.values()) < 0 or active < 1:
        raise ValueError(
            "schedule: expected active >= 1 and the others >= 0, got "
            f"{ {**numbers, 'active': active} }"
        )
    if not warmup:
        warnings.warn(
            "schedule: without warmup the first steps, in which kernels are loaded, are recorded",
            stacklevel=2,
        )
    length = wait + warmup + active

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            step += wait
        cycle, place = divmod(step, length)
        if place < wait or (repeat and cycle >= repeat):
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        last = place == length - 1
        return ProfilerAction.RECORD_AND_SAVE if last else ProfilerAction.RECORD

    return action


class profile:
    """Record the calls in a `with` block, or from `start()` to `stop()`.

    activities: `ProfilerActivity.CPU`, `.CUDA` or both; what there is unless told. With CUDA the
    time on the GPU is that between two marks in the stream, around the call.
    schedule: what to do in the step of a number; a new step begins at each `step()`. Everything is
    recorded without one. on_trace_ready: called with this object at the end of each recording.
    record_shapes: keep the arguments' shapes. profile_memory: count what calls make and let go.
    with_stack: keep the lines of the program from which calls came.
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
    ) -> None:
        self.activities = supported_activities() if activities is None else set(activities)
        if not self.activities or not all(isinstance(a, ProfilerActivity) for a in self.activities):
            raise ValueError(
                "profile: expected activities to be members of ProfilerActivity, one at least, got "
                f"{activities!r}"
            )
        self.schedule = schedule
        self.on_trace_ready = on_trace_ready
        self.record_shapes = record_shapes
        self.profile_memory = profile_memory
        self.with_stack = with_stack
        self.step_num = 0
        self.current_action = self._planned(0)
        self.metadata: dict[str, Any] = {}
        self._recorder: Recorder | None = None
        self._events: EventList | None = None
        self._step: record_function | None = None

    def _planned(self, step: int) -> ProfilerAction:
        return ProfilerAction.RECORD if self.schedule is None else self.schedule(step)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        self._begin()

    def stop(self) -> None:
        self._end_step()
        self._finish(self.current_action in RECORDING)

    def step(self) -> None:
        """A new step of the program begins."""
        self._end_step()
        before = self.current_action
        self.step_num += 1
        self.current_action = self._planned(self.step_num)
        goes_on = before is ProfilerAction.RECORD and self.current_action in RECORDING
        goes_on = goes_on or before is self.current_action is ProfilerAction.WARMUP
        if goes_on:
            lead_all()
            self._begin_step()
            return
        self._finish(before in RECORDING)
        self._begin()

    # ---- what these are made of

    def _begin(self) -> None:
        if self.current_action is not ProfilerAction.NONE:
            recorder = Recorder(
                self.record_shapes,
                self.profile_memory,
                self.with_stack,
                ProfilerActivity.CUDA in self.activities,
            )
            recorder.switch_on()
            self._recorder = recorder
        self._begin_step()

    def _finish(self, recorded: bool) -> None:
        """End the recording, if there is one; hand it over unless it was for warming up."""
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        recorder.switch_off()
        if recorded:
            self._events = EventList(recorder.events, self.profile_memory)
            if recorder.holdings is not None:
                self._events.samples = recorder.holdings.samples
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)

    def _begin_step(self) -> None:
        if self.schedule is not None:
            self._step = record_function(f"ProfilerStep#{self.step_num}")
            self._step.__enter__()

    def _end_step(self) -> None:
        if self._step is not None:
            self._step.__exit__()
            self._step = None

    # ---- what came of it

    def events(self) -> EventList:
        """The events of the last recording, in the order in which they began."""
        if self._events is None:
            raise RuntimeError("events: expected a recording that has ended, got none")
        return self._events

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0
    ) -> EventList:
        """Their sums by name; see `EventList.key_averages`."""
        return self.events().key_averages(group_by_input_shape, group_by_stack_n)

    def export_chrome_trace(self, path: Any) -> None:
        """Write them for Perfetto; see `EventList.export_chrome_trace`."""
        events = self.events()
        events.metadata = self.metadata
        events.export_chrome_trace(path)

    def export_stacks(self, path: Any, metric: str = "self_cpu_time_total") -> None:
        """Write their lines for a flame graph; see `EventList.export_stacks`."""
        self.events().export_stacks(path, metric)

    def add_metadata(self, key: str, value: str) -> None:
        """Let the trace's file say something besides."""
        self.metadata[key] = value


def tensorboard_trace_handler(
    dir_name: Any, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """An `on_trace_ready` that writes each recording into a folder, as a file of its own.

    worker_name: how the files' names begin: with the machine's name and the process's number unless
    told.
    """

    def handle(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json" + (".gz" if use_gzip else "")
        prof.export_chrome_trace(os.path.join(dir_name, name))

    return handle
