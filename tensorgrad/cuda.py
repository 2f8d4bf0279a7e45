"""What programs ask about the GPU, under PyTorch's names.

https://docs.pytorch.org/docs/stable/cuda.html. Knows the backend's name and nothing of CuPy.
"""

from __future__ import annotations

from tensorgrad.backend import backends, load_backend
from tensorgrad.errors import BackendError


def is_available() -> bool:
    """Whether tensors can live on "cuda" here: CuPy, a driver and a GPU are there."""
    return device_count() > 0


def device_count() -> int:
    """How many CUDA devices tensors can live on: 1, or 0 where there is no usable GPU.

    A process computes on one GPU; the environment variable CUDA_VISIBLE_DEVICES chooses it.
    """
    try:
        load_backend("cupy")
    except BackendError:
        return 0
    return 1


def synchronize() -> None:
    """Wait until the GPU has done all that was asked of it. BackendError without a usable GPU."""
    backends().on("cuda").synchronize()
