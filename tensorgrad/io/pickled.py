"""PyTorch's zip files read without running anything: an unpickler that knows tensors and plain
containers.

It is Python's own unpickler in Python, whose memory grows with the file only, with every name that
a pickle may ask for replaced by a function of ours.
"""

from __future__ import annotations

import codecs
import io
import math
import pickle
import zipfile
from collections import Counter, OrderedDict
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from numpy.lib.stride_tricks import as_strided

from tensorgrad._tensor import Parameter, Tensor
from tensorgrad.backend import Device
from tensorgrad.errors import SerializationError
from tensorgrad.io.tree import Decoder

DTYPES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "Long": "int64", "Int": "int32",
    "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool", "ComplexFloat": "complex64",
    "ComplexDouble": "complex128", "Untyped": "uint8",
}  # fmt: skip
NAMES = [
    "bool", "uint8", "int8", "int16", "short", "int32", "int", "int64", "long", "float16", "half",
    "bfloat16", "float32", "float", "float64", "double", "complex64", "cfloat", "complex128",
    "cdouble",
]  # fmt: skip
SHORT = {
    "short": "int16", "int": "int32", "long": "int64", "half": "float16", "float": "float32",
    "double": "float64", "cfloat": "complex64", "cdouble": "complex128",
}  # fmt: skip


class Storage(NamedTuple):
    """A block of elements in the file, and where they were."""

    array: Any
    device: str


def dtype_named(name: str) -> Any:
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(SHORT.get(name, name))


def read_pickled(archive: zipfile.ZipFile, name: str, decoder: Decoder) -> Any:
    """The value of the file whose pickle is the entry `name`."""
    folder = name.removesuffix("data.pkl")
    order = folder + "byteorder"
    if order in archive.namelist() and archive.read(order) != b"little":
        raise SerializationError("load: expected numbers in little-endian order, got others")
    return Unpickler(archive, folder, archive.read(name), decoder).load()


InPython: Any = pickle._Unpickler


class Unpickler(InPython):  # type: ignore[misc]
    """The pickle of one file."""

    stack: list[Any]
    dispatch = dict(InPython.dispatch)

    def __init__(
        self, archive: zipfile.ZipFile, folder: str, data: bytes, decoder: Decoder
    ) -> None:
        super().__init__(io.BytesIO(data))
        self.archive = archive
        self.folder = folder
        self.decoder = decoder
        self.storages: dict[str, Storage] = {}
        self.admitted = {
            "collections OrderedDict": ordered,
            "collections Counter": counter,
            "builtins set": plain_set,
            "__builtin__ set": plain_set,
            "builtins frozenset": lambda items=(): frozenset(plain_set(items)),
            "builtins complex": make_complex,
            "__builtin__ complex": make_complex,
            "_codecs encode": encode,
            "torch Size": lambda items=(): tuple(whole(n) for n in items),
            "torch device": device,
            "torch._utils _rebuild_tensor_v2": self.rebuild_tensor,
            "torch._utils _rebuild_parameter": rebuild_parameter,
        }

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in NAMES:
            return dtype_named(name)
        if module in ("torch", "torch.storage") and name.endswith("Storage"):
            kind = name.removesuffix("Storage")
            if kind in DTYPES or kind == "BFloat16":
                return kind
        found = self.admitted.get(f"{module} {name}")
        if found is None:
            raise SerializationError(
                f"load: expected tensors, numbers, strings and containers, got {module}.{name}"
            )
        return found

    def persistent_load(self, pid: Any) -> Storage:
        tag, kind, key, place, count = pid
        if tag != "storage" or not isinstance(kind, str) or not isinstance(key, str):
            raise SerializationError(f"load: expected a storage, got {tag!r}")
        if key not in self.storages:
            dtype = dtype_named(DTYPES.get(kind, "bfloat16"))
            entry = self.archive.getinfo(f"{self.folder}data/{key}")
            if entry.file_size != whole(count) * dtype.itemsize:
                raise SerializationError(
                    f"load: expected {count} elements of {dtype} in storage {key}, got "
                    f"{entry.file_size} bytes"
                )
            array = np.frombuffer(bytearray(self.archive.read(entry)), dtype)
            self.storages[key] = Storage(array, str(place))
        return self.storages[key]

    def rebuild_tensor(
        self,
        storage: Any,
        offset: Any,
        size: Any,
        stride: Any,
        requires_grad: Any = False,
        hooks: Any = None,
        metadata: Any = None,
    ) -> Tensor:
        """The tensor of some elements of a storage; tensors of one storage share its memory."""
        if not isinstance(storage, Storage) or len(size) != len(stride):
            raise SerializationError("load: expected a storage, a size and its strides, got others")
        shape = tuple(whole(n) for n in size)
        steps = tuple(whole(n) for n in stride)
        last = whole(offset) + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
        if 0 not in shape and last >= storage.array.size:
            raise SerializationError(
                f"load: expected a tensor within its {storage.array.size} elements, got shape "
                f"{list(shape)} with strides {list(steps)} from {offset}"
            )
        if math.prod(shape) > storage.array.size:  # expanded: its memory would be many tensors'
            raise SerializationError(
                f"load: expected at most {storage.array.size} elements, got shape {list(shape)}"
            )
        itemsize = storage.array.itemsize
        if 0 in shape:
            array = np.empty(shape, storage.array.dtype)
        else:
            strides = tuple(step * itemsize for step in steps)
            array = as_strided(storage.array[offset:], shape, strides)
        tensor = self.decoder.tensor(array, storage.device)
        return tensor.requires_grad_() if requires_grad is True else tensor

    def load_build(self) -> None:
        """Attributes: an OrderedDict may have some (`_metadata` of a state_dict), nothing else."""
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, OrderedDict) or not isinstance(state, dict):
            raise SerializationError(
                f"load: expected plain values, got the state of a {type(target).__name__}"
            )

    dispatch[pickle.BUILD[0]] = load_build


def whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise SerializationError(f"load: expected a count, got {value!r}")
    return value


def ordered(items: Any = ()) -> Any:
    pairs = [(key, value) for key, value in items]
    return OrderedDict(pairs)


def counter(items: Any = None) -> Any:
    return Counter({key: whole(count) for key, count in (items or {}).items()})


def plain_set(items: Any = ()) -> set[Any]:
    if not isinstance(items, list | tuple):
        raise SerializationError(f"load: expected a list of items, got {type(items).__name__}")
    return set(items)


def make_complex(real: Any, imag: Any) -> complex:
    return complex(float(real), float(imag))


def encode(text: Any, encoding: Any) -> bytes:
    """How a pickle of protocol 2 holds bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise SerializationError(f"load: expected text in latin1, got {encoding!r}")
    return codecs.encode(text, "latin1")


def device(kind: Any, index: Any = None) -> Device:
    return Device(str(kind) if index is None else f"{kind}:{whole(index)}")


def rebuild_parameter(data: Any, requires_grad: Any = True, hooks: Any = None) -> Any:
    if not isinstance(data, Tensor):
        raise SerializationError(f"load: expected a tensor, got {type(data).__name__}")
    return Parameter(data, requires_grad is True)
