"""What a profile consists of: events within events, their sums by name, and lists of either.

Times are microseconds since the profile began, memory is in bytes. Knows no op and no tensor.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from tensorgrad.profiler.chrome import write_trace
from tensorgrad.profiler.table import count_us, event_table

Stack = list[str]


class Interval:
    """From `start` to `end`."""

    __slots__ = ("end", "start")

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.end = end

    def elapsed_us(self) -> float:
        return self.end - self.start


class Times:
    """What an event and a sum of events share: means and words of their times.

    `cpu_time_total` is all time between begin and end, `self_cpu_time_total` that of no event
    inside; `device_time_total` and `self_device_time_total` are the same on the GPU.
    """

    count: int
    cpu_time_total: float
    self_cpu_time_total: float
    device_time_total: float
    self_device_time_total: float

    @property
    def cpu_time(self) -> float:
        """The mean of the calls."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def device_time(self) -> float:
        return self.device_time_total / self.count if self.count else 0.0

    @property
    def cpu_time_str(self) -> str:
        return count_us(self.cpu_time)

    @property
    def cpu_time_total_str(self) -> str:
        return count_us(self.cpu_time_total)

    @property
    def self_cpu_time_total_str(self) -> str:
        return count_us(self.self_cpu_time_total)


class FunctionEvent(Times):
    """One call: of an op, of the gradient rules of a node, or of a block that the program names.

    cpu_children: the events inside; cpu_parent: the one around it. scope: 0, or 1 for the rules of
    a node. sequence_nr: the same of a node and of the call that made it, else -1. input_shapes: of
    the tensors among the arguments, an empty list for another argument. stack: lines of the
    program, the innermost first.
    """

    count = 1

    def __init__(self, id: int, name: str, thread: int, parent: FunctionEvent | None) -> None:
        self.id = id
        self.name = name
        self.thread = thread
        self.cpu_parent = parent
        self.cpu_children: list[FunctionEvent] = []
        if parent is not None:
            parent.cpu_children.append(self)
        self.scope = 0
        self.sequence_nr = -1
        self.is_user_annotation = False
        self.input_shapes: list[list[int]] = []
        self.stack: Stack = []
        self.time_range = Interval(0.0, 0.0)
        self.device_time_total: float = 0.0
        self.self_cpu_memory_usage = 0
        self.self_device_memory_usage = 0

    @property
    def key(self) -> str:
        """The name under which it is summed."""
        return "ProfilerStep*" if self.name.startswith("ProfilerStep#") else self.name

    @property
    def cpu_time_total(self) -> float:  # type: ignore[override]
        return self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self) -> float:  # type: ignore[override]
        return self.cpu_time_total - sum([e.cpu_time_total for e in self.cpu_children])

    @property
    def self_device_time_total(self) -> float:  # type: ignore[override]
        return self.device_time_total - sum([e.device_time_total for e in self.cpu_children])

    @property
    def cpu_memory_usage(self) -> int:
        """Bytes of the arrays that calls in it made, less those that they let go."""
        return self.self_cpu_memory_usage + sum([e.cpu_memory_usage for e in self.cpu_children])

    @property
    def device_memory_usage(self) -> int:
        inside = sum([event.device_memory_usage for event in self.cpu_children])
        return self.self_device_memory_usage + inside

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent id={self.id} name={self.name} cpu_time={self.cpu_time_str} "
            f"thread={self.thread} input_shapes={self.input_shapes}>"
        )


class FunctionEventAvg(Times):
    """The sum of events that are called alike; `cpu_time` and `device_time` are means."""

    SUMS = (
        "count", "cpu_time_total", "self_cpu_time_total", "device_time_total",
        "self_device_time_total", "cpu_memory_usage", "self_cpu_memory_usage",
        "device_memory_usage", "self_device_memory_usage",
    )  # fmt: skip

    cpu_memory_usage: int
    self_cpu_memory_usage: int
    device_memory_usage: int
    self_device_memory_usage: int

    def __init__(self, key: str) -> None:
        self.key = key
        self.cpu_parent: FunctionEvent | None = None
        self.input_shapes: list[list[int]] = []
        self.stack: Stack = []
        for name in self.SUMS:
            setattr(self, name, 0)

    def add(self, other: FunctionEvent | FunctionEventAvg) -> FunctionEventAvg:
        for name in self.SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} count={self.count} "
            f"self_cpu_time={self.self_cpu_time_total_str} cpu_time={self.cpu_time_str} "
            f"input_shapes={self.input_shapes}>"
        )


