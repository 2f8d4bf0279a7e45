"""Trains models on every backend that can run here: compares their losses, then their speed.

    python -m bench [--model mlp ...] [--backend numpy ...] [--peer torch ...] [--seconds 2]
                    [--data FOLDER] [--json FILE] [--plot FILE]

Without --model these are four small models on real data; `--model all` adds the workloads of
`bench.workloads`, on random data. With a peer a line a model gives the peer's time over ours. The
models of `bench.word_vectors` are trained and compared by rules of their own.

One model after another. First its backends must agree: its first 20 losses, from one seed, may
differ from the first column's by at most `TOLERANCE`, relatively. If they do not, the model is not
timed and the exit status is 1. Then the model is trained on the columns in turn, in short slices,
so that whatever else the machine does falls on all of them. A step is timed from the batch at hand
to the updated weights. The held-out figure is taken after the same number of steps on every column.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench import word_vectors
from bench.machine import headline, machine
from bench.measure import CHECKED, Failed, LeftOut, Unavailable, Worker
from bench.models import TASKS, Task
from bench.table import PEERS, add_speed_ups, against, plot, rows_of, table
from bench.word_vectors import RUNS
from bench.workloads import ALL

TOLERANCE = 1e-3
SLICE = 0.25  # seconds


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    facts = machine()
    print(headline(facts), flush=True)
    runs = [RUNS[name] for name in options.model if name in RUNS]
    tasks = [ALL[name] for name in options.model if name in ALL]
    if "all" in options.model:
        tasks = list(ALL.values())
    columns = [*options.backend, *(peer for peer in options.peer if peer in PEERS)]
    unavailable: dict[str, str] = {}
    agreement: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    of_words: list[dict[str, Any]] = []
    try:
        # Silent where nobody watches: disable=None.
        with tqdm(total=len(tasks) + len(runs), leave=False, disable=None) as bar:
            for task in tasks:
                bar.set_postfix_str(task.name)
                with ExitStack() as stack:
                    first, *others = start(task, columns, unavailable, stack)
                    found = [compare(first, other) for other in others]
                    if all(a["agrees"] for a in found):
                        rows += measure([first, *others], options.seconds)
                agreement += found
                bar.update()
            for run in runs:
                bar.set_postfix_str(run.name)
                both = ["numba", *(peer for peer in options.peer if peer == word_vectors.PEER)]
                of_words += word_vectors.train(run, both, options.data, unavailable)
                bar.update()
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    agreed = not tasks or report(agreement)
    if tasks and not rows:
        return 1
    if rows:
        add_speed_ups(rows)
        print(table(rows, unavailable))
        for peer in columns[len(options.backend) :]:
            print(against(rows, peer))
    if of_words:
        agreed = word_vectors.report(of_words, unavailable) and agreed
    if options.json:
        document = {
            "machine": facts,
            "tolerance": TOLERANCE,
            "seconds": options.seconds,
            "agreement": agreement,
            "results": rows,
            "word_vectors": of_words,
            "unavailable": unavailable,
        }
        options.json.write_text(json.dumps(document, indent=2) + "\n")
    if options.plot and rows:
        plot(rows, headline(facts), options.plot)
    return 0 if agreed else 1


def parse(arguments: list[str] | None) -> argparse.Namespace:
    import tensorgrad as tg

    first = ["numpy", "numba", "cupy"]
    names = first + [name for name in tg.backend_names() if name not in first]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", choices=["all", *ALL, *RUNS], default=list(TASKS))
    parser.add_argument("--backend", nargs="+", choices=names, default=names)
    parser.add_argument("--peer", nargs="+", choices=[*PEERS, word_vectors.PEER], default=[])
    parser.add_argument(
        "--seconds",
        type=float,
        default=2.0,
        help="to time each model on each backend (%(default)s)",
    )
    files = f"{word_vectors.REVIEWS[0]} and {word_vectors.PAIRS[0]}"
    packages = f"{word_vectors.REVIEWS[1]} and {word_vectors.PAIRS[1]}"
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help=f"of {files}, in place of the packages {packages}",
    )
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG or SVG, by the suffix")
    options = parser.parse_args(arguments)
    if not 0 < options.seconds < float("inf"):
        parser.error(f"--seconds: expected a number above 0, got {options.seconds}")
    for name in ("json", "plot"):
        path = getattr(options, name)
        if path is not None and not path.parent.is_dir():
            parser.error(f"--{name}: expected a file in an existing folder, got {path}")
    if options.plot:
        if options.plot.suffix not in (".png", ".svg"):
            parser.error(f"--plot: expected a name ending in .png or .svg, got {options.plot}")
        if importlib.util.find_spec("matplotlib") is None:
            parser.error("--plot needs matplotlib: pip install matplotlib")
    return options


def start(
    task: Task, columns: list[str], unavailable: dict[str, str], stack: ExitStack
) -> list[Worker]:
    """A model's workers after their first steps; who cannot run goes to `unavailable`."""
    running: list[Worker] = []
    for column in columns:
        if column not in unavailable:
            try:
                running.append(Worker(task, column))
                stack.callback(running[-1].stop)
            except Unavailable as reason:
                unavailable[column] = str(reason)
            except LeftOut as reason:
                unavailable[f"{column} on {task.name}"] = str(reason)
    if not running:
        raise Failed("; ".join(f"{name}: {reason}" for name, reason in unavailable.items()))
    return running


def compare(first: Worker, other: Worker) -> dict[str, Any]:
    """How far the losses of one column are from the first one's, relatively; nan if one is."""
    losses = zip(first.losses, other.losses, strict=True)
    worst = max((abs(a - b) / abs(a) for a, b in losses), key=lambda d: (d != d, d))
    return {
        "model": first.task.name,
        "backend": other.column,
        "reference": first.column,
        "difference": worst,
        "agrees": worst <= TOLERANCE,
    }


def report(agreement: list[dict[str, Any]]) -> bool:
    """Say how far the columns agree; whether they all do."""
    if not agreement:
        print("One backend: no other to compare its losses with.")
        return True
    print(
        f"First {CHECKED} losses, largest relative difference (at most {TOLERANCE:g} is allowed):"
    )
    for a in agreement:
        verdict = "" if a["agrees"] else "  DISAGREES"
        pair = f"{a['model']:9} {a['backend']:>6} from {a['reference']}"
        print(f"  {pair}: {a['difference']:.1e}{verdict}")
    if all(a["agrees"] for a in agreement):
        return True
    print("What does not agree is not timed.")
    return False


def measure(running: list[Worker], seconds: float) -> list[dict[str, Any]]:
    """Train on the columns in turn until each has had its seconds and its steps."""
    while waiting := [worker for worker in running if worker.progress(seconds) < 1]:
        for worker in waiting:
            worker.run(min(SLICE, seconds))
    return rows_of(running[0].task, {worker.column: worker.finish() for worker in running})


if __name__ == "__main__":
    sys.exit(main())
