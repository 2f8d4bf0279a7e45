"""Python values as JSON, their tensors as named arrays beside it; and back.

JSON's own values stand for themselves; all else is an object of one key, its kind: {"tuple":
[...]}. Knows the kinds of values; files are in tensorgrad/io/__init__.py.
"""

from __future__ import annotations

import base64
import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorgrad._tensor import Parameter, Tensor
from tensorgrad.backend import Device, backend_for
from tensorgrad.errors import BackendError, SerializationError
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Buffer, TransientBuffer
from tensorgrad.ops.creation import as_tensor

Place = str | Device | dict[str, str] | Callable[[Any, str], Any] | None
ROLES: dict[str, type] = {"parameter": Parameter, "buffer": Buffer, "transient": TransientBuffer}
SEQUENCES: dict[str, Any] = {"tuple": tuple, "set": set, "frozenset": frozenset}
MAPPINGS: dict[str, type] = {"dict": dict, "ordered": OrderedDict, "counter": Counter}


class Encoder:
    """Encodes one value; `arrays` are its tensors by name."""

    def __init__(self) -> None:
        self.arrays: dict[str, Any] = {}
        self.names: dict[int, str] = {}  # of tensors that have been met
        self.inside: set[int] = set()  # containers that are being encoded

    def encode(self, value: Any, path: str) -> Any:
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, Tensor):
            return {"tensor": self.of_tensor(value, path)}
        if isinstance(value, np.ndarray | np.generic):
            return self.of_numpy(value, path)
        if isinstance(value, np.dtype):
            return {"dtype": value.name}
        if isinstance(value, Device):
            return {"device": str(value)}
        if isinstance(value, complex):
            return {"complex": [self.encode(part, path) for part in (value.real, value.imag)]}
        if isinstance(value, bytes):
            return {"bytes": base64.b64encode(value).decode()}
        if id(value) in self.inside:
            raise SerializationError(f"save: expected values without cycles, got one at {path!r}")
        self.inside.add(id(value))
        try:
            return self.of_container(value, path)
        finally:
            self.inside.discard(id(value))

    def of_container(self, value: Any, path: str) -> Any:
        if isinstance(value, Module):
            return {"module": self.of_module(value, path)}
        if isinstance(value, list):
            return [self.encode(item, beneath(path, i)) for i, item in enumerate(value)]
        if isinstance(value, dict):
            kind = next((k for k, cls in MAPPINGS.items() if type(value) is cls), "dict")
            pairs = [
                [self.encode(key, path), self.encode(item, beneath(path, key))]
                for key, item in value.items()
            ]
            return {kind: pairs}
        for kind, cls in SEQUENCES.items():
            if isinstance(value, cls):
                items: list[Any] = [*value]
                if kind != "tuple":
                    items.sort(key=repr)  # equal sets make equal files
                return {kind: [self.encode(x, beneath(path, i)) for i, x in enumerate(items)]}
        raise SerializationError(
            "save: expected tensors, modules, numbers, strings, bytes, None, and dicts, lists, "
            f"tuples and sets of them, got {type(value).__name__} at {path or 'the top'!r}"
        )

    def of_tensor(self, tensor: Tensor, path: str) -> Any:
        if id(tensor) in self.names:  # shared weights stay shared
            return self.names[id(tensor)]
        if not tensor.is_leaf:
            tensor = tensor.detach()
        name = self.add(tensor.detach()._on_host(), path)
        self.names[id(tensor)] = name
        details: dict[str, Any] = {}
        if tensor.requires_grad:
            details["requires_grad"] = True
        if str(tensor.device) != "cpu":
            details["device"] = str(tensor.device)
        role = getattr(tensor, "_role", None)
        if role is not None:
            details["role"] = next(k for k, cls in ROLES.items() if role is cls)
        return [name, details] if details else name

    def of_numpy(self, value: Any, path: str) -> Any:
        if value.dtype.hasobject or value.dtype.names:
            raise SerializationError(
                f"save: expected an array of numbers, got dtype {value.dtype} at {path!r}"
            )
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: self.add(np.asarray(value), path)}

    def add(self, array: Any, path: str) -> str:
        name, number = path or "tensor", 1
        while name in self.arrays or name == "__metadata__":
            number += 1
            name = f"{path or 'tensor'}#{number}"
        self.arrays[name] = np.ascontiguousarray(array).reshape(array.shape)
        return name

    def of_module(self, module: Module, path: str) -> Any:
        attributes = {}
        for name, value in vars(module).items():
            if name in ("_hooks", "_state_hooks") and value is not None:
                raise SerializationError(
                    f"save: expected a module without hooks, got {type(module).__name__} with some"
                )
            try:
                attributes[name] = self.encode(value, beneath(path, name))
            except SerializationError as error:
                raise SerializationError(f"{error}, attribute {name!r} of {type(module)}") from None
        return {"class": class_name(type(module)), "attributes": attributes}


