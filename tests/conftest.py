"""What every test starts from: a backend to run on, and known random numbers."""

from collections.abc import Iterator

import numpy as np
import pytest

import tensorgrad as tg

CPU_BACKENDS = ("numpy", "numba")


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
