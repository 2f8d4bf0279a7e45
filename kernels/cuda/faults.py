"""Numbers on a GPU that are not as they must be: what kernels report, and the exception that it
becomes.

A kernel that meets one writes to a word of the host's memory (`faults.cuh`) and goes on without it.
Nobody waits for that: the exception is raised when the host next waits for the GPU for another
reason, or at the next check if the word is there by then.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tensorgrad.errors import IndexRangeError
from tensorgrad.kernels.cuda.loader import INDEX_TYPES, kernel, structure

Array = Any

BLOCK = 256  # as in indices.cu
VALUE_BITS = 48  # as in faults.cuh


class Outside(NamedTuple):
    """A number that lies outside [first, end)."""

    op: str
    what: str
    first: int
    end: int
    end_of_sentence: str

    def error(self, wrong: int) -> Exception:
        return IndexRangeError(
            f"{self.op}: expected {self.what} in [{self.first}, {self.end}), got {wrong} "
            f"({self.end_of_sentence.format(wrong)})"
        )


class Untrue(NamedTuple):
    """A condition that does not hold of all elements."""

    sentence: str

    def error(self, wrong: int) -> Exception:
        return RuntimeError(self.sentence)


class Faults:
    """One word that all kernels report to, and the sentences by the codes that it holds."""

    def __init__(self) -> None:
        import cupy

        self.memory = cupy.cuda.alloc_pinned_memory(8)
        self.word = np.frombuffer(self.memory, np.int64, 1)
        self.word[0] = 0
        self.codes: dict[Outside | Untrue, int] = {}

    def report(self, fault: Outside | Untrue) -> Any:
        """What a kernel is given to report this fault with."""
        code = self.codes.get(fault)
        if code is None:
            if len(self.codes) == 2**15 - 1:  # all codes are taken
                self._start_again()
            code = self.codes[fault] = len(self.codes) + 1
        return structure([self.memory.ptr, code], "u8")

    def _start_again(self) -> None:
        import cupy

        cupy.cuda.Device().synchronize()
        self.look()
        self.codes.clear()

    def look(self) -> None:
        """Raise what a kernel has reported by now."""
        word = int(self.word[0])
        if not word:
            return
        self.word[0] = 0
        code, digits = word >> VALUE_BITS, word & (1 << VALUE_BITS) - 1
        wrong = digits - (digits >> VALUE_BITS - 1 << VALUE_BITS)
        raise list(self.codes)[code - 1].error(wrong)

    def check(self, indices: Array, report: Any, first: int, end: int, ignored: int) -> Any:
        """A launch that reports indices outside [first, end) other than those ignored."""
        import cupy

        if not INDEX_TYPES:
            return NotImplemented
        if indices.dtype.char not in INDEX_TYPES:
            indices = indices.astype("i8")
        ready = cupy.ascontiguousarray(indices)
        if ready.size:
            bounds = [np.int64(number) for number in (ready.size, first, end, ignored)]
            function = kernel("indices.cu", "check_indices", ready.dtype.char)
            function((-(-ready.size // BLOCK),), (BLOCK,), (ready, *bounds, report))
        return None
