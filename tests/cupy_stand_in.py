"""A CuPy of host memory: the names, signatures and refusals that CupyBackend meets, over NumPy.

It keeps to what CuPy 14 does where that differs from NumPy: arrays of the two never mix, there are
no NumPy scalars, fresh memory holds garbage, indices out of range wrap around, `as_strided` forgets
its base, only `add` and `multiply` reduce, only `add` scatters and not for every dtype.
tests/test_cupy_backend.py compares names and signatures with the real package where that is
installed. It shows nothing of speed, streams or rounding on a device.
"""

from __future__ import annotations

import builtins
import contextlib
import math
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np

from tensorgrad.backends.special_primitives import SpecialPrimitives

SCATTERS = "ilqILQefd"  # dtypes, by their characters, that CuPy's atomic adds know


def on_host(value: Any) -> Any:
    """What NumPy computes on; an array of NumPy's is refused as CuPy refuses it."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def fresh(host: Any) -> ndarray:
    """A result of its own memory; also where NumPy gives a scalar."""
    result = object.__new__(ndarray)
    result._host = np.array(host)
    result.base = None
    return result


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

    __slots__ = ("_host", "base")
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
        return np.array(self._host, order=order)

    def item(self) -> Any:
        return self._host.item()

    def tolist(self) -> Any:
        return self._host.tolist()

    def __bool__(self) -> bool:
        return bool(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

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
        return take(self, indices, axis, out)

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
            array(p)._host if isinstance(p, list | np.ndarray) else on_host(p) for p in parts
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
            value = array(value)
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
        places, _ = a._places(indices)
        value = array(b) if isinstance(b, np.ndarray) else b
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

# ---- the module's functions, with CuPy's signatures


def garbage(shape: Any, dtype: Any) -> np.ndarray:
    host = np.empty(shape, dtype)
    host.reshape(-1).view(np.uint8).fill(0xFF)  # NaN
    return host


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    return fresh(np.array(obj._host if isinstance(obj, ndarray) else obj, dtype))


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    return a if isinstance(a, ndarray) and dtype in (None, a.dtype) else array(a, dtype)


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


def ascontiguousarray(a, dtype=None):
    return a if a.flags.c_contiguous else fresh(np.ascontiguousarray(a._host))


def full(shape, fill_value, dtype=None, order="C"):
    return fresh(np.full(shape, on_host(fill_value), dtype))


def empty(shape, dtype=float, order="C"):
    return ndarray(shape, dtype)


def zeros(shape, dtype=float, order="C"):
    return fresh(np.zeros(shape, dtype))


def zeros_like(a, dtype=None, order="K", subok=None, shape=None):
    return fresh(np.zeros_like(on_host(a), dtype=dtype))


def arange(start, stop=None, step=1, dtype=None):
    start, stop = (0, start) if stop is None else (start, stop)
    return fresh(np.arange(start, stop, step, dtype))


def where(condition, x=None, y=None):
    if not isinstance(condition, ndarray):
        raise TypeError(f"Unsupported type {type(condition)}")
    return fresh(np.where(condition._host, on_host(x), on_host(y)))


def sum(a, axis=None, dtype=None, out=None, keepdims=False):
    return _reduced(_in_single(np.sum), a, axis, keepdims)


def prod(a, axis=None, dtype=None, out=None, keepdims=False):
    return _reduced(_in_single(np.prod), a, axis, keepdims)


def _in_single(function: Any) -> Any:
    """CuPy adds and multiplies half precision in single precision."""

    def reduced(host: np.ndarray, **kwargs: Any) -> Any:
        if host.dtype != np.float16:
            return function(host, **kwargs)
        return function(host.astype(np.float32), **kwargs).astype(np.float16)

    return reduced


def amax(a, axis=None, out=None, keepdims=False):
    return _reduced(np.amax, a, axis, keepdims)


def amin(a, axis=None, out=None, keepdims=False):
    return _reduced(np.amin, a, axis, keepdims)


def any(a, axis=None, out=None, keepdims=False):
    return _reduced(np.any, a, axis, keepdims)


def all(a, axis=None, out=None, keepdims=False):
    return _reduced(np.all, a, axis, keepdims)


def argmax(a, axis=None, dtype=None, out=None, keepdims=False):
    return _reduced(np.argmax, a, axis, keepdims)


def argmin(a, axis=None, dtype=None, out=None, keepdims=False):
    return _reduced(np.argmin, a, axis, keepdims)


def _reduced(function: Any, a: Any, axis: Any, keepdims: bool) -> ndarray:
    if not isinstance(a, ndarray):
        raise TypeError(f"Unsupported type {type(a)}")
    if axis is not None and not a.ndim:  # NumPy lets axis -1 of a 0-d array pass
        raise np.exceptions.AxisError(axis if isinstance(axis, int) else axis[0], 0)
    return fresh(function(a._host, axis=axis, keepdims=keepdims))


def argsort(a, axis=-1, kind=None):
    if not a.ndim:
        raise np.exceptions.AxisError("Sorting arrays with the rank of zero is not supported")
    if kind not in (None, "stable"):
        raise ValueError(f"kind can only be None or 'stable', but got {kind!r}")
    return fresh(np.argsort(a._host, axis=axis, kind="stable"))


def cumsum(a, axis=None, dtype=None, out=None):
    return fresh(np.cumsum(a._host, axis=axis, dtype=dtype))


def cumprod(a, axis=None, dtype=None, out=None):
    return fresh(np.cumprod(a._host, axis=axis, dtype=dtype))


def lexsort(keys):
    if not isinstance(keys, ndarray):
        raise TypeError(f"Unsupported type {type(keys)}")
    return fresh(np.lexsort(keys._host))


def searchsorted(a, v, side="left", sorter=None):
    return fresh(np.searchsorted(a._host, on_host(v), side))


def unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None):
    found = np.unique(ar._host, return_index, return_inverse, return_counts, axis)
    return tuple(map(fresh, found)) if isinstance(found, tuple) else fresh(found)


def take_along_axis(a, indices, axis):
    return fresh(np.take_along_axis(a._host, on_host(indices), axis))


def bincount(x, weights=None, minlength=None):
    if x.dtype.kind == "f":
        raise TypeError("x must be int array")
    return fresh(np.bincount(x._host, on_host(weights), minlength or 0))


def ones(shape, dtype=float, order="C"):
    return fresh(np.ones(shape, dtype))


def tril(m, k=0):
    return fresh(np.tril(m._host, k))


def triu(m, k=0):
    return fresh(np.triu(m._host, k))


def roll(a, shift, axis=None):
    return fresh(np.roll(a._host, shift, axis))


def flip(a, axis=None):
    return a._showing(np.flip(a._host, axis))


def broadcast_to(array, shape):
    return array._showing(np.broadcast_to(array._host, shape))


def concatenate(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    hosts = [on_host(item) for item in tup]
    if not builtins.all(isinstance(item, ndarray) for item in tup):
        raise TypeError("Only cupy arrays can be concatenated")
    return fresh(np.concatenate(hosts, axis))


def stack(tup, axis=0, out=None, *, dtype=None, casting="same_kind"):
    if not builtins.all(isinstance(item, ndarray) for item in tup):
        raise TypeError("Only cupy arrays can be concatenated")
    return fresh(np.stack([item._host for item in tup], axis))


def isin(element, test_elements, assume_unique=False, invert=False):
    return fresh(np.isin(on_host(element), on_host(test_elements), invert=invert))


def may_share_memory(a, b, max_work=None):
    return np.may_share_memory(a._host, b._host)


def nonzero(a):
    return tuple(fresh(found) for found in np.nonzero(a._host))


def take(a, indices, axis=None, out=None):
    if not isinstance(a, ndarray):
        return a.take(indices, axis, out)
    return fresh(np.take(a._host, asarray(indices)._host, axis, mode="wrap"))


def as_strided(x, shape=None, strides=None):
    return ndarray(shape, x.dtype, memptr=x.data, strides=strides)


def fftn(a, s=None, axes=None, norm=None):
    return fresh(np.fft.fftn(a._host, s, axes, norm))


def ifftn(a, s=None, axes=None, norm=None):
    return fresh(np.fft.ifftn(a._host, s, axes, norm))


def rfftn(a, s=None, axes=None, norm=None):
    return fresh(np.fft.rfftn(a._host, s, axes, norm))


def irfftn(a, s=None, axes=None, norm=None):
    return fresh(np.fft.irfftn(a._host, s, axes, norm))


def ones_like(a, dtype=None, order="K", subok=None, shape=None):
    return fresh(np.ones_like(on_host(a), dtype=dtype))


def eye(N, M=None, k=0, dtype=float, order="C"):
    return fresh(np.eye(N, M, k, dtype))


class Reporting:
    """Whether the decompositions say what went wrong: unless asked to, CuPy's do not."""

    faults = False


