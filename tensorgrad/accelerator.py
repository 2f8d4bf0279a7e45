"""The device that is not the CPU, if there is one: https://docs.pytorch.org/docs/stable/accelerator.html.

It is the GPU of `tensorgrad.cuda`.
"""

from __future__ import annotations

from typing import Any

from tensorgrad import cuda
from tensorgrad.backend import Device

__all__ = [
    "current_accelerator",
    "current_device_index",
    "device_count",
    "is_available",
    "set_device_index",
    "synchronize",
]

is_available = cuda.is_available
device_count = cuda.device_count
current_device_index = cuda.current_device
synchronize = cuda.synchronize


def current_accelerator(check_available: bool = False) -> Device | None:
    """The device "cuda" where there is a usable GPU, else None."""
    return Device("cuda") if is_available() else None


def set_device_index(device: Any) -> None:
    """Choose the one GPU there is; a device with another number raises BackendError."""
    cuda.set_device(device)
