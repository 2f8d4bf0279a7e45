"""Turns results into rows, rows into the table and the picture.

Knows nothing of how they were measured.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

from bench.models import Task

Row = dict[str, Any]
REFERENCE = "numpy"
PEERS = ("torch", "jax", "tinygrad")


def rows_of(task: Task, results: dict[str, dict[str, Any]]) -> list[Row]:
    """What is reported of a model, a row a column; held out after as many steps on each."""
    steps = set.intersection(*[set(result["held_out"]) for result in results.values()])
    last = max(steps, default=0)
    return [row(task, column, result, last) for column, result in results.items()]


def row(task: Task, column: str, result: dict[str, Any], steps: int) -> Row:
    """One column; times in seconds, memory in bytes."""
    fastest, median = min(result["times"]), statistics.median(result["times"])
    return {
        "model": task.name,
        "backend": column,
        "step_min": fastest,
        "step_median": median,
        "first_step": result["first_step"],
        "unit": task.unit,
        "units_per_second": task.units(task.batch_size) / median,
        "peak_memory": result["memory"],
        "device_memory": result["device_memory"],
        "transfer": result["transfer"],
        "figure": task.figure,
        "held_out": result["held_out"].get(steps),
        "steps_before_held_out": steps,
        "steps_timed": len(result["times"]),
        "speed_up": None,
    }


def add_speed_ups(rows: list[Row]) -> None:
    """Each row's median step against the reference backend's on the same model."""
    reference = {r["model"]: r["step_median"] for r in rows if r["backend"] == REFERENCE}
    for r in rows:
        if r["model"] in reference:
            r["speed_up"] = reference[r["model"]] / r["step_median"]


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.{2 if seconds < 0.01 else 1}f} ms"


def cells(r: Row) -> list[tuple[str, str]]:
    """(label, value) of each figure of a row, from top to bottom."""
    held_out, speed_up = r["held_out"], r["speed_up"]
    return [
        ("step, median", milliseconds(r["step_median"])),
        ("step, minimum", milliseconds(r["step_min"])),
        ("first step", milliseconds(r["first_step"])),
        (f"{r['unit']}/s", f"{r['units_per_second']:,.0f}"),
        ("batch to the GPU", "-" if r["transfer"] is None else milliseconds(r["transfer"])),
        ("peak memory", megabytes(r["peak_memory"])),
        ("peak on the GPU", megabytes(r["device_memory"])),
        (
            f"{r['figure']} after {r['steps_before_held_out']} steps",
            "-" if held_out is None else f"{held_out:.3f}",
        ),
        (f"speed-up over {REFERENCE}", "-" if speed_up is None else f"{speed_up:.2f}"),
    ]


def table(rows: list[Row], unavailable: dict[str, str]) -> str:
    """Models down, backends across; below, each backend that could not run, with the reason."""
    columns = list(dict.fromkeys(r["backend"] for r in rows))
    lines = [["model", "", *columns]]
    for model in dict.fromkeys(r["model"] for r in rows):
        found = {r["backend"]: cells(r) for r in rows if r["model"] == model}
        for i, (label, _) in enumerate(next(iter(found.values()))):
            values = [found[c][i][1] if c in found else "" for c in columns]
            if not label.endswith("GPU") or set(values) - {"-", ""}:
                lines.append([model if i == 0 else "", label, *values])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = []
    for line in lines:
        if line[0]:
            text.append("-" * (sum(widths) + 2 * len(widths) - 2))
        left = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
        text.append("  ".join(left + right).rstrip())
    text[0] = ""
    text.append("")
    text += [f"{name}: cannot run here: {reason}" for name, reason in unavailable.items()]
    return "\n".join(text)


def against(rows: list[Row], peer: str) -> str:
    """A line a model: the fastest backend of ours, the peer, and the peer's time over ours."""
    lines = [
        ("model", "ours", "step", "first", "memory", peer, "step", "memory", "ratio", "of medians")
    ]
    ratios = []
    for model in dict.fromkeys(r["model"] for r in rows):
        of_model = [r for r in rows if r["model"] == model]
        theirs = [r for r in of_model if r["backend"] == peer]
        mine = [r for r in of_model if r["backend"] not in PEERS]
        if not (theirs and mine):
            continue
        our, their = min(mine, key=lambda r: r["step_min"]), theirs[0]
        ratios.append(their["step_min"] / our["step_min"])
        our_memory, their_memory = megabytes(our["peak_memory"]), megabytes(their["peak_memory"])
        lines.append(
            (
                *(model, our["backend"], milliseconds(our["step_min"])),
                *(milliseconds(our["first_step"]), our_memory, ""),
                *(milliseconds(their["step_min"]), their_memory, f"{ratios[-1]:.2f}"),
                f"{their['step_median'] / our['step_median']:.2f}",
            )
        )
    if not ratios:
        return f"{peer}: nothing to compare with"
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(map(str.rjust, line, widths)) for line in lines]
    mean = statistics.geometric_mean(ratios)
    text.append(
        f"Minimum steps, {peer} over ours: geometric mean {mean:.2f}, least {min(ratios):.2f}"
    )
    return "\n".join(text)


def megabytes(count: int | None) -> str:
    return "-" if count is None else f"{count / 2**20:.0f} MiB"


def plot(rows: list[Row], title: str, path: Path) -> None:
    """Bars of the median step of each model; PNG or SVG by the path's suffix."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.fonttype"] = "none"  # letters as letters: a third of the size
    import matplotlib.pyplot as plt

    models = list(dict.fromkeys(r["model"] for r in rows))
    columns = list(dict.fromkeys(r["backend"] for r in rows))
    step = {(r["model"], r["backend"]): r["step_median"] for r in rows}
    figure, axes = plt.subplots(1, len(models), figsize=(2.2 * len(models) + 0.6, 2.6))
    for axis, model in zip(axes if len(models) > 1 else [axes], models, strict=True):
        present = [c for c in columns if (model, c) in step]
        heights = [step[model, c] * 1e3 for c in present]
        bars = axis.bar(present, heights, color=[f"C{columns.index(c)}" for c in present])
        axis.bar_label(bars, fmt="%.3g", fontsize=8)
        axis.set_title(model, fontsize=10)
        axis.set_ylim(0, 1.15 * max(heights))
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    axes_of_first = axes[0] if len(models) > 1 else axes
    axes_of_first.set_ylabel("median training step, ms", fontsize=8)
    figure.text(0.5, 0.02, title, fontsize=7, ha="center")
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