@contextlib.contextmanager
def errstate(*, divide=None, over=None, under=None, invalid=None, linalg=None):
    before, Reporting.faults = Reporting.faults, linalg == "raise"
    yield
    Reporting.faults = before


def _decomposition(name: str) -> Any:
    """A function of `cupy.linalg`: NaN in place of an error, unless errors are asked for."""
    function = getattr(np.linalg, name)

    def decompose(*args: Any, **kwargs: Any) -> Any:
        hosts = [on_host(arg) for arg in args]
        try:
            found = function(*hosts, **kwargs)
        except np.linalg.LinAlgError:
            if Reporting.faults:
                raise
            found = np.full_like(hosts[-1 if name == "solve" else 0], np.nan)
        return tuple(map(fresh, found)) if isinstance(found, tuple) else fresh(found)

    return decompose


DECOMPOSITIONS = ("cholesky", "det", "eig", "eigh", "inv", "qr", "slogdet", "solve", "svd")

UFUNCS = """
    negative absolute conjugate sign exp expm1 log log1p sqrt sin cos tanh floor ceil rint trunc
    isnan isinf isfinite logical_not invert add subtract multiply true_divide power floor_divide
    remainder fmod arctan2 logaddexp maximum minimum equal not_equal less less_equal greater
    greater_equal logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor
    left_shift right_shift exp2 log2 log10 tan arcsin arccos arctan sinh cosh arcsinh arccosh
    arctanh reciprocal square signbit frexp hypot logaddexp2 copysign nextafter gcd lcm fmax
    fmin
"""
FUNCTIONS = (
    *(array, asarray, asnumpy, ascontiguousarray, full, empty, zeros, zeros_like, arange, where),
    *(sum, prod, amax, amin, any, all, argmax, argmin, argsort, cumsum, flip, broadcast_to),
    *(concatenate, stack, nonzero, take, ones, tril, triu, roll),
    *(ones_like, eye, cumprod, lexsort, searchsorted, unique, take_along_axis, bincount),
    *(isin, may_share_memory),
)