def beneath(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def class_name(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def subclasses(cls: Any) -> Iterator[Any]:
    yield cls
    for below in cls.__subclasses__():
        yield from subclasses(below)


class Decoder:
    """Decodes values; `arrays` are those that came with them."""

    def __init__(self, map_location: Place, weights_only: bool) -> None:
        self.arrays: dict[str, Any] = {}
        self.map_location = map_location
        self.weights_only = weights_only
        self.known: dict[str, Tensor] = {}

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(item) for item in value]
        if not isinstance(value, dict):
            return value
        ((kind, content),) = value.items()
        if kind in MAPPINGS:
            return MAPPINGS[kind]({self.decode(key): self.decode(item) for key, item in content})
        if kind in SEQUENCES:
            return SEQUENCES[kind](self.decode(item) for item in content)
        return getattr(self, f"of_{kind}")(content)

    def of_float(self, content: str) -> float:
        return float(content)

    def of_complex(self, content: list[Any]) -> complex:
        return complex(*[self.decode(part) for part in content])

    def of_bytes(self, content: str) -> bytes:
        return base64.b64decode(content, validate=True)

    def of_dtype(self, content: str) -> Any:
        return np.dtype(content)

    def of_device(self, content: str) -> Device:
        return Device(content)

    def of_array(self, content: str) -> Any:
        return self.arrays[content]

    def of_scalar(self, content: str) -> Any:
        return self.arrays[content][()]

    def of_tensor(self, content: Any) -> Tensor:
        name, details = content if isinstance(content, list) else (content, {})
        if name not in self.known:
            tensor = self.tensor(self.arrays[name], details.get("device", "cpu"))
            if details.get("requires_grad"):
                tensor.requires_grad_()
            if "role" in details:
                tensor._role = ROLES[details["role"]]
            self.known[name] = tensor
        return self.known[name]

    def tensor(self, array: Any, saved: str = "cpu") -> Tensor:
        """A tensor of an array, on the device that `map_location` says."""
        place: Any = self.map_location
        if isinstance(place, dict):
            place = place.get(saved, saved)
        elif callable(place) and not isinstance(place, str | Device):
            placed: Tensor | None = place(as_tensor(array, device="cpu"), saved)
            if placed is not None:
                return placed
            place = None
        if place is None:
            place = saved
            try:
                backend_for(place)
            except BackendError:
                place = "cpu"
        return as_tensor(array, device=place)

    def of_module(self, content: Any) -> Module:
        if self.weights_only:
            raise SerializationError(
                f"load: expected tensors and plain values, got a module, {content['class']!r} "
                "(weights_only=False loads whole modules)"
            )
        wanted = content["class"]
        found = {class_name(cls): cls for cls in subclasses(Module)}.get(wanted)
        if found is None:
            raise SerializationError(
                f"load: expected the class of a module that this program has imported, got "
                f"{wanted!r}"
            )
        module: Any = found.__new__(found)
        for name, value in content["attributes"].items():
            module.__dict__[name] = self.decode(value)
        return module  # type: ignore[no-any-return]
