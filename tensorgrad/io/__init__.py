"""Saving and loading: tensors and nested Python values in safetensors files, and PyTorch's and
NumPy's files read.

No file that is read can run code. `save` replaces a file in one step: whoever opens it, at any
moment, finds the old one or the new one whole.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from typing import IO, Any

import numpy as np

from tensorgrad.dtypes import bfloat16
from tensorgrad.errors import SerializationError
from tensorgrad.io.archives import read_numpy, read_zip
from tensorgrad.io.files import read_all, replace_file
from tensorgrad.io.tree import Decoder, Encoder, Place

__all__ = ["load", "save"]

# The format's names of dtypes: https://github.com/huggingface/safetensors#format
DTYPES: dict[str, Any] = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64",
    "U16": "uint16", "U32": "uint32", "U64": "uint64", "F16": "float16", "BF16": bfloat16,
    "F32": "float32", "F64": "float64", "C64": "complex64",
}  # fmt: skip
STRUCTURE, DIGEST = "tensorgrad.structure", "tensorgrad.sha256"
File = str | os.PathLike[str] | IO[bytes]


def save(obj: Any, f: File) -> None:
    """Write `obj` to a path or a file object.

    obj: tensors, modules, numbers, strings, bytes, None, dtypes, devices, NumPy arrays, and dicts,
    lists, tuples and sets of them, nested. The tensors lie in the file by their place in `obj`
    ("model.0.weight"), so that a `state_dict` is a plain safetensors file of its names; the rest is
    JSON in its header. A module is saved as its class's name, its attributes and its tensors.

    Raises SerializationError, before anything is written, for what has no place in a file.
    """
    from safetensors import numpy as safetensors

    encoder = Encoder()
    structure = json.dumps(encoder.encode(obj, ""), separators=(",", ":"))
    header = {STRUCTURE: structure, DIGEST: digest(structure, encoder.arrays)}
    if isinstance(f, str | os.PathLike):
        replace_file(f, lambda path: safetensors.save_file(encoder.arrays, path, header))
    else:
        f.write(safetensors.save(encoder.arrays, header))


def load(
    f: File,
    map_location: Place = None,
    *,
    weights_only: bool = True,
) -> Any:
    """Read what `save` wrote; also any safetensors file, PyTorch's zip files (.pt, .pth) and
    NumPy's .npz.

    map_location: the device for the tensors: one for all, or a dict from saved devices to others;
    or a function of a tensor on the CPU and the name of the saved device that gives the tensor
    where it shall be, or None. None: as saved, or the CPU where that is not there.
    weights_only: refuse whole modules. With False they are made again without their constructors,
    of classes that the program has imported, and of no others.

    Raises SerializationError for a file that is malformed, cut, or of a kind that is not read.
    """
    if not isinstance(f, str | os.PathLike) and not hasattr(f, "read"):
        raise TypeError(f"load: expected a path or a file object, got {type(f).__name__}")
    decoder = Decoder(map_location, weights_only)
    try:
        if isinstance(f, str | os.PathLike):
            with open(f, "rb") as opened:
                start = opened.read(8)
                if not is_archive(start):
                    return of_safetensors(*read_path(os.fspath(f)), decoder)
                return of_archive(opened, decoder)
        data = read_all(f)
        if is_archive(data[:8]):
            return of_archive(io.BytesIO(data), decoder)
        return of_safetensors(*read_bytes(data), decoder)
    except (SerializationError, FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception as error:  # whatever a hostile file provokes has one name
        raise SerializationError(
            f"load: expected a whole, well-formed file, got {error}"
        ) from error


def is_archive(start: bytes) -> bool:
    return start[:4] == b"PK\x03\x04"


def of_archive(file: IO[bytes], decoder: Decoder) -> Any:
    """The value in a zip file of PyTorch's or NumPy's."""
    archive = read_zip(file)
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) == 1:
        from tensorgrad.io.pickled import read_pickled

        return read_pickled(archive, pickles[0], decoder)
    return read_numpy(archive, decoder)


Arrays = dict[str, Any]


def read_path(path: str) -> tuple[Arrays, dict[str, str]]:
    """The arrays and the header of a safetensors file, each array copied from the file's own
    pages.
    """
    from safetensors import safe_open

    with safe_open(path, framework="np") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata() or {}  # noqa: SIM118


def read_bytes(data: bytes) -> tuple[Arrays, dict[str, str]]:
    """The same from memory."""
    from safetensors import deserialize

    arrays = {}
    for name, parts in deserialize(data):  # type: ignore[no-untyped-call] # checks the header
        dtype = np.dtype(DTYPES[parts["dtype"]])
        arrays[name] = np.frombuffer(parts["data"], dtype).reshape(parts["shape"])
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return arrays, header.get("__metadata__", {})


def of_safetensors(arrays: Arrays, header: dict[str, str], decoder: Decoder) -> Any:
    known = {STRUCTURE, DIGEST} & set(header)
    if not known:  # another program's file: tensors by name
        return {name: decoder.tensor(array) for name, array in arrays.items()}
    if len(known) == 1:
        raise SerializationError("load: expected a structure and its digest, got one of them")
    if digest(header[STRUCTURE], arrays) != header[DIGEST]:
        raise SerializationError("load: expected the contents that were saved, got damaged ones")
    decoder.arrays = arrays
    return decoder.decode(json.loads(header[STRUCTURE]))


def digest(structure: str, arrays: Arrays) -> str:
    """SHA-256 of a file's contents: the structure, and each array's name, dtype, shape, bytes."""
    known = hashlib.sha256(structure.encode())
    for name in sorted(arrays):
        array = arrays[name]
        known.update(f"\n{name}\n{array.dtype.name}\n{array.shape}\n".encode())
        known.update(array.reshape(-1).view("uint8"))
    return known.hexdigest()
