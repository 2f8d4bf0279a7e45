"""Events as a table of text, in PyTorch's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0}
WIDTH = 12  # of a column of numbers


def count_us(time: float, unit: str | None = None) -> str:
    """Microseconds in words, in the unit that fits unless one is told."""
    if unit is None:
        unit = "s" if time >= 1e6 else "ms" if time >= 1e3 else "us"
    return f"{time / UNITS[unit]:.3f}{unit}"


def count_bytes(size: float) -> str:
    for power, unit in ((3, "GB"), (2, "MB"), (1, "KB")):
        if abs(size) >= 1024**power:
            return f"{size / 1024**power:.2f} {unit}"
    return f"{size} B"


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f}%" if whole else "NaN"


def event_table(
    events: Sequence[Any],
    *,
    row_limit: int,
    widths: tuple[int | None, int | None, int | None],
    header: str | None,
    memory: bool,
    top_level: bool,
    unit: str | None,
) -> str:
    """The table; "" without events. widths: at most, of names, shapes and lines of the program."""
    if unit is not None and unit not in UNITS:
        raise ValueError(f"table: expected time_unit to be one of {list(UNITS)}, got {unit!r}")
    if not events:
        return ""
    device = any(event.device_time_total > 0 for event in events)
    device_memory = memory and any(event.device_memory_usage for event in events)
    shapes = any(event.input_shapes for event in events)
    stacks = any(event.stack for event in events)
    whole = sum([event.self_cpu_time_total for event in events])
    device_whole = sum([event.self_device_time_total for event in events])

    heads = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg"]
    if device:
        heads += ["Self CUDA", "Self CUDA %", "CUDA total", "CUDA time avg"]
    if memory:
        heads += ["CPU Mem", "Self CPU Mem"]
    if device_memory:
        heads += ["CUDA Mem", "Self CUDA Mem"]
    heads.append("# of Calls")
    name_width, shapes_width, source_width = widths
    columns = [_width([event.key for event in events], name_width)]
    columns += [max(WIDTH, len(head)) for head in heads[1:]]
    if shapes:
        heads.append("Input Shapes")
        columns.append(max(WIDTH, _width([str(e.input_shapes) for e in events], shapes_width)))
    sides = [">"] * len(columns)
    if stacks:
        heads.append("Source Location")
        columns.append(_width([line for e in events for line in e.stack], source_width))
        sides.append("<")

    def cells(event: Any) -> list[str]:
        row = [_cut(event.key, name_width)]
        row += [_share(event.self_cpu_time_total, whole), count_us(event.self_cpu_time_total, unit)]
        row += [_share(event.cpu_time_total, whole), count_us(event.cpu_time_total, unit)]
        row += [count_us(event.cpu_time, unit)]
        if device:
            row += [count_us(event.self_device_time_total, unit)]
            row += [_share(event.self_device_time_total, device_whole)]
            row += [count_us(event.device_time_total, unit), count_us(event.device_time, unit)]
        if memory:
            row += [count_bytes(event.cpu_memory_usage), count_bytes(event.self_cpu_memory_usage)]
        if device_memory:
            sizes = event.device_memory_usage, event.self_device_memory_usage
            row += map(count_bytes, sizes)
        row.append(str(event.count))
        if shapes:
            row.append(str(event.input_shapes)[: columns[len(row)]])
        return row

    def line(row: Sequence[str]) -> str:
        padded = zip(row, sides, columns)
        return "".join([f"{cell:{side}{width}}  " for cell, side, width in padded])

    rule = line(["-" * width for width in columns])
    chosen = [event for event in events if not top_level or event.cpu_parent is None]
    lines = []
    if header is not None:
        lines += ["=" * (len(rule) - 2), header]
    if top_level:
        lines += ["=" * (len(rule) - 2), "This report only display top-level ops statistics"]
    lines += [rule, line(heads), rule]
    for event in chosen if row_limit < 0 else chosen[:row_limit]:
        row = cells(event)
        if not stacks:
            lines.append(line(row))
            continue
        sources = [_tail(source, columns[-1]) for source in event.stack] or [""]
        lines.append(line([*row, sources[0]]))
        lines += [line([*[""] * len(row), source]) for source in [*sources[1:], ""]]
    lines += [rule, f"Self CPU time total: {count_us(whole, unit)}"]
    if device:
        lines.append(f"Self CUDA time total: {count_us(device_whole, unit)}")
    return "\n".join(lines) + "\n"


def _width(texts: Sequence[str], most: int | None) -> int:
    width = max(map(len, texts)) + 4
    return width if most is None else min(width, most)


def _cut(name: str, most: int | None) -> str:
    return name if most is None or len(name) < most - 3 else name[: most - 3] + "..."


def _tail(text: str, width: int) -> str:
    return text if len(text) <= width else "..." + text[len(text) - width + 3 :]
