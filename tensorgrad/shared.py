"""Arrays in memory that several processes write into.

Each lies in a mapped file of its own (in memory, where the system has a place for such files), by
whose name a process that gets the tensor through `multiprocessing` finds it; a forked one inherits
it. The file goes with the array of the process that made it. Knows arrays, and of tensors only
what `multiprocessing` asks.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np

PLACE = "/dev/shm"  # files there never touch a disk


class Block(mmap.mmap):
    """A mapped file that knows its name."""

    path: str


def _mapped(path: str, size: int) -> Block:
    with open(path, "r+b") as file:
        block = Block(file.fileno(), size)
    block.path = path
    return block


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a process forked from it
        Path(path).unlink(missing_ok=True)


def moved(array: Any) -> Any:
    """A copy of the array in shared memory."""
    size = max(array.nbytes, 1)
    place = PLACE if os.access(PLACE, os.W_OK) else None
    number, path = tempfile.mkstemp(prefix="tensorgrad-", dir=place)
    os.truncate(number, size)
    os.close(number)
    block = _mapped(path, size)
    weakref.finalize(block, _remove, path, os.getpid())
    copy = np.frombuffer(block, array.dtype, array.size).reshape(array.shape)
    copy[...] = array
    return copy


def block_of(array: Any) -> Block | None:
    """The shared memory in which an array lies, or None."""
    owner = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    return owner if isinstance(owner, Block) else None


def attached(path: str, size: int, offset: int, shape: Any, strides: Any, dtype: Any) -> Any:
    """The array that another process has in its shared memory."""
    block = _mapped(path, size)
    return np.ndarray(shape, dtype, block, offset, strides)


def place_of(array: Any) -> tuple[Any, ...] | None:
    """The arguments of `attached` for an array in shared memory; None for another."""
    block = block_of(array)
    if block is None:
        return None
    start = np.frombuffer(block, "uint8").ctypes.data
    offset = array.ctypes.data - start
    return block.path, len(block), offset, array.shape, array.strides, array.dtype


def register(kind: type) -> None:
    """Let `multiprocessing` send tensors of this class, if they are shared, by the name of their
    memory.
    """
    ForkingPickler.register(kind, _reduced)


def _reduced(tensor: Any) -> Any:
    place = place_of(tensor._array)
    function, arguments, *state = tensor.__reduce__()
    if place is not None:
        function, arguments = _rebuilt, (place, function, arguments[1:])
    return function, arguments, *state


def _rebuilt(place: tuple[Any, ...], function: Any, arguments: tuple[Any, ...]) -> Any:
    return function(attached(*place), *arguments)