class CUDARuntimeError(RuntimeError):
    """What the runtime raises."""


class Driver:
    """The machine behind the stand-in; tests change it to see what is said of a lacking one."""

    version = 13000
    devices = 1
    libraries = True


def _device_count() -> int:
    if Driver.version // 1000 < 13:
        raise CUDARuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient")
    return Driver.devices


def _library_version() -> tuple[int, int]:
    if not Driver.libraries:
        raise RuntimeError('Failure finding "libnvrtc.so.13"\nand where it was looked for')
    return 13, 0


def _module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(members)
    return made


reference = SpecialPrimitives()
reference.xp = np


def _special(name: str) -> ufunc:
    """CuPy's special functions: single stays single, everything else becomes double, half too."""

    def compute(x: Any) -> Any:
        exact = getattr(reference, name)(np.asarray(x, np.float64))
        return exact.astype(np.float32 if x.dtype == np.float32 else np.float64)

    return ufunc(name, compute)


class Stream:
    """`cupy.cuda.Stream`: what is asked for is done at once."""

    null: Stream
    entered: ClassVar[list[Stream]] = []

    def __init__(self, null: bool = False, non_blocking: bool = False, priority: int = 0) -> None:
        self.ptr = 0 if null else id(self)
        self.done = True

    def synchronize(self) -> None: ...

    def wait_event(self, event: Event) -> None:
        assert event.stream is not None

    def __enter__(self) -> Stream:
        Stream.entered.append(self)
        return self

    def __exit__(self, *error: Any) -> None:
        Stream.entered.remove(self)


Stream.null = Stream(null=True)


class Event:
    """`cupy.cuda.Event`."""

    def __init__(
        self, block: bool = False, disable_timing: bool = False, interprocess: bool = False
    ) -> None:
        self.timed = not disable_timing
        self.stream: Stream | None = None
        self.done = True

    def record(self, stream: Stream) -> None:
        self.stream = stream

    def synchronize(self) -> None: ...


def _elapsed_time(start: Event, end: Event) -> float:
    assert start.timed
    assert end.timed
    assert start.stream is not None
    assert end.stream is not None
    return 0.5


runtime = SimpleNamespace(
    CUDARuntimeError=CUDARuntimeError,
    getDeviceCount=_device_count,
    driverGetVersion=lambda: Driver.version,
    runtimeGetVersion=lambda: 13020,
)
module = _module(
    "cupy",
    ndarray=ndarray,
    ufunc=ufunc,
    uint32=np.uint32,
    uint64=np.uint64,
    matmul=ufunc("matmul"),
    lib=SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=as_strided)),
    pi=math.pi,
    result_type=np.result_type,
    linalg=SimpleNamespace(
        LinAlgError=np.linalg.LinAlgError,
        **{name: _decomposition(name) for name in DECOMPOSITIONS},
    ),
    fft=SimpleNamespace(fftn=fftn, ifftn=ifftn, rfftn=rfftn, irfftn=irfftn),
    cuda=SimpleNamespace(
        runtime=runtime,
        nvrtc=SimpleNamespace(getVersion=_library_version),
        cublas=SimpleNamespace(getVersion=_library_version),
        Stream=Stream,
        Event=Event,
        get_current_stream=lambda: (Stream.entered or [Stream.null])[-1],
        get_elapsed_time=_elapsed_time,
        Device=lambda device=None: SimpleNamespace(id=0, synchronize=lambda: None),
    ),
    **{name: ufunc(name) for name in UFUNCS.split()},
    **{function.__name__: function for function in FUNCTIONS},
)
special = _module(
    "cupyx.scipy.special",
    erf=_special("erf"),
    erfc=_special("erfc"),
    erfinv=_special("erfinv"),
    gammaln=_special("lgamma"),
    digamma=_special("digamma"),
)
scipy = _module("cupyx.scipy", special=special)
cupyx = _module("cupyx", errstate=errstate, scipy=scipy)
MODULES = {"cupy": module, "cupyx": cupyx, "cupyx.scipy": scipy, "cupyx.scipy.special": special}
