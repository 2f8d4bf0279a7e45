"""What programs ask about the GPU, under PyTorch's names.

https://docs.pytorch.org/docs/stable/cuda.html. A process computes on one GPU, "cuda:0". Without a
usable one the questions are answered truthfully (`is_available()` is False, 0 bytes are allocated),
what needs none does nothing (`empty_cache`, `manual_seed`), and the rest raises BackendError.
"""

from __future__ import annotations

import importlib
from typing import Any

from tensorgrad import random
from tensorgrad.backend import Device, backends, load_backend
from tensorgrad.cuda.graphs import CUDAGraph, graph, is_current_stream_capturing
from tensorgrad.cuda.memory import (
    empty_cache,
    max_memory_allocated,
    max_memory_reserved,
    mem_get_info,
    memory_allocated,
    memory_reserved,
    reset_peak_memory_stats,
)
from tensorgrad.cuda.streams import Event, Stream, current_stream, default_stream, stream
from tensorgrad.errors import BackendError, OutOfMemoryError

__all__ = [
    "CUDAGraph",
    "Event",
    "OutOfMemoryError",
    "Stream",
    "current_device",
    "current_stream",
    "default_stream",
    "device",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "get_rng_state",
    "graph",
    "init",
    "initial_seed",
    "is_available",
    "is_bf16_supported",
    "is_current_stream_capturing",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "max_memory_reserved",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "seed",
    "seed_all",
    "set_device",
    "set_rng_state",
    "stream",
    "synchronize",
]


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


def synchronize(device: Any = None) -> None:
    """Wait until the GPU has done all that was asked of it. BackendError without a usable GPU."""
    _checked(device).synchronize()


def init() -> None:
    """Load what computes on the GPU, which its first use does as well. BackendError without a
    usable GPU.
    """
    load_backend("cupy", "cuda.init")


def is_initialized() -> bool:
    """Whether what computes on the GPU has been loaded."""
    return "cuda" in backends().by_device


# ---- which device


def current_device() -> int:
    """The number of the GPU that computes: 0. BackendError without a usable GPU."""
    init()
    return 0


def set_device(device: Any) -> None:
    """Choose the one GPU there is; a device with another number raises BackendError."""
    _checked(device)


class device:
    """`with cuda.device(0):` chooses the one GPU there is, as `set_device`; a negative number or
    None chooses nothing.
    """

    def __init__(self, device: Any) -> None:
        self.device = device

    def __enter__(self) -> None:
        if self.device is not None and not (isinstance(self.device, int) and self.device < 0):
            set_device(self.device)

    def __exit__(self, *error: Any) -> None:
        pass


def get_device_name(device: Any = None) -> str:
    """The GPU's name, "NVIDIA H100" or the like. BackendError without a usable GPU."""
    runtime = _checked(device).xp.cuda.runtime
    name: bytes = runtime.getDeviceProperties(0)["name"]
    return name.decode()


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """The GPU's compute capability, (9, 0) or the like. BackendError without a usable GPU."""
    properties = _checked(device).xp.cuda.runtime.getDeviceProperties(0)
    return properties["major"], properties["minor"]


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether tensors on the GPU can be bfloat16: wherever there is one, as it is computed in
    float32; without emulation from compute capability 8.0 on.
    """
    return is_available() and (including_emulation or get_device_capability() >= (8, 0))


def _checked(device: Any) -> Any:
    """The backend of the GPU, after a look at the device asked for."""
    backend = backends().on("cuda")
    if device is not None:
        asked = Device("cuda", device) if isinstance(device, int) else Device(device)
        if asked.type != "cuda":
            raise BackendError(f"cuda: expected a CUDA device, got '{asked}'")
        backend.check_device(asked)
    return backend


# ---- random numbers: one generator draws for every device


def manual_seed(seed: int) -> None:
    """As `tensorgrad.manual_seed` where there is a GPU; without one nothing happens."""
    if is_available():
        random.manual_seed(seed)


manual_seed_all = manual_seed


def seed() -> None:
    """As `tensorgrad.seed` where there is a GPU; without one nothing happens."""
    if is_available():
        random.seed()


seed_all = seed


def initial_seed() -> int:
    """The seed of the generator, which is the CPU's as well. BackendError without a usable GPU."""
    init()
    return random.initial_seed()


def get_rng_state(device: Any = "cuda") -> Any:
    """The state of the generator, which is the CPU's as well. BackendError without a usable GPU."""
    _checked(device)
    return random.get_rng_state()


def set_rng_state(new_state: Any, device: Any = "cuda") -> None:
    """Continue from a state that `get_rng_state` gave. BackendError without a usable GPU."""
    _checked(device)
    random.set_rng_state(new_state)


def __getattr__(name: str) -> Any:
    if name == "amp":  # few programs name it; importing it takes time
        return importlib.import_module("tensorgrad.cuda.amp")
    if name == "make_graphed_callables":
        return importlib.import_module("tensorgrad.cuda.graphed").make_graphed_callables
    raise AttributeError(f"module 'tensorgrad.cuda' has no attribute {name!r}")
