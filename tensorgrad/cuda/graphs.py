"""Graphs of launches: what a GPU was asked for, captured once and replayed as one launch.

https://docs.pytorch.org/docs/stable/cuda.html#graphs. A replay works on the memory of the capture:
new inputs are written into the tensors that were captured (`copy_`), results are read from those
that the captured code made. Each replay draws other random numbers, as the code itself would.
Nothing may be captured that the host must do anew each time: waiting for the GPU, copies from the
host, draws of a generator that is not the default one, and steps of the optimizers whose steps the
host counts (ASGD, NAdam, RAdam, Adafactor, and any with fused=False) raise RuntimeError. Kernels
are compiled before a capture, by running the code a few times on its stream. Each needs a usable
GPU, and raises BackendError without one.
"""

from __future__ import annotations

from typing import Any

from tensorgrad.backend import backends
from tensorgrad.cuda.streams import Stream, current_stream, stream
from tensorgrad.random import default_generator

__all__ = ["CUDAGraph", "graph", "is_current_stream_capturing"]


class CUDAGraph:
    """A captured piece of work. Its memory is a pool of its own, which it keeps."""

    def __init__(self) -> None:
        self._backend = backends().on("cuda")
        self._graph: Any = None
        self._pool: Any = None
        self._held: list[Any] = []
        self._allocator: Any = None
        self._draws: Any = None
        self._continues = False  # the draws of another graph, which is replayed before

    def capture_begin(self, pool: Any = None, capture_error_mode: str = "global") -> None:
        """Let the current stream's work go into the graph, not to the GPU. pool: another graph's
        `pool()`, if the two are always replayed in the order in which they were captured. Calls of
        CUDA beside the capture are never errors, whatever the mode: the pool may grow in between.
        """
        if capture_error_mode not in ("global", "thread_local", "relaxed"):
            raise RuntimeError(
                "capture_begin: expected capture_error_mode to be 'global', 'thread_local' or "
                f"'relaxed', got {capture_error_mode!r}"
            )
        if self._graph is not None:
            raise RuntimeError("capture_begin: expected a new graph or a reset one, got a full one")
        cuda = self._backend.xp.cuda
        current = cuda.get_current_stream()
        if current.ptr == 0:
            raise RuntimeError(
                "capture_begin: expected a stream of one's own, got the default one (work on it "
                "cannot be captured)"
            )
        capture = self._backend.capture
        capture.refuse("the capture of another graph")
        if not self._continues:
            self._draws = capture.Draws(*default_generator.position())
        draws = self._draws
        self._held = capture.begin(draws)
        default_generator.go_to(draws.first + draws.blocks)
        self._pool = cuda.MemoryPool() if pool is None else pool
        self._allocator = cuda.using_allocator(self._pool.malloc)
        self._allocator.__enter__()
        try:
            current.begin_capture()
        except BaseException:
            self._leave()
            raise

    def capture_end(self) -> None:
        """End what `capture_begin` began, on the same stream."""
        try:
            self._graph = self._backend.xp.cuda.get_current_stream().end_capture()
        finally:
            self._leave()

    def _leave(self) -> None:
        self._allocator.__exit__(None, None, None)
        self._backend.capture.end()
        draws = self._draws
        draws.blocks = max(draws.blocks, default_generator.position()[1] - draws.first)
        default_generator.go_to(draws.first)  # nothing has been drawn so far

    def replay(self) -> None:
        """Ask the GPU for all of it again, on the current stream."""
        if self._graph is None:
            raise RuntimeError("replay: expected a graph that was captured, got an empty one")
        if self._draws.blocks and not self._continues:
            self._draws.begin_at(*default_generator.draw(4 * self._draws.blocks))
        self._graph.launch()

    def continue_draws(self, of: CUDAGraph) -> None:
        """Before the capture: this graph is replayed after another, whose random numbers it draws
        again, or goes on with.
        """
        self._draws, self._continues = of._draws, True

    def pool(self) -> Any:
        """The memory of the graph, for another one's `capture_begin`."""
        return self._pool

    def reset(self) -> None:
        """Forget what was captured, and its memory."""
        self._graph = self._pool = None
        self._held = []
        if not self._continues:
            self._draws = None


class graph:
    """`with cuda.graph(g):` what is inside goes into the CUDAGraph g, from a stream of its own
    unless told.
    """

    def __init__(
        self,
        cuda_graph: CUDAGraph,
        pool: Any = None,
        stream: Stream | None = None,
        capture_error_mode: str = "global",
    ) -> None:
        self.cuda_graph = cuda_graph
        self.pool = pool
        self.stream = Stream() if stream is None else stream
        self.capture_error_mode = capture_error_mode

    def __enter__(self) -> None:
        backends().on("cuda").synchronize()
        self.entered = stream(self.stream)
        self.entered.__enter__()
        try:
            self.cuda_graph.capture_begin(self.pool, self.capture_error_mode)
        except BaseException:
            self.entered.__exit__()
            raise

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self.cuda_graph.capture_end()
        except Exception:
            if kind is None:  # else the block's own error says why
                raise
        finally:
            if kind is not None:
                self.cuda_graph.reset()
            self.entered.__exit__()


def is_current_stream_capturing() -> bool:
    """Whether work of the current stream goes into a graph."""
    return bool(current_stream()._stream.is_capturing())
