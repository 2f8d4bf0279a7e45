"""The CuPy backend: the reference primitives on an NVIDIA GPU, overridden where CuPy is not NumPy.

What differs: arrays live on a device and mix with NumPy's only through copies; indices outside
their range wrap around in silence, so kernels look for them, and the exception comes when the host
next waits for the GPU (`tensorgrad.kernels.cuda.faults`); some of NumPy's functions are missing, or
do not take what they take there. CuPy is imported when the backend is made. A process computes on
one GPU, "cuda:0"; CUDA_VISIBLE_DEVICES says which one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tensorgrad.backend import Device
from tensorgrad.backends.array_backend import Array, ArrayBackend, Dim
from tensorgrad.backends.cupy_activations import CupyActivations
from tensorgrad.backends.cupy_attention import CupyAttention
from tensorgrad.backends.cupy_losses import CupyLosses
from tensorgrad.backends.cupy_norms import CupyNorms
from tensorgrad.backends.cupy_recurrent import CupyRecurrent
from tensorgrad.backends.cupy_tables import CupyTables
from tensorgrad.backends.cupy_windows import CupyWindows
from tensorgrad.backends.view_primitives import Shape
from tensorgrad.errors import BackendError
from tensorgrad.kernels.cuda import capture, faults, optimizers, random, softmax, words

INSTALL = 'pip install "cupy-cuda13x[ctk]" (or "cupy-cuda12x[ctk]" for a driver older than 580)'


class CupyBackend(
    CupyActivations,
    CupyAttention,
    CupyLosses,
    CupyNorms,
    CupyRecurrent,
    CupyTables,
    CupyWindows,
    ArrayBackend,
):
    name = "cupy"
    device_type = "cuda"
    default_device = Device("cuda", 0)
    # Whose kernels compute numbers of 16 bits in float32; for other ops they are converted before.
    widens = frozenset(("attention", "gelu", "gelu_tanh", "log_softmax", "silu", "softmax"))

    def __init__(self) -> None:
        cupy = usable_cupy()
        super().__init__(cupy)
        self.array_types = (cupy.ndarray,)
        self.capture = capture

    # ---- data

    def check_device(self, device: Device) -> Device:
        if device.index not in (None, 0):
            raise BackendError(
                f"device: expected 'cuda' or 'cuda:0', got '{device}' "
                "(a process computes on one GPU; CUDA_VISIBLE_DEVICES chooses it)"
            )
        return self.default_device

    def asarray(self, value: Any, dtype: Any, device: Device) -> Array:
        capture.refuse("a copy from the host")
        return super().asarray(value, dtype, device)

    def to_numpy(self, input: Array) -> Any:
        capture.refuse("a wait of the host for it (item, cpu, a print or a test of a value)")
        found = self.xp.asnumpy(input)
        self.faults.look()
        return found

    def synchronize(self) -> None:
        capture.refuse("a wait of the host for it (synchronize)")
        self.xp.cuda.Device().synchronize()
        self.faults.look()

    # ---- memory

    def free_memory(self) -> str:
        free, total = self.xp.cuda.runtime.memGetInfo()
        return f" {free:,} of the GPU's {total:,} bytes are free"

    def address(self, input: Array) -> int:
        return input.data.ptr  # type: ignore[no-any-return]

    def memory_of(self, input: Array) -> tuple[int, int]:
        return input.data.mem.ptr, input.data.mem.size

    def is_view(self, view: Array, of: Array) -> bool:
        return view.data.mem.ptr == of.data.mem.ptr  # type: ignore[no-any-return]

    def strided(self, input: Array, size: Shape, steps: Sequence[int], start: int) -> Array:
        whole = self.xp.ndarray(size, input.dtype, input.data + start, steps)
        return whole.view()  # CuPy forgets whose memory that is; `own` must see that it is a view

    # ---- elementwise

    def erf(self, input: Array) -> Array:
        return self._special.erf(_single(input)).astype(input.dtype, copy=False)

    def erfc(self, input: Array) -> Array:
        return self._special.erfc(_single(input)).astype(input.dtype, copy=False)

    def erfinv(self, input: Array) -> Array:
        return self._special.erfinv(_single(input)).astype(input.dtype, copy=False)

    def lgamma(self, input: Array) -> Array:
        return self._special.gammaln(_single(input)).astype(input.dtype, copy=False)

    def digamma(self, input: Array) -> Array:
        return self._special.digamma(_single(input)).astype(input.dtype, copy=False)

    def _in_float64(self, function: Callable[..., Array], *inputs: Array) -> Array:
        # All at once: on a GPU every block would be a launch.
        wide = [input.astype("float64") for input in inputs]
        return function(*wide).astype(inputs[0].dtype)

    # ---- linear algebra

    def matmul(self, input: Array, other: Array) -> Array:
        if input.dtype.kind == "V":  # bfloat16
            return super().matmul(input, other)
        return self.xp.matmul(input, other)  # of half precision too: cuBLAS adds in float32

    @contextlib.contextmanager
    def _refusing(self, op: str, expected: str) -> Any:
        import cupyx

        # Unless asked to, CuPy's decompositions do not look at what went wrong.
        with cupyx.errstate(linalg="raise"), super()._refusing(op, expected):
            yield

    @cached_property
    def _special(self) -> Any:
        import cupyx.scipy.special

        return cupyx.scipy.special

    # ---- reductions: only add and multiply reduce, and a 0-d array has no axis -1

    def sum(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        if input.dtype.kind == "V":  # bfloat16
            return self.sum(input.astype("float32"), dim, keepdim).astype(input.dtype)
        return self.xp.sum(input, axis=dim if input.ndim else None, keepdims=keepdim)

    def prod(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        out = self.xp.prod(input, axis=dim if input.ndim else None, keepdims=keepdim)
        return out.astype(input.dtype, copy=False)

    def amax(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        return self.xp.amax(input, axis=dim if input.ndim else None, keepdims=keepdim)

    def amin(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        return self.xp.amin(input, axis=dim if input.ndim else None, keepdims=keepdim)

    def any(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        return self.xp.any(input, axis=dim if input.ndim else None, keepdims=keepdim)

    def all(self, input: Array, dim: Dim, keepdim: bool) -> Array:
        return self.xp.all(input, axis=dim if input.ndim else None, keepdims=keepdim)

    # ---- along a dimension: nothing but add and multiply accumulates

    def _running(self, function: Any, input: Array, dim: int) -> Array:
        """By doubling: after each step an element has met twice as many of those before it."""
        out, shift = input.copy(), 1
        before = (slice(None),) * (dim % input.ndim)
        while shift < input.shape[dim]:
            later, earlier = (*before, slice(shift, None)), (*before, slice(None, -shift))
            out[later] = function(out[later], out[earlier])
            shift *= 2
        return out

    # ---- indexing

    def index(self, input: Array, index: tuple[Any, ...]) -> Array:
        self._check_indices(index, input.shape)
        return super().index(input, index)

    def index_put(
        self, input: Array, values: Any, index: tuple[Any, ...], accumulate: bool
    ) -> Array:
        self._check_indices(index, input.shape)
        return super().index_put(input, values, index, accumulate)

    def _reduce_at(
        self, reduce: str, target: Array, index: tuple[Array, ...], value: Array
    ) -> None:
        """In rounds, each of which meets a place once: the n-th round takes the n-th of those that
        name it.
        """
        xp = self.xp
        flat = target.reshape(-1)
        places = xp.arange(target.size).reshape(target.shape)[index].reshape(-1)
        order = xp.argsort(places)
        places, values = places[order], value.reshape(-1)[order]
        number = xp.arange(places.size) - xp.searchsorted(places, places)
        combine = {"prod": xp.multiply, "amax": xp.maximum, "amin": xp.minimum}[reduce]
        for turn in range(int(number.max()) + 1 if places.size else 0):
            now = number == turn
            flat[places[now]] = combine(flat[places[now]], values[now])

    def _check_indices(self, index: tuple[Any, ...], shape: tuple[int, ...]) -> None:
        """The arrays of an index must broadcast and name places in [-size, size)."""
        arrays = [(part, size) for part, size in zip(index, shape) if hasattr(part, "dtype")]
        try:
            np.broadcast_shapes(*[part.shape for part, _ in arrays])
        except ValueError as error:
            raise IndexError(str(error)) from error
        for part, size in arrays:
            self._check("index", part, size, -size)

    def check_range(self, op: str, index: Array, size: int, first: int = 0) -> None:
        if isinstance(index, np.ndarray):  # CuPy would copy it over in silence
            raise TypeError("indices are arrays of the device")
        self._check(op, index, size, first)

    def check_classes(self, op: str, target: Array, classes: int, ignored: int) -> None:
        report = self.class_report(op, (0, classes))
        if self.faults.check(target, report, 0, classes, ignored) is NotImplemented:
            super().check_classes(op, target, classes, ignored)

    def _check(self, op: str, index: Array, size: int, first: int) -> None:
        report = self._index_report(op, size, first)
        if self.faults.check(index, report, first, size, first) is NotImplemented:
            super().check_range(op, index, size, first)

    def check_all(self, good: Array, sentence: str) -> None:
        self.faults.look()
        report = self.faults.report(faults.Untrue(sentence))
        if self.faults.check(good, report, 1, 2, 1) is NotImplemented:
            super().check_all(good, sentence)

    def _index_report(self, op: str, size: int, first: int = 0) -> Any:
        self.faults.look()
        return self.faults.report(
            faults.Outside(op, "indices", first, size, "index {} is out of bounds")
        )

    # ---- lists of arrays, each by one launch

    def count_steps(
        self,
        counters: list[Array],
        sources: list[str] | None,
        constants: list[float],
        skip: Array | None,
    ) -> Array:
        return optimizers.count_steps(counters, sources, constants, skip)

    def step_elements(
        self, trace: str, arrays: list[list[Array]], numbers: Any, skip: Array | None = None
    ) -> Any:
        return optimizers.step_elements(trace, arrays, numbers, skip)

    def step_rows(
        self,
        rows: Array,
        trace: str,
        arrays: list[list[Array]],
        numbers: Any,
        skip: Array | None = None,
    ) -> Any:
        report = self._index_report("step_rows", len(arrays[0][0]))
        return optimizers.step_rows(rows, trace, arrays, numbers, skip, report)

    def unscale(self, arrays: list[Array], scale: Array) -> Any:
        return optimizers.unscale(arrays, scale)

    def total_norm(self, arrays: list[Array]) -> Any:
        return optimizers.total_norm(arrays)

    # ---- word vectors: see `tensorgrad.text.word_steps`

    word_steps = staticmethod(words.train)

    # ---- rows

    def softmax(self, input: Array, dim: int) -> Any:
        return softmax.over_lines("softmax", dim, input) if input.ndim else NotImplemented

    def softmax_vjp(self, g: Array, y: Array, dim: int) -> Any:
        return softmax.over_lines("softmax_vjp", dim, g, y) if y.ndim else NotImplemented

    def log_softmax(self, input: Array, dim: int) -> Any:
        return softmax.over_lines("log_softmax", dim, input) if input.ndim else NotImplemented

    def log_softmax_vjp(self, g: Array, y: Array, dim: int) -> Any:
        return softmax.over_lines("log_softmax_vjp", dim, g, y) if y.ndim else NotImplemented

    # ---- random numbers

    def uniform(
        self, shape: tuple[int, ...], dtype: Any, key: int, offset: int, device: Device
    ) -> Array:
        out = random.uniform(shape, dtype, key, offset)
        return super().uniform(shape, dtype, key, offset, device) if out is NotImplemented else out

    def random_bits(self, key: int, offset: int, count: int, device: Device) -> Array:
        return random.random_bits(key, offset, count)

    def drop(self, input: Array, p: float, key: int, offset: int) -> Any:
        return random.drop(input, p, key, offset)


def _single(input: Array) -> Array:
    """Half precision as single: CuPy's special functions have none and would give double."""
    return input.astype("float32") if input.dtype.itemsize == 2 else input


