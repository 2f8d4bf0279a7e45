"""`cupy.ndarray` and `cupy.ufunc` over NumPy: what an array is, shows, refuses and computes."""

from __future__ import annotations

import builtins
from collections import Counter
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

module = ModuleType("cupy")  # filled beside this file: an array asks it for functions by name

SCATTERS = "ilqILQefd"  # dtypes, by their characters, that CuPy's atomic adds know


# What a GPU would have been asked for: "launch" of CuPy's own kernels, each function that computes
# as one, "copy" from the host, and "wait", of the host for the GPU.
asked: Counter[str] = Counter()


def on_host(value: Any) -> Any:
    """What NumPy computes on; an array of NumPy's is refused as CuPy refuses it."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def fresh(host: Any, by: str = "launch") -> ndarray:
    """A result of its own memory; also where NumPy gives a scalar."""
    asked[by] += 1
    result = object.__new__(ndarray)
    result._host = np.array(host)
    result.base = None
    return result


def garbage(shape: Any, dtype: Any) -> np.ndarray:
    host = np.empty(shape, dtype)
    host.reshape(-1).view(np.uint8).fill(0xFF)  # NaN
    return host


class MemoryPointer:
    """`cupy.cuda.MemoryPointer`: an address within an allocation."""

    def __init__(self, whole: np.ndarray, ptr: int) -> None:
        self.whole = whole  # one dimension of bytes
        self.mem = SimpleNamespace(ptr=whole.__array_interface__["data"][0], size=whole.nbytes)
        self.ptr = ptr

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.whole, self.ptr + offset)

    @classmethod
    def of(cls, host: np.ndarray) -> MemoryPointer:
        root = host
        while isinstance(root.base, np.ndarray):
            root = root.base
        return cls(root.ravel(order="K").view(np.uint8), host.__array_interface__["data"][0])


class ndarray:
    """`cupy.ndarray`: an array that NumPy cannot read."""

    __slots__ = ("__weakref__", "_host", "base")
    __array_priority__ = 100

    def __init__(self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None):
        if memptr is None:
            self._host = garbage(shape, dtype)
        else:
            start = memptr.ptr - memptr.mem.ptr
            self._host = np.ndarray(shape, dtype, memptr.whole, start, strides)
        self.base: ndarray | None = None

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = {"divide": "true_divide"}.get(function.__name__, function.__name__)
        return getattr(getattr(module, name), method)(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if not hasattr(module, function.__name__):
            return NotImplemented
        return getattr(module, function.__name__)(*args, **kwargs)

    # ---- what it is

    dtype = property(lambda self: self._host.dtype)
    shape = property(lambda self: self._host.shape)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    strides = property(lambda self: self._host.strides)
    nbytes = property(lambda self: self._host.nbytes)
    flags = property(lambda self: self._host.flags)
    data = property(lambda self: MemoryPointer.of(self._host))

    @property
    def real(self) -> ndarray:
        return self._showing(self._host.real)

    @real.setter
    def real(self, value: Any) -> None:
        self._host.real = on_host(value)

    @property
    def imag(self) -> ndarray:
        return self._showing(self._host.imag)

    @imag.setter
    def imag(self, value: Any) -> None:
        self._host.imag = on_host(value)

    def __len__(self) -> int:
        return len(self._host)

    def __repr__(self) -> str:
        return f"cupy.{self._host!r}"

    # ---- reading

    def get(self, stream=None, order="C", out=None, blocking=True):
        asked["wait"] += 1
        return np.array(self._host, order=order)

    def set(self, arr, stream=None):
        asked["copy"] += 1
        self._host[...] = arr

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __float__(self) -> float:
        return float(self.get())

    # ---- views and copies

    def _showing(self, host: Any) -> ndarray:
        """A view where `host` is one."""
        if not np.may_share_memory(host, self._host):
            return fresh(host)
        result = object.__new__(ndarray)
        result._host = host
        result.base = self if self.base is None else self.base
        return result

    def view(self, dtype=None, type=None):
        return self._showing(self._host.view() if dtype is None else self._host.view(dtype))

    def reshape(self, *shape, order="C", copy=None):
        return self._showing(self._host.reshape(*shape, order=order))

    def take(self, indices, axis=None, out=None):
        return module.take(self, indices, axis, out)

    def transpose(self, *axes):
        return self._showing(self._host.transpose(*axes))

    def copy(self, order="C"):
        return fresh(self._host.copy(order))

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        with np.errstate(invalid="ignore"):
            host = self._host.astype(dtype, copy=False)
        return fresh(host) if copy or host is not self._host else self

    def min(self, axis=None, out=None, keepdims=False):
        return fresh(self._host.min(axis=axis, keepdims=keepdims))

    def max(self, axis=None, out=None, keepdims=False):
        return fresh(self._host.max(axis=axis, keepdims=keepdims))

    # ---- indexing

    def _places(self, index: Any) -> tuple[tuple[Any, ...], bool]:
        """An index for NumPy, integer arrays wrapped around; and whether there are arrays in it."""
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(
            module.array(p)._host if isinstance(p, list | np.ndarray) else on_host(p) for p in parts
        )
        arrays = [part for part in parts if isinstance(part, np.ndarray)]
        if not arrays:
            return parts, False
        np.broadcast_shapes(*[part.shape for part in arrays if part.dtype != bool])  # ValueError
        taken = builtins.sum(
            getattr(part, "ndim", 1) if getattr(part, "dtype", None) == np.bool_ else 1
            for part in parts
            if part is not None and part is not Ellipsis
        )
        wrapped, axis = [], 0
        for part in parts:
            if part is Ellipsis:
                axis += self.ndim - taken
            elif isinstance(part, np.ndarray) and part.dtype == bool:
                axis += part.ndim
            elif part is not None:
                if isinstance(part, np.ndarray):
                    if part.size and not self.shape[axis]:
                        raise IndexError("cannot do a non-empty take from an empty axes.")
                    part = part % max(self.shape[axis], 1)
                axis += 1
            wrapped.append(part)
        return tuple(wrapped), True

    def __getitem__(self, index: Any) -> ndarray:
        places, copies = self._places(index)
        found = self._host[places if copies or Ellipsis in places else (*places, Ellipsis)]
        return fresh(found) if copies else self._showing(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        places, copies = self._places(index)
        if isinstance(value, np.ndarray):
            if not copies and value.ndim:
                raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
            value = module.array(value)
        asked["launch"] += 1
        with np.errstate(invalid="ignore"):
            self._host[places] = on_host(value)


class ufunc:
    """`cupy.ufunc` over one of NumPy's."""

    def __init__(self, name: str, compute: Any = None) -> None:
        self.name = f"cupy_{name}"
        self.compute = compute or getattr(np, name)

    def __call__(self, *args: Any, out: Any = None, casting: str = "same_kind", dtype: Any = None):
        hosts = [on_host(arg) for arg in args]
        with np.errstate(all="ignore"):
            if out is None:
                found = self.compute(*hosts, **({} if dtype is None else {"dtype": dtype}))
                return tuple(map(fresh, found)) if isinstance(found, tuple) else fresh(found)
            asked["launch"] += 1
            (target,) = out if isinstance(out, tuple) else (out,)
            self.compute(*hosts, out=on_host(target), casting=casting)
        return target

    def reduce(self, array, axis=0, dtype=None, out=None, keepdims=False):
        if self.name not in ("cupy_add", "cupy_multiply"):
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return fresh(self.compute.reduce(on_host(array), axis=axis, dtype=dtype, keepdims=keepdims))

    def at(self, a, indices, b=None):
        if self.name != "cupy_add":
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        if a.dtype.char not in SCATTERS:
            raise TypeError("cupy.add.at only supports int32, int64, float16, float32, float64")
        asked["launch"] += 1
        places, _ = a._places(indices)
        value = module.array(b) if isinstance(b, np.ndarray) else b
        np.add.at(a._host, places, on_host(value).astype(a.dtype))


def _operator(name: str, in_place: bool = False, reflected: bool = False) -> Any:
    def method(self: ndarray, *others: Any) -> Any:
        if others and not isinstance(
            others[0], ndarray | np.ndarray | np.generic | complex | float | int
        ):
            return NotImplemented
        operands = (*others, self) if reflected else (self, *others)
        return getattr(module, name)(*operands, **({"out": self} if in_place else {}))

    return method


OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "matmul": "matmul",
}
for _short, _name in OPERATORS.items():
    setattr(ndarray, f"__{_short}__", _operator(_name))
    setattr(ndarray, f"__r{_short}__", _operator(_name, reflected=True))
    if _short != "matmul":
        setattr(ndarray, f"__i{_short}__", _operator(_name, in_place=True))
COMPARISONS = {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}
for _short, _name in COMPARISONS.items():
    setattr(ndarray, f"__{_short}__", _operator(_name))
for _short, _name in {"neg": "negative", "abs": "absolute", "invert": "invert"}.items():
    setattr(ndarray, f"__{_short}__", _operator(_name))
ndarray.__hash__ = None  # type: ignore[assignment]
ndarray.__module__ = "cupy"
