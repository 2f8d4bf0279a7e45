"""The backend interface's other half: devices, and the choice of who computes where.

What a backend must offer is written down once, as `tensorgrad.backends.array_backend.ArrayBackend`,
which every built-in backend extends. This module finds backends by name (entry points of the group
`tensorgrad.backends`), keeps the table from array class to backend that ops read, and knows no
array library and no op.
"""

from __future__ import annotations

import importlib
import operator
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

from tensorgrad import modes
from tensorgrad.errors import BackendError

Methods: TypeAlias = dict[str, Callable[..., Any]]
GROUP = "tensorgrad.backends"
BUILT_IN = {  # the same lines as in pyproject.toml, so that a clone works with nothing installed
    "numpy": "tensorgrad.backends.numpy_backend:NumpyBackend",
    "numba": "tensorgrad.backends.numba_backend:NumbaBackend",
    "cupy": "tensorgrad.backends.cupy_backend:CupyBackend",
}
ENVIRONMENT_VARIABLE = "TENSORGRAD_BACKEND"


class Device:
    """Where data lives: a type ("cpu", "cuda") and a number. `tg.device("cuda:0")`,
    `tg.device("cuda", 0)`. Within `with tg.device("cuda"):` new tensors lie there.
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, Device):
            type, index = type.type, type.index
        if not isinstance(type, str):
            raise TypeError(f"device: expected a string, got {type!r}")
        name, colon, number = type.partition(":")
        if colon:
            if index is not None or not number.isdigit():
                raise BackendError(f"device: expected 'cpu', 'cuda' or 'cuda:N', got {type!r}")
            index = int(number)
        if not name.isidentifier():
            raise BackendError(f"device: expected 'cpu', 'cuda' or 'cuda:N', got {type!r}")
        self.type = name
        self.index = index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __enter__(self) -> Device:
        table = Backends(backends())
        table.choose(backend_for(self)[0])
        modes.ModeContext(backends=table).__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        modes.ModeContext().__exit__(*error)

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"


CPU = Device("cpu")

_loaded: dict[str, Any] = {}
_loading = threading.RLock()  # a backend may load another one that it builds on
REQUIRED = ("name", "device_type", "default_device", "array_types")


def _entry_points() -> Any:
    """What installed packages declare."""
    import importlib.metadata  # here, as it takes longer to import than half of this library

    return importlib.metadata.entry_points(group=GROUP)


def backend_names() -> list[str]:
    """Every name that `set_backend` knows: the built-in ones and those of installed packages."""
    found = _entry_points()
    return sorted({*BUILT_IN, *(entry.name for entry in found)})


def load_backend(name: str, asked_by: str = "set_backend") -> Any:
    """The backend called `name`, made at its first use; `asked_by` begins the messages.

    Raises BackendError if there is none of that name, or if it cannot run here; the message then
    says what is missing and the command that installs it.
    """
    with _loading:
        if name not in _loaded:
            _loaded[name] = _make(name, asked_by)
        return _loaded[name]


def _make(name: str, asked_by: str) -> Any:
    target = BUILT_IN.get(name)
    if target is None:
        entries = [e for e in _entry_points() if e.name == name]
        if not entries:
            raise BackendError(f"{asked_by}: expected one of {backend_names()}, got {name!r}")
        target = entries[0].value
    module, _, attribute = target.partition(":")
    try:
        backend = operator.attrgetter(attribute)(importlib.import_module(module))()
    except BackendError:
        raise
    except Exception as error:
        raise BackendError(
            f"{asked_by}: expected {target} to give the backend {name!r}, got "
            f"{type(error).__name__}: {error}"
        ) from error
    return complete(backend, f"{asked_by}: expected the backend {name!r} ({target})")


def complete(backend: Any, expected: str) -> Any:
    """The backend if it has what every one has; else BackendError, begun by `expected`."""
    missing = [part for part in REQUIRED if not hasattr(backend, part)]
    if missing:
        raise BackendError(
            f"{expected} to have {', '.join(REQUIRED)}, got {type(backend).__name__} "
            f"without {', '.join(missing)}"
        )
    return backend


@cache
def methods_of(backend: Any) -> Methods:
    """The backend's methods that ops have called: one dict for all tables that it stands in."""
    return {}


