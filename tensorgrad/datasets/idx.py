"""The IDX file format of MNIST and its relatives. Knows bytes and NumPy, not what the data mean.

Format: http://yann.lecun.com/exdb/mnist/ (two zero bytes, a type code, the number of dimensions,
each dimension as a big-endian uint32, then the values, big-endian, in C order).
"""

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMENSIONS = 8
# Deflate cannot expand by more than this, so a size above it is a lie of the header.
_MAX_GZIP_RATIO = 1032


def read_idx(path: str | os.PathLike[str]) -> np.ndarray[Any, Any]:
    """Read one IDX file, gzip-compressed or not (told by its content, not by its name).

    Returns an array of the shape and type that the header states, in native byte order. The
    stated size is compared with the size of the file before anything is allocated.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: not an IDX file, a damaged one, or one with fewer or more values than stated.
    """
    path = Path(path)
    stored_bytes = path.stat().st_size
    with path.open("rb") as raw:
        compressed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not compressed:
            return _read(raw, path, limit=stored_bytes)
        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                # typeshed does not call a GzipFile a BinaryIO.
                return _read(stream, path, limit=stored_bytes * _MAX_GZIP_RATIO)  # type: ignore[arg-type]
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise _error(path, "an intact gzip file", str(error)) from error


def _read(stream: BinaryIO, path: Path, limit: int) -> np.ndarray[Any, Any]:
    magic = stream.read(4)
    known = len(magic) == 4 and magic[:2] == b"\0\0" and magic[2] in _TYPES
    if not known or magic[3] > _MAX_DIMENSIONS:
        expected = f"0x0000, a type code, at most {_MAX_DIMENSIONS} dimensions"
        raise _error(path, expected, f"first bytes 0x{magic.hex()}")
    dimensions = magic[3]
    header = stream.read(4 * dimensions)
    if len(header) != 4 * dimensions:
        raise _error(path, f"{dimensions} dimensions", f"a header of {len(header)} bytes")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    dtype = np.dtype(_TYPES[magic[2]])
    size = math.prod(shape) * dtype.itemsize
    if size > limit:
        raise _error(path, f"{size} bytes for shape {shape}", f"a file of at most {limit} bytes")
    # One byte more than needed tells a file with a tail from one that ends where it should, and
    # makes GzipFile check its checksum.
    values = stream.read(size + 1)
    if len(values) != size:
        more = "more than " if len(values) > size else ""
        got = f"{more}{min(len(values), size)} bytes"
        raise _error(path, f"{size} bytes for shape {shape}", got)
    return np.frombuffer(values, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def _error(path: Path, expected: str, got: str) -> ValueError:
    return ValueError(f"read_idx: expected {expected}, got {got} in {path}")
