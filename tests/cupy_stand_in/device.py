"""`cupy.cuda`: the machine behind the stand-in, its driver, streams and events."""

from __future__ import annotations

import contextlib
import ctypes
from types import SimpleNamespace
from typing import Any, ClassVar

from tests.cuda_ladder.execution import CompileException
from tests.cupy_stand_in import recorded
from tests.cupy_stand_in.arrays import asked
from tests.cupy_stand_in.cublas import CUBLAS, HANDLE


class CUDARuntimeError(RuntimeError):
    """What the runtime raises."""


class OutOfMemoryError(MemoryError):
    """`cupy.cuda.memory.OutOfMemoryError`, of a request and of what the pool holds."""

    def __init__(self, size: int, total: int) -> None:
        super().__init__(
            f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes)."
        )


OutOfMemoryError.__module__ = "cupy.cuda.memory"


class Driver:
    """The machine behind the stand-in; tests change it to see what is said of a lacking one."""

    version = 13000
    devices = 1
    libraries = True


def _device_count() -> int:
    if Driver.version // 1000 < 13:
        raise CUDARuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
    return Driver.devices


def _library_version() -> tuple[int, int]:
    if not Driver.libraries:
        raise RuntimeError('Failure finding "libnvrtc.so.13"\nand where it was looked for')
    return 13, 0


class Stream:
    """`cupy.cuda.Stream`: what is asked for is done at once, also while a graph is captured, whose
    replays do it again.
    """

    null: Stream
    entered: ClassVar[list[Stream]] = []

    def __init__(self, null: bool = False, non_blocking: bool = False, priority: int = 0) -> None:
        self.ptr = 0 if null else id(self)
        self.done = True

    def synchronize(self) -> None:
        asked["wait"] += 1

    def begin_capture(self, mode: Any = None) -> None:
        if not self.ptr:
            raise CUDARuntimeError("cudaErrorStreamCaptureUnsupported")
        recorded.into = []

    def end_capture(self) -> Graph:
        steps, recorded.into = recorded.into, None
        return Graph(steps)

    def is_capturing(self) -> bool:
        return recorded.into is not None

    def wait_event(self, event: Event) -> None:
        assert event.stream is not None

    def __enter__(self) -> Stream:
        Stream.entered.append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        Stream.entered.remove(self)


Stream.null = Stream(null=True)


class Graph:
    """`cupy.cuda.Graph`: each step is done again, its result where it was."""

    def __init__(self, steps: Any) -> None:
        self.steps = steps

    def launch(self, stream: Stream | None = None) -> None:
        for step in self.steps:
            step()


class MemoryPool:
    """`cupy.cuda.MemoryPool`."""

    def malloc(self, size: int) -> Any:
        raise AssertionError("arrays are NumPy's")


class Event:
    """`cupy.cuda.Event`."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self.timed = not disable_timing
        self.stream: Stream | None = None
        self.done = True

    def record(self, stream: Stream) -> None:
        self.stream = stream

    def synchronize(self) -> None:
        asked["wait"] += 1


def _elapsed_time(start: Event, end: Event) -> float:
    assert start.timed
    assert end.timed
    assert start.stream is not None
    assert end.stream is not None
    return 0.5


def _pinned_memory(size: int) -> Any:
    """`cupy.cuda.alloc_pinned_memory`: a buffer with an address."""
    kind = type("PinnedMemoryPointer", (ctypes.c_char * size,), {"ptr": property(ctypes.addressof)})
    return kind()


runtime = SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    getDeviceCount=_device_count,
    driverGetVersion=lambda: Driver.version,
    runtimeGetVersion=lambda: 13020,
    memGetInfo=lambda: (1 << 30, 80 << 30),
    CUDA_R_32F=0,
    CUDA_R_16F=2,
    CUDA_R_16BF=14,
    CUDA_R_64F=1,
)
cuda = SimpleNamespace(
    runtime=runtime,
    compiler=SimpleNamespace(CompileException=CompileException),
    nvrtc=SimpleNamespace(getVersion=_library_version),
    memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    cublas=SimpleNamespace(getVersion=_library_version, **CUBLAS),
    device=SimpleNamespace(get_cublas_handle=lambda: HANDLE),
    Stream=Stream,
    Event=Event,
    MemoryPool=MemoryPool,
    using_allocator=lambda allocator=None: contextlib.nullcontext(),
    alloc_pinned_memory=_pinned_memory,
    get_current_stream=lambda: (Stream.entered or [Stream.null])[-1],
    get_elapsed_time=_elapsed_time,
    Device=lambda device=None: SimpleNamespace(id=0, synchronize=Stream.null.synchronize),
)
