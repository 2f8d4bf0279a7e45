"""Files: written whole or not at all. Knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from typing import IO

from tensorgrad.errors import SerializationError


def replace_file(path: str | os.PathLike[str], write: Callable[[str], None]) -> None:
    """Let `write(other path)` make a file, then put it in the place of `path` in one step.

    The new file's bytes are on the disk before it gets the name, so that not even a power cut
    leaves half of it. Links are followed; the permissions of a file that was there are kept.
    """
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if os.path.isdir(target):
        raise IsADirectoryError(f"save: expected the path of a file, got the folder {target}")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"save: expected a folder that exists, got {folder}")
    number, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".partial", dir=folder)
    os.close(number)
    try:
        write(temporary)
        os.chmod(temporary, mode_of(target))
        flush(temporary)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # not every system can flush a folder
        flush(folder)


def mode_of(path: str) -> int:
    """The permissions of a file; for a new one those that `open` would give it."""
    try:
        return os.stat(path).st_mode & 0o7777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def flush(path: str) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def read_all(file: IO[bytes]) -> bytes:
    """The rest of a file object."""
    data = file.read()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise SerializationError("load: expected a file opened in binary mode, got one of text")
    return bytes(data)
