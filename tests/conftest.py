"""What tests start from: known random numbers; and a backend, a CuPy, a server where they ask."""

import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import tensorgrad as tg
from tensorgrad import backend as choice
from tensorgrad.kernels.cuda import loader
from tests.cuda_ladder import execution
from tests.cupy_stand_in import MODULES
from tests.cupy_stand_in.device import Driver
from tests.file_server import Server

CPU_BACKENDS = ("numpy", "numba")
LIBRARIES = ["tensorgrad", "torch"] if importlib.util.find_spec("torch") else ["tensorgrad"]


@pytest.fixture(params=CPU_BACKENDS)
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs once on each backend of the CPU, by name."""
    with tg.use_backend(request.param):
        yield request.param


@pytest.fixture(autouse=True, scope="session")
def _one_thread_a_process_of_several() -> None:
    # Threads of OpenBLAS that wait for each other while others have their core take seconds a step.
    if "PYTEST_XDIST_WORKER" in os.environ:
        threadpool_limits(1, user_api="blas")


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


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[Driver]:
    """`import cupy` gives the stand-in; what the machine has can be changed for the test."""
    for name, module in MODULES.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(choice, "_loaded", {})
    for name in ("version", "devices", "libraries"):
        monkeypatch.setattr(Driver, name, getattr(Driver, name))
    if execution.COMPILER is None:  # no dtype is served by a kernel: ops are composed
        for types in (loader.C_TYPES, loader.INDEX_TYPES):
            for char in list(types):
                monkeypatch.delitem(types, char)
    return Driver


@pytest.fixture
def cuda(stand_in: Any) -> Iterator[Any]:
    """Inside, "cupy" is chosen, and NumPy computes on the CPU."""
    with tg.use_backend("numpy"), tg.use_backend("cupy"):
        yield tg.get_backend()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A running server of files; what it serves can be changed for the test."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    found = Server()
    thread = threading.Thread(target=found.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield found
    found.stop.set()
    found.shutdown()
    found.server_close()
    thread.join()