class EventList(list[Any]):
    """Events in the order in which they began, or sums of such."""

    def __init__(self, events: Iterable[Any] = (), profile_memory: bool = False) -> None:
        super().__init__(events)
        self.profile_memory = profile_memory
        self.samples: list[tuple[float, int]] = []  # times, and bytes held at each
        self.metadata: dict[str, Any] = {}

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int | None = 75,
        max_name_column_width: int | None = 55,
        max_shapes_column_width: int | None = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
        time_unit: str | None = None,
    ) -> str:
        """The events as text, one a line; the largest first by the attribute `sort_by`:
        "cpu_time", "cpu_time_total", "self_cpu_time_total", "cpu_memory_usage",
        "self_cpu_memory_usage", the same with "cuda" for "cpu", or "count".

        row_limit: lines at most, -1 for all. time_unit: "s", "ms" or "us" for all times.
        """
        events = list(self)
        if sort_by is not None:
            name = sort_by.replace("cuda", "device")
            if events and not hasattr(events[0], name):
                raise AttributeError(
                    f"table: expected sort_by to be one of {', '.join(FunctionEventAvg.SUMS)}, "
                    f"cpu_time and device_time, got {sort_by!r}"
                )
            events.sort(key=attrgetter(name), reverse=True)
        return event_table(
            events,
            row_limit=row_limit,
            widths=(max_name_column_width, max_shapes_column_width, max_src_column_width),
            header=header,
            memory=self.profile_memory,
            top_level=top_level_events_only,
            unit=time_unit,
        )

    def __str__(self) -> str:
        return self.table()

    def key_averages(
        self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0
    ) -> EventList:
        """The sums of events of one name; where told, of one name and the same shapes, or called
        from the same `group_by_stack_n` innermost lines.
        """
        sums: dict[Any, FunctionEventAvg] = {}
        for event in self:
            shapes = event.input_shapes if group_by_input_shapes else []
            stack = event.stack[:group_by_stack_n]
            # A block that the program names is not summed with an op of its name.
            kind = getattr(event, "is_user_annotation", False)
            key = event.key, kind, str(shapes), *stack
            if key not in sums:
                known = sums[key] = FunctionEventAvg(event.key)
                known.input_shapes, known.stack = shapes, stack
                known.cpu_parent = event.cpu_parent
            sums[key].add(event)
        return EventList(sums.values(), self.profile_memory)

    def total_average(self) -> FunctionEventAvg:
        """The sum of all events."""
        total = FunctionEventAvg("Total")
        for event in self:
            total.add(event)
        return total

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all events, each instant counted once."""
        return float(sum([event.self_cpu_time_total for event in self]))

    def export_chrome_trace(self, path: Any) -> None:
        """Write the events as a trace that https://ui.perfetto.dev and chrome://tracing show;
        packed by gzip where `path` ends in ".gz".
        """
        write_trace(path, self, self.samples, self.metadata)

    def export_stacks(self, path: Any, metric: str = "self_cpu_time_total") -> None:
        """Write the lines of the program with the time of their events, as flame graphs are made
        from. `metric` is "self_cpu_time_total" or "self_cuda_time_total".
        """
        known = "self_cpu_time_total", "self_cuda_time_total"
        if metric not in known:
            raise ValueError(f"export_stacks: expected metric to be in {known}, got {metric!r}")
        blanks = str.maketrans(" ;\t\n", "____")
        with open(path, "w", encoding="utf-8") as file:
            for event in self:
                value = int(getattr(event, metric.replace("cuda", "device")))
                if event.stack and value > 0:
                    lines = [line.translate(blanks) for line in reversed(event.stack)]
                    file.write(f"{';'.join(lines)} {value}\n")
