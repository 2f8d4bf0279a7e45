"""Zip files: NumPy's .npz, and the container of PyTorch's files.

Sizes are held against the file's before memory is taken.
"""

from __future__ import annotations

import io
import math
import zipfile
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from tensorgrad.errors import SerializationError
from tensorgrad.io.tree import Decoder

DESCRIPTOR = 24  # bytes that may follow an entry: its sizes again
MOST_EXPANDED = 1100  # deflate cannot do better: a header that promises more lies


def read_zip(file: IO[bytes]) -> zipfile.ZipFile:
    """The archive, if none of its entries claims more than the file can hold."""
    size = file.seek(0, io.SEEK_END)
    archive = zipfile.ZipFile(file)
    check_gaps(file, archive)
    stored = 0
    for entry in archive.infolist():
        packed = entry.compress_type == zipfile.ZIP_DEFLATED
        if not packed and entry.compress_type != zipfile.ZIP_STORED:
            raise SerializationError(f"load: expected stored or deflated entries, got {entry}")
        limit = entry.compress_size * (MOST_EXPANDED if packed else 1)
        stored += entry.compress_size
        if entry.file_size > limit or stored > size:
            raise SerializationError(
                f"load: expected entries that fit in {size} bytes, got {entry.filename!r} of "
                f"{entry.file_size}"
            )
        if entry.flag_bits & 1:
            raise SerializationError(f"load: expected no encryption, got {entry.filename!r}")
    return archive


def check_gaps(file: IO[bytes], archive: zipfile.ZipFile) -> None:
    """Whether the entries fill the file up to its directory: a damaged directory may name fewer."""
    position = 0
    for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
        if not 0 <= entry.header_offset - position <= DESCRIPTOR:
            break
        file.seek(entry.header_offset + 26)
        lengths = file.read(4)
        name, extra = int.from_bytes(lengths[:2], "little"), int.from_bytes(lengths[2:], "little")
        position = entry.header_offset + 30 + name + extra + entry.compress_size
    if not 0 <= archive.start_dir - position <= DESCRIPTOR:
        raise SerializationError("load: expected a directory of all entries, got a damaged one")


def read_numpy(archive: zipfile.ZipFile, decoder: Decoder) -> dict[str, Any]:
    """{name: tensor} of an .npz file."""
    names = [name for name in archive.namelist() if name.endswith(".npy")]
    if not names or len(names) != len(archive.namelist()):
        raise SerializationError(
            "load: expected a file of PyTorch's (one data.pkl) or NumPy's (.npy entries only), got "
            f"a zip file of {len(archive.namelist())} other entries"
        )
    return {
        name.removesuffix(".npy"): decoder.tensor(read_array(archive.read(name), name))
        for name in names
    }


def read_array(data: bytes, name: str) -> Any:
    """The array of an .npy file in memory."""
    file = io.BytesIO(data)
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise SerializationError(f"load: expected .npy version 1.0 or 2.0, got {version} ({name})")
    shape, fortran, dtype = readers[version](file)
    if dtype.hasobject or dtype.names:
        raise SerializationError(f"load: expected an array of numbers, got {dtype} ({name})")
    rest = len(data) - file.tell()
    if math.prod(shape) * dtype.itemsize != rest:
        raise SerializationError(
            f"load: expected {list(shape)} elements of {dtype}, got {rest} bytes ({name})"
        )
    flat = np.frombuffer(data, dtype.newbyteorder("="), offset=file.tell())
    flat = flat.byteswap() if not dtype.isnative else flat.copy()
    return flat.reshape(shape[::-1]).T if fortran else flat.reshape(shape)
