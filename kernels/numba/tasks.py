"""A kernel as tasks: its body is compiled once, as a C function of a task's number, and one small
launcher, the same for all kernels, calls it for every task on all threads.

Numba's own `prange` compiles what it calls four times over; for kernels with tiles in registers
that is most of a minute. The price is a list of addresses and numbers a launch, a few microseconds:
small kernels keep a serial body and a parallel twin.
"""

import ctypes
import hashlib
import inspect
from array import array
from typing import Any

import numba
import numpy as np
from numba import carray, prange  # type: ignore[attr-defined]

from tensorgrad.kernels.numba.addresses import c_function, call, pointer, word
from tensorgrad.kernels.numba.runtime import FAST, can_launch, parallel, serial


@serial
def _one_thread(code, words, tasks):
    for task in range(tasks):
        call(code, (words, task))


@parallel
def _all_threads(code, words, first, tasks):
    for task in prange(tasks):
        call(code, (words, first + task))


@serial
def _rounds(code, words, rounds, tasks):
    for first in range(0, rounds * tasks, tasks):
        _all_threads(code, words, first, tasks)


def part(function: Any) -> Any:
    """A part of a kernel, compiled in its place: a call would compile it on its own first, and once
    more in each caller.
    """
    return numba.njit(inline="always", fastmath=FAST, error_model="numpy")(function)


_address = ctypes.addressof
_first: Any = ctypes.c_char.from_buffer


class Tasks:
    """`kernel(count, *arguments)` runs body(task, *arguments) for each task below `count`.

    `kernel.rounds(rounds, count, *arguments)` runs rounds of `count` tasks, numbered on and on,
    each round when all tasks of the one before have ended. Arguments are C-contiguous arrays,
    integers, and tuples of integers. Each task must write what no other one of its round reads or
    writes; then no result depends on the number of threads.
    """

    def __init__(self, body: Any) -> None:
        self.body = body
        self.compiled: dict[Any, Any] = {}
        self.__doc__ = body.__doc__
        self.__wrapped__ = body

    def __call__(self, count: int, *arguments: Any) -> None:
        self.rounds(1, count, *arguments)

    def rounds(self, rounds: int, count: int, *arguments: Any) -> None:
        kinds: list[Any] = []
        words: list[int] = []
        for value in arguments:
            if type(value) is np.ndarray:
                kinds.append((value.dtype.char, value.ndim))
                # Three times as fast as `ctypes.data`, but not for an array without elements.
                if value.size:
                    address = _address(_first(value))
                else:
                    address = value.ctypes.data
                words.append(address)
                words += value.shape
            elif type(value) is tuple:
                kinds.append(len(value))
                words += value
            else:
                kinds.append("integer")
                words.append(value)
        key = tuple(kinds)
        function = self.compiled.get(key)
        if function is None:
            function = self.compiled[key] = self._compile(key)
        table = array("q", words)  # a third of the time of NumPy's, with the address
        place, _ = table.buffer_info()
        if count > 1 and can_launch():
            _rounds(function.address, place, rounds, count)
        else:
            _one_thread(function.address, place, rounds * count)

    def _compile(self, kinds: tuple[Any, ...]) -> Any:
        """The C function for arguments of these kinds. It keeps the name and file that Numba's disk
        cache files it under, and checks for changes.
        """
        found, place = [], 0
        for kind in kinds:
            if kind == "integer":
                found.append(f"word(words, {place})")
                place += 1
            elif isinstance(kind, int):
                found.append("".join(f"word(words, {place + k}), " for k in range(kind)).join("()"))
                place += kind
            else:
                char, ndim = kind
                shape = "".join(f"word(words, {place + 1 + k}), " for k in range(ndim))
                found.append(f"carray(pointer(word(words, {place}), {char}), ({shape}))")
                place += 1 + ndim
        code = f"def task(words, number):\n    body(number, {', '.join(found)})\n    return 0\n"
        space: dict[str, Any] = {"word": word, "pointer": pointer, "carray": carray}
        space |= {
            "f": np.float32,
            "d": np.float64,
            "i": np.int32,
            "l": np.int64,
            "b": np.int8,
            "__name__": self.body.__module__,
        }
        space["body"] = part(self.body)
        exec(compile(code, inspect.getfile(self.body), "exec"), space)
        function = space["task"]
        digest = hashlib.sha256(repr(kinds).encode()).hexdigest()[:12]
        function.__name__ = function.__qualname__ = f"{self.body.__name__}_{digest}"
        return c_function(2, fastmath=FAST)(function)