def usable_cupy() -> Any:
    """The module `cupy`, able to compute; else BackendError: what is missing, how to get it."""
    try:
        import cupy
    except ModuleNotFoundError as error:
        raise _missing(
            f"the package {error.name}, got none", f"install it with {INSTALL}"
        ) from error
    except Exception as error:
        raise _missing(
            f"CuPy to import, got {_words(error)}", f"install it again with {INSTALL}"
        ) from error
    runtime = cupy.cuda.runtime
    try:
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        driver, needed = runtime.driverGetVersion() // 1000, runtime.runtimeGetVersion() // 1000
        if driver and driver < needed:
            raise _missing(
                f"an NVIDIA driver for CUDA {needed}, got one for CUDA {driver}",
                f'update the driver or pip install "cupy-cuda{driver}x[ctk]"',
            ) from error
        what = "a device that works" if driver else "an NVIDIA GPU and its driver"
        raise _missing(f"{what}, got {_words(error)}", _NO_GPU) from error
    if not count:
        raise _missing("an NVIDIA GPU, got none", _NO_GPU)
    try:
        cupy.cuda.nvrtc.getVersion()
        cupy.cuda.cublas.getVersion  # noqa: B018 - loads the library
    except (ImportError, RuntimeError) as error:
        raise _missing(
            f"the CUDA libraries, got {_words(error)}", f"install them with {INSTALL}"
        ) from error
    return cupy


_NO_GPU = (
    "install the driver from https://www.nvidia.com/drivers (Ubuntu: sudo ubuntu-drivers install) "
    "on a machine with a GPU, or choose TENSORGRAD_BACKEND=numba"
)


def _missing(expected: str, remedy: str) -> BackendError:
    return BackendError(f"cupy: expected {expected}; {remedy}")


def _words(error: Exception) -> str:
    """The first line of an error's message."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
