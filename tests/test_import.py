"""What `import tensorgrad` brings in, and what it leaves for later."""

import subprocess
import sys

import pytest

import tensorgrad as tg


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


def test_numpys_names_of_arguments():
    """As in PyTorch, `axis` and `keepdims` are names of `dim` and `keepdim`."""
    x = tg.arange(6.0).reshape(2, 3)
    assert x.sum(axis=1).tolist() == [3.0, 12.0]
    assert tg.mean(x, axis=0, keepdims=True).shape == (1, 3)
    assert tg.cat([x, x], axis=1).shape == tg.cat([x, x], 1).shape == (2, 6)
    assert x.max(axis=0).indices.tolist() == [1, 1, 1]
    assert x.unsqueeze(axis=0).shape == (1, 2, 3)
    assert x.clone().cumsum_(axis=1)[1].tolist() == [3.0, 7.0, 12.0]
    with pytest.raises(TypeError):
        x.sum(axes=1)


def test_methods_in_place_are_functions_too():
    x = tg.tensor([1.0, 4.0])
    assert tg.sqrt_(x) is x
    assert x.tolist() == [1.0, 2.0]
    assert tg.detach(x.requires_grad_()).requires_grad is False
