"""Streams of work on the GPU and events in them: CuPy's, under PyTorch's names.

https://docs.pytorch.org/docs/stable/cuda.html#streams-and-events. Each needs a usable GPU, and
raises BackendError without one.
"""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import backends

__all__ = ["Event", "Stream", "current_stream", "default_stream", "stream"]


def _cuda() -> Any:
    """CuPy's module for the GPU."""
    return backends().on("cuda").xp.cuda


class Stream:
    """Work in the order in which it was asked for, beside that of other streams."""

    def __init__(self, device: Any = None, priority: int = 0) -> None:
        self._stream = _cuda().Stream(non_blocking=True, priority=priority)

    @classmethod
    def _of(cls, known: Any) -> Stream:
        """For a stream of CuPy's."""
        made = cls.__new__(cls)
        made._stream = known
        return made

    @property
    def cuda_stream(self) -> int:
        """CUDA's own handle."""
        return int(self._stream.ptr)

    def query(self) -> bool:
        """Whether all that was asked for is done."""
        return bool(self._stream.done)

    def synchronize(self) -> None:
        """Wait until all that was asked for is done."""
        self._stream.synchronize()
        backends().on("cuda").faults.look()

    def record_event(self, event: Event | None = None) -> Event:
        """Put an event, a new one unless told, behind what was asked for so far."""
        event = Event() if event is None else event
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let what is asked for from now on wait for an event."""
        self._stream.wait_event(event._event)

    def wait_stream(self, stream: Stream) -> None:
        """Let what is asked for from now on wait for what another stream has been asked for."""
        self.wait_event(stream.record_event())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self.cuda_stream == other.cuda_stream

    def __hash__(self) -> int:
        return hash(self.cuda_stream)


class Event:
    """A place in a stream: reached or not, waited for, and with `enable_timing` dated."""

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False
    ) -> None:
        self._event = _cuda().Event(
            block=blocking, disable_timing=not enable_timing, interprocess=interprocess
        )

    def record(self, stream: Stream | None = None) -> None:
        """Put the event behind what the stream, the current one unless told, has been asked for."""
        self._event.record((current_stream() if stream is None else stream)._stream)

    def wait(self, stream: Stream | None = None) -> None:
        """Let the stream, the current one unless told, wait for the event."""
        (current_stream() if stream is None else stream).wait_event(self)

    def query(self) -> bool:
        """Whether all before it is done."""
        return bool(self._event.done)

    def synchronize(self) -> None:
        """Wait until all before it is done."""
        self._event.synchronize()
        backends().on("cuda").faults.look()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this event to another; both with `enable_timing`."""
        return float(_cuda().get_elapsed_time(self._event, end_event._event))


def current_stream(device: Any = None) -> Stream:
    """The stream to which work goes."""
    return Stream._of(_cuda().get_current_stream())


def default_stream(device: Any = None) -> Stream:
    """The stream to which work goes unless told otherwise."""
    return Stream._of(_cuda().Stream.null)


class stream:
    """`with cuda.stream(s):` work goes to the stream s; None changes nothing."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            self.stream._stream.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self.stream is not None:
            self.stream._stream.__exit__(*error)
