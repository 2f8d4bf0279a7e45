"""`python -m bench` from its options to its exit status, with a backend of the test's own."""

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack

import pytest

import tensorgrad as tg
from bench import __main__ as bench
from bench import overhead
from bench.measure import LeftOut, Training, Unavailable
from bench.models import TASKS
from bench.table import add_speed_ups, against, rows_of, table
from bench.workloads import ALL

PACKAGE = """
from tensorgrad.backends.numpy_backend import NumpyBackend
from tensorgrad.errors import BackendError


class Wrong(NumpyBackend):
    name = "wrong"

    def matmul(self, input, other):
        return super().matmul(input, other) * input.dtype.type(1.01)


class Broken(NumpyBackend):
    name = "broken"

    def matmul(self, input, other):
        raise RuntimeError("no matrix product today")


class Absent(NumpyBackend):
    def __init__(self):
        raise BackendError("absent: expected an abacus, got none")
"""
ENTRY_POINTS = "".join(
    f"{name} = bench_backends:{name.capitalize()}\n" for name in ("wrong", "broken", "absent")
)
RESULT_TYPES = {
    "model": str,
    "backend": str,
    "step_min": float,
    "step_median": float,
    "first_step": float,
    "unit": str,
    "units_per_second": float,
    "peak_memory": int,
    "device_memory": type(None),  # of GPUs
    "transfer": type(None),
    "figure": str,
    "held_out": float,
    "steps_before_held_out": int,
    "steps_timed": int,
    "speed_up": float,
}