class Backends(dict[type, Any]):
    """The backend for each array class: NumPy's arrays can be served by NumPy or Numba, CuPy's by
    CuPy.

    Starts empty; the first array that is looked up loads its backend, so importing the library
    loads none.
    """

    def __init__(self, parent: Backends | None = None) -> None:
        super().__init__(parent or {})
        # For ops, in plain dicts: the methods that were called so far, by kind of array and name.
        self.kinds: dict[type, Methods] = dict(parent.kinds) if parent else {}
        self.by_device: dict[str, Any] = dict(parent.by_device) if parent else {}
        self.chosen: Any = parent.chosen if parent else None

    def choose(self, backend: Any) -> None:
        """Let `backend` compute on its kind of arrays, and make its device the default."""
        self.install(backend)
        self.chosen = backend

    def install(self, backend: Any) -> None:
        for kind in backend.array_types:
            self[kind] = backend
            self.kinds[kind] = methods_of(backend)
        self.by_device[backend.device_type] = backend

    def method(self, kind: type, name: str) -> Callable[..., Any]:
        """The method called `name` for arrays of this kind, which ops find themselves from now on.

        Binding a method at each call took 30 ns more than looking it up.
        """
        backend = self[kind]
        methods = self.kinds[kind]
        if name not in methods:
            try:
                methods[name] = getattr(backend, name)
            except AttributeError as error:
                if hasattr(backend, "__getattr__"):  # it has words of its own
                    raise
                raise BackendError(
                    f"{name}: expected a backend that has this primitive, got "
                    f"{type(backend).__name__} without"
                ) from error
        return methods[name]

    def default(self) -> Any:
        """The chosen backend, by the environment variable if by nothing else."""
        if self.chosen is None:
            name = os.environ.get(ENVIRONMENT_VARIABLE) or "numba"
            self.choose(load_backend(name, ENVIRONMENT_VARIABLE))
        return self.chosen

    def on(self, device_type: str) -> Any:
        """The backend that computes on devices of this type."""
        self.default()
        backend = self.by_device.get(device_type)
        if backend is None:
            names = {"cpu": "numba", "cuda": "cupy"}
            if device_type not in names:
                known = sorted({*names, *self.by_device})
                raise BackendError(f"device: expected one of {known}, got {device_type!r}")
            backend = load_backend(names[device_type])
            self.install(backend)
        return backend

    def __missing__(self, kind: type) -> Any:
        """An array class seen for the first time."""
        self.default()
        if kind not in self:
            module = kind.__module__.partition(".")[0]
            if module not in ("numpy", "cupy"):
                raise TypeError(f"backend: expected an array, got {kind.__name__}")
            self.on("cpu" if module == "numpy" else "cuda")
        if kind not in self:
            raise TypeError(f"backend: expected an array, got {kind.__name__}")
        return self[kind]


modes.default.take(Backends())


def backends() -> Backends:
    """The table that holds in this thread."""
    table: Backends = modes.current().backends
    return table


def set_backend(backend: str | Any) -> None:
    """Choose who computes, by name ("numpy", "numba", "cupy", or an installed one) or as an object.

    Holds for the whole process, except inside `use_backend`. Tensors stay where they are: NumPy and
    Numba share their arrays, and choosing "cupy" makes "cuda:0" the device of new tensors.
    """
    backends().choose(_named("set_backend", backend))


def _named(caller: str, backend: str | Any) -> Any:
    if isinstance(backend, str):
        return load_backend(backend, caller)
    return complete(backend, f"{caller}: expected a backend")


def get_backend() -> Any:
    """The backend in charge of new tensors."""
    return backends().default()


class use_backend(modes.ModeContext):
    """`with use_backend("numpy"):` as `set_backend`, for this thread and block only."""

    def __init__(self, backend: str | Any) -> None:
        table = Backends(backends())
        table.choose(_named("use_backend", backend))
        super().__init__(backends=table)


def backend_for(device: Any = None) -> tuple[Any, Device]:
    """The backend for a device given as None (the default one), a string, a number or a Device, and
    the device.
    """
    if device is None:
        backend = backends().default()
        return backend, backend.default_device
    if isinstance(device, int):
        device = Device("cuda", device)
    elif not isinstance(device, Device):
        device = Device(device)
    backend = backends().on(device.type)
    return backend, backend.check_device(device)


def set_default_device(device: Any) -> None:
    """Make new tensors lie there; None means the CPU. Chooses the backend of that device."""
    backends().choose(backend_for("cpu" if device is None else device)[0])


def get_default_device() -> Device:
    """Where new tensors lie."""
    return backend_for()[1]
