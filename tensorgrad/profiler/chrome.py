"""Events as a trace in Chrome's JSON, which Perfetto reads.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU. An event is a bar,
its arguments show when it is clicked; an arrow leads from each call to the gradient rules that it
left behind; memory is a curve.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

CATEGORIES = ("user_annotation", "cpu_op", "backward")


def write_trace(
    path: Any, events: Iterable[Any], samples: list[tuple[float, int]], metadata: dict[str, Any]
) -> None:
    """samples: times, and bytes held at each. metadata: what the file says besides."""
    parts = [*_heads(), *[part for event in events for part in _bar(event)]]
    for time, size in samples:
        parts.append(_part("C", "memory", time, args={"bytes": size}))
    trace = {"schemaVersion": 1, **metadata, "displayTimeUnit": "ms", "traceEvents": parts}
    text = json.dumps(trace)
    if os.fspath(path).endswith(".gz"):
        with gzip.open(path, "wt", encoding="utf-8") as packed:
            packed.write(text)
    else:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def _part(kind: str, name: str, time: float, **more: Any) -> dict[str, Any]:
    return {"ph": kind, "name": name, "pid": os.getpid(), "ts": round(time, 3), **more}


def _heads() -> Iterator[dict[str, Any]]:
    program = os.path.basename(sys.argv[0]) or "python"
    yield _part("M", "process_name", 0, args={"name": program})


def _bar(event: Any) -> Iterator[dict[str, Any]]:
    start = event.time_range.start
    kind = CATEGORIES[1 + event.scope] if not event.is_user_annotation else CATEGORIES[0]
    args: dict[str, Any] = {}
    if event.sequence_nr >= 0:
        args["Sequence number"] = event.sequence_nr
    if event.input_shapes:
        args["Input Dims"] = event.input_shapes
    if event.stack:
        args["Call stack"] = ";".join(event.stack)
    if event.device_time_total:
        args["CUDA time (us)"] = event.device_time_total
    if event.self_cpu_memory_usage:
        args["Bytes"] = event.self_cpu_memory_usage
    bar = {"tid": event.thread, "cat": kind, "dur": round(event.time_range.elapsed_us(), 3)}
    yield _part("X", event.name, start, **bar, args=args)
    if event.sequence_nr >= 0:
        arrow = {"cat": "fwdbwd", "tid": event.thread, "id": event.sequence_nr}
        if event.scope:
            yield _part("f", "fwdbwd", start, **arrow, bp="e")
        else:
            yield _part("s", "fwdbwd", start, **arrow)