@pytest.fixture(autouse=True)
def backends(tmp_path, monkeypatch):
    """Three installed backends that the library knows nothing of; children inherit the path."""
    (tmp_path / "bench_backends.py").write_text(PACKAGE)
    info = tmp_path / "bench_backends-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench_backends\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[tensorgrad.backends]\n{ENTRY_POINTS}")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_short_run(tmp_path, capfd):
    path = tmp_path / "results.json"
    options = ["--model", "mlp", "--backend", "numpy", "numba", "absent"]
    assert bench.main([*options, "--seconds", "0.05", "--json", str(path)]) == 0
    out = capfd.readouterr().out
    assert "absent: cannot run here: absent: expected an abacus, got none\n" in out
    assert "accuracy after" in out
    document = json.loads(path.read_text())
    assert document["unavailable"] == {"absent": "absent: expected an abacus, got none"}
    assert document["machine"]["versions"]["numpy"]
    (agreement,) = document["agreement"]
    assert agreement["agrees"]
    assert agreement["backend"] == "numba"
    rows = {row["backend"]: row for row in document["results"]}
    assert list(rows) == ["numpy", "numba"]
    for row in rows.values():
        types = {key: type(value) for key, value in row.items()}
        if row["held_out"] is None:  # a machine too slow for a quarter of the steps in the time
            types["held_out"] = float
        assert types == RESULT_TYPES
        assert 0 < row["step_min"] <= row["step_median"]
        assert row["steps_timed"] > 20
        if row["held_out"] is not None:
            steps = TASKS["mlp"].steps
            assert row["steps_before_held_out"] in [steps // part for part in (1, 2, 4)]
            assert 0.7 < row["held_out"] <= 1
        assert 20e6 < row["peak_memory"] < 2e9
    assert rows["numpy"]["speed_up"] == 1
    # Trained the same number of steps, from the same weights, on the same batches.
    assert rows["numpy"]["steps_before_held_out"] == rows["numba"]["steps_before_held_out"]
    first, second = [rows[name]["held_out"] for name in ("numpy", "numba")]
    assert first == second or first == pytest.approx(second, abs=0.01)


def test_held_out_figures_are_of_the_same_step():
    """A column that was too slow for all its steps is compared where it is."""
    fast = {"times": [0.5, 0.25, 1.0], "held_out": {100: 0.5, 200: 0.6, 400: 0.7}, "memory": None}
    slow = {"times": [8.0], "held_out": {100: 0.4, 200: 0.55}, "memory": 2**20}
    fast |= {"first_step": 2.0, "device_memory": None, "transfer": None}
    slow |= {"first_step": 9.0, "device_memory": 5 * 2**20, "transfer": 0.003}
    rows = rows_of(TASKS["mlp"], {"numpy": fast, "slow": slow})
    add_speed_ups(rows)
    assert [row["steps_before_held_out"] for row in rows] == [200, 200]
    assert [row["held_out"] for row in rows] == [0.6, 0.55]
    assert [row["speed_up"] for row in rows] == [1, 0.0625]
    assert [row["units_per_second"] for row in rows] == [128, 8]
    text = table(rows, {})
    assert "accuracy after 200 steps" in text
    assert "8000.0 ms" in text
    assert "1 MiB" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["batch", "to", "the", "GPU", "-", "3.00", "ms"] in lines
    assert ["peak", "on", "the", "GPU", "-", "5", "MiB"] in lines
    assert "GPU" not in table(rows[:1], {})
    nothing = rows_of(TASKS["mlp"], {"numpy": fast, "slower": slow | {"held_out": {}}})
    assert [row["held_out"] for row in nothing] == [None, None]


def test_the_peer_is_compared_with_our_fastest_backend():
    def result(*times):
        found = {"first_step": 3.0, "times": times, "held_out": {}, "memory": 3 * 2**20}
        return found | {"device_memory": None, "transfer": None}

    rows = rows_of(TASKS["mlp"], {"numpy": result(2.0), "numba": result(0.5, 1.0, 9.0)})
    assert against(rows, "torch") == "torch: nothing to compare with"
    rows += rows_of(TASKS["mlp"], {"torch": result(1.5, 3.0, 3.0)})
    head, line, mean = against(rows, "torch").splitlines()
    assert head.split()[:2] == ["model", "ours"]
    assert line.split()[:2] == ["mlp", "numba"]
    assert line.split()[-2:] == ["3.00", "3.00"]
    assert "geometric mean 3.00, least 3.00" in mean


def test_steps_and_transfers_on_a_gpu_are_timed_by_events(cuda, monkeypatch):
    elapsed = []
    monkeypatch.setattr(tg.cuda.Event, "elapsed_time", lambda *_: elapsed.append(0) or 4.0)
    monkeypatch.setattr(tg.cuda, "max_memory_allocated", lambda: 2**20)
    training = Training(TASKS["mlp"], "cupy")
    training.step()
    assert training.latest == training.first_step == 0.004
    assert training.of_the_device() == {"device_memory": 2**20, "transfer": 0.004}
    assert len(elapsed) == 11


@pytest.mark.parametrize("task", ALL.values(), ids=ALL)
def test_every_workload_is_a_training_step(task):
    """A small batch of it: a finite loss, a gradient for every parameter, an update."""
    count = min(task.batch_size, 2)
    batch = [tg.tensor(array[:count]) for array in task.data(train=False)]
    model = task.model(tg)
    optimizer = task.optimizer(tg, model.parameters())
    optimizer.zero_grad()
    loss = task.loss(tg, model, *batch)
    assert math.isfinite(loss.item())
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    optimizer.step()


def test_backends_that_disagree(capfd):
    assert bench.main(["--model", "mlp", "--backend", "numpy", "wrong"]) == 1
    out = capfd.readouterr().out
    assert "DISAGREES" in out
    assert "What does not agree is not timed." in out
    assert "peak memory" not in out


def test_losses_that_are_no_numbers_disagree():
    class Run:
        task = TASKS["mlp"]
        column = "any"

        def __init__(self, *losses):
            self.losses = losses

    good = Run(2.0, 1.0)
    assert bench.compare(good, Run(2.0, 1.0))["agrees"]
    for bad in (Run(float("nan"), 1.0), Run(2.0, float("nan")), Run(2.0, float("inf"))):
        assert not bench.compare(good, bad)["agrees"]
        assert not bench.compare(bad, good)["agrees"]


def test_a_backend_that_breaks_down(capfd):
    assert bench.main(["--model", "mlp", "--backend", "numpy", "broken"]) == 1
    assert "mlp on broken" in (error := capfd.readouterr().err)
    assert "no matrix product today" in error


def test_no_backend_can_run(capfd):
    assert bench.main(["--model", "mlp", "--backend", "absent"]) == 1
    assert "absent: absent: expected an abacus, got none" in capfd.readouterr().err


def test_every_model_runs_from_the_command_line():
    """All four, on the reference backend, as a user starts it."""
    command = [sys.executable, "-m", "bench", "--backend", "numpy", "--seconds", "0.01"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    for name in TASKS:
        assert f"\n{name} " in done.stdout


def test_torch_starts_from_the_same_weights(capfd):
    pytest.importorskip("torch")
    options = ["--model", "mlp", "--backend", "numpy", "--peer", "torch", "--seconds", "0.01"]
    assert bench.main(options) == 0
    assert "mlp        torch from numpy: " in capfd.readouterr().out


@pytest.mark.parametrize("model", ["mlp-2-16-1", "adam-5m"])
@pytest.mark.parametrize("peer", ["jax", "tinygrad"])
def test_a_peer_with_a_module_of_its_own_starts_from_the_same_weights(peer, model, capfd):
    pytest.importorskip(peer)
    if peer == "tinygrad" and shutil.which(os.environ.get("CC", "clang")) is None:
        pytest.skip("tinygrad needs clang")
    options = ["--model", model, "--backend", "numpy", "--peer", peer, "--seconds", "0.01"]
    assert bench.main(options) == 0
    out = capfd.readouterr().out
    assert f"{peer} from numpy: " in out
    assert f"Minimum steps, {peer} over ours" in out


def test_a_workload_that_a_peer_does_not_have_is_left_out(monkeypatch, capsys):
    """The workload is trained without the peer, and the peer stays for the others."""

    class Run:
        def __init__(self, task, column):
            self.task, self.column, self.losses = task, column, [1.0]
            if (task.name, column) == ("mlp", "jax"):
                raise LeftOut("bench/jax_peer.py has no mlp")

        def stop(self):
            pass

    monkeypatch.setattr(bench, "Worker", Run)
    unavailable = {}
    with ExitStack() as stack:
        found = {
            name: [
                run.column for run in bench.start(ALL[name], ["numpy", "jax"], unavailable, stack)
            ]
            for name in ("mlp", "mlp-2-16-1")
        }
    assert found == {"mlp": ["numpy"], "mlp-2-16-1": ["numpy", "jax"]}
    assert unavailable == {"jax on mlp": "bench/jax_peer.py has no mlp"}


@pytest.mark.parametrize("peer", ["torch", "jax", "tinygrad"])
def test_a_peer_that_is_not_installed(peer, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=rf"{peer} is not installed \(pip install {peer}\)"):
        Training(ALL["mlp-2-16-1"], peer)


def test_tinygrad_without_a_compiler(monkeypatch):
    pytest.importorskip("tinygrad")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Unavailable, match="with clang"):
        Training(ALL["mlp-2-16-1"], "tinygrad")


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_plot(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"plot.{suffix}"
    options = ["--model", "mlp", "--backend", "numpy", "--seconds", "0.01", "--plot", str(path)]
    assert bench.main(options) == 0
    assert path.read_bytes()[:5] in (b"\x89PNG\r", b"<?xml")


def test_plot_without_matplotlib(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="2"):
        bench.main(["--plot", "a.png"])
    assert "pip install matplotlib" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--plot", "a.pdf"], ["--model", "x"], ["--backend", "y"]])
def test_options_that_are_refused(options, capsys):
    with pytest.raises(SystemExit, match="2"):
        bench.main(options)
    assert options[0] in capsys.readouterr().err


@pytest.mark.parametrize("part", ["elementwise", "chain", "mlp_step", "long_chain", "leftovers"])
def test_overhead_finds_its_answers_right(part, monkeypatch):
    """The figures themselves depend on the machine and are not tested."""
    monkeypatch.setattr(overhead, "times", lambda *calls, number: [1.0 for _ in calls])
    for figure in getattr(overhead, part)(None):
        assert figure.measured


def test_nothing_outlives_a_step():
    (figure,) = overhead.leftovers(None)
    assert figure.measured == "0"
