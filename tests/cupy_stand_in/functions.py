"""The functions of CuPy's modules, with CuPy's signatures, over NumPy's."""

from __future__ import annotations

import builtins
import contextlib
from types import SimpleNamespace
from typing import Any

import numpy as np

from tensorgrad.backends.special_primitives import SpecialPrimitives
from tests.cupy_stand_in.arrays import asked, fresh, ndarray, on_host, ufunc


def as_on_a_gpu(host):
    """The same numbers in memory that begins at a multiple of 512 bytes."""
    memory = np.empty(host.nbytes + 512, np.uint8)
    start = -memory.ctypes.data % 512
    found = memory[start : start + host.nbytes].view(host.dtype).reshape(host.shape)
    found[...] = host
    return found


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    if isinstance(obj, ndarray):
        return fresh(np.array(obj._host, dtype))
    return fresh(as_on_a_gpu(np.array(obj, dtype)), "copy")


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


def unique(
    ar,
    return_index=False,
    return_inverse=False,
    return_counts=False,
    axis=None,
    *,
    equal_nan=True,
):
    asked["wait"] += 1  # for how many there are
    found = np.unique(
        ar._host, return_index, return_inverse, return_counts, axis, equal_nan=equal_nan
    )
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
    asked["wait"] += 1  # for how many there are
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


fft = SimpleNamespace(fftn=fftn, ifftn=ifftn, rfftn=rfftn, irfftn=irfftn)


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
linalg = SimpleNamespace(
    LinAlgError=np.linalg.LinAlgError,
    **{name: _decomposition(name) for name in DECOMPOSITIONS},
)

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


reference = SpecialPrimitives()
reference.xp = np


def special_function(name: str) -> ufunc:
    """CuPy's special functions: single stays single, everything else becomes double, half too."""

    def compute(x: Any) -> Any:
        exact = getattr(reference, name)(np.asarray(x, np.float64))
        return exact.astype(np.float32 if x.dtype == np.float32 else np.float64)

    return ufunc(name, compute)
