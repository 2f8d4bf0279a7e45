"""Learning curves by matplotlib."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Run = dict[str, list[float]]  # numbers by figure, one an epoch
PARTS = ("train", "training", "val", "valid", "validation", "test", "dev")
STYLES = ("-", "--", ":", "-.")


class Curves(Figure):
    """A figure that a notebook shows by itself."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()


def runs_of(given: Any) -> dict[str, Run]:
    """The runs by name; one alone is called ""."""
    if isinstance(given, Mapping) and given and all(map(_is_run, given.values())):
        return {str(name): _run(run) for name, run in given.items()}
    return {"": _run(given)}


def _is_run(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)


def _run(given: Any) -> Run:
    """A run as numbers by figure; an epoch without a figure has NaN there."""
    if isinstance(given, list | tuple) and all(isinstance(epoch, Mapping) for epoch in given):
        names = list(dict.fromkeys([name for epoch in given for name in epoch]))
        run = {name: [epoch.get(name, math.nan) for epoch in given] for name in names}
    elif isinstance(given, Mapping):
        run = {name: list(values) for name, values in given.items() if _is_list(values)}
        if len(run) < len(given):
            run = {}
    else:
        run = {}
    if not any(run.values()):
        raise ValueError(
            "history: expected a list with a dict for each epoch, a dict with a list for each "
            f"figure, or a dict of such runs, got {_told(given)}"
        )
    for name, values in run.items():
        odd = [value for value in values if not isinstance(value, Real)]
        if odd:
            raise TypeError(f"history: expected numbers as {name!r}, got {type(odd[0]).__name__}")
    return run


def _is_list(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | Mapping)


def _told(value: Any) -> str:
    return repr(value) if len(repr(value)) < 40 else type(value).__name__


def split(name: str) -> tuple[str, str]:
    """A figure's name without the part of the data that it is of, and that part."""
    for mark in "_ /":
        part, _, rest = name.partition(mark)
        if rest and part in PARTS:
            return rest, part
    return name, ""


def smooth(values: list[float], weight: float) -> list[float]:
    """The running mean m_t = w m_(t-1) + (1 - w) v_t over 1 - w^t, which is unbiased from the
    first value on; what is not finite has no part in it.
    """
    mean, share, result = 0.0, 0.0, []
    for value in values:
        if math.isfinite(value):
            mean = weight * mean + (1 - weight) * value
            share = weight * share + (1 - weight)
        result.append(mean / share if share and math.isfinite(value) else math.nan)
    return result


def figure(runs: dict[str, Run], names: list[str] | None, smoothing: float) -> Curves:
    """The figure that `viz.history` describes."""
    if not 0 <= smoothing < 1:
        raise ValueError(f"history: expected smoothing from 0 to below 1, got {smoothing}")
    found = list(dict.fromkeys([name for run in runs.values() for name in run]))
    missing = [name for name in names or () if name not in found]
    if missing:
        raise ValueError(f"history: expected names among {found}, got {missing[0]!r}")
    chosen = found if names is None else names
    panels: dict[str, list[str]] = {}
    for name in chosen:
        panels.setdefault(split(name)[0], []).append(name)
    result = Curves(figsize=(4.5 * len(panels), 3.2), layout="constrained")
    FigureCanvasAgg(result)
    for place, (title, members) in enumerate(panels.items()):
        axes = result.add_subplot(1, len(panels), place + 1)
        for color, (run_name, run) in enumerate(runs.items()):
            for style, name in enumerate(members):
                if name in run:
                    label = ", ".join(filter(None, [run_name, split(name)[1]]))
                    if not label and len(members) > 1:
                        label = name
                    look = f"C{color}", STYLES[style % len(STYLES)]
                    _draw(axes, run[name], smoothing, look, label or None)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend()
    return result


def _draw(
    axes: Any, values: list[float], smoothing: float, look: tuple[str, str], label: str | None
) -> None:
    epochs = range(1, len(values) + 1)
    color, style = look
    marker = "o" if len(values) == 1 else None
    if smoothing:
        axes.plot(epochs, values, color=color, linestyle=style, alpha=0.25, marker=marker)
        values = smooth(values, smoothing)
    axes.plot(epochs, values, color=color, linestyle=style, label=label, marker=marker)
