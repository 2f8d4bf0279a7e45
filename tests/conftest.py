"""What every test starts from: a backend to run on, and known random numbers."""

import importlib
import importlib.util
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

import tensorgrad as tg

CPU_BACKENDS = ("numpy", "numba")
LIBRARIES = ["tensorgrad", "torch"] if importlib.util.find_spec("torch") else ["tensorgrad"]


@pytest.fixture(params=CPU_BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs once on each backend of the CPU, by name."""
    with tg.use_backend(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def _seed() -> None:
    tg.manual_seed(0)


@pytest.fixture(params=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> np.dtype:
    """The test runs once with each dtype that kernels serve."""
    return np.dtype(request.param)


@pytest.fixture(params=LIBRARIES)
def m(request: pytest.FixtureRequest) -> ModuleType:
    """The test runs once on this library and once on PyTorch: it says what both do."""
    return importlib.import_module(request.param)
