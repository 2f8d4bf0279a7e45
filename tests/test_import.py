"""What `import tensorgrad` brings in, and what it leaves for later."""

import subprocess
import sys


def loaded_after(code):
    """The modules that a fresh interpreter holds after `code`."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_import_loads_no_heavy_library_and_no_layer():
    loaded = loaded_after("import tensorgrad")
    heavy = {"numba", "llvmlite", "cupy", "scipy", "tqdm", "torch", "tensorgrad.nn"}
    assert not heavy.intersection(loaded)


def test_packages_load_when_named_without_a_backend():
    loaded = loaded_after("import tensorgrad as tg; tg.nn, tg.optim, tg.data, tg.datasets")
    assert {"tensorgrad.nn", "tensorgrad.optim", "tensorgrad.data"} <= set(loaded)
    assert not {"numba", "cupy", "scipy", "tqdm"}.intersection(loaded)
